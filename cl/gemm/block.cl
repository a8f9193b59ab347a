/* block.cl -- matrix multiplication on GPUs: a tile of C in the registers of a group; see gemm_block.clh.
 * Launch: (groups of tiles, parts of k, batches), GROUP work-items each; part i has k from i * part_k on.
 * Local memory: HALVES, each with a step's tile of A and of B.  Sums run over k in order, in each part.
 * SPDX-License-Identifier: MIT */
#include "gemm_block.clh"

#define BAND 8 /* tiles down that share columns of B in the device's cache */

/* The tile of a group: down bands of tiles, so that groups that run together read few rows and columns. */
static inline int2 tile_of(const int group, const int down, const int across)
{
    const int band = group / (BAND * across), inside = group - band * BAND * across;
    const int height = min(BAND, down - band * BAND), column = inside / height;
    return (int2)((band * BAND + inside - column * height) * TILE_M, column * TILE_N);
}

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
gemm_block(TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), END_ARGUMENTS, TENSOR_OUT(STORE_F32, partial), const int m,
           const int n, const int k, const int part_k, const int batch1, const float alpha, const long a_row,
           const long a_column, const long a_batch0, const long a_batch1, const long b_row, const long b_column,
           const long b_batch0, const long b_batch1, const long c_row, const long c_column, const long c_batch0,
           const long c_batch1, const int a_height, const int a_width, const int a_channels, const int b_height,
           const int b_width, const int b_channels)
{
    __local float4 tiles[BLOCK_LARGER(HALVES * TILE_FLOATS, STAGE_FLOATS) / 4];
    BLOCK_SCRATCH
    __local float *local_tiles = (__local float *)tiles;
    const int lane = (int)get_local_id(0), batch = (int)get_group_id(2), part = (int)get_group_id(1);
    const int outer = batch / batch1, inner = batch % batch1;
    const int2 first = tile_of((int)get_group_id(0), (m + TILE_M - 1) / TILE_M, (n + TILE_N - 1) / TILE_N);
    const int from_k = part * part_k, end_k = min(k, from_k + part_k);
    a += a_offset + outer * a_batch0 + inner * a_batch1;
    b += b_offset + outer * b_batch0 + inner * b_batch1;
    END_BEGIN;
    block_view rows, columns;
    rows.first = first.x, rows.count = m, rows.k_end = end_k;
    rows.outer = a_row, rows.k = a_column;
    rows.height = a_height, rows.width = a_width, rows.channels = a_channels;
    columns.first = first.y, columns.count = n, columns.k_end = end_k;
    columns.outer = b_column, columns.k = b_row;
    columns.height = b_height, columns.width = b_width, columns.channels = b_channels;
    block_begin_a(&rows, lane);
    block_begin_b(&columns, lane);

    block_sums sums;
    uint a_next[A_LOADS * A_WORDS], b_next[B_LOADS * B_WORDS];
    block_clear(&sums);
    UNROLLED for (int ahead = 0; ahead < HALVES - 1; ++ahead) {
        __local float *next = local_tiles + ahead * TILE_FLOATS;
        block_fetch_a(a_next, next, a, &rows, from_k + ahead * TILE_K, lane BLOCK_NOTES_ARGUMENT);
        block_fetch_b(b_next, next, b, &columns, from_k + ahead * TILE_K, lane BLOCK_NOTES_ARGUMENT);
        BLOCK_PUT(next, a_next, b_next, lane);
        BLOCK_WAIT(HALVES - 2);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    int half_used = 0;
    for (int at = from_k; at < end_k; at += TILE_K) {
        /* The half that was multiplied last is free.  Past the end there is nothing to fetch, and what is put
         * is not read. */
        __local float *next = local_tiles + (half_used == 0 ? HALVES - 1 : half_used - 1) * TILE_FLOATS;
        const int k_next = at + (HALVES - 1) * TILE_K;
        block_fetch_a(a_next, next, a, &rows, k_next, lane BLOCK_NOTES_ARGUMENT);
        block_fetch_b(b_next, next, b, &columns, k_next, lane BLOCK_NOTES_ARGUMENT);
        BLOCK_MULTIPLY(&sums, local_tiles + half_used * TILE_FLOATS, lane);
        BLOCK_PUT(next, a_next, b_next, lane);
        BLOCK_WAIT(HALVES - 2);
        barrier(CLK_LOCAL_MEM_FENCE);
        half_used = half_used == HALVES - 1 ? 0 : half_used + 1;
    }
#if COPIES && HALVES > 2
    BLOCK_WAIT(0); /* zeros from past the end must not land on sums */
    barrier(CLK_LOCAL_MEM_FENCE);
#endif

#if SPLIT
    partial += partial_offset + ((long)batch * get_num_groups(1) + part) * m * n;
#else
    const long c_first = outer * c_batch0 + inner * c_batch1;
#endif
    for (int stage = 0; stage < STAGES; ++stage) {
        block_stage(local_tiles, &sums, lane);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = lane; e < STAGE_FLOATS; e += GROUP) {
            const int row = first.x + STAGE_ROW(stage, e / TILE_N), column = first.y + e % TILE_N;
            if (row >= m || column >= n) continue;
#if SPLIT
            partial[(long)row * n + column] = local_tiles[e];
#else
            FINISH_ELEMENT(local_tiles[e], c_first + row * c_row + column * c_column, SWAPPED ? row : column);
#endif
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
