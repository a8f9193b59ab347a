/* attention_short.cl -- attention of streams so short that all of a pair (batch, head) fits a cache: the
 * products and sums of attention.cl, on CPUs.
 *
 * A work-item is a group, and takes every (number of groups)-th pair whole.  It packs the pair's operands
 * into its scratch, rows [T][HEAD_ROW] and panels [T / VEC][HEAD_ROW][VEC], where they are read as often as
 * there are tiles.  The gradient keeps the weights P = exp(scale q k^T - lse) and their slopes
 * dS = P (dP - delta), both [queries][KEYS], and makes all three from them: dq = scale dS k, dv = P^T dy,
 * dk = dS^T (scale q).
 * Options: HEAD, MR, KEYS (at least as many as there are, in whole tiles and vectors), HAVE_VALID, and the
 * operands' storage types.  Masks of one band without blocks.
 * SPDX-License-Identifier: MIT */
#ifndef KEYS
#define KEYS 64
#endif
#define BLOCKS (KEYS / VEC)
#include "attention.clh"

#ifndef Q_STORE
#define Q_STORE STORE_F32
#endif
#ifndef K_STORE
#define K_STORE STORE_F32
#endif
#ifndef V_STORE
#define V_STORE STORE_F32
#endif

/* ---- Packing ---- */

/* Rows of x, `step` apart, times factor; then zeros, to `whole` rows. */
#define DEFINE_PACK(name, store) \
    static inline void pack_##name(__global float *rows, __global const ELEMENT(store) * x, const long step, \
                                   const int length, const int whole, const float factor) \
    { \
        for (int p = 0; p < length; ++p, rows += HEAD_ROW, x += step) { \
            int d = 0; \
            for (; d + VEC <= HEAD; d += VEC) VSTORE_F32(factor * LOAD_VEC(store, x, d), rows, d); \
            for (; d < HEAD_ROW; ++d) rows[d] = d < HEAD ? factor * LOAD(store, x, min(d, HEAD - 1)) : 0.0f; \
        } \
        for (int i = 0; i < (whole - length) * HEAD_ROW; ++i) rows[i] = 0.0f; \
    }
DEFINE_PACK(q, Q_STORE)
DEFINE_PACK(k, K_STORE)
DEFINE_PACK(v, V_STORE)
DEFINE_PACK(y, Y_STORE)
DEFINE_PACK(dy, DY_STORE)

/* Panels of as many rows, a multiple of VEC. */
static inline void turn_rows(__global float *panels, __global const float *rows, const int count)
{
    for (int p = 0; p < count; p += VEC, rows += PANEL, panels += PANEL) {
#if VEC % 4 == 0
        for (int j = 0; j < VEC; j += 4)
            for (int d = 0; d < HEAD_ROW; d += 4) {
                __global const float *from = rows + j * HEAD_ROW + d;
                store_turned(panels + d * VEC + j, VEC, vload4(0, from), vload4(0, from + HEAD_ROW),
                             vload4(0, from + 2 * HEAD_ROW), vload4(0, from + 3 * HEAD_ROW));
            }
#else
        for (int j = 0; j < VEC; ++j)
            for (int d = 0; d < HEAD_ROW; ++d) panels[d * VEC + j] = rows[j * HEAD_ROW + d];
#endif
    }
}

static inline int whole_places(const int length)
{
    return max((length + VEC - 1) / VEC * VEC, tile_count(length) * MR);
}
static inline int whole_blocks(const int length) { return (length + VEC - 1) / VEC * VEC; }

/* ---- Sums of a tile's weighted rows, to a tensor ---- */

/* sum[i] = sum over `many` rows of weight[i * across + k * along] row[k], of vector v. */
static inline void weigh(floatv sum[MR], __global const float *weight, const int across, const int along,
                         __global const float *rows, const int many)
{
    UNROLLED for (int i = 0; i < MR; ++i) sum[i] = (floatv)(0.0f);
    for (int k = 0; k < many; ++k) {
        const floatv row = VLOAD_F32(rows, k * HEAD_ROW);
        UNROLLED for (int i = 0; i < MR; ++i)
            sum[i] = MULTIPLY_ADD((floatv)(weight[i * across + k * along]), row, sum[i]);
    }
}

