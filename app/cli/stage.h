/* stage.h -- the kind of model that a command's first argument names, and the training step that it names
 * together with --preset, --set and what the kinds' steps must be given (--side, --codes).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_STAGE_H
#define DALLE_CL_CLI_STAGE_H

#include "app/cli/cli.h"
#include "models/room.h"

/* The first argument's kind; NULL with ERROR_USAGE. */
const model_kind *stage_kind(const cli_call *call, error *err);
/* *batch becomes its batch. */
workload *stage_open(const cli_call *call, device *d, int64_t *batch, error *err);
/* The same for a batch that job->ranks and ->shards share: the step is that of one part, among all
 * ranks' parts, whose gradients are not compressed; *job becomes what the settings say of its parts and
 * compression. */
workload *stage_open_job(const cli_call *call, device *d, int64_t *batch, scale_job *job, error *err);

/* Adds to *advice which batch of the step fits into so many bytes (room_advise). */
bool stage_room(const cli_call *call, device *d, int64_t bytes, error *advice, error *err);

/* For cli_command.fill: the argument is a kind; and a step's options stand before the command's own. */
void stage_fill_kinds(cli_command *c);
void stage_fill(cli_command *c);

#endif
