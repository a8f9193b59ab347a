/* cmd_vary.c -- `dalle-cl vary`: more pictures like one.  Of the models it knows dalle.h only.
 * SPDX-License-Identifier: MIT */
#include "app/cli/change.h"
#include "app/cli/sampling.h"

static bool run_vary(const cli_call *call, error *err)
{
    static const change_command command = { .draw = dalle_vary };
    return change_run(call, &command, err);
}

static const cli_option options[] = {
    CHANGE_OPTIONS("variations.png", "4", "how many variations"),
};

const cli_command cmd_vary = {
    .name = "vary",
    .summary = "draw variations of a picture",
    .arguments = "PICTURE",
    .least = 1,
    .most = 1,
    .example = "dalle-cl vary -m models/demo2 cat.png -n 8 -o variations.png",
    .text =
        "For models that draw by diffusion. The picture's CLIP embedding is drawn again, from the noise of\n"
        "which the decoder, stepping without noise, would draw the picture itself. --eta 1, unless another "
        "is\n"
        "given, adds noise at each step, so that only what the embedding holds stays; less keeps more of\n"
        "the picture, and 0 gives it back as far as the decoder can.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_vary,
    .fill = sampling_fill_pictures,
};
