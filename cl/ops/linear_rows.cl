/* linear_rows.cl -- a linear layer of few rows, as in decoding, with what stands around it in a block:
 *   y[p, b] = act(norm(x[b]) W_p^T + bias_p) + residual[b]      for up to three weights W_p of one size
 * norm is layer normalisation.  Weights are read once; the order of each sum depends on k, VEC and LANES
 * alone, never on how many rows there are, so that a picture is the same drawn alone or among others. A group
 * owns a stretch of columns, COLUMNS at a time; its LANES share k.  It normalises its rows once, if they fit.
 * Rows are the inner loop, so that those after the first find the weights in the nearest cache.
 * SPDX-License-Identifier: MIT */
/* Nothing is fused that is not written so: Intel's compiler otherwise fuses one blocking of rows unlike
 * another, and a picture would differ in its last bits between batches.  The pragma rules what comes after
 * it, so it stands before the headers. */
#pragma OPENCL FP_CONTRACT OFF
#include "activation.clh"
#include "common.clh"
#include "reduce.clh"

#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#include "row_statistics.clh"
#ifndef W_STORE
#define W_STORE STORE_F32
#endif
#ifndef B_STORE
#define B_STORE STORE_F32
#endif
#ifndef GAIN_STORE
#define GAIN_STORE STORE_F32
#endif
#ifndef RESIDUAL_STORE
#define RESIDUAL_STORE STORE_F32
#endif
#ifndef ROWS
#define ROWS 1 /* rows of x summed together */
#endif
#ifndef COLUMNS
#define COLUMNS 4 /* columns of y summed together: so many streams of weights */
#endif
#ifndef DEPTH
#define DEPTH 1 /* sums of one element side by side along k: fewer streams than columns, as many in flight */
#endif
#ifndef NORM
#define NORM 0
#endif
#ifndef BIAS
#define BIAS 0
#endif
#ifndef RESIDUAL
#define RESIDUAL 0
#endif
#ifndef ACTIVATION
#define ACTIVATION 0
#endif
#ifndef SLAB
#define SLAB 32 /* rows of a slab: weights are read once for so many */
#endif
#ifndef KEPT
#define KEPT 0 /* LANES 1: elements of SLAB normalised rows that a group keeps; 0: normalised wherever read */
#endif
#if LANES > 1
#define SHARED __local
#define GROUP_BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#else
#define SHARED
#define GROUP_BARRIER()
#endif

#if defined(FP_FAST_FMAF) || defined(__FMA__)
#define MULTIPLY_ADD(a, b, c) fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

#define NORMALISED(load, row, i, mean, rate) \
    ((load(X_STORE, row, i) - (mean)) * (rate) * load(GAIN_STORE, gain, i) + load(GAIN_STORE, shift, i))

/* Elements of x as the products see them. */
#if KEPT
#define SEEN_VEC(r, i) VLOAD_F32(kept + kept_row[r], i)
#define SEEN(r, i) kept[kept_row[r] + (i)]
#elif NORM
#define SEEN_VEC(r, i) NORMALISED(LOAD_VEC, rows[r], i, mean[r], scale[r])
#define SEEN(r, i) NORMALISED(LOAD, rows[r], i, mean[r], scale[r])
#else
#define SEEN_VEC(r, i) LOAD_VEC(X_STORE, rows[r], i)
#define SEEN(r, i) LOAD(X_STORE, rows[r], i)
#endif

/* A processor foresees a stream only to the end of a page, which comes every few rows.  PoCL has no body for
 * prefetch(), and past the last weights this one does nothing. */
#define AHEAD (8192 / (int)sizeof(ELEMENT(W_STORE)))
#if defined(POCL_DEVICE_ADDRESS_BITS) && LANES == 1
#define FETCH_AHEAD(p) __builtin_prefetch(p, 0, 3)
#else
#define FETCH_AHEAD(p)
#endif

/* The products of VEC elements from element i of k on, added to the d-th sums. */
#define ADD_PRODUCTS(i, d) \
    { \
        floatv weights[COLUMNS]; \
        UNROLLED for (int j = 0; j < COLUMNS; ++j) weights[j] = LOAD_VEC(W_STORE, columns[j], i); \
        UNROLLED for (int j = 0; j < COLUMNS; ++j) FETCH_AHEAD(columns[j] + AHEAD + (i)); \
        UNROLLED for (int r = 0; r < ROWS; ++r) \
        { \
            const floatv v = SEEN_VEC(r, i); \
            UNROLLED for (int j = 0; j < COLUMNS; ++j) \
                sum[r][j * DEPTH + (d)] = MULTIPLY_ADD(v, weights[j], sum[r][j * DEPTH + (d)]); \
        } \
    }

static inline float finish(float v, const float bias, const float residual)
{
    if (BIAS) v += bias;
    v = ACTIVATE_ONE(ACTIVATION, v);
    if (RESIDUAL) v += residual;
    return v;
}

