/* cmd_eval.c -- `dalle-cl eval`: how good a model is, in figures.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "app/cli/eval_print.h"
#include "app/cli/sets.h"
#include "app/eval/eval_plots.h"
#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

/* The models, one or two, and what is done with them. */
typedef struct job {
    const char *folders[2], *judge;
    evaluation models[2];
    int count;
    device *device;
    eval_set set;
    char *data;
} job;

typedef struct telling {
    sets_meter meter;
    const char *what;
} telling;

/* A line of progress for each pass, with its own clock. */
static void tell(void *context, const char *what, int64_t done, int64_t all)
{
    telling *t = context;
    if (t->what != what) {
        t->what = what;
        t->meter = sets_meter_start("eval", what);
    }
    sets_meter_tell(&t->meter, done, all);
}

/* Both models are judged by one CLIP: scores of two do not compare. */
static bool find_judge(const cli_call *call, job *j, error *err)
{
    j->judge = cli_text(call, "judge");
    if (j->judge) {
        if (evaluation_can_judge(j->judge, err)) return true;
        return err->code != ERROR_NONE
                   ? false
                   : error_set(err, ERROR_USAGE, "eval: --judge '%s' has no CLIP", j->judge);
    }
    for (int i = 0; i < j->count && !j->judge; ++i) {
        if (evaluation_can_judge(j->folders[i], err)) j->judge = j->folders[i];
        if (err->code != ERROR_NONE) return false;
    }
    return true;
}

static bool open_job(const cli_call *call, job *j, error *err)
{
    if (!cli_require(call, "model", err) || !cli_require(call, "data", err)) return false;
    j->folders[0] = cli_text(call, "model");
    j->folders[1] = cli_text(call, "against");
    j->count = j->folders[1] ? 2 : 1;
    for (int i = 0; i < j->count; ++i)
        if (!evaluation_can_measure(j->folders[i], err)) return error_prefix(err, "eval");
    if (!find_judge(call, j, err) || !cli_lines(call, "data", &j->data, err)) return false;
    const eval_set_options o = { .paths = j->data,
                                 .split = cli_text(call, "split"),
                                 .most = cli_int(call, "count"),
                                 .among_all = strcmp(cli_text(call, "among"), "all") == 0 };
    return eval_set_open(&j->set, &o, err) &&
           (j->device = device_open(cli_text(call, "device"), err)) != NULL;
}

static bool measure(const cli_call *call, job *j, error *err)
{
    for (int i = 0; i < j->count; ++i) {
        telling t = { .what = NULL };
        const evaluation_options o = { .model = j->folders[i],
                                       .judge = j->judge,
                                       .inception = cli_text(call, "inception"),
                                       .captions = cli_int(call, "captions"),
                                       .of = cli_int(call, "of"),
                                       .most = cli_int(call, "count"),
                                       .seed = (uint64_t)cli_seed(call, 1),
                                       .temperature = cli_given(call, "temperature")
                                                          ? cli_real(call, "temperature")
                                                          : -1,
                                       .tell = tell,
                                       .context = &t };
        bool ok = evaluation_run(&j->models[i], j->device, &j->set, &o, err);
        log_progress(NULL);
        if (!ok) return j->count == 1 ? false : error_prefix(err, "%s", j->folders[i]);
    }
    if (j->count == 2 && j->models[0].side != j->models[1].side)
        figures_note(
            &j->models[1].figures,
            "pictures have another size than the first's, so figures of pixels, bits and frequencies are of "
            "different pictures");
    return true;
}

static bool say(const cli_call *call, const job *j, error *err)
{
    for (char *c = j->data; *c; ++c) /* no longer needed as it is */
        if (*c == '\n') *c = ' ';
    const eval_print p = { .models = j->models,
                           .count = j->count,
                           .set = &j->set,
                           .data = j->data,
                           .split = j->set.split,
                           .judge = j->judge,
                           .seed = cli_seed(call, 1) };
    bool ok = cli_flag(call, "json") ? eval_print_json(&p, err) : eval_print_table(&p, err);
    return ok && (fflush(stdout) == 0 || error_set(err, ERROR_IO, "eval: cannot write the figures"));
}

/* After what was measured is said, so that a full disk does not take it away. */
static bool plot(const cli_call *call, const job *j, error *err)
{
    const char *folder = cli_text(call, "output");
    if (!folder) return true;
    cli_interrupt_asks(NULL);
    int written = eval_plots_write(j->models, j->count, folder, err);
    if (written < 0) return false;
    if (!cli_flag(call, "quiet"))
        fprintf(cli_flag(call, "json") ? stderr : stdout, "wrote %d plots into %s\n", written, folder);
    return true;
}

static void close_job(job *j)
{
    for (int i = 0; i < j->count; ++i) evaluation_free(&j->models[i]);
    eval_set_close(&j->set);
    device_close(j->device);
    free(j->data);
}

static bool run_eval(const cli_call *call, error *err)
{
    job j = { .count = 0 };
    cli_catch_interrupts();
    cli_interrupt_ends("stopped; nothing was written");
    bool ok = open_job(call, &j, err) && measure(call, &j, err) && say(call, &j, err) && plot(call, &j, err);
    close_job(&j);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "a packed model, or the run of a dVAE or a CLIP" },
    { "data", 0, CLI_LIST, "SET", NULL, 0, 0, "the pictures, with captions where there are some" },
    { "split", 0, CLI_TEXT, "NAME", "val", 0, 0, "which part of the set; all: all of it, and so where the set names no parts" },
    { "against", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "measure this model too, and show the difference" },
    { "judge", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "the model whose CLIP judges; otherwise the model's own, or the other's" },
    { "inception", 0, CLI_TEXT, "FILE", NULL, 0, 0, "the published Inception-v3 as safetensors, for FID, KID and the Inception score" },
    { "count", 'n', CLI_INT, "N", "10000", 1, 10000000, "pictures that are measured at most, evenly spread over the part" },
    { "captions", 0, CLI_INT, "N", "100", 0, 1000000, "captions that are drawn, evenly spread; 0 draws nothing" },
    { "of", 0, CLI_INT, "N", "64", 1, 512, "drawings of each caption: the score of the best of 1, 2, 4 ... N comes of them" },
    { "temperature", 't', CLI_REAL, "T", NULL, 0, 100, "of the drawings; otherwise the model's default" },
    { "among", 0, CLI_TEXT, "split|all", "split", 0, 0, "what captions and pictures are found among: the part, or the whole set" },
    { "output", 'o', CLI_FOLDER, "FOLDER", NULL, 0, 0, "write plots as PNG into this folder: score.png, codes.png, spectrum.png" },
};
/* clang-format on */

const cli_command cmd_eval = {
    .name = "eval",
    .summary = "measure how good a model is: reconstruction, likelihood, agreement with captions, distances",
    .arguments = "",
    .least = 0,
    .most = 0,
    .example = "dalle-cl eval -m models/demo --data emoji.tar\n"
               "dalle-cl eval -m models/demo --data emoji.tar --captions 365 --of 512 -o plots\n"
               "dalle-cl eval -m mine --against models/demo --data emoji.tar --json",
    .text =
        "A model is measured by what it has. Of its dVAE: PSNR, SSIM, use of the codes, and what is lost of\n"
        "detail. Of what draws: nats a token, bits a pixel value, and of its drawings, judged by a CLIP, "
        "the\n"
        "score, that of the best of N, and how far they are from the pictures as sets. Of its CLIP: what it\n"
        "finds. What is missing is said, with what would add it. docs/evaluation.md says what each figure\n"
        "means, by which formula, and how far it can be trusted.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_eval,
};
