/* attention.cl -- y = softmax(scale q k^T, keys the mask hides left out) v, forward and backward, without ever
 * storing scores.  Only the logarithm of each query's sum is kept.
 *
 * attention_pack first copies an operand [B, T, H, HEAD] per pair (batch, head) into two float forms: rows
 * [T][HEAD_ROW], and panels [T / VEC][HEAD][VEC] in which VEC neighbours of the stream lie side by side.  Under
 * a column mask the image is packed in column-major order, so that what a query sees is always a few
 * ranges of neighbours.  A work-item then owns MR neighbours of one pair:
 *   attention_forward        queries; walks the panels of the keys they see, with a running maximum
 *   attention_backward_q     queries; dS = P (dP - delta), dq = scale dS k
 *   attention_backward_kv    keys; walks the queries that see them: dv = P^T dy, dk = dS^T (scale q)
 * with P = exp(scale q k^T - lse), dP = dy v^T, delta = dy . y.  Nothing is added up by two work-items.
 * Options: HEAD, MR, and the operands' storage types.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "mask.clh"
#include "math.clh"
#include "reduce.clh"
#include "turn.clh"

/* Left to the compiler to fuse: fma() is a call on drivers for CPUs without the instruction. */
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))

#ifndef HEAD
#define HEAD 64
#endif
#ifndef MR
#define MR 4 /* neighbours that a work-item owns */
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
#ifndef DQ_STORE
#define DQ_STORE STORE_F32
#endif
#ifndef DK_STORE
#define DK_STORE STORE_F32
#endif
#ifndef DV_STORE
#define DV_STORE STORE_F32
#endif

/* A work-item of a CPU keeps many weights in its cache before it turns to the values; a GPU's keeps
 * everything in registers, for which all loops over them are unrolled. */
#if LANES == 1
#define BLOCKS 8 /* of VEC keys between two corrections of the running maximum */
#define MANY_BLOCKS(block, end) min(BLOCKS, (end) - (block) + 1)
#define UNROLLED_ON_GPU
#define FEW_AT_ONCE
#else
#define BLOCKS 1
#define MANY_BLOCKS(block, end) 1
#define UNROLLED_ON_GPU UNROLLED
#define FEW_AT_ONCE _Pragma("unroll 4") /* all at once, AMD's compiler loads them all first, and spills */
#endif
#define VECTORS  ((HEAD + VEC - 1) / VEC)
#define HEAD_ROW (VECTORS * VEC)
#define PANEL    (HEAD_ROW * VEC)
#define CHUNK    (BLOCKS * VEC)
#define PADDED(length) (((length) + 15) / 16 * 16)

/* What every kernel is told of the stream and its mask; `ordered`: the image is packed by columns. */
#define STREAM_ARGUMENTS \
    const int pairs, const int heads, const int length, const int kind, const int text, const int side, \
        const int window, const int ordered
#define MASK_ARGUMENTS \
    const int length, const int kind, const int text, const int side, const int window, const int ordered
#define MASK_VALUES length, kind, text, side, window, ordered

/* The place in the stream of packed place p. */
static inline int stream_place(const int p, const int text, const int side, const int ordered)
{
    if (!ordered || p < text) return p;
    const int i = p - text;
    return text + i % side * side + i / side;
}

/* ---- What sees what, by packed places.  A mask either shows an unbroken range before the query (full, row,
 * ordered column), or a range with gaps (conv, column in raster order). ---- */

static inline bool has_gaps(const int kind, const int ordered)
{
    return kind == MASK_CONV || (kind == MASK_COLUMN && !ordered);
}

/* Nonzero where the mask's gaps lie; `distance` between image places, not negative where it matters. */
static inline intv in_gap(const intv distance, const int kind, const int side, const int window)
{
    if (kind == MASK_COLUMN) { /* floats: exact here, and no division one by one */
        const intv rows = CONVERT_INTV(floor((CONVERT_FLOATV(distance) + 0.5f) / (float)side));
        return distance != rows * side;
    }
    const int half_window = window / 2;
    intv near = (intv)(0);
    for (int row = 0; row <= half_window; ++row)
        near |= (distance - row * side <= half_window) & (distance - row * side >= -half_window);
    return near == 0;
}

