/* cmd_train.c -- `dalle-cl train dvae|prior`: hands the command line to the model's own training.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "host/base/file.h"
#include "host/train/run.h"

#include "models/dvae/dvae_train.h"
#include "models/prior/prior_train.h"

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

/* What a run leaves in its folder before it can be resumed: a new folder then goes again. */
static void forget_half_run(const char *folder)
{
    static const char *const files[] = { "tokenizer.model", "words.txt", "config.cfg",
                                         "run.json",        "samples",   "" };
    char path[600];
    file_kind kind;
    if (!file_look(folder, &kind, NULL) || kind != FILE_ABSENT) return;
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        cli_interrupt_removes(path);
    }
}

static void catch_interrupts(const cli_call *call)
{
    const char *folder = cli_text(call, "run");
    bool resume = cli_flag(call, "resume");
    snprintf(resume_command, sizeof resume_command, "dalle-cl %s --run %s --resume",
             cli_call_command(call)->name, folder);
    cli_catch_interrupts();
    cli_catch_closed_pipe();
    cli_interrupt_ends("stopped before the first step; %s",
                       resume ? "the run is as it was" : "nothing of the run was kept");
    if (!resume) forget_half_run(folder);
}

static train_request request_of(const cli_call *call)
{
    train_request r = {
        .preset = cli_text(call, "preset"),
        .data = cli_text(call, "data"),
        .run = cli_text(call, "run"),
        .init = cli_text(call, "init"),
        .device = cli_text(call, "device"),
        .seed = cli_seed(call, -1),
        .minutes = cli_real(call, "minutes"),
        .resume = cli_flag(call, "resume"),
        .force = cli_flag(call, "force"),
        .quiet = cli_flag(call, "quiet"),
        .json = cli_flag(call, "json"),
        .profile = cli_flag(call, "profile"),
        .interrupted = cli_interrupted(),
        .reached = on_stage,
    };
    r.sets = cli_list(call, "set", &r.set_count);
    return r;
}

/* What a new run needs, a resumed one remembers. */
static bool check(const cli_call *call, const char *const *needed, int count, error *err)
{
    if (!cli_require(call, "run", err)) return false;
    for (int i = 0; !cli_flag(call, "resume") && i < count; ++i)
        if (!cli_require(call, needed[i], err)) return false;
    return run_check(cli_text(call, "run"), cli_flag(call, "resume"), err);
}

static bool run_dvae(const cli_call *call, error *err)
{
    static const char *const needed[] = { "data" };
    if (!check(call, needed, 1, err)) return false;
    train_request r = request_of(call);
    catch_interrupts(call);
    return dvae_train(&r, err);
}

static bool run_prior(const cli_call *call, error *err)
{
    static const char *const needed[] = { "data", "dvae" };
    if (!check(call, needed, 2, err)) return false;
    train_request r = request_of(call);
    r.dvae = cli_text(call, "dvae");
    r.tokenizer = cli_text(call, "tokenizer");
    catch_interrupts(call);
    return prior_train(&r, err);
}

/* clang-format off */
#define SHARED_OPTIONS                                                                                                \
    { "run", 'r', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the run's folder: settings, metrics, samples, checkpoints" },     \
    { "data", 0, CLI_TEXT, "FILE", NULL, 0, 0, "a tar or folder of name.png (or .jpg) and name.txt" },               \
    { "preset", 'p', CLI_TEXT, "NAME", NULL, 0, 0,                                                                   \
      "settings to start from: small or photo for your own, another ('dalle-cl config' lists them), or a .cfg file" },                            \
    { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "change a setting" },                                           \
    { "init", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "start from a packed model or a run: its sizes, parameters and, grown, its vocabulary" },           \
    { "resume", 0, CLI_FLAG, NULL, NULL, 0, 0, "go on exactly where the run was" },                                  \
    { "force", 0, CLI_FLAG, NULL, NULL, 0, 0, "resume although device, kernels, data or settings differ" },          \
    { "profile", 0, CLI_FLAG, NULL, NULL, 0, 0, "end with a table of the device's time by operator (slower)" },      \
    { "minutes", 0, CLI_REAL, "N", "0", 0, 1e7, "stop and save after that long; 0 = no limit" }
/* clang-format on */

static const cli_option dvae_options[] = { SHARED_OPTIONS };
static const cli_option prior_options[] = {
    { "dvae", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "run or model folder of the dVAE whose tokens it learns" },
    { "tokenizer", 0, CLI_TEXT, "FILE", NULL, 0, 0,
      "a tokenizer to use instead of training one on the captions" },
    SHARED_OPTIONS,
};

#define RUN_TEXT \
    "Presets small and photo choose steps and sizes by the number of pictures, write them into the run's " \
    "config.cfg,\n" \
    "and say how long that takes before it starts; --set goes before what they choose.\n" \
    "Ctrl-C saves and says how to go on, and so do a closed terminal (SIGHUP), SIGTERM, SIGXCPU, SIGUSR1 " \
    "and\n" \
    "SIGUSR2; a second Ctrl-C ends at once. The exit status is then 128 and the signal's number.\n" \
    "Killed at any instant, --resume goes on from the last whole checkpoint and gives what the\n" \
    "uninterrupted run would have given, bit for bit on the same device."

const cli_command cmd_train_dvae = {
    .name = "train dvae",
    .summary = "train a discrete VAE: pictures to tokens and back",
    .arguments = "",
    .example = "dalle-cl train dvae --preset small --data mine --run runs/dvae\n"
               "dalle-cl train dvae --init models/demo --data mine --run runs/dvae2\n"
               "dalle-cl train dvae --run runs/dvae --resume",
    .text = RUN_TEXT,
    .options = dvae_options,
    .option_count = (int)(sizeof dvae_options / sizeof *dvae_options),
    .run = run_dvae,
};

const cli_command cmd_train_prior = {
    .name = "train prior",
    .summary = "train a transformer prior: captions to picture tokens",
    .arguments = "",
    .example = "dalle-cl train prior --preset small --data mine --dvae runs/dvae --run runs/prior\n"
               "dalle-cl train prior --init models/demo --data mine --dvae runs/dvae2 --run runs/prior2\n"
               "dalle-cl train prior --run runs/prior --resume",
    .text = RUN_TEXT,
    .options = prior_options,
    .option_count = (int)(sizeof prior_options / sizeof *prior_options),
    .run = run_prior,
};
