/* launches.h -- a list of launches, as launch.c and join.c know it.
 * Names: joined_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_OPENCL_LAUNCHES_H
#define DALLE_CL_DEVICE_OPENCL_LAUNCHES_H

#include "host/device/opencl/opencl.h"

typedef enum launch_kind { LAUNCH_KERNEL, LAUNCH_COPY, LAUNCH_FILL, LAUNCH_CALL } launch_kind;

typedef struct launch {
    launch_kind kind;
    char *label;
    device_launch
        *described; /* a kernel that may be joined, or is being built: how it would be launched alone */
    bool joinable;
    cl_kernel
        kernel; /* its arguments are set once: no two launches share a kernel object; NULL: not made yet */
    char *name;
    cl_uint rank;
    size_t global[3], local[3];
    cl_mem to, from;
    size_t to_offset, from_offset, bytes;
    uint32_t pattern;
    device_call call;
    void *context;
} launch;

typedef struct joined joined; /* join.c: launches that one kernel does */

typedef struct opencl_launches {
    device_launches common;
    launch *items;
    int capacity;
    bool joining;
    joined **joined;
    int joined_count;
} opencl_launches;

/* join.c.  Created from described launches first .. first+count-1; NULL with *err where that cannot be. */
joined *joined_create(const opencl_launches *list, int first, int count, error *err);
void joined_destroy(joined *j); /* NULL is harmless */
int joined_first(const joined *j);
int joined_launches(const joined *j);
bool joined_enqueue(joined *j, int times, error *err);

#endif
