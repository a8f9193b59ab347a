/* tile.cl -- matrix multiplication for CPU devices: a tile of C lives in registers.
 *
 * One work-item is a group.  A register tile of MR rows and NV vectors of VEC columns runs along k; an
 * element of A is broadcast, B comes as panels [k][NR] with NR = NV * VEC, zero past the edge.
 *   gemm_tile_pack    makes the panels of a B that many row blocks share.
 *   gemm_tile         a group owns blocks of rows (of whole image lines) and columns of C, and keeps a
 *                     copy of its part of A, and sums between blocks of k, in scratch that fits the cache.
 *   gemm_tile_split   for few elements of C and a long k (weight gradients): a group owns a stretch of k,
 *                     packs both operands and leaves a partial C.
 *   gemm_tile_reduce  adds the partial results in a fixed order and ends the elements.
 * A_KIND says how A is read: in place (float, neighbours along k), copied by rows, copied by columns
 * (neighbours along m), or as an image: lines with a border of zeros, in which the taps of a pixel are
 * `kernel` runs of kernel * channels neighbours, so that nothing is repeated per tap.
 * SPDX-License-Identifier: MIT */
#include "gemm.clh"

#ifndef MR
#define MR 6 /* rows of the register tile: MR * NV sums must fit the registers, unrolled */
#endif
#ifndef NV
#define NV 2 /* vectors of the register tile */
#endif
#define NR (NV * VEC)

#define A_IN_PLACE 0
#define A_BY_ROWS 1
#define A_BY_COLUMNS 2
#define A_IMAGE 3
#ifndef A_KIND
#define A_KIND A_BY_ROWS
#endif
#ifndef SWAPPED
#define SWAPPED 0 /* rows here are columns of C (B was the image) */
#endif
#define ROW_PAD 16 /* keeps rows of a copy off the same cache set */
#define UNROLLED _Pragma("unroll")

/* ---- B ---- */

/* Rows first .. first+count-1 and one panel of B, to panel[count][NR]. */
static inline void pack_panel(__global float *restrict panel, __global const ELEMENT(B_STORE) *restrict b,
                              const long b_row, const long b_column, const int first, const int count,
                              const int column, const int n)
{
    const int columns = min(NR, n - column);
    b += first * b_row + column * b_column;
    if (b_column == 1 && columns == NR) {
        for (int q = 0; q < count; ++q) {
            UNROLLED for (int j = 0; j < NV; ++j)
                VSTORE_F32(LOAD_VEC(B_STORE, b, q * b_row + j * VEC), panel, q * NR + j * VEC);
        }
    } else {
        for (int j = 0; j < columns; ++j)
            for (int q = 0; q < count; ++q) panel[q * NR + j] = LOAD(B_STORE, b, q * b_row + j * b_column);
        for (int j = columns; j < NR; ++j)
            for (int q = 0; q < count; ++q) panel[q * NR + j] = 0.0f;
    }
}

/* Launch: (panels, blocks of k, distinct batches).  packed: [batch][panel][k][NR]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_tile_pack(TENSOR_IN(B_STORE, b), TENSOR_OUT(STORE_F32, packed), const int n, const int k, const int k_block,
                    const int batch1, const long b_row, const long b_column, const long b_batch0,
                    const long b_batch1)
{
    const int panel = (int)get_group_id(0), batch = (int)get_group_id(2);
    const int first = (int)get_group_id(1) * k_block, count = min(k_block, k - first);
    b += b_offset + batch / batch1 * b_batch0 + batch % batch1 * b_batch1;
    packed += packed_offset + (((long)batch * get_num_groups(0) + panel) * k + first) * NR;
    pack_panel(packed, b, b_row, b_column, first, count, panel * NR, n);
}

/* ---- A ---- */

