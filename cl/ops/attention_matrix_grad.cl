/* attention_matrix_grad.cl -- attention.cl's backward pass by matrix units, from operands of 16 bits as they stand.
 * A group owns UNITS * MATRIX_ROWS neighbours of one pair, and walks blocks of WALKED of the other kind:
 *   attention_matrix_backward_q    queries; dq = scale dS k
 *   attention_matrix_backward_kv   keys; dv = P^T dy and dk = scale dS^T q, of which each is a team's
 * with P = exp(scale q k^T - lse) and dS = P (dy v^T - delta), which lie in the same lanes and are made there.
 * They go through local memory in 16 bits, as the next products' operands; all sums are of floats, in one
 * order.  In half, a dS beyond 65504 is infinite, and so is then the gradient, as for dy itself: whoever
 * scales the loss sees it.  Places are packed as in attention.cl.
 * Options: HEAD, a multiple of 16; UNITS; X_STORE of all but lse and delta; HAVE_VALID; and matrix.clh's.
 * SPDX-License-Identifier: MIT */
#undef VEC
#define VEC 1 /* a lane looks at one key at a time */
#include "attention_matrix.clh"

#ifndef UNITS
#define UNITS 2
#endif
#define OWNED (UNITS * MATRIX_ROWS)
#define ITEMS_Q (UNITS * MATRIX_LANES)

/* With the totals of dk and dv both, a unit would spill. */
#define TEAMS 2
#define ITEMS_KV (TEAMS * ITEMS_Q)

/* In subgroups of 8, Intel's registers don't hold own rows beside the totals: these stay in local memory, of
 * which 32 KiB are then enough for so few walked. */
#define OWN_STAYS (MATRIX == 4)
#define WALKED (OWN_STAYS ? 16 : 32)
#define WALK_STRIDE MATRIX_STRIDE(WALKED)
#define BLOCKS_WALKED (WALKED / MATRIX_COLUMNS)

/* The tiles of a step: rows that scores and slopes are made of, and then columns. */
#define ROW_TILE (WALKED * HEAD_STRIDE)
#define COLUMN_TILE (HEAD * WALK_STRIDE)
#define OWN_TILE (OWNED * HEAD_STRIDE)

/* Own rows pass through the step's tiles before the first step. */
#if OWN_STAYS
#define OWN_DECLARE __local ushort own[2 * OWN_TILE] __attribute__((aligned(16)));
#define OWN_LOAD(which, x, s, items) load_rows(own + (which) * OWN_TILE, x, s, first, OWNED, items);
#define OWN(which, c) \
    matrix_load_a(own + (which) * OWN_TILE + strip * MATRIX_ROWS * HEAD_STRIDE + (c) * MATRIX_DEPTH, HEAD_STRIDE, lane)
#else
#define OWN_DECLARE matrix_a own[2][HEAD / MATRIX_DEPTH];
#define OWN_LOAD(which, x, s, items) \
    barrier(CLK_LOCAL_MEM_FENCE); \
    load_rows(room, x, s, first, OWNED, items); \
    barrier(CLK_LOCAL_MEM_FENCE); \
    MATRIX_UNROLLED for (int c = 0; c < HEAD / MATRIX_DEPTH; ++c) own[which][c] = \
        matrix_load_a(room + strip * MATRIX_ROWS * HEAD_STRIDE + c * MATRIX_DEPTH, HEAD_STRIDE, lane);
#define OWN(which, c) own[which][c]
#endif

/* One by one, for Intel's compiler (attention_matrix.cl).  Scores are products of the first operands' rows,
 * slopes of the second ones'; totals are one total a block of columns. */
#define TOTALS (HEAD / MATRIX_COLUMNS) /* at most 8 */
#define EACH_DEPTH(DO) DO(0) DO(1) DO(2) DO(3)
#define EACH_TOTAL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define ADD_ROWS(c) \
    if ((c) < HEAD / MATRIX_DEPTH) { \
        __local const ushort *const rows = room + n * MATRIX_COLUMNS * HEAD_STRIDE + (c) * MATRIX_DEPTH; \
        const matrix_b b = matrix_load_b(rows, HEAD_STRIDE, lane); \
        matrix_multiply(&score, OWN(0, c), b MATRIX_SCRATCH_ARGUMENT); \
        const matrix_b other = matrix_load_b(rows + ROW_TILE, HEAD_STRIDE, lane); \
        matrix_multiply(&slope, OWN(1, c), other MATRIX_SCRATCH_ARGUMENT); \
    }
