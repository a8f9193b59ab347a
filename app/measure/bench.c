/* bench.c -- the usual cases, which file opens a case, and its timing; see bench.h.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "host/base/timing.h"
#include "host/ops/cases/op_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* ---- Names ---- */

/* Products of usual sizes and of the small presets, quick on any device. */
static const char *const products[] = {
    "gemm:nn:512x512x512",
    "gemm:nt:512x512x512",
    "gemm:tn:512x512x512",
    "gemm:nn:1024x1024x1024",
    "gemm:nt:1024x1024x1024",
    "gemm:tn:1024x1024x1024",
    "gemm:nt:4608x768x192",
    "gemm:nt:4608x192x768",
    "gemm:tn:768x192x4608",
    "gemm:nt:16x576x192",
    NULL,
};
static const char *const convolutions[] = {
    "conv:forward:16x64x64x3->32,k7",  "conv:forward:16x32x32x64->64,k3",   "conv:data:16x32x32x64->64,k3",
    "conv:weights:16x32x32x64->64,k3", "conv:forward:16x16x16x128->512,k1", NULL,
};

/* Those of the tables of cases come after them. */
static const char *const operators[] = {
    "attention:forward:causal:1x256+32^2,h8,d64",
    "attention:forward:row:1x256+32^2,h8,d64",
    "attention:train:row:1x256+32^2,h8,d64",
    "attention:train:column:1x256+32^2,h8,d64",
    "attention:train:conv:1x256+32^2,h8,d64",
    "rows:1x2048x512",
    "rows:1x65536x512",
    NULL,
};

static const char *const pictures[] = {
    "pictures:jpeg:640x480->256",   "pictures:png:640x480->256",         "pictures:webp:640x480->256",
    "pictures:jpeg:4000x3000->256", "pictures:jpeg:4000x3000->256,fast", NULL,
};

/* The index-th operator that a table gives usual sizes, or NULL. */
static const op_timed *usual_operator(int index)
{
    for (const op_test *const *file = op_cases; *file; ++file)
        for (const op_test *test = *file; test->name; ++test)
            for (const op_timed *timed = test->timed; timed && timed->name; ++timed)
                if (timed->usual && index-- == 0) return timed;
    return NULL;
}

const char *bench_usual(bench_group group, int index, char text[BENCH_NAME_SIZE])
{
    const char *const *const groups[BENCH_GROUPS] = { products, convolutions, operators, bench_models(),
                                                      pictures };
    const char *const *names = groups[group];
    int at = 0;
    while (at < index && names[at]) ++at;
    if (names[at] || group != BENCH_OPERATORS) return names[at];
    const op_timed *timed = usual_operator(index - at);
    if (!timed) return NULL;
    snprintf(text, BENCH_NAME_SIZE, "op:%s:%s", timed->name, timed->usual);
    return text;
}

bool bench_takes_storage(const char *name)
{
    static const char *const kinds[] = { "gemm:", "conv:", "rows:" };
    for (int i = 0; i < 3; ++i)
        if (strncmp(name, kinds[i], 5) == 0) return true;
    return false;
}

bool bench_open(bench_case *c, const char *name, const bench_options *o, error *err)
{
    if (strncmp(name, "gemm:", 5) == 0 || strncmp(name, "conv:", 5) == 0)
        return bench_open_product(c, name, o, err);
    if (strncmp(name, "op:", 3) == 0 || strncmp(name, "rows:", 5) == 0 ||
        strncmp(name, "attention:", 10) == 0)
        return bench_open_op(c, name, o, err);
    if (strcmp(name, "start") == 0) return bench_open_start(c, name, o, err);
    if (strncmp(name, "pictures:", 9) == 0) return bench_open_pictures(c, name, o, err);
    return bench_open_model(c, name, o, err);
}

/* ---- Timing ---- */

static bool time_one(const bench_case *c, double *seconds, error *err)
{
    double start = timing_now();
    bool ok = c->run(c->self, err);
    *seconds = timing_now() - start;
    return ok;
}

static bench_timing sum_up(double *times, int n)
{
    timing_sort(times, n);
    return (bench_timing){ n, times[n / 2], times[n / 4], times[n - 1 - n / 4] };
}

bool bench_time(const bench_case *c, double seconds, bench_timing *t, error *err)
{
    enum { RUNS = 500, FEWEST = 5 };
    double times[RUNS], begin = timing_now();
    int n = 0;
    while (n < RUNS && (n < FEWEST || timing_now() - begin < seconds))
        if (!time_one(c, &times[n++], err)) return false;
    *t = sum_up(times, n);
    return true;
}

bool bench_time_runs(const bench_case *c, int runs, bench_timing *t, error *err)
{
    double *times = calloc((size_t)runs, sizeof *times);
    if (!times) return error_set(err, ERROR_MEMORY, "out of memory for the times of %d runs", runs);
    bool ok = true;
    for (int i = 0; ok && i < runs; ++i) ok = time_one(c, &times[i], err);
    *t = sum_up(times, runs);
    free(times);
    return ok;
}

/* ru_maxrss also counts what the process was started from. */
int64_t bench_peak_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;
    struct rusage usage;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lld", &kib) == 1) break;
    if (f) fclose(f);
    if (kib == 0 && getrusage(RUSAGE_SELF, &usage) == 0) kib = usage.ru_maxrss;
    return kib * 1024;
}
