/* gemm_block.h -- the plan of a product by cl/gemm/block.cl, which gemm_block.c makes and
 * gemm_block_record.c launches.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_BLOCK_H
#define DALLE_CL_DEVICE_GEMM_BLOCK_H

#include "host/device/device.h"

/* Rows and columns of C that a group makes, how much of k at a time, and its work-items down and across. */
typedef struct block_shape {
    int m, n, k, down, across;
} block_shape;

typedef struct block_plan {
    gemm_desc desc; /* A and B exchanged if swapped, so that neighbours of C are along its rows */
    bool swapped;
    block_shape shape;
    device_matrix matrix; /* DEVICE_MATRIX_NONE: sums in each work-item's registers */
    bool emulated;        /* the unit is imitated, for tests */
    bool copies;          /* cl/gemm_block.clh: COPIES, where an operand lets it */
    int halves;           /* HALVES */
    int subgroup;         /* cl/gemm_block.clh: SUBGROUP */
    int64_t parts, part_k;
} block_plan;

bool gemm_block_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                       const char *label, const gemm_buffers *buffers, error *err);

#endif
