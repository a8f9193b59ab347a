/* noise.c -- see noise.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/noise.h"

#include "host/base/philox.h"

#include <string.h>

/* Elements drawn for a picture: whether and how much, then for each token whether and by what. */
static void add_noise(const philox *rng, uint32_t first, double most, int64_t codes, int64_t count,
                      int32_t *tokens)
{
    if (philox_uniform(rng, first) < 0.5f) return;
    float share = (float)most * philox_uniform(rng, first + 1);
    for (int64_t i = 0; i < count; ++i) {
        uint32_t at = first + 2 + 2 * (uint32_t)i;
        if (philox_uniform(rng, at) < share) tokens[i] = (int32_t)philox_below(rng, at + 1, (uint32_t)codes);
    }
}

void prior_noise(const prior_config *c, const prior_shape *shape, int64_t step, const int32_t *image,
                 int32_t *read)
{
    const philox rng = { (uint64_t)c->seed, (uint32_t)step, philox_stream("token noise") };
    int64_t n = shape->side * shape->side;
    int64_t count = training_batch(&c->training), first = training_first(&c->training);
    memcpy(read, image, (size_t)(count * n) * sizeof *read);
    for (int64_t i = 0; i < count; ++i)
        add_noise(&rng, (uint32_t)((first + i) * (2 + 2 * n)), c->token_noise, shape->codes, n, read + i * n);
}
