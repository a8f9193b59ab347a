/* cache_write.cl -- copies x [pairs, tokens, head] into cache [pairs, length, head] from row position[0] on.
 * x may have fewer pairs than the cache: it is repeated (one or two prefilled captions for many pictures).
 * `count` is of the elements written, `given` of x.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef CACHE_STORE
#define CACHE_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef POSITION_STORE
#define POSITION_STORE STORE_I32
#endif

__kernel void cache_write(TENSOR_OUT(CACHE_STORE, cache), TENSOR_IN(X_STORE, x),
                          TENSOR_IN(POSITION_STORE, position), const int count, const int given, const int tokens,
                          const int length, const int head)
{
    TENSOR_BEGIN(cache);
    TENSOR_BEGIN(x);
    const int first = position[position_offset];
    FOR_VECTORS(i, count)
    {
        for (int e = i; e < min(i + VEC, count);) {
            const int d = e % head, row = e / head;
            const int place = first + row % tokens;
            const long to = ((long)(row / tokens) * length + place) * head + d;
            const bool inside = place >= 0 && place < length;
            if (d + VEC <= head && e == i) {
                if (inside) STORE_VEC(CACHE_STORE, LOAD_VEC(X_STORE, x, e % given), cache, to);
                e += VEC;
            } else {
                if (inside) STORE(CACHE_STORE, LOAD(X_STORE, x, e % given), cache, to);
                ++e;
            }
        }
    }
}
