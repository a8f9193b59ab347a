/* enlarge.h -- pictures brought to a multiple of their size by a plain filter, which is what the network
 * sees of them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_ENLARGE_H
#define DALLE_CL_MODELS_UPSAMPLER_ENLARGE_H

#include "data/field.h"
#include "models/upsampler/upsampler.h"

typedef struct enlarger {
    int from, size; /* pixels a side */
    image_taps taps;
    float *between, *levels; /* [from, size, 3]; [from, from, 3] */
} enlarger;
/* As `enlarge` of the settings says; to be freed, also after a failure. */
bool enlarge_open(enlarger *e, const upsampler_config *c, int64_t from, int64_t size, error *err);
void enlarge_close(enlarger *e);

/* One picture, [from][from][3] -> [size][size][3]; the second from levels 0 to 255 to -1..1. */
void enlarge_values(enlarger *e, const float *in, float *out);
void enlarge_pixels(enlarger *e, const uint8_t *in, float *out);

/* `count` values of -1..1 as levels 0 to 255, rounded and clipped, and back. */
void enlarge_to_pixels(const float *in, int64_t count, uint8_t *out);
void enlarge_from_pixels(const uint8_t *in, int64_t count, float *out);

#endif
