/* record.h -- the models' graphs, built by their trainers' own functions on a dry device.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_KERNELS_RECORD_H
#define DALLE_CL_TESTS_KERNELS_RECORD_H

#include "host/device/device.h"
#include "models/dvae/dvae.h"

/* How many pictures are drawn, encoded or decoded at once: kernels for few rows are chosen by it. */
#define RECORD_BATCHES \
    { \
        1, 2, 3, 4, 8, 16 \
    }

/* The paper's batches, 512 and 1024 pictures, are those of many devices: one takes a part of them. */
#define RECORD_PICTURES 8
/* Layers of one kind launch the same, and six have every kind of mask: row, column, convolution. */
#define RECORD_LAYERS 6
/* The set that presets are fitted to: its pictures, and its longest caption in tokens. */
#define RECORD_SET     500
#define RECORD_CAPTION 24

/* The step, the codec over averaged and over plain parameters. */
bool record_dvae(const char *preset, const char *on, error *err);
/* The step, validation, drawing; over the tokens of the dVAE of `dvae`'s settings. */
bool record_prior(const char *preset, const dvae_config *dvae, const char *on, error *err);
/* Products and sums that neither these nor the operators' tests ask for. */
bool record_rest(const char *on, error *err);

#endif
