/* eval_finding.c -- what the judging CLIP finds: agreement of the set's own pairs, retrieval both ways, and
 * whether it tells from a drawing which caption was drawn.
 * SPDX-License-Identifier: MIT */
#include "app/eval/internal.h"
#include "app/eval/recall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 };

/* What may be found: the captioned pictures, then others of the set. */
typedef struct gallery {
    features pictures, texts; /* of each of the set's pairs; texts alone where there is a caption */
    char **captions;          /* of the pictures; NULL: none */
    int64_t *label;           /* of the pictures: equal for equal captions, below 0 without one */
    int64_t *text_label;
    int64_t *own;         /* the place among the pictures of each text */
    int64_t room, paired; /* pictures at most; those that have a caption so far */
} gallery;

static void gallery_free(gallery *g)
{
    features_free(&g->pictures);
    features_free(&g->texts);
    for (int64_t i = 0; g->captions && i < g->room; ++i) free(g->captions[i]);
    free(g->captions);
    free(g->label);
    free(g->text_label);
    free(g->own);
}

static bool gallery_room(gallery *g, const eval_work *w, error *err)
{
    g->room = w->pictures + w->set->others;
    size_t room = (size_t)g->room + 1;
    g->pictures.width = g->texts.width = w->texts.width;
    g->captions = calloc(room, sizeof *g->captions);
    g->label = malloc(room * sizeof *g->label);
    g->text_label = malloc(room * sizeof *g->text_label);
    g->own = malloc(room * sizeof *g->own);
    return g->captions && g->label && g->text_label && g->own
               ? true
               : error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)g->room);
}

static bool copy_rows(features *to, const features *from, error *err)
{
    float *rows = features_add(to, from->count, err);
    if (rows) memcpy(rows, from->at, (size_t)(from->count * from->width) * sizeof *rows);
    return rows != NULL;
}

static bool add_own(gallery *g, const eval_work *w, error *err)
{
    if (!copy_rows(&g->pictures, &w->seen[EVAL_REAL].judged, err) || !copy_rows(&g->texts, &w->texts, err))
        return false;
    for (int64_t i = 0; i < w->pictures; ++i) {
        if (!w->captions[i]) continue;
        g->captions[i] = strdup(w->captions[i]);
        if (!g->captions[i]) return error_set(err, ERROR_MEMORY, "out of memory for captions");
    }
    for (int64_t k = 0; k < w->texts.count; ++k) g->own[g->paired++] = w->place[k];
    return true;
}

/* Others' pictures as they come, some at once. */
typedef struct shelf {
    uint8_t *pixels; /* [AT_ONCE][side][side][3] */
    int64_t count;
} shelf;

static bool embed_shelf(gallery *g, eval_work *w, shelf *s, error *err)
{
    if (!s->count) return true;
    float *rows = features_add(&g->pictures, s->count, err);
    bool ok = rows && clip_part_pictures(w->judge, s->pixels, s->count, w->side, rows, NULL, NULL, err);
    s->count = 0;
    return ok;
}

/* One that cannot be read is not there to be found. */
static bool add_other(gallery *g, eval_work *w, int64_t index, shelf *s, error *err)
{
    bool good;
    if (!eval_set_picture(w->set, index, s->pixels + s->count * w->values, &good, err)) return false;
    if (!good) return true;
    char *caption = eval_set_caption(w->set, index, err);
    if (!caption) return false;
    int64_t at = g->pictures.count + s->count++;
    if (*caption) {
        g->own[g->paired++] = at;
        g->captions[at] = caption;
    } else {
        free(caption);
    }
    return s->count < AT_ONCE || embed_shelf(g, w, s, err);
}

/* Those of the pairs whose features are not there yet. */
static bool add_texts(gallery *g, eval_work *w, error *err)
{
    int64_t first = g->texts.count, count = g->paired - first;
    const char **captions = malloc(((size_t)count + 1) * sizeof *captions);
    float *rows = captions ? features_add(&g->texts, count, err) : NULL;
    if (!captions) error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)count);
    for (int64_t k = 0; rows && k < count; ++k) captions[k] = g->captions[g->own[first + k]];
    bool ok = rows && (!count || clip_part_texts(w->judge, captions, count, rows, NULL, NULL, NULL, err));
    free(captions);
    return ok;
}

static bool add_others(gallery *g, eval_work *w, error *err)
{
    shelf s = { .pixels = malloc((size_t)(AT_ONCE * w->values)) };
    bool ok = s.pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for %d pictures", AT_ONCE);
    for (int64_t i = 0; ok && i < w->set->others; ++i) {
        ok = add_other(g, w, w->set->other[i], &s, err);
        eval_tell(w, "pictures to find among", i + 1, w->set->others);
    }
    ok = ok && embed_shelf(g, w, &s, err) && add_texts(g, w, err);
    free(s.pixels);
    return ok;
}

/* ---- Labels ---- */

typedef struct entry {
    const char *caption;
    int64_t at;
} entry;

static int by_caption(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->caption, y->caption);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* The label of a caption is the first picture that has it. */
static bool label(gallery *g, error *err)
{
    int64_t count = 0;
    entry *all = malloc(((size_t)g->pictures.count + 1) * sizeof *all);
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for captions");
    for (int64_t i = 0; i < g->pictures.count; ++i) {
        g->label[i] = -1 - i;
        if (g->captions[i]) all[count++] = (entry){ g->captions[i], i };
    }
    qsort(all, (size_t)count, sizeof *all, by_caption);
    for (int64_t i = 0; i < count; ++i) {
        bool same = i && strcmp(all[i].caption, all[i - 1].caption) == 0;
        g->label[all[i].at] = same ? g->label[all[i - 1].at] : all[i].at;
    }
    for (int64_t k = 0; k < g->texts.count; ++k) g->text_label[k] = g->label[g->own[k]];
    free(all);
    return true;
}

