/* im2col.cl -- what a library of products needs around it: operands made plain f32 matrices, the end of C.
 * Elements are numbered over [batches, rows, columns]; any number of work-items walks them.
 * Options: X_STORE and Y_STORE (packs), X_KERNEL to X_RIGHT (im2col: the window, as A's in gemm.clh), and
 * those of gemm.clh with IN_PLACE (epilogue).
 * SPDX-License-Identifier: MIT */
#include "gemm.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef X_KERNEL
#define X_KERNEL 3
#endif
#ifndef X_KERNEL_X
#define X_KERNEL_X X_KERNEL
#define X_STRIDE_Y 1
#define X_STRIDE_X 1
#define X_TOP      (X_KERNEL / 2)
#define X_BOTTOM   (X_KERNEL / 2)
#define X_LEFT     (X_KERNEL / 2)
#define X_RIGHT    (X_KERNEL / 2)
#endif
#ifndef IN_PLACE
#define IN_PLACE 0
#endif

/* y[b, r, c] = (x[b * x_batch + r * x_row + c * x_column]) */
__kernel void pack_matrix(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int batches, const int rows,
                          const int columns, const long x_batch, const long x_row, const long x_column)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const long each = (long)rows * columns, count = each * batches;
    for (long i = (long)get_global_id(0); i < count; i += (long)get_global_size(0)) {
        const long b = i / each, r = i % each / columns, c = i % columns;
        STORE(Y_STORE, LOAD(X_STORE, x, b * x_batch + r * x_row + c * x_column), y, i);
    }
}

/* y[r, tap] = the image's value under tap (ky, kx, c) of place first + r, or 0 outside it. */
__kernel void im2col(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int first, const int rows,
                     const int height, const int width, const int channels)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int taps = X_KERNEL * X_KERNEL_X * channels;
    const long count = (long)rows * taps;
    for (long i = (long)get_global_id(0); i < count; i += (long)get_global_size(0)) {
        const int r = (int)(i / taps), tap = (int)(i % taps);
        const long at = IMAGE_INDEX(X, first + r, tap, height, width, channels);
        float value = 0.0f;
        if (at >= 0) value = LOAD(X_STORE, x, at);
        STORE(Y_STORE, value, y, i);
    }
}

/* C from the product, which alpha is already in: in its own f32 matrix, as the sum of `parts` of them that
 * lie one after the other, or (IN_PLACE) in C itself. */
__kernel void gemm_epilogue(END_ARGUMENTS, __global const float *product, const long product_offset,
                            const int parts, const int batches, const int rows, const int columns, const float alpha,
                            const long c_batch, const long c_row, const long c_column)
{
    END_BEGIN;
    product += product_offset;
    const long each = (long)rows * columns, count = each * batches;
    for (long i = (long)get_global_id(0); i < count; i += (long)get_global_size(0)) {
        const long b = i / each, r = i % each / columns, n = i % columns;
        const long at = b * c_batch + r * c_row + n * c_column;
        float value = IN_PLACE ? LOAD(C_STORE, c, at) : product[i];
        for (int part = 1; part < parts; ++part) value += product[part * count + i];
        if (BIAS) value += alpha * LOAD(BIAS_STORE, bias, n);
        FINISH_VALUE(value, at);
    }
}
