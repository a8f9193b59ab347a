/* mean.h -- the mean of many values and its standard error, by Welford's sums: no large squares are
 * subtracted. Zeros are an empty one.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_MEAN_H
#define DALLE_CL_EVAL_MEAN_H

#include <stdint.h>

typedef struct mean {
    int64_t count;
    double value; /* of those so far */
    double apart; /* sum of the squared differences from it */
} mean;

void mean_add(mean *m, double value);
/* The standard deviation of the values over the root of their number; NaN for fewer than two. */
double mean_error(const mean *m);

#endif
