/* products.c -- a stand-in for cuBLASLt: matrices by columns, loops as they are written down, sums in double.
 * It is as choosy as the library: a bias must lie at a multiple of 16 bytes, and pointers as far as was said.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/double.h"
#include "host/base/dtype.h"

#include <stdlib.h>
#include <string.h>

enum { ALLOC_FAILED = 3, INVALID_VALUE = 7 };

struct lt_handle {
    int unused;
};
struct lt_layout {
    int type;
    uint64_t rows, columns;
    int64_t ld, stride;
    int32_t batches;
};
struct lt_product {
    int32_t transpose[2], end, bias_type;
    const void *bias;
};
struct lt_preference {
    size_t workspace;
    uint32_t aligned[4];
};

#define MAKE(made) \
    do { \
        *(made) = calloc(1, sizeof **(made)); \
        if (!*(made)) return ALLOC_FAILED; \
        double_made(1); \
    } while (0)

static int give_back(void *of, const char *call)
{
    free(of);
    double_made(-1);
    return double_status(call);
}

DOUBLE_EXPORT int cublasLtCreate(lt_handle *made)
{
    DOUBLE_MAY_FAIL(cublasLtCreate);
    MAKE(made);
    return LT_SUCCESS;
}

DOUBLE_EXPORT int cublasLtDestroy(lt_handle of)
{
    return give_back(of, "cublasLtDestroy");
}

/* ---- Descriptions ---- */

DOUBLE_EXPORT int cublasLtMatrixLayoutCreate(lt_layout *made, int type, uint64_t rows, uint64_t columns,
                                             int64_t ld)
{
    DOUBLE_MAY_FAIL(cublasLtMatrixLayoutCreate);
    if (ld < (int64_t)rows || rows == 0 || columns == 0) return INVALID_VALUE;
    MAKE(made);
    **made = (struct lt_layout){ type, rows, columns, ld, 0, 1 };
    return LT_SUCCESS;
}

DOUBLE_EXPORT int cublasLtMatrixLayoutDestroy(lt_layout of)
{
    return give_back(of, "cublasLtMatrixLayoutDestroy");
}

DOUBLE_EXPORT int cublasLtMatrixLayoutSetAttribute(lt_layout of, int what, const void *value, size_t bytes)
{
    DOUBLE_MAY_FAIL(cublasLtMatrixLayoutSetAttribute);
    if (what == LT_LAYOUT_BATCHES && bytes == sizeof of->batches)
        memcpy(&of->batches, value, bytes);
    else if (what == LT_LAYOUT_STRIDE && bytes == sizeof of->stride)
        memcpy(&of->stride, value, bytes);
    else
        return INVALID_VALUE;
    return LT_SUCCESS;
}

DOUBLE_EXPORT int cublasLtMatmulDescCreate(lt_product *made, int compute, int scale)
{
    DOUBLE_MAY_FAIL(cublasLtMatmulDescCreate);
    if (compute != LT_COMPUTE_F32 || scale != LT_F32) return INVALID_VALUE;
    MAKE(made);
    return LT_SUCCESS;
}

DOUBLE_EXPORT int cublasLtMatmulDescDestroy(lt_product of)
{
    return give_back(of, "cublasLtMatmulDescDestroy");
}

DOUBLE_EXPORT int cublasLtMatmulDescSetAttribute(lt_product of, int what, const void *value, size_t bytes)
{
    DOUBLE_MAY_FAIL(cublasLtMatmulDescSetAttribute);
    void *to = what == LT_PRODUCT_TRANSPOSE_A   ? (void *)&of->transpose[0]
               : what == LT_PRODUCT_TRANSPOSE_B ? (void *)&of->transpose[1]
               : what == LT_PRODUCT_EPILOGUE    ? (void *)&of->end
               : what == LT_PRODUCT_BIAS_TYPE   ? (void *)&of->bias_type
               : what == LT_PRODUCT_BIAS        ? (void *)&of->bias
                                                : NULL;
    if (!to || bytes != (what == LT_PRODUCT_BIAS ? sizeof of->bias : sizeof of->end)) return INVALID_VALUE;
    memcpy(to, value, bytes);
    return LT_SUCCESS;
}

DOUBLE_EXPORT int cublasLtMatmulPreferenceCreate(lt_preference *made)
{
    DOUBLE_MAY_FAIL(cublasLtMatmulPreferenceCreate);
    MAKE(made);
    for (int i = 0; i < 4; ++i) (*made)->aligned[i] = 256;
    return LT_SUCCESS;
}

DOUBLE_EXPORT int cublasLtMatmulPreferenceDestroy(lt_preference of)
{
    return give_back(of, "cublasLtMatmulPreferenceDestroy");
}

