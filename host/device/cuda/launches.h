/* launches.h -- a list of launches, as launch.c, run.c and products.c know it.
 * Names: cuda_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_CUDA_LAUNCHES_H
#define DALLE_CL_DEVICE_CUDA_LAUNCHES_H

#include "host/device/cuda/cuda.h"

typedef enum cuda_item_kind {
    CUDA_KERNEL,
    CUDA_COPY,
    CUDA_FILL,
    CUDA_PRODUCT, /* enqueues the same each time, so that a graph can hold it */
    CUDA_CALL     /* may do anything: is called each time */
} cuda_item_kind;

typedef struct cuda_item {
    cuda_item_kind kind;
    char *label, *name;
    cu_function function;
    unsigned grid[3], block[3];
    uint64_t *values; /* of the arguments, one each, and behind them their addresses */
    void **arguments;
    cu_pointer to, from;
    size_t bytes;
    uint32_t pattern;
    device_call call;
    void *context;
    void (*end)(device *d, void *context); /* what is to be given back before the context is freed, or NULL */
} cuda_item;

/* Launches first .. end-1, among them no call: one graph after their second run. */
typedef struct cuda_stretch {
    int first, end, runs;
    bool refused; /* by the driver: they are launched one by one */
    cu_replay replay;
} cuda_stretch;

typedef struct cuda_launches {
    device_launches common;
    cuda_item *items;
    int capacity;
    cuda_stretch *stretches;
    int stretch_count;
} cuda_launches;

static inline cuda_launches *cuda_launches_of(const device_launches *list)
{
    return (cuda_launches *)list;
}

/* launch.c: moves *item into the list, or gives back what it holds. */
bool cuda_launch_append(device_launches *list, cuda_item *item, const char *label, error *err);
/* "grid 3x4, block 64x1" */
void cuda_launch_sizes(const cuda_item *item, char *out, size_t size);
/* run.c */
void cuda_run_forget(cuda_launches *list);

#endif
