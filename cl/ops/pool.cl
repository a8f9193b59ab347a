/* pool.cl -- the maximum, and the mean, of what each window of a [B, Y, X, C] picture sees, and their
 * gradients. Results walk y's elements; gradients walk dx's and add what comes from the windows that see one,
 * in order.  A maximum's gradient goes to the first pixel, in raster order, that equals it.  Vectors run
 * along C where VEC divides it.
 * Options: COUNT_PADDING: 1 if a mean counts the padding's zeros, else 0.
 * SPDX-License-Identifier: MIT */
#include "window.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef DY_STORE
#define DY_STORE STORE_F32
#endif
#ifndef COUNT_PADDING
#define COUNT_PADDING 0
#endif

/* A kernel over `count` elements of a [B, rows, columns, channels] array: BODY(type, load, store, i). */
#define FOR_ELEMENTS(BODY) \
    FOR_VECTORS(i, count) \
    { \
        if (channels % VEC == 0) { \
            BODY(floatv, LOAD_VEC, STORE_VEC, i) \
        } else { \
            for (int e = i; e < min(i + VEC, count); ++e) { BODY(float, LOAD, STORE, e) } \
        } \
    }

#define FOR_SEEN(row, column, ys, xs) \
    for (int row = ys.x; row < ys.y; ++row) \
        for (int column = xs.x; column < xs.y; ++column)

#define MAX_OF(type, load, store, i) \
    const picture_place p = place_in(i, places_y, places_x, channels); \
    const int2 ys = SEEN_Y(p.y), xs = SEEN_X(p.x); \
    type most = load(X_STORE, x, PICTURE_AT(p, ys.x, xs.x, height, width)); \
    FOR_SEEN(row, column, ys, xs) most = fmax(most, load(X_STORE, x, PICTURE_AT(p, row, column, height, width))); \
    store(Y_STORE, most, y, i);

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void max_pool_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int count, WINDOW_ARGUMENTS)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    FOR_ELEMENTS(MAX_OF)
}

/* Of dy at each window that sees the element: what is left once pixels before it have had their chance. */
#define MAX_SHARES(type, load, store, i) \
    const picture_place p = place_in(i, height, width, channels); \
    const int2 windows_y = SEEING_Y(p.y), windows_x = SEEING_X(p.x); \
    const type own = load(X_STORE, x, i), none = (type)(0.0f); \
    type sum = none; \
    FOR_SEEN(down, across, windows_y, windows_x) \
    { \
        const long window = PICTURE_AT(p, down, across, places_y, places_x); \
        const type most = load(X_STORE, y, window); \
        type share = select(none, load(DY_STORE, dy, window), own == most); \
        const int2 ys = SEEN_Y(down), xs = SEEN_X(across); \
        FOR_SEEN(row, column, ys, xs) \
        { \
            if (row > p.y || (row == p.y && column >= p.x)) break; \
            share = select(share, none, load(X_STORE, x, PICTURE_AT(p, row, column, height, width)) == most); \
        } \
        sum += share; \
    } \
    store(X_STORE, sum, dx, i);

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void max_pool_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(X_STORE, x), TENSOR_IN(X_STORE, y), TENSOR_IN(DY_STORE, dy),
                       const int count, WINDOW_ARGUMENTS)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(dy);
    FOR_ELEMENTS(MAX_SHARES)
}

/* How many a window's sum is divided by. */
static inline float counted(const int2 ys, const int2 xs, const int size_y, const int size_x)
{
    return (float)(COUNT_PADDING ? size_y * size_x : (ys.y - ys.x) * (xs.y - xs.x));
}

#define MEAN_OF(type, load, store, i) \
    const picture_place p = place_in(i, places_y, places_x, channels); \
    const int2 ys = SEEN_Y(p.y), xs = SEEN_X(p.x); \
    type sum = (type)(0.0f); \
    FOR_SEEN(row, column, ys, xs) sum += load(X_STORE, x, PICTURE_AT(p, row, column, height, width)); \
    store(Y_STORE, sum / counted(ys, xs, size_y, size_x), y, i);

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void average_pool_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int count, WINDOW_ARGUMENTS)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    FOR_ELEMENTS(MEAN_OF)
}

#define MEAN_SHARES(type, load, store, i) \
    const picture_place p = place_in(i, height, width, channels); \
    const int2 windows_y = SEEING_Y(p.y), windows_x = SEEING_X(p.x); \
    type sum = (type)(0.0f); \
    FOR_SEEN(down, across, windows_y, windows_x) \
    { \
        const int2 ys = SEEN_Y(down), xs = SEEN_X(across); \
        sum += load(DY_STORE, dy, PICTURE_AT(p, down, across, places_y, places_x)) / counted(ys, xs, size_y, size_x); \
    } \
    store(X_STORE, sum, dx, i);

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void average_pool_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(DY_STORE, dy), const int count, WINDOW_ARGUMENTS)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(dy);
    FOR_ELEMENTS(MEAN_SHARES)
}
