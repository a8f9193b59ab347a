/* gemm_provider.h -- what one way of multiplying matrices offers to gemm.c; a device says which there are
 * (backend.h). Providers: "tile" (gemm_tile.c, CPU devices), "block" (gemm_block.c, GPUs), "thin"
 * (gemm_thin.c, few rows, order of sums independent of the row count), "winograd" (gemm_winograd.c, 3 x 3
 * convolutions on CPU devices), "plain"
 * (gemm_plain.c: one element a work-item, the oracle and the fallback that runs anywhere), and a library's
 * (gemm_library.c). Each ends elements in all the ways of gemm_desc; a library's appends a kernel.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_PROVIDER_H
#define DALLE_CL_DEVICE_GEMM_PROVIDER_H

#include "host/device/device.h"

typedef struct gemm_provider {
    const char *name;
    bool (*supports)(device *d, const gemm_desc *desc);
    /* Workspace bytes for the descriptor; may allocate *state, freed with free().  `variant`: one of the
     * provider's, or NULL for its own choice. */
    bool (*plan)(device *d, const gemm_desc *desc, const char *variant, int64_t *workspace_bytes,
                 void **state, error *err);
    bool (*record)(device *d, const gemm_desc *desc, void *state, device_launches *list, const char *label,
                   const gemm_buffers *buffers, error *err);
    /* Names the i-th variant that is worth measuring; false: there is none.  NULL: only its own choice. */
    bool (*variant)(device *d, const gemm_desc *desc, int i, char name[GEMM_WAY_SIZE]);
} gemm_provider;

extern const gemm_provider gemm_tile, gemm_winograd, gemm_block, gemm_thin, gemm_plain;

/* What suits a device that has all of these: few rows by thin, 3 x 3 convolutions by winograd where it pays,
 * the rest by `fast`, or where that cannot by block, on CPUs by plain. */
const gemm_provider *gemm_usual(device *d, const gemm_desc *desc, const gemm_provider *fast);

/* Whether the sums that a 3 x 3 convolution saves pay for the transforms. */
bool gemm_winograd_pays(device *d, const gemm_desc *desc);

/* Whether the device is one for block, and an operand is of a type that a library would first copy to f32. */
bool gemm_block_suits(device *d, const gemm_desc *desc);

#endif
