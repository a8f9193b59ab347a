/* gemm_descs.h -- descriptors of products, and what they read and should give, for tests.
 * To be included by one test after cmocka.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_GEMM_DESCS_H
#define DALLE_CL_TESTS_GEMM_DESCS_H

#include "host/base/philox.h"
#include "host/ops/cases/gemm_reference.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static inline gemm_array array_make(dtype type, int64_t count, uint32_t stream)
{
    gemm_array h = { type, count, malloc((size_t)(count + 16) * dtype_bytes(type)) };
    assert_non_null(h.bytes);
    const philox p = { 7, 0, stream };
    for (int64_t i = 0; i < count + 16; ++i)
        dtype_store(type, h.bytes, i, 2.0f * philox_uniform(&p, (uint32_t)i) - 1.0f);
    return h;
}

/* Writes C and the pre-activation as doubles, at their elements' places; places outside C stay NaN. */
static inline void reference(const gemm_desc *s, const gemm_array arrays[GEMM_ARRAYS], double *c, double *pre)
{
    for (int64_t z = 0; z < s->batch[0] * s->batch[1]; ++z)
        for (int64_t i = 0; i < s->m; ++i)
            for (int64_t j = 0; j < s->n; ++j) {
                const gemm_element e = gemm_reference_element(s, arrays, z, i, j);
                pre[e.at] = e.before;
                c[e.at] = e.value;
            }
}

typedef enum layout { ROWS, COLUMNS, SPACED } layout; /* row-major, column-major, gaps in both directions */

static inline gemm_operand matrix(dtype type, layout how, int64_t rows, int64_t columns)
{
    gemm_operand o = { .type = type };
    if (how == ROWS) {
        o.row = columns;
        o.column = 1;
    } else if (how == COLUMNS) {
        o.row = 1;
        o.column = rows;
    } else {
        o.row = 2 * columns + 3;
        o.column = 2;
    }
    return o;
}

static inline gemm_desc plain_desc(int64_t m, int64_t n, int64_t k, dtype type)
{
    gemm_desc s = { .m = m, .n = n, .k = k, .batch = { 1, 1 }, .alpha = 1.0f, .bias_type = DTYPE_F32 };
    s.a = matrix(type, ROWS, m, k);
    s.b = matrix(type, ROWS, k, n);
    s.c = matrix(type, ROWS, m, n);
    return s;
}

static inline gemm_operand image(dtype type, int kernel, int height, int width, int channels)
{
    return (gemm_operand){ .type = type, .image = gemm_image_same(kernel, height, width, channels) };
}

#endif