DOUBLE_EXPORT int cublasLtMatmulPreferenceSetAttribute(lt_preference of, int what, const void *value,
                                                       size_t bytes)
{
    DOUBLE_MAY_FAIL(cublasLtMatmulPreferenceSetAttribute);
    const int operand = what - LT_PREFERENCE_ALIGNMENT_A;
    if (what == LT_PREFERENCE_WORKSPACE && bytes == sizeof of->workspace)
        memcpy(&of->workspace, value, bytes);
    else if (operand >= 0 && operand < 4 && bytes == sizeof *of->aligned)
        memcpy(&of->aligned[operand], value, bytes);
    else
        return INVALID_VALUE;
    return LT_SUCCESS;
}

/* ---- Choosing ---- */

static bool shapes_fit(const struct lt_product *p, const struct lt_layout *a, const struct lt_layout *b,
                       const struct lt_layout *c)
{
    const uint64_t m = p->transpose[0] ? a->columns : a->rows, k = p->transpose[0] ? a->rows : a->columns,
                   n = p->transpose[1] ? b->rows : b->columns, other = p->transpose[1] ? b->columns : b->rows;
    return m == c->rows && n == c->columns && k == other && a->type == b->type &&
           (c->type == a->type || c->type == LT_F32) && a->batches == c->batches && b->batches == c->batches;
}

/* The algorithm keeps how far pointers were said to be aligned. */
DOUBLE_EXPORT int cublasLtMatmulAlgoGetHeuristic(lt_handle with, lt_product what, lt_layout a, lt_layout b,
                                                 lt_layout c, lt_layout d, lt_preference how, int most,
                                                 lt_result *results, int *count)
{
    DOUBLE_MAY_FAIL(cublasLtMatmulAlgoGetHeuristic);
    *count = 0;
    if (!with || most < 1 || c != d || !shapes_fit(what, a, b, c)) return INVALID_VALUE;
    const bool bias = what->end & LT_EPILOGUE_BIAS;
    if (bias && ((uintptr_t)what->bias % 16 != 0 || what->bias_type != c->type)) return LT_NOT_SUPPORTED;
    memset(results, 0, sizeof *results);
    for (int i = 0; i < 3; ++i) results->algorithm.data[i] = how->aligned[i];
    results->algorithm.data[3] = how->workspace;
    *count = 1;
    return LT_SUCCESS;
}

/* ---- Multiplying ---- */

typedef struct call {
    struct lt_product what;
    struct lt_layout layout[3];
    void *at[3];
    float alpha, beta;
} call;

static dtype type_of(int type)
{
    return type == LT_F16 ? DTYPE_F16 : type == LT_BF16 ? DTYPE_BF16 : DTYPE_F32;
}

static double element(const call *c, int operand, int32_t batch, uint64_t row, uint64_t column)
{
    const struct lt_layout *l = &c->layout[operand];
    const bool turned = operand < 2 && c->what.transpose[operand];
    const uint64_t down = turned ? column : row, across = turned ? row : column;
    return (double)dtype_load(type_of(l->type), c->at[operand],
                              batch * l->stride + (int64_t)down + (int64_t)across * l->ld);
}

static void multiply(void *data)
{
    const call *c = data;
    const struct lt_layout *out = &c->layout[2];
    const uint64_t depth = c->what.transpose[0] ? c->layout[0].rows : c->layout[0].columns;
    for (int32_t batch = 0; batch < out->batches; ++batch)
        for (uint64_t j = 0; j < out->columns; ++j)
            for (uint64_t i = 0; i < out->rows; ++i) {
                double sum = 0;
                for (uint64_t k = 0; k < depth; ++k)
                    sum += element(c, 0, batch, i, k) * element(c, 1, batch, k, j);
                sum *= (double)c->alpha;
                if (c->beta != 0) sum += (double)c->beta * element(c, 2, batch, i, j);
                if (c->what.end & LT_EPILOGUE_BIAS)
                    sum += (double)dtype_load(type_of(c->what.bias_type), c->what.bias, (int64_t)i);
                if (c->what.end & LT_EPILOGUE_RELU && sum < 0) sum = 0;
                dtype_store(type_of(out->type), c->at[2],
                            batch * out->stride + (int64_t)i + (int64_t)j * out->ld, (float)sum);
            }
}

DOUBLE_EXPORT int cublasLtMatmul(lt_handle with, lt_product what, const void *alpha, const void *a,
                                 lt_layout a_layout, const void *b, lt_layout b_layout, const void *beta,
                                 const void *c, lt_layout c_layout, void *d, lt_layout d_layout,
                                 const lt_algorithm *by, void *workspace, size_t bytes, cu_stream on)
{
    DOUBLE_MAY_FAIL(cublasLtMatmul);
    call made = { .what = *what,
                  .layout = { *a_layout, *b_layout, *c_layout },
                  .at = { (void *)(uintptr_t)a, (void *)(uintptr_t)b, d },
                  .alpha = *(const float *)alpha,
                  .beta = *(const float *)beta };
    if (!with || c != d || c_layout != d_layout || !workspace || bytes < by->data[3]) return INVALID_VALUE;
    for (int i = 0; i < 3; ++i)
        if ((uintptr_t)made.at[i] % by->data[i] != 0) return INVALID_VALUE;
    return double_enqueue(on, multiply, &made, sizeof made);
}
