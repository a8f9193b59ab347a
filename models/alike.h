/* alike.h -- whether the ranks of a job were started for the same thing.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_ALIKE_H
#define DALLE_CL_MODELS_ALIKE_H

#include "host/comm/comm.h"
#include <jansson.h>

/* Compares program, kernels, settings (`config`, lines "key = value") and the hashes of data and parts (in
 * `provenance`) with rank 0's.  An error, the same on all ranks, names the first that differs and who has
 * what. */
bool alike_check(comm *c, const char *commit, const char *config, const json_t *provenance, error *err);

#endif