/* The first image key of an image query, and the last query of a key, gaps aside. */
static inline int first_key(const int query, MASK_ARGUMENTS)
{
    if (kind == MASK_ROW) return max(text, query - window);
    if (kind == MASK_COLUMN && ordered) return max(text, text + (query - text) / side * side);
    return text;
}
static inline int last_query(const int key, MASK_ARGUMENTS)
{
    if (key < text) return length - 1;
    if (kind == MASK_ROW) return min(length - 1, key + window);
    if (kind == MASK_COLUMN && ordered) return text + (key - text) / side * side + side - 1;
    return length - 1;
}

/* How many ranges of keys (or of queries) a tile first .. last sees, and the r-th of them, in ascending
 * order.  Ranges may overlap or be empty. */
static inline int range_count(const int kind, const int window)
{
    return kind == MASK_CONV ? window / 2 + 2 : 2;
}
static inline int2 key_range(const int r, const int first, const int last, MASK_ARGUMENTS)
{
    if (r == 0) return (int2)(0, min(last, text - 1));
    if (kind != MASK_CONV) return (int2)(first_key(first, MASK_VALUES), last);
    const int half_window = window / 2, row = (half_window + 1 - r) * side;
    return (int2)(max(text, first - row - half_window), min(last, last - row + half_window));
}
static inline int2 query_range(const int r, const int first, const int last, MASK_ARGUMENTS)
{
    if (first < text || kind != MASK_CONV)
        return r == 0 ? (int2)(first, last_query(first < text ? first : last, MASK_VALUES)) : (int2)(0, -1);
    const int half_window = window / 2, row = r * side;
    return r > half_window ? (int2)(0, -1)
                           : (int2)(max(first, first + row - half_window),
                                    min(length - 1, last + row + half_window));
}

/* Nonzero where the key is hidden from the query: one query and VEC keys, one key and VEC queries. */
static inline intv hidden_keys(const int query, const intv keys, MASK_ARGUMENTS)
{
    intv hidden = keys > query;
    if (query >= text) {
        const intv image = keys >= text;
        hidden |= image & (keys < first_key(query, MASK_VALUES));
        if (has_gaps(kind, ordered)) hidden |= image & in_gap(query - keys, kind, side, window);
    }
    return hidden;
}
static inline intv hidden_queries(const int key, const intv queries, MASK_ARGUMENTS)
{
    intv hidden = (queries < key) | (queries > last_query(key, MASK_VALUES));
    if (key >= text && has_gaps(kind, ordered)) hidden |= in_gap(queries - key, kind, side, window);
    return hidden;
}

/* Whether all of a block of VEC places is seen from all of a tile. */
static inline bool whole_of_keys(const int block, const int first, const int last, MASK_ARGUMENTS)
{
    const int end = block * VEC + VEC - 1;
    if (end > first) return false;
    return end < text || (!has_gaps(kind, ordered) && block * VEC >= first_key(last, MASK_VALUES));
}
static inline bool whole_of_queries(const int block, const int first, const int last, MASK_ARGUMENTS)
{
    const int end = block * VEC + VEC - 1;
    if (block * VEC < last || end >= length) return false;
    return last < text || (!has_gaps(kind, ordered) && end <= last_query(max(first, text), MASK_VALUES));
}

static inline intv places(const int block)
{
    int place[VEC];
    UNROLLED for (int j = 0; j < VEC; ++j) place[j] = block * VEC + j;
#if VEC == 1
    return place[0];
#else
    return CONCAT(vload, VEC)(0, place);
#endif
}

/* ---- Pieces of the products ---- */

