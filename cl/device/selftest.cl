/* selftest.cl -- kernels of the device room's tests: every load and store of common.clh, arguments of
 * every kind, and chains whose result shows the order of work.
 * Options: X_STORE, LANES, VEC.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "rounding.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#define LOAD_X(p, i) LOAD(X_STORE, p, i)
#define LOAD_X_VEC(p, i) LOAD_VEC(X_STORE, p, i)
#define STORE_X(v, p, i) STORE(X_STORE, v, p, i)
#define STORE_X_VEC(v, p, i) STORE_VEC(X_STORE, v, p, i)

/* y = float(x), VEC values at a time. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void selftest_load(TENSOR_OUT(STORE_F32, y),
                                                                               TENSOR_IN(X_STORE, x),
                                                                               const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    FOR_VECTORS(i, count) { STORE_VEC(STORE_F32, LOAD_X_VEC(x, i), y, i); }
}

/* x = stored(y), VEC values at a time. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void selftest_store(TENSOR_OUT(X_STORE, x),
                                                                                TENSOR_IN(STORE_F32, y),
                                                                                const int count)
{
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(y);
    FOR_VECTORS(i, count) { STORE_X_VEC(LOAD_VEC(STORE_F32, y, i), x, i); }
}

/* The same through the one-value forms: y = float(x), then x = stored(z). */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
selftest_scalar(TENSOR_OUT(STORE_F32, y), TENSOR_OUT(X_STORE, x), TENSOR_IN(STORE_F32, z), const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(z);
    for (int i = (int)get_global_id(0); i < count; i += (int)get_global_size(0)) {
        STORE(STORE_F32, LOAD_X(x, i), y, i);
        STORE_X(LOAD(STORE_F32, z, i), x, i);
    }
}

/* x = stored(y), rounded by the bits of z. */
__kernel void selftest_store_random(TENSOR_OUT(X_STORE, x), TENSOR_IN(STORE_F32, y), TENSOR_IN(STORE_I32, z),
                                    const int count)
{
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(z);
    for (int i = (int)get_global_id(0); i < count; i += (int)get_global_size(0))
        STORE_RANDOM(X_STORE, y[i], x, i, as_uint(z[i]));
}

/* y = y * scale + shift + wide, element by element: one argument of each kind. */
__kernel void selftest_affine(TENSOR_OUT(STORE_F32, y), const int count, const float scale, const int shift,
                              const long wide)
{
    TENSOR_BEGIN(y);
    for (int i = (int)get_global_id(0); i < count; i += (int)get_global_size(0))
        y[i] = y[i] * scale + (float)shift + (float)wide;
}

/* Each group says where it is, as if its three ids were digits, on top of what stood there. */
__kernel void selftest_axes(TENSOR_OUT(STORE_F32, y))
{
    const size_t at = (get_group_id(2) * get_num_groups(1) + get_group_id(1)) * get_num_groups(0) + get_group_id(0);
    y[y_offset + at] = 0.5f * y[y_offset + at] + convert_float(get_group_id(0) + 10 * get_group_id(1) + 100 * get_group_id(2));
}
