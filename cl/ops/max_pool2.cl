/* max_pool2.cl -- 2x2 maximum over [B, Y, X, C], stride 2, and its gradient.
 * Both walk y's elements; the gradient writes the four elements of dx that each owns: the first one, in
 * raster order, that equals the maximum gets dy.  Vectors run along C where VEC divides it.
 * width, channels: y's.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif

/* The first element of the four under element i of y; the others are one pixel right, and one row down. */
static inline long pool_source(const int i, const int width, const int channels)
{
    const int c = i % channels, pixel = i / channels;
    const int column = pixel % width, row = pixel / width; /* row counts through the batch */
    return ((long)row * 2 * (width * 2) + column * 2) * channels + c;
}

__kernel void max_pool2_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int count, const int width,
                                const int channels)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const long down = (long)width * 2 * channels;
    FOR_VECTORS(i, count)
    {
        if (channels % VEC == 0) {
            const long s = pool_source(i, width, channels);
            const floatv top = fmax(LOAD_VEC(X_STORE, x, s), LOAD_VEC(X_STORE, x, s + channels));
            const floatv low = fmax(LOAD_VEC(X_STORE, x, s + down), LOAD_VEC(X_STORE, x, s + down + channels));
            STORE_VEC(Y_STORE, fmax(top, low), y, i);
        } else {
            for (int j = i; j < min(i + VEC, count); ++j) {
                const long s = pool_source(j, width, channels);
                const float top = fmax(LOAD(X_STORE, x, s), LOAD(X_STORE, x, s + channels));
                const float low = fmax(LOAD(X_STORE, x, s + down), LOAD(X_STORE, x, s + down + channels));
                STORE(Y_STORE, fmax(top, low), y, j);
            }
        }
    }
}

__kernel void max_pool2_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(X_STORE, x), TENSOR_IN(Y_STORE, dy),
                                 const int count, const int width, const int channels)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(dy);
    const long down = (long)width * 2 * channels;
    FOR_VECTORS(i, count)
    {
        if (channels % VEC == 0) {
            const long s = pool_source(i, width, channels);
            const long at[4] = { s, s + channels, s + down, s + down + channels };
            const floatv none = (floatv)(0.0f);
            floatv v[4], left = LOAD_VEC(Y_STORE, dy, i);
            #pragma unroll
            for (int j = 0; j < 4; ++j) v[j] = LOAD_VEC(X_STORE, x, at[j]);
            const floatv most = fmax(fmax(v[0], v[1]), fmax(v[2], v[3]));
            #pragma unroll
            for (int j = 0; j < 4; ++j) {
                STORE_VEC(X_STORE, select(none, left, v[j] == most), dx, at[j]);
                left = select(left, none, v[j] == most);
            }
        } else {
            for (int e = i; e < min(i + VEC, count); ++e) {
                const long s = pool_source(e, width, channels);
                const long at[4] = { s, s + channels, s + down, s + down + channels };
                float v[4], left = LOAD(Y_STORE, dy, e);
                #pragma unroll
                for (int j = 0; j < 4; ++j) v[j] = LOAD(X_STORE, x, at[j]);
                const float most = fmax(fmax(v[0], v[1]), fmax(v[2], v[3]));
                #pragma unroll
                for (int j = 0; j < 4; ++j) {
                    const float mine = v[j] == most ? left : 0.0f;
                    STORE(X_STORE, mine, dx, at[j]);
                    left = v[j] == most ? 0.0f : left;
                }
            }
        }
    }
}
