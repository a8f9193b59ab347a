/* finite_rows.c -- looking for NaN and infinity.
 * SPDX-License-Identifier: MIT */
#include "app/eval/finite_rows.h"

#include <math.h>

bool finite_rows(const float *values, int64_t count, int64_t width, int64_t first, const char *what,
                 error *err)
{
    for (int64_t i = 0; i < count * width; ++i)
        if (!isfinite(values[i]))
            return error_set(err, ERROR_MODEL,
                             "%s: number %lld of picture %lld is %g, where finite ones are needed", what,
                             (long long)(i % width), (long long)(first + i / width), (double)values[i]);
    return true;
}