/* sum[i] = rows[i] . panel, for the MR rows of a tile and the VEC places of a panel. */
static inline void dot_panel(floatv sum[MR], __global const float *rows, __global const float *panel)
{
    UNROLLED for (int i = 0; i < MR; ++i) sum[i] = (floatv)(0.0f);
    FEW_AT_ONCE for (int d = 0; d < HEAD; ++d)
    {
        const floatv p = VLOAD_F32(panel, d * VEC);
        UNROLLED for (int i = 0; i < MR; ++i) sum[i] = MULTIPLY_ADD((floatv)(rows[i * HEAD_ROW + d]), p, sum[i]);
    }
}

/* total[i] = correct[i] total[i] + sum over `many` rows of weight[i] row */
static inline void add_rows(float total[MR * HEAD_ROW], const float correct[MR], const float weight[MR * CHUNK],
                            __global const float *rows, const int many)
{
    UNROLLED_ON_GPU for (int v = 0; v < VECTORS; ++v)
    {
        floatv sum[MR];
        UNROLLED for (int i = 0; i < MR; ++i) sum[i] = correct[i] * VLOAD_F32(total, i * HEAD_ROW + v * VEC);
        UNROLLED_ON_GPU for (int k = 0; k < many; ++k)
        {
            const floatv row = VLOAD_F32(rows, k * HEAD_ROW + v * VEC);
            UNROLLED for (int i = 0; i < MR; ++i) sum[i] = MULTIPLY_ADD((floatv)(weight[i * CHUNK + k]), row, sum[i]);
        }
        UNROLLED for (int i = 0; i < MR; ++i) VSTORE_F32(sum[i], total, i * HEAD_ROW + v * VEC);
    }
}

/* Puts `value` where block b of row i is hidden.  A loop, because few blocks need it and its code is long. */
#define HIDE(weight, value, hidden) \
    for (int i = 0; i < MR; ++i) \
        VSTORE_F32(select(VLOAD_F32(weight, i * CHUNK + b * VEC), (floatv)(value), hidden), weight, \
                   i * CHUNK + b * VEC)

#define CLEAR(array, count) UNROLLED_ON_GPU for (int z = 0; z < (count); ++z) (array)[z] = 0.0f

/* The tile's row i, times factor, to its place in a [B, T, H, HEAD] tensor. */
#define STORE_ROW(store, tensor, pair, place, total, i, factor) \
    do { \
        const long at = (((long)((pair) / heads) * length + (place)) * heads + (pair) % heads) * HEAD; \
        UNROLLED_ON_GPU for (int d = 0; d < HEAD; ++d) \
            STORE(store, (factor) * (total)[(i) * HEAD_ROW + d], tensor, at + d); \
    } while (0)

/* Work-item -> pair and tile; the tiles that see most come first. */
#define TILE_BEGIN \
    const int tiles = (length + MR - 1) / MR, item = (int)get_global_id(0); \
    if (item >= pairs * tiles) return; \
    const int pair = item / tiles, padded = PADDED(length); \
    const long slot = (long)pairs * padded * HEAD_ROW, own = (long)pair * padded * HEAD_ROW; \
    work += work_offset + own


/* ---- Packing ---- */

