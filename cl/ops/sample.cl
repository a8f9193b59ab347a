/* sample.cl -- draws one token per row of x [rows, columns]; a work-group owns one row.  With HISTORY, the
 * token also becomes element `position` of the row's history [length, rows], and the entropy of softmax(x),
 * in nats, that of entropies [length, rows].  With GUIDED, x has two rows for each row here, what the caption
 * says (whose entropy it is) and what is said without it; ids gets the token twice.  The order of
 * temperature, top-k, top-p and the draw, and the rules for ties, stand in host/ops/sample.c.
 *
 * Nothing is sorted.  Floats are mapped to unsigned keys of the same order, and the largest key whose
 * followers are enough (k of them, or p of the weight) is found two bits at a time; of the elements that
 * equal it, the first ones in index order are kept.  Each pass adds up in a fixed order.
 * weights: exp((z - max) / temperature), 0 for what is not kept; with GUIDED a row's z are kept behind them,
 * so that every look at them sees the same bits.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "random.clh"
#include "reduce.clh"

#ifndef IDS_STORE
#define IDS_STORE STORE_I32
#endif
#ifndef HISTORY_STORE
#define HISTORY_STORE STORE_I32
#endif
#ifndef ENTROPIES_STORE
#define ENTROPIES_STORE STORE_F32
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
#ifndef HISTORY
#define HISTORY 0 /* 1: the tokens drawn so far are kept, and their entropies */
#endif
#ifndef GUIDED
#define GUIDED 0 /* 1: z = without + guidance (with - without), for two rows of x each */
#endif
#if GUIDED
#define Z_STORE STORE_F32
#else
#define Z_STORE X_STORE
#endif

#if LANES == 1
#define GROUP_BARRIER()
#else
#define GROUP_BARRIER() barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#endif

/* Larger floats have larger keys; -0 counts as 0.  (v + 0.0f would turn -0 into 0, but Mesa drops it.) */
static inline int key_of(const float v)
{
    const int bits = as_int(v), key = bits ^ (bits >> 31 & 0x7fffffff);
    return key == -1 ? 0 : key;
}

static inline intv keys_of(const floatv v)
{
    const intv bits = AS_INTV(v), key = bits ^ (bits >> 31 & 0x7fffffff);
    return select(key, (intv)(0), key == -1);
}

/* The weights of elements i .. i + VEC - 1, or ones. */
#define EACH(weigh, i) ((weigh) ? VLOAD_F32(weights, i) : (floatv)(1.0f))

