/* cmd_pack.c -- `dalle-cl pack`: runs become one folder that `generate` needs, and nothing else.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

#include "host/base/file.h"
#include "models/calibrate.h"
#include "models/parts.h"

#include <stdlib.h>
#include <string.h>

static bool no_calibration(const error *why)
{
    fprintf(stderr,
            "note: the model will not say that it is unsure of a caption: %s; --data names the pictures that "
            "tell, "
            "--known-captions 0 wants none\n",
            why->message);
    return true;
}

/* What is wrong with a data set, rather than with the device. */
static bool of_files(const error *e)
{
    return e->code == ERROR_USAGE || e->code == ERROR_IO || e->code == ERROR_FORMAT;
}

/* Measures how unsure the model is of captions that it knows.  The run's own data set, if it cannot be used any more,
 * costs the model only that. */
static bool calibrate(const cli_call *call, device *d, const char *prior, const char *out, error *err)
{
    int64_t captions = cli_int(call, "known-captions");
    bool named = cli_given(call, "data");
    calibration known;
    error why = { 0 };
    if (!prior || captions == 0) return true;
    char *found = named ? NULL : calibrate_recorded_data(prior, &why);
    if (!named && !found) return no_calibration(&why);
    bool ok = calibrate_model(d, out, named ? cli_text(call, "data") : found, captions, &known, &why);
    free(found);
    if (!ok && !named && of_files(&why)) return no_calibration(&why);
    if (!ok) {
        *err = why;
        return error_prefix(err, "'%s' is packed, but how unsure it is of known captions was not measured",
                            out);
    }
    if (!cli_flag(call, "quiet") && !cli_flag(call, "json"))
        printf("drew %lld known captions, %lld of them right: above %.3g nats a token it will say that it is "
               "unsure\n",
               (long long)known.drawn, (long long)known.right, known.limit);
    return true;
}

static bool run_pack(const cli_call *call, error *err)
{
    if (!cli_require(call, "output", err)) return false;
    const char *prior = cli_argument_count(call) > 1 ? cli_argument(call, 1) : NULL,
               *out = cli_text(call, "output");
    const char *data = cli_text(call, "data");
    if (data && !file_exists(data)) return error_set(err, ERROR_USAGE, "there is no data set '%s'", data);
    dtype type = strcmp(cli_text(call, "storage"), "f16") == 0 ? DTYPE_F16 : DTYPE_F32;
    device *d = device_open(cli_text(call, "device"), err);
    if (!d) return false;
    bool ok =
        pack_model(d, cli_argument(call, 0), prior, out, type, err) && calibrate(call, d, prior, out, err);
    device_close(d);
    if (!ok) return false;
    if (cli_flag(call, "json"))
        printf("{\"model\": \"%s\"}\n", out);
    else if (!cli_flag(call, "quiet"))
        printf("packed into %s; draw with: dalle-cl generate -m %s \"a caption\"\n", out, out);
    return true;
}

static const cli_option options[] = {
    { "output", 'o', CLI_TEXT, "FOLDER", NULL, 0, 0, "the model's folder" },
    { "data", 0, CLI_TEXT, "FILE", NULL, 0, 0,
      "a tar or folder of pictures with captions that the prior knows; otherwise what its run learnt" },
    { "known-captions", 0, CLI_INT, "N", "200", 0, 100000,
      "how many of their captions to draw, to know later which are unsure; 0 = none" },
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
        "reconstruct.\n"
        "Then captions that the prior knows are drawn, those kept aside first, to learn how unsure it is of\n"
        "what it draws right: `generate` says when a caption is above that.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_pack,
};
