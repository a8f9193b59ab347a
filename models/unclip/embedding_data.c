/* embedding_data.c -- see embedding_data.h.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/embedding_data.h"

#include "host/base/log.h"
#include "models/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 32, LOOKED_AT = 2048 };

/* ---- Pictures ---- */

/* Embeds samples `which` [count] of the set; one that cannot be read has what a black one has, and is not
 * good. */
static bool embed(const embedding_data *d, const int64_t *which, int64_t count, float *out, bool *good,
                  error *err)
{
    int64_t side = training_data_size(d->data), one = side * side * 3;
    uint8_t *pixels = malloc((size_t)(AT_ONCE * one));
    bool ok = pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for pictures");
    for (int64_t done = 0; ok && done < count; done += AT_ONCE) {
        int64_t now = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (int64_t i = 0; ok && i < now; ++i)
            ok = training_data_picture(d->data, which[done + i], pixels + i * one, &good[done + i], err);
        ok = ok && clip_part_pictures(clip_source_part(d->clip), pixels, now, side, out + done * d->size,
                                      NULL, NULL, err);
    }
    free(pixels);
    return ok;
}

static bool embed_all(embedding_data *d, int64_t count, error *err)
{
    int64_t *which = malloc((size_t)count * sizeof *which);
    d->all = malloc((size_t)(count * d->size) * sizeof *d->all);
    d->readable = malloc((size_t)count * sizeof *d->readable);
    bool ok = which && d->all && d->readable
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for the embeddings of %lld pictures",
                              (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) which[i] = i;
    log_info("embedding %lld pictures", (long long)count);
    ok = ok && embed(d, which, count, d->all, d->readable, err);
    free(which);
    return ok;
}

bool embedding_data_open(embedding_data *d, training_data *data, clip_source *clip, bool fixed, error *err)
{
    const dataset *set = training_data_set(data);
    int64_t count = dataset_count(set);
    d->data = data;
    d->clip = clip;
    d->size = clip_source_part(clip)->config.embedding;
    d->tokens = clip_source_part(clip)->config.text_tokens;
    if (!training_data_keeps(data, fixed, d->size)) return true;
    training_data_blind(data);
    return embed_all(d, count, err);
}

bool embedding_data_make(embedding_data *d, text_source *text, int64_t batch, error *err)
{
    d->text = text;
    d->embeddings = malloc((size_t)(batch * d->size) * sizeof *d->embeddings);
    d->captions = malloc((size_t)(batch * d->size) * sizeof *d->captions);
    if (!d->embeddings || !d->captions)
        return error_set(err, ERROR_MEMORY, "out of memory for a batch's embeddings");
    return text_batch_create(&d->batch, text, err);
}

void embedding_data_close(embedding_data *d)
{
    text_batch_free(&d->batch);
    free(d->all);
    free(d->readable);
    free(d->embeddings);
    free(d->captions);
    free(d->pictures);
    free(d->texts);
    free(d->ids);
}

/* ---- Batches ---- */

static bool batch_pictures(embedding_data *d, const loader_batch *b, error *err)
{
    if (!d->all) return clip_source_pictures(d->clip, b, d->embeddings, err);
    for (int i = 0; i < b->count; ++i)
        memcpy(d->embeddings + i * d->size, d->all + b->samples[i] * d->size,
               (size_t)d->size * sizeof *d->all);
    return true;
}

/* Embeddings of captions; of those that are left out, 0. */
static bool embed_texts(const embedding_data *d, const int32_t *ids, int64_t count, float *out, error *err)
{
    if (!clip_source_texts(d->clip, ids, count, out, err)) return false;
    for (int64_t i = 0; i < count; ++i)
        if (ids[i * d->tokens] < 0) memset(out + i * d->size, 0, (size_t)d->size * sizeof *out);
    return true;
}

bool embedding_data_fill(embedding_data *d, const loader_batch *b, int64_t step, error *err)
{
    for (int i = 0; i < b->count; ++i)
        if (!text_fill(d->text, &d->batch, i, &b->known[i], step, err)) return false;
    return batch_pictures(d, b, err) && embed_texts(d, d->batch.ids, b->count, d->captions, err);
}

/* ---- Validation ---- */

