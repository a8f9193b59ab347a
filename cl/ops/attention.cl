/* attention.cl -- y = softmax(scale q k^T, keys the mask hides left out) v, forward and backward, without
 * ever storing scores.  Only the logarithm of each query's sum is kept.  A query that sees no key gets 0.
 *
 * attention_pack first copies an operand [B, T, H, HEAD] per pair (batch, head) into two float forms: rows
 * [T][HEAD_ROW], and panels [T / VEC][HEAD][VEC] in which VEC neighbours of the stream lie side by side.
 * Under a column mask the image is packed in column-major order, so that what a query sees is always a few
 * ranges of neighbours.  A work-item then owns MR neighbours of one pair:
 *   attention_forward        queries; walks the panels of the keys they see, with a running maximum
 *   attention_backward_q     queries; dS = P (dP - delta), dq = scale dS k
 *   attention_backward_kv    keys; walks the queries that see them: dv = P^T dy, dk = dS^T (scale q)
 * with P = exp(scale q k^T - lse), dP = dy v^T, delta = dy . y.  Nothing is added up by two work-items.
 * Keys are the mask's stream (mask.clh), of `length`; under a causal mask queries have the last places in it.
 * Options: HEAD, MR, HAVE_VALID, and the operands' storage types.
 * SPDX-License-Identifier: MIT */
#include "attention.clh"

/* ---- Where things are ---- */

/* Where a pair's packed operand starts; T is `length`. */
static inline long packed_begin(const int pair, const int length) { return (long)pair * PADDED(length) * HEAD_ROW; }

/* ---- Packing ---- */

/* Rows and panels of x, times factor, where they are wanted. */
__kernel void attention_pack(TENSOR_OUT(STORE_F32, rows), TENSOR_OUT(STORE_F32, panels), TENSOR_IN(X_STORE, x),
                             const int pairs, const int heads, const int length, const int text, const int block,
                             const int want_rows, const int want_panels, const float factor)
{
    const int blocks = PADDED(length) / VEC, item = (int)get_global_id(0);
    if (item >= pairs * blocks) return;
    const int pair = item / blocks, first = item % blocks * VEC, step = heads * HEAD;
    const long own = (long)item * PANEL;
    rows += rows_offset + own;
    panels += panels_offset + own;
    x += x_offset + row_begin(pair, heads, length, 0);
    /* What is whole goes as vectors; the rest, and the zeros past the edge, one by one. */
#if VEC % 4 == 0 && HEAD % VEC == 0
    const bool whole = first + VEC <= length;
    for (int j = 0; j < VEC && whole; j += 4) {
        __global const ELEMENT(X_STORE) *from[4];
        UNROLLED for (int i = 0; i < 4; ++i) from[i] = x + (long)stream_place(first + j + i, text, block) * step;
        for (int d = 0; d < HEAD && want_rows; d += VEC) {
            UNROLLED for (int i = 0; i < 4; ++i)
                VSTORE_F32(factor * LOAD_VEC(X_STORE, from[i], d), rows, (j + i) * HEAD_ROW + d);
        }
        for (int d = 0; d < HEAD && want_panels; d += 4)
            store_turned(panels + d * VEC + j, VEC, factor * LOAD4(X_STORE, from[0] + d),
                         factor * LOAD4(X_STORE, from[1] + d), factor * LOAD4(X_STORE, from[2] + d),
                         factor * LOAD4(X_STORE, from[3] + d));
    }
#else
    const bool whole = false;
#endif
    for (int j = whole ? VEC : 0; j < VEC; ++j) {
        const int p = first + j;
        const long from = (long)stream_place(p, text, block) * step;
        for (int d = 0; d < HEAD_ROW; ++d) {
            float value = 0.0f;
            if (p < length && d < HEAD) value = factor * LOAD(X_STORE, x, from + d);
            if (want_rows) rows[j * HEAD_ROW + d] = value;
            if (want_panels) panels[d * VEC + j] = value;
        }
    }
}

/* ---- Forward: from q's rows (scaled), k's panels, v's rows ---- */

