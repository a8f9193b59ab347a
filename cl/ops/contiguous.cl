/* contiguous.cl -- y = x over up to six axes, with strides of their own for both.
 *
 * One work-item copies one stretch of one row (all axes but the last).
 * Options: X_STORE, Y_STORE; RAW: both types are equal and elements are copied as this integer type, so
 * that not a bit changes; UNIT: 1 if the last axis has stride 1 in both, and goes by whole vectors.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef UNIT
#define UNIT 0
#endif

#ifdef RAW
#define SOURCE __global const RAW *
#define TARGET __global RAW *
#define COPY(y, j, x, i) ((y)[j] = (x)[i])
#if VEC == 1
#define COPY_VEC(y, j, x, i) COPY(y, j, x, i)
#else
#define COPY_VEC(y, j, x, i) CONCAT(vstore, VEC)(CONCAT(vload, VEC)(0, (x) + (i)), 0, (y) + (j))
#endif
#else
#define SOURCE __global const ELEMENT(X_STORE) *
#define TARGET __global ELEMENT(Y_STORE) *
#define COPY(y, j, x, i) STORE(Y_STORE, LOAD(X_STORE, x, i), y, j)
#define COPY_VEC(y, j, x, i) STORE_VEC(Y_STORE, LOAD_VEC(X_STORE, x, i), y, j)
#endif

#define AXIS(n) const int dim##n, const int from##n, const int to##n

__kernel void contiguous_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int items, const int chunks,
                                 const int stretch, AXIS(0), AXIS(1), AXIS(2), AXIS(3), AXIS(4), AXIS(5))
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int item = (int)get_global_id(0);
    if (item >= items) return;
    int row = item / chunks;
    const int begin = (item - row * chunks) * stretch, end = min(begin + stretch, dim5);
    long source = 0, target = 0;
#define STEP(n)                                                                          \
    {                                                                                    \
        const int at = row % dim##n;                                                     \
        row /= dim##n;                                                                   \
        source += (long)at * from##n;                                                    \
        target += (long)at * to##n;                                                      \
    }
    STEP(4)
    STEP(3)
    STEP(2)
    STEP(1)
    STEP(0)
    SOURCE p = (SOURCE)x + source;
    TARGET q = (TARGET)y + target;
    int i = begin;
#if UNIT
    for (; i + VEC <= end; i += VEC) COPY_VEC(q, i, p, i);
    for (; i < end; ++i) COPY(q, i, p, i);
#else
    for (; i < end; ++i) COPY(q, (long)i * to5, p, (long)i * from5);
#endif
}
