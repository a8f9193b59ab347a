/* gemm_tile.h -- the register tile of cl/gemm_tile.clh, for the providers that use it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_TILE_H
#define DALLE_CL_DEVICE_GEMM_TILE_H

#include "host/device/device.h"

/* mr rows of nv vectors of vec columns. */
typedef struct tile_shape {
    int mr, nv, vec;
} tile_shape;

/* The tile that wastes least past the last row and column of a product, for vectors of the device's width. */
tile_shape gemm_tile_choose(int vector_width, int64_t m, int64_t n);

/* Floats of an image's line, border included, with `pixel` of them a pixel; lines behind so many lines of
 * places. */
static inline int64_t gemm_tile_line(const gemm_image *image, int64_t pixel)
{
    return (image->width + image->window.before[1] + image->window.after[1]) * pixel;
}
static inline int64_t gemm_tile_lines(const gemm_image *image, int64_t places)
{
    return (places - 1) * image->window.stride[0] + image->window.size[0];
}

#endif
