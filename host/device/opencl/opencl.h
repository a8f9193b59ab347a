/* opencl.h -- what the files of this folder share: the device's handles, programs, and how driver
 * errors are said.  Nothing outside this folder includes it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_OPENCL_H
#define DALLE_CL_DEVICE_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include "host/device/backend.h"
#include <CL/cl.h>

typedef struct program program; /* program.c: compiled programs by file and options */
typedef struct helpers helpers; /* helpers.c: processes that build kernels, too */

typedef struct opencl_device {
    device common; /* comes first, here and below */
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue[2]; /* by device_queue */
    size_t max_items[3];       /* work-items per axis of a work-group */
    program *programs;
    helpers *helpers;        /* NULL: kernels are built here, at once */
    device_buffer *scratch;  /* clblast.c's, shared by its calls */
    bool clblast_parameters; /* clblast.c has overridden this device's parameters */
} opencl_device;

typedef struct opencl_buffer {
    device_buffer common;
    cl_mem memory;
} opencl_buffer;

/* What a handle of this backend's is. */
static inline opencl_device *opencl(const device *d)
{
    return (opencl_device *)d;
}
static inline cl_mem opencl_memory(const device_buffer *b)
{
    return ((const opencl_buffer *)b)->memory;
}

/* opencl.c: the table of what follows. */
extern const device_backend opencl_backend;

/* platforms.c */
bool platforms_list(device_listing *l, error *err);

/* connect.c */
/* A context and queues on a listed device, unprobed and without helpers. */
device *connect_device(const device_entry *at, error *err);
device *connect_open(const device_entry *at, error *err);
void connect_close(device *d);

/* process.c, driver_home.c, helper.c: for the process */
void process_prepare(void);
/* Before the loader is first called: gives PoCL a folder where its own cannot be written. */
void driver_home_prepare(void);
void driver_home_leave(void);
int helper_serve(const device_entry *at, const char *identity);

/* buffer.c */
device_buffer *buffer_create(device *d, int64_t bytes, error *err);
void buffer_release(device_buffer *b);

/* queue.c */
bool queue_create(device *d, device_queue q, bool timed, error *err);
bool queue_timing(device *d, bool on, error *err);
/* How many threads of this process serve queues of rusticl, on Linux; elsewhere 0.  Such a thread goes on
 * after its queue's release has returned, freeing what the process's end tears down at the same time: of
 * programs that closed their device last, one in some fifteen died with "double free or corruption" (Mesa
 * 22.3). */
int queue_threads(void);
void queue_threads_await(int left); /* until no more than these are left, two seconds at most */
bool queue_write(device *d, device_buffer *to, int64_t offset, const void *from, int64_t bytes, error *err);
bool queue_read(device *d, const device_buffer *from, int64_t offset, void *to, int64_t bytes, error *err);
bool queue_fill(device *d, device_buffer *b, int64_t offset, int64_t bytes, uint32_t pattern, error *err);
device_event *queue_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset,
                                const void *from, int64_t bytes, device_event *after, error *err);
device_event *queue_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset, void *to,
                               int64_t bytes, device_event *after, error *err);
device_event *queue_record(device *d, device_queue q, device_event *after, error *err);
bool queue_event_wait(device_event *e, error *err);
void queue_event_release(device_event *e);
bool queue_wait(device *d, device_queue q, device_event *e, error *err);
bool queue_finish(device *d, error *err);

/* launch.c */
device_launches *launch_list(device *d, error *err);
void launch_release(device_launches *list);
bool launch_add(device_launches *list, const device_launch *launch, error *err);
bool launch_add_copy(device_launches *list, const char *label, device_buffer *to, int64_t to_offset,
                     const device_buffer *from, int64_t from_offset, int64_t bytes, error *err);
bool launch_add_fill(device_launches *list, const char *label, device_buffer *to, int64_t offset,
                     int64_t bytes, uint32_t pattern, error *err);
bool launch_add_call(device_launches *list, const char *label, device_call call, void *context, error *err);
bool launch_repeat(device_launches *list, int first, int count, int times, error *err);
void launch_defer(device_launches *list);
bool launch_join(device_launches *list, const int *ends, int end_count, error *err);
bool launch_joined(const device_launches *list);

/* clblast.c */
extern const gemm_provider gemm_clblast;
extern const gemm_library clblast;

/* clfft.c; only where it was there to build with */
extern const fft_provider fft_clfft;

/* status.c */
const char *status_name(cl_int status);
/* Fills *err with "call: CL_NAME" and, for a lack of memory, what can be done; returns false. */
bool status_error(error *err, cl_int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* probe.c: what is remembered in the cache folder is used. */
void probe_device(device_entry *at, bool all);

/* program.c: a program is one kernel of a file, with options: drivers compile whatever a program has, and the
 * binary of one may have all of it compiled again (PoCL).  It stays owned by the device. */
typedef struct program_name {
    const char *file, *kernel, *options;
    bool single; /* launched in groups of one work-item */
} program_name;
cl_program program_get(device *d, const program_name *n, error *err);
/* Whether it is being built meanwhile, so that program_get is better called later. */
bool program_later(device *d, const program_name *n);
void program_release_all(device *d);
/* What is already there, or NULL; keeping one for the device, which owns it from now on: the same, or NULL
 * without memory; adding the compiler's words to an error. */
cl_program program_find(const device *d, const program_name *n);
cl_program program_remember(device *d, const program_name *n, cl_program built, error *err);
void program_add_log(cl_program failed, cl_device_id id, error *err);

/* All that the compiler gets: the source with its kernel alone, the options in full; and where the cache
 * keeps it. */
typedef struct program_recipe {
    program_name name; /* its texts are the caller's */
    char *source, *full, key[65];
} program_recipe;
bool program_recipe_make(device *d, program_recipe *r, const program_name *n, error *err);
void program_recipe_free(program_recipe *r);
cl_program program_build(device *d, const program_recipe *r, error *err); /* and keeps the binary on disk */
cl_program program_from_binary(device *d, const program_recipe *r, const void *binary,
                               size_t bytes); /* likewise */

/* program_cache.c: binaries on disk; see there. */
cl_program program_cache_load(device *d, const char key[65], const char *options);
cl_program program_cache_binary(device *d, const void *binary, size_t bytes,
                                const char *options); /* built, or NULL */
void program_cache_save(device *d, const char key[65], cl_program built);

#endif
