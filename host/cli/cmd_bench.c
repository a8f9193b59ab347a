/* cmd_bench.c -- `dalle-cl bench`: matrix products and convolutions, checked, then timed.
 * One line of tab-separated values each: program version, device, driver, operator, shape, storage,
 * provider, error, median ms, GFLOP/s.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

#include "host/base/json_tree.h"
#include "host/base/philox.h"
#include "host/device/device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct shape {
    const char *op; /* "gemm" or "conv" */
    int64_t m, n, k;
    int32_t side, kernel,
        channels; /* conv: pictures of side x side; m = count side^2, k = kernel^2 channels */
} shape;

static const shape gemm_shapes[] = {
    { "gemm", 512, 512, 512, 0, 0, 0 },  { "gemm", 1024, 1024, 1024, 0, 0, 0 },
    { "gemm", 4608, 768, 192, 0, 0, 0 }, { "gemm", 4608, 192, 768, 0, 0, 0 },
    { "gemm", 16, 576, 192, 0, 0, 0 },
};
/* m, n (channels out), k from: pictures, side, kernel, channels in. */
static const shape conv_shapes[] = {
    { "conv", 16 * 64 * 64, 32, 7 * 7 * 3, 64, 7, 3 },
    { "conv", 16 * 32 * 32, 64, 3 * 3 * 64, 32, 3, 64 },
    { "conv", 16 * 16 * 16, 512, 1 * 1 * 128, 16, 1, 128 },
};

typedef struct bench {
    device *device;
    const char *provider; /* or NULL: chosen */
    dtype type;
    double seconds; /* of timing a shape */
    bool json;
} bench;

typedef struct problem {
    gemm_desc desc;
    gemm_buffers buffers;
    gemm_plan *plan;
    device_launches *launches;
    void *a, *b, *c; /* host copies */
    int64_t a_count, b_count, c_count;
} problem;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void shape_text(const shape *s, char text[64])
{
    if (s->kernel)
        snprintf(text, 64, "%lldx%dx%dx%d->%lld,k%d", (long long)(s->m / s->side / s->side), s->side, s->side,
                 s->channels, (long long)s->n, s->kernel);
    else
        snprintf(text, 64, "%lldx%lldx%lld", (long long)s->m, (long long)s->n, (long long)s->k);
}

/* C[m,n] = A[m,k] B[n,k]^T, the form of a linear layer and of a convolution. */
static gemm_desc describe(const shape *s, dtype type)
{
    gemm_desc d = { .m = s->m, .n = s->n, .k = s->k, .batch = { 1, 1 }, .alpha = 1.0f };
    d.a = (gemm_operand){ .type = type, .row = s->k, .column = 1 };
    if (s->kernel) d.a.image = (gemm_image){ s->kernel, s->side, s->side, s->channels };
    d.b = (gemm_operand){ .type = type, .row = 1, .column = s->k };
    d.c = (gemm_operand){ .type = type, .row = s->n, .column = 1 };
    return d;
}

static void *random_values(dtype type, int64_t count, uint32_t stream)
{
    char *values = malloc((size_t)count * dtype_bytes(type));
    philox p = { .seed = 1, .stream = stream };
    for (int64_t i = 0; values && i < count; ++i)
        dtype_store(type, values, i, 2.0f * philox_uniform(&p, (uint32_t)i) - 1.0f);
    return values;
}

static void release(problem *p)
{
    device_launches_destroy(p->launches);
    gemm_plan_destroy(p->plan);
    device_buffer_destroy(p->buffers.a);
    device_buffer_destroy(p->buffers.b);
    device_buffer_destroy(p->buffers.c);
    device_buffer_destroy(p->buffers.workspace);
    free(p->a);
    free(p->b);
    free(p->c);
}

