/* nearest_code.cl -- the index of the code nearest to each row of z: argmin |c|^2 - 2 z.c.
 * z [rows, columns], codebook [codes, columns].  A work-group owns ROWS rows; each of its LANES walks the
 * codes lane, lane + LANES, .. and compares one with all rows, BLOCK of them at once.
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
#define ROWS 16 /* rows of z a work-group owns, a multiple of BLOCK: a code is fetched once for all of them */
#endif
#ifndef BLOCK
#define BLOCK 4 /* rows compared at once: more reuse of a code's vectors, more registers */
#endif

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

/* A lane's nearest code of each row so far: in local memory where lanes meet in the end, and where private
 * arrays walked by a loop would lie in global memory. */
#if LANES > 1
#define PLACE(r) ((r) * LANES + lane)
#else
#define PLACE(r) (r)
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void nearest_code_search(TENSOR_OUT(IDS_STORE, ids), TENSOR_IN(Z_STORE, z),
                         TENSOR_IN(CODEBOOK_STORE, codebook), TENSOR_IN(NORMS_STORE, norms), const int rows,
                         const int codes, const int columns)
{
#if LANES > 1
    __local float least[ROWS * LANES];
    __local int best[ROWS * LANES];
#else
    float least[ROWS];
    int best[ROWS];
#endif
    TENSOR_BEGIN(ids);
    TENSOR_BEGIN(z);
    TENSOR_BEGIN(codebook);
    TENSOR_BEGIN(norms);
    const int lane = (int)get_local_id(0), first = (int)get_group_id(0) * ROWS;
    const int whole = ROW_WHOLE(columns);
    for (int r = 0; r < ROWS; ++r) {
        least[PLACE(r)] = INFINITY;
        best[PLACE(r)] = 0;
    }
    for (int k = lane; k < codes; k += LANES) {
        __global const ELEMENT(CODEBOOK_STORE) *code = codebook + (long)k * columns;
        for (int from = 0; from < ROWS; from += BLOCK) {
            floatv sum[BLOCK];
            float rest[BLOCK];
            long at[BLOCK];
            #pragma unroll
            for (int r = 0; r < BLOCK; ++r) {
                at[r] = (long)min(first + from + r, rows - 1) * columns; /* past the end the last row again */
                sum[r] = (floatv)(0.0f);
                rest[r] = 0.0f;
            }
            for (int i = 0; i < whole; i += VEC) {
                const floatv c = LOAD_VEC(CODEBOOK_STORE, code, i);
                #pragma unroll
                for (int r = 0; r < BLOCK; ++r) sum[r] = fma(c, LOAD_VEC(Z_STORE, z, at[r] + i), sum[r]);
            }
            for (int i = whole; i < columns; ++i) {
                const float c = LOAD(CODEBOOK_STORE, code, i);
                #pragma unroll
                for (int r = 0; r < BLOCK; ++r) rest[r] = fma(c, LOAD(Z_STORE, z, at[r] + i), rest[r]);
            }
            #pragma unroll
            for (int r = 0; r < BLOCK; ++r) {
                const float score = fma(-2.0f, vector_sum(sum[r]) + rest[r], norms[k]);
                const int place = PLACE(from + r);
                if (score < least[place]) { /* codes come in order: the first of equals stays */
                    least[place] = score;
                    best[place] = k;
                }
            }
        }
    }
#if LANES > 1
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = lane; r < min(ROWS, rows - first); r += LANES) {
        float score = least[r * LANES];
        int code = best[r * LANES];
        for (int l = 1; l < LANES; ++l) {
            const float other = least[r * LANES + l];
            const int its = best[r * LANES + l];
            if (other < score || (other == score && its < code)) {
                score = other;
                code = its;
            }
        }
        ids[first + r] = code;
    }
#else
    for (int r = 0; r < min(ROWS, rows - first); ++r) ids[first + r] = best[r];
#endif
}