/* Vector v of a tensor's row of HEAD. */
#define STORE_PIECE(store, value, to, v) \
    do { \
        if (HEAD % VEC == 0 || ((v) + 1) * VEC <= HEAD) { \
            STORE_VEC(store, value, to, (v) * VEC); \
        } else { \
            float piece_[VEC]; \
            VSTORE_F32(value, piece_, 0); \
            for (int d_ = 0; d_ < HEAD - (v) * VEC; ++d_) STORE(store, piece_[d_], to, (v) * VEC + d_); \
        } \
    } while (0)

/* Rows first .. last of a tensor, `step` apart: factor times the sums. */
#define DEFINE_WEIGH(name, store) \
    static inline void weigh_##name(__global ELEMENT(store) * to, const long step, const int count, \
                                    const float factor[MR], __global const float *weight, const int across, \
                                    const int along, __global const float *rows, const int many) \
    { \
        for (int v = 0; v < VECTORS; ++v) { \
            floatv sum[MR]; \
            weigh(sum, weight, across, along, rows + v * VEC, many); \
            UNROLLED for (int i = 0; i < MR; ++i) \
            { \
                if (i < count) STORE_PIECE(store, factor[i] * sum[i], to + i * step, v); \
            } \
        } \
    }
DEFINE_WEIGH(y, Y_STORE)
DEFINE_WEIGH(dq, DQ_STORE)
DEFINE_WEIGH(dk, DK_STORE)
DEFINE_WEIGH(dv, DV_STORE)

/* ---- What a tile of queries sees ---- */

/* Blocks of VEC keys up to the last that some query of a tile sees; and MR - 1 keys beyond it, for tiles of
 * keys. */
static inline int blocks_seen(const mask_bands m, const int newest_query)
{
    return min(mask_newest(m, newest_query) + MR - 1, m.length - 1) / VEC + 1;
}

static inline void hide_block(__global float *weights, const float value, const intv hidden)
{
    VSTORE_F32(select(VLOAD_F32(weights, 0), (floatv)(value), hidden), weights, 0);
}

#define PAIR_MASK \
    { \
        length, text, MASK_VALID_KEYS(valid, pair / heads, text), causal, step, bands, reach, block \
    }

/* ---- Forward ---- */

/* weight[i][key] = exp(score - the greatest of query i), of queries first ..; sums and greatest of each. */
static inline void weigh_scores(__global float *weight, float all[MR], float top[MR], __global const float *q,
                                __global const float *panels, const mask_bands m, const int query, const int last,
                                const int blocks)
{
    const int2 common = mask_common_keys(m, query, last);
    floatv most[MR];
    UNROLLED for (int i = 0; i < MR; ++i) most[i] = (floatv)(-INFINITY);
    for (int b = 0; b < blocks; ++b) {
        floatv score[MR];
        dot_panel(score, q, panels + b * PANEL);
        if (!mask_whole_keys(m, common, b * VEC)) {
            UNROLLED for (int i = 0; i < MR; ++i) VSTORE_F32(score[i], weight, i * CHUNK + b * VEC);
            for (int i = 0; i < MR; ++i)
                hide_block(weight + i * CHUNK + b * VEC, -INFINITY, mask_hidden_keys(m, query + i, block_places(b * VEC)));
            UNROLLED for (int i = 0; i < MR; ++i) score[i] = VLOAD_F32(weight, i * CHUNK + b * VEC);
        }
        UNROLLED for (int i = 0; i < MR; ++i)
        {
            VSTORE_F32(score[i], weight, i * CHUNK + b * VEC);
            most[i] = fmax(most[i], score[i]);
        }
    }
    for (int i = 0; i < MR; ++i) {
        top[i] = vector_max(most[i]);
        const float zero = top[i] == -INFINITY ? 0.0f : top[i];
        floatv sum = (floatv)(0.0f);
        for (int b = 0; b < blocks; ++b) {
            const floatv e = exp_below(VLOAD_F32(weight, i * CHUNK + b * VEC) - zero);
            VSTORE_F32(e, weight, i * CHUNK + b * VEC);
            sum += e;
        }
        all[i] = vector_sum(sum);
    }
}

