/* unclip.c -- see unclip.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/unclip.h"

#include "data/augment.h"
#include "models/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is told ---- */

/* Thousandths of the work, as one that counts tokens is told. */
enum { PARTS_OF_WORK = 1000 };

static bool tell_program(const unclip_drawing *d, const dalle_stage *s)
{
    if (!d->stages && !d->progress) return true;
    plain_locale_suspend(d->locale);
    bool go_on = d->stages ? d->stages(d->context, s)
                           : d->progress(d->context, (int)(s->share * PARTS_OF_WORK), PARTS_OF_WORK);
    plain_locale_resume(d->locale);
    return go_on;
}

bool unclip_tell(unclip_drawing *d, const char *name, int64_t done, int64_t total)
{
    double through = (double)d->through + (total > 0 ? (double)done / (double)total : 1);
    const dalle_stage s = { .name = name,
                            .done = done,
                            .total = total,
                            .ready = d->ready,
                            .pictures = d->count,
                            .share = fmin(1, through / fmax(1, (double)d->runs)) };
    return tell_program(d, &s);
}

static bool on_step(void *context, int64_t done, int64_t total)
{
    unclip_drawing *d = context;
    return unclip_tell(d, d->at, done, total);
}

/* A network has run, or said what it failed at. */
static bool through(unclip_drawing *d, bool ok)
{
    ++d->through;
    return ok;
}

/* ---- Made ready ---- */

/* Few sizes, so that few graphs are built. */
static int at_once(int count)
{
    return count == 1 ? 1 : count <= 4 ? 4 : API_AT_ONCE;
}

static bool draws_numbers(const unclip_drawing *d)
{
    return d->how.prior ? strcmp(d->how.prior, "ar") == 0 : !d->model->diffusion;
}

static bool prepare_prior(const unclip_drawing *d, error *err)
{
    dalle_model *m = d->model;
    return draws_numbers(d) ? ar_prior_part_prepare(m->ar, d->at_once, err)
                            : diffusion_prior_part_prepare(m->diffusion, d->at_once, err);
}

static bool prepare(const unclip_drawing *d, bool prior, error *err)
{
    dalle_model *m = d->model;
    if ((prior && !prepare_prior(d, err)) || !clip_part_prepare(m->clip, err) ||
        !decoder_part_prepare(m->decoder, d->at_once, err))
        return false;
    for (int i = 0; i < m->upsamplers; ++i)
        if (!upsampler_part_prepare(m->upsampler[i], d->at_once, err)) return false;
    return true;
}

bool unclip_prepare(unclip_drawing *d, int64_t before, bool prior, bool judged, error *err)
{
    d->at_once = at_once(d->count);
    while (!prepare(d, prior, err)) {
        if (err->code != ERROR_ROOM) return false;
        if (d->at_once == 1) return api_too_small(err);
        d->at_once = at_once(d->at_once / 4); /* fewer may fit */
    }
    int64_t groups = (d->count + d->at_once - 1) / d->at_once;
    d->runs = before + groups * (prior + 1 + d->model->upsamplers + judged);
    return true;
}

/* ---- The networks ---- */

bool unclip_embed(unclip_drawing *d, int place, int count, float *embeddings, error *err)
{
    bool numbers = draws_numbers(d);
    const embedding_request r = { .caption = d->caption,
                                  .count = count,
                                  .first = d->first + place,
                                  .seed = d->seed,
                                  .guidance = d->how.prior_guidance,
                                  .spacing = d->how.prior_steps,
                                  .ddim = -1,
                                  .eta = -1,
                                  .temperature = d->temperature,
                                  .progress = on_step,
                                  .context = d };
    d->at = numbers ? ar_prior_kind.title : diffusion_prior_kind.title;
    return through(d, numbers ? ar_prior_part_draw(d->model->ar, &r, embeddings, err)
                              : diffusion_prior_part_draw(d->model->diffusion, &r, embeddings, err));
}

