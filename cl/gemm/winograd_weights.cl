/* winograd_weights.cl -- the gradient of a 3 x 3 convolution's weight by Winograd's minimal filtering, for
 * CPU devices; see winograd.clh.  A group owns a block of the weight's outputs and inputs and a part of the
 * tiles, and walks these strip by strip; its 36 sums [outputs, inputs] stay in its core's cache.
 * SPDX-License-Identifier: MIT */
#include "winograd_tile.clh"

/* VEC channels of the gradient at a tile's results, `outs` apart, to to[point * plane]. */
static inline void transform_results(__global float *to, const int plane,
                                     __global const ELEMENT(B_STORE) * dy, const int outs, const int width,
                                     const int lines, const int columns)
{
    floatv half_way[TILE * PATCH];
    UNROLLED for (int y = 0; y < TILE; ++y)
    {
        floatv line[TILE];
        UNROLLED for (int x = 0; x < TILE; ++x)
        {
            line[x] = (floatv)(0.0f);
            if (y < lines && x < columns) line[x] = LOAD_VEC(B_STORE, dy, ((long)y * width + x) * outs);
        }
        result_line(line, half_way + y, TILE);
    }
    UNROLLED for (int x = 0; x < PATCH; ++x)
    {
        floatv points[PATCH];
        result_line(half_way + x * TILE, points, 1);
        UNROLLED for (int y = 0; y < PATCH; ++y) VSTORE_F32(points[y], to, (y * PATCH + x) * plane);
    }
}

/* sums[point][row / MR][panel][MR][NR] += z^T v over `count` tiles. */
static inline void multiply_points(__global float *sums, __global const float *z, const int z_plane,
                                   const int z_stride, __global const float *v, const int v_plane,
                                   const int strip, const int rows, const int panels, const int count,
                                   const bool fresh)
{
    for (int point = 0; point < POINTS; ++point)
        for (int panel = 0; panel < panels; ++panel)
            for (int row = 0; row < rows; row += MR) {
                int offset[MR];
                UNROLLED for (int i = 0; i < MR; ++i) offset[i] = min(row + i, rows - 1);
                __global float *saved =
                    sums + (((long)point * ((rows + MR - 1) / MR) + row / MR) * panels + panel) * (MR * NR);
                floatv sum[MR][NV];
                if (fresh)
                    clear_sums(sum);
                else
                    load_sums(sum, saved, NR);
                multiply(sum, z + point * z_plane, offset, z_stride, 1, count, 0,
                         v + point * v_plane + panel * strip * NR);
                save_sums(sum, saved, NR);
            }
}

/* The nine taps of VEC inputs, `channels` apart, from the sums at points `plane` apart. */
static inline void finish_weights(__global const float *sums, const long plane, __global float *to,
                                  const int channels)
{
    floatv half_way[3 * PATCH];
    UNROLLED for (int x = 0; x < PATCH; ++x)
    {
        floatv points[PATCH];
        UNROLLED for (int y = 0; y < PATCH; ++y) points[y] = VLOAD_F32(sums, (y * PATCH + x) * plane);
        gradient_line(points, half_way + x, PATCH);
    }
    UNROLLED for (int y = 0; y < 3; ++y)
    {
        floatv line[3];
        gradient_line(half_way + y * PATCH, line, 1);
        UNROLLED for (int x = 0; x < 3; ++x) VSTORE_F32(line[x], to, (y * 3 + x) * channels);
    }
}

/* Launch: (groups).  A group takes every (number of groups)-th job; a job is a block of outputs, a block of
 * inputs and a part of the tiles.  a: the image, b: dy [pixels][n].  channels and n are multiples of VEC,
 * in_block of NR. partial: [part][n][9][channels]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_winograd_weights(TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), TENSOR_OUT(STORE_F32, partial),
                      TENSOR_OUT(STORE_F32, scratch), const int n, const int height, const int width,
                      const int channels, const int tiles, const int strip, const int out_block, const int in_block,
                      const int jobs, const int scratch_size)
{
    const int out_blocks = (n + out_block - 1) / out_block, in_blocks = (channels + in_block - 1) / in_block;
    const int parts = jobs / (out_blocks * in_blocks), z_stride = out_block + ROW_PAD;
    const int z_plane = strip * z_stride, v_plane = strip * in_block;
    __global float *lines = scratch + scratch_offset + (long)get_group_id(0) * scratch_size;
    __global float *z = lines + LINES_SIZE, *v = z + POINTS * z_plane, *sums = v + POINTS * v_plane;
    const long area = (long)height * width;
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    TENSOR_BEGIN(partial);

    for (int job = (int)get_group_id(0); job < jobs; job += (int)get_num_groups(0)) {
        const int part = job / (out_blocks * in_blocks), first_out = job % out_blocks * out_block;
        const int first_in = job / out_blocks % in_blocks * in_block;
        const int outs = min(out_block, n - first_out), ins = min(in_block, channels - first_in);
        const int panels = (ins + NR - 1) / NR;
        const int begin = (int)((long)tiles * part / parts), end = (int)((long)tiles * (part + 1) / parts);
        for (int first = begin; first < end; first += strip) {
            const int count = min(strip, end - first);
            for (int tile = 0; tile < count; ++tile) {
                const tile_place p = place_of(first + tile, height, width);
                __global const ELEMENT(B_STORE) *dy =
                    b + (p.picture * area + (long)p.y * width + p.x) * n + first_out;
                for (int out = 0; out < outs; out += VEC)
                    transform_results(z + tile * z_stride + out, z_plane, dy + out, n, width, height - p.y,
                                      width - p.x);
            }
            transform_tiles(v, v_plane, NR, NR, strip * NR, lines, a, first, count, first_in, ins, height, width,
                            channels);
            for (int in = ins; in < panels * NR; in += VEC) /* past the last channel */
                for (int point = 0; point < POINTS; ++point)
                    for (int tile = 0; tile < count; ++tile)
                        VSTORE_F32((floatv)(0.0f), v,
                                   point * v_plane + in / NR * strip * NR + tile * NR + in % NR);
            multiply_points(sums, z, z_plane, z_stride, v, v_plane, strip, outs, panels, count, first == begin);
        }
        const long plane = (long)((outs + MR - 1) / MR) * panels * (MR * NR);
        for (int out = 0; out < outs; ++out) {
            __global float *to = partial + ((long)part * n + first_out + out) * 9 * channels + first_in;
            for (int in = 0; in < ins; in += VEC)
                finish_weights(sums + ((long)(out / MR) * panels + in / NR) * (MR * NR) + out % MR * NR + in % NR,
                               plane, to + in, channels);
        }
    }
}

/* Launch: (any number of work-items).  c = alpha times the sum of the parts, `count` elements each. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_winograd_reduce(TENSOR_OUT(C_STORE, c), TENSOR_IN(STORE_F32, partial), const int count, const int parts,
                     const float alpha)
{
    TENSOR_BEGIN(c);
    TENSOR_BEGIN(partial);
    FOR_VECTORS(i, count)
    {
        floatv sum = (floatv)(0.0f);
        for (int part = 0; part < parts; ++part) sum += VLOAD_F32(partial, (long)part * count + i);
        STORE_VEC(C_STORE, alpha * sum, c, i);
    }
}
