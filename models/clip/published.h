/* published.h -- parameters in the layout of OpenAI's published CLIPs, as a safetensors file: its names
 * ("visual.conv1.weight", "transformer.resblocks.0.attn.in_proj_weight"), whose query, key and value are one
 * tensor, whose convolution is [W,3,p,p] and whose projections are [W,E].
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_PUBLISHED_H
#define DALLE_CL_MODELS_CLIP_PUBLISHED_H

#include "host/graph/store.h"

/* Whether the file has that layout. */
bool clip_published_is(const char *path, bool *is, error *err);
/* Gives every parameter that the store has its value; a missing or misshapen tensor is an error that names
 * it. */
bool clip_published_read(store *s, const char *path, error *err);

#endif
