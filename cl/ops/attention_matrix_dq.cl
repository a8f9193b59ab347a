/* attention_matrix_dq.cl -- attention's gradient of q by matrix units: dq = scale dS k, of what
 * attention_matrix_grad.clh makes.  A group owns queries, and walks the keys that some of them see.
 * SPDX-License-Identifier: MIT */
#define ITEMS (UNITS * MATRIX_LANES)
#define OWN_OPERANDS 2 /* q and dy */
/* Intel's registers don't hold own rows beside the totals. */
#define OWN_STAYS (MATRIX == 4)
#include "attention_matrix_grad.clh"

#define ADD_BOTH(c) ADD_ROWS(score, 0, c) ADD_ROWS(slope, 1, c)

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
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
    __local ushort *const turned = room + 2 * ROW_TILE;
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
    OWN_LOAD(0, true, (__global const ushort *)q + q_offset + query_rows, of_queries)
    OWN_LOAD(1, true, (__global const ushort *)dy + dy_offset + query_rows, of_queries)
    load_logs(logs, deltas, lse + lse_offset + pair * PADDED(queries), delta + delta_offset + pair * PADDED(queries),
              first, OWNED, queries);
    for (int r = 0, next = 0; r <= m.bands; ++r) {
        const int2 range = mask_key_range(m, r, first + shift, last + shift);
        if (range.y < range.x) continue;
        const int end = range.y / WALKED;
        for (int at = max(next, range.x / WALKED); at <= end; ++at) {
            const int from = at * WALKED, to = from + WALKED - 1;
            barrier(CLK_LOCAL_MEM_FENCE);
            load_turned(room, turned, WALK_STRIDE, from_k, of_keys, from, WALKED, ITEMS);
            load_rows(room + ROW_TILE, from_v, of_keys, from, WALKED, ITEMS);
            barrier(CLK_LOCAL_MEM_FENCE);
            const bool whole = to <= common.y && (to < m.valid || from >= common.x);
            MATRIX_UNROLLED for (int n = 0; n < BLOCKS_WALKED; ++n) {
                matrix_sums score, slope;
                score.all = 0.0f;
                slope.all = 0.0f;
                EACH_DEPTH(ADD_BOTH)
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
            ADD_TOTALS(slopes)
        }
        next = max(next, end + 1);
    }
    store_totals(dq + dq_offset + query_rows, total, scale, of_queries, first + strip * MATRIX_ROWS, lane);
}
