/* decoder_part.c -- see decoder_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_part.h"

#include "models/decoder/decoder_draw.h"
#include "models/kinds.h"
#include "models/unclip/clip_source.h"

#include <stdlib.h>
#include <string.h>

/* ---- Opening ---- */

decoder_part *decoder_part_read(device *d, const char *folder, clip_part *clip, error *err)
{
    part_files files;
    if (!part_files_find(folder, &decoder_kind, &files, err)) return NULL;
    decoder_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a decoder");
    if (ok) p->clip = clip;
    if (ok) p->shape = (decoder_shape){ clip->config.embedding, clip->config.text_width };
    ok = ok && part_files_config(&files, &p->config, err) && decoder_config_check(&p->config, err) &&
         clip_source_fits(&p->config.text, clip, decoder_kind.title, folder, err) &&
         (p->store = part_store_create(d, err)) &&
         (!p->config.clip_text || (p->states = clip_states_create(clip, err))) &&
         (p->drawer = decoder_drawer_create(p->store, &p->config, &p->shape, false, err));
    if (ok && !checkpoint_import(p->store, files.weights, files.run, &p->metadata, err))
        ok = error_prefix(err,
                          "the decoder does not fit its CLIP, of embeddings of %lld numbers, or its file is "
                          "damaged",
                          (long long)clip->config.embedding);
    part_files_free(&files);
    if (ok) return p;
    decoder_part_close(p);
    return NULL;
}

decoder_part *decoder_part_open(device *d, const char *folder, clip_part *clip, error *err)
{
    decoder_part *p = decoder_part_read(d, folder, clip, err);
    if (!p ||
        clip_source_check(clip, folder, &p->metadata, !p->config.clip_text, decoder_kind.title, folder, err))
        return p;
    decoder_part_close(p);
    return NULL;
}

void decoder_part_close(decoder_part *p)
{
    if (!p) return;
    clip_states_destroy(p->states);
    decoder_drawer_destroy(p->drawer);
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

bool decoder_part_prepare(decoder_part *p, int64_t count, error *err)
{
    (void)count; /* batches have one size */
    return decoder_drawer_prepare(p->drawer, p->config.guidance, err);
}

/* ---- What pictures are made from ---- */

/* A row's caption. */
static bool read_caption(const decoder_part *p, const char *caption, decoder_values *v, error *err)
{
    return clip_source_caption(p->clip, caption ? caption : "", v->ids, NULL, err) &&
           decoder_values_read(v, p->states, err);
}

/* What the model is told of the picture: with no mask nothing is known of it. */
static bool give(const decoder_part *p, const decoder_request *r, decoder_values *v, error *err)
{
    if (!v->given) return true;
    int64_t values = p->config.size * p->config.size;
    float *room = calloc((size_t)(4 * values), sizeof *room);
    if (!room) return error_set(err, ERROR_MEMORY, "out of memory for a mask");
    for (int64_t i = 0; i < values; ++i) room[3 * values + i] = 1;
    const float *picture = r->known ? r->known : room, *holes = r->known ? r->mask : room + 3 * values;
    for (int64_t i = 0; i < v->count; ++i) decoder_values_give(v, i, picture, holes);
    free(room);
    return true;
}

/* The row `one` has the caption of all. */
static bool fill_values(const decoder_part *p, const decoder_request *r, decoder_values *v,
                        decoder_values *one, decoder_values *none, error *err)
{
    if (!read_caption(p, NULL, none, err) || !read_caption(p, r->caption, one, err)) return false;
    memcpy(v->embedding, r->embeddings, (size_t)(r->count * v->embedding_size) * sizeof *v->embedding);
    for (int64_t i = 0; i < r->count; ++i) {
        v->keep[i] = 1;
        decoder_values_caption(v, i, one, 0);
    }
    return give(p, r, v, err);
}

/* ---- Drawing ---- */

/* The model's own where the request names none. */
static decoder_draw draw_of(const decoder_part *p, const decoder_request *r)
{
    decoder_draw how = decoder_draw_by(&p->config);
    how.count = r->count;
    how.first = r->first;
    how.seed = r->seed;
    how.start = r->start;
    how.known = r->known;
    how.mask = r->mask;
    how.progress = r->progress;
    how.context = r->context;
    if (r->guidance >= 0) how.guidance = r->guidance;
    if (r->spacing) how.spacing = r->spacing;
    if (r->ddim >= 0) how.ddim = r->ddim > 0;
    if (r->eta >= 0) how.eta = r->eta;
    return how;
}

static bool run(decoder_part *p, const decoder_request *r, const float *pictures, float *out, error *err)
{
    decoder_draw how = draw_of(p, r);
    decoder_values values = { .count = 0 }, one = { .count = 0 }, none = { .count = 0 };
    bool ok = decoder_values_make(&values, &p->config, &p->shape, r->count, err) &&
              decoder_values_make(&one, &p->config, &p->shape, 1, err) &&
              decoder_values_make(&none, &p->config, &p->shape, 1, err) &&
              fill_values(p, r, &values, &one, &none, err);
    how.values = &values;
    how.none = &none;
    if (ok)
        ok = pictures ? decoder_drawer_invert(p->drawer, &how, pictures, out, err)
                      : decoder_drawer_draw(p->drawer, &how, out, err);
    decoder_values_free(&values);
    decoder_values_free(&one);
    decoder_values_free(&none);
    return ok;
}

bool decoder_part_draw(decoder_part *p, const decoder_request *r, float *pictures, error *err)
{
    return run(p, r, NULL, pictures, err);
}

bool decoder_part_invert(decoder_part *p, const decoder_request *r, const float *pictures, float *start,
                         error *err)
{
    return run(p, r, pictures, start, err);
}
