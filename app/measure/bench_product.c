/* bench_product.c -- matrix products and convolutions as cases of `dalle-cl bench`, on GEMM plans.
 * A convolution's data gradient is the convolution of dy with the turned weight, which is made once a step and not
 * counted; its weight gradient is dy^T times the image's patches.  After the name, what ends the elements of C:
 * "+bias", "+relu", "+gelu", "+residual", "+relu'", "+gelu'" (times the derivative).
 * SPDX-License-Identifier: MIT */
#include "app/cli/bench.h"

#include "host/base/philox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIAS, POINT, RESIDUAL, ENDS };

typedef struct product {
    device *device;
    gemm_desc desc;
    gemm_buffers buffers;
    gemm_plan *plan;
    device_launches *launches;
    void *a, *b, *c, *ends[ENDS]; /* host copies */
    int64_t a_count, b_count, c_count;
} product;

static void close_product(void *self)
{
    product *p = self;
    if (!p) return;
    device_launches_destroy(p->launches);
    gemm_plan_destroy(p->plan);
    device_buffer_destroy(p->buffers.a);
    device_buffer_destroy(p->buffers.b);
    device_buffer_destroy(p->buffers.c);
    device_buffer_destroy(p->buffers.bias);
    device_buffer_destroy(p->buffers.point);
    device_buffer_destroy(p->buffers.residual);
    device_buffer_destroy(p->buffers.workspace);
    for (int i = 0; i < ENDS; ++i) free(p->ends[i]);
    free(p->a);
    free(p->b);
    free(p->c);
    free(p);
}

static bool run_product(void *self, error *err)
{
    product *p = self;
    return device_launches_run(p->launches, 0, device_launches_count(p->launches), err) &&
           device_finish(p->device, err);
}

/* ---- Names ---- */

static bool parse_gemm(product *p, const char *name, dtype type)
{
    long long m, n, k;
    char form[3], rest;
    if (sscanf(name, "gemm:%2[nt]:%lldx%lldx%lld%c", form, &m, &n, &k, &rest) != 4 || strlen(form) != 2 ||
        strcmp(form, "tt") == 0 || m < 1 || n < 1 || k < 1 || m > 1 << 20 || n > 1 << 20 || k > 1 << 20)
        return false;
    gemm_desc d = { .m = m, .n = n, .k = k, .batch = { 1, 1 }, .alpha = 1.0f };
    bool at = form[0] == 't', bt = form[1] == 't';
    d.a = (gemm_operand){ .type = type, .row = at ? 1 : k, .column = at ? m : 1 };
    d.b = (gemm_operand){ .type = type, .row = bt ? 1 : n, .column = bt ? k : 1 };
    d.c = (gemm_operand){ .type = type, .row = n, .column = 1 };
    p->desc = d;
    p->a_count = m * k;
    p->b_count = n * k;
    p->c_count = m * n;
    return true;
}

static bool parse_conv(product *p, const char *name, dtype type)
{
    char form[8], rest;
    int batch, height, width, in, out, kernel;
    if (sscanf(name, "conv:%7[a-z]:%dx%dx%dx%d->%d,k%d%c", form, &batch, &height, &width, &in, &out, &kernel,
               &rest) != 7 ||
        batch < 1 || height < 1 || width < 1 || in < 1 || out < 1 || kernel < 1 || kernel % 2 == 0 ||
        kernel > 31 || batch > 4096 || height > 4096 || width > 4096 || in > 65536 || out > 65536)
        return false;
    int64_t pixels = (int64_t)batch * height * width, taps = (int64_t)kernel * kernel;
    gemm_desc d = { .m = pixels, .batch = { 1, 1 }, .alpha = 1.0f };
    if (strcmp(form, "weights") == 0) {
        d.m = out;
        d.n = taps * in;
        d.k = pixels;
        d.a = (gemm_operand){ .type = type, .row = 1, .column = out };
        d.b = (gemm_operand){ .type = type, .image = { kernel, height, width, in } };
        p->a_count = pixels * out;
        p->b_count = pixels * in;
    } else {
        bool data = strcmp(form, "data") == 0;
        if (!data && strcmp(form, "forward") != 0) return false;
        int from = data ? out : in;
        d.n = data ? in : out;
        d.k = taps * from;
        d.a =
            (gemm_operand){ .type = type, .row = d.k, .column = 1, .image = { kernel, height, width, from } };
        d.b = (gemm_operand){ .type = type, .row = 1, .column = d.k };
        p->a_count = pixels * from;
        p->b_count = d.n * d.k;
    }
    d.c = (gemm_operand){ .type = type, .row = d.n, .column = 1 };
    p->desc = d;
    p->c_count = d.m * d.n;
    return true;
}

