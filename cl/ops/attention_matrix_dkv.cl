/* attention_matrix_dkv.cl -- attention's gradients of k and v by matrix units: dk = scale dS^T q, dv = P^T dy
 * (attention_matrix_grad.clh).  A group owns keys, and walks the queries that see some of them.  Its units
 * are two teams: the one has k and makes the weights P and dv, the other has v and makes dS, out of the first
 * one's weights in 16 bits, and dk.  Rows and totals of both would be too many for a unit's registers.
 * SPDX-License-Identifier: MIT */
#define TEAMS 2
#define ITEMS (TEAMS * UNITS * MATRIX_LANES)
#define OWN_OPERANDS 1
#define OWN_STAYS (MATRIX == 4) /* Intel's registers don't hold own rows beside the totals */
#include "attention_matrix_grad.clh"

/* Block j of the unit's products: of k and q, or of v and dy. */
#define MULTIPLY(j) \
    if ((j) < BLOCKS_WALKED) { \
        const int n = (j) % BLOCKS_WALKED; \
        product[n].all = 0.0f; \
        EACH_DEPTH(MULTIPLY_PART) \
    }
#define MULTIPLY_PART(c) ADD_ROWS(product[n], team, c)

/* Where sum i of block n is in a tile of the unit's rows. */
#define PLACE(n, i) (matrix_row(lane, i) * WALK_STRIDE + (n) * MATRIX_COLUMNS + matrix_column(lane, i))

/* A bit for each of the unit's weights, of keys from `first` and queries from `from` on: it is hidden. */
MATRIX_INLINE uint hidden_queries(const mask_bands m, const int first, const int from, const int final, const int lane)
{
    uint hidden = 0;
    for (int e = 0; e < BLOCKS_WALKED * MATRIX_SUMS; ++e) {
        const int key = first + matrix_row(lane, e % MATRIX_SUMS);
        const int query = from + e / MATRIX_SUMS * MATRIX_COLUMNS + matrix_column(lane, e % MATRIX_SUMS);
        hidden |= (uint)(mask_hidden_queries(m, key, query, final) != 0) << e;
    }
    return hidden;
}

MATRIX_INLINE void put_weights(__local ushort *weights, const matrix_sums *score, __local const float *logs, const int n,
                               const uint hidden, const float scale, const int lane)
{
    MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
        const float log = logs[n * MATRIX_COLUMNS + matrix_column(lane, i)];
        const ushort bits = operand_bits(exp_below_one(scale * score->at[i] - log));
        weights[PLACE(n, i)] = hidden >> (n * MATRIX_SUMS + i) & 1 ? (ushort)0 : bits;
    }
}
#define PUT_WEIGHTS(j) \
    if ((j) < BLOCKS_WALKED) \
        put_weights(weights + own_place, &product[(j) % BLOCKS_WALKED], logs, j, hidden, scale, lane);