#define STORE_ELEMENT(total, row, column) \
    do { \
        const long at = (long)(row) * n + (column); \
        STORE(Y_STORE, \
              finish(total, BIAS ? LOAD(B_STORE, bias, column) : 0.0f, \
                     RESIDUAL ? LOAD(RESIDUAL_STORE, residual, at) : 0.0f), \
              y, (long)which *m * n + at); \
    } while (0)

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void linear_rows(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), TENSOR_IN(W_STORE, w0), TENSOR_IN(W_STORE, w1),
                 TENSOR_IN(W_STORE, w2), TENSOR_IN(B_STORE, b0), TENSOR_IN(B_STORE, b1), TENSOR_IN(B_STORE, b2),
                 TENSOR_IN(GAIN_STORE, gain), TENSOR_IN(GAIN_STORE, shift), TENSOR_IN(RESIDUAL_STORE, residual),
                 const int m, const int n, const int k, const int blocks, const int each, const float epsilon)
{
#if LANES > 1
    __local float parts[ROWS * COLUMNS * LANES];
#endif
#if NORM
    REDUCE_DECLARE(scratch);
#if KEPT
    float kept[KEPT];
#else
    SHARED float means[SLAB], scales[SLAB];
#endif
#endif
    const int lane = (int)get_local_id(0), per_weight = (n + COLUMNS - 1) / COLUMNS;
    const int begin = (int)get_group_id(0) * each, end = min(begin + each, blocks), whole = ROW_WHOLE(k);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(gain);
    TENSOR_BEGIN(shift);
    TENSOR_BEGIN(residual);

    for (int slab = 0; slab < m; slab += SLAB) {
        const int slab_end = min(slab + SLAB, m);
#if NORM
        for (int row = slab; row < slab_end; ++row) {
            __global const ELEMENT(X_STORE) *from = x + (long)row * k;
            const float2 statistics = row_statistics(from, k, epsilon PASS_SCRATCH(scratch));
            const float middle = statistics.x, rate = statistics.y;
#if KEPT
            const int at = (row - slab) * k;
            FOR_ROW_VECTORS(i, k) VSTORE_F32(NORMALISED(LOAD_VEC, from, i, middle, rate), kept + at, i);
            FOR_ROW_REST(i, k) kept[at + i] = NORMALISED(LOAD, from, i, middle, rate);
#else
            if (lane == 0) {
                means[row - slab] = middle;
                scales[row - slab] = rate;
            }
#endif
        }
        GROUP_BARRIER();
#endif
        for (int block = begin; block < end; ++block) {
            const int which = block / per_weight, first = block % per_weight * COLUMNS;
            __global const ELEMENT(W_STORE) *w = which == 0   ? w0 + w0_offset
                                                 : which == 1 ? w1 + w1_offset
                                                              : w2 + w2_offset;
            __global const ELEMENT(B_STORE) *bias = which == 0   ? b0 + b0_offset
                                                    : which == 1 ? b1 + b1_offset
                                                                 : b2 + b2_offset;
            __global const ELEMENT(W_STORE) * columns[COLUMNS];
            UNROLLED for (int j = 0; j < COLUMNS; ++j) columns[j] = w + (long)min(first + j, n - 1) * k;

            for (int top = slab; top < slab_end; top += ROWS) {
                __global const ELEMENT(X_STORE) * rows[ROWS];
                UNROLLED for (int r = 0; r < ROWS; ++r) rows[r] = x + (long)min(top + r, m - 1) * k;
#if KEPT
                int kept_row[ROWS];
                UNROLLED for (int r = 0; r < ROWS; ++r) kept_row[r] = (min(top + r, slab_end - 1) - slab) * k;
#elif NORM
                float mean[ROWS], scale[ROWS];
                UNROLLED for (int r = 0; r < ROWS; ++r)
                {
                    mean[r] = means[min(top + r, slab_end - 1) - slab];
                    scale[r] = scales[min(top + r, slab_end - 1) - slab];
                }
#endif
                floatv sum[ROWS][COLUMNS * DEPTH];
                UNROLLED for (int r = 0; r < ROWS; ++r)
                {
                    UNROLLED for (int j = 0; j < COLUMNS * DEPTH; ++j) sum[r][j] = (floatv)(0.0f);
                }
                int at_k = lane * VEC;
#if DEPTH > 1
                for (; at_k + (DEPTH - 1) * LANES * VEC < whole; at_k += DEPTH * LANES * VEC) {
                    UNROLLED for (int d = 0; d < DEPTH; ++d) ADD_PRODUCTS(at_k + d * LANES * VEC, d)
                }
#endif
                for (; at_k < whole; at_k += LANES * VEC) ADD_PRODUCTS(at_k, 0)

                UNROLLED for (int r = 0; r < ROWS; ++r)
                {
                    UNROLLED for (int j = 0; j < COLUMNS; ++j)
                    {
                        floatv deep = sum[r][j * DEPTH];
                        UNROLLED for (int d = 1; d < DEPTH; ++d) deep += sum[r][j * DEPTH + d];
                        float total = vector_sum(deep);
                        for (int i = whole + lane; i < k; i += LANES)
                            total = MULTIPLY_ADD(SEEN(r, i), LOAD(W_STORE, columns[j], i), total);
#if LANES > 1
                        parts[(r * COLUMNS + j) * LANES + lane] = total;
#else
                        if (top + r < slab_end && first + j < n) STORE_ELEMENT(total, top + r, first + j);
#endif
                    }
                }
#if LANES > 1
                barrier(CLK_LOCAL_MEM_FENCE);
                for (int e = lane; e < ROWS * COLUMNS; e += LANES) {
                    float total = 0.0f;
                    for (int l = 0; l < LANES; ++l) total += parts[e * LANES + l];
                    if (top + e / COLUMNS < slab_end && first + e % COLUMNS < n)
                        STORE_ELEMENT(total, top + e / COLUMNS, first + e % COLUMNS);
                }
                barrier(CLK_LOCAL_MEM_FENCE);
#endif
            }
        }
        GROUP_BARRIER();
    }
}
