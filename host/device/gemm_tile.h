/* gemm_tile.h -- the register tile of cl/gemm_tile.clh, for the providers that use it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_TILE_H
#define DALLE_CL_DEVICE_GEMM_TILE_H

#include <stdint.h>

/* mr rows of nv vectors of vec columns. */
typedef struct tile_shape {
    int mr, nv, vec;
} tile_shape;

/* The tile that wastes least past the last row and column of a product, for vectors of the device's width. */
tile_shape gemm_tile_choose(int vector_width, int64_t m, int64_t n);

#endif
