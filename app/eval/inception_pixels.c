/* inception_pixels.c -- bilinear resizing to 299 x 299 and the range that the network takes.  Places and
 * weights are rounded to float where torch rounds them.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception_pixels.h"

enum { SIDE = INCEPTION_SIDE };

/* What a pixel of the result sees along one axis: two pixels, and the share of the second. */
typedef struct reach {
    int64_t low, high;
    float share;
} reach;

static reach reach_of(int64_t place, int64_t side, inception_resize how)
{
    const float scale = (float)side / (float)SIDE;
    float at = (float)place * scale;
    if (how == INCEPTION_RESIZE_CENTRES) {
        at = ((float)place + 0.5f) * scale - 0.5f;
        if (at < 0) at = 0;
    }
    reach r = { .low = (int64_t)at };
    if (r.low > side - 1) r.low = side - 1;
    r.high = r.low < side - 1 ? r.low + 1 : r.low;
    r.share = at - (float)r.low;
    return r;
}

/* The range of a byte in which it is interpolated: 0 to 1 in torch, bytes in TensorFlow. */
static float byte_value(uint8_t v, inception_resize how)
{
    return how == INCEPTION_RESIZE_CENTRES ? (float)v / 255.0f : (float)v;
}

static float mixed(float low, float high, float share)
{
    return low * (1 - share) + high * share;
}

static float to_range(float v, inception_resize how)
{
    return how == INCEPTION_RESIZE_CENTRES ? 2 * v - 1 : (v - 128) / 128;
}

void inception_pixels(const uint8_t *rgb, int64_t side, inception_resize how, float *pixels)
{
    reach across[SIDE];
    for (int64_t x = 0; x < SIDE; ++x) across[x] = reach_of(x, side, how);
    for (int64_t y = 0; y < SIDE; ++y) {
        const reach down = across[y]; /* pictures are square */
        const uint8_t *upper = rgb + down.low * side * 3, *lower = rgb + down.high * side * 3;
        for (int64_t x = 0; x < SIDE; ++x)
            for (int64_t c = 0; c < 3; ++c) {
                const int64_t low = across[x].low * 3 + c, high = across[x].high * 3 + c;
                const float share = across[x].share;
                const float a = mixed(byte_value(upper[low], how), byte_value(upper[high], how), share),
                            b = mixed(byte_value(lower[low], how), byte_value(lower[high], how), share);
                *pixels++ = to_range(mixed(a, b, down.share), how);
            }
    }
}
