/* upsampler.h -- makes a small picture a large one by diffusion: the upsamplers of DALL-E 2 (arXiv
 * 2204.06125, 2.1), U-Nets of convolutions alone that see the small picture, brought to size, beside the
 * noised one, and nothing else.
 * B batch, S pixels a side of what it makes, F of what it enlarges.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_H
#define DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_H

#include "data/loader.h"
#include "models/training.h"
#include "models/unclip/diffusion.h"
#include "models/unclip/unet.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/upsampler/config.def"
#include "host/base/config_undef.h"

typedef struct upsampler_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/upsampler/config.def"
#include "host/base/config_undef.h"
} upsampler_config;
extern const config_table upsampler_config_table;
/* Settings that make the shape of its parameters, for request_take_sizes. */
extern const char *const upsampler_sizes[];

/* Settings that are left to the data set, for one of so many pictures; *chosen (may be NULL) says whether the
 * number of steps was among them. */
void upsampler_fit(upsampler_config *c, int64_t pictures, bool *chosen);
/* Checks what single ranges cannot, such as sizes that halve as often as there are levels. */
bool upsampler_config_check(const upsampler_config *c, error *err);
/* The part of that which the network itself asks for. */
bool upsampler_network_check(const upsampler_config *c, error *err);

/* Pixels a side of the square that training cuts out, and of that square made small. */
int64_t upsampler_window(const upsampler_config *c);
int64_t upsampler_low_window(const upsampler_config *c);

/* The process that it learns; to be freed with diffusion_free. */
bool upsampler_process(const upsampler_config *c, diffusion *out, error *err);
/* Declares the network for pictures of `size` pixels a side and applies it: x [B,s,s,3] noised, low [B,s,s,3]
 * the small pictures brought to that size, both -1..1, time F32 [B] -> what it says of x, [B,s,s,3], or with
 * learned variances [B,s,s,6].  `random` drives dropout and may be NULL. */
tensor *upsampler_apply(graph *g, const upsampler_config *c, int64_t size, tensor *x, tensor *low,
                        tensor *time, tensor *random);
/* Pixels U8 -> F32 -1..1. */
tensor *upsampler_map_pixels(tensor *pixels);

/* What training's batches show of each picture beside the square itself: the view "low". */
void upsampler_view(const upsampler_config *c, degradation *how, loader_view *low);

#endif
