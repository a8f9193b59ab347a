/* table.c -- the commands, in the order in which help shows them.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#define COMMANDS(X) \
    X(generate) \
    X(devices) \
    X(data_emoji) \
    X(data_captions) \
    X(data_info) \
    X(tokenizer_train) \
    X(tokenizer_encode) \
    X(tokenizer_decode) \
    X(train_dvae) \
    X(train_prior) \
    X(pack) \
    X(encode) \
    X(decode) \
    X(reconstruct) \
    X(info) \
    X(config) \
    X(plan) \
    X(bench) \
    X(tune) \
    X(completion) \
    X(man)

#define DECLARE(name) extern const cli_command cmd_##name;
COMMANDS(DECLARE)

#define ADDRESS(name) &cmd_##name,
const cli_command *const cli_commands[] = { COMMANDS(ADDRESS) NULL };
