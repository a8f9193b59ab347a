/* winograd.cl -- a 3 x 3 convolution by Winograd's minimal filtering, for CPU devices; see winograd.clh.
 * A group transforms a strip of tiles, multiplies the 36 matrices [tiles, channels] [channels, n] with the
 * register tile of gemm_tile.clh, and transforms back, so that what lies between stays in its core's cache.
 * SPDX-License-Identifier: MIT */
#include "winograd_tile.clh"

/* Columns first .. end-1 of the products of `count` tiles: m[point][tile][column_block] = v u. */
static inline void multiply_points(__global float *m, const int m_plane, const int column_block,
                                   __global const float *v, const int v_plane, const int v_stride,
                                   __global const float *u, const int count, const int channels,
                                   const int piece, const int first, const int end, const int panels)
{
    for (int point = 0; point < POINTS; ++point)
        for (int start = 0; start < channels; start += piece)
            for (int column = first; column < end; column += NR) {
                __global const float *panel =
                    u + (((long)point * panels + column / NR) * channels + start) * NR;
                for (int row = 0; row < count; row += MR) {
                    int offset[MR];
                    UNROLLED for (int i = 0; i < MR; ++i) offset[i] = min(row + i, count - 1) * v_stride;
                    __global float *saved = m + point * m_plane + row * column_block + column - first;
                    floatv sum[MR][NV];
                    if (start == 0)
                        clear_sums(sum);
                    else
                        load_sums(sum, saved, column_block);
                    multiply(sum, v + point * v_plane + start, offset, 1, 1, min(piece, channels - start), 0,
                             panel);
                    save_sums(sum, saved, column_block);
                }
            }
}

/* VEC columns of a tile, back to its 4 x 4 results. */
static inline void finish_tile(__global const float *m, const int m_plane, const floatv addend,
                               const float alpha, __global ELEMENT(C_STORE) * c,
                               __global ELEMENT(C_STORE) * preactivation,
                               __global const ELEMENT(C_STORE) * point,
                               __global const ELEMENT(C_STORE) * residual, const long c_row, const int width,
                               const int lines, const int columns)
{
    floatv half_way[TILE * PATCH];
    UNROLLED for (int x = 0; x < PATCH; ++x)
    {
        floatv points[PATCH];
        UNROLLED for (int y = 0; y < PATCH; ++y) points[y] = VLOAD_F32(m, (y * PATCH + x) * m_plane);
        output_line(points, half_way + x, PATCH);
    }
    UNROLLED for (int y = 0; y < TILE; ++y)
    {
        floatv line[TILE];
        output_line(half_way + y * PATCH, line, 1);
        UNROLLED for (int x = 0; x < TILE; ++x)
        {
            if (y < lines && x < columns) {
                floatv v = alpha * (BIAS ? line[x] + addend : line[x]);
                END_VECTOR(v, (y * width + x) * c_row);
                STORE_VEC(C_STORE, v, c, (y * width + x) * c_row);
            }
        }
    }
}

/* Launch: (groups).  A group takes every (number of groups)-th job; a job is a strip of tiles and
 * `job_columns` columns, `column_block` at a time.  u: winograd_filter.cl.  channels and n are multiples of
 * VEC, the column counts of NR. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_winograd(TENSOR_IN(A_STORE, a), TENSOR_IN(STORE_F32, u), END_ARGUMENTS, TENSOR_OUT(STORE_F32, scratch),
              const int n, const float alpha, const long c_row, const int height, const int width,
              const int channels, const int tiles, const int strip, const int job_columns,
              const int column_block, const int piece, const int jobs, const int scratch_size)
{
    const int v_stride = channels + ROW_PAD, v_plane = strip * v_stride;
    const int m_plane = (strip + MR - 1) / MR * MR * column_block;
    const int strips = (tiles + strip - 1) / strip, panels = (n + NR - 1) / NR;
    __global float *lines = scratch + scratch_offset + (long)get_group_id(0) * scratch_size;
    __global float *v = lines + LINES_SIZE, *m = v + POINTS * v_plane;
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(u);
    END_BEGIN;
    const long area = (long)height * width;

    for (int job = (int)get_group_id(0); job < jobs; job += (int)get_num_groups(0)) {
        const int first_tile = job % strips * strip, count = min(strip, tiles - first_tile);
        const int first_column = job / strips * job_columns, end_column = min(first_column + job_columns, n);
        transform_tiles(v, v_plane, v_stride, channels, 0, lines, a, first_tile, count, 0, channels, height,
                        width, channels);
        for (int first = first_column; first < end_column; first += column_block) {
            const int end = min(first + column_block, end_column);
            multiply_points(m, m_plane, column_block, v, v_plane, v_stride, u, count, channels, piece, first,
                            end, panels);
            for (int tile = 0; tile < count; ++tile) {
                const tile_place p = place_of(first_tile + tile, height, width);
                const long pixel = (p.picture * area + (long)p.y * width + p.x) * c_row;
                if ((SLOPE || RESIDUAL) && tile + 1 < count) {
                    const tile_place q = place_of(first_tile + tile + 1, height, width);
                    const long next = (q.picture * area + (long)q.y * width + q.x) * c_row + first;
                    for (int y = 0; y < min(TILE, height - q.y); ++y) {
                        const long at = next + y * width * c_row;
                        if (SLOPE) fetch_rows(point + at, c_row, min(TILE, width - q.x), end - first);
                        if (RESIDUAL) fetch_rows(residual + at, c_row, min(TILE, width - q.x), end - first);
                    }
                }
                for (int column = first; column < end; column += VEC) {
                    const long to = pixel + column;
                    finish_tile(m + tile * column_block + column - first, m_plane,
                                BIAS ? LOAD_VEC(BIAS_STORE, bias, column) : (floatv)(0.0f), alpha, c + to,
                                preactivation + to, point + to, residual + to, c_row, width, height - p.y,
                                width - p.x);
                }
            }
        }
    }
}
