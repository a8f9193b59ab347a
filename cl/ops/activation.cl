/* activation.cl -- y = f(x); dx = dy f'(x).  f is one of activation.clh; x may be what f gave where f' is the
 * same of it.
 * Options: ACTIVATION: f's number; X_STORE, Y_STORE (of the result), DY_STORE.
 * SPDX-License-Identifier: MIT */
#include "activation.clh"

#ifndef ACTIVATION
#define ACTIVATION 1
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef DY_STORE
#define DY_STORE STORE_F32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void activation_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    FOR_VECTORS(i, count)
    {
        const floatv v = LOAD_VEC(X_STORE, x, i);
        STORE_VEC(Y_STORE, ACTIVATE_VEC(ACTIVATION, v), y, i);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void activation_backward(TENSOR_OUT(Y_STORE, dx), TENSOR_IN(DY_STORE, dy), TENSOR_IN(X_STORE, x), const int count)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(x);
    FOR_VECTORS(i, count)
    {
        const floatv v = LOAD_VEC(X_STORE, x, i);
        STORE_VEC(Y_STORE, TIMES_SLOPE_VEC(ACTIVATION, LOAD_VEC(DY_STORE, dy, i), v), dx, i);
    }
}
