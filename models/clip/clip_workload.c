/* clip_workload.c -- see clip_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_workload.h"

#include "models/clip/clip_features.h"
#include "models/clip/clip_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct made_up {
    clip_config config;
    clip_step step;
    store *store; /* the workload's */
} made_up;

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    m->store = s;
    bool ok = clip_step_build(&m->step, s, &m->config, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            CLIP_STEP_KNOB };
    return ok;
}

/* Captions of different lengths, each over all of the vocabulary. */
static bool fill_text(const made_up *m, error *err)
{
    const clip_step *s = &m->step;
    int64_t samples = s->text->dim[0], tokens = m->config.text_tokens;
    int32_t *ids = malloc((size_t)(samples * (tokens + 1)) * sizeof *ids), *ends = ids + samples * tokens;
    if (!ids) return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)samples);
    workload_tokens(ids, samples * tokens, clip_rows(&m->config), 1);
    for (int64_t i = 0; i < samples; ++i) ends[i] = (int32_t)(tokens - 1 - i % (tokens - 1));
    bool ok = graph_write(s->text, ids, err) && clip_write_ends(s->ends, ends, tokens, err);
    free(ids);
    return ok;
}

static bool fill_pixels(const clip_step *s, error *err)
{
    int64_t count = tensor_count(s->pixels);
    uint8_t *pixels = malloc((size_t)count);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    workload_pixels(pixels, count);
    bool ok = graph_write(s->pixels, pixels, err);
    free(pixels);
    return ok;
}

static bool fill(void *self, error *err)
{
    const made_up *m = self;
    const int32_t random[4] = { 1, 0, 0, 0 };
    return clip_step_ready(&m->step, err) && clip_start_scale(m->store, err) && fill_text(m, err) &&
           fill_pixels(&m->step, err) && graph_write(m->step.random, random, err);
}

static const workload_type type = { .build = build, .fill = fill, .destroy = free };

workload *clip_workload(device *d, const clip_config *c, error *err)
{
    if (!clip_config_check(c, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    return workload_create(d, &type, m, err);
}

/* ---- Ranking ---- */

typedef struct ranked {
    float similarity;
    int64_t picture;
} ranked;

typedef struct ranking {
    clip_config config;
    clip_features *features;
    int64_t count;
    uint8_t *pixels; /* [count][S][S][3] */
    int32_t *ids;    /* [T] */
    float *pictures, *caption;
    ranked *order;
} ranking;

static bool build_ranking(void *self, store *s, workload_step *out, error *err)
{
    ranking *r = self;
    (void)out;
    return (r->features = clip_features_create(s, &r->config, false, err)) != NULL;
}

static void destroy_ranking(void *self)
{
    ranking *r = self;
    clip_features_destroy(r->features);
    free(r->pixels);
    free(r->ids);
    free(r->pictures);
    free(r->caption);
    free(r->order);
    free(r);
}

static int64_t picture_bytes(const clip_config *c)
{
    return c->image_size * c->image_size * 3;
}

static bool fill_ranking(void *self, error *err)
{
    ranking *r = self;
    const clip_config *c = &r->config;
    const size_t one = (size_t)picture_bytes(c), all = (size_t)r->count;
    r->pixels = malloc(all * one);
    r->ids = malloc((size_t)c->text_tokens * sizeof *r->ids);
    r->pictures = malloc(all * (size_t)c->embedding * sizeof *r->pictures);
    r->caption = malloc((size_t)c->embedding * sizeof *r->caption);
    r->order = calloc(all, sizeof *r->order);
    if (!r->pixels || !r->ids || !r->pictures || !r->caption || !r->order)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)r->count);
    workload_pixels(r->pixels, r->count * picture_bytes(c));
    workload_tokens(r->ids, c->text_tokens, clip_rows(c), 1);
    return clip_features_prepare(r->features, err);
}

static int by_similarity(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->similarity != y->similarity) return x->similarity > y->similarity ? -1 : 1;
    return x->picture < y->picture ? -1 : 1;
}

static bool rank(void *self, error *err)
{
    ranking *r = self;
    const int64_t size = r->config.embedding, batch = clip_features_batch(r->features),
                  end = r->config.text_tokens - 1;
    bool ok = clip_features_texts(r->features, r->ids, &end, 1, r->caption, err);
    for (int64_t i = 0; ok && i < r->count; i += batch) {
        const int64_t now = r->count - i < batch ? r->count - i : batch;
        ok = clip_features_pictures(r->features, r->pixels + i * picture_bytes(&r->config), now,
                                    r->pictures + i * size, err);
    }
    for (int64_t i = 0; ok && i < r->count; ++i) {
        r->order[i] = (ranked){ .picture = i };
        for (int64_t e = 0; e < size; ++e)
            r->order[i].similarity += r->pictures[i * size + e] * r->caption[e];
    }
    if (ok) qsort(r->order, (size_t)r->count, sizeof *r->order, by_similarity);
    return ok;
}

/* Twice the same order, of similarities that can be: features are 1 long. */
static bool check_ranking(void *self, error *err)
{
    ranking *r = self;
    const size_t bytes = (size_t)r->count * sizeof *r->order;
    ranked *first = malloc(bytes);
    if (!first) return error_set(err, ERROR_MEMORY, "out of memory for %lld places", (long long)r->count);
    bool ok = rank(r, err);
    if (ok) memcpy(first, r->order, bytes);
    ok = ok && rank(r, err);
    for (int64_t i = 0; ok && i < r->count; ++i)
        if (first[i].picture != r->order[i].picture || first[i].similarity != r->order[i].similarity ||
            !(fabsf(first[i].similarity) <= 1.001f))
            ok = error_set(err, ERROR_MODEL, "place %lld of the ranking: picture %lld at %g, then %lld at %g",
                           (long long)i, (long long)first[i].picture, (double)first[i].similarity,
                           (long long)r->order[i].picture, (double)r->order[i].similarity);
    free(first);
    return ok;
}

static const workload_type ranking_type = { .build = build_ranking,
                                            .fill = fill_ranking,
                                            .draw = rank,
                                            .check = check_ranking,
                                            .destroy = destroy_ranking };

workload *clip_workload_ranking(device *d, const clip_config *c, int64_t pictures, error *err)
{
    if (!clip_config_check(c, err)) return NULL;
    ranking *r = calloc(1, sizeof *r);
    if (!r) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    r->config = *c;
    r->count = pictures;
    return workload_create(d, &ranking_type, r, err);
}
