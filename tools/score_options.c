/* score_options.c -- what score_drawings is told; see score_options.h.
 * SPDX-License-Identifier: MIT */
#include "tools/score_options.h"
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DRAWS = 64, MOST_PAIRS = 400 };

typedef enum option_kind {
    OPTION_TEXT,
    OPTION_REAL,
    OPTION_INT,
    OPTION_INT64,
    OPTION_SEED,
    OPTION_FLAG
} option_kind;

typedef struct option {
    const char *name;
    option_kind kind;
    size_t at; /* in score_options */
    double least, most;
    const char *help;
} option;

#define AT(field) offsetof(score_options, field)
static const option options[] = {
    { "model", OPTION_TEXT, AT(model), 0, 0, "FOLDER   a packed model" },
    { "data", OPTION_TEXT, AT(data), 0, 0, "SET      the data set: a tar or a folder" },
    { "wordings", OPTION_TEXT, AT(wordings), 0, 0, "FILE     draw the wordings of a file" },
    { "names", OPTION_TEXT, AT(names), 0, 0, "FILE     draw the exact names of the pictures in such a file" },
    { "split", OPTION_TEXT, AT(split), 0, 0,
      "SPLIT    draw the captions of SPLIT, or of SPLIT:HOLDOUT:SEED" },
    { "number", OPTION_INT64, AT(number), 1, 1e9, "N        only N of them, evenly spaced" },
    { "draws", OPTION_INT64, AT(draws), 1, MOST_DRAWS, "N        pictures a caption (1)" },
    { "of", OPTION_INT, AT(request.of), 0, 4096,
      "N        those that the model's CLIP ranks first of N; 0, without it (default)" },
    { "near", OPTION_INT, AT(request.near), -1, 4,
      "N        near captions drawn beside each; -1, as generate does (default)" },
    { "temperature", OPTION_REAL, AT(request.temperature), -1, 100,
      "T        0, likeliest token (default); -1, the model's" },
    { "top-k", OPTION_INT, AT(request.top_k), -1, 1e9, "K        0 = all; -1, the model's (default)" },
    { "top-p", OPTION_REAL, AT(request.top_p), -1, 1, "P        1 = all; -1, the model's (default)" },
    { "guidance", OPTION_REAL, AT(request.guidance), -1, 20,
      "G        how strongly the caption is followed; -1, the model's (default)" },
    { "prior", OPTION_TEXT, AT(sampling.prior), 0, 0, "PRIOR    of a DALL-E 2: diffusion or ar" },
    { "steps", OPTION_TEXT, AT(sampling.steps), 0, 0, "N        its decoder's steps" },
    { "sampler", OPTION_TEXT, AT(sampling.sampler), 0, 0, "SAMPLER  its decoder's: ddim or ddpm" },
    { "eta", OPTION_REAL, AT(sampling.eta), -1, 1, "E        of ddim; -1, the model's (default)" },
    { "prior-guidance", OPTION_REAL, AT(sampling.prior_guidance), -1, 20,
      "G   its prior's; -1, the model's (default)" },
    { "seed", OPTION_SEED, AT(request.seed), 0, 0, "N        (1)" },
    { "device", OPTION_TEXT, AT(device), 0, 0, "DEVICE   as for dalle-cl" },
    { "label", OPTION_TEXT, AT(label), 0, 0, "TEXT     what the table's row is called" },
    { "header", OPTION_FLAG, AT(header), 0, 0, "         print the table's head before the row" },
    { "results", OPTION_TEXT, AT(results), 0, 0, "FILE.tsv write a line per caption" },
    { "sheet", OPTION_TEXT, AT(sheet), 0, 0, "FILE.png write real pictures above drawn ones" },
    { "pairs", OPTION_INT64, AT(pairs), 1, MOST_PAIRS,
      "N        pictures in the sheet, evenly spaced (100)" },
    { "drawings", OPTION_TEXT, AT(folder), 0, 0, "FOLDER   write every drawing to KEY_CAPTION-DRAW.png" },
    { "help", OPTION_FLAG, AT(help), 0, 0, "         this" },
};
enum { OPTIONS = sizeof options / sizeof *options };

