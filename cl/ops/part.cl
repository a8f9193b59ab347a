/* part.cl -- parts of a batch added up, or put side by side, in place, and taken out again; see the host
 * file. random[3] is the part's first sample.  The first part overwrites, so that nothing need be cleared and
 * what is not finite does not stay.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef SUM_STORE
#define SUM_STORE STORE_F32
#endif
#ifndef WHOLE_STORE
#define WHOLE_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef RANDOM_STORE
#define RANDOM_STORE STORE_I32
#endif

__kernel void part_add(TENSOR_OUT(SUM_STORE, sum), TENSOR_IN(X_STORE, x), TENSOR_IN(RANDOM_STORE, random),
                       const int count, const float scale)
{
    TENSOR_BEGIN(sum);
    TENSOR_BEGIN(x);
    const bool first = random[random_offset + 3] == 0;
    FOR_VECTORS(i, count)
    {
        floatv v = scale * LOAD_VEC(X_STORE, x, i);
        if (!first) v += LOAD_VEC(SUM_STORE, sum, i);
        STORE_VEC(SUM_STORE, v, sum, i);
    }
}

/* x of `count` elements, `sample` for each sample, into `whole` of `samples`. */
__kernel void part_put(TENSOR_OUT(WHOLE_STORE, whole), TENSOR_IN(X_STORE, x), TENSOR_IN(RANDOM_STORE, random),
                       const int count, const int sample, const int samples)
{
    TENSOR_BEGIN(whole);
    TENSOR_BEGIN(x);
    const long first = (long)random[random_offset + 3] * sample;
    const int end = first >= 0 && first + count <= (long)samples * sample ? count : 0;
    FOR_VECTORS(i, end)
    {
        if (i + VEC <= end)
            STORE_VEC(WHOLE_STORE, LOAD_VEC(X_STORE, x, i), whole, first + i);
        else
            for (int e = i; e < end; ++e) STORE(WHOLE_STORE, LOAD(X_STORE, x, e), whole, first + e);
    }
}

/* The other way: x of `count` elements from `whole`; zeros where it has none. */
__kernel void part_get(TENSOR_OUT(X_STORE, x), TENSOR_IN(WHOLE_STORE, whole), TENSOR_IN(RANDOM_STORE, random),
                       const int count, const int sample, const int samples)
{
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(whole);
    const long first = (long)random[random_offset + 3] * sample;
    const bool inside = first >= 0 && first + count <= (long)samples * sample;
    FOR_VECTORS(i, count)
    {
        if (inside && i + VEC <= count)
            STORE_VEC(X_STORE, LOAD_VEC(WHOLE_STORE, whole, first + i), x, i);
        else
            for (int e = i; e < count && e < i + VEC; ++e)
                STORE(X_STORE, inside ? LOAD(WHOLE_STORE, whole, first + e) : 0.0f, x, e);
    }
}
