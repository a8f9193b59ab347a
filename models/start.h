/* start.h -- what a run that starts from a model (--init) takes from its file, whatever the kind.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_START_H
#define DALLE_CL_MODELS_START_H

#include "data/safetensors.h"
#include "data/tokenizer.h"
#include "models/parts.h"
#include "models/request.h"

/* Where a new run's tokenizer and parameters come from: `from` is empty unless --init says. */
bool start_find(const train_request *r, const model_kind *kind, part_files *from, error *err);

typedef struct start_file {
    const char *path;
    safetensors *file;
    tokenizer *old;         /* the model's, or NULL */
    const tokenizer *grown; /* the run's, which has the model's pieces first */
} start_file;

/* A parameter, averaged where the file has that; borrowed from it. */
const safetensors_tensor *start_parameter(const start_file *o, const char *name, error *err);
/* values[row], zeros so far, = the mean of the rows of the old pieces that spell the grown tokenizer's piece
 * `row`; rows have `size` numbers. */
bool start_piece(const start_file *o, float *values, int64_t row, int64_t size, error *err);

#endif
