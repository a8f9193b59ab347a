/* cmd_bench.c -- `dalle-cl bench`: products, convolutions, training steps and drawings, checked, then timed.
 * SPDX-License-Identifier: MIT */
#include "app/cli/bench.h"
#include "app/cli/cli.h"

#include "host/base/json_tree.h"
#include "host/base/timing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Without --case: products of usual sizes and of the small presets, quick on any device. */
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

static const char *const operators[] = {
    "attention:forward:causal:1x256+32^2,h8,d64",
    "attention:forward:row:1x256+32^2,h8,d64",
    "attention:train:row:1x256+32^2,h8,d64",
    "attention:train:column:1x256+32^2,h8,d64",
    "attention:train:conv:1x256+32^2,h8,d64",
    "rows:1x2048x512",
    "rows:1x65536x512",
    "op:layer_norm:2560x512",
    "op:gelu:2560x2048",
    "op:softmax:2048x8192",
    "op:add:65536x256",
    NULL,
};

typedef struct bench {
    bench_options options;
    double seconds; /* of timing a case */
    double peak;    /* GFLOP/s of multiply-adds, measured at the start; 0: not wanted */
    bool json, paced, profile;
    bool again; /* with the other storage */
} bench;

typedef struct timing {
    int runs;
    double median, low, high; /* seconds; low and high are the quartiles */
} timing;

bool bench_open(bench_case *c, const char *name, const bench_options *o, error *err)
{
    if (strncmp(name, "gemm:", 5) == 0 || strncmp(name, "conv:", 5) == 0)
        return bench_open_product(c, name, o, err);
    if (strncmp(name, "op:", 3) == 0 || strncmp(name, "rows:", 5) == 0 ||
        strncmp(name, "attention:", 10) == 0)
        return bench_open_op(c, name, o, err);
    if (strcmp(name, "start") == 0) return bench_open_start(c, name, o, err);
    return bench_open_model(c, name, o, err);
}

/* The others have a storage of their own. */
static bool takes_storage(const char *name)
{
    static const char *const kinds[] = { "gemm:", "conv:", "rows:" };
    for (int i = 0; i < 3; ++i)
        if (strncmp(name, kinds[i], 5) == 0) return true;
    return false;
}

static bool time_one(const bench_case *c, double *seconds, error *err)
{
    double start = timing_now();
    bool ok = c->run(c->self, err);
    *seconds = timing_now() - start;
    return ok;
}

static bool time_runs(const bench_case *c, double seconds, timing *t, error *err)
{
    enum { RUNS = 500, FEWEST = 5 };
    double times[RUNS], begin = timing_now();
    int n = 0;
    while (n < RUNS && (n < FEWEST || timing_now() - begin < seconds))
        if (!time_one(c, &times[n++], err)) return false;
    timing_sort(times, n);
    *t = (timing){ n, times[n / 2], times[n / 4], times[n - 1 - n / 4] };
    return true;
}

static bool print_json(json_t *o, error *err)
{
    char *line = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "a result as JSON", err);
    if (line) puts(line);
    fflush(stdout);
    free(line);
    return line != NULL;
}

static bool print_result(const bench *bn, const char *name, const bench_case *c, const timing *t, error *err)
{
    const device_info *info = device_get_info(bn->options.device);
    double gflops = c->flops / t->median * 1e-9, peak = bn->peak > 0 ? 100 * gflops / bn->peak : 0,
           gbs = c->bytes / t->median * 1e-9;
    if (!bn->json) {
        char wrong[32] = "-", rate[64] = "-\t-";
        if (c->wrong >= 0) snprintf(wrong, sizeof wrong, "%.2g", c->wrong);
        if (c->bytes > 0)
            snprintf(rate, sizeof rate, "%.1f GB/s\t-", gbs);
        else if (c->flops > 0)
            snprintf(rate, sizeof rate, "%.1f GFLOP/s\t%.0f", gflops, peak);
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.4g\t%.4g-%.4g\t%s\n", DALLE_CL_VERSION, info->name,
               info->driver, name, c->storage, *c->provider ? c->provider : "-", wrong, 1e3 * t->median,
               1e3 * t->low, 1e3 * t->high, rate);
        fflush(stdout);
        return true;
    }
    json_t *o = json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:f, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                          "version", DALLE_CL_VERSION, "device", json_tree_string(info->name), "driver",
                          json_tree_string(info->driver), "case", name, "storage", c->storage, "provider",
                          c->provider, "error", c->wrong, "runs", t->runs, "median_ms", 1e3 * t->median,
                          "low_ms", 1e3 * t->low, "high_ms", 1e3 * t->high, "gflops", gflops, "gb_per_s", gbs,
                          "peak_gflops", bn->peak, "peak_percent", peak);
    return print_json(o, err);
}

