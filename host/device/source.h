/* source.h -- the kernels' sources, as a compiler gets them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_SOURCE_H
#define DALLE_CL_DEVICE_SOURCE_H

#include "host/base/error.h"

/* The whole text of "ops/softmax", includes inlined, to be freed; and blanking its other kernels, so that
 * lines keep their numbers.  False: no kernel of it has this name, and nothing was blanked. */
char *source_load(const char *file, error *err);
bool source_keep(char *source, const char *kernel);
/* The same with the kernel calling a function, which is never inlined, for all it does (cl/device/apart.cl);
 * to be freed. NULL without an error: no caller can be written for it. */
char *source_apart(char *source, const char *kernel, error *err);

#endif
