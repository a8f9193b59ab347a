/* timestep_embedding.cl -- y[b, i] = cos(t[b] w_i), y[b, half + i] = sin(t[b] w_i), w_i = exp(rate i / half).
 * One work-item a value of the first half and its fellow of the second.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef TIME_STORE
#define TIME_STORE STORE_F32
#endif

__kernel void timestep_embedding_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(TIME_STORE, time), const float rate,
                                         const int samples, const int half_columns)
{
    const int item = (int)get_global_id(0), b = item / half_columns, i = item - b * half_columns;
    if (b >= samples) return;
    const float angle = LOAD(TIME_STORE, time, time_offset + b) * exp(rate * convert_float(i) / convert_float(half_columns));
    y += y_offset + (long)b * 2 * half_columns;
    STORE(Y_STORE, cos(angle), y, i);
    STORE(Y_STORE, sin(angle), y, half_columns + i);
}
