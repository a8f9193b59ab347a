/* timing.c -- see timing.h.
 * SPDX-License-Identifier: MIT */
#include "host/base/timing.h"

#include <stdlib.h>
#include <time.h>

double timing_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void timing_sort(double *seconds, int count)
{
    qsort(seconds, (size_t)count, sizeof *seconds, ascending);
}
