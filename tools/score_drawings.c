/* score_drawings.c -- draws captions with a packed model and says how often the right picture of a data set
 * is the nearest to the drawing, or among the nearest 5 and 20; with several drawings a caption, how much
 * they differ.
 *     score_drawings --help
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "tools/gallery.h"
#include "tools/score_options.h"
#include "tools/score_sheet.h"
#include "tools/wordings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What became of one caption. */
typedef struct outcome {
    int64_t rank, nearest; /* of the first drawing: pictures nearer than the right one (-1: none is right) */
    int right, different;  /* drawings nearest to the right picture; drawings that no earlier one equals */
    double apart;          /* mean over pairs of drawings: root of the thumbnails' mean squared difference */
    bool noted;            /* the user would have been told that the model is unsure */
    double entropy,
        score;       /* of all drawn of the caption, the mean: nats a token, and the CLIP's similarity */
    double best;     /* the similarity of the first that is given back */
    double sureness; /* dalle.h's */
    int phrase;      /* what that is of: 0 the caption, else a near one */
} outcome;

typedef struct scorer {
    score_options options;
    dataset *set;
    dalle_model *model;
    gallery real;
    wordings list;
    outcome *outcomes;
    score_sheet sheet;
} scorer;

/* ---- One caption ---- */

/* Whether `generate` would say that it is unsure of the caption: by its words, or by what was drawn. */
static bool is_noted(const scorer *s, const char *caption, const dalle_pictures *drawn)
{
    char *unknown = dalle_unknown_words(s->model, caption);
    bool noted = unknown != NULL || drawn->unsure;
    dalle_free(unknown);
    return noted;
}

static int count_different(const dalle_pictures *p, size_t tokens)
{
    int different = 0;
    /* Those of diffusion have no tokens, and no two of them are the same. */
    if (!p->tokens) return p->count;
    for (int i = 0; i < p->count; ++i) {
        bool is_new = true;
        for (int j = 0; j < i && is_new; ++j)
            is_new = memcmp(p->tokens + (size_t)i * tokens, p->tokens + (size_t)j * tokens,
                            tokens * sizeof *p->tokens) != 0;
        different += is_new;
    }
    return different;
}

static double mean_apart(const thumb *thumbs, int count)
{
    double sum = 0;
    for (int i = 0; i < count; ++i)
        for (int j = 0; j < i; ++j)
            sum += sqrt((double)thumb_difference(&thumbs[i], &thumbs[j]) / THUMB_VALUES);
    return count > 1 ? 2 * sum / ((double)count * (count - 1)) : 0;
}

static bool save_drawing(const scorer *s, int64_t i, int draw, const image *drawn, error *err)
{
    const char *key = s->list.items[i].picture < 0 ? "none" : s->list.items[i].key;
    char path[4096];
    int length =
        snprintf(path, sizeof path, "%s/%s_%04lld-%02d.png", s->options.folder, key, (long long)i, draw);
    if (length >= (int)sizeof path)
        return error_set(err, ERROR_USAGE, "--drawings: a folder's name of %zu bytes is too long",
                         strlen(s->options.folder));
    return image_write_png(drawn, path, err);
}

/* Looks at drawing `draw` of caption i. */
static bool judge(scorer *s, int64_t i, int draw, const image *drawn, thumb *small, error *err)
{
    outcome *o = &s->outcomes[i];
    int64_t nearest = -1;
    if (!thumb_make(drawn, small, err)) return false;
    int64_t rank = gallery_rank(&s->real, small, s->list.items[i].picture, &nearest);
    o->right += rank == 0;
    if (draw == 0) {
        o->rank = rank;
        o->nearest = nearest;
    }
    return !s->options.folder || save_drawing(s, i, draw, drawn, err);
}

static bool add_to_sheet(scorer *s, int64_t i, const image *drawn, error *err)
{
    const wording *w = &s->list.items[i];
    image real = { 0 };
    bool ok = (w->picture < 0 || dataset_read_picture(s->set, w->picture, &real, err)) &&
              score_sheet_add(&s->sheet, &real, drawn, s->outcomes[i].rank, w->text, err);
    image_free(&real);
    return ok;
}

