/* opencl.h -- what the files of this folder share: the device's handles, programs, and how driver
 * errors are said.  Nothing outside this folder includes it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_OPENCL_H
#define DALLE_CL_DEVICE_OPENCL_H

#include "host/device/device.h"
#include "host/device/gemm_choice.h"
#include <CL/cl.h>

typedef struct program program; /* program.c: compiled programs by file and options */
typedef struct helpers helpers; /* helpers.c: processes that build kernels, too */
typedef struct profile profile; /* profile.c: milliseconds by label */

struct device {
    device_info info;
    char choice[256]; /* why it was chosen */
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue[2]; /* by device_queue */
    int64_t allocated;         /* bytes of the buffers alive */
    size_t max_items[3];       /* work-items per axis of a work-group */
    char *cache_folder;        /* NULL: no disk cache */
    program *programs;
    helpers *helpers;        /* NULL: kernels are built here, at once */
    bool announced;          /* that kernels are being built */
    bool lost;               /* waiting failed: a transfer may still be under way */
    profile *profile;        /* not NULL while profiling */
    gemm_choices choices;    /* gemm_choice.c's */
    device_buffer *scratch;  /* gemm_clblast.c's, shared by its calls */
    bool clblast_parameters; /* gemm_clblast.c has overridden this device's parameters */
};

struct device_buffer {
    device *owner;
    cl_mem memory;
    int64_t bytes;
};

/* driver_home.c */
/* Before the loader is first called: gives PoCL a folder where its own cannot be written. */
void driver_home_prepare(void);

/* devices.c */
/* A context and queues on one listed device; `info` is copied. */
device *device_connect(cl_platform_id platform, cl_device_id id, const device_info *info, error *err);

/* The device at this place of the list, unprobed. */
device *device_connect_listed(int index, error *err);

void device_default_shape(device_info *info); /* lanes and vec from kind and multiple */

/* status.c */
const char *status_name(cl_int status);
/* Fills *err with "call: CL_NAME" and, for a lack of memory, what can be done; returns false. */
bool status_error(error *err, cl_int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* probe.c */
/* Fills in what is found by running code, with `all` also what only the list shows; what is remembered in the
 * cache folder is used.  A failure is not an error: it makes the device unusable and says why in `reason`. */
void probe_device(cl_platform_id platform, cl_device_id id, bool all, device_info *info);

/* program.c: a program is one kernel of a file, with options: drivers compile whatever a program has, and the binary of
 * one may have all of it compiled again (PoCL).  It stays owned by the device. */
typedef struct program_name {
    const char *file, *kernel, *options;
    bool single; /* launched in groups of one work-item */
} program_name;
cl_program program_get(device *d, const program_name *n, error *err);
/* Whether it is being built meanwhile, so that program_get is better called later. */
bool program_later(device *d, const program_name *n);
void program_release_all(device *d);
/* What is already there, or NULL; keeping one for the device, which owns it from now on: the same, or NULL without memory;
 * saying once that kernels are built; adding the compiler's words to an error. */
cl_program program_find(const device *d, const program_name *n);
cl_program program_remember(device *d, const program_name *n, cl_program built, error *err);
void program_announce(device *d, const char *file);
void program_add_log(cl_program failed, cl_device_id id, error *err);

/* All that the compiler gets: the source with its kernel alone, the options in full; and where the cache keeps it. */
typedef struct program_recipe {
    program_name name; /* its texts are the caller's */
    char *source, *full, key[65];
} program_recipe;
bool program_recipe_make(device *d, program_recipe *r, const program_name *n, error *err);
void program_recipe_free(program_recipe *r);
cl_program program_build(device *d, const program_recipe *r, error *err); /* and keeps the binary on disk */
cl_program program_from_binary(device *d, const program_recipe *r, const void *binary,
                               size_t bytes); /* likewise */

/* source.c: the whole text of "ops/softmax", includes inlined, to be freed; and blanking its other kernels, so that
 * lines keep their numbers.  False: no kernel of it has this name, and nothing was blanked. */
char *source_load(const char *file, error *err);
bool source_keep(char *source, const char *kernel);
/* The same with the kernel calling a function, which is never inlined, for all it does (cl/device/apart.cl); to be freed.
 * NULL without an error: no caller can be written for it. */
char *source_apart(char *source, const char *kernel, error *err);
/* program_cache.c: binaries on disk; see there. */
void program_cache_key(const device *d, const char *source, const char *options, char hex[65]);
cl_program program_cache_load(device *d, const char key[65], const char *options);
cl_program program_cache_binary(device *d, const void *binary, size_t bytes,
                                const char *options); /* built, or NULL */
void program_cache_save(device *d, const char key[65], cl_program built);
void program_cache_keep(device *d, const char key[65], const void *binary, size_t bytes);

/* queue.c */
bool queue_create(device *d, device_queue q, bool timed, error *err);

/* profile.c: adds one launch's time; a new label makes a new row. */
void profile_add(profile *p, const char *label, double milliseconds);
void profile_destroy(profile *p);

#endif
