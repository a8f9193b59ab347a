/* sampling.h -- the options of models that draw by diffusion.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_SAMPLING_H
#define DALLE_CL_CLI_SAMPLING_H

#include "app/api/dalle.h"
#include "app/cli/cli.h"

/* For cli_command.fill: those of `generate`, which has a guidance of its own; of a command that reads a
 * caption and a picture; and of those that read pictures alone. */
void sampling_fill(cli_command *c);
void sampling_fill_caption(cli_command *c);
void sampling_fill_pictures(cli_command *c);

/* What the command's options say; *any (may be NULL): an option was given.  Texts are the call's. */
dalle_sampling sampling_of(const cli_call *call, const char **any);
/* --guidance, or -1. */
double sampling_guidance(const cli_call *call);
/* The parts of a DALL-E 2 model that a drawing of captions needs, of those that a folder holds. */
unsigned sampling_parts(const cli_call *call, unsigned there);

#endif
