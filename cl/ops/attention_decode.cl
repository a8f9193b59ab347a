/* attention_decode.cl -- attention of one query a pair over a cache of keys and values, those that a mask
 * shows it; a new token's key and value are put into the cache first.  q, key, value, y [pairs, HEAD]; keys,
 * values [pairs, length, HEAD], pair = (batch, head).  A work-group owns one pair.  A query that sees no key
 * gets 0. The visible keys are walked TILE at a time with a running maximum (online softmax): each lane
 * scores keys of the tile, then each lane adds up its own vectors of the output over the whole tile.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "mask.clh"
#include "reduce.clh"

#ifndef HEAD
#define HEAD 64 /* head size */
#endif
#ifndef TILE
#define TILE 256 /* keys between two corrections of the running maximum: a multiple of VEC */
#endif
#ifndef HAVE_TOKEN
#define HAVE_TOKEN 1 /* whether there is a new one */
#endif
#ifndef HAVE_POSITION
#define HAVE_POSITION 1 /* the query's place is position[0]; otherwise the last one */
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef Q_STORE
#define Q_STORE STORE_F32
#endif
#ifndef CACHE_STORE
#define CACHE_STORE STORE_F32
#endif
#ifndef POSITION_STORE
#define POSITION_STORE STORE_I32
#endif

#define VECTORS ((HEAD + VEC - 1) / VEC)     /* of a head, the last one perhaps partly filled */
#define OWN ((VECTORS + LANES - 1) / LANES)  /* of them, how many a lane adds up */

#if HAVE_TOKEN
#define TOKEN_ARGUMENTS TENSOR_IN(Q_STORE, key), TENSOR_IN(Q_STORE, value),
#else
#define TOKEN_ARGUMENTS
#endif
#if HAVE_POSITION
#define POSITION_ARGUMENT TENSOR_IN(POSITION_STORE, position),
#else
#define POSITION_ARGUMENT
#endif

/* Vector i of a cache row: whole, or filled up with zeros. */
static inline floatv row_vector(__global const ELEMENT(CACHE_STORE) *row, const int i)
{
#if HEAD % VEC != 0
    if ((i + 1) * VEC > HEAD) {
        float part[VEC];
        #pragma unroll
        for (int j = 0; j < VEC; ++j) part[j] = i * VEC + j < HEAD ? LOAD(CACHE_STORE, row, i * VEC + j) : 0.0f;
        return VLOAD_F32(part, 0);
    }
#endif
    return LOAD_VEC(CACHE_STORE, row, i * VEC);
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void attention_decode(TENSOR_OUT(Y_STORE, y), TENSOR_IN(Q_STORE, q), TOKEN_ARGUMENTS TENSOR_OUT(CACHE_STORE, keys),
                      TENSOR_OUT(CACHE_STORE, values), POSITION_ARGUMENT MASK_VALID(valid) const int heads,
                      MASK_ARGUMENTS, const float scale)
{
    REDUCE_DECLARE(scratch);
    __local float query[VECTORS * VEC], weight[TILE];
    __local int place[TILE];
    const int pair = (int)get_group_id(0), lane = (int)get_local_id(0);
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach,
                           block };
#if HAVE_POSITION
    const int place_of = position[position_offset], at = clamp(place_of, 0, length - 1);
#else
    const int place_of = length - 1, at = place_of;
#endif
    y += y_offset + (long)pair * HEAD;
    q += q_offset + (long)pair * HEAD;
    keys += keys_offset + (long)pair * length * HEAD;
    values += values_offset + (long)pair * length * HEAD;

    for (int d = lane; d < VECTORS * VEC; d += LANES) query[d] = d < HEAD ? LOAD(Q_STORE, q, d) * scale : 0.0f;
#if HAVE_TOKEN
    key += key_offset + (long)pair * HEAD;
    value += value_offset + (long)pair * HEAD;
    for (int d = lane; d < HEAD && place_of == at; d += LANES) {
        STORE(CACHE_STORE, LOAD(Q_STORE, key, d), keys, (long)at * HEAD + d);
        STORE(CACHE_STORE, LOAD(Q_STORE, value, d), values, (long)at * HEAD + d);
    }
#endif
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);

    float top = -INFINITY, total = 0.0f;
    floatv sum[OWN];
    for (int i = 0; i < OWN; ++i) sum[i] = (floatv)(0.0f);
    const int slots = mask_slots(m, at);
    for (int first = 0; first < slots; first += TILE) {
        const int many = min(TILE, slots - first);
        float tile_top = -INFINITY;
        for (int s = lane; s < many; s += LANES) {
            const int seen = mask_slot_key(m, at, first + s);
            float score = -INFINITY;
            if (seen >= 0) {
                floatv dot = (floatv)(0.0f);
                UNROLLED for (int i = 0; i < VECTORS; ++i)
                    dot = fma(VLOAD_F32(query, i * VEC), row_vector(keys + (long)seen * HEAD, i), dot);
                score = vector_sum(dot);
            }
            place[s] = seen;
            weight[s] = score;
            tile_top = fmax(tile_top, score);
        }
        /* Slot 0 of the first tile is a visible key unless the mask starts with empty ones: then -inf. */
        const float now = fmax(top, reduce_max(tile_top, scratch));
        const float shift = now == -INFINITY ? 0.0f : now;
        const float correct = exp(top - shift);
        const int filled = (many + VEC - 1) / VEC * VEC;
        for (int s = many + lane; s < filled; s += LANES) weight[s] = -INFINITY;
        barrier(CLK_LOCAL_MEM_FENCE);
        floatv part = (floatv)(0.0f);
        for (int s = lane * VEC; s < filled; s += LANES * VEC) {
            const floatv w = exp(VLOAD_F32(weight, s) - shift);
            VSTORE_F32(w, weight, s);
            part += w;
        }
        total = total * correct + reduce_sum(vector_sum(part), scratch);
        top = now;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = 0; i < OWN; ++i) sum[i] *= correct;
        for (int s = 0; s < many; ++s) {
            if (place[s] < 0) continue;
            const floatv w = (floatv)(weight[s]);
            UNROLLED for (int i = 0; i < OWN; ++i)
            {
                const int vector = lane + i * LANES;
                if (vector < VECTORS) sum[i] = fma(w, row_vector(values + (long)place[s] * HEAD, vector), sum[i]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (total == 0.0f) total = 1.0f; /* no key is seen */
    for (int i = 0; i < OWN; ++i) {
        const int vector = lane + i * LANES;
        if (vector >= VECTORS) break;
        float part[VEC];
        VSTORE_F32(sum[i] / total, part, 0);
        #pragma unroll
        for (int j = 0; j < VEC; ++j)
            if (vector * VEC + j < HEAD) STORE(Y_STORE, part[j], y, vector * VEC + j);
    }
}
