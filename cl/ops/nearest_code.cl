/* nearest_code.cl -- the index of the code nearest to each row of z: argmin |c|^2 - 2 z.c.
 * z [rows, columns], codebook [codes, columns].  A work-group owns ROWS rows; each of its LANES walks the
 * codes lane, lane + LANES, .. two at a time, so that a vector of a code is loaded once for all rows.
 * Every code's sum runs in the same order: equal codes tie exactly, and the lowest index wins.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"

#ifndef Z_STORE
#define Z_STORE STORE_F32
#endif
#ifndef CODEBOOK_STORE
#define CODEBOOK_STORE STORE_F32
#endif
#ifndef IDS_STORE
#define IDS_STORE STORE_I32
#endif
#ifndef NORMS_STORE
#define NORMS_STORE STORE_F32
#endif
#ifndef ROWS
#define ROWS 4 /* rows of z compared at once: more reuse of the codes, more registers */
#endif
#define CODES 2 /* codes compared at once */

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void nearest_code_norms(TENSOR_OUT(NORMS_STORE, norms), TENSOR_IN(CODEBOOK_STORE, codebook), const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(norms);
    const int code = (int)get_group_id(0);
    codebook += codebook_offset + (long)code * columns;
    floatv sum = (floatv)(0.0f);
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = LOAD_VEC(CODEBOOK_STORE, codebook, i);
        sum += v * v;
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = LOAD(CODEBOOK_STORE, codebook, i);
        rest += v * v;
    }
    const float total = reduce_sum(vector_sum(sum) + rest, scratch);
    if (get_local_id(0) == 0) norms[code] = total;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void nearest_code_search(TENSOR_OUT(IDS_STORE, ids), TENSOR_IN(Z_STORE, z),
                         TENSOR_IN(CODEBOOK_STORE, codebook), TENSOR_IN(NORMS_STORE, norms), const int rows,
                         const int codes, const int columns)
{
#if LANES > 1
    __local float lane_least[ROWS * LANES];
    __local int lane_best[ROWS * LANES];
#endif
    TENSOR_BEGIN(ids);
    TENSOR_BEGIN(z);
    TENSOR_BEGIN(codebook);
    TENSOR_BEGIN(norms);
    const int lane = (int)get_local_id(0), first = (int)get_group_id(0) * ROWS;
    const int whole = ROW_WHOLE(columns);
    long at[ROWS];
    float least[ROWS];
    int best[ROWS];
    for (int r = 0; r < ROWS; ++r) {
        at[r] = (long)min(first + r, rows - 1) * columns; /* rows past the end repeat the last one */
        least[r] = INFINITY;
        best[r] = 0;
    }
    for (int k = lane; k < codes; k += LANES * CODES) {
        const int pair[CODES] = { k, min(k + LANES, codes - 1) };
        floatv sum[CODES][ROWS];
        float rest[CODES][ROWS];
        for (int j = 0; j < CODES; ++j)
            for (int r = 0; r < ROWS; ++r) {
                sum[j][r] = (floatv)(0.0f);
                rest[j][r] = 0.0f;
            }
        for (int i = 0; i < whole; i += VEC) {
            floatv c[CODES];
            #pragma unroll
            for (int j = 0; j < CODES; ++j) c[j] = LOAD_VEC(CODEBOOK_STORE, codebook, (long)pair[j] * columns + i);
            #pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                const floatv v = LOAD_VEC(Z_STORE, z, at[r] + i);
                #pragma unroll
                for (int j = 0; j < CODES; ++j) sum[j][r] = fma(c[j], v, sum[j][r]);
            }
        }
        for (int i = whole; i < columns; ++i)
            for (int j = 0; j < CODES; ++j) {
                const float c = LOAD(CODEBOOK_STORE, codebook, (long)pair[j] * columns + i);
                for (int r = 0; r < ROWS; ++r) rest[j][r] = fma(c, LOAD(Z_STORE, z, at[r] + i), rest[j][r]);
            }
        for (int j = 0; j < CODES; ++j)
            for (int r = 0; r < ROWS; ++r) {
                const float score = fma(-2.0f, vector_sum(sum[j][r]) + rest[j][r], norms[pair[j]]);
                /* The clamped second code of the last pair may come before this lane's best: compare both. */
                if (score < least[r] || (score == least[r] && pair[j] < best[r])) {
                    least[r] = score;
                    best[r] = pair[j];
                }
            }
    }
#if LANES > 1
    for (int r = 0; r < ROWS; ++r) {
        lane_least[r * LANES + lane] = least[r];
        lane_best[r * LANES + lane] = best[r];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane == 0)
        for (int r = 0; r < ROWS; ++r)
            for (int l = 1; l < LANES; ++l) {
                const float score = lane_least[r * LANES + l];
                const int code = lane_best[r * LANES + l];
                if (score < least[r] || (score == least[r] && code < best[r])) {
                    least[r] = score;
                    best[r] = code;
                }
            }
#endif
    if (lane == 0)
        for (int r = 0; r < min(ROWS, rows - first); ++r) ids[first + r] = best[r];
}
