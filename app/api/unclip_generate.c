/* unclip_generate.c -- libdalle draws captions by diffusion, a few pictures through all networks at a time,
 * so that of many of which the best are wanted only those are kept (rank.c).
 * SPDX-License-Identifier: MIT */
#include "app/api/unclip.h"

#include <stdlib.h>
#include <string.h>

/* What a few pictures at a time need. */
typedef struct easel {
    unclip_drawing drawing;
    const dalle_request *request;
    api_jury *jury; /* NULL: none are chosen */
    float *embeddings, *scores;
    uint8_t *rgb;
    size_t bytes; /* of a picture */
} easel;

static bool easel_make(easel *e, error *err)
{
    const dalle_model_info *i = &e->drawing.model->info;
    size_t few = (size_t)e->drawing.at_once;
    e->bytes = (size_t)i->drawn_side * (size_t)i->drawn_side * 3;
    e->embeddings = malloc(few * (size_t)i->clip_dimensions * sizeof *e->embeddings);
    e->scores = malloc(few * sizeof *e->scores);
    e->rgb = malloc(few * e->bytes);
    return (e->embeddings && e->scores && e->rgb) ||
           error_set(err, ERROR_MEMORY, "out of memory for %zu pictures", few);
}

static void easel_free(easel *e)
{
    api_jury_close(e->jury);
    free(e->embeddings);
    free(e->scores);
    free(e->rgb);
}

static bool judge(easel *e, int place, int count, dalle_pictures *out, int *kept, error *err)
{
    unclip_drawing *d = &e->drawing;
    const dalle_request *r = e->request;
    api_counter told = { r->judging, r->context };
    api_watch watch = { .progress = r->judging ? api_counter_tell : NULL,
                        .context = &told,
                        .locale = d->locale,
                        .before = place,
                        .total = d->count };
    if (!api_jury_scores(e->jury, e->rgb, count, out->side, &watch, e->scores, NULL, err))
        return err->code == ERROR_INTERRUPTED ? error_prefix(err, "scoring %d drawings", d->count) : false;
    ++d->through;
    for (int i = 0; i < count; ++i) {
        *kept = api_rank_keep(out, *kept, e->rgb + (size_t)i * e->bytes, e->scores[i], d->first + place + i);
        out->mean_score += (double)e->scores[i] / d->count;
    }
    return true;
}

static void keep(const easel *e, int place, int count, dalle_pictures *out)
{
    memcpy(out->rgb + (size_t)place * e->bytes, e->rgb, (size_t)count * e->bytes);
    for (int i = 0; i < count; ++i) out->number[place + i] = e->drawing.first + place + i;
}

static bool draw_few(easel *e, int place, int count, dalle_pictures *out, int *kept, error *err)
{
    unclip_drawing *d = &e->drawing;
    const unclip_source from = { .embeddings = e->embeddings, .caption = d->caption };
    if (!unclip_embed(d, place, count, e->embeddings, err) ||
        !unclip_draw(d, place, count, &from, e->rgb, err))
        return false;
    d->ready = place + count;
    if (e->jury) return judge(e, place, count, out, kept, err);
    keep(e, place, count, out);
    return true;
}

bool unclip_generate(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                     error *err)
{
    easel e = { .request = r,
                .drawing = { .model = m,
                             .caption = r->caption,
                             .guidance = r->guidance,
                             .temperature = r->temperature,
                             .seed = r->seed,
                             .first = r->first,
                             .count = r->of ? r->of : r->count,
                             .stages = r->stages,
                             .progress = r->progress,
                             .context = r->context,
                             .locale = locale } };
    int kept = 0;
    bool ok = api_sampling_take(m, r->sampling, &e.drawing.how, err) &&
              api_pictures_make(out, r->count, m->info.drawn_side, 0, r->of > 0, err) &&
              unclip_prepare(&e.drawing, 0, true, r->of > 0, err) && easel_make(&e, err) &&
              (!r->of || (e.jury = api_jury_open(m, r->caption, err)));
    out->drawn = e.drawing.count;
    for (int place = 0, few = e.drawing.at_once; ok && place < e.drawing.count; place += few) {
        int left = e.drawing.count - place;
        ok = draw_few(&e, place, left < few ? left : few, out, &kept, err);
    }
    easel_free(&e);
    return ok;
}