/* The largest element of a row, for every lane. */
#define LARGEST(store, from, result)                                                              \
    floatv result##_most = (floatv)(-INFINITY);                                                  \
    float result##_rest = -INFINITY;                                                             \
    FOR_ROW_VECTORS(i, columns) result##_most = fmax(result##_most, LOAD_VEC(store, from, i));    \
    FOR_ROW_REST(i, columns) result##_rest = fmax(result##_rest, LOAD(store, from, i));           \
    const float result = reduce_max(fmax(vector_max(result##_most), result##_rest), scratch)

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sample(TENSOR_OUT(IDS_STORE, ids), TENSOR_OUT(HISTORY_STORE, history), TENSOR_OUT(ENTROPIES_STORE, entropies),
            TENSOR_OUT(WEIGHTS_STORE, weights), TENSOR_IN(X_STORE, x), TENSOR_IN(SETTINGS_STORE, settings), TENSOR_IN(RANDOM_STORE, random),
            TENSOR_IN(POSITION_STORE, position), const int length, const int columns, const uint stream)
{
    REDUCE_DECLARE(scratch);
#if LANES == 1
    float part[1];
#else
    __local float part[LANES];
#endif
    TENSOR_BEGIN(ids);
    TENSOR_BEGIN(settings);
    TENSOR_BEGIN(random);
    const int row = (int)get_group_id(0), lane = (int)get_local_id(0);
    x += x_offset + (long)row * columns * (1 + GUIDED);
    weights += weights_offset + (long)row * columns * (1 + GUIDED);
    const float temperature = settings[0], top_k = settings[1], top_p = settings[2];
    const bool draws = temperature > 0.0f;
    const float rate = draws ? 1.0f / temperature : 1.0f;
    const floatv none = (floatv)(0.0f);

#if GUIDED
    const float guidance = settings[3];
    __global float *z = weights + columns;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv without = LOAD_VEC(X_STORE, x, i + columns);
        VSTORE_F32(without + guidance * (LOAD_VEC(X_STORE, x, i) - without), z, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float without = LOAD(X_STORE, x, i + columns);
        z[i] = without + guidance * (LOAD(X_STORE, x, i) - without);
    }
    GROUP_BARRIER();
#else
    __global const ELEMENT(X_STORE) *z = x;
#endif

    LARGEST(Z_STORE, z, top);

#if HISTORY
    /* H = log(sum e) - sum(e d) / sum(e), with d = x - max and e = exp(d); where e is 0, so is e d. */
#if GUIDED
    LARGEST(X_STORE, x, peak);
#else
    const float peak = top;
#endif
    floatv sum_e = none, sum_ed = none;
    float rest_e = 0.0f, rest_ed = 0.0f;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv d = fmax(LOAD_VEC(X_STORE, x, i) - peak, -100.0f), e = exp(d);
        sum_e += e;
        sum_ed += e * d;
    }
    FOR_ROW_REST(i, columns)
    {
        const float d = fmax(LOAD(X_STORE, x, i) - peak, -100.0f), e = exp(d);
        rest_e += e;
        rest_ed += e * d;
    }
    const float whole_e = reduce_sum(vector_sum(sum_e) + rest_e, scratch);
    const float whole_ed = reduce_sum(vector_sum(sum_ed) + rest_ed, scratch);
    const float entropy = log(whole_e) - whole_ed / whole_e;
#endif

    float minus_first = -INFINITY; /* minus the lowest index of the largest logit */
    for (int i = lane; i < columns; i += LANES)
        if (LOAD(Z_STORE, z, i) == top) minus_first = fmax(minus_first, -convert_float(i));
    minus_first = reduce_max(minus_first, scratch);

    FOR_ROW_VECTORS(i, columns) VSTORE_F32(exp((LOAD_VEC(Z_STORE, z, i) - top) * rate), weights, i);
    FOR_ROW_REST(i, columns) weights[i] = exp((LOAD(Z_STORE, z, i) - top) * rate);

    /* First top-k, then top-p.  Barriers stay out of branches: what is not asked for scans nothing. */
    for (int mode = 0; mode < 2; ++mode) {
        const bool weigh = mode == 1;
        const bool asked = draws && (weigh ? top_p < 1.0f : top_k >= 1.0f && top_k < convert_float(columns));
        const int scanned = asked ? columns : 0, passes = asked ? 16 : 0;
        GROUP_BARRIER();
        floatv sum = none;
        float rest = 0.0f;
        FOR_ROW_VECTORS(i, scanned) sum += EACH(weigh, i);
        FOR_ROW_REST(i, scanned) rest += weigh ? weights[i] : 1.0f;
        const float whole = reduce_sum(vector_sum(sum) + rest, scratch);
        const float target = weigh ? fmax(top_p * whole, 1e-30f) : floor(top_k);

        /* The largest key from which on there is enough; as an unsigned number, from the top bits down. */
        uint found = 0;
        for (int pass = 0; pass < passes; ++pass) {
            const int shift = 30 - 2 * pass;
            const int least1 = as_int((found | 1u << shift) ^ 0x80000000u);
            const int least2 = as_int((found | 2u << shift) ^ 0x80000000u);
            const int least3 = as_int((found | 3u << shift) ^ 0x80000000u);
            floatv sum1 = none, sum2 = none, sum3 = none;
            float rest1 = 0.0f, rest2 = 0.0f, rest3 = 0.0f;
            FOR_ROW_VECTORS(i, columns)
            {
                const intv key = keys_of(LOAD_VEC(Z_STORE, z, i));
                const floatv each = EACH(weigh, i);
                sum1 += select(none, each, key >= least1);
                sum2 += select(none, each, key >= least2);
                sum3 += select(none, each, key >= least3);
            }
            FOR_ROW_REST(i, columns)
            {
                const int key = key_of(LOAD(Z_STORE, z, i));
                const float each = weigh ? weights[i] : 1.0f;
                rest1 += key >= least1 ? each : 0.0f;
                rest2 += key >= least2 ? each : 0.0f;
                rest3 += key >= least3 ? each : 0.0f;
            }
            const float from1 = reduce_sum(vector_sum(sum1) + rest1, scratch);
            const float from2 = reduce_sum(vector_sum(sum2) + rest2, scratch);
            const float from3 = reduce_sum(vector_sum(sum3) + rest3, scratch);
            const uint digit = from3 >= target ? 3u : from2 >= target ? 2u : from1 >= target ? 1u : 0u;
            found |= digit << shift;
        }
        const int least = as_int(found ^ 0x80000000u);
        GROUP_BARRIER();

        /* What lies above that key, and how many there are at it; these all weigh the same. */
        float above = 0.0f, equal = 0.0f, weight = 0.0f;
        for (int i = lane; i < scanned; i += LANES) {
            const int key = key_of(LOAD(Z_STORE, z, i));
            const float each = weigh ? weights[i] : 1.0f;
            if (key > least) above += each;
            if (key == least) {
                equal += 1.0f;
                weight = fmax(weight, each);
            }
            if (key < least) weights[i] = 0.0f;
        }
        above = reduce_sum(above, scratch);
        equal = reduce_sum(equal, scratch);
        weight = reduce_max(weight, scratch);
        GROUP_BARRIER();
        float ties = fmax(ceil((target - above) / weight), 1.0f);
        if (lane == 0 && asked && ties < equal)
            for (int i = 0; i < columns; ++i)
                if (key_of(LOAD(Z_STORE, z, i)) == least && --ties < 0.0f) weights[i] = 0.0f;
    }
    GROUP_BARRIER();

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
        const int first = minus_first == -INFINITY ? 0 : convert_int(-minus_first);
        float before = 0.0f;
        int found = -1;
        for (int l = 0; l < LANES && found < 0; ++l) {
            float run = 0.0f;
            const bool here = before + part[l] > target;
            for (int i = l * each; here && i < min((l + 1) * each, columns) && found < 0; ++i) {
                run += weights[i];
                if (before + run > target) found = i;
            }
            before += part[l];
        }
        const int drawn = draws && found >= 0 ? found : first; /* found < 0: logits that are not numbers */
#if GUIDED
        ids[2 * row] = ids[2 * row + 1] = drawn;
#else
        ids[row] = drawn;
#endif
#if HISTORY
        const int place = position[position_offset];
        if (place >= 0 && place < length) {
            history[history_offset + (long)place * get_num_groups(0) + row] = drawn;
            entropies[entropies_offset + (long)place * get_num_groups(0) + row] = entropy;
        }
#endif
    }
}
