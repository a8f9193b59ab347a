/* cmd_mix.c -- `dalle-cl mix`: pictures between two.  Of the models it knows dalle.h only.
 * SPDX-License-Identifier: MIT */
#include "app/cli/change.h"
#include "app/cli/sampling.h"
#include "host/base/json_tree.h"

static bool read_other(change_call *c, error *err)
{
    c->change.fresh = cli_flag(c->call, "fresh");
    return change_read(&c->other, cli_argument(c->call, 1), err);
}

static void figures(const change_call *c, json_t **to)
{
    json_tree_put(to, "other", json_string(c->other.path));
    json_tree_put(to, "fresh", json_boolean(c->change.fresh));
}

static bool run_mix(const cli_call *call, error *err)
{
    static const change_command command = { .draw = dalle_mix, .read = read_other, .figures = figures };
    return change_run(call, &command, err);
}

static const cli_option options[] = {
    CHANGE_OPTIONS("between.png", "9", "how many pictures, from the one to the other; 1 is the half way"),
    { "fresh", 0, CLI_FLAG, NULL, NULL, 0, 0,
      "draw all from one noise, by the seed, and mix the embeddings alone" },
};

const cli_command cmd_mix = {
    .name = "mix",
    .summary = "draw pictures between two",
    .arguments = "PICTURE PICTURE",
    .least = 2,
    .most = 2,
    .example = "dalle-cl mix -m models/demo2 cat.png dog.png -n 9 -o between.png",
    .text = "For models that draw by diffusion. The CLIP embedding goes along the great circle from the one\n"
            "picture's to the other's, and so does the noise of which the decoder would draw each, so that\n"
            "the ends are the two pictures, as far as the decoder can draw them. --fresh draws the noise.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_mix,
    .fill = sampling_fill_pictures,
};