static bool prepare(const bench *bn, const shape *s, problem *p, error *err)
{
    device *d = bn->device;
    int64_t width = (int64_t)dtype_bytes(bn->type);
    p->desc = describe(s, bn->type);
    p->a_count = s->kernel ? s->m * s->channels : s->m * s->k;
    p->b_count = s->n * s->k;
    p->c_count = s->m * s->n;
    p->a = random_values(bn->type, p->a_count, 1);
    p->b = random_values(bn->type, p->b_count, 2);
    p->c = malloc((size_t)(p->c_count * width));
    if (!p->a || !p->b || !p->c)
        return error_set(err, ERROR_MEMORY, "out of memory for a product of this shape");
    p->plan = bn->provider ? gemm_plan_create_with(d, bn->provider, &p->desc, err)
                           : gemm_plan_create(d, &p->desc, err);
    if (!p->plan) return false;
    int64_t work = gemm_plan_workspace_bytes(p->plan);
    gemm_buffers *m = &p->buffers;
    /* Storage is padded as tensors are. */
    m->a = device_buffer_create(d, (p->a_count + 16) * width, err);
    m->b = m->a ? device_buffer_create(d, (p->b_count + 16) * width, err) : NULL;
    m->c = m->b ? device_buffer_create(d, (p->c_count + 16) * width, err) : NULL;
    if (!m->c) return false;
    if (work > 0 && !(m->workspace = device_buffer_create(d, work, err))) return false;
    p->launches = device_launches_create(d, err);
    return p->launches && device_write(d, m->a, 0, p->a, p->a_count * width, err) &&
           device_write(d, m->b, 0, p->b, p->b_count * width, err) &&
           gemm_plan_record(p->plan, p->launches, s->op, m, err);
}

/* A[m, k] of the problem, an image's border being 0. */
static double element_a(const problem *p, const shape *s, int64_t m, int64_t k)
{
    dtype type = p->desc.a.type;
    if (!s->kernel) return (double)dtype_load(type, p->a, m * s->k + k);
    int64_t side = s->side, channel = k % s->channels, tap = k / s->channels, half = (s->kernel - 1) / 2;
    int64_t x = m % side + tap % s->kernel - half, y = m / side % side + tap / s->kernel - half,
            picture = m / side / side;
    if (x < 0 || x >= side || y < 0 || y >= side) return 0.0;
    return (double)dtype_load(type, p->a, ((picture * side + y) * side + x) * s->channels + channel);
}

/* Largest difference from double sums at some places, against the largest value among them. */
static double check(const problem *p, const shape *s)
{
    enum { PLACES = 97 };
    philox draw = { .seed = 2, .stream = 3 };
    double largest = 0, difference = 0;
    for (uint32_t i = 0; i < PLACES; ++i) {
        int64_t m = philox_below(&draw, 2 * i, (uint32_t)s->m),
                n = philox_below(&draw, 2 * i + 1, (uint32_t)s->n);
        double sum = 0;
        for (int64_t k = 0; k < s->k; ++k)
            sum += element_a(p, s, m, k) * (double)dtype_load(p->desc.b.type, p->b, n * s->k + k);
        double got = (double)dtype_load(p->desc.c.type, p->c, m * s->n + n);
        if (!isfinite(got)) return INFINITY;
        largest = fmax(largest, fabs(sum));
        difference = fmax(difference, fabs(got - sum));
    }
    return largest > 0 ? difference / largest : difference;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool time_runs(const bench *bn, problem *p, double *median, error *err)
{
    enum { RUNS = 200 };
    double times[RUNS], begin = now();
    int count = 0;
    while (count < RUNS && (count < 3 || now() - begin < bn->seconds)) {
        double start = now();
        if (!device_launches_run(p->launches, 0, device_launches_count(p->launches), err) ||
            !device_finish(bn->device, err))
            return false;
        times[count++] = now() - start;
    }
    qsort(times, (size_t)count, sizeof *times, by_value);
    *median = times[count / 2];
    return true;
}

static bool print_result(const bench *bn, const shape *s, const char *provider, double wrong, double median,
                         error *err)
{
    const device_info *info = device_get_info(bn->device);
    char text[64];
    shape_text(s, text);
    double gflops = 2.0 * (double)s->m * (double)s->n * (double)s->k / median * 1e-9;
    if (!bn->json) {
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.2g\t%.4g\t%.1f\n", DALLE_CL_VERSION, info->name, info->driver,
               s->op, text, dtype_name(bn->type), provider, wrong, 1e3 * median, gflops);
        fflush(stdout);
        return true;
    }
    json_t *o = json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:f, s:f, s:f}", "version", DALLE_CL_VERSION,
                          "device", json_tree_string(info->name), "driver", json_tree_string(info->driver),
                          "op", s->op, "shape", text, "storage", dtype_name(bn->type), "provider", provider,
                          "error", wrong, "median_ms", 1e3 * median, "gflops", gflops);
    char *line = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "a result as JSON", err);
    if (line) puts(line);
    free(line);
    return line != NULL;
}

