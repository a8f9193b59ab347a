/* output.h -- what a command writes: looked at before the work, so that hours do not end in "no such folder".
 * An option of one of the types CLI_PICTURE ... CLI_FOLDER names an output; run_command looks at all of them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_OUTPUT_H
#define DALLE_CL_CLI_OUTPUT_H

#include "app/cli/cli.h"

/* Whether the option's value names something to be written. */
bool output_is(const cli_option *o);
/* Checks the ending, the folder and the permission of one output; nothing is left behind. */
bool output_check(const cli_call *call, const cli_option *o, const char *path, error *err);

/* Interrupted, the command leaves no part of this output; that nothing was written is then said. */
void output_guard(const cli_option *o, const char *path);

/* "-" and the names of standard output in /dev. */
bool output_is_stdout(const char *path);
/* Where a sentence about an output goes: standard error when the output itself goes to standard output. */
FILE *output_talk(const char *path);
const char *output_name(const char *path);
/* Writes bytes as the whole of an output. */
bool output_write(const char *path, const void *bytes, size_t size, error *err);

#endif
