/* mean.h -- the mean of two models' parameters, element by element.
 * A model that was trained further on other data and the one that it started from lie in one basin of the
 * loss: their mean keeps most of what either knows (WiSE-FT, arXiv 2109.01903, with equal weights).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TOOLS_MEAN_H
#define DALLE_CL_TOOLS_MEAN_H

#include "host/base/error.h"

/* Writes `path`, in the types of `after_path`'s tensors and with what else that file says.  Two safetensors
 * files that have not the same tensors are an error, and nothing is written. */
bool mean_parameters(const char *before_path, const char *after_path, const char *path, error *err);

#endif