void score_options_help(void)
{
    printf(
        "score_drawings --model models/demo --data emoji.tar --wordings tools/demo_wordings.tsv --header\n\n"
        "Draws captions and prints, as a row of a Markdown table, how often the right picture of the data "
        "set\n"
        "is the nearest to the drawing, or among the nearest 5 and 20.\n\n");
    for (int i = 0; i < OPTIONS; ++i) printf("  --%-11s %s\n", options[i].name, options[i].help);
}

static bool read_number(const option *o, const char *text, double *value, error *err)
{
    char *end;
    *value = strtod(text, &end);
    bool whole = o->kind == OPTION_REAL || *value == floor(*value);
    if (end != text && !*end && whole && *value >= o->least && *value <= o->most) return true;
    return error_set(err, ERROR_USAGE, "--%s %s: not a %snumber from %g to %g", o->name, text,
                     o->kind == OPTION_REAL ? "" : "whole ", o->least, o->most);
}

static bool read_seed(const char *text, uint64_t *seed, error *err)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-'))
        return error_set(err, ERROR_USAGE, "--seed %s: not a whole number from 0 to 2^64 - 1", text);
    *seed = value;
    return true;
}

static bool read_value(score_options *all, const option *o, const char *text, error *err)
{
    void *to = (char *)all + o->at;
    double value = 0;
    if (o->kind == OPTION_TEXT) *(const char **)to = text;
    if (o->kind == OPTION_TEXT)
        return text[0] || error_set(err, ERROR_USAGE, "--%s is followed by an empty text", o->name);
    if (o->kind == OPTION_SEED) return read_seed(text, to, err);
    if (!read_number(o, text, &value, err)) return false;
    if (o->kind == OPTION_REAL) *(double *)to = value;
    if (o->kind == OPTION_INT) *(int *)to = (int)value;
    if (o->kind == OPTION_INT64) *(int64_t *)to = (int64_t)value;
    return true;
}

static bool check(const score_options *o, error *err)
{
    if (o->help) return true;
    if (!o->model || !o->data)
        return error_set(err, ERROR_USAGE, "--model and --data are needed; see --help");
    if (!!o->wordings + !!o->names + !!o->split != 1)
        return error_set(err, ERROR_USAGE, "one of --wordings, --names and --split is needed; see --help");
    if (o->draws > 1 && o->request.temperature == 0)
        return error_set(err, ERROR_USAGE,
                         "--draws %lld: at temperature 0 all would be the same; add --temperature",
                         (long long)o->draws);
    if (o->request.of > 0 && (o->draws > o->request.of || o->request.temperature == 0))
        return error_set(err, ERROR_USAGE,
                         "--of %d: at least --draws %lld, and with a --temperature other than 0",
                         o->request.of, (long long)o->draws);
    return true;
}

bool score_options_read(score_options *o, int argc, char **argv, error *err)
{
    *o = (score_options){
        .request = DALLE_REQUEST_DEFAULTS, .sampling = DALLE_SAMPLING_DEFAULTS, .pairs = 100, .draws = 1
    };
    o->request.temperature = 0;
    for (int i = 1; i < argc; ++i) {
        const option *found = NULL;
        for (int j = 0; j < OPTIONS; ++j)
            if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, options[j].name) == 0)
                found = &options[j];
        if (!found) return error_set(err, ERROR_USAGE, "unknown option '%s'; see --help", argv[i]);
        if (found->kind == OPTION_FLAG) {
            *(bool *)((char *)o + found->at) = true;
            continue;
        }
        if (++i == argc) return error_set(err, ERROR_USAGE, "--%s lacks its value; see --help", found->name);
        if (!read_value(o, found, argv[i], err)) return false;
    }
    return check(o, err);
}
