/* toy.h -- a linear autoencoder: a picture's pixels times one matrix, and back.  The smallest kind of model
 * there can be, which CONTRIBUTING.md explains and tests/cli/kinds.sh adds to the program.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_MODELS_TOY_TOY_H
#define DALLE_CL_TESTS_MODELS_TOY_TOY_H

#include "host/nn/nn.h"
#include "models/request.h"
#include "models/training.h"

typedef struct toy_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/toy/config.def"
#include "host/base/config_undef.h"
} toy_config;
extern const config_table toy_config_table;

/* What the settings leave to a set of so many pictures. */
void toy_fit(toy_config *c, int64_t pictures);
bool toy_config_check(const toy_config *c, error *err);

/* The graph of a training step, not yet compiled; on failure, too, `graph` is the caller's to destroy. */
typedef struct toy_step {
    graph *graph;
    tensor *pixels; /* U8 [b,S,S,3], of a part */
    tensor *random; /* I32 [4]; nothing is random here, but the loop writes it */
    tensor *loss;   /* [1]: mean squared error of pixels in 0..1, of the whole batch */
    division division;
    optimizer *optimizer;
} toy_step;
bool toy_step_build(toy_step *s, store *st, const toy_config *c, error *err);
/* Declares the parameters alone, and gives them memory. */
bool toy_declare(store *st, const toy_config *c, error *err);

/* toy_train.c */
bool toy_train(const train_request *r, error *err);

#endif
