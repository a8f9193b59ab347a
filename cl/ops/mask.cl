/* mask.cl -- y = x where the query sees the key, `fill` elsewhere (-inf; 0 for the gradient).
 * x, y [batches, queries, keys].  A work-group owns one query in SHARED batches: which keys it sees is the
 * same in all of them and is worked out once per block of keys.  Queries start at place `first` +
 * position[0].
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "mask.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef POSITION_STORE
#define POSITION_STORE STORE_I32
#endif
#ifndef SHARED
#define SHARED 8 /* batches a work-group does */
#endif
#ifndef HAVE_POSITION
#define HAVE_POSITION 0
#endif
#define BLOCK 32 /* keys a work-item holds the visibility of: the bits of a register */

#if VEC == 1
#define BITS 1
#elif VEC == 2
#define BITS (int2)(1, 2)
#elif VEC == 4
#define BITS (int4)(1, 2, 4, 8)
#elif VEC == 8
#define BITS (int8)(1, 2, 4, 8, 16, 32, 64, 128)
#else
#define BITS (int16)(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void mask_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x),
#if HAVE_POSITION
                  TENSOR_IN(POSITION_STORE, position),
#endif
                  const int batches, const int queries, const int first, MASK_ARGUMENTS, const float fill)
{
    const mask_bands m = { length, text, text, causal, step, bands, reach, block };
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    int query = (int)get_group_id(0) % queries;
    const int first_batch = (int)get_group_id(0) / queries * SHARED;
    const int end_batch = min(first_batch + SHARED, batches);
    const long row0 = query;
    query += first;
#if HAVE_POSITION
    query += position[position_offset];
#endif
    for (int start = (int)get_local_id(0) * BLOCK; start < length; start += LANES * BLOCK) {
        const int count = min(BLOCK, length - start), whole = count / VEC * VEC;
        uint sees = 0; /* bit j: key start + j */
        for (int j = 0; j < count; ++j)
            if (mask_sees(m, query, start + j)) sees |= 1u << j;
        for (int b = first_batch; b < end_batch; ++b) {
            const long at = ((long)b * queries + row0) * length + start;
            for (int j = 0; j < whole; j += VEC) {
                const intv seen = ((intv)((int)(sees >> j)) & BITS) != 0;
                const floatv v = LOAD_VEC(X_STORE, x, at + j);
                STORE_VEC(Y_STORE, select((floatv)(fill), v, seen), y, at + j);
            }
            for (int j = whole; j < count; ++j) {
                const float v = LOAD(X_STORE, x, at + j);
                STORE(Y_STORE, sees >> j & 1 ? v : fill, y, at + j);
            }
        }
    }
}

/* For the test of mask.clh: out[query, key] = 1 where seen, plus 2 for every slot that lists the key. */
__kernel void mask_table(__global int *out, const long out_offset, const int queries, MASK_ARGUMENTS)
{
    const mask_bands m = { length, text, text, causal, step, bands, reach, block };
    const int query = (int)get_global_id(0);
    if (query >= queries) return;
    out += out_offset + (long)query * length;
    for (int key = 0; key < length; ++key) out[key] = mask_sees(m, query, key) ? 1 : 0;
    const int slots = mask_slots(m, query);
    for (int s = 0; s < slots; ++s) {
        const int key = mask_slot_key(m, query, s);
        if (key >= 0) out[key] += 2;
    }
}
