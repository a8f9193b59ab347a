/* gemm_library.h -- what a library that multiplies plain matrices, such as a BLAS, offers to gemm_library.c,
 * which makes every product into such.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_LIBRARY_H
#define DALLE_CL_DEVICE_GEMM_LIBRARY_H

#include "host/device/device.h"

/* C = alpha A B + beta C in so many batches, of float32 unless the library takes other types.  Offsets,
 * leading dimensions and strides are in elements.  An end, only for a library that has it: bias[n] is added
 * (NULL: none), and what is below 0 becomes 0. */
typedef struct gemm_sgemm {
    dtype in, out;                 /* of A and B, and of C and the bias; sums are float32 */
    bool columns_first;            /* all three lie by columns, else by rows */
    bool a_transpose, b_transpose; /* the one lies the other way */
    size_t m, n, k, batches;
    float alpha, beta;
    device_buffer *a, *b, *c;
    size_t a_offset, a_ld, a_stride, b_offset, b_ld, b_stride, c_offset, c_ld, c_stride;
    device_buffer *bias;
    size_t bias_offset;
    bool relu;
} gemm_sgemm;

typedef struct gemm_library {
    const char *name;
    /* While recording: takes the memory that the call will need, so that it is not taken in the first
     * step. */
    bool (*reserve)(device *d, const gemm_sgemm *s, error *err);
    bool (*multiply)(device *d, const gemm_sgemm *s, error *err); /* enqueues on the compute queue */
    /* May be NULL: the bytes of that memory, for a call of which shapes, strides and offsets are known. */
    bool (*scratch)(device *d, const gemm_sgemm *s, int64_t *bytes, error *err);
    /* The rest may be NULL: which types it takes beside float32; whether it does a call with its end;
     * recording a call in its own way, rather than as one of the host's; and it cuts a long k by itself. */
    bool (*takes)(dtype in, dtype out);
    bool (*ends)(device *d, const gemm_sgemm *s);
    bool (*add)(device_launches *list, const char *label, const gemm_sgemm *s, error *err);
    bool divides;
} gemm_library;

/* A provider's functions, for devices with a library. */
bool gemm_library_supports(device *d, const gemm_desc *desc);
bool gemm_library_plan(device *d, const gemm_desc *desc, const char *variant, int64_t *workspace_bytes,
                       void **state, error *err);
bool gemm_library_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                         const char *label, const gemm_buffers *buffers, error *err);
bool gemm_library_variant(device *d, const gemm_desc *desc, int i, char name[GEMM_WAY_SIZE]);

#endif
