/* best_of.c -- see best_of.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/best_of.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void best_of_sort(double *scores, int64_t drawn)
{
    qsort(scores, (size_t)drawn, sizeof *scores, by_value);
}

double best_of_expected(const double *scores, int64_t drawn, int64_t n)
{
    if (n < 1 || n > drawn) return NAN;
    double sum = 0,
           odds = (double)n / (double)drawn; /* that score i is the best of a subset: first the highest */
    for (int64_t i = drawn; i >= n; --i) {
        sum += odds * scores[i - 1];
        if (i > 1) odds *= (double)(i - n) / (double)(i - 1);
    }
    return sum;
}
