/* training.h -- the recipe: the settings that the training of every kind has, and what follows from them
 * alone. A kind's own struct of settings holds these as members (host/base/config_def.h, CONFIG_PART).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_TRAINING_H
#define DALLE_CL_MODELS_TRAINING_H

#include "host/base/config.h"
#include "host/train/optimizer.h"

#define CONFIG_AS_SHARED_ENUMS
#include "host/base/config_def.h"
#include "models/schedule.def"
#include "models/training.def"
#include "host/base/config_undef.h"

typedef struct training_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/training.def"
#include "host/base/config_undef.h"
    comm *comm; /* no setting: the ranks that train together; NULL: one */
} training_config;

typedef struct schedule_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/schedule.def"
#include "host/base/config_undef.h"
} schedule_config;

enum { TEXT_TOKENS_MOST = 4096 };
typedef struct text_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/text.def"
#include "host/base/config_undef.h"
} text_config;

/* What graph_compile advises to change where memory is short. */
#define TRAINING_KNOB "`batch`, or set recompute=yes or a higher `accumulate`"

/* Whether the batch can be divided as `accumulate` says; `kind` starts the error. */
bool training_check(const training_config *c, const char *kind, error *err);
/* The same for a kind whose layers gather wholes (training_check_shards); and for one whose residual blocks
 * have gradient scales as well. */
bool training_check_split(const training_config *c, const char *kind, error *err);
bool training_check_scaled(const training_config *c, const char *kind, error *err);

/* Whether the ranks are groups of `shards`, into which `size`, an axis of every matrix, can be split; for a
 * kind whose layers gather wholes, when training begins. */
bool training_check_shards(const training_config *c, const char *kind, int64_t size, error *err);

/* What a step's graph stores in 16 bits, for graph_set_half: F32 where nothing is. */
dtype training_half_type(const training_config *c);
/* What parameters that are not wide are stored in, for store_set_trained_type. */
dtype training_stored_type(const training_config *c);
/* log2 of the gradient scales that residual blocks begin with; 0: they have none. */
float training_block_start(const training_config *c);
optimizer_settings training_optimizer(const training_config *c);
/* A step's parts; `random` is the graph's input. */
division training_division(const training_config *c, tensor *random);
/* Pictures of this rank's share of a batch; the place of its first in the batch; pictures of one part. */
int64_t training_batch(const training_config *c);
int64_t training_first(const training_config *c);
int64_t training_samples(const training_config *c);

/* Whether a picture looks alike in every epoch. */
bool training_is_fixed(const training_config *c);

#endif