static bool judge_all(scorer *s, int64_t i, const dalle_pictures *p, error *err)
{
    outcome *o = &s->outcomes[i];
    thumb *thumbs = calloc((size_t)p->count, sizeof *thumbs);
    bool ok = thumbs || error_set(err, ERROR_MEMORY, "no memory for %d thumbnails", p->count);
    for (int draw = 0; ok && draw < p->count; ++draw) {
        image drawn = { p->side, p->side, p->rgb + (size_t)draw * (size_t)p->side * (size_t)p->side * 3 };
        ok = judge(s, i, draw, &drawn, &thumbs[draw], err);
        /* The sheet takes this one when another part of the way is done. */
        if (ok && draw == 0 && s->sheet.count < s->sheet.room &&
            i * s->sheet.room / s->list.count >= s->sheet.count)
            ok = add_to_sheet(s, i, &drawn, err);
    }
    if (ok) o->apart = mean_apart(thumbs, p->count);
    free(thumbs);
    return ok;
}

static bool draw_one(scorer *s, int64_t i, error *err)
{
    dalle_error failure;
    dalle_request request = s->options.request;
    request.caption = s->list.items[i].text;
    request.count = (int)s->options.draws;
    if (dalle_get_info(s->model)->family == DALLE_DRAWS_BY_DIFFUSION) {
        request.sampling = &s->options.sampling;
        if (request.temperature == 0) request.temperature = -1; /* the default here, which it has not */
    }
    dalle_pictures *drawn = dalle_generate(s->model, &request, &failure);
    if (!drawn)
        return error_set(err, failure.status == 2 ? ERROR_USAGE : ERROR_MODEL, "caption '%s': %s",
                         request.caption, failure.message);
    const size_t side = (size_t)dalle_get_info(s->model)->tokens_side;
    s->outcomes[i].noted = is_noted(s, request.caption, drawn);
    s->outcomes[i].entropy = drawn->mean_entropy;
    s->outcomes[i].score = drawn->mean_score;
    s->outcomes[i].best = drawn->score ? (double)drawn->score[0] : 0;
    s->outcomes[i].sureness = drawn->sureness;
    s->outcomes[i].phrase = drawn->phrase ? drawn->phrase[0] : 0;
    s->outcomes[i].different = count_different(drawn, side * side);
    bool ok = judge_all(s, i, drawn, err);
    dalle_pictures_free(drawn);
    return ok;
}

static bool draw_all(scorer *s, error *err)
{
    time_t start = time(NULL);
    for (int64_t i = 0; i < s->list.count; ++i) {
        if (!draw_one(s, i, err)) return false;
        if ((i + 1) % 50 == 0 || i + 1 == s->list.count)
            fprintf(stderr, "%lld of %lld captions, %.0f s\n", (long long)i + 1, (long long)s->list.count,
                    difftime(time(NULL), start));
    }
    return true;
}

/* ---- What is said ---- */

static void print_share(double part, double of)
{
    if (of > 0)
        printf(" %.1f %% |", 100 * part / of);
    else
        printf(" |");
}

