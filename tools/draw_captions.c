/* draw_captions.c -- draws one picture for each caption of a data set's split, always taking the likeliest
 * token, into FOLDER/KEY.png, and a contact sheet: real pictures over the drawn ones.
 *     draw_captions [-t TEMPERATURE] [-k TOP_K] [-p TOP_P] [-g GUIDANCE] [-s SEED] MODEL DATA.tar SPLIT COUNT
 *     FOLDER
 *                   [SHEET.png PAIRS]
 * The options are those of `dalle-cl generate`; without -t it is 0, without the others what the model says.
 * COUNT 0 takes all; otherwise, like PAIRS, that many evenly spaced through the split.  SPLIT may be
 * "train:0.1:1": the tenth of `train` that training with holdout=0.1 and seed=1 kept aside.
 * SPDX-License-Identifier: MIT */
#include "data/augment.h"
#include "data/dataset.h"
#include "data/grid.h"
#include "app/api/dalle.h"
#include "host/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A key may have folders. */
static bool make_folder_of(const char *path, error *err)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return file_make_folders(folder, err);
}

static bool draw_one(dalle_model *model, const dalle_request *how, const char *caption, const char *path,
                     image *out, error *err)
{
    dalle_error failure;
    dalle_request request = *how;
    request.caption = caption;
    dalle_pictures *drawn = dalle_generate(model, &request, &failure);
    if (!drawn) return error_set(err, ERROR_MODEL, "%s", failure.message);
    bool ok = image_create(out, drawn->side, drawn->side, err);
    if (ok) memcpy(out->pixels, drawn->rgb, (size_t)drawn->side * (size_t)drawn->side * 3);
    dalle_pictures_free(drawn);
    return ok && make_folder_of(path, err) && image_write_png(out, path, err);
}

/* The real picture above the drawn one. */
static bool make_pair(const dataset *set, int64_t index, const image *drawn, image *pair, error *err)
{
    image real = { 0 }, fitted = { 0 };
    int side = drawn->width;
    bool ok = dataset_read_picture(set, index, &real, err) && image_create(&fitted, side, side, err) &&
              augment(&real, side, AUGMENT_NONE, AUGMENT_FLIP_OFF, NULL, fitted.pixels, err) &&
              image_create(pair, side, 2 * side + 2, err);
    if (ok) {
        image_paste(pair, &fitted, 0, 0);
        image_paste(pair, drawn, 0, side + 2);
    }
    image_free(&real);
    image_free(&fitted);
    return ok;
}

typedef struct sheet {
    image *pairs;
    const char **captions;
    int64_t wanted, count;
} sheet;

static bool draw_all(dalle_model *model, const dalle_request *how, const dataset *set,
                     const dataset_selection *of, int64_t count, const char *folder, sheet *s, error *err)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < count; ++i) {
        int64_t index = of->index[i * of->count / count];
        const dataset_sample *sample = dataset_at(set, index);
        char path[4096];
        image drawn = { 0 };
        snprintf(path, sizeof path, "%s/%s.png", folder, sample->key);
        ok = draw_one(model, how, sample->caption, path, &drawn, err);
        /* The sheet takes picture i when another `wanted`-th of the way is done. */
        if (ok && s->wanted && i * s->wanted / count >= s->count && s->count < s->wanted) {
            s->captions[s->count] = sample->caption;
            ok = make_pair(set, index, &drawn, &s->pairs[s->count++], err);
        }
        image_free(&drawn);
        if (i % 50 == 0) fprintf(stderr, "%lld of %lld\n", (long long)i, (long long)count);
    }
    return ok;
}

/* "train", or "train:0.1:1". */
static bool select_split(const dataset *set, const char *text, dataset_selection *of, error *err)
{
    char split[64];
    double holdout = 0;
    unsigned long long seed = 0;
    int fields = sscanf(text, "%63[^:]:%lf:%llu", split, &holdout, &seed);
    if (fields != 1 && fields != 3)
        return error_set(err, ERROR_USAGE, "'%s' is neither SPLIT nor SPLIT:HOLDOUT:SEED", text);
    return dataset_select(set, split, holdout, seed, holdout > 0, of, err);
}

static bool write_sheet(const sheet *s, const char *path, error *err)
{
    image out = { 0 };
    bool ok =
        grid_make(s->pairs, (int)s->count, 8, 6, s->captions, &out, err) && image_write_png(&out, path, err);
    image_free(&out);
    return ok;
}

/* Takes the options off the arguments; false if there is another one. */
static bool read_options(int *argc, char ***argv, dalle_request *how)
{
    char *end = "";
    for (int option; (option = getopt(*argc, *argv, "+t:k:p:g:s:")) != -1;) {
        if (option == 't') how->temperature = strtod(optarg, &end);
        if (option == 'k') how->top_k = (int)strtol(optarg, &end, 10);
        if (option == 'p') how->top_p = strtod(optarg, &end);
        if (option == 'g') how->guidance = strtod(optarg, &end);
        if (option == 's') how->seed = strtoull(optarg, &end, 10);
        if (option == '?' || end == optarg || *end) return false;
    }
    *argc -= optind - 1;
    *argv += optind - 1;
    return true;
}

int main(int argc, char **argv)
{
    dalle_request how = DALLE_REQUEST_DEFAULTS;
    how.temperature = 0;
    if (!read_options(&argc, &argv, &how) || (argc != 6 && argc != 8)) {
        fprintf(stderr,
                "usage: draw_captions [-t TEMPERATURE] [-k TOP_K] [-p TOP_P] [-g GUIDANCE] [-s SEED]\n"
                "                     MODEL DATA.tar SPLIT COUNT FOLDER [SHEET.png PAIRS]\n");
        return 2;
    }
    error err = { 0 };
    dalle_error failure = { 0 };
    const char *data = argv[2];
    sheet s = { .wanted = argc == 8 ? atoll(argv[7]) : 0 };
    dataset_selection of = { 0 };
    const dataset_options in_memory = { .need_captions = true, .resident = true };
    dataset *set = dataset_open_with(&data, 1, &in_memory, &err);
    dalle_model *model = dalle_open(argv[1], NULL, &failure);
    if (!model) error_set(&err, ERROR_MODEL, "%s", failure.message);
    s.pairs = calloc((size_t)s.wanted + 1, sizeof *s.pairs);
    s.captions = calloc((size_t)s.wanted + 1, sizeof *s.captions);
    bool ok = set && model && s.pairs && s.captions && select_split(set, argv[3], &of, &err) &&
              file_make_folders(argv[5], &err);
    int64_t count = ok && atoll(argv[4]) > 0 && atoll(argv[4]) < of.count ? atoll(argv[4]) : of.count;
    ok = ok && draw_all(model, &how, set, &of, count, argv[5], &s, &err);
    if (ok && s.wanted) ok = write_sheet(&s, argv[6], &err);
    if (!ok) fprintf(stderr, "draw_captions: %s\n", err.message);
    for (int64_t i = 0; s.pairs && i < s.count; ++i) image_free(&s.pairs[i]);
    free(s.pairs);
    free(s.captions);
    dalle_close(model);
    dataset_selection_free(&of);
    dataset_close(set);
    return ok ? 0 : 1;
}
