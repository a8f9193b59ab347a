/* dropout.cl -- y = u >= p ? scale x : 0, u the uniform draw of the element; element counts from
 * the first sample's, `sample` elements each.  The gradient is the same kernel on dy.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "random.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef RANDOM_STORE
#define RANDOM_STORE STORE_I32
#endif

__kernel void dropout_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), TENSOR_IN(RANDOM_STORE, random),
                              const int count, const int sample, const uint stream, const float probability,
                              const float scale)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(random);
    const philox p = philox_begin(random, stream);
    const uint first = as_uint(random[3]) * (uint)sample;
    FOR_VECTORS(i, count)
    {
        float draw[VEC];
        philox_uniforms(p, first + (uint)i, VEC, draw);
        const floatv kept = LOAD_VEC(X_STORE, x, i) * scale;
        const floatv u = VLOAD_F32(draw, 0);
        STORE_VEC(Y_STORE, select((floatv)(0.0f), kept, u >= probability), y, i);
    }
}

/* For the test of random.clh: {bits, uniform, below(limit)} of elements first .. first + count - 1. */
__kernel void random_table(__global uint *out, const long out_offset, __global const int *random,
                           const long random_offset, const int count, const uint stream, const uint first,
                           const uint limit)
{
    const int i = (int)get_global_id(0);
    if (i >= count) return;
    const philox p = philox_begin(random + random_offset, stream);
    out += out_offset + 3 * i;
    out[0] = philox_bits(p, first + (uint)i);
    out[1] = as_uint(philox_uniform(p, first + (uint)i));
    out[2] = philox_below(p, first + (uint)i, limit);
}