MATRIX_INLINE void put_slopes(__local ushort *slopes, __local const ushort *weights, const matrix_sums *slope,
                              __local const float *deltas, const int n, const int lane)
{
    MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
        const float delta = deltas[n * MATRIX_COLUMNS + matrix_column(lane, i)];
        slopes[PLACE(n, i)] = operand_bits(operand_value(weights[PLACE(n, i)]) * (slope->at[i] - delta));
    }
}
#define PUT_SLOPES(j) \
    if ((j) < BLOCKS_WALKED) \
        put_slopes(slopes + own_place, weights + own_place, &product[(j) % BLOCKS_WALKED], deltas, j, lane);

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
attention_matrix_backward_kv(TENSOR_OUT(X_STORE, dk), TENSOR_OUT(X_STORE, dv), TENSOR_IN(X_STORE, q),
                             TENSOR_IN(X_STORE, k), TENSOR_IN(X_STORE, v), TENSOR_IN(X_STORE, dy),
                             TENSOR_IN(STORE_F32, lse), TENSOR_IN(STORE_F32, delta), MASK_VALID(valid)
                             const int pairs, const int heads, const int queries, MASK_ARGUMENTS, const float scale)
{
    __local ushort room[2 * (ROW_TILE + COLUMN_TILE)] __attribute__((aligned(16)));
    __local ushort weights[OWNED * WALK_STRIDE] __attribute__((aligned(16)));
    __local ushort slopes[OWNED * WALK_STRIDE] __attribute__((aligned(16)));
    __local float logs[WALKED], deltas[WALKED];
    OWN_DECLARE
    MATRIX_SCRATCH_DECLARE(TEAMS * UNITS);
    const int tiles = (length + OWNED - 1) / OWNED, group = (int)get_group_id(0);
    const int pair = group / tiles, first = group % tiles * OWNED, last = min(first + OWNED, length) - 1;
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach, block };
    const int shift = query_begin(m, queries), final = queries - 1 + shift;
    const int2 common = mask_common_queries(m, first, last, final);
    const int unit = (int)get_local_id(0) / MATRIX_LANES, lane = (int)get_local_id(0) % MATRIX_LANES;
    const int strip = unit % UNITS, team = unit / UNITS, own_place = strip * MATRIX_ROWS * WALK_STRIDE;
    const stream of_queries = { queries, text, block, heads * HEAD, q_offset % 8 == 0 && dy_offset % 8 == 0 };
    const stream of_keys = { length, text, block, heads * HEAD, k_offset % 8 == 0 && v_offset % 8 == 0 };
    const long query_rows = row_begin(pair, heads, queries, 0), key_rows = row_begin(pair, heads, length, 0);
    __global const ushort *from_q = (__global const ushort *)q + q_offset + query_rows;
    __global const ushort *from_dy = (__global const ushort *)dy + dy_offset + query_rows;
    __local ushort *const turned_q = room + 2 * ROW_TILE, *const turned_dy = turned_q + COLUMN_TILE;
    __local const ushort *const turned = team ? turned_q : turned_dy;

    matrix_sums total[TOTALS];
    EACH_TOTAL(CLEAR_TOTAL)
    OWN_LOAD(0, team == 0, (__global const ushort *)k + k_offset + key_rows, of_keys)
    OWN_LOAD(1, team == 1, (__global const ushort *)v + v_offset + key_rows, of_keys)
    for (int r = 0, next = 0; r < m.bands; ++r) {
        const int2 range = mask_query_range(m, r, first, last, shift, final);
        if (range.y < range.x) continue;
        const int end = (range.y - shift) / WALKED;
        for (int at = max(next, (range.x - shift) / WALKED); at <= end; ++at) {
            const int from = at * WALKED;
            barrier(CLK_LOCAL_MEM_FENCE);
            load_turned(room, turned_q, WALK_STRIDE, from_q, of_queries, from, WALKED, ITEMS);
            load_turned(room + ROW_TILE, turned_dy, WALK_STRIDE, from_dy, of_queries, from, WALKED, ITEMS);
            load_logs(logs, deltas, lse + lse_offset + pair * PADDED(queries),
                      delta + delta_offset + pair * PADDED(queries), from, WALKED, queries);
            barrier(CLK_LOCAL_MEM_FENCE);
            const bool whole = from + shift >= common.x && from + WALKED - 1 + shift <= common.y;
            matrix_sums product[BLOCKS_WALKED];
            EACH_BLOCK(MULTIPLY)
            if (team == 0) {
                const int key = first + strip * MATRIX_ROWS;
                const uint hidden = whole ? 0 : hidden_queries(m, key, from + shift, final, lane);
                EACH_BLOCK(PUT_WEIGHTS)
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            if (team == 1) {
                EACH_BLOCK(PUT_SLOPES)
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            ADD_TOTALS(team ? slopes : weights)
        }
        next = max(next, end + 1);
    }
    __global ELEMENT(X_STORE) *to = team ? dk + dk_offset : dv + dv_offset;
    store_totals(to + key_rows, total, team ? scale : 1.0f, of_keys, first + strip * MATRIX_ROWS, lane);
}