/* A block of `rows` x `count`, as [rows][count + ROW_PAD] or, by columns, as [count][rows]. */
static inline void copy_block(__global float *restrict to, __global const ELEMENT(A_STORE) *restrict a,
                              const long a_row, const long a_column, const int rows, const int count)
{
#if A_KIND == A_BY_COLUMNS
    for (int q = 0; q < count; ++q) {
        int r = 0;
        for (; r + VEC <= rows; r += VEC) VSTORE_F32(LOAD_VEC(A_STORE, a, q * a_column + r), to, q * rows + r);
        for (; r < rows; ++r) to[q * rows + r] = LOAD(A_STORE, a, q * a_column + r);
    }
#else
    for (int r = 0; r < rows; ++r) {
        __global const ELEMENT(A_STORE) *from = a + r * a_row;
        __global float *row = to + r * (count + ROW_PAD);
        int q = 0;
        if (a_column == 1)
            for (; q + VEC <= count; q += VEC) VSTORE_F32(LOAD_VEC(A_STORE, from, q), row, q);
        for (; q < count; ++q) row[q] = LOAD(A_STORE, from, q * a_column);
    }
#endif
}

static inline void fill_zeros(__global float *to, const int count)
{
    for (int i = 0; i < count; ++i) to[i] = 0.0f;
}

/* Lines top .. top+lines-1 of a picture and their border, as [lines + 2p][width + 2p][channels]. */
static inline void copy_lines(__global float *restrict to, __global const ELEMENT(A_STORE) *restrict picture,
                              const int top, const int lines, const int height, const int width, const int channels)
{
    const int border = A_KERNEL / 2, side = border * channels, run = width * channels;
    for (int y = top - border; y < top + lines + border; ++y, to += run + 2 * side) {
        if (y < 0 || y >= height) {
            fill_zeros(to, run + 2 * side);
            continue;
        }
        __global const ELEMENT(A_STORE) *from = picture + (long)y * run;
        fill_zeros(to, side);
        int i = 0;
        for (; i + VEC <= run; i += VEC) VSTORE_F32(LOAD_VEC(A_STORE, from, i), to, side + i);
        for (; i < run; ++i) to[side + i] = LOAD(A_STORE, from, i);
        fill_zeros(to + side + run, side);
    }
}

/* ---- The register tile ---- */

/* sum += A B over `segments` runs of `length`; row i of A starts at a + offset[i]. */
static inline void multiply(floatv sum[MR][NV], __global const float *restrict a, const int offset[MR], const int step,
                            const int segments, const int length, const int segment_stride,
                            __global const float *restrict b)
{
    for (int s = 0; s < segments; ++s, a += segment_stride) {
        __global const float *p = a;
        _Pragma("unroll 4") for (int q = 0; q < length; ++q) {
            floatv y[NV];
            UNROLLED for (int j = 0; j < NV; ++j) y[j] = VLOAD_F32(b, j * VEC);
            UNROLLED for (int i = 0; i < MR; ++i) {
                const floatv x = (floatv)(p[offset[i]]);
                UNROLLED for (int j = 0; j < NV; ++j) sum[i][j] = MULTIPLY_ADD(x, y[j], sum[i][j]);
            }
            p += step;
            b += NR;
        }
    }
}

static inline void load_sums(floatv sum[MR][NV], __global const float *from, const int stride)
{
    UNROLLED for (int i = 0; i < MR; ++i) {
        UNROLLED for (int j = 0; j < NV; ++j) sum[i][j] = VLOAD_F32(from, i * stride + j * VEC);
    }
}

static inline void clear_sums(floatv sum[MR][NV])
{
    UNROLLED for (int i = 0; i < MR; ++i) {
        UNROLLED for (int j = 0; j < NV; ++j) sum[i][j] = (floatv)(0.0f);
    }
}

static inline void save_sums(floatv sum[MR][NV], __global float *to, const int stride)
{
    UNROLLED for (int i = 0; i < MR; ++i) {
        UNROLLED for (int j = 0; j < NV; ++j) VSTORE_F32(sum[i][j], to, i * stride + j * VEC);
    }
}

