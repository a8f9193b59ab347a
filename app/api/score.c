/* score.c -- libdalle compares pictures with texts: see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "data/augment.h"
#include "host/base/dot.h"
#include "host/base/utf8.h"
#include "models/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000000 };

bool api_watch_tell(void *context, int64_t done, int64_t total)
{
    api_watch *w = context;
    w->done = done;
    if (!w->progress) return true;
    plain_locale_suspend(w->locale);
    bool go_on = w->progress(w->context, w->before + done, w->total ? w->total : total);
    plain_locale_resume(w->locale);
    return go_on;
}

static bool check_model(const dalle_model *m, error *err)
{
    if (!m) return api_missing("the model", err);
    return m->clip || api_lacks(m, &clip_kind, "compares pictures and texts", err);
}

static bool check_count(int64_t count, const char *what, const void *from, const void *to, error *err)
{
    if (count < 0 || count > MOST)
        return error_set(err, ERROR_USAGE, "%lld %s; 0 to %d can be taken at once", (long long)count, what,
                         MOST);
    if (count && !from) return error_set(err, ERROR_USAGE, "where the %s are is NULL", what);
    return !count || to || api_missing("where the result goes", err);
}

/* ---- Pictures ---- */

/* As training brings to size what it does not augment. */
static bool fit(const dalle_model *m, const image *whole, uint8_t *to, error *err)
{
    return augment_by(whole, m->info.clip_side, AUGMENT_NONE, AUGMENT_FLIP_OFF,
                      trainer_filter(&m->clip->config.training), NULL, to, err);
}

static bool fit_bytes(const dalle_model *m, const uint8_t *rgb, int width, int height, uint8_t *to,
                      error *err)
{
    if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return error_set(err, ERROR_USAGE, "a picture of %d x %d pixels; a side has 1 to %d", width, height,
                         IMAGE_MAX_SIDE);
    if (!rgb || !to) return api_missing(rgb ? "where the result goes" : "the picture", err);
    const image whole = { width, height, (uint8_t *)(uintptr_t)rgb }; /* is only read */
    return fit(m, &whole, to, err);
}

bool dalle_fit_picture(const dalle_model *m, const uint8_t *rgb, int width, int height, uint8_t *fitted,
                       dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_model(m, &err) && fit_bytes(m, rgb, width, height, fitted, &err)) ||
           api_report(failure, &err);
}

static bool read_fitted(const dalle_model *m, const char *path, uint8_t *to, error *err)
{
    image whole = { 0 };
    if (!path) return api_missing("a file's name", err);
    bool ok = image_read(path, &whole, err) && fit(m, &whole, to, err);
    image_free(&whole);
    return ok;
}

static uint8_t *read_all(const dalle_model *m, const char *const *paths, int count, error *err)
{
    size_t size = (size_t)m->info.clip_side * (size_t)m->info.clip_side * 3;
    if (!check_count(count, "pictures' files", paths, paths, err)) return NULL;
    uint8_t *rgb = malloc((size_t)count * size + 1);
    if (!rgb) return error_null(err, ERROR_MEMORY, "out of memory for %d pictures", count);
    for (int i = 0; i < count; ++i) {
        if (read_fitted(m, paths[i], rgb + (size_t)i * size, err)) continue;
        free(rgb);
        return NULL;
    }
    return rgb;
}

uint8_t *dalle_read_fitted(const dalle_model *m, const char *const *paths, int count, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    uint8_t *rgb = check_model(m, &err) ? read_all(m, paths, count, &err) : NULL;
    if (!rgb) api_report(failure, &err);
    return rgb;
}

/* ---- Embedding ---- */

/* Whose embedding it is that is no number: from where a batch began that failed, one by one. */
static bool blame_picture(dalle_model *m, const uint8_t *rgb, int count, int64_t side, const api_watch *w,
                          float *out, error *err)
{
    for (int64_t i = w->done; err->code == ERROR_MODEL && i < count; ++i)
        if (!clip_part_pictures(m->clip, rgb + i * side * side * 3, 1, side, out, NULL, NULL, err))
            return error_prefix(err, "picture %lld", (long long)i);
    return false;
}

