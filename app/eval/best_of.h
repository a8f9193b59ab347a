/* best_of.h -- what the best of N drawings scores, from more than N that were drawn. The best of one N of
 * them would be one value, and the mean over the first N, the next N ... wastes most; the mean over all
 * subsets of N, which is unbiased for the best of N new ones and has the least variance, needs only their
 * order: sum over i = N..M of s(i) C(i-1, N-1) / C(M, N), s(1) <= ... <= s(M).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_BEST_OF_H
#define DALLE_CL_EVAL_BEST_OF_H

#include <stdint.h>

void best_of_sort(double *scores, int64_t drawn); /* ascending */
/* Of `drawn` scores, ascending; NaN where n is below 1 or more than were drawn. */
double best_of_expected(const double *scores, int64_t drawn, int64_t n);

#endif
