/* cmd_train.c -- `dalle-cl train dvae|prior`: hands the command line to the model's own training.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"
#include "host/train/run.h"

#include "models/dvae/dvae_train.h"
#include "models/prior/prior_train.h"

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
    cli_catch_interrupts();
    return dvae_train(&r, err);
}

static bool run_prior(const cli_call *call, error *err)
{
    static const char *const needed[] = { "data", "dvae" };
    if (!check(call, needed, 2, err)) return false;
    train_request r = request_of(call);
    r.dvae = cli_text(call, "dvae");
    r.tokenizer = cli_text(call, "tokenizer");
    cli_catch_interrupts();
    return prior_train(&r, err);
}

/* clang-format off */
#define SHARED_OPTIONS                                                                                                \
    { "run", 'r', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the run's folder: settings, metrics, samples, checkpoints" },     \
    { "data", 0, CLI_TEXT, "FILE", NULL, 0, 0, "a tar or folder of name.png (or .jpg) and name.txt" },               \
    { "preset", 'p', CLI_TEXT, "NAME", NULL, 0, 0,                                                                   \
      "settings to start from: a preset ('dalle-cl config' lists them) or a .cfg file" },                            \
    { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "change a setting" },                                           \
    { "init", 0, CLI_TEXT, "FOLDER", NULL, 0, 0, "start from the parameters of a packed model or a run" },           \
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
    "Ctrl-C saves and says how to go on; killed at any instant, --resume goes on from the last whole " \
    "checkpoint\n" \
    "and gives what the uninterrupted run would have given, bit for bit on the same device."

const cli_command cmd_train_dvae = {
    .name = "train dvae",
    .summary = "train a discrete VAE: pictures to tokens and back",
    .arguments = "",
    .example = "dalle-cl train dvae --preset emoji --data emoji.tar --run runs/dvae\n"
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
    .example = "dalle-cl train prior --preset emoji --data emoji.tar --dvae runs/dvae --run runs/prior\n"
               "dalle-cl train prior --run runs/prior --resume",
    .text = RUN_TEXT,
    .options = prior_options,
    .option_count = (int)(sizeof prior_options / sizeof *prior_options),
    .run = run_prior,
};