static bool embed_pictures(dalle_model *m, const uint8_t *rgb, int count, int side, api_watch *w, float *out,
                           error *err)
{
    if (!check_count(count, "pictures", rgb, out, err)) return false;
    if (side < 1 || side > IMAGE_MAX_SIDE)
        return error_set(err, ERROR_USAGE, "pictures of %d pixels a side; 1 to %d", side, IMAGE_MAX_SIDE);
    w->done = 0;
    return count == 0 || clip_part_pictures(m->clip, rgb, count, side, out, api_watch_tell, w, err) ||
           blame_picture(m, rgb, count, side, w, out, err);
}

static bool check_text(const char *text, int index, error *err)
{
    int64_t bad = text ? utf8_check(text) : -1;
    if (!text) return error_set(err, ERROR_USAGE, "text %d is NULL", index);
    if (bad >= 0)
        return error_set(err, ERROR_USAGE, "text %d, '%.60s', is not valid UTF-8 at byte %lld", index, text,
                         (long long)bad);
    return !utf8_is_blank(text) || error_set(err, ERROR_USAGE, "text %d is empty", index);
}

static bool blame_text(dalle_model *m, const char *const *texts, int count, const api_watch *w, float *out,
                       error *err)
{
    for (int64_t i = w->done; err->code == ERROR_MODEL && i < count; ++i)
        if (!clip_part_texts(m->clip, texts + i, 1, out, NULL, NULL, NULL, err))
            return error_prefix(err, "text %lld, '%.60s'", (long long)i, texts[i]);
    return false;
}

static bool embed_texts(dalle_model *m, const char *const *texts, int count, api_watch *w, float *out,
                        error *err)
{
    if (!check_count(count, "texts", texts, out, err)) return false;
    for (int i = 0; i < count; ++i)
        if (!check_text(texts[i], i, err)) return false;
    w->done = 0;
    return count == 0 || clip_part_texts(m->clip, texts, count, out, NULL, api_watch_tell, w, err) ||
           blame_text(m, texts, count, w, out, err);
}

bool dalle_embed_pictures(dalle_model *m, const uint8_t *rgb, int count, int side, dalle_progress *progress,
                          void *context, float *embeddings, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    api_watch w = { .progress = progress, .context = context, .locale = &plain };
    return (check_model(m, &err) && embed_pictures(m, rgb, count, side, &w, embeddings, &err)) ||
           api_report(failure, &err);
}

bool dalle_embed_texts(dalle_model *m, const char *const *texts, int count, dalle_progress *progress,
                       void *context, float *embeddings, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    api_watch w = { .progress = progress, .context = context, .locale = &plain };
    return (check_model(m, &err) && embed_texts(m, texts, count, &w, embeddings, &err)) ||
           api_report(failure, &err);
}

/* ---- Comparing ---- */

/* Infinities show as products that are none; so do numbers that are none. */
static bool check_numbers(const float *embeddings, int count, int dimensions, const char *what, error *err)
{
    for (int i = 0; i < count; ++i) {
        const float *one = embeddings + (int64_t)i * dimensions;
        if (!isfinite(dot(one, one, dimensions)))
            return error_set(err, ERROR_MODEL, "the embedding of %s %d holds what is no number", what, i);
    }
    return true;
}

/* In place: logits to probabilities. */
static void softmax(double *values, int count)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < count; ++i) most = fmax(most, values[i]);
    for (int i = 0; i < count; ++i) sum += values[i] = exp(values[i] - most);
    for (int i = 0; i < count; ++i) values[i] /= sum;
}

static bool compare(const dalle_model *m, const float *pictures, int picture_count, const float *texts,
                    int text_count, float *similarities, float *probabilities, error *err)
{
    int n = m->info.clip_dimensions;
    if (!check_count(picture_count, "pictures' embeddings", pictures, pictures, err) ||
        !check_count(text_count, "texts' embeddings", texts, texts, err) ||
        !check_numbers(pictures, picture_count, n, "picture", err) ||
        !check_numbers(texts, text_count, n, "text", err))
        return false;
    double *row = malloc(((size_t)text_count + 1) * sizeof *row);
    if (!row) return error_set(err, ERROR_MEMORY, "out of memory for comparing with %d texts", text_count);
    for (int64_t i = 0; i < picture_count; ++i) {
        for (int64_t j = 0; j < text_count; ++j) {
            row[j] = dot(pictures + i * n, texts + j * n, n);
            if (similarities) similarities[i * text_count + j] = (float)row[j];
            row[j] *= m->info.clip_scale;
        }
        softmax(row, text_count);
        for (int64_t j = 0; probabilities && j < text_count; ++j)
            probabilities[i * text_count + j] = (float)row[j];
    }
    free(row);
    return true;
}