/* Rows to slot `row_slot` and panels to slot `panel_slot` of the scratch, where not negative; times factor. */
__kernel void attention_pack(TENSOR_OUT(STORE_F32, work), TENSOR_IN(X_STORE, x), STREAM_ARGUMENTS,
                             const int row_slot, const int panel_slot, const float factor)
{
    const int padded = PADDED(length), blocks = padded / VEC, item = (int)get_global_id(0);
    if (item >= pairs * blocks) return;
    const int pair = item / blocks, block = item % blocks;
    const long slot = (long)pairs * padded * HEAD_ROW, own = ((long)pair * blocks + block) * PANEL;
    __global float *rows = work + work_offset + row_slot * slot + own;
    __global float *panel = work + work_offset + panel_slot * slot + own;
    TENSOR_BEGIN(x);
    x += (long)(pair / heads) * length * heads * HEAD + pair % heads * HEAD;
    /* What is whole goes as vectors; the rest, and the zeros past the edge, one by one. */
#if VEC % 4 == 0 && HEAD % VEC == 0
    const bool whole = (block + 1) * VEC <= length;
#else
    const bool whole = false;
#endif
    const int step = heads * HEAD;
#if VEC % 4 == 0 && HEAD % VEC == 0
    for (int j = 0; j < VEC && whole; j += 4) {
        __global const ELEMENT(X_STORE) *from[4];
        UNROLLED for (int i = 0; i < 4; ++i)
            from[i] = x + (long)stream_place(block * VEC + j + i, text, side, ordered) * step;
        for (int d = 0; d < HEAD && row_slot >= 0; d += VEC) {
            UNROLLED for (int i = 0; i < 4; ++i)
                VSTORE_F32(factor * LOAD_VEC(X_STORE, from[i], d), rows, (j + i) * HEAD_ROW + d);
        }
        for (int d = 0; d < HEAD && panel_slot >= 0; d += 4)
            store_turned(panel + d * VEC + j, VEC, factor * LOAD4(X_STORE, from[0] + d),
                         factor * LOAD4(X_STORE, from[1] + d), factor * LOAD4(X_STORE, from[2] + d),
                         factor * LOAD4(X_STORE, from[3] + d));
    }
#endif
    for (int j = whole ? VEC : 0; j < VEC; ++j) {
        const int p = block * VEC + j;
        const long from = (long)stream_place(p, text, side, ordered) * step;
        for (int d = 0; d < HEAD_ROW; ++d) {
            float value = 0.0f;
            if (p < length && d < HEAD) value = factor * LOAD(X_STORE, x, from + d);
            if (row_slot >= 0) rows[j * HEAD_ROW + d] = value;
            if (panel_slot >= 0) panel[d * VEC + j] = value;
        }
    }
}

/* ---- Forward: slots are q rows (scaled), k panels, v rows ---- */

__kernel void attention_forward(TENSOR_OUT(Y_STORE, y), TENSOR_OUT(STORE_F32, lse), TENSOR_IN(STORE_F32, work),
                                STREAM_ARGUMENTS)
{
    TILE_BEGIN;
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(lse);
    const int tile = tiles - 1 - item % tiles, first = tile * MR, last = min(first + MR, length) - 1;
    __global const float *queries = work + (long)first * HEAD_ROW, *panels = work + slot, *values = work + 2 * slot;
    float total[MR * HEAD_ROW], weight[MR * CHUNK], top[MR], correct[MR];
    floatv sum[MR];
    CLEAR(total, MR * HEAD_ROW);
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        top[i] = -INFINITY;
        sum[i] = (floatv)(0.0f);
    }
    const int ranges = range_count(kind, window);
    for (int r = 0, next = 0; r < ranges; ++r) {
        const int2 range = key_range(r, first, last, MASK_VALUES);
        if (range.y < range.x) continue;
        const int end = range.y / VEC;
        for (int block = max(next, range.x / VEC); block <= end; block += BLOCKS) {
            const int many = MANY_BLOCKS(block, end);
            floatv most[MR];
            UNROLLED for (int i = 0; i < MR; ++i) most[i] = (floatv)(-INFINITY);
            UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
            {
                floatv score[MR];
                dot_panel(score, queries, panels + (long)(block + b) * PANEL);
                UNROLLED for (int i = 0; i < MR; ++i) VSTORE_F32(score[i], weight, i * CHUNK + b * VEC);
                if (!whole_of_keys(block + b, first, last, MASK_VALUES))
                    HIDE(weight, -INFINITY, hidden_keys(first + i, places(block + b), MASK_VALUES));
                UNROLLED for (int i = 0; i < MR; ++i)
                    most[i] = fmax(most[i], VLOAD_F32(weight, i * CHUNK + b * VEC));
            }
            UNROLLED for (int i = 0; i < MR; ++i)
            {
                const float now = fmax(top[i], vector_max(most[i])), shift = now == -INFINITY ? 0.0f : now;
                correct[i] = exp(top[i] - shift);
                top[i] = now;
                sum[i] *= correct[i];
                UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
                {
                    const floatv e = exp_below(VLOAD_F32(weight, i * CHUNK + b * VEC) - shift);
                    VSTORE_F32(e, weight, i * CHUNK + b * VEC);
                    sum[i] += e;
                }
            }
            add_rows(total, correct, weight, values + (long)block * VEC * HEAD_ROW, many * VEC);
        }
        next = max(next, end + 1);
    }
    for (int i = 0; i < MR; ++i) {
        if (first + i > last) break;
        const float all = vector_sum(sum[i]);
        lse[pair * padded + first + i] = top[i] + log(all);
        STORE_ROW(Y_STORE, y, pair, stream_place(first + i, text, side, ordered), total, i, 1.0f / all);
    }
}

