/* cmd_emoji.c -- `dalle-cl data emoji`: pictures with captions out of Debian's own packages.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "data/emoji.h"

static bool run_emoji(const cli_call *call, error *err)
{
    const char *out = cli_text(call, "output");
    emoji_options options = {
        .font = cli_text(call, "font"),
        .list = cli_text(call, "list"),
        .words = cli_text(call, "words"),
        .words_derived = cli_text(call, "words-derived"),
        .english = cli_text(call, "english"),
        .size = (int)cli_int(call, "size"),
        .plain = cli_flag(call, "plain"),
    };
    int count = 0;
    if (!emoji_build(&options, out, &count, err)) return false;
    if (cli_flag(call, "json"))
        printf("{\"pictures\": %d, \"size\": %d}\n", count, options.size);
    else if (!cli_flag(call, "quiet"))
        printf("%s: %d pictures of %d x %d with captions\n", out, count, options.size, options.size);
    return true;
}

static const cli_option options[] = {
    { "output", 'o', CLI_TAR, "FILE", "emoji.tar", 0, 0, "the tar to write" },
    { "size", 0, CLI_INT, "N", "64", 8, 512, "pixels a side" },
    { "font", 0, CLI_TEXT, "FILE", EMOJI_FONT, 0, 0, "colour font (package fonts-noto-color-emoji)" },
    { "list", 0, CLI_TEXT, "FILE", EMOJI_LIST, 0, 0, "list of emoji (package unicode-data)" },
    { "words", 0, CLI_TEXT, "FILE", EMOJI_WORDS, 0, 0, "keywords (package unicode-cldr-core)" },
    { "words-derived", 0, CLI_TEXT, "FILE", EMOJI_WORDS_DERIVED, 0, 0,
      "keywords of composed emoji (the same)" },
    { "english", 0, CLI_TEXT, "FOLDER", EMOJI_ENGLISH, 0, 0, "names in other kinds of English (the same)" },
    { "plain", 0, CLI_FLAG, NULL, NULL, 0, 0, "the emoji alone, each with its name and no further caption" },
};

const cli_command cmd_data_emoji = {
    .name = "data emoji",
    .summary = "build a set of emoji with captions from Debian's packages",
    .arguments = "",
    .example = "dalle-cl data emoji -o emoji.tar",
    .text =
        "Needs the packages fonts-noto-color-emoji, unicode-data and unicode-cldr-core. The same "
        "packages give\n"
        "the same file, byte for byte. Each picture has its name as caption and further captions as people\n"
        "type them; things of one colour are there in other colours too.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_emoji,
};
