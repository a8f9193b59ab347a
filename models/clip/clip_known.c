/* clip_known.c -- see clip_known.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_known.h"

#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

bool clip_known_can(const clip_config *c, const training_data *data)
{
    bool fixed = c->crop >= 1 && training_is_fixed(&c->training);
    return c->locked_image && training_data_keeps(data, fixed, c->embedding);
}

/* Pictures first .. first + count - 1 of the set; `pixels` is room for them. */
static bool embed(clip_known *k, clip_features *f, training_data *data, int64_t first, int64_t count,
                  uint8_t *pixels, error *err)
{
    int64_t side = training_data_size(data), one = side * side * 3;
    bool ok = true, good;
    for (int64_t i = 0; ok && i < count; ++i)
        ok = training_data_picture(data, first + i, pixels + i * one, &good, err);
    return ok && clip_features_pictures(f, pixels, count, k->all + first * k->size, err);
}

bool clip_known_make(clip_known *k, clip_features *f, training_data *data, int64_t size, int64_t batch,
                     error *err)
{
    int64_t count = dataset_count(training_data_set(data)), side = training_data_size(data),
            most = clip_features_batch(f);
    uint8_t *pixels = malloc((size_t)(most * side * side * 3));
    k->size = size;
    k->all = malloc((size_t)(count * size) * sizeof *k->all);
    k->chosen = malloc((size_t)(batch * size) * sizeof *k->chosen);
    bool ok = pixels && k->all && k->chosen
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for the features of %lld pictures",
                              (long long)count);
    if (ok) log_info("embedding %lld pictures", (long long)count);
    for (int64_t first = 0; ok && first < count; first += most)
        ok = embed(k, f, data, first, count - first < most ? count - first : most, pixels, err);
    free(pixels);
    if (!ok) clip_known_free(k);
    return ok;
}

const float *clip_known_choose(clip_known *k, const loader_batch *b)
{
    for (int i = 0; i < b->count; ++i)
        memcpy(k->chosen + i * k->size, k->all + b->samples[i] * k->size, (size_t)k->size * sizeof *k->all);
    return k->chosen;
}

void clip_known_free(clip_known *k)
{
    free(k->all);
    free(k->chosen);
    *k = (clip_known){ 0 };
}
