/* cmd_inpaint.c -- `dalle-cl inpaint`: what a mask covers is drawn anew.  Of the models it knows dalle.h
 * only.
 * SPDX-License-Identifier: MIT */
#include "app/cli/change.h"
#include "app/cli/sampling.h"
#include "host/base/json_tree.h"

static bool read_mask(change_call *c, error *err)
{
    c->change.caption = cli_argument(c->call, 1);
    return cli_require(c->call, "mask", err) && change_read_mask(c, cli_text(c->call, "mask"), err);
}

static void note(const change_call *c, const dalle_model_info *info)
{
    if (info->fills || cli_flag(c->call, "quiet")) return;
    fprintf(stderr,
            "note: this model's decoder was not trained to fill in, and is shown what stays only as noise; "
            "one that was ('dalle-cl train decoder' with inpaint=yes and --init) sees it whole\n");
}

static void figures(const change_call *c, json_t **to)
{
    json_tree_put(to, "caption", json_string(c->change.caption));
    json_tree_put(to, "mask", json_string(cli_text(c->call, "mask")));
}

static bool run_inpaint(const cli_call *call, error *err)
{
    static const change_command command = {
        .draw = dalle_inpaint, .prior = true, .read = read_mask, .notes = note, .figures = figures
    };
    return change_run(call, &command, err);
}

static const cli_option options[] = {
    CHANGE_OPTIONS("filled.png", "1", "how many fillings"),
    { "mask", 0, CLI_TEXT, "FILE", NULL, 0, 0,
      "a picture of the same shape: what is white in it, or transparent, is drawn anew, what is black "
      "stays" },
};

const cli_command cmd_inpaint = {
    .name = "inpaint",
    .summary = "draw anew what a mask covers",
    .arguments = "PICTURE CAPTION",
    .least = 2,
    .most = 2,
    .example = "dalle-cl inpaint -m models/demo2 photo.png --mask mask.png \"a hat\" -o filled.png",
    .text =
        "For models that draw by diffusion and have a prior. The caption says what the whole picture shows.\n"
        "What the mask leaves stays as it is, scaled to the size that the model draws; the decoder draws a\n"
        "pixel anew where any of it is covered.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_inpaint,
    .fill = sampling_fill_caption,
};