/* ---- Backward: slots are rows and panels of q (scaled), k, v and dy, in this order ---- */

/* delta = dy . y, by packed place. */
__kernel void attention_delta(TENSOR_OUT(STORE_F32, delta), TENSOR_IN(DY_STORE, dy), TENSOR_IN(Y_STORE, y),
                              STREAM_ARGUMENTS)
{
    const int padded = PADDED(length), item = (int)get_global_id(0);
    if (item >= pairs * padded) return;
    const int pair = item / padded, p = item % padded, place = stream_place(p, text, side, ordered);
    const long from = (((long)(pair / heads) * length + place) * heads + pair % heads) * HEAD;
    TENSOR_BEGIN(delta);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(y);
    float sum = 0.0f;
    for (int d = 0; p < length && d < HEAD; ++d)
        sum = fma(LOAD(DY_STORE, dy, from + d), LOAD(Y_STORE, y, from + d), sum);
    delta[item] = sum;
}

__kernel void attention_backward_q(TENSOR_OUT(DQ_STORE, dq), TENSOR_IN(STORE_F32, work), TENSOR_IN(STORE_F32, lse),
                                   TENSOR_IN(STORE_F32, delta), STREAM_ARGUMENTS, const float scale)
{
    TILE_BEGIN;
    TENSOR_BEGIN(dq);
    const int tile = tiles - 1 - item % tiles, first = tile * MR, last = min(first + MR, length) - 1;
    lse += lse_offset + pair * padded + first;
    delta += delta_offset + pair * padded + first;
    __global const float *queries = work + (long)first * HEAD_ROW, *dys = queries + 6 * slot;
    __global const float *key_rows = work + 2 * slot, *keys = work + 3 * slot, *values = work + 5 * slot;
    float total[MR * HEAD_ROW], weight[MR * CHUNK], one[MR];
    CLEAR(total, MR * HEAD_ROW);
    UNROLLED for (int i = 0; i < MR; ++i) one[i] = 1.0f;
    const int ranges = range_count(kind, window);
    for (int r = 0, next = 0; r < ranges; ++r) {
        const int2 range = key_range(r, first, last, MASK_VALUES);
        if (range.y < range.x) continue;
        const int end = range.y / VEC;
        for (int block = max(next, range.x / VEC); block <= end; block += BLOCKS) {
            const int many = MANY_BLOCKS(block, end);
            UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
            {
                floatv score[MR], slope[MR];
                dot_panel(score, queries, keys + (long)(block + b) * PANEL);
                dot_panel(slope, dys, values + (long)(block + b) * PANEL);
                UNROLLED for (int i = 0; i < MR; ++i)
                {
                    const int at = min(first + i, last) - first; /* rows past the end have no lse */
                    const floatv ds = exp_below(score[i] - lse[at]) * (slope[i] - delta[at]);
                    VSTORE_F32(ds, weight, i * CHUNK + b * VEC);
                }
                if (!whole_of_keys(block + b, first, last, MASK_VALUES))
                    HIDE(weight, 0.0f, hidden_keys(first + i, places(block + b), MASK_VALUES));
            }
            add_rows(total, one, weight, key_rows + (long)block * VEC * HEAD_ROW, many * VEC);
        }
        next = max(next, end + 1);
    }
    for (int i = 0; i < MR; ++i) {
        if (first + i > last) break;
        STORE_ROW(DQ_STORE, dq, pair, stream_place(first + i, text, side, ordered), total, i, scale);
    }
}