#define CLEAR_TOTAL(n) \
    if ((n) < TOTALS) total[(n) % TOTALS].all = 0.0f;
#define ADD_COLUMNS(n) \
    if ((n) < TOTALS) { \
        ADD_COLUMN(n, 0) \
        if (WALKED > MATRIX_DEPTH) ADD_COLUMN(n, WALKED / MATRIX_DEPTH - 1) \
    }
#define ADD_COLUMN(n, c) \
    { \
        const matrix_b b = \
            matrix_load_b(columns + (n) * MATRIX_COLUMNS * WALK_STRIDE + (c) * MATRIX_DEPTH, WALK_STRIDE, lane); \
        matrix_multiply(&total[(n) % TOTALS], part[c], b MATRIX_SCRATCH_ARGUMENT); \
    }
#define LOAD_PARTS(tile) \
    MATRIX_UNROLLED for (int c = 0; c < WALKED / MATRIX_DEPTH; ++c) \
        part[c] = matrix_load_a((tile) + strip * MATRIX_ROWS * WALK_STRIDE + c * MATRIX_DEPTH, WALK_STRIDE, lane);

/* lse and delta of `many` queries from packed place `first` on; past the end, the last one's. */
MATRIX_INLINE void load_logs(__local float *logs, __local float *deltas, __global const float *lse,
                             __global const float *delta, const int first, const int many, const int queries,
                             const int items)
{
    for (int i = (int)get_local_id(0); i < many; i += items) {
        const int place = min(first + i, queries - 1);
        logs[i] = lse[place];
        deltas[i] = delta[place];
    }
}