/* Ends a tile whose columns are neighbours in memory and all inside C. */
static inline void finish_whole(floatv sum[MR][NV], const int rows, const float alpha,
                                __global const ELEMENT(BIAS_STORE) *bias, __global ELEMENT(C_STORE) *c,
                                __global ELEMENT(C_STORE) *preactivation, const long c_row)
{
    UNROLLED for (int i = 0; i < MR; ++i) {
        if (i < rows) {
            UNROLLED for (int j = 0; j < NV; ++j) {
                floatv v = alpha * sum[i][j];
                if (BIAS) v += LOAD_VEC(BIAS_STORE, bias, j * VEC);
                if (PREACTIVATION) STORE_VEC(C_STORE, v, preactivation, i * c_row + j * VEC);
                v = ACTIVATE(v);
                if (ACCUMULATE) v += LOAD_VEC(C_STORE, c, i * c_row + j * VEC);
                STORE_VEC(C_STORE, v, c, i * c_row + j * VEC);
            }
        }
    }
}

static inline void finish_part(floatv sum[MR][NV], const int rows, const int columns, const float alpha,
                               __global const ELEMENT(BIAS_STORE) *bias, __global ELEMENT(C_STORE) *c,
                               __global ELEMENT(C_STORE) *preactivation, const long c_row, const long c_column)
{
    float part[MR * NR];
    UNROLLED for (int i = 0; i < MR; ++i) {
        UNROLLED for (int j = 0; j < NV; ++j) VSTORE_F32(sum[i][j], part, i * NR + j * VEC);
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j) FINISH_ELEMENT(part[i * NR + j], i * c_row + j * c_column, j);
}

