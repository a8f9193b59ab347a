/* eval_drawings.c -- drawing captions of the set, and what the judges say of the drawings.  They come and go;
 * what stays of each is a score, and of some the features.
 * SPDX-License-Identifier: MIT */
#include "app/eval/best_of.h"
#include "app/eval/internal.h"
#include "app/eval/recall.h"

#include <math.h>
#include <stdlib.h>

enum { AT_ONCE = 16 };

typedef struct easel {
    int32_t *text, *tokens; /* a caption; [AT_ONCE][N] */
    uint8_t *pixels;        /* [AT_ONCE][side][side][3] */
    float *judged;          /* [AT_ONCE][width] */
    double *scores;         /* of one caption's drawings */
    mean drawn, real;       /* over captions: the mean score of the drawings, the real picture's */
} easel;

static bool make_room(easel *e, const eval_work *w, error *err)
{
    int64_t tokens = w->prior->shape.side * w->prior->shape.side, width = w->judge ? w->texts.width : 1;
    e->text = malloc((size_t)w->prior->config.text_tokens * sizeof *e->text);
    e->tokens = malloc((size_t)(AT_ONCE * tokens) * sizeof *e->tokens);
    e->pixels = malloc((size_t)(AT_ONCE * w->values));
    e->judged = malloc((size_t)(AT_ONCE * width) * sizeof *e->judged);
    e->scores = malloc((size_t)w->o->of * sizeof *e->scores);
    return e->text && e->tokens && e->pixels && e->judged && e->scores
               ? true
               : error_set(err, ERROR_MEMORY, "out of memory for %d drawings", AT_ONCE);
}

static void forget(easel *e)
{
    free(e->text);
    free(e->tokens);
    free(e->pixels);
    free(e->judged);
    free(e->scores);
}

/* Captions evenly spread over those there are. */
static bool choose(eval_work *w, error *err)
{
    int64_t all = w->captioned, count = w->o->captions < all ? w->o->captions : all;
    w->out->captions = count;
    w->kept = count && w->o->most / count > 1 ? w->o->most / count : 1;
    w->chosen = malloc((size_t)(count + 1) * sizeof *w->chosen);
    if (!w->chosen) return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)count);
    for (int64_t i = 0; i < count; ++i) w->chosen[i] = i * all / count;
    return true;
}

static bool decode(eval_work *w, easel *e, int64_t count, error *err)
{
    int64_t tokens = w->prior->shape.side * w->prior->shape.side;
    for (int64_t i = 0; i < count; i += EVAL_BATCH) {
        int64_t now = count - i < EVAL_BATCH ? count - i : EVAL_BATCH;
        if (!reconstructor_run(w->decoder, e->tokens + i * tokens, now, e->pixels + i * w->values, NULL, err))
            return false;
    }
    return true;
}

/* Drawings first .. first + count - 1 of the caption that e->text holds, which is number `text` of those
 * there are. */
static bool draw_some(eval_work *w, easel *e, int64_t text, int64_t first, int64_t count, error *err)
{
    const prior_config *c = &w->prior->config;
    const prior_draw how = { .text = e->text,
                             .seed = w->o->seed,
                             .first = first,
                             .count = count,
                             .temperature = w->o->temperature < 0 ? c->temperature : w->o->temperature,
                             .top_k = c->top_k,
                             .top_p = c->top_p,
                             .guidance = c->guidance };
    int64_t left = w->kept - first, kept = left < 0 ? 0 : left < count ? left : count, width = w->texts.width;
    if (!prior_sampler_draw(w->prior->sampler, &how, e->tokens, err) || !decode(w, e, count, err) ||
        !eval_look(w, EVAL_DRAWN, e->pixels, count, kept, w->judge ? e->judged : NULL, err))
        return false;
    for (int64_t i = 0; w->judge && i < count; ++i)
        e->scores[first + i] =
            (double)recall_similarity(e->judged + i * width, w->texts.at + text * width, width);
    w->out->drawings += count;
    return true;
}

static void add_scores(eval_work *w, easel *e, int64_t text)
{
    int64_t width = w->texts.width, picture = w->place[text];
    double sum = 0;
    for (int64_t i = 0; i < w->o->of; ++i) sum += e->scores[i];
    mean_add(&e->drawn, sum / (double)w->o->of);
    mean_add(&e->real, (double)recall_similarity(w->seen[EVAL_REAL].judged.at + picture * width,
                                                 w->texts.at + text * width, width));
    best_of_sort(e->scores, w->o->of);
    for (int i = 0; i < EVALUATION_CURVE && (int64_t)1 << i <= w->o->of; ++i)
        mean_add(&w->out->curve[i], best_of_expected(e->scores, w->o->of, (int64_t)1 << i));
}

static bool draw_caption(eval_work *w, easel *e, int64_t number, error *err)
{
    int64_t text = w->chosen[number], all = w->out->captions * w->o->of;
    int cut;
    if (!prior_part_tokens(w->prior, w->captions[w->place[text]], e->text, &cut, err)) return false;
    for (int64_t first = 0; first < w->o->of; first += AT_ONCE) {
        int64_t count = w->o->of - first < AT_ONCE ? w->o->of - first : AT_ONCE;
        if (!draw_some(w, e, text, first, count, err)) return false;
        eval_tell(w, "drawings", number * w->o->of + first + count, all);
    }
    if (w->judge) add_scores(w, e, text);
    return true;
}

static void add_figures(eval_work *w, const easel *e)
{
    figures *f = &w->out->figures;
    if (!w->judge || !w->out->captions) return;
    figures_add_mean(f, "agreement", "drawings", "CLIP score of the drawings", 4, &e->drawn, "captions");
    figures_add_mean(f, "agreement", "drawn_from", "of the pictures of these captions", 4, &e->real,
                     "captions");
    int best = 0;
    while (best + 1 < EVALUATION_CURVE && w->out->curve[best + 1].count) ++best;
    if (!best) return;
    static const char *const names[EVALUATION_CURVE] = { "best_1",   "best_2",  "best_4",  "best_8",
                                                         "best_16",  "best_32", "best_64", "best_128",
                                                         "best_256", "best_512" };
    static const char *const titles[EVALUATION_CURVE] = { "",
                                                          "of the best of 2",
                                                          "of the best of 4",
                                                          "of the best of 8",
                                                          "of the best of 16",
                                                          "of the best of 32",
                                                          "of the best of 64",
                                                          "of the best of 128",
                                                          "of the best of 256",
                                                          "of the best of 512" };
    for (int i = 1; i <= best; ++i)
        figures_add_mean(f, "agreement", names[i], titles[i], 4, &w->out->curve[i], "captions");
}

bool eval_drawings(eval_work *w, error *err)
{
    easel e = { 0 };
    int64_t at_once = w->o->of < AT_ONCE ? w->o->of : AT_ONCE;
    bool ok = choose(w, err) && make_room(&e, w, err) && prior_part_prepare(w->prior, at_once, err);
    for (int64_t i = 0; ok && i < w->out->captions; ++i) ok = draw_caption(w, &e, i, err);
    if (ok) add_figures(w, &e);
    forget(&e);
    return ok;
}
