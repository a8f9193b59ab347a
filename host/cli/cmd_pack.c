/* cmd_pack.c -- `dalle-cl pack`: runs become one folder that `generate` needs, and nothing else.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

#include "models/parts.h"

#include <string.h>

static bool run_pack(const cli_call *call, error *err)
{
    if (!cli_require(call, "output", err)) return false;
    const char *prior = cli_argument_count(call) > 1 ? cli_argument(call, 1) : NULL,
               *out = cli_text(call, "output");
    dtype type = strcmp(cli_text(call, "storage"), "f16") == 0 ? DTYPE_F16 : DTYPE_F32;
    device *d = device_open(cli_text(call, "device"), err);
    if (!d) return false;
    bool ok = pack_model(d, cli_argument(call, 0), prior, out, type, err);
    device_close(d);
    if (!ok) return false;
    if (cli_flag(call, "json"))
        printf("{\"model\": \"%s\"}\n", out);
    else if (!cli_flag(call, "quiet"))
        printf("packed into %s; draw with: dalle-cl generate -m %s \"a caption\"\n", out, out);
    return true;
}

static const cli_option options[] = {
    { "output", 'o', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the model's folder" },
    { "storage", 0, CLI_TEXT, "f16|f32", "f16", 0, 0, "how parameters are stored" },
};

const cli_command cmd_pack = {
    .name = "pack",
    .summary = "put trained parts into one folder that generate needs and nothing else",
    .arguments = "DVAE_RUN [PRIOR_RUN]",
    .least = 1,
    .most = 2,
    .example = "dalle-cl pack runs/dvae runs/prior -o models/mine",
    .text =
        "Takes the best checkpoint of each run, averaged parameters where there are some; name the run's\n"
        "checkpoint.safetensors for the latest instead. Without a prior, the model can encode, decode and\n"
        "reconstruct.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_pack,
};
