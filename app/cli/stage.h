/* stage.h -- the training step that a command's arguments name: dvae|prior --preset --set --side --codes.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_STAGE_H
#define DALLE_CL_CLI_STAGE_H

#include "app/cli/cli.h"
#include "models/workload.h"

/* The first argument, checked; NULL with ERROR_USAGE. */
const char *stage_kind(const cli_call *call, error *err);
/* *batch becomes its batch. */
workload *stage_open(const cli_call *call, device *d, int64_t *batch, error *err);

#define STAGE_OPTIONS(preset) \
    { "preset", 'p', CLI_TEXT, "NAME", preset, 0, 0, "whose settings (dalle-cl config lists them)" }, \
        { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "a setting over the preset's; may be repeated" }, \
        { "side", 0, CLI_INT, "N", "32", 1, 4096, "prior: image tokens a side" }, \
    { \
        "codes", 0, CLI_INT, "N", "8192", 2, 1048576, "prior: image vocabulary" \
    }

#endif