/* scratch of a group: q's rows, k's rows, k's panels, v's rows, the weights of a tile. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_short_forward(TENSOR_OUT(Y_STORE, y), TENSOR_OUT(STORE_F32, lse), TENSOR_IN(Q_STORE, q), TENSOR_IN(K_STORE, k),
                        TENSOR_IN(V_STORE, v), TENSOR_OUT(STORE_F32, scratch), MASK_VALID(valid) const int pairs,
                        const int heads, const int queries, MASK_ARGUMENTS, const float scale, const int scratch_size)
{
    const int all_queries = whole_places(queries), all_keys = whole_places(length), apart = heads * HEAD;
    __global float *q_rows = scratch + scratch_offset + (long)get_group_id(0) * scratch_size;
    __global float *k_rows = q_rows + all_queries * HEAD_ROW, *k_panels = k_rows + all_keys * HEAD_ROW;
    __global float *v_rows = k_panels + all_keys * HEAD_ROW, *weight = v_rows + all_keys * HEAD_ROW;
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(lse);
    TENSOR_BEGIN(q);
    TENSOR_BEGIN(k);
    TENSOR_BEGIN(v);
    for (int pair = (int)get_group_id(0); pair < pairs; pair += (int)get_num_groups(0)) {
        const mask_bands m = PAIR_MASK;
        const int shift = query_begin(m, queries);
        pack_q(q_rows, q + row_begin(pair, heads, queries, 0), apart, queries, all_queries, scale);
        pack_k(k_rows, k + row_begin(pair, heads, length, 0), apart, length, all_keys, 1.0f);
        turn_rows(k_panels, k_rows, whole_blocks(length));
        pack_v(v_rows, v + row_begin(pair, heads, length, 0), apart, length, all_keys, 1.0f);
        for (int first = 0; first < queries; first += MR) {
            const int last = min(first + MR, queries) - 1, blocks = blocks_seen(m, last + shift);
            float all[MR], top[MR], factor[MR];
            weigh_scores(weight, all, top, q_rows + first * HEAD_ROW, k_panels, m, first + shift, last + shift, blocks);
            for (int i = 0; i < MR; ++i) {
                const bool sees = all[i] > 0.0f;
                factor[i] = sees ? 1.0f / all[i] : 0.0f;
                if (first + i <= last) lse[pair * PADDED(queries) + first + i] = sees ? top[i] + log(all[i]) : 0.0f;
            }
            weigh_y(y + row_begin(pair, heads, queries, first), apart, last - first + 1, factor, weight, CHUNK, 1, v_rows,
                    min(blocks * VEC, length));
        }
    }
}

/* ---- Backward ---- */

/* delta = dy . y, of as many queries, from panels. */
static inline void dot_rows(__global float *delta, __global const float *dy, __global const float *y, const int count)
{
    for (int p = 0; p < count; p += VEC, dy += PANEL, y += PANEL) {
        floatv sum = (floatv)(0.0f);
        for (int d = 0; d < HEAD; ++d) sum = MULTIPLY_ADD(VLOAD_F32(dy, d * VEC), VLOAD_F32(y, d * VEC), sum);
        VSTORE_F32(sum, delta, p);
    }
}

/* Weights and slopes of a tile of queries. */
static inline void weights_and_slopes(__global float *weight, __global float *slopes, __global const float *q,
                                      __global const float *dy, __global const float *k, __global const float *v,
                                      __global const float *lse, __global const float *delta, const mask_bands m,
                                      const int query, const int last, const int blocks)
{
    const int2 common = mask_common_keys(m, query, last);
    for (int b = 0; b < blocks; ++b) {
        floatv score[MR], slope[MR];
        dot_panel(score, q, k + b * PANEL);
        dot_panel(slope, dy, v + b * PANEL);
        UNROLLED for (int i = 0; i < MR; ++i)
        {
            const int own = min(query + i, last) - query; /* rows past the end have no lse */
            const floatv p = exp_below(score[i] - lse[own]);
            VSTORE_F32(p, weight, i * CHUNK + b * VEC);
            VSTORE_F32(p * (slope[i] - delta[own]), slopes, i * CHUNK + b * VEC);
        }
        if (!mask_whole_keys(m, common, b * VEC))
            for (int i = 0; i < MR; ++i) {
                const intv hidden = mask_hidden_keys(m, query + i, block_places(b * VEC));
                hide_block(weight + i * CHUNK + b * VEC, 0.0f, hidden);
                hide_block(slopes + i * CHUNK + b * VEC, 0.0f, hidden);
            }
    }
}

