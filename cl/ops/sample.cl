/* sample.cl -- draws one token per row of x [rows, columns]; a work-group owns one row.  The order of
 * temperature, top-k, top-p and the draw, and the rules for ties, stand in host/ops/sample.c.
 *
 * Nothing is sorted.  Floats are mapped to unsigned keys of the same order, and the largest key whose
 * followers are enough (k of them, or p of the weight) is found two bits at a time; of the elements that
 * equal it, the first ones in index order are kept.  Each pass adds up in a fixed order.
 * weights: exp((x - max) / temperature), 0 for what is not kept.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "random.clh"
#include "reduce.clh"

#ifndef IDS_STORE
#define IDS_STORE STORE_I32
#endif
#ifndef WEIGHTS_STORE
#define WEIGHTS_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef SETTINGS_STORE
#define SETTINGS_STORE STORE_F32
#endif
#ifndef RANDOM_STORE
#define RANDOM_STORE STORE_I32
#endif
#ifndef POSITION_STORE
#define POSITION_STORE STORE_I32
#endif

#if LANES == 1
#define SCRATCH float
#define GROUP_BARRIER()
#else
#define SCRATCH __local float
#define GROUP_BARRIER() barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#endif

typedef __global const ELEMENT(X_STORE) *row_of_x;
typedef __global float *row_of_weights;

/* Larger floats have larger keys; -0 counts as 0. */
static inline int key_of(const float v)
{
    const int bits = as_int(v + 0.0f);
    return bits ^ (bits >> 31 & 0x7fffffff);
}

static inline intv keys_of(const floatv v)
{
    const intv bits = AS_INTV(v + 0.0f);
    return bits ^ (bits >> 31 & 0x7fffffff);
}

/* This lane's share of the elements with a key of at least `least`: their weight, or their number (in a
 * float, which is exact up to 2^24). */
static float share_from(row_of_x x, row_of_weights weights, const int columns, const bool weigh, const int least)
{
    floatv sum = (floatv)(0.0f);
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv each = weigh ? VLOAD_F32(weights, i) : (floatv)(1.0f);
        sum += keys_of(LOAD_VEC(X_STORE, x, i)) >= least ? each : (floatv)(0.0f);
    }
    FOR_ROW_REST(i, columns)
    {
        const float each = weigh ? weights[i] : 1.0f;
        rest += key_of(LOAD(X_STORE, x, i)) >= least ? each : 0.0f;
    }
    return vector_sum(sum) + rest;
}