static bool validation_texts(embedding_data *d, error *err)
{
    for (int64_t i = 0; i < d->count; ++i) {
        const dataset_sample *known = training_data_validation_sample(d->data, i);
        if (!text_fill(d->text, &d->batch, 0, known, -1, err)) return false;
        memcpy(d->ids + i * d->tokens, d->batch.ids, (size_t)d->tokens * sizeof *d->ids);
    }
    return embed_texts(d, d->ids, d->count, d->texts, err);
}

static bool validation_pictures(embedding_data *d, error *err)
{
    int64_t *which = malloc((size_t)d->count * sizeof *which);
    bool *good = malloc((size_t)d->count * sizeof *good);
    bool ok = which && good
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)d->count);
    for (int64_t i = 0; ok && i < d->count; ++i) which[i] = training_data_validation_index(d->data, i);
    ok = ok && embed(d, which, d->count, d->pictures, good, err);
    free(which);
    free(good);
    return ok;
}

bool embedding_data_validation(embedding_data *d, error *err)
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

/* ---- The training part ---- */

/* The first captions of samples `which` [count] of the set as embeddings; `ids` [count][T] is room. */
static bool embed_captions(embedding_data *d, const int64_t *which, int64_t count, int32_t *ids, float *out,
                           error *err)
{
    for (int64_t i = 0; i < count; ++i) {
        dataset_sample known;
        if (!dataset_read(training_data_set(d->data), which[i], &known, err)) return false;
        bool ok = text_fill(d->text, &d->batch, 0, &known, -1, err);
        if (ok) memcpy(ids + i * d->tokens, d->batch.ids, (size_t)d->tokens * sizeof *ids);
        dataset_sample_free(&known);
        if (!ok) return false;
    }
    return embed_texts(d, ids, count, out, err);
}

static bool known_or_embedded(const embedding_data *d, const int64_t *which, int64_t count, float *out,
                              bool *good, error *err)
{
    if (!d->all) return embed(d, which, count, out, good, err);
    for (int64_t i = 0; i < count; ++i) {
        memcpy(out + i * d->size, d->all + which[i] * d->size, (size_t)d->size * sizeof *out);
        good[i] = d->readable[which[i]];
    }
    return true;
}

/* Leaves out pictures that cannot be read; how many are left. */
static int64_t close_gaps(const bool *good, int64_t count, int64_t size, float *pictures, float *texts)
{
    int64_t left = 0;
    for (int64_t i = 0; i < count; ++i) {
        if (!good[i]) continue;
        memmove(pictures + left * size, pictures + i * size, (size_t)size * sizeof *pictures);
        memmove(texts + left++ * size, texts + i * size, (size_t)size * sizeof *texts);
    }
    return left;
}

bool embedding_data_training(embedding_data *d, int64_t most, float **pictures, float **texts, int64_t *count,
                             error *err)
{
    const dataset_selection *train = training_data_selection(d->data, false);
    int64_t wanted = train->count < most ? train->count : most;
    size_t bytes = (size_t)(wanted * d->size) * sizeof(float);
    int64_t *which = calloc((size_t)wanted, sizeof *which);
    bool *good = malloc((size_t)wanted * sizeof *good);
    int32_t *ids = malloc((size_t)(wanted * d->tokens) * sizeof *ids);
    *pictures = malloc(bytes);
    *texts = malloc(bytes);
    bool ok = which && good && ids && *pictures && *texts;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)wanted);
    for (int64_t i = 0; ok && i < wanted; ++i) which[i] = dataset_selected(train, i * train->count / wanted);
    ok = ok && known_or_embedded(d, which, wanted, *pictures, good, err) &&
         embed_captions(d, which, wanted, ids, *texts, err);
    *count = ok ? close_gaps(good, wanted, d->size, *pictures, *texts) : 0;
    free(which);
    free(good);
    free(ids);
    if (ok) return true;
    free(*pictures);
    free(*texts);
    *pictures = *texts = NULL;
    return false;
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

bool embedding_data_statistics(embedding_data *d, float *mean, float *deviation, error *err)
{
    float *pictures, *texts;
    int64_t count;
    if (!embedding_data_training(d, LOOKED_AT, &pictures, &texts, &count, err)) return false;
    statistics_of(pictures, count, d->size, mean, deviation);
    free(pictures);
    free(texts);
    return true;
}
