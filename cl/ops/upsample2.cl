/* upsample2.cl -- nearest-neighbour doubling of [B, Y, X, C], and its gradient, the sum of the four copies.
 * Both walk the small image's elements; width and channels are the small image's.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif

/* The first of the four large elements of small element i. */
static inline long upsample_target(const int i, const int width, const int channels)
{
    const int c = i % channels, pixel = i / channels;
    const int column = pixel % width, row = pixel / width;
    return ((long)row * 2 * (width * 2) + column * 2) * channels + c;
}

__kernel void upsample2_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int count, const int width,
                                const int channels)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const long down = (long)width * 2 * channels;
    FOR_VECTORS(i, count)
    {
        if (channels % VEC == 0) {
            const long t = upsample_target(i, width, channels);
            const floatv v = LOAD_VEC(X_STORE, x, i);
            STORE_VEC(Y_STORE, v, y, t);
            STORE_VEC(Y_STORE, v, y, t + channels);
            STORE_VEC(Y_STORE, v, y, t + down);
            STORE_VEC(Y_STORE, v, y, t + down + channels);
        } else {
            for (int j = i; j < min(i + VEC, count); ++j) {
                const long t = upsample_target(j, width, channels);
                const float v = LOAD(X_STORE, x, j);
                STORE(Y_STORE, v, y, t);
                STORE(Y_STORE, v, y, t + channels);
                STORE(Y_STORE, v, y, t + down);
                STORE(Y_STORE, v, y, t + down + channels);
            }
        }
    }
}

/* Here x is dy, the large one, and y is dx. */
__kernel void upsample2_backward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int count, const int width,
                                 const int channels)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const long down = (long)width * 2 * channels;
    FOR_VECTORS(i, count)
    {
        if (channels % VEC == 0) {
            const long t = upsample_target(i, width, channels);
            const floatv top = LOAD_VEC(X_STORE, x, t) + LOAD_VEC(X_STORE, x, t + channels);
            const floatv low = LOAD_VEC(X_STORE, x, t + down) + LOAD_VEC(X_STORE, x, t + down + channels);
            STORE_VEC(Y_STORE, top + low, y, i);
        } else {
            for (int j = i; j < min(i + VEC, count); ++j) {
                const long t = upsample_target(j, width, channels);
                const float top = LOAD(X_STORE, x, t) + LOAD(X_STORE, x, t + channels);
                const float low = LOAD(X_STORE, x, t + down) + LOAD(X_STORE, x, t + down + channels);
                STORE(Y_STORE, top + low, y, j);
            }
        }
    }
}
