/* change.c -- libdalle makes pictures of pictures: variations, mixtures, a text's difference, fillings (arXiv
 * 2204.06125, 3); see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/mask.h"
#include "app/api/unclip.h"

#include "data/augment.h"
#include "models/trainer.h"
#include "models/unclip/embedding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRENGTH 0.4 /* within the paper's 0.25 to 0.5 */

/* A change under way. */
typedef struct change {
    unclip_drawing drawing;
    dalle_change asked;
    size_t dimensions, values;      /* of an embedding; of a decoder's picture */
    float *fitted;                  /* [values]: the picture as the decoder has it */
    float *embedding[2], *start[2]; /* of the picture, and of what it goes to */
    float *texts;                   /* two embeddings */
    float *embeddings, *starts;     /* [at_once][..]: of those that are drawn now */
    float *mask, *final_mask;       /* of the decoder's size, and of the last one */
    uint8_t *kept;                  /* the picture at the last size */
} change;

/* Fills in the embeddings and starts, or leaves the latter, of `count` pictures from `place` on. */
typedef bool change_step(change *c, int place, int count, unclip_source *from, error *err);

typedef struct change_way {
    int64_t inversions;
    bool prior;                                 /* captions are read */
    bool (*check)(const change *c, error *err); /* what only this one is asked; may be NULL */
    bool (*begin)(change *c, error *err);
    change_step *step;
} change_way;

/* ---- Begin and end ---- */

static bool make_room(change *c, error *err)
{
    const dalle_model *m = c->drawing.model;
    size_t few = (size_t)c->drawing.at_once, side = (size_t)m->info.drawn_side,
           size = (size_t)m->decoder->config.size, total = 0;
    c->dimensions = (size_t)m->clip->config.embedding;
    c->values = size * size * 3;
    struct piece {
        float **at;
        size_t count;
    } const pieces[] = {
        { &c->fitted, c->values },           { &c->embedding[0], c->dimensions },
        { &c->embedding[1], c->dimensions }, { &c->start[0], c->values },
        { &c->start[1], c->values },         { &c->embeddings, few * c->dimensions },
        { &c->starts, few * c->values },     { &c->mask, size * size },
        { &c->final_mask, side * side },     { &c->texts, 2 * c->dimensions },
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; ++i) total += pieces[i].count;
    float *room = calloc(total, sizeof *room);
    c->fitted = room; /* owns it */
    c->kept = malloc(side * side * 3);
    if (!room || !c->kept)
        return error_set(err, ERROR_MEMORY, "out of memory for %zu pictures of %zu x %zu", few, side, side);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; ++i) {
        *pieces[i].at = room;
        room += pieces[i].count;
    }
    return true;
}

static void change_free(change *c)
{
    free(c->fitted);
    free(c->kept);
}

/* What a picture is to the networks: its embedding, and its pixels as the decoder has them. */
static bool look(change *c, const uint8_t *rgb, int side, float *embedding, error *err)
{
    dalle_model *m = c->drawing.model;
    return clip_part_pictures(m->clip, rgb, 1, side, embedding, NULL, NULL, err) &&
           unclip_fit(m, rgb, side, c->fitted, err);
}

static bool find_start(change *c, int which, error *err)
{
    return unclip_invert(&c->drawing, c->embedding[which], c->fitted, c->start[which], err);
}

static void repeat(const float *one, size_t size, int count, float *out)
{
    for (int i = 0; i < count; ++i) memcpy(out + (size_t)i * size, one, size * sizeof *one);
}

static bool draw_all(change *c, const change_way *way, dalle_pictures *out, error *err)
{
    unclip_drawing *d = &c->drawing;
    const dalle_model_info *info = &d->model->info;
    size_t bytes = (size_t)info->drawn_side * (size_t)info->drawn_side * 3;
    for (int place = 0; place < d->count; place += d->at_once) {
        int left = d->count - place, now = left < d->at_once ? left : d->at_once;
        unclip_source from = { .embeddings = c->embeddings };
        if (!way->step(c, place, now, &from, err) ||
            !unclip_draw(d, place, now, &from, out->rgb + (size_t)place * bytes, err))
            return false;
        d->ready = place + now;
    }
    for (int i = 0; i < d->count; ++i) out->number[i] = d->first + i;
    return true;
}

/* ---- Variations ---- */

static bool vary_begin(change *c, error *err)
{
    return look(c, c->asked.rgb, c->asked.side, c->embedding[0], err) && find_start(c, 0, err);
}

static bool vary_step(change *c, int place, int count, unclip_source *from, error *err)
{
    (void)place;
    (void)err;
    repeat(c->embedding[0], c->dimensions, count, c->embeddings);
    repeat(c->start[0], c->values, count, c->starts);
    from->start = c->starts;
    return true;
}