__kernel void attention_backward_kv(TENSOR_OUT(DK_STORE, dk), TENSOR_OUT(DV_STORE, dv), TENSOR_IN(STORE_F32, work),
                                    TENSOR_IN(STORE_F32, lse), TENSOR_IN(STORE_F32, delta), STREAM_ARGUMENTS)
{
    TILE_BEGIN;
    TENSOR_BEGIN(dk);
    TENSOR_BEGIN(dv);
    const int first = item % tiles * MR, last = min(first + MR, length) - 1;
    lse += lse_offset + pair * padded;
    delta += delta_offset + pair * padded;
    __global const float *query_rows = work, *queries = work + slot, *dy_rows = work + 6 * slot, *dys = work + 7 * slot;
    __global const float *keys = work + 2 * slot + (long)first * HEAD_ROW, *values = keys + 2 * slot;
    float total_k[MR * HEAD_ROW], total_v[MR * HEAD_ROW], weight[MR * CHUNK], slopes[MR * CHUNK], one[MR];
    CLEAR(total_k, MR * HEAD_ROW);
    CLEAR(total_v, MR * HEAD_ROW);
    UNROLLED for (int i = 0; i < MR; ++i) one[i] = 1.0f;
    const int ranges = range_count(kind, window);
    for (int r = 0, next = 0; r < ranges; ++r) {
        const int2 range = query_range(r, first, last, MASK_VALUES);
        if (range.y < range.x) continue;
        const int end = range.y / VEC;
        for (int block = max(next, range.x / VEC); block <= end; block += BLOCKS) {
            const int many = MANY_BLOCKS(block, end);
            UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
            {
                floatv score[MR], slope[MR];
                dot_panel(score, keys, queries + (long)(block + b) * PANEL);
                dot_panel(slope, values, dys + (long)(block + b) * PANEL);
                const floatv logs = VLOAD_F32(lse, (block + b) * VEC), deltas = VLOAD_F32(delta, (block + b) * VEC);
                UNROLLED for (int i = 0; i < MR; ++i)
                {
                    const floatv p = exp_below(score[i] - logs);
                    VSTORE_F32(p, weight, i * CHUNK + b * VEC);
                    VSTORE_F32(p * (slope[i] - deltas), slopes, i * CHUNK + b * VEC);
                }
                if (!whole_of_queries(block + b, first, last, MASK_VALUES)) {
                    HIDE(weight, 0.0f, hidden_queries(first + i, places(block + b), MASK_VALUES));
                    HIDE(slopes, 0.0f, hidden_queries(first + i, places(block + b), MASK_VALUES));
                }
            }
            add_rows(total_v, one, weight, dy_rows + (long)block * VEC * HEAD_ROW, many * VEC);
            add_rows(total_k, one, slopes, query_rows + (long)block * VEC * HEAD_ROW, many * VEC);
        }
        next = max(next, end + 1);
    }
    for (int i = 0; i < MR; ++i) {
        if (first + i > last) break;
        const int place = stream_place(first + i, text, side, ordered);
        STORE_ROW(DK_STORE, dk, pair, place, total_k, i, 1.0f);
        STORE_ROW(DV_STORE, dv, pair, place, total_v, i, 1.0f);
    }
}
