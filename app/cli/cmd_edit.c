/* cmd_edit.c -- `dalle-cl edit`: a picture changed as one text differs from another.  Of the models it
 * knows dalle.h only.
 * SPDX-License-Identifier: MIT */
#include "app/cli/change.h"
#include "app/cli/sampling.h"
#include "host/base/json_tree.h"

static bool read_texts(change_call *c, error *err)
{
    if (!cli_require(c->call, "from", err) || !cli_require(c->call, "to", err)) return false;
    c->change.from = cli_text(c->call, "from");
    c->change.caption = cli_text(c->call, "to");
    if (cli_given(c->call, "strength")) c->change.strength = cli_real(c->call, "strength");
    return true;
}

static void figures(const change_call *c, json_t **to)
{
    json_tree_put(to, "from", json_string(c->change.from));
    json_tree_put(to, "to", json_string(c->change.caption));
    if (c->change.strength >= 0) json_tree_put(to, "strength", json_real(c->change.strength));
}

static bool run_edit(const cli_call *call, error *err)
{
    static const change_command command = { .draw = dalle_edit, .read = read_texts, .figures = figures };
    return change_run(call, &command, err);
}

static const cli_option options[] = {
    CHANGE_OPTIONS("edit.png", "1", "how many pictures on the way, the first of which is not changed yet"),
    { "from", 0, CLI_TEXT, "TEXT", NULL, 0, 0, "what the picture shows" },
    { "to", 0, CLI_TEXT, "TEXT", NULL, 0, 0, "what it is to show instead" },
    { "strength", 0, CLI_REAL, "S", NULL, 0, 1,
      "how far towards the difference of the texts it goes; 0.25 to 0.5 in the paper, otherwise 0.4" },
};

const cli_command cmd_edit = {
    .name = "edit",
    .summary = "change a picture as two texts differ",
    .arguments = "PICTURE",
    .least = 1,
    .most = 1,
    .example = "dalle-cl edit -m models/demo2 cat.png --from \"a cat\" --to \"a black cat\" -o edit.png",
    .text =
        "For models that draw by diffusion. The picture's CLIP embedding is turned towards the difference "
        "of\n"
        "the two texts' embeddings, and drawn from the noise of which the decoder would draw the picture\n"
        "itself, so that what the texts do not speak of stays.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_edit,
    .fill = sampling_fill_pictures,
};