/* Peak resident set of this program alone: ru_maxrss also counts what it was started from. */
static int64_t peak_bytes(void)
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

static bool print_ready(const bench *bn, const char *name, const bench_case *c, error *err)
{
    const device_info *info = device_get_info(bn->options.device);
    return print_json(json_pack("{s:s, s:s, s:o, s:o, s:b}", "case", name, "provider", c->provider, "device",
                                json_tree_string(info->name), "driver", json_tree_string(info->driver),
                                "ready", 1),
                      err);
}

static void close_case(bench_case *c)
{
    if (c->close) c->close(c->self);
    *c = (bench_case){ 0 };
}

/* What keeps a case from being opened is the answer, and no error: the next may do. */
static bool change_case(const bench *bn, const char *name, bench_case *c, error *err)
{
    error problem;
    close_case(c);
    return bench_open(c, name, &bn->options, &problem)
               ? print_ready(bn, name, c, err)
               : print_json(json_pack("{s:o}", "failed", json_tree_string(problem.message)), err);
}

/* As many runs as the line says, back to back, and their median: the first find caches cold and threads asleep. */
static bool pace_runs(const char *line, const bench_case *c, error *err)
{
    enum { MOST = 100000 };
    char *end;
    long runs = *line ? strtol(line, &end, 10) : 1;
    if (*line && (*end || runs < 1 || runs > MOST))
        return error_set(
            err, ERROR_USAGE,
            "bench: --paced reads a number of runs up to %d, an empty line for one, or 'case NAME', not '%s'",
            MOST, line);
    if (!c->run)
        return error_set(err, ERROR_USAGE, "bench: --paced: a line 'case NAME' must come before runs");
    double *times = calloc((size_t)runs, sizeof *times);
    if (!times) return error_set(err, ERROR_MEMORY, "out of memory for the times of %ld runs", runs);
    bool ok = true;
    for (long i = 0; ok && i < runs; ++i) ok = time_one(c, &times[i], err);
    timing_sort(times, (int)runs);
    ok = ok && print_json(json_pack("{s:f, s:i}", "ms", 1e3 * times[runs / 2], "runs", (int)runs), err);
    free(times);
    return ok;
}

/* Runs, or another case, for each line of standard input, so that another program's runs can be put between ours.
 * NULL: the first line names the case. */
static bool pace(const bench *bn, const char *name, error *err)
{
    bench_case c = { 0 };
    char line[256];
    bool ok = !name || (bench_open(&c, name, &bn->options, err) && print_ready(bn, name, &c, err));
    while (ok && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        ok = strncmp(line, "case ", 5) == 0 ? change_case(bn, line + 5, &c, err) : pace_runs(line, &c, err);
    }
    close_case(&c);
    return ok && print_json(json_pack("{s:I}", "peak_bytes", (json_int_t)peak_bytes()), err);
}

/* Where one run's time goes, by operator. */
static bool print_profile(const bench *bn, const bench_case *c, error *err)
{
    device *d = bn->options.device;
    if (!device_profile_start(d, err)) return false;
    bool ok = c->run(c->self, err);
    char *table = device_profile_report(d, ok ? err : NULL);
    if (table) fputs(table, stderr);
    free(table);
    return ok && table;
}

static bool run_case(const bench *bn, const char *name, error *err)
{
    bench_case c;
    timing t;
    if (bn->again && !takes_storage(name)) return true;
    if (!bench_open(&c, name, &bn->options, err)) return false;
    bool ok = time_runs(&c, bn->seconds, &t, err) && print_result(bn, name, &c, &t, err) &&
              (!bn->profile || print_profile(bn, &c, err));
    c.close(c.self);
    return ok;
}

static bool run_list(const bench *bn, const char *const *names, error *err)
{
    for (; *names; ++names)
        if (!run_case(bn, *names, err)) return false;
    return true;
}

