/* test_sixteen.c -- every code of every 16-bit type loaded on the device as on the host; and values stored:
 * each number, the middle between it and the next, what is next to the middle, and the same negative, rounded
 * to nearest even and at random.  Bit for bit, but that one NaN is as good as another.  A simulator does a
 * part of them.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CODES = 65536, EACH = 8, VALUES = CODES * EACH, SPARE = 64, SIMULATED = 2048 };

typedef struct fixture {
    device *d;
    int codes_most, values_most; /* how many are tried */
    device_buffer *codes, *values, *random;
    float *value, *read;
    uint16_t *code;
    int32_t *bits;
} fixture;

static int setup(void **state)
{
    static fixture f;
    error err = { 0 };
    f.d = device_or_skip();
    bool simulated = strstr(device_get_info(f.d)->name, "Oclgrind") != NULL;
    f.codes_most = simulated ? SIMULATED : CODES;
    f.values_most = simulated ? SIMULATED : VALUES;
    f.codes = device_buffer_create(f.d, (VALUES + SPARE) * 2, &err);
    f.values = device_buffer_create(f.d, (VALUES + SPARE) * 4, &err);
    f.random = device_buffer_create(f.d, (VALUES + SPARE) * 4, &err);
    f.value = calloc(VALUES + SPARE, sizeof *f.value);
    f.read = calloc(VALUES + SPARE, sizeof *f.read);
    f.code = calloc(VALUES + SPARE, sizeof *f.code);
    f.bits = calloc(VALUES + SPARE, sizeof *f.bits);
    if (!f.codes || !f.values || !f.random) fail_msg("%s", err.message);
    assert_true(f.value && f.read && f.code && f.bits);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    device_buffer_destroy(f->codes);
    device_buffer_destroy(f->values);
    device_buffer_destroy(f->random);
    device_close(f->d);
    free(f->value);
    free(f->read);
    free(f->code);
    free(f->bits);
    return 0;
}

static void run(fixture *f, const char *kernel, dtype type, int count, int buffers, device_buffer *const *at)
{
    const device_info *info = device_get_info(f->d);
    char options[96];
    snprintf(options, sizeof options, "-DX_STORE=STORE_%s -DLANES=%d -DVEC=%d", dtype_name(type), info->lanes,
             info->vec);
    device_launch launch = { .file = "device/selftest",
                             .kernel = kernel,
                             .options = options,
                             .label = kernel,
                             .rank = 1,
                             .global = { (size_t)(64 * info->lanes) },
                             .local = { (size_t)info->lanes } };
    for (int i = 0; i < buffers; ++i)
        launch.args[i] = (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = at[i] };
    launch.args[buffers] = (device_arg){ .kind = DEVICE_ARG_INT, .integer = count };
    launch.arg_count = buffers + 1;
    error err = { 0 };
    device_launches *list = device_launches_create(f->d, &err);
    bool ok = list && device_launches_add(list, &launch, &err) && device_launches_run(list, 0, 1, &err) &&
              device_finish(f->d, &err);
    device_launches_destroy(list);
    if (!ok) fail_msg("%s", err.message);
}

static void put(fixture *f, device_buffer *to, const void *from, size_t bytes)
{
    error err = { 0 };
    if (!device_write(f->d, to, 0, from, (int64_t)bytes, &err)) fail_msg("%s", err.message);
}

static void get(fixture *f, const device_buffer *from, void *to, size_t bytes)
{
    error err = { 0 };
    if (!device_read(f->d, from, 0, to, (int64_t)bytes, &err)) fail_msg("%s", err.message);
}

static void check_loads(fixture *f, dtype type)
{
    for (int i = 0; i < CODES; ++i) f->code[i] = (uint16_t)i;
    put(f, f->codes, f->code, CODES * sizeof *f->code);
    run(f, "selftest_load", type, f->codes_most, 2, (device_buffer *[]){ f->values, f->codes });
    get(f, f->values, f->read, CODES * sizeof *f->read);
    for (int i = 0; i < f->codes_most; ++i) {
        float want = dtype_load(type, f->code, i);
        bool same = isnan(want) ? isnan(f->read[i]) : memcmp(&want, &f->read[i], sizeof want) == 0;
        /* a device may take a float's subnormals as zeros, which of these types bf16 alone has */
        same |= type == DTYPE_BF16 && fabsf(want) < 0x1p-126f && f->read[i] == 0.0f;
        if (!same)
            fail_msg("%s: code %04x loads as %.9g, not %.9g", dtype_name(type), (unsigned)i,
                     (double)f->read[i], (double)want);
    }
}

/* The numbers from each code on; where the next is none, its own again. */
static void make_values(fixture *f, dtype type)
{
    for (int i = 0; i < CODES; ++i) {
        uint16_t pair[2] = { (uint16_t)i, (uint16_t)(i + 1) };
        float low = dtype_load(type, pair, 0), high = dtype_load(type, pair, 1);
        float middle = isfinite(low) && isfinite(high) ? low + (high - low) * 0.5f : low;
        float *v = f->value + EACH * i;
        v[0] = low;
        v[1] = middle;
        v[2] = nextafterf(middle, 0);
        v[3] = nextafterf(middle, INFINITY);
        for (int j = 0; j < 4; ++j) v[4 + j] = -v[j] * (j == 3 ? 1.25f : 1.0f);
    }
    static const float special[] = { NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 3.4e38f, -3.4e38f, 1e-37f };
    memcpy(f->value, special, sizeof special);
    const philox p = { .seed = 7, .stream = 1 };
    for (int i = 0; i < VALUES; ++i) f->bits[i] = (int32_t)philox_bits(&p, (uint32_t)i);
}

static void check_codes(fixture *f, dtype type, bool random)
{
    get(f, f->codes, f->code, VALUES * sizeof *f->code);
    for (int i = 0; i < f->values_most; ++i) {
        uint16_t want;
        if (random)
            dtype_store_random(type, &want, 0, f->value[i], (uint32_t)f->bits[i]);
        else
            dtype_store(type, &want, 0, f->value[i]);
        bool same = want == f->code[i] || (isnan(f->value[i]) && isnan(dtype_load(type, f->code, i)));
        same |= type == DTYPE_BF16 && fabsf(f->value[i]) < 0x1p-126f; /* as above */
        if (!same)
            fail_msg("%s: %.9g is stored%s as %04x, not %04x", dtype_name(type), (double)f->value[i],
                     random ? " at random" : "", f->code[i], want);
    }
}

static void check_type(void **state, dtype type)
{
    fixture *f = *state;
    check_loads(f, type);
    make_values(f, type);
    put(f, f->values, f->value, VALUES * sizeof *f->value);
    put(f, f->random, f->bits, VALUES * sizeof *f->bits);
    run(f, "selftest_store", type, f->values_most, 2, (device_buffer *[]){ f->codes, f->values });
    check_codes(f, type, false);
    run(f, "selftest_store_random", type, f->values_most, 3,
        (device_buffer *[]){ f->codes, f->values, f->random });
    check_codes(f, type, true);
}

#define TYPE_TEST(name) \
    static void test_##name(void **state) \
    { \
        check_type(state, DTYPE_##name); \
    }
TYPE_TEST(F16)
TYPE_TEST(BF16)
TYPE_TEST(F169)
TYPE_TEST(UF610)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_F16),
        cmocka_unit_test(test_BF16),
        cmocka_unit_test(test_F169),
        cmocka_unit_test(test_UF610),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