static bool one_shape(const bench *bn, const shape *s, error *err)
{
    problem p = { 0 };
    double median = 0, wrong = 0;
    bool ok = prepare(bn, s, &p, err) &&
              device_launches_run(p.launches, 0, device_launches_count(p.launches), err) &&
              device_read(bn->device, p.buffers.c, 0, p.c, p.c_count * (int64_t)dtype_bytes(bn->type), err);
    if (ok) {
        wrong = check(&p, s);
        double limit = bn->type == DTYPE_F32 ? 1e-4 : bn->type == DTYPE_F16 ? 2e-3 : 1.6e-2;
        char text[64];
        shape_text(s, text);
        if (!(wrong <= limit))
            ok =
                error_set(err, ERROR_DEVICE,
                          "%s %s %s: wrong by %.2g of the largest value (%.2g is allowed); provider %s on %s",
                          s->op, text, dtype_name(bn->type), wrong, limit, gemm_plan_provider(p.plan),
                          device_get_info(bn->device)->name);
    }
    ok = ok && time_runs(bn, &p, &median, err);
    ok = ok && print_result(bn, s, gemm_plan_provider(p.plan), wrong, median, err);
    release(&p);
    return ok;
}

static bool parse_shape(const char *text, shape *s, error *err)
{
    long long m = 0, n = 0, k = 0;
    char rest;
    if (sscanf(text, "%lldx%lldx%lld%c", &m, &n, &k, &rest) != 3 || m < 1 || n < 1 || k < 1 || m > 1 << 20 ||
        n > 1 << 20 || k > 1 << 20)
        return error_set(err, ERROR_USAGE, "bench: --shape '%s' is not MxNxK with sizes from 1 to 1048576",
                         text);
    *s = (shape){ "gemm", m, n, k, 0, 0, 0 };
    return true;
}

static bool run_shapes(const cli_call *call, const bench *bn, error *err)
{
    const char *op = cli_text(call, "op");
    int count;
    const char *const *given = cli_list(call, "shape", &count);
    for (int i = 0; i < count; ++i) {
        shape s;
        if (!parse_shape(given[i], &s, err) || !one_shape(bn, &s, err)) return false;
    }
    if (count) return true;
    for (size_t i = 0; strcmp(op, "conv") != 0 && i < sizeof gemm_shapes / sizeof *gemm_shapes; ++i)
        if (!one_shape(bn, &gemm_shapes[i], err)) return false;
    for (size_t i = 0; strcmp(op, "gemm") != 0 && i < sizeof conv_shapes / sizeof *conv_shapes; ++i)
        if (!one_shape(bn, &conv_shapes[i], err)) return false;
    return true;
}

static bool run_bench(const cli_call *call, error *err)
{
    const char *storage = cli_text(call, "storage");
    bench bn = { .provider = cli_text(call, "provider"),
                 .seconds = cli_real(call, "seconds"),
                 .json = cli_flag(call, "json") };
    bn.device = device_open(cli_text(call, "device"), err);
    bool ok = bn.device != NULL, both = strcmp(storage, "both") == 0;
    for (int half = 0; ok && half < 2; ++half) {
        if (!both && half != (strcmp(storage, "f16") == 0)) continue;
        bn.type = half ? DTYPE_F16 : DTYPE_F32;
        ok = run_shapes(call, &bn, err);
    }
    device_close(bn.device);
    return ok;
}

static const cli_option options[] = {
    { "op", 0, CLI_TEXT, "gemm|conv|all", "all", 0, 0, "what to measure" },
    { "shape", 0, CLI_LIST, "MxNxK", NULL, 0, 0, "a matrix product of this size, instead of the usual ones" },
    { "storage", 0, CLI_TEXT, "f32|f16|both", "both", 0, 0, "storage type" },
    { "provider", 0, CLI_TEXT, "NAME", NULL, 0, 0,
      "tile, clblast, thin or plain; otherwise the one that would be used" },
    { "seconds", 0, CLI_REAL, "S", "0.5", 0.001, 600, "how long to measure each" },
};

const cli_command cmd_bench = {
    .name = "bench",
    .summary = "check and time matrix products and convolutions on a device",
    .arguments = "",
    .example = "dalle-cl bench --device gpu --shape 1024x1024x1024",
    .text =
        "Every result is compared with sums in double precision before it is timed. A line holds, between "
        "tabs:\n"
        "version, device, driver, operator, shape, storage, provider, error, median milliseconds, GFLOP/s.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_bench,
};