/* scratch of a group: q's and dy's rows, k's rows, k's and v's panels, two more, and the queries' deltas;
 * then weights and slopes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_short_backward(TENSOR_OUT(DQ_STORE, dq), TENSOR_OUT(DK_STORE, dk), TENSOR_OUT(DV_STORE, dv),
                         TENSOR_IN(Q_STORE, q), TENSOR_IN(K_STORE, k), TENSOR_IN(V_STORE, v), TENSOR_IN(Y_STORE, y),
                         TENSOR_IN(DY_STORE, dy), TENSOR_IN(STORE_F32, lse), TENSOR_OUT(STORE_F32, scratch),
                         MASK_VALID(valid) const int pairs, const int heads, const int queries, MASK_ARGUMENTS,
                         const float scale, const int scratch_size)
{
    const int all_queries = whole_places(queries), all_keys = whole_places(length), apart = heads * HEAD;
    const int of_queries = all_queries * HEAD_ROW, of_keys = all_keys * HEAD_ROW, spare = max(of_queries, of_keys);
    __global float *q_rows = scratch + scratch_offset + (long)get_group_id(0) * scratch_size;
    __global float *dy_rows = q_rows + of_queries, *k_rows = dy_rows + of_queries, *k_panels = k_rows + of_keys;
    __global float *v_panels = k_panels + of_keys, *spare0 = v_panels + of_keys, *spare1 = spare0 + spare;
    __global float *delta = spare1 + spare, *weight = delta + all_queries, *slopes = weight + all_queries * CHUNK;
    float ones[MR], scales[MR];
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        ones[i] = 1.0f;
        scales[i] = scale;
    }
    TENSOR_BEGIN(dq);
    TENSOR_BEGIN(dk);
    TENSOR_BEGIN(dv);
    TENSOR_BEGIN(q);
    TENSOR_BEGIN(k);
    TENSOR_BEGIN(v);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(lse);
    for (int pair = (int)get_group_id(0); pair < pairs; pair += (int)get_num_groups(0)) {
        const mask_bands m = PAIR_MASK;
        const int shift = query_begin(m, queries);
        const long of_query = row_begin(pair, heads, queries, 0), of_key = row_begin(pair, heads, length, 0);
        pack_dy(dy_rows, dy + of_query, apart, queries, all_queries, 1.0f);
        turn_rows(spare0, dy_rows, whole_blocks(queries));
        pack_y(q_rows, y + of_query, apart, queries, all_queries, 1.0f);
        turn_rows(spare1, q_rows, whole_blocks(queries));
        dot_rows(delta, spare0, spare1, whole_blocks(queries));
        pack_q(q_rows, q + of_query, apart, queries, all_queries, scale);
        pack_v(k_rows, v + of_key, apart, length, all_keys, 1.0f);
        turn_rows(v_panels, k_rows, whole_blocks(length));
        pack_k(k_rows, k + of_key, apart, length, all_keys, 1.0f);
        turn_rows(k_panels, k_rows, whole_blocks(length));
        for (int first = 0; first < queries; first += MR) {
            const int last = min(first + MR, queries) - 1, blocks = blocks_seen(m, last + shift);
            weights_and_slopes(weight + first * CHUNK, slopes + first * CHUNK, q_rows + first * HEAD_ROW,
                               dy_rows + first * HEAD_ROW, k_panels, v_panels, lse + pair * PADDED(queries) + first,
                               delta + first, m, first + shift, last + shift, blocks);
            weigh_dq(dq + of_query + (long)first * apart, apart, last - first + 1, scales, slopes + first * CHUNK, CHUNK,
                     1, k_rows, min(blocks * VEC, length));
        }
        for (int first = 0; first < length; first += MR) {
            const int count = min(MR, length - first), begin = causal ? max(0, first - shift) : 0;
            const long to = of_key + (long)first * apart;
            weigh_dv(dv + to, apart, count, ones, weight + begin * CHUNK + first, 1, CHUNK, dy_rows + begin * HEAD_ROW,
                     queries - begin);
            weigh_dk(dk + to, apart, count, ones, slopes + begin * CHUNK + first, 1, CHUNK, q_rows + begin * HEAD_ROW,
                     queries - begin);
        }
    }
}
