/* gemm_check.h -- a product by every provider beside the double-precision reference, and twice for equal
 * bits. Include after <cmocka.h>, once in a program, whose tests' group sets open_device. DALLE_CL_TINY=1:
 * only tiny shapes, for slow checkers of memory.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_GEMM_CHECK_H
#define DALLE_CL_TESTS_GEMM_CHECK_H

#include "host/device/device.h"
#include "tests/support/gemm_descs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static device *open_device; /* set by the group's setup */
static const dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };

static bool tiny(void)
{
    const char *text = getenv("DALLE_CL_TINY");
    return text && *text && strcmp(text, "0") != 0;
}

static int64_t first_element = 5; /* of every operand in its buffer: no vector is aligned there */

typedef struct run_result {
    unsigned char *c, *pre;
    size_t bytes;
} run_result;

static device_buffer *upload(const gemm_array *h)
{
    error err = { 0 };
    const int64_t size = (int64_t)dtype_bytes(h->type);
    device_buffer *b = device_buffer_create(open_device, (h->count + 16 + first_element) * size, &err);
    if (!b || !device_write(open_device, b, first_element * size, h->bytes, (h->count + 16) * size, &err))
        fail_msg("%s", err.message);
    return b;
}

/* False if the provider cannot do the shape. */
static bool run(const char *provider, const gemm_desc *s, const gemm_array arrays[GEMM_ARRAYS],
                run_result *out)
{
    error err = { 0 };
    gemm_plan *plan = provider ? gemm_plan_create_with(open_device, provider, s, &err)
                               : gemm_plan_create(open_device, s, &err);
    if (!plan) {
        assert_int_equal(err.code, ERROR_USAGE);
        return false;
    }
    device_buffer *buffers[GEMM_ARRAYS], *pre = upload(&arrays[GEMM_C]);
    for (int i = 0; i < GEMM_ARRAYS; ++i) buffers[i] = upload(&arrays[i]);
    const int64_t workspace = gemm_plan_workspace_bytes(plan);
    device_buffer *scratch = device_buffer_create(open_device, workspace + 256, &err);
    /* NaN in the workspace shows any read of what was not written. */
    if (!scratch || !device_fill(open_device, scratch, 0, workspace / 4 * 4 + 256, 0x7fc00000u, &err))
        fail_msg("%s", err.message);
    const gemm_buffers g = { buffers[GEMM_A],
                             buffers[GEMM_B],
                             buffers[GEMM_C],
                             buffers[GEMM_BIAS],
                             pre,
                             buffers[GEMM_POINT],
                             buffers[GEMM_RESIDUAL],
                             scratch,
                             first_element,
                             first_element,
                             first_element,
                             first_element,
                             first_element,
                             first_element,
                             first_element,
                             256 };
    device_launches *list = device_launches_create(open_device, &err);
    if (!list || !gemm_plan_record(plan, list, "test", &g, &err) ||
        !device_launches_run(list, 0, device_launches_count(list), &err))
        fail_msg("%s", err.message);
    const int64_t size = (int64_t)dtype_bytes(s->c.type);
    out->bytes = (size_t)(arrays[GEMM_C].count * size);
    out->c = malloc(out->bytes);
    out->pre = malloc(out->bytes);
    assert_true(out->c && out->pre);
    if (!device_read(open_device, buffers[GEMM_C], first_element * size, out->c, (int64_t)out->bytes, &err) ||
        !device_read(open_device, pre, first_element * size, out->pre, (int64_t)out->bytes, &err))
        fail_msg("%s", err.message);
    device_launches_destroy(list);
    device_buffer_destroy(scratch);
    for (int i = 0; i < GEMM_ARRAYS; ++i) device_buffer_destroy(buffers[i]);
    device_buffer_destroy(pre);
    gemm_plan_destroy(plan);
    return true;
}

static double tolerance(dtype type)
{
    return type == DTYPE_F32 ? 1e-5 : type == DTYPE_F16 ? 1e-3 : 8e-3;
}

/* Compares places inside C by max|a-b| / max|b|, and bytes outside it exactly. */
static void compare(const char *what, const char *provider, const gemm_desc *s, const unsigned char *got,
                    const gemm_array *before, const double *want)
{
    double worst = 0.0, largest = 1e-30;
    for (int64_t i = 0; i < before->count; ++i) {
        const double value = (double)dtype_load(s->c.type, got, i);
        if (isnan(want[i])) {
            assert_true(value == (double)dtype_load(s->c.type, before->bytes, i));
            continue;
        }
        if (isnan(value)) fail_msg("%s by %s: NaN at %lld", what, provider, (long long)i);
        worst = fmax(worst, fabs(value - want[i]));
        largest = fmax(largest, fabs(want[i]));
    }
    if (!(worst <= tolerance(s->c.type) * largest))
        fail_msg("%s by %s: m %lld n %lld k %lld: error %g of %g", what, provider, (long long)s->m,
                 (long long)s->n, (long long)s->k, worst, largest);
}

