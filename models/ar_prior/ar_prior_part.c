/* ar_prior_part.c -- see ar_prior_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_part.h"

#include "models/ar_prior/ar_prior_codes.h"
#include "models/ar_prior/ar_prior_sampler.h"
#include "models/kinds.h"
#include "models/unclip/clip_source.h"

#include <stdlib.h>

/* ---- Opening ---- */

static bool open_parameters(ar_prior_part *p, device *d, const part_files *files, error *err)
{
    return (p->store = part_store_create(d, err)) &&
           ar_prior_codes_declare(p->store, &p->config, &p->shape, err) &&
           (p->sampler = ar_prior_sampler_create(p->store, &p->config, &p->shape, false, err)) &&
           (p->codes = ar_prior_codes_create(&p->config, &p->shape, err)) &&
           (checkpoint_import(p->store, files->weights, files->run, &p->metadata, err) ||
            error_prefix(err,
                         "the AR prior does not fit its CLIP, of embeddings of %lld numbers, or its file is "
                         "damaged",
                         (long long)p->shape.embedding)) &&
           ar_prior_codes_read(p->codes, p->store, err);
}

ar_prior_part *ar_prior_part_read(device *d, const char *folder, clip_part *clip, error *err)
{
    part_files files;
    if (!part_files_find(folder, &ar_prior_kind, &files, err)) return NULL;
    ar_prior_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for an AR prior");
    if (ok) p->clip = clip;
    if (ok) p->shape.embedding = clip->config.embedding;
    ok = ok && part_files_config(&files, &p->config, err) &&
         ar_prior_config_check(&p->config, &p->shape, err) &&
         clip_source_fits(&p->config.text, clip, ar_prior_kind.title, folder, err) &&
         open_parameters(p, d, &files, err);
    part_files_free(&files);
    if (ok) return p;
    ar_prior_part_close(p);
    return NULL;
}

ar_prior_part *ar_prior_part_open(device *d, const char *folder, clip_part *clip, error *err)
{
    ar_prior_part *p = ar_prior_part_read(d, folder, clip, err);
    if (!p || clip_source_check(clip, folder, &p->metadata, false, ar_prior_kind.title, folder, err))
        return p;
    ar_prior_part_close(p);
    return NULL;
}

void ar_prior_part_close(ar_prior_part *p)
{
    if (!p) return;
    ar_prior_sampler_destroy(p->sampler);
    ar_prior_codes_destroy(p->codes);
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

bool ar_prior_part_prepare(ar_prior_part *p, int64_t count, error *err)
{
    return ar_prior_sampler_prepare(p->sampler, count, p->config.guidance, err);
}

/* ---- Drawing ---- */

/* What is drawn from; room for it in one piece each. */
typedef struct drawing {
    int32_t *text, *near, *buckets; /* [T], [count], [count][D] */
    float *caption;                 /* [E] */
} drawing;

static bool make_room(const ar_prior_part *p, int64_t count, drawing *w, error *err)
{
    int64_t text = p->config.text_tokens, each = 1 + p->config.dimensions;
    w->text = malloc((size_t)(text + count * each) * sizeof *w->text);
    w->caption = calloc((size_t)p->shape.embedding, sizeof *w->caption);
    if (!w->text || !w->caption)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)count);
    w->near = w->text + text;
    w->buckets = w->near + count;
    return true;
}

/* The caption's tokens and embedding; one without a token is none, of which nothing can be near. */
static bool read_caption(const ar_prior_part *p, const embedding_request *r, drawing *w, error *err)
{
    const char *caption = r->caption ? r->caption : "";
    if (!clip_source_caption(p->clip, caption, w->text, NULL, err)) return false;
    bool none = w->text[0] < 0;
    for (int64_t i = 0; i < r->count; ++i)
        w->near[i] =
            none ? ar_prior_unsaid_token(&p->config)
                 : ar_prior_near_token(&p->config, ar_prior_codes_draw_near(p->codes, p->config.near_share,
                                                                            r->seed, r->first + i));
    return none || clip_part_texts(p->clip, &caption, 1, w->caption, NULL, NULL, NULL, err);
}

bool ar_prior_part_draw(ar_prior_part *p, const embedding_request *r, float *embeddings, error *err)
{
    drawing w = { 0 };
    bool ok = make_room(p, r->count, &w, err) && read_caption(p, r, &w, err);
    const ar_prior_draw how = { .text = w.text,
                                .caption = w.caption,
                                .near = w.near,
                                .seed = r->seed,
                                .first = r->first,
                                .count = r->count,
                                .temperature = r->temperature < 0 ? p->config.temperature : r->temperature,
                                .guidance = r->guidance < 0 ? p->config.guidance : r->guidance,
                                .progress = r->progress,
                                .context = r->context };
    ok = ok && ar_prior_sampler_draw(p->sampler, &how, w.buckets, err);
    for (int64_t i = 0; ok && i < r->count; ++i)
        ar_prior_codes_decode(p->codes, w.buckets + i * p->config.dimensions,
                              embeddings + i * p->shape.embedding);
    free(w.text);
    free(w.caption);
    return ok;
}
