/* cuda.h -- what the files of this folder share: the device's handles and their functions.  Nothing outside
 * this folder includes it.  A device uses its card's primary context, which every function that reaches the
 * driver makes current first, because a thread may hold several devices.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_CUDA_H
#define DALLE_CL_DEVICE_CUDA_H

#include "host/device/backend.h"
#include "host/device/cuda/api.h"

typedef struct cuda_program cuda_program; /* program.c: compiled kernels by file, name and options */

typedef struct cuda_device {
    device common; /* comes first, here and below */
    const cuda_driver *api;
    int id;
    cu_context context;
    cu_stream stream[2]; /* by device_queue */
    int capability;      /* 90: compute capability 9.0 */
    cuda_program *programs;
    const cuda_blas *blas; /* NULL: not asked for yet, or not there */
    bool blas_asked;
    lt_handle products;
    device_buffer *workspace; /* of products, shared: they run one after another */
} cuda_device;

typedef struct cuda_buffer {
    device_buffer common;
    cu_pointer memory;
} cuda_buffer;

/* What a handle of this backend's is. */
static inline cuda_device *cuda(const device *d)
{
    return (cuda_device *)d;
}
static inline cu_pointer cuda_memory(const device_buffer *b)
{
    return ((const cuda_buffer *)b)->memory;
}

/* cuda.c: the table of what follows. */
extern const device_backend cuda_backend;

/* cards.c */
bool cuda_cards_list(device_listing *l, error *err);

/* connect.c */
device *cuda_connect_open(const device_entry *at, error *err);
void cuda_connect_close(device *d);
/* Makes the device's context current. */
bool cuda_connect_enter(const device *d, error *err);

/* buffer.c */
device_buffer *cuda_buffer_create(device *d, int64_t bytes, error *err);
void cuda_buffer_release(device_buffer *b);

/* stream.c */
bool cuda_stream_write(device *d, device_buffer *to, int64_t offset, const void *from, int64_t bytes,
                       error *err);
bool cuda_stream_read(device *d, const device_buffer *from, int64_t offset, void *to, int64_t bytes,
                      error *err);
bool cuda_stream_fill(device *d, device_buffer *b, int64_t offset, int64_t bytes, uint32_t pattern,
                      error *err);
device_event *cuda_stream_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset,
                                      const void *from, int64_t bytes, device_event *after, error *err);
device_event *cuda_stream_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset,
                                     void *to, int64_t bytes, device_event *after, error *err);
device_event *cuda_stream_record(device *d, device_queue q, device_event *after, error *err);
bool cuda_stream_event_wait(device_event *e, error *err);
void cuda_stream_event_release(device_event *e);
bool cuda_stream_wait(device *d, device_queue q, device_event *e, error *err);
bool cuda_stream_finish(device *d, error *err);

/* launch.c */
device_launches *cuda_launch_list(device *d, error *err);
void cuda_launch_release(device_launches *list);
bool cuda_launch_add(device_launches *list, const device_launch *launch, error *err);
bool cuda_launch_add_copy(device_launches *list, const char *label, device_buffer *to, int64_t to_offset,
                          const device_buffer *from, int64_t from_offset, int64_t bytes, error *err);
bool cuda_launch_add_fill(device_launches *list, const char *label, device_buffer *to, int64_t offset,
                          int64_t bytes, uint32_t pattern, error *err);
bool cuda_launch_add_call(device_launches *list, const char *label, device_call call, void *context,
                          error *err);

/* run.c */
bool cuda_run_repeat(device_launches *list, int first, int count, int times, error *err);

/* program.c: the function stays the device's. */
cu_function cuda_program_get(device *d, const device_launch *l, error *err);
void cuda_program_release_all(device *d);
#define CUDA_TARGET_SIZE 24
/* "sm_90" where the compiler makes code for the card itself, else the newest "compute_86" that the driver
 * makes such of. */
bool cuda_program_target(int capability, char target[CUDA_TARGET_SIZE], error *err);
/* "driver API 12.4, NVRTC 12.4": all that compiled kernels depend on beside the card. */
void cuda_program_versions(char *out, size_t size);

/* products.c */
extern const gemm_library cuda_products;
extern const gemm_provider cuda_products_gemm;
void cuda_products_close(device *d);

/* probe.c */
void cuda_probe_device(device_entry *at, bool all);

/* status.c: fill *err with "call: NAME (number)" and what can be done; return false. */
bool cuda_status_error(error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool cuda_status_compiler_error(error *err, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool cuda_status_products_error(error *err, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
