/* cmd_bench.c -- `dalle-cl bench`: products, convolutions, training steps and drawings, checked, then timed.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/measure/bench.h"

#include "host/base/json_tree.h"

#include <stdlib.h>
#include <string.h>

typedef struct bench {
    bench_options options;
    double seconds; /* of timing a case */
    double peak;    /* GFLOP/s of multiply-adds, measured at the start; 0: not wanted */
    bool json, paced, profile;
    bool again; /* with the other storage */
} bench;

static bool print_json(json_t *o, error *err)
{
    char *line = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "a result as JSON", err);
    if (line) puts(line);
    fflush(stdout);
    free(line);
    return line != NULL;
}

static bool print_result(const bench *bn, const char *name, const bench_case *c, const bench_timing *t,
                         error *err)
{
    const device_info *info = device_get_info(bn->options.device);
    double gflops = c->flops / t->median * 1e-9, peak = bn->peak > 0 ? 100 * gflops / bn->peak : 0,
           gbs = c->bytes / t->median * 1e-9, pictures = c->pictures / t->median;
    if (!bn->json) {
        char wrong[32] = "-", rate[64] = "-\t-";
        if (c->wrong >= 0) snprintf(wrong, sizeof wrong, "%.2g", c->wrong);
        if (c->pictures > 0)
            snprintf(rate, sizeof rate, "%.1f pictures/s\t-", pictures);
        else if (c->bytes > 0)
            snprintf(rate, sizeof rate, "%.1f GB/s\t-", gbs);
        else if (c->flops > 0)
            snprintf(rate, sizeof rate, "%.1f GFLOP/s\t%.0f", gflops, peak);
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.4g\t%.4g-%.4g\t%s\n", DALLE_CL_VERSION, info->name,
               info->driver, name, c->storage, *c->provider ? c->provider : "-", wrong, 1e3 * t->median,
               1e3 * t->low, 1e3 * t->high, rate);
        fflush(stdout);
        return true;
    }
    json_t *o = json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:f, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                          "version", DALLE_CL_VERSION, "device", json_tree_string(info->name), "driver",
                          json_tree_string(info->driver), "case", name, "storage", c->storage, "provider",
                          c->provider, "error", c->wrong, "runs", t->runs, "median_ms", 1e3 * t->median,
                          "low_ms", 1e3 * t->low, "high_ms", 1e3 * t->high, "gflops", gflops, "gb_per_s", gbs,
                          "pictures_per_s", pictures, "peak_gflops", bn->peak, "peak_percent", peak);
    return print_json(o, err);
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

/* As many runs as the line says, back to back, and their median: the first find caches cold and threads
 * asleep. */
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
    bench_timing t;
    return bench_time_runs(c, (int)runs, &t, err) &&
           print_json(json_pack("{s:f, s:i}", "ms", 1e3 * t.median, "runs", t.runs), err);
}

/* Runs, or another case, for each line of standard input, so that another program's runs can be put between
 * ours. NULL: the first line names the case. */
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
    return ok && print_json(json_pack("{s:I}", "peak_bytes", (json_int_t)bench_peak_bytes()), err);
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
    bench_timing t;
    if (bn->again && !bench_takes_storage(name)) return true;
    if (!bench_open(&c, name, &bn->options, err)) return false;
    bool ok = bench_time(&c, bn->seconds, &t, err) && print_result(bn, name, &c, &t, err) &&
              (!bn->profile || print_profile(bn, &c, err));
    c.close(c.self);
    return ok;
}

static bool run_group(const bench *bn, bench_group group, error *err)
{
    char text[BENCH_NAME_SIZE];
    const char *name;
    for (int i = 0; (name = bench_usual(group, i, text)); ++i)
        if (!run_case(bn, name, err)) return false;
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
    return (!(all || strcmp(op, "gemm") == 0) || run_group(bn, BENCH_PRODUCTS, err)) &&
           (!(all || strcmp(op, "conv") == 0) || run_group(bn, BENCH_CONVOLUTIONS, err)) &&
           (!(all || strcmp(op, "op") == 0) || run_group(bn, BENCH_OPERATORS, err)) &&
           (strcmp(op, "model") != 0 || run_group(bn, BENCH_MODELS, err)) &&
           (strcmp(op, "pictures") != 0 || run_group(bn, BENCH_PICTURES, err));
}

static bool list(void)
{
    char text[BENCH_NAME_SIZE];
    const char *name;
    for (int group = 0; group < BENCH_GROUPS; ++group)
        for (int i = 0; (name = bench_usual((bench_group)group, i, text)); ++i) puts(name);
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
    { "op", 0, CLI_TEXT, "gemm|conv|op|model|pictures|all", "all", 0, 0,
      "which of the usual ones; all: those but the models, which take long, and the pictures" },
    { "list", 0, CLI_FLAG, NULL, NULL, 0, 0, "name the usual cases and end" },
    { "storage", 0, CLI_TEXT, "f32|f16|both", "f32", 0, 0,
      "storage type of products, and of the weights of rows:" },
    { "provider", 0, CLI_TEXT, "NAME", NULL, 0, 0,
      "winograd, tile, block, clblast, thin or plain; otherwise the one that would be used" },
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
        "+residual, an activation (+gelu) and a derivative (+gelu') after it, op:NAME:SIZES for an operator, "
        "as in "
        "op:softmax:2048x8192, pictures:FORMAT:WxH->SIDE or pictures:FOLDER->SIDE for reading pictures, also "
        "with ,tTHREADS, a filter "
        "(,bicubic) and ,fast after it, and those that --list names.\n"
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
