/* attention_matrix.cl -- attention.cl's forward pass by matrix units, from operands of 16 bits as they stand.
 * A group owns UNITS * MATRIX_ROWS neighbours of one pair's queries, and walks blocks of KEYS keys that some
 * of them see, which lie in local memory as rows of k and columns of v.  A unit, for its MATRIX_ROWS queries:
 *   scores = q k^T, left in local memory
 *   weights = exp(scale scores - greatest so far), in 16 bits for the next product; their sum is of floats
 *   total = (what the greatest has grown by) total + weights v
 * Places are packed as in attention.cl.  What lanes give each other passes through local memory, for neither
 * subgroups nor the places of a fragment's elements are the same on all units.
 * Options: HEAD, a multiple of 16; UNITS; X_STORE of q, k and v; HAVE_VALID; and matrix.clh's.
 * SPDX-License-Identifier: MIT */
#undef VEC
#define VEC 1 /* a lane looks at one key at a time */
#include "attention_matrix.clh"

#ifndef UNITS
#define UNITS 2
#endif
#define ITEMS (UNITS * MATRIX_LANES)
#define QUERIES (UNITS * MATRIX_ROWS)
#define KEYS 32
#define LANES_OF_QUERY (MATRIX_LANES / MATRIX_ROWS)
#define KEYS_OF_LANE (KEYS / LANES_OF_QUERY)
#define KEY_STRIDE MATRIX_STRIDE(KEYS)
#define SCORE_STRIDE (KEYS + 1)

/* Queries are in their fragments before the first values come, and leave them their room; but Intel's
 * registers don't hold them beside the totals. */
#define QUERIES_STAY (MATRIX >= 4)
#if QUERIES_STAY
#define ROOM (HEAD * KEY_STRIDE + QUERIES * HEAD_STRIDE)
#define OF_QUERIES (HEAD * KEY_STRIDE)
#elif QUERIES * HEAD_STRIDE > HEAD * KEY_STRIDE
#define ROOM (QUERIES * HEAD_STRIDE)
#define OF_QUERIES 0
#else
#define ROOM (HEAD * KEY_STRIDE)
#define OF_QUERIES 0
#endif

/* One by one: Intel's compiler leaves loops over these as they are.  Totals would then stay in memory; and of
 * the loop over a score's parts, with the score in memory, version 22.43 keeps the last part alone. */
#define TOTALS (HEAD / MATRIX_COLUMNS) /* at most 8 */
#define ADD_KEYS(c) \
    if ((c) < HEAD / MATRIX_DEPTH) { \
        const matrix_b b = \
            matrix_load_b(keys + n * MATRIX_COLUMNS * HEAD_STRIDE + (c) * MATRIX_DEPTH, HEAD_STRIDE, lane); \
        matrix_multiply(&score, QUERY(c), b MATRIX_SCRATCH_ARGUMENT); \
    }
#define EACH_TOTAL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define CLEAR_TOTAL(n) \
    if ((n) < TOTALS) total[(n) % TOTALS].all = 0.0f;
#define ADD_VALUES(n) \
    if ((n) < TOTALS) { \
        total[(n) % TOTALS].all *= factor.all; \
        ADD_VALUE(n, 0) \
        ADD_VALUE(n, 1) \
    }
#define ADD_VALUE(n, c) \
    { \
        const matrix_b b = \
            matrix_load_b(room + (n) * MATRIX_COLUMNS * KEY_STRIDE + (c) * MATRIX_DEPTH, KEY_STRIDE, lane); \
        matrix_multiply(&total[(n) % TOTALS], weight[c], b MATRIX_SCRATCH_ARGUMENT); \
    }

/* tile[d][key] of KEYS rows: neighbours write neighbours. */
MATRIX_INLINE void load_columns(__local ushort *tile, __global const ushort *x, const stream s, const int first)
{
    for (int i = (int)get_local_id(0); i < KEYS * (HEAD / 8); i += ITEMS) {
        const int key = i % KEYS, d = i / KEYS * 8;
        put_turned(tile + d * KEY_STRIDE + key, KEY_STRIDE, eight(x, s, first + key, d));
    }
}

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
attention_matrix_forward(TENSOR_OUT(X_STORE, y), TENSOR_OUT(STORE_F32, lse), TENSOR_IN(X_STORE, q), TENSOR_IN(X_STORE, k),
                         TENSOR_IN(X_STORE, v), MASK_VALID(valid) const int pairs, const int heads, const int queries,
                         MASK_ARGUMENTS, const float scale)
{
    __local ushort room[ROOM] __attribute__((aligned(16)));
    __local ushort keys[KEYS * HEAD_STRIDE] __attribute__((aligned(16)));
    __local ushort weights[QUERIES * KEY_STRIDE] __attribute__((aligned(16)));
    __local float scores[QUERIES * SCORE_STRIDE], shared[ITEMS], factors[QUERIES];
    MATRIX_SCRATCH_DECLARE(UNITS);
    const int tiles = (queries + QUERIES - 1) / QUERIES, group = (int)get_group_id(0);
    /* Those that see most come first. */
    const int pair = group / tiles, first = (tiles - 1 - group % tiles) * QUERIES;
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach, block };
    const int last = min(first + QUERIES, queries) - 1, shift = query_begin(m, queries);
    const int2 common = mask_common_keys(m, first + shift, last + shift);
    const int item = (int)get_local_id(0), unit = item / MATRIX_LANES, lane = item % MATRIX_LANES;
    /* The query whose weights this lane makes, and the first of the keys that it does so for. */
    const int own = unit * MATRIX_ROWS + lane % MATRIX_ROWS, part = lane / MATRIX_ROWS * KEYS_OF_LANE;
    const stream of_queries = { queries, text, block, heads * HEAD, q_offset % 8 == 0 };
    const stream of_keys = { length, text, block, heads * HEAD, k_offset % 8 == 0 && v_offset % 8 == 0 };
    __global const ushort *from_q = (__global const ushort *)q + q_offset + row_begin(pair, heads, queries, 0);
    __global const ushort *from_k = (__global const ushort *)k + k_offset + row_begin(pair, heads, length, 0);
    __global const ushort *from_v = (__global const ushort *)v + v_offset + row_begin(pair, heads, length, 0);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(lse);

    matrix_sums total[TOTALS];
    load_rows(room + OF_QUERIES, from_q, of_queries, first, QUERIES, ITEMS);
    __local const ushort *of_unit = room + OF_QUERIES + unit * MATRIX_ROWS * HEAD_STRIDE;