static bool parse_end(gemm_desc *d, const char *end)
{
    for (int length; *end; end += length) {
        char word[12];
        if (sscanf(end, "+%11[a-z']%n", word, &length) != 1) return false;
        if (strcmp(word, "bias") == 0)
            d->bias = true;
        else if (strcmp(word, "residual") == 0)
            d->residual = true;
        else if (strcmp(word, "relu") == 0 || strcmp(word, "gelu") == 0)
            d->activation = *word == 'r' ? GEMM_RELU : GEMM_GELU;
        else if (strcmp(word, "relu'") == 0 || strcmp(word, "gelu'") == 0)
            d->slope = *word == 'r' ? GEMM_RELU : GEMM_GELU;
        else
            return false;
    }
    d->bias_type = d->c.type;
    return true;
}

static bool parse(product *p, const char *name, dtype type)
{
    char sizes[128];
    size_t length = strcspn(name, "+");
    if (length >= sizeof sizes) return false;
    memcpy(sizes, name, length);
    sizes[length] = 0;
    return (parse_gemm(p, sizes, type) || parse_conv(p, sizes, type)) && parse_end(&p->desc, name + length);
}

/* ---- Making and checking ---- */

/* In (-1, 1): those of philox_uniform, four a draw. */
static void *random_values(dtype type, int64_t count, uint32_t stream)
{
    char *values = malloc((size_t)count * dtype_bytes(type));
    const uint32_t key[2] = { 1, 0 };
    for (int64_t i = 0; values && i < count; i += 4) {
        uint32_t counter[4] = { (uint32_t)(i / 4), 0, stream, 0 }, bits[4];
        philox4x32_10(counter, key, bits);
        for (int64_t j = i; j < count && j < i + 4; ++j)
            dtype_store(type, values, j, (float)(bits[j - i] >> 9) * 0x1p-22f + 0x1p-23f - 1.0f);
    }
    return values;
}

static bool prepare_ends(product *p, int64_t width, error *err)
{
    const gemm_desc *g = &p->desc;
    device_buffer **to[ENDS] = { &p->buffers.bias, &p->buffers.point, &p->buffers.residual };
    const bool wanted[ENDS] = { g->bias, g->slope != GEMM_IDENTITY, g->residual };
    for (int i = 0; i < ENDS; ++i) {
        int64_t count = i == BIAS ? g->n : p->c_count;
        if (!wanted[i]) continue;
        if (!(p->ends[i] = random_values(g->c.type, count, (uint32_t)(4 + i))))
            return error_set(err, ERROR_MEMORY, "out of memory for a product of this shape");
        if (!(*to[i] = device_buffer_create(p->device, (count + 16) * width, err)) ||
            !device_write(p->device, *to[i], 0, p->ends[i], count * width, err))
            return false;
    }
    return true;
}

static bool prepare(product *p, const char *provider, error *err)
{
    device *d = p->device;
    dtype type = p->desc.a.type;
    int64_t width = (int64_t)dtype_bytes(type);
    p->a = random_values(type, p->a_count, 1);
    p->b = random_values(type, p->b_count, 2);
    p->c = malloc((size_t)(p->c_count * width));
    if (!p->a || !p->b || !p->c)
        return error_set(err, ERROR_MEMORY, "out of memory for a product of this shape");
    p->plan =
        provider ? gemm_plan_create_with(d, provider, &p->desc, err) : gemm_plan_create(d, &p->desc, err);
    if (!p->plan) return false;
    int64_t work = gemm_plan_workspace_bytes(p->plan);
    gemm_buffers *m = &p->buffers;
    /* Storage is padded as tensors are. */
    m->a = device_buffer_create(d, (p->a_count + 16) * width, err);
    m->b = m->a ? device_buffer_create(d, (p->b_count + 16) * width, err) : NULL;
    m->c = m->b ? device_buffer_create(d, (p->c_count + 16) * width, err) : NULL;
    if (!m->c || (work > 0 && !(m->workspace = device_buffer_create(d, work, err)))) return false;
    if (!prepare_ends(p, width, err)) return false;
    p->launches = device_launches_create(d, err);
    return p->launches && device_write(d, m->a, 0, p->a, p->a_count * width, err) &&
           device_write(d, m->b, 0, p->b, p->b_count * width, err) &&
           gemm_plan_record(p->plan, p->launches, "bench", m, err);
}