/* -1: the model's own. */
static int ddim_of(const unclip_drawing *d)
{
    if (d->inverts) return 1;
    return d->how.sampler ? strcmp(d->how.sampler, "ddim") == 0 : -1;
}

static decoder_request decoding(unclip_drawing *d, int place, int count, const unclip_source *from)
{
    return (decoder_request){ .count = count,
                              .first = d->first + place,
                              .seed = d->seed,
                              .embeddings = from->embeddings,
                              .caption = from->caption,
                              .guidance = d->guidance,
                              .spacing = d->how.steps,
                              .ddim = ddim_of(d),
                              .eta = d->how.eta,
                              .start = from->start,
                              .known = from->known,
                              .mask = from->mask,
                              .progress = on_step,
                              .context = d };
}

static bool decode(unclip_drawing *d, int place, int count, const unclip_source *from, float *out, error *err)
{
    const decoder_request r = decoding(d, place, count, from);
    d->at = decoder_kind.title;
    return through(d, decoder_part_draw(d->model->decoder, &r, out, err));
}

bool unclip_invert(unclip_drawing *d, const float *embedding, const float *fitted, float *start, error *err)
{
    const unclip_source from = { .embeddings = embedding };
    decoder_request r = decoding(d, 0, 1, &from);
    r.guidance = 1;
    r.eta = 0;
    d->at = "inversion";
    return through(d, decoder_part_invert(d->model->decoder, &r, fitted, start, err));
}

static bool enlarge(unclip_drawing *d, int place, int count, int number, const float *low, float *out,
                    error *err)
{
    const upsampler_request r = { .count = count,
                                  .first = d->first + place,
                                  .seed = d->seed,
                                  .spacing = d->how.upsampler_steps,
                                  .ddim = -1,
                                  .eta = -1,
                                  .progress = on_step,
                                  .context = d };
    d->at = upsampler_kind.title;
    return through(d, upsampler_part_draw(d->model->upsampler[number], &r, low, out, err));
}

/* ---- Pictures ---- */

bool unclip_fit(const dalle_model *m, const uint8_t *rgb, int side, float *fitted, error *err)
{
    size_t size = (size_t)m->decoder->config.size, values = size * size * 3;
    const image whole = { side, side, (uint8_t *)(uintptr_t)rgb }; /* is only read */
    uint8_t *bytes = malloc(values);
    bool ok = bytes ? augment_by(&whole, (int)size, AUGMENT_NONE, AUGMENT_FLIP_OFF,
                                 trainer_filter(&m->decoder->config.training), NULL, bytes, err)
                    : error_set(err, ERROR_MEMORY, "out of memory for a picture of %zu x %zu", size, size);
    for (size_t i = 0; ok && i < values; ++i) fitted[i] = (float)bytes[i] / 127.5f - 1;
    free(bytes);
    return ok;
}

static void to_bytes(const float *pictures, size_t values, uint8_t *rgb)
{
    for (size_t i = 0; i < values; ++i)
        rgb[i] = (uint8_t)lrintf(fminf(fmaxf((pictures[i] + 1) * 127.5f, 0), 255));
}

bool unclip_draw(unclip_drawing *d, int place, int count, const unclip_source *from, uint8_t *rgb, error *err)
{
    const dalle_model *m = d->model;
    size_t side = (size_t)m->info.drawn_side, values = (size_t)count * side * side * 3;
    /* None is larger than the last, and each is read by the next alone. */
    float *room = malloc(2 * values * sizeof *room), *now = room, *next = room ? room + values : NULL;
    bool ok =
        room ? decode(d, place, count, from, now, err)
             : error_set(err, ERROR_MEMORY, "out of memory for %d pictures of %zu x %zu", count, side, side);
    for (int i = 0; ok && i < m->upsamplers; ++i) {
        float *low = now;
        ok = enlarge(d, place, count, i, low, next, err);
        now = next;
        next = low;
    }
    if (ok) to_bytes(now, values, rgb);
    free(room);
    return ok;
}
