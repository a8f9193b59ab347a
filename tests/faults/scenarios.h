/* scenarios.h -- what scenarios_model.c gives to the list in scenarios.c.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FAULTS_SCENARIOS_H
#define DALLE_CL_TESTS_FAULTS_SCENARIOS_H

#include "host/device/device.h"
#include "tests/faults/walk.h"

/* A regression's run of three steps with checkpoints, on a device that stays open. */
bool scenario_train_prepare(error *err);
bool scenario_train(error *err);
bool scenario_train_check(bool ran, error *err);
void scenario_train_finish(void);

/* The tiny presets' first step with a checkpoint, from opening the device to closing it. */
bool scenario_dvae_prepare(error *err);
bool scenario_dvae(error *err);
bool scenario_dvae_check(bool ran, error *err);
bool scenario_prior_prepare(error *err);
bool scenario_prior(error *err);
bool scenario_prior_check(bool ran, error *err);

/* A packed tiny model: opened, drawn with, encoded and decoded with. */
bool scenario_generate_prepare(error *err);
bool scenario_generate(error *err);
/* Its CLIP alone: pictures and texts embedded, compared, and the nearest found. */
bool scenario_clip(error *err);
/* A tiny DALL-E 2: opened, a caption drawn, two pictures mixed. */
bool scenario_unclip_prepare(error *err);
bool scenario_unclip(error *err);

#endif
