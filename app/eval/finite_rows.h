/* finite_rows.h -- features are refused as a whole where one of them is no finite number.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_FINITE_ROWS_H
#define DALLE_CL_EVAL_FINITE_ROWS_H

#include "host/base/error.h"

#include <stdint.h>

/* Whether all of values [count][width] are finite; if not, the error says of `what` which is not, and counts
 * rows from `first`. */
bool finite_rows(const float *values, int64_t count, int64_t width, int64_t first, const char *what,
                 error *err);

#endif
