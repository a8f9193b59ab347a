/* cmd_score.c -- `dalle-cl score`: how near pictures and texts are.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/collection.h"
#include "app/cli/embedding.h"
#include "app/cli/pictures.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"
#include "host/base/json_tree.h"

#include <stdlib.h>

typedef struct scored {
    const char **pictures, **texts;
    int picture_count, text_count;
    float *similarities, *probabilities;
} scored;

/* ---- What is compared ---- */

static bool sort_arguments(const cli_call *call, scored *s, error *err)
{
    int pictures, texts, count = cli_argument_count(call);
    const char *const *named = cli_list(call, "picture", &pictures), *const *given =
                                                                         cli_list(call, "text", &texts);
    s->pictures = malloc((size_t)(pictures + count + 1) * sizeof *s->pictures);
    s->texts = malloc((size_t)(texts + count + 1) * sizeof *s->texts);
    if (!s->pictures || !s->texts) return error_set(err, ERROR_MEMORY, "out of memory for the arguments");
    for (int i = 0; i < count; ++i) {
        bool picture;
        const char *argument = cli_argument(call, i);
        if (!collection_tell(argument, &picture, err)) return false;
        if (picture)
            s->pictures[s->picture_count++] = argument;
        else
            s->texts[s->text_count++] = argument;
    }
    for (int i = 0; i < pictures; ++i) s->pictures[s->picture_count++] = named[i];
    for (int i = 0; i < texts; ++i) s->texts[s->text_count++] = given[i];
    if (s->picture_count == 0)
        return error_set(err, ERROR_USAGE,
                         "score: no picture is named: none of the arguments is a picture's file");
    return s->text_count > 0 ||
           error_set(err, ERROR_USAGE,
                     "score: no text is given to compare with: all arguments are pictures' files; --text is "
                     "always a text");
}

static bool compare(const scored *s, dalle_model *model, error *err)
{
    dalle_error failure;
    int side = dalle_get_info(model)->clip_side;
    for (int i = 0; i < s->text_count; ++i) embedding_warn_cut(model, s->texts[i]);
    uint8_t *rgb = dalle_read_fitted(model, s->pictures, s->picture_count, &failure);
    if (!rgb) return pictures_error(&failure, err);
    bool ok = dalle_score(model, rgb, s->picture_count, side, s->texts, s->text_count, NULL, NULL,
                          s->similarities, s->probabilities, &failure);
    dalle_free(rgb);
    return ok || pictures_error(&failure, err);
}

/* ---- The table ---- */

static void print_people(const scored *s)
{
    const float *similarity = s->similarities, *probability = s->probabilities;
    for (int i = 0; i < s->picture_count; ++i) {
        print_line(stdout, "%s", s->pictures[i]);
        for (int j = 0; j < s->text_count; ++j, ++similarity, ++probability)
            if (s->text_count > 1)
                print_line(stdout, "  %7.4f  %5.1f %%  %s", (double)*similarity, 100 * (double)*probability,
                           s->texts[j]);
            else
                print_line(stdout, "  %7.4f  %s", (double)*similarity, s->texts[j]);
    }
}

static bool print_json(const scored *s, double scale, error *err)
{
    json_t *pictures = json_array();
    for (int i = 0; i < s->picture_count; ++i) {
        json_t *scores = json_array(), *one = json_object();
        for (int64_t j = 0; j < s->text_count; ++j) {
            int64_t at = (int64_t)i * s->text_count + j;
            json_t *score = json_object();
            json_tree_put(&score, "text", json_tree_string(s->texts[j]));
            json_tree_put(&score, "similarity", json_real((double)s->similarities[at]));
            json_tree_put(&score, "probability", json_real((double)s->probabilities[at]));
            json_tree_add(&scores, score);
        }
        json_tree_put(&one, "picture", json_tree_string(s->pictures[i]));
        json_tree_put(&one, "scores", scores);
        json_tree_add(&pictures, one);
    }
    json_t *all = json_object();
    json_tree_put(&all, "scale", json_real(scale));
    json_tree_put(&all, "pictures", pictures);
    return sets_print(all, JSON_COMPACT | JSON_REAL_PRECISION(6), err);
}

static bool score(const cli_call *call, scored *s, dalle_model *model, error *err)
{
    size_t room = (size_t)s->picture_count * (size_t)s->text_count;
    s->similarities = malloc(room * sizeof *s->similarities);
    s->probabilities = malloc(room * sizeof *s->probabilities);
    if (!s->similarities || !s->probabilities)
        return error_set(err, ERROR_MEMORY, "out of memory for %d x %d scores", s->picture_count,
                         s->text_count);
    if (!compare(s, model, err)) return false;
    if (cli_flag(call, "json")) return print_json(s, dalle_get_info(model)->clip_scale, err);
    print_people(s);
    return true;
}

static bool run_score(const cli_call *call, error *err)
{
    scored s = { 0 };
    dalle_error failure;
    bool ok = cli_require(call, "model", err) && sort_arguments(call, &s, err);
    dalle_model *model =
        ok ? dalle_open_parts(cli_text(call, "model"), cli_text(call, "device"), DALLE_CLIP, &failure) : NULL;
    if (ok && !model) ok = pictures_error(&failure, err);
    ok = ok && score(call, &s, model, err);
    dalle_close(model);
    free(s.pictures);
    free(s.texts);
    free(s.similarities);
    free(s.probabilities);
    return ok;
}

static const cli_option options[] = {
    { "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "a packed model with a CLIP, or the run of one" },
    { "picture", 0, CLI_LIST, "FILE", NULL, 0, 0, "a picture, whatever its name looks like" },
    { "text", 0, CLI_LIST, "TEXT", NULL, 0, 0, "a text, even if a file has that name" },
};

const cli_command cmd_score = {
    .name = "score",
    .summary = "say how near pictures and texts are",
    .arguments = "PICTURE... TEXT...",
    .least = 0,
    .most = -1,
    .example = "dalle-cl score -m models/clip cat.png \"a cat\" \"a dog\"",
    .text =
        "Arguments that are pictures' files are pictures, the others texts, in any order; a name such as\n"
        "cat.png without a file is an error. For each picture: the similarity of each text, the cosine\n"
        "between -1 and 1, and how probable the text is among those given, where there are several.\n"
        "Pictures (PNG, JPEG or WebP) are scaled to the model's size by their short side and cut to the\n"
        "centre square.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_score,
};