/* ---- From one picture to another ---- */

static bool mix_check(const change *c, error *err)
{
    return c->asked.other_rgb ? true : api_missing("the other picture", err);
}

/* One noise for all, of a stream of its own. */
static void draw_noise(change *c)
{
    const philox p = { .seed = c->asked.seed,
                       .step = (uint32_t)c->asked.first,
                       .stream = philox_stream("mix.start") };
    for (size_t i = 0; i < c->values; ++i) c->start[0][i] = c->start[1][i] = philox_normal(&p, (uint32_t)i);
}

static bool mix_begin(change *c, error *err)
{
    const dalle_change *a = &c->asked;
    if (a->fresh) draw_noise(c);
    return look(c, a->rgb, a->side, c->embedding[0], err) && (a->fresh || find_start(c, 0, err)) &&
           look(c, a->other_rgb, a->other_side, c->embedding[1], err) && (a->fresh || find_start(c, 1, err));
}

/* Where picture `place` of so many stands on the way; a single one where `alone` says. */
static double share_of(int place, int count, double alone)
{
    return count == 1 ? alone : (double)place / (count - 1);
}

static bool mix_step(change *c, int place, int count, unclip_source *from, error *err)
{
    (void)err;
    for (int i = 0; i < count; ++i) {
        double share = share_of(place + i, c->drawing.count, 0.5);
        embedding_slerp(c->embedding[0], c->embedding[1], (int64_t)c->dimensions, share,
                        c->embeddings + (size_t)i * c->dimensions);
        embedding_between(c->start[0], c->start[1], (int64_t)c->values, share,
                          c->starts + (size_t)i * c->values);
    }
    from->start = c->starts;
    return true;
}

/* ---- A text's difference ---- */

static bool edit_check(const change *c, error *err)
{
    const dalle_change *a = &c->asked;
    if (isnan(a->strength) || a->strength > 1)
        return error_set(err, ERROR_USAGE, "strength %g; 0 to 1, in the paper 0.25 to 0.5", a->strength);
    return api_check_text(a->from, "the text of what the picture shows", err) &&
           api_check_text(a->caption, "the text of what it is to show", err);
}

static bool edit_begin(change *c, error *err)
{
    dalle_model *m = c->drawing.model;
    const char *const texts[] = { c->asked.from, c->asked.caption };
    if (!clip_part_texts(m->clip, texts, 2, c->texts, NULL, NULL, NULL, err)) return false;
    if (!embedding_difference(c->texts, c->texts + c->dimensions, (int64_t)c->dimensions, c->embedding[1]))
        return error_set(
            err, ERROR_USAGE,
            "'%.60s' and '%.60s' are the same to the model's %s, so that nothing leads from one to "
            "the other",
            texts[0], texts[1], clip_kind.title);
    return vary_begin(c, err);
}

static bool edit_step(change *c, int place, int count, unclip_source *from, error *err)
{
    double most = c->asked.strength < 0 ? STRENGTH : c->asked.strength;
    if (!vary_step(c, place, count, from, err)) return false;
    for (int i = 0; i < count; ++i)
        embedding_slerp(c->embedding[0], c->embedding[1], (int64_t)c->dimensions,
                        most * share_of(place + i, c->drawing.count, 1),
                        c->embeddings + (size_t)i * c->dimensions);
    return true;
}

/* ---- Fillings ---- */

static bool inpaint_check(const change *c, error *err)
{
    const dalle_model *m = c->drawing.model;
    const dalle_change *a = &c->asked;
    if (!api_check_text(a->caption, "the caption", err)) return false;
    if (!m->diffusion && !m->ar)
        return api_lacks(m, &diffusion_prior_kind, "makes a caption the embedding that is drawn", err);
    if (!a->mask) return api_missing("the mask", err);
    if (a->mask_side < 1 || a->mask_side > IMAGE_MAX_SIDE)
        return error_set(err, ERROR_USAGE, "the mask has %d pixels a side; 1 to %d", a->mask_side,
                         IMAGE_MAX_SIDE);
    return mask_check(a->mask, a->mask_side, (int)m->decoder->config.size, err);
}

static bool inpaint_begin(change *c, error *err)
{
    const dalle_model *m = c->drawing.model;
    const dalle_change *a = &c->asked;
    const image whole = { a->side, a->side, (uint8_t *)(uintptr_t)a->rgb }; /* is only read */
    c->drawing.caption = a->caption;
    mask_fit(a->mask, a->mask_side, (int)m->decoder->config.size, c->mask);
    mask_fit(a->mask, a->mask_side, m->info.drawn_side, c->final_mask);
    return unclip_fit(m, a->rgb, a->side, c->fitted, err) &&
           augment_by(&whole, m->info.drawn_side, AUGMENT_NONE, AUGMENT_FLIP_OFF,
                      trainer_filter(&m->decoder->config.training), NULL, c->kept, err);
}

