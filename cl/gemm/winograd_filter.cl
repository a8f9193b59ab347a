/* winograd_filter.cl -- the weights of a 3 x 3 convolution, transformed and in panels; see winograd.clh.
 * SPDX-License-Identifier: MIT */
#include "gemm.clh"
#include "turn.clh"
#include "winograd.clh"

#ifndef PANEL
#define PANEL 16 /* columns of the register tile */
#endif

/* Launch: (panels of outputs, blocks of `block` inputs).  b: [n][3][3][channels]; both a multiple of 4.
 * u: [36][panel][channels][PANEL], zero past the last output.  VEC is 4. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_winograd_filter(TENSOR_IN(B_STORE, b), TENSOR_OUT(STORE_F32, u), const int n, const int channels,
                     const int block)
{
    const int panel = (int)get_group_id(0), panels = (int)get_num_groups(0);
    const int begin = (int)get_group_id(1) * block, end = min(begin + block, channels);
    TENSOR_BEGIN(b);
    TENSOR_BEGIN(u);
    const long plane = (long)panels * channels * PANEL;
    u += (long)panel * channels * PANEL;
    for (int in = begin; in < end; in += 4) {
        for (int j = 0; j < PANEL; j += 4) {
            floatv points[4][POINTS];
            for (int i = 0; i < 4; ++i) {
                const int out = panel * PANEL + j + i;
                floatv half_way[PATCH * 3];
                UNROLLED for (int x = 0; x < 3; ++x)
                {
                    floatv g[3];
                    UNROLLED for (int y = 0; y < 3; ++y)
                    {
                        g[y] = (floatv)(0.0f);
                        if (out < n) g[y] = LOAD_VEC(B_STORE, b, ((long)out * 9 + y * 3 + x) * channels + in);
                    }
                    filter_line(g, half_way + x, 3);
                }
                UNROLLED for (int y = 0; y < PATCH; ++y)
                    filter_line(half_way + y * 3, points[i] + y * PATCH, 1);
            }
            for (int p = 0; p < POINTS; ++p)
                store_turned(u + p * plane + in * PANEL + j, PANEL, points[0][p], points[1][p], points[2][p],
                             points[3][p]);
        }
    }
}