__kernel void attention_forward(TENSOR_OUT(Y_STORE, y), TENSOR_OUT(STORE_F32, lse), TENSOR_IN(STORE_F32, q),
                                TENSOR_IN(STORE_F32, k), TENSOR_IN(STORE_F32, v), MASK_VALID(valid) const int pairs,
                                const int heads, const int queries, MASK_ARGUMENTS)
{
    const int tiles = tile_count(queries), item = (int)get_global_id(0);
    if (item >= pairs * tiles) return;
    const int pair = item / tiles, tile = tiles - 1 - item % tiles; /* those that see most come first */
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach,
                           block };
    const int first = tile * MR, last = min(first + MR, queries) - 1, shift = query_begin(m, queries);
    const int2 common = mask_common_keys(m, first + shift, last + shift);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(lse);
    q += q_offset + packed_begin(pair, queries) + first * HEAD_ROW;
    k += k_offset + packed_begin(pair, length);
    v += v_offset + packed_begin(pair, length);
    float total[MR * HEAD_ROW], weight[MR * CHUNK], top[MR], correct[MR];
    floatv sum[MR];
    CLEAR(total, MR * HEAD_ROW);
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        top[i] = -INFINITY;
        sum[i] = (floatv)(0.0f);
    }
    for (int r = 0, next = 0; r <= m.bands; ++r) {
        const int2 range = mask_key_range(m, r, first + shift, last + shift);
        if (range.y < range.x) continue;
        const int end = range.y / VEC;
        for (int at = max(next, range.x / VEC); at <= end; at += BLOCKS) {
            const int many = MANY_BLOCKS(at, end);
            floatv most[MR];
            UNROLLED for (int i = 0; i < MR; ++i) most[i] = (floatv)(-INFINITY);
            UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
            {
                const int from = (at + b) * VEC;
                floatv score[MR];
                dot_panel(score, q, k + (long)from * HEAD_ROW);
                UNROLLED for (int i = 0; i < MR; ++i) VSTORE_F32(score[i], weight, i * CHUNK + b * VEC);
                if (!mask_whole_keys(m, common, from))
                    for (int i = 0; i < MR; ++i) /* few blocks need it, and it is long: not unrolled */
                        hide(weight + i * CHUNK + b * VEC, -INFINITY,
                             mask_hidden_keys(m, first + i + shift, block_places(from)));
                UNROLLED for (int i = 0; i < MR; ++i)
                    most[i] = fmax(most[i], VLOAD_F32(weight, i * CHUNK + b * VEC));
            }
            UNROLLED for (int i = 0; i < MR; ++i)
            {
                const float now = fmax(top[i], vector_max(most[i])), zero = now == -INFINITY ? 0.0f : now;
                correct[i] = exp(top[i] - zero);
                top[i] = now;
                sum[i] *= correct[i];
                UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
                {
                    const floatv e = exp_below(VLOAD_F32(weight, i * CHUNK + b * VEC) - zero);
                    VSTORE_F32(e, weight, i * CHUNK + b * VEC);
                    sum[i] += e;
                }
            }
            add_rows(total, correct, weight, v + (long)at * VEC * HEAD_ROW, many * VEC);
        }
        next = max(next, end + 1);
    }
    for (int i = 0; i < MR; ++i) {
        if (first + i > last) break;
        const float all = vector_sum(sum[i]);
        const bool sees = all > 0.0f;
        lse[pair * PADDED(queries) + first + i] = sees ? top[i] + log(all) : 0.0f;
        __global ELEMENT(Y_STORE) *to = y + row_begin(pair, heads, queries, stream_place(first + i, text, block));
        STORE_ROW(Y_STORE, to, total + i * HEAD_ROW, sees ? 1.0f / all : 0.0f);
    }
}

/* ---- Backward: from rows and panels of q (scaled), k, v and dy ---- */

