/* argmax.cl -- y[r] = the lowest index of the largest x[r, c].  One group a row: each place of each
 * lane's vector keeps its first largest, then they are compared by value and by index.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void argmax_forward(__global int *y, const long y_offset, TENSOR_IN(X_STORE, x), const int columns)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int row = (int)get_group_id(0), lane = (int)get_local_id(0);
    x += (long)row * columns;
    floatv best = -INFINITY;
    intv where = 0;
    const int whole = columns / VEC * VEC;
    for (int i = lane * VEC; i < whole; i += LANES * VEC) {
        const floatv v = LOAD_VEC(X_STORE, x, i);
        const intv better = v > best;
        best = fmax(best, v);
        where = select(where, (intv)(i), better);
    }
    float value[VEC];
    int index[VEC];
    VSTORE_F32(best, value, 0);
#if VEC == 1
    index[0] = where;
#else
    CONCAT(vstore, VEC)(where, 0, index);
#endif
    float most = -INFINITY;
    int at = columns;
    for (int j = 0; j < VEC; ++j) {
        const int candidate = index[j] + j;
        if (value[j] > most || (value[j] == most && candidate < at)) {
            most = value[j];
            at = candidate;
        }
    }
    for (int i = whole + lane; i < columns; i += LANES) {
        const float v = LOAD(X_STORE, x, i);
        if (v > most || (v == most && i < at)) {
            most = v;
            at = i;
        }
    }
#if LANES > 1
    __local float values[LANES];
    __local int places[LANES];
    values[lane] = most;
    places[lane] = at;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = LANES / 2; step > 0; step /= 2) {
        if (lane < step) {
            const float v = values[lane + step];
            const int i = places[lane + step];
            if (v > values[lane] || (v == values[lane] && i < places[lane])) {
                values[lane] = v;
                places[lane] = i;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    at = places[0];
#endif
    if (lane == 0) y[row] = at < columns ? at : 0;
}
