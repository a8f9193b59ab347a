/* plain.cl -- matrix multiplication, one element of C a work-item: any strides, any device.
 * The oracle the faster kernels are tested against and the last fallback.
 * Launch: (n, m, batches), groups of GROUP along n; sums run over k in order.
 * SPDX-License-Identifier: MIT */
#include "gemm.clh"

#ifndef GROUP
#define GROUP 1 /* work-items in a group; neighbours read neighbouring columns of B */
#endif

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
gemm_plain(TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), END_ARGUMENTS, const int m, const int n, const int k,
           const int batch1, const float alpha, const long a_row, const long a_column, const long a_batch0, const long a_batch1,
           const long b_row, const long b_column, const long b_batch0, const long b_batch1, const long c_row,
           const long c_column, const long c_batch0, const long c_batch1, const int a_height,
           const int a_width, const int a_channels, const int b_height, const int b_width,
           const int b_channels)
{
    const int column = (int)get_global_id(0), row = (int)get_global_id(1);
    const int batch_outer = (int)get_global_id(2) / batch1, batch_inner = (int)get_global_id(2) % batch1;
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    END_BEGIN;
    a += batch_outer * a_batch0 + batch_inner * a_batch1;
    b += batch_outer * b_batch0 + batch_inner * b_batch1;
    if (column >= n || row >= m) return;

    float sum = 0.0f;
    for (int i = 0; i < k; ++i) {
#if A_KERNEL
        const long a_at = IMAGE_INDEX(A, row, i, a_height, a_width, a_channels);
        const float x = a_at < 0 ? 0.0f : LOAD(A_STORE, a, a_at);
#else
        const float x = LOAD(A_STORE, a, row * a_row + i * a_column);
#endif
#if B_KERNEL
        const long b_at = IMAGE_INDEX(B, i, column, b_height, b_width, b_channels);
        const float y = b_at < 0 ? 0.0f : LOAD(B_STORE, b, b_at);
#else
        const float y = LOAD(B_STORE, b, i * b_row + column * b_column);
#endif
        sum = MULTIPLY_ADD(x, y, sum);
    }
    const long at = batch_outer * c_batch0 + batch_inner * c_batch1 + row * c_row + column * c_column;
    FINISH_ELEMENT(sum, at, column);
}