/* delta = dy . y, by packed place. */
__kernel void attention_delta(TENSOR_OUT(STORE_F32, delta), TENSOR_IN(DY_STORE, dy), TENSOR_IN(Y_STORE, y),
                              const int pairs, const int heads, const int queries, const int text, const int block)
{
    const int padded = PADDED(queries), item = (int)get_global_id(0);
    if (item >= pairs * padded) return;
    const int p = item % padded;
    const long from = row_begin(item / padded, heads, queries, stream_place(p, text, block));
    TENSOR_BEGIN(delta);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(y);
    float sum = 0.0f;
    for (int d = 0; p < queries && d < HEAD; ++d)
        sum = fma(LOAD(DY_STORE, dy, from + d), LOAD(Y_STORE, y, from + d), sum);
    delta[item] = sum;
}

__kernel void attention_backward_q(TENSOR_OUT(DQ_STORE, dq), TENSOR_IN(STORE_F32, q), TENSOR_IN(STORE_F32, dy),
                                   TENSOR_IN(STORE_F32, k_rows), TENSOR_IN(STORE_F32, k), TENSOR_IN(STORE_F32, v),
                                   TENSOR_IN(STORE_F32, lse), TENSOR_IN(STORE_F32, delta), MASK_VALID(valid)
                                   const int pairs, const int heads, const int queries, MASK_ARGUMENTS,
                                   const float scale)
{
    const int tiles = tile_count(queries), item = (int)get_global_id(0);
    if (item >= pairs * tiles) return;
    const int pair = item / tiles, tile = tiles - 1 - item % tiles;
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach,
                           block };
    const int first = tile * MR, last = min(first + MR, queries) - 1, shift = query_begin(m, queries);
    const int2 common = mask_common_keys(m, first + shift, last + shift);
    TENSOR_BEGIN(dq);
    lse += lse_offset + pair * PADDED(queries) + first;
    delta += delta_offset + pair * PADDED(queries) + first;
    q += q_offset + packed_begin(pair, queries) + first * HEAD_ROW;
    dy += dy_offset + packed_begin(pair, queries) + first * HEAD_ROW;
    k_rows += k_rows_offset + packed_begin(pair, length);
    k += k_offset + packed_begin(pair, length);
    v += v_offset + packed_begin(pair, length);
    float total[MR * HEAD_ROW], weight[MR * CHUNK], one[MR];
    CLEAR(total, MR * HEAD_ROW);
    UNROLLED for (int i = 0; i < MR; ++i) one[i] = 1.0f;
    for (int r = 0, next = 0; r <= m.bands; ++r) {
        const int2 range = mask_key_range(m, r, first + shift, last + shift);
        if (range.y < range.x) continue;
        const int end = range.y / VEC;
        for (int at = max(next, range.x / VEC); at <= end; at += BLOCKS) {
            const int many = MANY_BLOCKS(at, end);
            UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
            {
                const int from = (at + b) * VEC;
                floatv score[MR], slope[MR];
                dot_panel(score, q, k + (long)from * HEAD_ROW);
                dot_panel(slope, dy, v + (long)from * HEAD_ROW);
                UNROLLED for (int i = 0; i < MR; ++i)
                {
                    const int own = min(first + i, last) - first; /* rows past the end have no lse */
                    const floatv ds = exp_below(score[i] - lse[own]) * (slope[i] - delta[own]);
                    VSTORE_F32(ds, weight, i * CHUNK + b * VEC);
                }
                if (!mask_whole_keys(m, common, from))
                    for (int i = 0; i < MR; ++i)
                        hide(weight + i * CHUNK + b * VEC, 0.0f,
                             mask_hidden_keys(m, first + i + shift, block_places(from)));
            }
            add_rows(total, one, weight, k_rows + (long)at * VEC * HEAD_ROW, many * VEC);
        }
        next = max(next, end + 1);
    }
    for (int i = 0; i < MR; ++i) {
        if (first + i > last) break;
        __global ELEMENT(DQ_STORE) *to = dq + row_begin(pair, heads, queries, stream_place(first + i, text, block));
        STORE_ROW(DQ_STORE, to, total + i * HEAD_ROW, scale);
    }
}