static void print_row(const scorer *s)
{
    int64_t placed = 0, near[3] = { 0 }, right = 0, some = 0, noted = 0, count = s->list.count;
    double draws = (double)s->options.draws, different = 0, apart = 0;
    for (int64_t i = 0; i < count; ++i) {
        const outcome *o = &s->outcomes[i];
        placed += o->rank >= 0;
        near[0] += o->rank == 0;
        near[1] += o->rank >= 0 && o->rank < 5;
        near[2] += o->rank >= 0 && o->rank < 20;
        right += o->right;
        some += o->right > 0;
        noted += o->noted;
        different += o->different;
        apart += o->apart;
    }
    if (s->options.header)
        printf("| captions | number | nearest | among 5 | among 20 | drawings each | of them nearest | one "
               "nearest | "
               "different | levels apart | noted |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    printf("| %s | %lld |", s->options.label, (long long)count);
    for (int i = 0; i < 3; ++i) print_share((double)near[i], (double)placed);
    printf(" %.0f |", draws);
    if (draws > 1) {
        print_share((double)right, draws * (double)placed);
        print_share((double)some, (double)placed);
        printf(" %.1f | %.1f |", different / (double)count, apart / (double)count);
    } else {
        printf(" | | | |");
    }
    print_share((double)noted, (double)count);
    printf("\n");
}

static bool write_results(const scorer *s, error *err)
{
    file_atomic file;
    if (!file_atomic_open(&file, s->options.results, err)) return false;
    fprintf(file.stream,
            "key\tname\tcaption\tplace\tnearest\tnearest_"
            "name\tdraws\tright\tdifferent\tapart\tnoted\tentropy\tscore\tbest\tphrase\tsureness\n");
    for (int64_t i = 0; i < s->list.count; ++i) {
        const outcome *o = &s->outcomes[i];
        const wording *w = &s->list.items[i];
        const dataset_sample *nearest = dataset_at(s->set, o->nearest);
        fprintf(file.stream, "%s\t%s\t%s\t%lld\t%s\t%s\t%lld\t%d\t%d\t%.2f\t%d\t%.4f\t%.4f\t%.4f\t%d\t%.4f\n",
                w->key, w->name, w->text, (long long)o->rank + 1, nearest->key, nearest->caption,
                (long long)s->options.draws, o->right, o->different, o->apart, o->noted, o->entropy, o->score,
                o->best, o->phrase, o->sureness);
    }
    return file_atomic_commit(&file, err);
}

/* ---- All ---- */

static bool read_list(scorer *s, error *err)
{
    const score_options *o = &s->options;
    const char *file = o->wordings ? o->wordings : o->names;
    bool ok = o->split ? wordings_of_split(&s->list, o->split, s->set, err)
                       : wordings_read(&s->list, file, s->set, err);
    if (!ok) return false;
    if (o->names) wordings_to_names(&s->list);
    if (s->list.count == 0) return error_set(err, ERROR_USAGE, "%s: no line has a picture, so no name", file);
    wordings_thin(&s->list, o->number);
    for (int64_t i = 0; o->wordings && i < s->list.count; ++i)
        if (s->list.items[i].trained)
            fprintf(stderr, "warning: '%s' is a caption or a keyword of the set: no test of other wordings\n",
                    s->list.items[i].text);
    return true;
}

/* A place that cannot be written is said before the drawing. */
static bool can_write(const char *path, error *err)
{
    file_atomic file;
    if (!path) return true;
    if (!file_atomic_open(&file, path, err)) return false;
    file_atomic_abandon(&file);
    return true;
}

static bool prepare(scorer *s, error *err)
{
    const score_options *o = &s->options;
    dalle_error failure = { 0 };
    if (!can_write(o->results, err) || !can_write(o->sheet, err)) return false;
    if (o->folder && !file_make_folders(o->folder, err)) return false;
    const dataset_options in_memory = { .need_captions = true, .resident = true };
    if (!(s->set = dataset_open_with(&o->data, 1, &in_memory, err)) || !read_list(s, err)) return false;
    int64_t pairs = !o->sheet ? 0 : o->pairs < s->list.count ? o->pairs : s->list.count;
    s->outcomes = calloc((size_t)s->list.count, sizeof *s->outcomes);
    if (!s->outcomes)
        return error_set(err, ERROR_MEMORY, "no memory for %lld captions", (long long)s->list.count);
    if (!score_sheet_open(&s->sheet, pairs, err) || !gallery_open(&s->real, s->set, err)) return false;
    s->model = dalle_open(o->model, o->device, &failure);
    return s->model || error_set(err, failure.status == 2 ? ERROR_USAGE : ERROR_MODEL, "%s", failure.message);
}

static bool run(scorer *s, error *err)
{
    const score_options *o = &s->options;
    if (!prepare(s, err) || !draw_all(s, err)) return false;
    if (o->results && !write_results(s, err)) return false;
    if (o->sheet && !score_sheet_write(&s->sheet, o->sheet, err)) return false;
    print_row(s);
    return fflush(stdout) == 0 || error_set(err, ERROR_IO, "cannot write the table");
}

int main(int argc, char **argv)
{
    error err = { 0 };
    scorer s = { 0 };
    bool ok = score_options_read(&s.options, argc, argv, &err);
    const score_options *o = &s.options;
    if (ok && !o->label) s.options.label = o->split ? o->split : o->names ? "exact names" : "wordings";
    if (ok && o->help)
        score_options_help();
    else
        ok = ok && run(&s, &err);
    if (!ok) fprintf(stderr, "score_drawings: %s\n", err.message);
    score_sheet_close(&s.sheet);
    gallery_close(&s.real);
    wordings_close(&s.list);
    free(s.outcomes);
    dalle_close(s.model);
    dataset_close(s.set);
    return ok ? 0 : error_exit_status(&err);
}