bool dalle_compare(const dalle_model *m, const float *pictures, int picture_count, const float *texts,
                   int text_count, float *similarities, float *probabilities, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_model(m, &err) &&
            compare(m, pictures, picture_count, texts, text_count, similarities, probabilities, &err)) ||
           api_report(failure, &err);
}

/* Texts first: what is wrong with one is known before the long part. */
static bool score(dalle_model *m, const uint8_t *rgb, int picture_count, int side, const char *const *texts,
                  int text_count, api_watch *w, float *similarities, float *probabilities, error *err)
{
    const void *any = ""; /* the results may be left out */
    if (!check_count(picture_count, "pictures", rgb, any, err) ||
        !check_count(text_count, "texts", texts, any, err))
        return false;
    size_t one = (size_t)m->info.clip_dimensions;
    float *all = malloc(((size_t)picture_count + (size_t)text_count + 1) * one * sizeof *all);
    if (!all)
        return error_set(err, ERROR_MEMORY, "out of memory for the embeddings of %d pictures and %d texts",
                         picture_count, text_count);
    float *pictures = all + (size_t)text_count * one;
    w->total = (int64_t)picture_count + text_count;
    bool ok = embed_texts(m, texts, text_count, w, all, err);
    w->before = text_count;
    ok = ok && embed_pictures(m, rgb, picture_count, side, w, pictures, err) &&
         compare(m, pictures, picture_count, all, text_count, similarities, probabilities, err);
    free(all);
    return ok;
}

bool dalle_score(dalle_model *m, const uint8_t *rgb, int picture_count, int side, const char *const *texts,
                 int text_count, dalle_progress *progress, void *context, float *similarities,
                 float *probabilities, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    api_watch w = { .progress = progress, .context = context, .locale = &plain };
    return (check_model(m, &err) &&
            score(m, rgb, picture_count, side, texts, text_count, &w, similarities, probabilities, &err)) ||
           api_report(failure, &err);
}

/* ---- Finding ---- */

static bool is_none(const float *embedding, int dimensions)
{
    for (int i = 0; i < dimensions; ++i)
        if (embedding[i] != 0) return false;
    return true;
}

/* Puts one in its place among `found`, nearest first, where that is among the `most`. */
static int insert(int64_t place, float similarity, int most, int found, int64_t *places, float *similarities)
{
    int at = found;
    while (at > 0 && similarities[at - 1] < similarity) --at;
    if (at == most) return found;
    int moved = (found < most ? found : most - 1) - at;
    memmove(similarities + at + 1, similarities + at, (size_t)moved * sizeof *similarities);
    memmove(places + at + 1, places + at, (size_t)moved * sizeof *places);
    similarities[at] = similarity;
    places[at] = place;
    return found < most ? found + 1 : most;
}

int dalle_nearest(const float *embedding, const float *embeddings, int64_t count, int dimensions,
                  int64_t first, int most, int found, int64_t *places, float *similarities)
{
    PLAIN_LOCALE;
    if (!embedding || !embeddings || !places || !similarities) return found;
    for (int64_t i = 0; i < count && most > 0; ++i) {
        const float *one = embeddings + i * dimensions;
        double similarity = dot(embedding, one, dimensions);
        if (isnan(similarity) || (similarity == 0 && is_none(one, dimensions))) continue;
        found = insert(first + i, (float)similarity, most, found, places, similarities);
    }
    return found;
}

/* ---- What there is to know ---- */

char *dalle_lost_clip_words(const dalle_model *m, const char *text)
{
    PLAIN_LOCALE;
    char *lost = NULL;
    if (!m || !m->clip || !text || !clip_part_lost(m->clip, text, &lost, NULL)) return NULL;
    return lost;
}

bool api_clip_hash(const dalle_model *m, char hex[65], error *err)
{
    part_files files = { 0 };
    bool ok = part_files_find(m->folder, &clip_kind, &files, err) && part_files_hash(&files, hex, err);
    part_files_free(&files);
    return ok;
}

bool dalle_clip_hash(const dalle_model *m, char hex[65], dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_model(m, &err) && (hex ? true : api_missing("where the hash goes", &err)) &&
            api_clip_hash(m, hex, &err)) ||
           api_report(failure, &err);
}
