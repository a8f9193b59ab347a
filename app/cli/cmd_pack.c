/* cmd_pack.c -- `dalle-cl pack`: runs become one folder that `generate` needs, and nothing else.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/calibrate.h"
#include "models/parts.h"

#include <stdlib.h>
#include <string.h>

static bool print_json(const char *out, const pack_report *made, error *err)
{
    json_t *o = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "model", json_tree_string(out), "bytes",
                          (json_int_t)made->bytes, "side", (json_int_t)made->side, "tokens_side",
                          (json_int_t)made->tokens_side, "codes", (json_int_t)made->codes, "text_tokens",
                          (json_int_t)made->text_tokens, "dvae_parameters", (json_int_t)made->dvae_parameters,
                          "prior_parameters", (json_int_t)made->prior_parameters);
    char *text = json_tree_text(o, JSON_COMPACT, "the result as JSON", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static void print_people(const char *out, const char *stored, const pack_report *made)
{
    char dvae[32], prior[32];
    cli_grouped(made->dvae_parameters, dvae);
    cli_grouped(made->prior_parameters, prior);
    printf("%s: %.2f MB as %s\n"
           "  dVAE: %s parameters; pictures of %lld x %lld become %lld x %lld tokens of %lld codes\n",
           out, (double)made->bytes * 1e-6, stored, dvae, (long long)made->side, (long long)made->side,
           (long long)made->tokens_side, (long long)made->tokens_side, (long long)made->codes);
    if (made->prior_parameters)
        printf("  prior: %s parameters; captions have up to %lld tokens\n"
               "draw with: dalle-cl generate -m %s \"a caption\"\n",
               prior, (long long)made->text_tokens, out);
    else
        printf("  no prior: it encodes, decodes and reconstructs, and draws nothing from captions\n"
               "see what it keeps of pictures with: dalle-cl reconstruct -m %s PICTURE...\n",
               out);
}

/* Interrupted, it leaves no half of a file; a folder that is not finished has no model.json. */
static void guard(const char *out)
{
    static const char *const files[] = { "dvae.safetensors", "prior.safetensors" };
    char path[400], temporary[432];
    cli_catch_interrupts();
    cli_interrupt_ends("stopped; what is in '%s' is no whole model", out);
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        snprintf(path, sizeof path, "%s/%s", out, files[i]);
        file_atomic_name(path, temporary, sizeof temporary);
        cli_interrupt_removes(temporary);
    }
}

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
    cli_interrupt_ends("stopped; '%s' is packed, but how unsure it is of known captions was not measured",
                       out);
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
    const char *stored = cli_text(call, "storage"), *data = cli_text(call, "data");
    pack_request r = { .dvae_run = cli_argument(call, 0),
                       .prior_run = cli_argument_count(call) > 1 ? cli_argument(call, 1) : NULL,
                       .out = cli_text(call, "output"),
                       .type = strcmp(stored, "f16") == 0 ? DTYPE_F16 : DTYPE_F32,
                       .force = cli_flag(call, "force") };
    pack_report made;
    file_kind kind = FILE_PLAIN;
    if (data && !file_look(data, &kind, err)) return false;
    if (kind == FILE_ABSENT) return error_set(err, ERROR_USAGE, "there is no data set '%s'", data);
    guard(r.out);
    device *d = device_open(cli_text(call, "device"), err);
    if (!d) return false;
    bool ok = pack_parts(d, &r, &made, err) && calibrate(call, d, r.prior_run, r.out, err);
    device_close(d);
    if (ok && cli_flag(call, "json")) return print_json(r.out, &made, err);
    if (ok && !cli_flag(call, "quiet")) print_people(r.out, stored, &made);
    return ok;
}

static const cli_option options[] = {
    { "output", 'o', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the model's folder" },
    { "data", 0, CLI_TEXT, "FILE", NULL, 0, 0,
      "a tar or folder of pictures with captions that the prior knows; otherwise what its run learnt" },
    { "known-captions", 0, CLI_INT, "N", "200", 0, 100000,
      "how many of their captions to draw, to know later which are unsure; 0 = none" },
    { "storage", 0, CLI_TEXT, "f16|f32", "f16", 0, 0, "how parameters are stored" },
    { "force", 0, CLI_FLAG, NULL, NULL, 0, 0, "pack a prior that learned another dVAE's tokens" },
};

const cli_command cmd_pack = {
    .name = "pack",
    .summary = "put trained parts into one folder that generate needs and nothing else",
    .arguments = "DVAE_RUN [PRIOR_RUN]",
    .least = 1,
    .most = 2,
    .example = "dalle-cl pack runs/dvae runs/prior -o models/mine",
    .text =
        "Takes the dVAE's best checkpoint by validation and the prior's last one, whose drawings are better "
        "than\n"
        "those of lowest loss; averaged parameters where there are some. Name a run's best.safetensors or\n"
        "checkpoint.safetensors for another. Without a prior, the model can encode, decode and\n"
        "reconstruct. A prior is refused with another dVAE than the one whose tokens it learned.\n"
        "Then captions that the prior knows are drawn, those kept aside first, to learn how unsure it is of\n"
        "what it draws right: `generate` says when a caption is above that.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_pack,
};
