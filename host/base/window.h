/* window.h -- a window that slides over a picture: a convolution's kernel, what pooling looks at.  Pairs are
 * along y, then along x.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_WINDOW_H
#define DALLE_CL_BASE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct window {
    int32_t size[2], stride[2];
    int32_t before[2],
        after[2]; /* rows and columns of padding on either side; negative: of the picture left out */
} window;

/* Stride 1 and as many places as the picture has pixels; both sizes odd. */
static inline window window_same(int64_t height, int64_t width)
{
    const int32_t y = (int32_t)height, x = (int32_t)width;
    return (window){ { y, x }, { 1, 1 }, { y / 2, x / 2 }, { y / 2, x / 2 } };
}

/* Whether it is that, and square. */
static inline bool window_is_same(const window *w)
{
    bool same = w->size[0] == w->size[1] && w->size[0] % 2 == 1;
    for (int i = 0; i < 2; ++i)
        same = same && w->stride[i] == 1 && w->before[i] == w->size[0] / 2 && w->after[i] == w->size[0] / 2;
    return same;
}

/* Places of the window along y (axis 0) or x of a picture `length` pixels long; below 1: it does not fit. */
static inline int64_t window_places(const window *w, int axis, int64_t length)
{
    const int64_t room = length + w->before[axis] + w->after[axis] - w->size[axis];
    return room < 0 ? 0 : room / w->stride[axis] + 1;
}

#endif
