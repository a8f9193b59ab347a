/* test_fft.c -- Fourier transforms of the device against the definition in double precision: by matrix
 * products at every size, by the device's library where it takes the size and passes its test.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_fixture.h"
#include "tests/support/dft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const fft_desc cases[] = {
    { 1, 1, 1 },   { 3, 1, 6 },   { 2, 5, 1 },   { 2, 2, 2 },   { 5, 31, 31 }, { 4, 32, 32 },
    { 3, 48, 48 }, { 2, 64, 64 }, { 2, 65, 65 }, { 3, 13, 22 }, { 2, 17, 40 }, { 70, 8, 8 },
};
/* A library makes kernels for each size, which takes seconds where they are compiled for a CPU. */
static const fft_desc library_cases[] = { { 5, 32, 32 }, { 3, 48, 48 }, { 2, 65, 65 }, { 2, 17, 40 } };

static float value(int64_t i)
{
    return (float)((i * 2654435761u) % 1000) / 500.0f - 1.0f + (i % 7 == 0 ? 0.5f : 0.0f);
}

static void fill(float *to, int64_t count)
{
    for (int64_t i = 0; i < count; ++i) to[i] = value(i);
}

/* Through device buffers and a list, twice, so that a plan is one for many runs. */
static void run(fft_plan *p, const fft_desc *f, float *out)
{
    error err = { 0 };
    const int64_t in_bytes = fft_in_bytes(f), out_bytes = fft_out_bytes(f);
    float *in = malloc((size_t)in_bytes);
    fill(in, in_bytes / 4);
    device_buffer *from = device_buffer_create(d, in_bytes, &err),
                  *to = device_buffer_create(d, out_bytes, &err);
    device_launches *list = device_launches_create(d, &err);
    bool ok = in && from && to && list && fft_plan_record(p, list, "fft", from, to, &err);
    for (int again = 0; ok && again < 2; ++again)
        ok = device_write(d, from, 0, in, in_bytes, &err) &&
             device_fill(d, to, 0, out_bytes, 0x7fffffff, &err) &&
             device_launches_run(list, 0, device_launches_count(list), &err) &&
             device_read(d, to, 0, out, out_bytes, &err);
    if (!ok) fail_msg("%s", err.message);
    device_launches_destroy(list);
    device_buffer_destroy(from);
    device_buffer_destroy(to);
    free(in);
}

/* The largest error over the root of the mean square of what is wanted. */
static double off_by(const fft_desc *f, const float *got)
{
    const int64_t pixels = f->height * f->width, values = f->height * fft_columns(f) * 2;
    double worst = 0, power = 0;
    double *in = malloc((size_t)pixels * sizeof *in), *want = malloc((size_t)values * sizeof *want);
    for (int64_t n = 0; n < f->count; ++n) {
        for (int64_t i = 0; i < pixels; ++i) in[i] = (double)value(n * pixels + i);
        dft_2d(in, f->height, f->width, fft_columns(f), want);
        for (int64_t i = 0; i < values; ++i) {
            const double off = fabs((double)got[n * values + i] - want[i]);
            power += want[i] * want[i];
            if (!(off <= worst)) worst = off;
        }
    }
    free(in);
    free(want);
    return worst / sqrt(power / (double)(f->count * values) + 1e-30);
}

static void check_case(const fft_desc *f, const char *provider, const char *expected)
{
    error err = { 0 };
    float *out = malloc((size_t)fft_out_bytes(f));
    fft_plan *p = fft_plan_create_with(d, provider, f, &err);
    if (!p) fail_msg("%s", err.message);
    if (expected) assert_string_equal(fft_plan_provider(p), expected);
    run(p, f, out);
    const double off = off_by(f, out);
    if (!(off < 1e-5))
        fail_msg("%s: %d of %d x %d: off by %g", fft_plan_provider(p), (int)f->count, (int)f->height,
                 (int)f->width, off);
    if (!provider)
        printf("%2d of %2d x %2d by %s, off by %.1e%s%s\n", (int)f->count, (int)f->height, (int)f->width,
               fft_plan_provider(p), off, *fft_plan_note(p) ? ": " : "", fft_plan_note(p));
    fft_plan_destroy(p);
    free(out);
}

static void products_agree_with_the_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) check_case(&cases[i], "products", "products");
}

/* Whoever is chosen is right, and a library that was not taken is said to be wrong or unfit. */
static void what_is_chosen_agrees_with_the_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof library_cases / sizeof *library_cases; ++i)
        check_case(&library_cases[i], NULL, NULL);
}

/* 31 is a prime that no fast transform has a step for: products, with the reason where there is a library. */
static void sizes_that_a_library_lacks_are_done_by_products(void **state)
{
    (void)state;
    error err = { 0 };
    const fft_desc odd = { 1, 31, 31 }, even = { 1, 32, 32 };
    fft_plan *p = fft_plan_create(d, &odd, &err), *q = fft_plan_create(d, &even, &err);
    assert_true(p && q);
    assert_string_equal(fft_plan_provider(p), "products");
    if (strcmp(fft_plan_provider(q), "products") != 0) {
        assert_string_equal(fft_plan_note(q), "");
        assert_non_null(strstr(fft_plan_note(p), "does not take 31 x 31"));
        assert_null(fft_plan_create_with(d, fft_plan_provider(q), &odd, &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
    fft_plan_destroy(p);
    fft_plan_destroy(q);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    error err = { 0 };
    const fft_desc good = { 1, 4, 4 }, bad[] = { { 0, 4, 4 },
                                                 { 1, 0, 4 },
                                                 { 1, 4, -1 },
                                                 { 1, 2 << 20, 1 },
                                                 { 1, 1, 2 << 20 },
                                                 { INT32_MAX, 1 << 20, 4 },
                                                 { INT64_MAX / 2, 1 << 20, 4 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        assert_null(fft_plan_create(d, &bad[i], &err));
        assert_int_equal(err.code, ERROR_MODEL);
        assert_non_null(strstr(err.message, "sizes must be from 1 to"));
    }
    assert_null(fft_plan_create_with(d, "magic", &good, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_non_null(strstr(err.message, "no fft provider 'magic'; there are "));
    assert_non_null(strstr(err.message, "products"));
    fft_plan_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_the_definition),
        cmocka_unit_test(what_is_chosen_agrees_with_the_definition),
        cmocka_unit_test(sizes_that_a_library_lacks_are_done_by_products),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
