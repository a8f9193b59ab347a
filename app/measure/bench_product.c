/* bench_product.c -- matrix products and convolutions as cases of `dalle-cl bench`, on GEMM plans.
 * A convolution's data gradient is the convolution of dy with the turned weight, which is made once a step
 * and not counted; its weight gradient is dy^T times the image's patches.  After the name, what ends the
 * elements of C: "+bias", "+relu" (or another of host/base/activation.h), "+residual", "+relu'" (times the
 * derivative).
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "host/base/philox.h"
#include "host/ops/cases/gemm_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct product {
    device *device;
    gemm_desc desc;
    gemm_buffers buffers;
    gemm_plan *plan;
    device_launches *launches;
    gemm_array arrays[GEMM_ARRAYS]; /* on the host; C is the result */
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
    for (int i = 0; i < GEMM_ARRAYS; ++i) free(p->arrays[i].bytes);
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
    p->arrays[GEMM_A].count = m * k;
    p->arrays[GEMM_B].count = n * k;
    p->arrays[GEMM_C].count = m * n;
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
        d.b = (gemm_operand){ .type = type, .image = gemm_image_same(kernel, height, width, in) };
        p->arrays[GEMM_A].count = pixels * out;
        p->arrays[GEMM_B].count = pixels * in;
    } else {
        bool data = strcmp(form, "data") == 0;
        if (!data && strcmp(form, "forward") != 0) return false;
        int from = data ? out : in;
        d.n = data ? in : out;
        d.k = taps * from;
        d.a = (gemm_operand){
            .type = type, .row = d.k, .column = 1, .image = gemm_image_same(kernel, height, width, from)
        };
        d.b = (gemm_operand){ .type = type, .row = 1, .column = d.k };
        p->arrays[GEMM_A].count = pixels * from;
        p->arrays[GEMM_B].count = d.n * d.k;
    }
    d.c = (gemm_operand){ .type = type, .row = d.n, .column = 1 };
    p->desc = d;
    p->arrays[GEMM_C].count = d.m * d.n;
    return true;
}

static bool parse_end(gemm_desc *d, const char *end)
{
    for (int length; *end; end += length) {
        char word[16];
        if (sscanf(end, "+%15[a-z_']%n", word, &length) != 1) return false;
        char *prime = strchr(word, '\'');
        if (prime && prime[1]) return false;
        if (prime) *prime = 0;
        if (strcmp(word, "bias") == 0 && !prime)
            d->bias = true;
        else if (strcmp(word, "residual") == 0 && !prime)
            d->residual = true;
        else if (!activation_from_name(word, prime ? &d->slope : &d->activation))
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
static bool random_values(gemm_array *a, uint32_t stream)
{
    const uint32_t key[2] = { 1, 0 };
    if (!(a->bytes = malloc((size_t)a->count * dtype_bytes(a->type)))) return false;
    for (int64_t i = 0; i < a->count; i += 4) {
        uint32_t counter[4] = { (uint32_t)(i / 4), 0, stream, 0 }, bits[4];
        philox4x32_10(counter, key, bits);
        for (int64_t j = i; j < a->count && j < i + 4; ++j)
            dtype_store(a->type, a->bytes, j, (float)(bits[j - i] >> 9) * 0x1p-22f + 0x1p-23f - 1.0f);
    }
    return true;
}

/* Storage is padded as tensors are. */
static bool prepare_array(product *p, int which, error *err)
{
    const gemm_desc *g = &p->desc;
    gemm_array *a = &p->arrays[which];
    gemm_buffers *m = &p->buffers;
    device_buffer **to[GEMM_ARRAYS] = { &m->a, &m->b, &m->c, &m->bias, &m->point, &m->residual };
    const bool read[GEMM_ARRAYS] = {
        true, true, true, g->bias, g->slope != ACTIVATION_IDENTITY, g->residual
    };
    const int64_t width = (int64_t)dtype_bytes(g->c.type);
    if (!read[which]) return true;
    a->type = g->c.type;
    if (which > GEMM_C) a->count = which == GEMM_BIAS ? g->n : p->arrays[GEMM_C].count;
    if (!random_values(a, (uint32_t)which + 1))
        return error_set(err, ERROR_MEMORY, "out of memory for a product of this shape");
    return (*to[which] = device_buffer_create(p->device, (a->count + 16) * width, err)) &&
           device_write(p->device, *to[which], 0, a->bytes, a->count * width, err);
}

static bool prepare(product *p, const char *provider, error *err)
{
    device *d = p->device;
    p->plan =
        provider ? gemm_plan_create_with(d, provider, &p->desc, err) : gemm_plan_create(d, &p->desc, err);
    if (!p->plan) return false;
    for (int i = 0; i < GEMM_ARRAYS; ++i)
        if (!prepare_array(p, i, err)) return false;
    int64_t work = gemm_plan_workspace_bytes(p->plan);
    if (work > 0 && !(p->buffers.workspace = device_buffer_create(d, work, err))) return false;
    p->launches = device_launches_create(d, err);
    return p->launches && gemm_plan_record(p->plan, p->launches, "bench", &p->buffers, err);
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
        const gemm_element want = gemm_reference_element(g, p->arrays, 0, m, n);
        const double got = gemm_reference_place(&p->arrays[GEMM_C], want.at);
        if (!isfinite(got)) return INFINITY;
        largest = fmax(largest, fabs(want.value));
        difference = fmax(difference, fabs(got - want.value));
    }
    return largest > 0 ? difference / largest : difference;
}

static bool read_result(product *p, error *err)
{
    const gemm_array *c = &p->arrays[GEMM_C];
    return device_read(p->device, p->buffers.c, 0, c->bytes, c->count * (int64_t)dtype_bytes(c->type), err);
}

bool bench_open_product(bench_case *c, const char *name, const bench_options *o, error *err)
{
    product *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    p->device = o->device;
    if (!parse(p, name, o->type)) {
        free(p);
        return error_set(err, ERROR_USAGE,
                         "bench: '%s' is neither gemm:nn|nt|tn:MxNxK nor "
                         "conv:forward|data|weights:BxHxWxC->N,kK, with +bias, +residual, an activation "
                         "(+gelu) and a derivative (+gelu') after it",
                         name);
    }
    double limit = o->type == DTYPE_F32 ? 1e-4 : o->type == DTYPE_F16 ? 2e-3 : 1.6e-2, wrong = 0;
    bool ok = prepare(p, o->provider, err) && run_product(p, err) && read_result(p, err);
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