static int check_with(const char *provider, const char *name, const gemm_desc *s,
                      const gemm_array arrays[GEMM_ARRAYS], const double *c, const double *pre)
{
    run_result first = { 0 }, second = { 0 };
    if (!run(provider, s, arrays, &first)) return 0;
    compare(name, provider, s, first.c, &arrays[GEMM_C], c);
    if (s->preactivation) compare(name, provider, s, first.pre, &arrays[GEMM_C], pre);
    assert_true(run(provider, s, arrays, &second));
    if (memcmp(first.c, second.c, first.bytes) != 0) fail_msg("%s by %s: two runs differ", name, provider);
    free(first.c);
    free(first.pre);
    free(second.c);
    free(second.pre);
    return 1;
}

static void arrays_make(const gemm_desc *s, gemm_array arrays[GEMM_ARRAYS])
{
    const int64_t c = gemm_reference_extent(&s->c, s->m, s->n, s->batch);
    const int64_t counts[GEMM_ARRAYS] = { gemm_reference_extent(&s->a, s->m, s->k, s->batch),
                                          gemm_reference_extent(&s->b, s->k, s->n, s->batch),
                                          c,
                                          s->n,
                                          c,
                                          c };
    const dtype stored[GEMM_ARRAYS] = { s->a.type, s->b.type, s->c.type, s->bias_type, s->c.type, s->c.type };
    for (int i = 0; i < GEMM_ARRAYS; ++i) arrays[i] = array_make(stored[i], counts[i], (uint32_t)i + 1);
}

static void arrays_free(gemm_array arrays[GEMM_ARRAYS])
{
    for (int i = 0; i < GEMM_ARRAYS; ++i) free(arrays[i].bytes);
}

/* Oclgrind corrupts its own heap over some of CLBlast's kernels, which are not ours to check. */
static bool left_out(const char *provider, const gemm_desc *s)
{
    if (!tiny()) return false;
    if (provider) return strcmp(provider, "clblast") == 0;
    error err = { 0 };
    gemm_plan *plan = gemm_plan_create(open_device, s, &err);
    if (!plan) fail_msg("%s", err.message);
    bool out = strcmp(gemm_plan_provider(plan), "clblast") == 0;
    gemm_plan_destroy(plan);
    return out;
}

/* Of so many ways, NULL being the chosen one, how many could do it; the first must. */
static int check_ways(const char *const *ways, int count, const char *name, const gemm_desc *s)
{
    gemm_array arrays[GEMM_ARRAYS];
    arrays_make(s, arrays);
    double *c = malloc((size_t)arrays[GEMM_C].count * sizeof *c),
           *pre = malloc((size_t)arrays[GEMM_C].count * sizeof *pre);
    assert_true(c && pre);
    for (int64_t i = 0; i < arrays[GEMM_C].count; ++i) c[i] = pre[i] = (double)NAN;
    reference(s, arrays, c, pre);
    int able = 0;
    for (int i = 0; i < count; ++i) {
        if (left_out(ways[i], s)) continue;
        const int ran = check_with(ways[i], name, s, arrays, c, pre);
        if (!ways[i] || i == 0) assert_int_equal(ran, 1);
        able += ran;
    }
    free(c);
    free(pre);
    arrays_free(arrays);
    return able;
}

/* Ways from a list that ends with NULL, which counts. */
static inline int check_by(const char *const *names, const char *name, const gemm_desc *s)
{
    int count = 1;
    while (names[count - 1]) ++count;
    return check_ways(names, count, name, s);
}

/* Whether the windows leave some of the picture out, which tiles do not read. */
static inline bool is_cut(const gemm_operand *o)
{
    const window *w = &o->image.window;
    return gemm_is_image(o) && (w->before[0] < 0 || w->before[1] < 0 || w->after[0] < 0 || w->after[1] < 0);
}

/* All providers; "plain" and the chosen one must be able, and on CPUs tiles, if they can read it. */
static inline void check(const char *name, const gemm_desc *s)
{
    static const char *const names[] = { "plain", "thin", "tile", "winograd", "clblast", NULL };
    const int able = check_by(names, name, s);
    const bool by_tiles = !(gemm_is_image(&s->a) && gemm_is_image(&s->b)) && !is_cut(&s->a) && !is_cut(&s->b);
    if (device_get_info(open_device)->kind == DEVICE_CPU && by_tiles) assert_true(able >= 3);
}

#endif