__kernel void attention_backward_kv(TENSOR_OUT(DK_STORE, dk), TENSOR_OUT(DV_STORE, dv), TENSOR_IN(STORE_F32, q_rows),
                                    TENSOR_IN(STORE_F32, q), TENSOR_IN(STORE_F32, dy_rows), TENSOR_IN(STORE_F32, dy),
                                    TENSOR_IN(STORE_F32, k), TENSOR_IN(STORE_F32, v), TENSOR_IN(STORE_F32, lse),
                                    TENSOR_IN(STORE_F32, delta), MASK_VALID(valid) const int pairs, const int heads,
                                    const int queries, MASK_ARGUMENTS)
{
    const int tiles = tile_count(length), item = (int)get_global_id(0);
    if (item >= pairs * tiles) return;
    const int pair = item / tiles, first = item % tiles * MR, last = min(first + MR, length) - 1;
    const mask_bands m = { length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach,
                           block };
    const int shift = query_begin(m, queries), final = queries - 1 + shift;
    const int2 common = mask_common_queries(m, first, last, final);
    TENSOR_BEGIN(dk);
    TENSOR_BEGIN(dv);
    lse += lse_offset + pair * PADDED(queries);
    delta += delta_offset + pair * PADDED(queries);
    q_rows += q_rows_offset + packed_begin(pair, queries);
    q += q_offset + packed_begin(pair, queries);
    dy_rows += dy_rows_offset + packed_begin(pair, queries);
    dy += dy_offset + packed_begin(pair, queries);
    k += k_offset + packed_begin(pair, length) + first * HEAD_ROW;
    v += v_offset + packed_begin(pair, length) + first * HEAD_ROW;
    float total_k[MR * HEAD_ROW], total_v[MR * HEAD_ROW], weight[MR * CHUNK], slopes[MR * CHUNK], one[MR];
    CLEAR(total_k, MR * HEAD_ROW);
    CLEAR(total_v, MR * HEAD_ROW);
    UNROLLED for (int i = 0; i < MR; ++i) one[i] = 1.0f;
    for (int r = 0, next = 0; r < m.bands; ++r) {
        const int2 range = mask_query_range(m, r, first, last, shift, final);
        if (range.y < range.x) continue;
        const int end = (range.y - shift) / VEC;
        for (int at = max(next, (range.x - shift) / VEC); at <= end; at += BLOCKS) {
            const int many = MANY_BLOCKS(at, end);
            UNROLLED_ON_GPU for (int b = 0; b < many; ++b)
            {
                const int from = (at + b) * VEC;
                floatv score[MR], slope[MR];
                dot_panel(score, k, q + (long)from * HEAD_ROW);
                dot_panel(slope, v, dy + (long)from * HEAD_ROW);
                const floatv logs = VLOAD_F32(lse, from), deltas = VLOAD_F32(delta, from);
                UNROLLED for (int i = 0; i < MR; ++i)
                {
                    const floatv p = exp_below(score[i] - logs);
                    VSTORE_F32(p, weight, i * CHUNK + b * VEC);
                    VSTORE_F32(p * (slope[i] - deltas), slopes, i * CHUNK + b * VEC);
                }
                if (!mask_whole_queries(common, from + shift))
                    for (int i = 0; i < MR; ++i) {
                        const intv hidden = mask_hidden_queries(m, first + i, block_places(from + shift), final);
                        hide(weight + i * CHUNK + b * VEC, 0.0f, hidden);
                        hide(slopes + i * CHUNK + b * VEC, 0.0f, hidden);
                    }
            }
            add_rows(total_v, one, weight, dy_rows + (long)at * VEC * HEAD_ROW, many * VEC);
            add_rows(total_k, one, slopes, q_rows + (long)at * VEC * HEAD_ROW, many * VEC);
        }
        next = max(next, end + 1);
    }
    for (int i = 0; i < MR; ++i) {
        if (first + i > last) break;
        const long at = row_begin(pair, heads, length, stream_place(first + i, text, block));
        __global ELEMENT(DK_STORE) *to_k = dk + at;
        __global ELEMENT(DV_STORE) *to_v = dv + at;
        STORE_ROW(DK_STORE, to_k, total_k + i * HEAD_ROW, 1.0f);
        STORE_ROW(DV_STORE, to_v, total_v + i * HEAD_ROW, 1.0f);
    }
}