#if !QUERIES_STAY
    matrix_a query[HEAD / MATRIX_DEPTH];
    barrier(CLK_LOCAL_MEM_FENCE);
    MATRIX_UNROLLED for (int c = 0; c < HEAD / MATRIX_DEPTH; ++c)
        query[c] = matrix_load_a(of_unit + c * MATRIX_DEPTH, HEAD_STRIDE, lane);
#define QUERY(c) query[c]
#else
#define QUERY(c) matrix_load_a(of_unit + (c) * MATRIX_DEPTH, HEAD_STRIDE, lane)
#endif
    EACH_TOTAL(CLEAR_TOTAL)
    float top = -INFINITY, sum = 0.0f; /* the sum is of this lane's keys */
    for (int r = 0, next = 0; r <= m.bands; ++r) {
        const int2 range = mask_key_range(m, r, first + shift, last + shift);
        if (range.y < range.x) continue;
        const int end = range.y / KEYS;
        for (int at = max(next, range.x / KEYS); at <= end; ++at) {
            const int from = at * KEYS, to = from + KEYS - 1;
            barrier(CLK_LOCAL_MEM_FENCE);
            load_rows(keys, from_k, of_keys, from, KEYS, ITEMS);
            load_columns(room, from_v, of_keys, from);
            barrier(CLK_LOCAL_MEM_FENCE);
            MATRIX_UNROLLED for (int n = 0; n < KEYS / MATRIX_COLUMNS; ++n) {
                matrix_sums score;
                score.all = 0.0f;
                ADD_KEYS(0) ADD_KEYS(1) ADD_KEYS(2) ADD_KEYS(3)
                MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i)
                    scores[(unit * MATRIX_ROWS + matrix_row(lane, i)) * SCORE_STRIDE + n * MATRIX_COLUMNS +
                           matrix_column(lane, i)] = score.at[i];
            }
            barrier(CLK_LOCAL_MEM_FENCE);

            const bool whole = to <= common.y && (to < m.valid || from >= common.x);
            __local float *const score = scores + own * SCORE_STRIDE + part;
            float most = -INFINITY;
            for (int j = 0; j < KEYS_OF_LANE; ++j) {
                const bool hidden = !whole && mask_hidden_keys(m, first + own + shift, from + part + j);
                score[j] = hidden ? -INFINITY : scale * score[j];
                most = fmax(most, score[j]);
            }
            shared[item] = most;
            barrier(CLK_LOCAL_MEM_FENCE);

            float now = top;
            for (int p = 0; p < LANES_OF_QUERY; ++p)
                now = fmax(now, shared[unit * MATRIX_LANES + p * MATRIX_ROWS + lane % MATRIX_ROWS]);
            const float zero = now == -INFINITY ? 0.0f : now, correct = exp(top - zero);
            top = now;
            sum *= correct;
            for (int j = 0; j < KEYS_OF_LANE; ++j) {
                const float e = exp_below_one(score[j] - zero);
                sum += e;
                weights[own * KEY_STRIDE + part + j] = operand_bits(e);
            }
            if (part == 0) factors[own] = correct;
            barrier(CLK_LOCAL_MEM_FENCE);

            matrix_a weight[KEYS / MATRIX_DEPTH];
            MATRIX_UNROLLED for (int c = 0; c < KEYS / MATRIX_DEPTH; ++c)
                weight[c] = matrix_load_a(weights + unit * MATRIX_ROWS * KEY_STRIDE + c * MATRIX_DEPTH, KEY_STRIDE, lane);
            matrix_sums factor;
            MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i)
                factor.at[i] = factors[unit * MATRIX_ROWS + matrix_row(lane, i)];
            EACH_TOTAL(ADD_VALUES)
        }
        next = max(next, end + 1);
    }

    barrier(CLK_LOCAL_MEM_FENCE);
    shared[item] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (part == 0) {
        float all = 0.0f;
        for (int p = 0; p < LANES_OF_QUERY; ++p) all += shared[unit * MATRIX_LANES + p * MATRIX_ROWS + lane % MATRIX_ROWS];
        const bool sees = all > 0.0f;
        factors[own] = sees ? 1.0f / all : 0.0f;
        if (first + own <= last) lse[pair * PADDED(queries) + first + own] = sees ? top + log(all) : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
        const int row = unit * MATRIX_ROWS + matrix_row(lane, i);
        if (first + row > last) continue;
        __global ELEMENT(X_STORE) *to = y + row_begin(pair, heads, queries, stream_place(first + row, text, block));
        MATRIX_UNROLLED for (int n = 0; n < TOTALS; ++n)
            STORE(X_STORE, total[n].at[i] * factors[row], to, n * MATRIX_COLUMNS + matrix_column(lane, i));
    }
}
