/* enlarge.c -- see enlarge.h.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/enlarge.h"

#include <math.h>
#include <stdlib.h>

static image_filter filter_of(const upsampler_config *c)
{
    return c->enlarge == upsampler_enlarge_bicubic    ? IMAGE_BICUBIC
           : c->enlarge == upsampler_enlarge_bilinear ? IMAGE_BILINEAR
                                                      : IMAGE_NEAREST;
}

bool enlarge_open(enlarger *e, const upsampler_config *c, int64_t from, int64_t size, error *err)
{
    *e = (enlarger){ .from = (int)from, .size = (int)size };
    e->between = malloc((size_t)(from * size * 3) * sizeof *e->between);
    e->levels = malloc((size_t)(from * from * 3) * sizeof *e->levels);
    if (!e->between || !e->levels)
        return error_set(err, ERROR_MEMORY, "out of memory to enlarge pictures of %lld to %lld pixels",
                         (long long)from, (long long)size);
    return image_taps_make(&e->taps, filter_of(c), (int)from, (int)size, err);
}

void enlarge_close(enlarger *e)
{
    image_taps_free(&e->taps);
    free(e->between);
    free(e->levels);
    *e = (enlarger){ 0 };
}

void enlarge_values(enlarger *e, const float *in, float *out)
{
    field_resample(in, e->from, e->from, &e->taps, &e->taps, e->size, e->size, e->between, out);
}

void enlarge_from_pixels(const uint8_t *in, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; ++i) out[i] = (float)in[i] * (2.0f / 255.0f) - 1.0f;
}

void enlarge_pixels(enlarger *e, const uint8_t *in, float *out)
{
    enlarge_from_pixels(in, (int64_t)e->from * e->from * 3, e->levels);
    enlarge_values(e, e->levels, out);
}

void enlarge_to_pixels(const float *in, int64_t count, uint8_t *out)
{
    for (int64_t i = 0; i < count; ++i) {
        float level = (in[i] + 1.0f) * 127.5f;
        out[i] = level <= 0 ? 0 : level >= 255 ? 255 : (uint8_t)lrintf(level);
    }
}
