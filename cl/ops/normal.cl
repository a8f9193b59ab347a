/* normal.cl -- y[b, i]: standard normal numbers by the method of Box and Muller, host/base/philox.h's
 * philox_normal, of sample b's own stream.  One work-item makes the four of a block of random words.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "random.clh"

#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef RANDOM_STORE
#define RANDOM_STORE STORE_I32
#endif

__kernel void normal_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(RANDOM_STORE, random), const int samples,
                             const int sample, const uint stream)
{
    TENSOR_BEGIN(random);
    const int blocks = (sample + 3) / 4, item = (int)get_global_id(0), b = item / blocks;
    if (b >= samples) return;
    const int block = item - b * blocks, count = min(4, sample - block * 4);
    const uint4 words = philox_block(philox_begin(random, stream + as_uint(random[3]) + (uint)b), (uint)block);
    const float r0 = sqrt(-2.0f * log(philox_uniform_of(words.x))), a0 = 6.2831853f * philox_uniform_of(words.y);
    const float r1 = sqrt(-2.0f * log(philox_uniform_of(words.z))), a1 = 6.2831853f * philox_uniform_of(words.w);
    const float value[4] = { r0 * cos(a0), r0 * sin(a0), r1 * cos(a1), r1 * sin(a1) };
    y += y_offset + (long)b * sample + block * 4;
    for (int j = 0; j < count; ++j) STORE(Y_STORE, value[j], y, j);
}
