/* dft.h -- the Fourier transform as it is defined, in double precision: what tests compare with.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_DFT_H
#define DALLE_CL_TESTS_SUPPORT_DFT_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* out[k][l] as (re, im), k < height, l < columns, of in[y][x]: all of the plane with columns = width. */
static inline void dft_2d(const double *in, int64_t height, int64_t width, int64_t columns, double *out)
{
    const double turn = -2 * acos(-1);
    double *rows = calloc((size_t)(height * columns), 2 * sizeof *rows);
    if (!rows) abort();
    for (int64_t y = 0; y < height; ++y)
        for (int64_t l = 0; l < columns; ++l)
            for (int64_t x = 0; x < width; ++x) {
                const double a = turn * (double)(l * x % width) / (double)width;
                rows[(y * columns + l) * 2] += in[y * width + x] * cos(a);
                rows[(y * columns + l) * 2 + 1] += in[y * width + x] * sin(a);
            }
    for (int64_t k = 0; k < height; ++k)
        for (int64_t l = 0; l < columns; ++l) {
            double *to = out + (k * columns + l) * 2;
            to[0] = to[1] = 0;
            for (int64_t y = 0; y < height; ++y) {
                const double a = turn * (double)(k * y % height) / (double)height;
                const double *from = rows + (y * columns + l) * 2;
                to[0] += from[0] * cos(a) - from[1] * sin(a);
                to[1] += from[0] * sin(a) + from[1] * cos(a);
            }
        }
    free(rows);
}

#endif