/* Launch: (groups).  A group takes every (number of groups)-th job; a job is a batch, `row_block` rows
 * (lines of one picture, for an image) and `column_block` columns.  k is walked in `pieces` pieces of
 * `piece` for each of the image's runs, or all at once when pieces is 0. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_tile(TENSOR_IN(A_STORE, a), TENSOR_IN(STORE_F32, b), TENSOR_OUT(C_STORE, c), TENSOR_IN(BIAS_STORE, bias),
               TENSOR_OUT(C_STORE, preactivation), TENSOR_OUT(STORE_F32, scratch), const int m, const int n, const int k,
               const int batch1, const float alpha, const long a_row, const long a_column, const long a_batch0,
               const long a_batch1, const long b_batch0, const long b_batch1, const long c_row, const long c_column,
               const long c_batch0, const long c_batch1, const int height, const int width, const int channels,
               const int row_block, const int column_block, const int pieces, const int piece, const int jobs,
               const int table_size, const int copy_size, const int scratch_size)
{
    __global int *table = (__global int *)(scratch + scratch_offset + (long)get_group_id(0) * scratch_size);
    __global float *copy = (__global float *)table + table_size;
    __global float *sums = copy + copy_size;
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    TENSOR_BEGIN(c);
    TENSOR_BEGIN(bias);
    TENSOR_BEGIN(preactivation);
#if A_KIND == A_IMAGE
    const int line = (width + A_KERNEL - 1) * channels, segments = A_KERNEL, length = A_KERNEL * channels;
    const int blocks = (height + row_block - 1) / row_block, row_blocks = m / (height * width) * blocks;
    const int step = 1;
#else
    const int line = 0, segments = 1, length = k;
    const int row_blocks = (m + row_block - 1) / row_block;
    const int step = A_KIND == A_BY_COLUMNS ? row_block : 1;
#endif
    const int column_blocks = (n + column_block - 1) / column_block, sums_stride = column_block;

    for (int job = (int)get_group_id(0); job < jobs; job += (int)get_num_groups(0)) {
        const int batch = job / (row_blocks * column_blocks), within = job % (row_blocks * column_blocks);
        const int outer = batch / batch1, inner = batch % batch1;
        const int first_column = within / row_blocks * column_block;
        const int end_column = min(first_column + column_block, n), block = within % row_blocks;
        __global const ELEMENT(A_STORE) *a_here = a + outer * a_batch0 + inner * a_batch1;
        __global const float *b_here = b + outer * b_batch0 + inner * b_batch1;
#if A_KIND == A_IMAGE
        const int top = block % blocks * row_block, lines = min(row_block, height - top);
        const int first_row = (block / blocks * height + top) * width, rows = lines * width;
        copy_lines(copy, a_here + (long)(block / blocks) * height * width * channels, top, lines, height, width, channels);
        for (int r = 0; r < rows + MR; ++r) {
            const int pixel = min(r, rows - 1);
            table[r] = pixel / width * line + pixel % width * channels;
        }
#else
        const int first_row = block * row_block, rows = min(row_block, m - first_row);
        a_here += first_row * a_row;
#endif
        for (int at = 0; at < (pieces ? pieces * segments : 1); ++at) {
            const int run = pieces ? at / pieces : 0, start = pieces ? at % pieces * piece : 0;
            const int count = pieces ? min(piece, length - start) : length;
            const bool last = !pieces || at == pieces * segments - 1;
#if A_KIND == A_IMAGE
            __global const float *a_block = copy + run * line + start;
#elif A_KIND == A_IN_PLACE
            const int row_stride = (int)a_row;
            __global const float *a_block = a_here + start;
#else
            const int row_stride = A_KIND == A_BY_COLUMNS ? 1 : count + ROW_PAD;
            __global const float *a_block = copy;
            copy_block(copy, a_here + start * a_column, a_row, a_column, rows, count);
#endif
            for (int column = first_column; column < end_column; column += NR) {
                __global const float *panel = b_here + ((long)(column / NR) * k + run * length + start) * NR;
                for (int row = 0; row < rows; row += MR) {
                    int offset[MR];
#if A_KIND == A_IMAGE
                    UNROLLED for (int i = 0; i < MR; ++i) offset[i] = table[row + i];
#else
                    UNROLLED for (int i = 0; i < MR; ++i) offset[i] = min(row + i, rows - 1) * row_stride;
#endif
                    __global float *saved = sums + row * sums_stride + (column - first_column) * MR;
                    floatv sum[MR][NV];
                    if (at == 0)
                        clear_sums(sum);
                    else
                        load_sums(sum, saved, NR);
                    multiply(sum, a_block, offset, A_KIND == A_BY_COLUMNS ? rows : step, pieces ? 1 : segments, count, line,
                             panel);
                    if (!last) {
                        save_sums(sum, saved, NR);
                        continue;
                    }
                    const long to = outer * c_batch0 + inner * c_batch1 + (first_row + row) * c_row + column * c_column;
                    if (c_column == 1 && column + NR <= n)
                        finish_whole(sum, rows - row, alpha, bias + (BIAS ? column : 0), c + to, preactivation + to, c_row);
                    else
                        finish_part(sum, min(MR, rows - row), min(NR, n - column), alpha, bias + (BIAS ? column : 0), c + to,
                                    preactivation + to, c_row, c_column);
                }
            }
        }
    }
}

/* Launch: (row blocks, parts, batches).  Part p takes units p*U/P .. (p+1)*U/P of k; a unit is `unit`
 * lines of one picture, or `unit` of k.  partial: [batch][part][m rounded up to MR][n rounded up to NR],
 * each register tile in one piece. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_tile_split(TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), TENSOR_OUT(STORE_F32, partial),
                     TENSOR_OUT(STORE_F32, scratch), const int m, const int n, const int k, const int batch1,
                     const long a_row, const long a_column, const long a_batch0, const long a_batch1, const long b_row,
                     const long b_column, const long b_batch0, const long b_batch1, const int height, const int width,
                     const int channels, const int row_block, const int unit, const int units, const int table_size,
                     const int copy_size, const int scratch_size)
{
    const int part = (int)get_group_id(1), parts = (int)get_num_groups(1), batch = (int)get_group_id(2);
    const int outer = batch / batch1, inner = batch % batch1;
    const long group = ((long)batch * parts + part) * get_num_groups(0) + get_group_id(0);
    __global int *table = (__global int *)(scratch + scratch_offset + group * scratch_size);
    __global float *copy = (__global float *)table + table_size;
    __global float *panels = copy + copy_size;
    const int first_row = (int)get_group_id(0) * row_block, rows = min(row_block, m - first_row);
    const int panel_count = (n + NR - 1) / NR;
    a += a_offset + outer * a_batch0 + inner * a_batch1;
    b += b_offset + outer * b_batch0 + inner * b_batch1;
    partial += partial_offset +
               (((long)batch * parts + part) * ((m + MR - 1) / MR * MR) + first_row) * panel_count * NR;
#if A_KIND == A_IMAGE
    const int line = (width + A_KERNEL - 1) * channels, blocks = (height + unit - 1) / unit;
    for (int r = 0; r < rows + MR; ++r) {
        const int tap = first_row + min(r, rows - 1), run = A_KERNEL * channels;
        table[r] = tap / run * line + tap % run;
    }
#endif
    const int begin = (int)((long)units * part / parts), end = (int)((long)units * (part + 1) / parts);
    for (int u = begin; u < end; ++u) {
#if A_KIND == A_IMAGE
        const int top = u % blocks * unit, segments = min(unit, height - top), length = width;
        const int first = (u / blocks * height + top) * width, count = segments * width, step = channels;
        copy_lines(copy, a + (long)(u / blocks) * height * width * channels, top, segments, height, width, channels);
#else
        const int first = u * unit, count = min(unit, k - first), line = 0, segments = 1, length = count;
        const int step = A_KIND == A_BY_COLUMNS ? rows : 1, row_stride = A_KIND == A_BY_COLUMNS ? 1 : count + ROW_PAD;
        copy_block(copy, a + first_row * a_row + first * a_column, a_row, a_column, rows, count);
#endif
        for (int p = 0; p < panel_count; ++p) {
            pack_panel(panels, b, b_row, b_column, first, count, p * NR, n);
            for (int row = 0; row < rows; row += MR) {
                int offset[MR];
#if A_KIND == A_IMAGE
                UNROLLED for (int i = 0; i < MR; ++i) offset[i] = table[row + i];
#else
                UNROLLED for (int i = 0; i < MR; ++i) offset[i] = min(row + i, rows - 1) * row_stride;
#endif
                __global float *saved = partial + ((long)row * panel_count + p * MR) * NR;
                floatv sum[MR][NV];
                if (u == begin)
                    clear_sums(sum);
                else
                    load_sums(sum, saved, NR);
                multiply(sum, copy, offset, step, segments, length, line, panels);
                save_sums(sum, saved, NR);
            }
        }
    }
}

/* Launch: (columns, rows, batches), any size of group.  Ends C from the parts of gemm_tile_split. */
__kernel void gemm_tile_reduce(TENSOR_OUT(C_STORE, c), TENSOR_IN(BIAS_STORE, bias), TENSOR_OUT(C_STORE, preactivation),
                               TENSOR_IN(STORE_F32, partial), const int m, const int n, const int parts,
                               const int batch1, const float alpha, const long c_row, const long c_column,
                               const long c_batch0, const long c_batch1)
{
    const int row = (int)get_global_id(1), first = (int)get_global_id(0) * NR, batch = (int)get_global_id(2);
    const long rows = (m + MR - 1) / MR * MR, panels = (n + NR - 1) / NR;
    TENSOR_BEGIN(c);
    TENSOR_BEGIN(bias);
    TENSOR_BEGIN(preactivation);
    partial += partial_offset + batch * parts * rows * panels * NR +
               ((row / MR * panels + first / NR) * MR + row % MR) * NR;
    const long from = batch / batch1 * c_batch0 + batch % batch1 * c_batch1 + row * c_row;
    for (int j = 0; j < min(NR, n - first); ++j) {
        float sum = 0.0f;
        for (int p = 0; p < parts; ++p) sum += partial[p * rows * panels * NR + j];
        FINISH_ELEMENT(sum, from + (first + j) * c_column, SWAPPED ? row : first + j);
    }
}
