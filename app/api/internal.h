/* internal.h -- what the files of libdalle share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_API_INTERNAL_H
#define DALLE_CL_API_INTERNAL_H

#include "app/api/dalle.h"
#include "host/base/error.h"

/* Passes an error on to the program, which may not want it; returns false. */
bool api_report(dalle_error *out, const error *err);
/* An argument that is needed was left out; returns false. */
bool api_missing(const char *what, error *err);

#endif