/* Keeps the largest elements until their weight, or number, reaches `target`; the others' weights become 0. */
static void keep_largest(row_of_x x, row_of_weights weights, const int columns, const bool weigh,
                         const float target, SCRATCH *scratch)
{
    /* The largest key that still has enough; keys are walked as unsigned numbers from the top bits down. */
    uint found = 0;
    for (int shift = 30; shift >= 0; shift -= 2) {
        uint digit = 0;
        for (uint next = 1; next < 4; ++next) {
            const int least = as_int((found | next << shift) ^ 0x80000000u);
            if (reduce_sum(share_from(x, weights, columns, weigh, least), scratch) < target) break;
            digit = next;
        }
        found |= digit << shift;
    }
    const int least = as_int(found ^ 0x80000000u);
    float above = 0.0f, above_count = 0.0f;
    if (least < INT_MAX) {
        above = reduce_sum(share_from(x, weights, columns, weigh, least + 1), scratch);
        above_count = reduce_sum(share_from(x, weights, columns, false, least + 1), scratch);
    }
    const float equal = reduce_sum(share_from(x, weights, columns, false, least), scratch) - above_count;

    /* Of the elements at that key, the first `ties` are kept; they all weigh the same. */
    float weight = 1.0f;
    if (weigh) {
        float own = 0.0f;
        for (int i = (int)get_local_id(0); i < columns; i += LANES)
            if (key_of(LOAD(X_STORE, x, i)) == least) own = fmax(own, weights[i]);
        weight = reduce_max(own, scratch);
    }
    float ties = fmax(ceil((target - above) / weight), 1.0f);
    for (int i = (int)get_local_id(0); i < columns; i += LANES)
        if (key_of(LOAD(X_STORE, x, i)) < least) weights[i] = 0.0f;
    GROUP_BARRIER();
    if (ties < equal && get_local_id(0) == 0)
        for (int i = 0; i < columns; ++i)
            if (key_of(LOAD(X_STORE, x, i)) == least && --ties < 0.0f) weights[i] = 0.0f;
    GROUP_BARRIER();
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sample(TENSOR_OUT(IDS_STORE, ids), TENSOR_OUT(WEIGHTS_STORE, weights), TENSOR_IN(X_STORE, x),
            TENSOR_IN(SETTINGS_STORE, settings), TENSOR_IN(RANDOM_STORE, random),
            TENSOR_IN(POSITION_STORE, position), const int columns, const uint stream)
{
#if LANES == 1
    float *scratch = 0;
    float part[1];
#else
    __local float scratch[LANES], part[LANES];
#endif
    TENSOR_BEGIN(ids);
    TENSOR_BEGIN(settings);
    TENSOR_BEGIN(random);
    const int row = (int)get_group_id(0), lane = (int)get_local_id(0);
    x += x_offset + (long)row * columns;
    weights += weights_offset + (long)row * columns;
    const float temperature = settings[0], top_k = settings[1], top_p = settings[2];

    float most = -INFINITY;
    for (int i = lane; i < columns; i += LANES) most = fmax(most, LOAD(X_STORE, x, i));
    const float top = reduce_max(most, scratch);
    if (!(temperature > 0.0f)) {
        float last = -INFINITY; /* minus the lowest index */
        for (int i = lane; i < columns; i += LANES)
            if (LOAD(X_STORE, x, i) == top) last = fmax(last, -convert_float(i));
        last = reduce_max(last, scratch);
        if (lane == 0) ids[row] = last == -INFINITY ? 0 : convert_int(-last);
        return;
    }
    const float rate = 1.0f / temperature;
    FOR_ROW_VECTORS(i, columns) VSTORE_F32(exp((LOAD_VEC(X_STORE, x, i) - top) * rate), weights, i);
    FOR_ROW_REST(i, columns) weights[i] = exp((LOAD(X_STORE, x, i) - top) * rate);
    GROUP_BARRIER();

    if (top_k >= 1.0f && top_k < convert_float(columns))
        keep_largest(x, weights, columns, false, floor(top_k), scratch);
    if (top_p < 1.0f) {
        const float whole = reduce_sum(share_from(x, weights, columns, true, INT_MIN), scratch);
        keep_largest(x, weights, columns, true, fmax(top_p * whole, 1e-30f), scratch);
    }

    /* Each lane adds up one stretch; lane 0 finds the stretch, then the element. */
    const int each = (columns + LANES - 1) / LANES;
    float sum = 0.0f;
    for (int i = lane * each; i < min((lane + 1) * each, columns); ++i) sum += weights[i];
    part[lane] = sum;
    GROUP_BARRIER();
    if (lane == 0) {
        float whole = 0.0f;
        for (int l = 0; l < LANES; ++l) whole += part[l];
        const uint draw_stream = stream + as_uint(random[3]) + (uint)row;
        const uint element = as_uint(position[position_offset]);
        const float target = philox_uniform(philox_begin(random, draw_stream), element) * whole;
        float before = 0.0f;
        int found = -1;
        for (int l = 0; l < LANES && found < 0; ++l) {
            if (before + part[l] > target) {
                float run = 0.0f;
                for (int i = l * each; i < min((l + 1) * each, columns) && found < 0; ++i) {
                    run += weights[i];
                    if (before + run > target) found = i;
                }
            }
            before += part[l];
        }
        ids[row] = found < 0 ? 0 : found; /* only where logits are not numbers */
    }
}