static bool inpaint_step(change *c, int place, int count, unclip_source *from, error *err)
{
    from->caption = c->asked.caption;
    from->known = c->fitted;
    from->mask = c->mask;
    return unclip_embed(&c->drawing, place, count, c->embeddings, err);
}

static void keep_known(const change *c, dalle_pictures *out)
{
    size_t bytes = (size_t)out->side * (size_t)out->side * 3;
    for (int i = 0; i < out->count; ++i)
        mask_keep(c->final_mask, c->kept, out->side, out->rgb + (size_t)i * bytes);
}

/* ---- The calls ---- */

static const change_way
    vary = { .inversions = 1, .begin = vary_begin, .step = vary_step },
    mix = { .inversions = 2, .check = mix_check, .begin = mix_begin, .step = mix_step },
    edit = { .inversions = 1, .check = edit_check, .begin = edit_begin, .step = edit_step },
    inpaint = { .prior = true, .check = inpaint_check, .begin = inpaint_begin, .step = inpaint_step };

/* So many, unless the noise is drawn. */
static int64_t inversions_of(const change *c, const change_way *way)
{
    return way == &mix && c->asked.fresh ? 0 : way->inversions;
}

/* What noise is found for is drawn by DDIM, and, unless more is asked for, as learned and without noise
 * between. */
static bool settle(change *c, const change_way *way, error *err)
{
    unclip_drawing *d = &c->drawing;
    dalle_sampling *how = &d->how;
    d->guidance = c->asked.guidance;
    if (way->inversions == 0) return true;
    if (how->sampler && strcmp(how->sampler, "ddim") != 0)
        return error_set(err, ERROR_USAGE,
                         "the sampler is '%s'; what starts from a picture's noise is drawn by \"ddim\"",
                         how->sampler);
    d->inverts = true;
    if (how->eta < 0) how->eta = way == &vary ? 1 : 0;
    if (d->guidance < 0 && how->eta == 0 && inversions_of(c, way)) d->guidance = 1;
    return true;
}

static bool run(dalle_model *m, const dalle_change *given, const change_way *way, const plain_locale *locale,
                dalle_pictures *out, error *err)
{
    change c = { 0 };
    const dalle_change *a = &c.asked;
    if (!api_change_take(given, &c.asked, err) || !api_change_check(m, a, err)) return false;
    c.drawing = (unclip_drawing){ .model = m,
                                  .temperature = -1,
                                  .seed = a->seed,
                                  .first = a->first,
                                  .count = a->count,
                                  .stages = a->stages,
                                  .context = a->context,
                                  .locale = locale };
    bool ok = api_sampling_take(m, a->sampling, &c.drawing.how, err) &&
              (!way->check || way->check(&c, err)) && settle(&c, way, err) &&
              api_pictures_make(out, a->count, m->info.drawn_side, 0, false, err) &&
              unclip_prepare(&c.drawing, inversions_of(&c, way), way->prior, false, err) &&
              make_room(&c, err) && way->begin(&c, err) && draw_all(&c, way, out, err);
    if (ok && way == &inpaint) keep_known(&c, out);
    change_free(&c);
    return ok;
}

static dalle_pictures *change_picture(dalle_model *m, const dalle_change *given, const change_way *way,
                                      const plain_locale *locale, dalle_error *failure)
{
    error err = { 0 };
    dalle_pictures *out = calloc(1, sizeof *out);
    if (!out) error_set(&err, ERROR_MEMORY, "out of memory for pictures");
    if (out && run(m, given, way, locale, out, &err)) return out;
    dalle_pictures_free(out);
    api_report(failure, &err);
    return NULL;
}

dalle_pictures *dalle_vary(dalle_model *m, const dalle_change *given, dalle_error *failure)
{
    PLAIN_LOCALE;
    return change_picture(m, given, &vary, &plain, failure);
}

dalle_pictures *dalle_mix(dalle_model *m, const dalle_change *given, dalle_error *failure)
{
    PLAIN_LOCALE;
    return change_picture(m, given, &mix, &plain, failure);
}

dalle_pictures *dalle_edit(dalle_model *m, const dalle_change *given, dalle_error *failure)
{
    PLAIN_LOCALE;
    return change_picture(m, given, &edit, &plain, failure);
}

dalle_pictures *dalle_inpaint(dalle_model *m, const dalle_change *given, dalle_error *failure)
{
    PLAIN_LOCALE;
    return change_picture(m, given, &inpaint, &plain, failure);
}