/* Element (row, column) of an operand, an image's border being 0. */
static double element(const gemm_operand *o, const void *values, int64_t row, int64_t column)
{
    const gemm_image *im = &o->image;
    if (!im->kernel) return (double)dtype_load(o->type, values, row * o->row + column * o->column);
    int64_t channel = column % im->channels, tap = column / im->channels, half = im->kernel / 2;
    int64_t x = row % im->width + tap % im->kernel - half,
            y = row / im->width % im->height + tap / im->kernel - half,
            picture = row / im->width / im->height;
    if (x < 0 || x >= im->width || y < 0 || y >= im->height) return 0.0;
    return (double)dtype_load(o->type, values,
                              ((picture * im->height + y) * im->width + x) * im->channels + channel);
}

/* An element of C from its sum. */
static double ended(const product *p, double sum, int64_t m, int64_t n)
{
    const gemm_desc *g = &p->desc;
    double at[ENDS] = { 0 };
    for (int i = 0; i < ENDS; ++i)
        if (p->ends[i]) at[i] = (double)dtype_load(g->c.type, p->ends[i], i == BIAS ? n : m * g->c.row + n);
    double v = sum + at[BIAS], x = at[POINT], below = 0.5 * erfc(-x / sqrt(2.0));
    if (g->activation == GEMM_RELU) v = fmax(v, 0.0);
    if (g->activation == GEMM_GELU) v *= 0.5 * erfc(-v / sqrt(2.0));
    if (g->slope == GEMM_RELU) v = x > 0 ? v : 0.0;
    if (g->slope == GEMM_GELU) v *= below + x * 0.39894228040143268 * exp(-0.5 * x * x);
    return v + at[RESIDUAL];
}

/* Largest difference from double sums at some places, against the largest value among them. */
static double largest_error(const product *p)
{
    enum { PLACES = 97 };
    const gemm_desc *g = &p->desc;
    philox draw = { .seed = 2, .stream = 3 };
    double largest = 0, difference = 0;
    for (uint32_t i = 0; i < PLACES; ++i) {
        int64_t m = philox_below(&draw, 2 * i, (uint32_t)g->m),
                n = philox_below(&draw, 2 * i + 1, (uint32_t)g->n);
        double sum = 0;
        for (int64_t k = 0; k < g->k; ++k) sum += element(&g->a, p->a, m, k) * element(&g->b, p->b, k, n);
        sum = ended(p, sum, m, n);
        double got = (double)dtype_load(g->c.type, p->c, m * g->c.row + n);
        if (!isfinite(got)) return INFINITY;
        largest = fmax(largest, fabs(sum));
        difference = fmax(difference, fabs(got - sum));
    }
    return largest > 0 ? difference / largest : difference;
}

bool bench_open_product(bench_case *c, const char *name, const bench_options *o, error *err)
{
    product *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    p->device = o->device;
    if (!parse(p, name, o->type)) {
        free(p);
        return error_set(
            err, ERROR_USAGE,
            "bench: '%s' is neither gemm:nn|nt|tn:MxNxK nor "
            "conv:forward|data|weights:BxHxWxC->N,kK, with +bias, +relu, +gelu, +residual, +relu' or "
            "+gelu' after it",
            name);
    }
    double limit = o->type == DTYPE_F32 ? 1e-4 : o->type == DTYPE_F16 ? 2e-3 : 1.6e-2, wrong = 0;
    bool ok = prepare(p, o->provider, err) && run_product(p, err) &&
              device_read(p->device, p->buffers.c, 0, p->c, p->c_count * (int64_t)dtype_bytes(o->type), err);
    if (ok && !((wrong = largest_error(p)) <= limit))
        ok = error_set(err, ERROR_DEVICE,
                       "%s %s: wrong by %.2g of the largest value (%.2g is allowed); provider %s on %s", name,
                       dtype_name(o->type), wrong, limit, gemm_plan_provider(p->plan),
                       device_get_info(p->device)->name);
    if (!ok) {
        close_product(p);
        return false;
    }
    const gemm_desc *g = &p->desc;
    *c = (bench_case){ .self = p,
                       .run = run_product,
                       .close = close_product,
                       .flops = 2.0 * (double)g->m * (double)g->n * (double)g->k,
                       .wrong = wrong,
                       .provider = gemm_plan_provider(p->plan),
                       .storage = dtype_name(o->type) };
    return true;
}
