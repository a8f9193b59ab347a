/* cmd_train.c -- `dalle-cl train KIND`: hands the command line to the kind's own training.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/job.h"
#include "host/base/file.h"
#include "host/train/run.h"
#include "host/train/tensorboard.h"
#include "models/kinds.h"

#include <stdlib.h>

/* A handler's sentences are its own; so are these. */
static char resume_command[700];

static void on_stage(train_stage stage)
{
    if (stage == TRAIN_STEPPED)
        cli_interrupt_asks(
            "stopping: what is begun is finished, then the run is saved; a second Ctrl-C ends at "
            "once and loses the steps since the last save");
    else
        cli_interrupt_ends("stopped before the first step; go on with: %s", resume_command);
}

static void forget(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cli_interrupt_removes(path);
}

/* What a run leaves in its folder before it can be resumed: a new folder then goes again. */
static void forget_half_run(const char *folder, const model_kind *k)
{
    static const char *const files[] = { "config.cfg",     "run.json",    "metrics.jsonl", "times.jsonl",
                                         TENSORBOARD_FILE, "tensorboard", "samples",       "" };
    file_kind kind;
    if (!file_look(folder, &kind, NULL) || kind != FILE_ABSENT) return;
    for (const part_role *f = k->files; f && f->role; ++f) forget(folder, f->file);
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) forget(folder, files[i]);
}

static void explain_interrupts(const cli_call *call, bool first)
{
    const char *folder = cli_text(call, "run");
    bool resume = cli_flag(call, "resume");
    snprintf(resume_command, sizeof resume_command, "dalle-cl %s --run %s --resume",
             cli_call_command(call)->name, folder);
    cli_interrupt_ends("stopped before the first step; %s",
                       resume ? "the run is as it was" : "nothing of the run was kept");
    if (!resume && first) forget_half_run(folder, cli_call_command(call)->kind);
}

/* The other part that training needs: named, or beside what it starts from in one model.  NULL without an
 * error: neither. */
static const char *needed_part(const cli_call *call, const model_kind *needed, error *err)
{
    const char *named = cli_text(call, needed->name), *from = cli_text(call, "init");
    if (named || !from || cli_flag(call, "resume")) return named;
    return part_is_there(from, needed, err) ? from : NULL;
}

static train_request request_of(const cli_call *call, const job *j, const char *data)
{
    train_request r = {
        .comm = j->comm,
        .preset = cli_text(call, "preset"),
        .data = data,
        .run = j->run,
        .init = cli_text(call, "init"),
        .device = j->device,
        .seed = cli_seed(call, -1),
        .minutes = cli_real(call, "minutes"),
        .resume = cli_flag(call, "resume"),
        .force = cli_flag(call, "force"),
        .quiet = cli_flag(call, "quiet"),
        .json = cli_flag(call, "json"),
        .tensorboard = cli_flag(call, "tensorboard"),
        .commit = cli_commit(),
        .profile = cli_flag(call, "profile"),
        .interrupted = cli_interrupted(),
        .reached = on_stage,
    };
    const model_kind *k = cli_call_command(call)->kind;
    int parts = 0;
    r.sets = cli_list(call, "set", &r.set_count);
    if (k->captions && kinds_has_tokenizer(k)) r.tokenizer = cli_text(call, "tokenizer");
    for (const kind_need *n = k->needs; n && n->kind; ++n)
        r.parts[parts++] = (train_part){ n->kind, needed_part(call, n->kind, NULL) };
    return r;
}

/* Whether a part is there, or else what is missing: the option, or what --init names. */
static bool check_part(const cli_call *call, const model_kind *needed, error *err)
{
    const char *from = cli_text(call, "init");
    file_kind kind;
    if (needed_part(call, needed, err)) return true;
    if (err->code || !from) return err->code == 0 && cli_require(call, needed->name, err);
    if (!file_look(from, &kind, err)) return false;
    if (kind == FILE_ABSENT) return error_set(err, ERROR_USAGE, "--init: there is no '%s'", from);
    return error_set(err, ERROR_USAGE, "%s: --%s FOLDER is needed: '%s', from which --init starts, has no %s",
                     cli_call_command(call)->name, needed->name, from, needed->title);
}

/* What a new run needs, a resumed one remembers. */
static bool check(const cli_call *call, error *err)
{
    bool resume = cli_flag(call, "resume");
    if (!cli_require(call, "run", err) || (!resume && !cli_require(call, "data", err))) return false;
    for (const kind_need *n = cli_call_command(call)->kind->needs; !resume && n && n->kind; ++n)
        if (!check_part(call, n->kind, err)) return false;
    return true;
}

