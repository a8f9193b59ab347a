/* diffusion_prior_data.c -- see diffusion_prior_data.h.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_data.h"

#include "host/base/log.h"
#include "models/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 32, LOOKED_AT = 2048 };
static const int64_t ALL_BYTES = 512 << 20;

/* ---- Pictures ---- */

/* Embeds samples `which` [count] of the set; one that cannot be read is passed over, and has what a black one
 * has: it is never asked for. */
static bool embed(const diffusion_prior_data *d, const int64_t *which, int64_t count, float *out, error *err)
{
    int64_t side = training_data_size(d->data), one = side * side * 3;
    uint8_t *pixels = malloc((size_t)(AT_ONCE * one));
    bool good, ok = pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for pictures");
    for (int64_t done = 0; ok && done < count; done += AT_ONCE) {
        int64_t now = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (int64_t i = 0; ok && i < now; ++i)
            ok = training_data_picture(d->data, which[done + i], pixels + i * one, &good, err);
        ok = ok && clip_part_pictures(clip_source_part(d->clip), pixels, now, side, out + done * d->size,
                                      NULL, NULL, err);
    }
    free(pixels);
    return ok;
}

static bool embed_all(diffusion_prior_data *d, int64_t count, error *err)
{
    int64_t *which = malloc((size_t)count * sizeof *which);
    d->all = malloc((size_t)(count * d->size) * sizeof *d->all);
    bool ok = which && d->all
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for the embeddings of %lld pictures",
                              (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) which[i] = i;
    log_info("embedding %lld pictures", (long long)count);
    ok = ok && embed(d, which, count, d->all, err);
    free(which);
    return ok;
}

bool diffusion_prior_data_open(diffusion_prior_data *d, training_data *data, clip_source *clip, bool fixed,
                               error *err)
{
    const dataset *set = training_data_set(data);
    int64_t count = dataset_count(set);
    d->data = data;
    d->clip = clip;
    d->size = clip_source_part(clip)->config.embedding;
    d->tokens = clip_source_part(clip)->config.text_tokens;
    if (!fixed || dataset_is_large(set) || count > ALL_BYTES / (d->size * (int64_t)sizeof *d->all))
        return true;
    training_data_blind(data);
    return embed_all(d, count, err);
}

bool diffusion_prior_data_make(diffusion_prior_data *d, text_source *text, int64_t batch, error *err)
{
    d->text = text;
    d->embeddings = malloc((size_t)(batch * d->size) * sizeof *d->embeddings);
    d->captions = malloc((size_t)(batch * d->size) * sizeof *d->captions);
    if (!d->embeddings || !d->captions)
        return error_set(err, ERROR_MEMORY, "out of memory for a batch's embeddings");
    return text_batch_create(&d->batch, text, err);
}

void diffusion_prior_data_close(diffusion_prior_data *d)
{
    text_batch_free(&d->batch);
    free(d->all);
    free(d->embeddings);
    free(d->captions);
    free(d->pictures);
    free(d->texts);
    free(d->ids);
}

/* ---- Batches ---- */

static bool batch_pictures(diffusion_prior_data *d, const loader_batch *b, error *err)
{
    if (!d->all) return clip_source_pictures(d->clip, b, d->embeddings, err);
    for (int i = 0; i < b->count; ++i)
        memcpy(d->embeddings + i * d->size, d->all + b->samples[i] * d->size,
               (size_t)d->size * sizeof *d->all);
    return true;
}

/* Embeddings of captions; of those that are left out, 0. */
static bool embed_texts(const diffusion_prior_data *d, const int32_t *ids, int64_t count, float *out,
                        error *err)
{
    if (!clip_source_texts(d->clip, ids, count, out, err)) return false;
    for (int64_t i = 0; i < count; ++i)
        if (ids[i * d->tokens] < 0) memset(out + i * d->size, 0, (size_t)d->size * sizeof *out);
    return true;
}

bool diffusion_prior_data_fill(diffusion_prior_data *d, const loader_batch *b, int64_t step, error *err)
{
    for (int i = 0; i < b->count; ++i)
        if (!text_fill(d->text, &d->batch, i, &b->known[i], step, err)) return false;
    return batch_pictures(d, b, err) && embed_texts(d, d->batch.ids, b->count, d->captions, err);
}

/* ---- Validation ---- */

static bool validation_texts(diffusion_prior_data *d, error *err)
{
    for (int64_t i = 0; i < d->count; ++i) {
        const dataset_sample *known = training_data_validation_sample(d->data, i);
        if (!text_fill(d->text, &d->batch, 0, known, -1, err)) return false;
        memcpy(d->ids + i * d->tokens, d->batch.ids, (size_t)d->tokens * sizeof *d->ids);
    }
    return embed_texts(d, d->ids, d->count, d->texts, err);
}

static bool validation_pictures(diffusion_prior_data *d, error *err)
{
    int64_t *which = malloc((size_t)d->count * sizeof *which);
    if (!which) return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)d->count);
    for (int64_t i = 0; i < d->count; ++i) which[i] = training_data_validation_index(d->data, i);
    bool ok = embed(d, which, d->count, d->pictures, err);
    free(which);
    return ok;
}

bool diffusion_prior_data_validation(diffusion_prior_data *d, error *err)
{
    if (d->ids) return true;
    if (!training_data_validation_count(d->data, TRAINER_VALIDATED, &d->count, err)) return false;
    size_t numbers = (size_t)(d->count * d->size) * sizeof *d->texts;
    d->pictures = malloc(numbers);
    d->texts = malloc(numbers);
    d->ids = malloc((size_t)(d->count * d->tokens) * sizeof *d->ids);
    if (!d->pictures || !d->texts || !d->ids)
        return error_set(err, ERROR_MEMORY, "out of memory for the embeddings of %lld pictures",
                         (long long)d->count);
    return validation_texts(d, err) && validation_pictures(d, err);
}

/* ---- Statistics ---- */

static void statistics_of(const float *x, int64_t count, int64_t size, float *mean, float *deviation)
{
    for (int64_t j = 0; j < size; ++j) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < count; ++i) sum += (double)x[i * size + j];
        double m = sum / (double)count;
        for (int64_t i = 0; i < count; ++i) {
            double far = (double)x[i * size + j] - m;
            squares += far * far;
        }
        mean[j] = (float)m;
        deviation[j] = (float)fmax(sqrt(squares / (double)count), 1e-6);
    }
}

bool diffusion_prior_data_statistics(diffusion_prior_data *d, float *mean, float *deviation, error *err)
{
    const dataset_selection *train = training_data_selection(d->data, false);
    int64_t count = train->count < LOOKED_AT ? train->count : LOOKED_AT;
    int64_t *which = malloc((size_t)count * sizeof *which);
    float *x = malloc((size_t)(count * d->size) * sizeof *x);
    bool ok = which && x
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) which[i] = dataset_selected(train, i * train->count / count);
    ok = ok && embed(d, which, count, x, err);
    if (ok) statistics_of(x, count, d->size, mean, deviation);
    free(which);
    free(x);
    return ok;
}
