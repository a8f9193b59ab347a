/* cmd_meta.c -- `dalle-cl completion` and `dalle-cl man`: what the table says, for shells and man(1).
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include <string.h>

static bool run_completion(const cli_call *call, error *err)
{
    const char *shell = cli_argument(call, 0);
    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0 && strcmp(shell, "fish") != 0)
        return error_set(err, ERROR_USAGE, "completion: unknown shell '%s'; it can be bash, zsh or fish",
                         shell);
    cli_completion(stdout, shell);
    return true;
}

static bool run_man(const cli_call *call, error *err)
{
    (void)call;
    (void)err;
    cli_manual(stdout);
    return true;
}

const cli_command cmd_completion = {
    .name = "completion",
    .summary = "print shell completion",
    .arguments = "bash|zsh|fish",
    .least = 1,
    .most = 1,
    .example = "source <(dalle-cl completion bash)",
    .run = run_completion,
};

const cli_command cmd_man = {
    .name = "man",
    .summary = "print the manual page",
    .arguments = "",
    .example = "dalle-cl man | man -l -",
    .run = run_man,
};