static bool run_given(const cli_call *call, const bench *bn, error *err)
{
    int count;
    const char *const *given = cli_list(call, "case", &count);
    if (bn->paced && count > 1)
        return error_set(err, ERROR_USAGE, "bench: --paced takes one --case at most, not %d", count);
    if (bn->paced) return pace(bn, count ? given[0] : NULL, err);
    for (int i = 0; i < count; ++i)
        if (!run_case(bn, given[i], err)) return false;
    if (count) return true;
    const char *op = cli_text(call, "op");
    bool all = strcmp(op, "all") == 0;
    return (!(all || strcmp(op, "gemm") == 0) || run_list(bn, products, err)) &&
           (!(all || strcmp(op, "conv") == 0) || run_list(bn, convolutions, err)) &&
           (!(all || strcmp(op, "op") == 0) || run_list(bn, operators, err)) &&
           (strcmp(op, "model") != 0 || run_list(bn, bench_models, err));
}

static bool list(void)
{
    const char *const *lists[] = { products, convolutions, operators, bench_models };
    for (int i = 0; i < 4; ++i)
        for (const char *const *name = lists[i]; *name; ++name) puts(*name);
    return true;
}

static bool run_bench(const cli_call *call, error *err)
{
    if (cli_flag(call, "list")) return list();
    const char *storage = cli_text(call, "storage");
    bench bn = { .options.provider = cli_text(call, "provider"),
                 .options.model = cli_text(call, "model"),
                 .seconds = cli_real(call, "seconds"),
                 .json = cli_flag(call, "json"),
                 .paced = cli_flag(call, "paced"),
                 .profile = cli_flag(call, "profile") };
    bool both = strcmp(storage, "both") == 0;
    if (bn.paced && both)
        return error_set(err, ERROR_USAGE, "bench: --paced takes --storage f32 or f16, not both");
    bn.options.device = device_open(cli_text(call, "device"), err);
    bool ok = bn.options.device != NULL;
    if (ok && !bn.paced) ok = (bn.peak = device_measure_rate(bn.options.device, err)) > 0;
    for (int half = 0; ok && half < 2; ++half) {
        if (!both && half != (strcmp(storage, "f16") == 0)) continue;
        bn.options.type = half ? DTYPE_F16 : DTYPE_F32;
        bn.again = both && half;
        ok = run_given(call, &bn, err);
    }
    device_close(bn.options.device);
    return ok;
}

static const cli_option options[] = {
    { "case", 0, CLI_LIST, "NAME", NULL, 0, 0, "measure this instead of the usual ones; may be repeated" },
    { "op", 0, CLI_TEXT, "gemm|conv|op|model|all", "all", 0, 0,
      "which of the usual ones; all: those but the models, which take long" },
    { "list", 0, CLI_FLAG, NULL, NULL, 0, 0, "name the usual cases and end" },
    { "storage", 0, CLI_TEXT, "f32|f16|both", "f32", 0, 0,
      "storage type of products, and of the weights of rows:" },
    { "provider", 0, CLI_TEXT, "NAME", NULL, 0, 0,
      "winograd, tile, clblast, thin or plain; otherwise the one that would be used" },
    { "model", 'm', CLI_TEXT, "FOLDER", "models/demo", 0, 0, "the model of the case `start`" },
    { "seconds", 0, CLI_REAL, "S", "0.5", 0.001, 600, "how long to measure each, five runs at least" },
    { "profile", 0, CLI_FLAG, NULL, NULL, 0, 0,
      "then run each once more and print, on standard error, the device time by operator" },
    { "paced", 0, CLI_FLAG, NULL, NULL, 0, 0,
      "read from standard input, a line each: a number of runs, or 'case NAME'; for measuring beside another "
      "program" },
};

const cli_command cmd_bench = {
    .name = "bench",
    .summary = "check and time products, convolutions, training steps and drawings on a device",
    .arguments = "",
    .example = "dalle-cl bench --device gpu --case gemm:nt:1024x1024x1024\ndalle-cl bench --op model",
    .text =
        "Cases are gemm:nn|nt|tn:MxNxK, conv:forward|data|weights:BxHxWxC->N,kK, both also with +bias, "
        "+relu, +gelu, +residual, +relu' or +gelu' after it, and those that --list "
        "names.\n"
        "A product or operator is compared with sums in double precision before it is timed; a training "
        "step must "
        "lower its "
        "loss on one batch; a drawing must come out the same twice.\n"
        "A line holds, between tabs: version, device, driver, case, storage, provider, error, median "
        "milliseconds, quartiles, GFLOP/s or GB/s, percent of the device's peak, which is measured first.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_bench,
};