/* Of a job of ranks the first has the run's folder. */
static bool train(const cli_call *call, const job *j, const char *data, error *err)
{
    bool first = comm_rank(j->comm) == 0;
    if (first && !run_check(j->run, cli_flag(call, "resume"), err)) return false;
    train_request r = request_of(call, j, data);
    explain_interrupts(call, first);
    return cli_call_command(call)->kind->train(&r, err);
}

static bool run_train(const cli_call *call, error *err)
{
    char *data;
    job j;
    if (!check(call, err) || !cli_lines(call, "data", &data, err)) return false;
    cli_catch_interrupts(); /* before a driver has threads, which would take the signals */
    cli_catch_closed_pipe();
    bool ok = job_open(&j, call, err) && train(call, &j, data, err);
    job_close(&j, ok, err);
    free(data);
    return ok;
}

/* clang-format off */
static const cli_option shared_options[] = {
    { "run", 'r', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the run's folder: settings, metrics, samples, checkpoints" },
    { "data", 0, CLI_LIST, "FILE", NULL, 0, 0,
      "pictures with captions: a folder or tars of name.png (or .jpg) and name.txt, a CSV, COCO's captions; PATH@2.5 is drawn with that weight" },
    { "preset", 'p', CLI_TEXT, "NAME", NULL, 0, 0,
      "settings to start from: small or photo for your own, another ('dalle-cl config' lists them), or a .cfg file" },
    { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "change a setting" },
    { "init", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "start from a packed model or a run: its sizes, parameters and, grown, its vocabulary" },
    { "resume", 0, CLI_FLAG, NULL, NULL, 0, 0, "go on exactly where the run was" },
    { "force", 0, CLI_FLAG, NULL, NULL, 0, 0, "resume although device, kernels, data or settings differ" },
    { "tensorboard", 0, CLI_FLAG, NULL, NULL, 0, 0, "also write figures and sample grids for TensorBoard, into the run's folder" },
    { "profile", 0, CLI_FLAG, NULL, NULL, 0, 0, "end with a table of the device's time by operator (slower)" },
    { "minutes", 0, CLI_REAL, "N", "0", 0, 1e7, "stop and save after that long; 0 = no limit" },
};
/* clang-format on */

enum { SHARED = sizeof shared_options / sizeof *shared_options };

static const cli_option tokenizer_option = {
    "tokenizer", 0, CLI_TEXT, "FILE", NULL, 0, 0, "a tokenizer to use instead of training one on the captions"
};

/* The kind's own options stand before those of all. */
static void fill(cli_command *c)
{
    const model_kind *k = c->kind;
    cli_option own[TRAIN_PARTS + 1];
    int count = 0;
    for (const kind_need *n = k->needs; n && n->kind; ++n) {
        CHECK(count < TRAIN_PARTS, "a %s needs more than %d other parts", k->name, TRAIN_PARTS);
        const char *help = cli_lasting_text("%s (default: that of --init, if it has one)", n->help);
        own[count++] = (cli_option){ n->kind->name, 0, CLI_TEXT, "FOLDER", NULL, 0, 0, help };
    }
    if (k->captions && kinds_has_tokenizer(k)) own[count++] = tokenizer_option;
    c->name = cli_lasting_text("train %s", k->name);
    c->summary = cli_lasting_text("train %s: %s", k->what, k->learns);
    c->example = k->examples;
    c->options = cli_join_options(own, count, shared_options, SHARED);
    c->options = cli_join_options(c->options, count + SHARED, job_options, job_option_count);
    c->option_count = count + SHARED + job_option_count;
}

const cli_command cmd_train = {
    .arguments = "",
    .text =
        "Presets small and photo choose steps and sizes by the number of pictures, write them into the run's "
        "config.cfg,\n"
        "and say how long that takes before it starts; --set goes before what they choose.\n"
        "Ctrl-C saves and says how to go on, and so do a closed terminal (SIGHUP), SIGTERM, SIGXCPU, SIGUSR1 "
        "and\n"
        "SIGUSR2; a second Ctrl-C ends at once. The exit status is then 128 and the signal's number.\n"
        "Started by mpirun, each process is a rank with a device of its own (--device 0,1,2) and its share "
        "of each "
        "batch.\n"
        "Killed at any instant, --resume goes on from the last whole checkpoint and gives what the\n"
        "uninterrupted run would have given, bit for bit on the same device.",
    .run = run_train,
    .fill = fill,
    .each_kind = true,
};