/* ---- Figures ---- */

/* `found` of `queries` by how far; a cut that as many things as there are would reach says nothing. */
static void add_recall(eval_work *w, const char *const names[RECALL_CUTS],
                       const char *const titles[RECALL_CUTS], const mean found[RECALL_CUTS], int64_t among,
                       const char *of)
{
    for (int k = 0; k < RECALL_CUTS; ++k) {
        mean share = found[k];
        share.value *= 100;
        share.apart *= 1e4;
        if (!share.count || among <= recall_cuts[k]) continue;
        figure *added = figures_add_mean(&w->out->figures, "retrieval", names[k], titles[k], 1, &share, of);
        figures_unit(added, "%% of %lld", (long long)among);
    }
}

/* Queries are the set's own pairs, though more may be there to be found. */
static void find_pictures(eval_work *w, const gallery *g)
{
    static const char *const names[] = { "picture_1", "picture_5", "picture_10" };
    static const char *const titles[] = { "a caption's picture first", "  among the first 5",
                                          "  among the first 10" };
    const recall_side asked = { g->texts.at, g->text_label, w->texts.count },
                      all = { g->pictures.at, g->label, g->pictures.count };
    mean found[RECALL_CUTS] = { 0 };
    recall_of(&asked, g->own, &all, g->texts.width, found);
    add_recall(w, names, titles, found, all.count, "captions");
}

/* The captions found from pictures: query i is row at[i] of `pictures`, and its caption is text own[i]. */
static bool find_captions(eval_work *w, const gallery *g, const features *pictures, const int64_t *at,
                          const int64_t *own, int64_t count, const char *const names[RECALL_CUTS],
                          const char *const titles[RECALL_CUTS], const char *of, error *err)
{
    int64_t width = g->texts.width;
    features rows = { .width = width };
    int64_t *labels = malloc(((size_t)count + 1) * sizeof *labels);
    float *row = labels ? features_add(&rows, count, err) : NULL;
    if (!labels) error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)count);
    for (int64_t i = 0; row && i < count; ++i) {
        memcpy(row + i * width, pictures->at + at[i] * width, (size_t)width * sizeof *row);
        labels[i] = g->text_label[own[i]];
    }
    if (row) {
        const recall_side asked = { row, labels, count },
                          all = { g->texts.at, g->text_label, g->texts.count };
        mean found[RECALL_CUTS] = { 0 };
        recall_of(&asked, own, &all, width, found);
        add_recall(w, names, titles, found, all.count, of);
    }
    features_free(&rows);
    free(labels);
    return row != NULL;
}

static bool find_real(eval_work *w, const gallery *g, error *err)
{
    static const char *const names[] = { "caption_1", "caption_5", "caption_10" };
    static const char *const titles[] = { "a picture's caption first", "  among the first 5",
                                          "  among the first 10" };
    int64_t count = w->texts.count, *own = malloc(((size_t)count + 1) * sizeof *own);
    if (!own) return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)count);
    for (int64_t k = 0; k < count; ++k) own[k] = k;
    bool ok = find_captions(w, g, &g->pictures, w->place, own, count, names, titles, "pictures", err);
    free(own);
    return ok;
}

/* The first drawing of each caption. */
static bool find_drawn(eval_work *w, const gallery *g, error *err)
{
    static const char *const names[] = { "drawing_1", "drawing_5", "drawing_10" };
    static const char *const titles[] = { "a drawing's caption first", "  among the first 5",
                                          "  among the first 10" };
    int64_t count = w->out->captions, *at = malloc(((size_t)count + 1) * sizeof *at);
    if (!at) return error_set(err, ERROR_MEMORY, "out of memory for %lld drawings", (long long)count);
    int64_t each = w->kept < w->o->of ? w->kept : w->o->of;
    for (int64_t i = 0; i < count; ++i) at[i] = i * each;
    bool ok = find_captions(w, g, &w->seen[EVAL_DRAWN].judged, at, w->chosen, count, names, titles,
                            "drawings", err);
    free(at);
    return ok;
}

/* The score of the set's own pairs. */
static void add_agreement(eval_work *w)
{
    mean real = { 0 };
    int64_t width = w->texts.width;
    for (int64_t k = 0; k < w->texts.count; ++k)
        mean_add(&real, (double)recall_similarity(w->texts.at + k * width,
                                                  w->seen[EVAL_REAL].judged.at + w->place[k] * width, width));
    figures_add_mean(&w->out->figures, "agreement", "pictures", "CLIP score of the set's pictures", 4, &real,
                     "captioned pictures");
}

bool eval_finding(eval_work *w, error *err)
{
    gallery g = { 0 };
    add_agreement(w);
    bool ok = gallery_room(&g, w, err) && add_own(&g, w, err) && add_others(&g, w, err) && label(&g, err);
    if (ok) find_pictures(w, &g);
    ok = ok && find_real(w, &g, err) && (!w->out->drawings || find_drawn(w, &g, err));
    gallery_free(&g);
    return ok;
}