/* A unit's totals, times factor, to the rows of y that it owns. */
MATRIX_INLINE void store_totals(__global ELEMENT(X_STORE) *y, const matrix_sums *total, const float factor,
                                const stream s, const int first, const int lane)
{
    MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
        const int place = first + matrix_row(lane, i);
        if (place >= s.length) continue;
        __global ELEMENT(X_STORE) *to = y + (long)stream_place(place, s.text, s.block) * s.step;
        MATRIX_UNROLLED for (int n = 0; n < TOTALS; ++n)
            STORE(X_STORE, factor * total[n].at[i], to, n * MATRIX_COLUMNS + matrix_column(lane, i));
    }
}

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(ITEMS_Q, 1, 1))) void
attention_matrix_backward_q(TENSOR_OUT(X_STORE, dq), TENSOR_IN(X_STORE, q), TENSOR_IN(X_STORE, k),
                            TENSOR_IN(X_STORE, v), TENSOR_IN(X_STORE, dy), TENSOR_IN(STORE_F32, lse),
                            TENSOR_IN(STORE_F32, delta), MASK_VALID(valid) const int pairs, const int heads,
                            const int queries, MASK_ARGUMENTS, const float scale)
{
    __local ushort room[2 * ROW_TILE + COLUMN_TILE] __attribute__((aligned(16)));
    __local ushort slopes[OWNED * WALK_STRIDE] __attribute__((aligned(16)));
    __local float logs[OWNED], deltas[OWNED];
    OWN_DECLARE
    MATRIX_SCRATCH_DECLARE(UNITS);
    __local const ushort *const columns = room + 2 * ROW_TILE;
    const int tiles = (queries + OWNED - 1) / OWNED, group = (int)get_group_id(0);
    /* Those that see most come first. */
    const int pair = group / tiles, first = (tiles - 1 - group % tiles) * OWNED;
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach, block };
    const int last = min(first + OWNED, queries) - 1, shift = query_begin(m, queries);
    const int2 common = mask_common_keys(m, first + shift, last + shift);
    const int strip = (int)get_local_id(0) / MATRIX_LANES, lane = (int)get_local_id(0) % MATRIX_LANES;
    const stream of_queries = { queries, text, block, heads * HEAD, q_offset % 8 == 0 && dy_offset % 8 == 0 };
    const stream of_keys = { length, text, block, heads * HEAD, k_offset % 8 == 0 && v_offset % 8 == 0 };
    const long query_rows = row_begin(pair, heads, queries, 0), key_rows = row_begin(pair, heads, length, 0);
    __global const ushort *from_k = (__global const ushort *)k + k_offset + key_rows;
    __global const ushort *from_v = (__global const ushort *)v + v_offset + key_rows;

    matrix_sums total[TOTALS];
    EACH_TOTAL(CLEAR_TOTAL)
    OWN_LOAD(0, (__global const ushort *)q + q_offset + query_rows, of_queries, ITEMS_Q)
    OWN_LOAD(1, (__global const ushort *)dy + dy_offset + query_rows, of_queries, ITEMS_Q)
    load_logs(logs, deltas, lse + lse_offset + pair * PADDED(queries), delta + delta_offset + pair * PADDED(queries),
              first, OWNED, queries, ITEMS_Q);
    for (int r = 0, next = 0; r <= m.bands; ++r) {
        const int2 range = mask_key_range(m, r, first + shift, last + shift);
        if (range.y < range.x) continue;
        const int end = range.y / WALKED;
        for (int at = max(next, range.x / WALKED); at <= end; ++at) {
            const int from = at * WALKED, to = from + WALKED - 1;
            barrier(CLK_LOCAL_MEM_FENCE);
            load_turned(room, room + 2 * ROW_TILE, WALK_STRIDE, from_k, of_keys, from, WALKED, ITEMS_Q);
            load_rows(room + ROW_TILE, from_v, of_keys, from, WALKED, ITEMS_Q);
            barrier(CLK_LOCAL_MEM_FENCE);
            const bool whole = to <= common.y && (to < m.valid || from >= common.x);
            MATRIX_UNROLLED for (int n = 0; n < BLOCKS_WALKED; ++n) {
                matrix_sums score, slope;
                score.all = 0.0f;
                slope.all = 0.0f;
                EACH_DEPTH(ADD_ROWS)
                uint hidden = 0;
                for (int i = 0; i < MATRIX_SUMS && !whole; ++i) {
                    const int query = first + strip * MATRIX_ROWS + matrix_row(lane, i) + shift;
                    const int key = from + n * MATRIX_COLUMNS + matrix_column(lane, i);
                    hidden |= (uint)(mask_hidden_keys(m, query, key) != 0) << i;
                }
                MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
                    const int row = strip * MATRIX_ROWS + matrix_row(lane, i);
                    const float weight = exp_below_one(scale * score.at[i] - logs[row]);
                    slopes[row * WALK_STRIDE + n * MATRIX_COLUMNS + matrix_column(lane, i)] =
                        hidden >> i & 1 ? (ushort)0 : operand_bits(weight * (slope.at[i] - deltas[row]));
                }
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            matrix_a part[WALKED / MATRIX_DEPTH];
            LOAD_PARTS(slopes)
            EACH_TOTAL(ADD_COLUMNS)
        }
        next = max(next, end + 1);
    }
    store_totals(dq + dq_offset + query_rows, total, scale, of_queries, first + strip * MATRIX_ROWS, lane);
}

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(ITEMS_KV, 1, 1))) void
attention_matrix_backward_kv(TENSOR_OUT(X_STORE, dk), TENSOR_OUT(X_STORE, dv), TENSOR_IN(X_STORE, q),
                             TENSOR_IN(X_STORE, k), TENSOR_IN(X_STORE, v), TENSOR_IN(X_STORE, dy),
                             TENSOR_IN(STORE_F32, lse), TENSOR_IN(STORE_F32, delta), MASK_VALID(valid)
                             const int pairs, const int heads, const int queries, MASK_ARGUMENTS, const float scale)
{
    __local ushort room[2 * (ROW_TILE + COLUMN_TILE)] __attribute__((aligned(16)));
    __local ushort made[2 * OWNED * WALK_STRIDE] __attribute__((aligned(16))); /* slopes, and then weights */
    __local float logs[WALKED], deltas[WALKED];
    OWN_DECLARE
    MATRIX_SCRATCH_DECLARE(TEAMS * UNITS);
    const int tiles = (length + OWNED - 1) / OWNED, group = (int)get_group_id(0);
    const int pair = group / tiles, first = group % tiles * OWNED, last = min(first + OWNED, length) - 1;
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach, block };
    const int shift = query_begin(m, queries), final = queries - 1 + shift;
    const int2 common = mask_common_queries(m, first, last, final);
    const int unit = (int)get_local_id(0) / MATRIX_LANES, lane = (int)get_local_id(0) % MATRIX_LANES;
    const int strip = unit % UNITS, team = unit / UNITS;
    const stream of_queries = { queries, text, block, heads * HEAD, q_offset % 8 == 0 && dy_offset % 8 == 0 };
    const stream of_keys = { length, text, block, heads * HEAD, k_offset % 8 == 0 && v_offset % 8 == 0 };
    const long query_rows = row_begin(pair, heads, queries, 0), key_rows = row_begin(pair, heads, length, 0);
    __global const ushort *from_q = (__global const ushort *)q + q_offset + query_rows;
    __global const ushort *from_dy = (__global const ushort *)dy + dy_offset + query_rows;
    __local ushort *const turned = room + 2 * ROW_TILE;
    __local const ushort *const columns = turned + team * COLUMN_TILE;

    matrix_sums total[TOTALS];
    EACH_TOTAL(CLEAR_TOTAL)
    OWN_LOAD(0, (__global const ushort *)k + k_offset + key_rows, of_keys, ITEMS_KV)
    OWN_LOAD(1, (__global const ushort *)v + v_offset + key_rows, of_keys, ITEMS_KV)
    for (int r = 0, next = 0; r < m.bands; ++r) {
        const int2 range = mask_query_range(m, r, first, last, shift, final);
        if (range.y < range.x) continue;
        const int end = (range.y - shift) / WALKED;
        for (int at = max(next, (range.x - shift) / WALKED); at <= end; ++at) {
            const int from = at * WALKED;
            barrier(CLK_LOCAL_MEM_FENCE);
            load_turned(room, turned, WALK_STRIDE, from_q, of_queries, from, WALKED, ITEMS_KV);
            load_turned(room + ROW_TILE, turned + COLUMN_TILE, WALK_STRIDE, from_dy, of_queries, from, WALKED, ITEMS_KV);
            load_logs(logs, deltas, lse + lse_offset + pair * PADDED(queries),
                      delta + delta_offset + pair * PADDED(queries), from, WALKED, queries, ITEMS_KV);
            barrier(CLK_LOCAL_MEM_FENCE);
            const bool whole = from + shift >= common.x && from + WALKED - 1 + shift <= common.y;
            MATRIX_UNROLLED for (int j = 0; j < BLOCKS_WALKED / TEAMS; ++j) {
                const int n = team * (BLOCKS_WALKED / TEAMS) + j;
                matrix_sums score, slope;
                score.all = 0.0f;
                slope.all = 0.0f;
                EACH_DEPTH(ADD_ROWS)
                uint hidden = 0;
                for (int i = 0; i < MATRIX_SUMS && !whole; ++i) {
                    const int key = first + strip * MATRIX_ROWS + matrix_row(lane, i);
                    const int query = from + n * MATRIX_COLUMNS + matrix_column(lane, i) + shift;
                    hidden |= (uint)(mask_hidden_queries(m, key, query, final) != 0) << i;
                }
                MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
                    const int column = n * MATRIX_COLUMNS + matrix_column(lane, i);
                    __local ushort *to = made + (strip * MATRIX_ROWS + matrix_row(lane, i)) * WALK_STRIDE + column;
                    const float weight = exp_below_one(scale * score.at[i] - logs[column]);
                    const bool none = hidden >> i & 1;
                    to[0] = none ? (ushort)0 : operand_bits(weight * (slope.at[i] - deltas[column]));
                    to[OWNED * WALK_STRIDE] = none ? (ushort)0 : operand_bits(weight);
                }
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            matrix_a part[WALKED / MATRIX_DEPTH];
            LOAD_PARTS(made + team * OWNED * WALK_STRIDE)
            EACH_TOTAL(ADD_COLUMNS)
        }
        next = max(next, end + 1);
    }
    __global ELEMENT(X_STORE) *to = team ? dv + dv_offset : dk + dk_offset;
    store_totals(to + key_rows, total, team ? 1.0f : scale, of_keys, first + strip * MATRIX_ROWS, lane);
}
