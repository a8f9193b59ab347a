/* timing.c -- see timing.h.
 * SPDX-License-Identifier: MIT */
#include "host/base/timing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double timing_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Linux tells when a process began, in ticks since the machine did: the 20th number behind the program's
 * name. */
double timing_of_process(void)
{
    char text[1024] = "";
    struct timespec t;
    const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) < 0) text[0] = 0;
    if (file >= 0) close(file);
    const char *at = strrchr(text, ')');
    for (int i = 0; at && i < 20; ++i) at = strchr(at + 1, ' ');
    const long ticks = sysconf(_SC_CLK_TCK);
    if (!at || ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &t) != 0) return -1;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec - strtod(at, NULL) / (double)ticks;
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
