/* test_diffusion.c -- schedules, respacing and the coefficients of steps against golden values; what is
 * refused; times that training draws.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/diffusion_step.h"

#include "host/base/json_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static error err;
#define OK(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

/* ---- Golden values ---- */

static json_t *golden(void)
{
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/golden/diffusion.json", folder ? folder : "tests");
    json_t *all = json_tree_open(path, &err);
    OK(all);
    return all;
}

static double number(const json_t *c, const char *key, size_t i)
{
    return json_number_value(json_array_get(json_object_get(c, key), i));
}

/* The variance of the first step is exactly 0; others are compared by their own size. */
static void compare(const json_t *c, const char *key, size_t i, double is)
{
    double expected = number(c, key, i);
    if (!(fabs(is - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%s of %s at %zu is %.17g, not %.17g", key,
                 json_string_value(json_object_get(c, "schedule")), i, is, expected);
}

static void make(const json_t *c, diffusion *d)
{
    const char *schedule = json_string_value(json_object_get(c, "schedule")),
               *spacing = json_string_value(json_object_get(c, "spacing"));
    diffusion whole;
    OK(diffusion_make(&whole, strcmp(schedule, "cosine") == 0 ? DIFFUSION_COSINE : DIFFUSION_LINEAR,
                      json_integer_value(json_object_get(c, "steps")), DIFFUSION_NOISE, DIFFUSION_POSTERIOR,
                      &err));
    *d = whole;
    if (!spacing) return;
    OK(diffusion_respace(&whole, spacing, d, &err));
    diffusion_free(&whole);
}

static void check_process(const json_t *c)
{
    diffusion d;
    make(c, &d);
    const json_t *at = json_object_get(c, "at"), *times = json_object_get(c, "times");
    assert_int_equal(d.steps, json_integer_value(json_object_get(c, "count")));
    for (size_t i = 0; i < json_array_size(times); ++i)
        assert_int_equal(d.time[i], json_integer_value(json_array_get(times, i)));
    for (size_t i = 0; i < json_array_size(at); ++i) {
        int64_t step = json_integer_value(json_array_get(at, i));
        const diffusion_posterior p = diffusion_posterior_at(&d, step);
        compare(c, "beta", i, d.beta[step]);
        compare(c, "alpha_bar", i, d.alpha_bar[step]);
        compare(c, "start", i, p.start);
        compare(c, "noised", i, p.noised);
        compare(c, "variance", i, p.variance);
        compare(c, "log_variance", i, p.log_variance);
        compare(c, "log_beta", i, p.log_beta);
    }
    diffusion_free(&d);
}

static void test_processes(void **state)
{
    (void)state;
    json_t *all = golden();
    const json_t *cases = json_object_get(all, "process");
    assert_true(json_array_size(cases) > 10);
    for (size_t i = 0; i < json_array_size(cases); ++i) check_process(json_array_get(cases, i));
    json_decref(all);
}

/* ---- Moves ---- */

/* DDIM with eta 1 has the deviation of the posterior, and moves as DDPM does (arXiv 2010.02502, 4.1). */
static void test_ddim_with_eta_1_is_ddpm(void **state)
{
    (void)state;
    diffusion whole, d;
    OK(diffusion_make(&whole, DIFFUSION_COSINE, 1000, DIFFUSION_NOISE, DIFFUSION_POSTERIOR, &err));
    OK(diffusion_respace(&whole, "40,10", &d, &err));
    for (int64_t i = 0; i < d.steps; ++i) {
        const diffusion_move m = diffusion_ddim(&d, i, 1);
        const diffusion_posterior p = diffusion_posterior_at(&d, i);
        assert_true(fabs(m.start - p.start) < 1e-9 && fabs(m.noised - p.noised) < 1e-9);
        assert_true(fabs(m.deviation - sqrt(p.variance)) < 1e-9);
    }
    diffusion_free(&d);
    diffusion_free(&whole);
}

/* The step back undoes the step, whatever the network says, if it says the same. */
static void test_the_way_back_undoes_a_step(void **state)
{
    (void)state;
    diffusion d;
    OK(diffusion_make(&d, DIFFUSION_COSINE, 30, DIFFUSION_NOISE, DIFFUSION_POSTERIOR, &err));
    for (int64_t i = 0; i < d.steps; ++i) {
        const diffusion_move down = diffusion_ddim(&d, i, 0), up = diffusion_ddim_back(&d, i);
        const diffusion_reading r = diffusion_read_start(&d, i);
        double x = 0.7, noise = -0.4,
               lower = down.start * (r.noised * x + r.output * noise) + down.noised * x;
        double again = up.start * (r.noised * lower + r.output * noise) + up.noised * lower;
        if (!(fabs(again - x) < 1e-7)) fail_msg("step %d: %.12g, not %.12g", (int)i, again, x);
    }
    diffusion_free(&d);
}

/* Whatever is predicted, a perfect prediction gives x_0. */
static void test_readings(void **state)
{
    (void)state;
    for (int predicts = DIFFUSION_NOISE; predicts <= DIFFUSION_VELOCITY; ++predicts) {
        diffusion d;
        OK(diffusion_make(&d, DIFFUSION_LINEAR, 60, (diffusion_predicts)predicts, DIFFUSION_BETA, &err));
        for (int64_t i = 0; i < d.steps; ++i) {
            double a = d.alpha_bar[i], x0 = 0.3, e = -1.2, x = sqrt(a) * x0 + sqrt(1 - a) * e;
            double said[] = { e, x0, sqrt(a) * e - sqrt(1 - a) * x0 };
            const diffusion_reading r = diffusion_read_start(&d, i);
            assert_true(fabs(r.noised * x + r.output * said[predicts] - x0) < 1e-9);
        }
        diffusion_free(&d);
    }
}

/* ---- What is refused ---- */

static void refuse(const diffusion *whole, const char *spacing, const char *because)
{
    diffusion d;
    if (diffusion_respace(whole, spacing, &d, &err)) fail_msg("'%s' was taken", spacing);
    assert_int_equal(err.code, ERROR_USAGE);
    if (!strstr(err.message, because)) fail_msg("'%s': %s", spacing, err.message);
    assert_null(d.time);
}

static void test_refused_spacings(void **state)
{
    (void)state;
    static const char *const none[] = { "",    " ",   "a",    "10,", ",10", "10,,3", "-1",
                                        "1.5", "50 ", "0x10", "1e3", "0",   "0,0",   "ddim50" };
    diffusion whole, d;
    OK(diffusion_make(&whole, DIFFUSION_COSINE, 100, DIFFUSION_NOISE, DIFFUSION_POSTERIOR, &err));
    for (size_t i = 0; i < sizeof none / sizeof *none; ++i) refuse(&whole, none[i], "is no number of steps");
    refuse(&whole, "101", "more steps than the process has, 100");
    refuse(&whole, "99999999999999999999", "more steps than the process has, 100");
    refuse(&whole, "60,40", "takes 60 steps of a part of 50");
    OK(diffusion_respace(&whole, "100", &d, &err));
    for (int64_t i = 0; i < 100; ++i) {
        assert_int_equal(d.time[i], i);
        assert_true(fabs(d.beta[i] - whole.beta[i]) < 1e-9);
    }
    diffusion_free(&d);
    OK(diffusion_respace(&whole, "0,3", &d, &err));
    assert_int_equal(d.time[0], 50);
    assert_int_equal(d.time[2], 99);
    diffusion_free(&d);
    diffusion_free(&whole);
    assert_false(diffusion_make(&whole, DIFFUSION_COSINE, 0, DIFFUSION_NOISE, DIFFUSION_POSTERIOR, &err));
    assert_non_null(strstr(err.message, "0 steps"));
}

/* ---- Times ---- */

/* A sample's depend on seed, step and sample alone; all come. */
static void test_times(void **state)
{
    (void)state;
    enum { MANY = 400 };
    float time[MANY], again[MANY], c[MANY * DIFFUSION_COEFFICIENTS], some[MANY * DIFFUSION_COEFFICIENTS];
    int seen[10] = { 0 };
    diffusion d;
    OK(diffusion_make(&d, DIFFUSION_COSINE, 10, DIFFUSION_NOISE, DIFFUSION_LEARNED, &err));
    diffusion_draw_times(&d, 7, 3, 0, MANY, time, c);
    diffusion_draw_times(&d, 7, 3, 100, 50, again, some);
    assert_memory_equal(again, time + 100, 50 * sizeof *again);
    assert_memory_equal(some, c + 100 * DIFFUSION_COEFFICIENTS, 50 * DIFFUSION_COEFFICIENTS * sizeof *some);
    diffusion_draw_times(&d, 7, 4, 0, MANY, again, some);
    assert_memory_not_equal(again, time, sizeof time);
    diffusion_draw_times(&d, 8, 3, 0, MANY, again, some);
    assert_memory_not_equal(again, time, sizeof time);
    for (int i = 0; i < MANY; ++i) {
        const float *at = c + i * DIFFUSION_COEFFICIENTS;
        int t = (int)time[i];
        double a = d.alpha_bar[t];
        ++seen[t];
        assert_true(fabs((double)at[5] - sqrt(a)) < 1e-6 && fabs((double)at[6] - sqrt(1 - a)) < 1e-6);
        assert_true(at[4] == (t == 0 ? 1.0f : 0.0f));
    }
    for (int t = 0; t < 10; ++t) assert_in_range(seen[t], 20, 60);
    diffusion_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_ddim_with_eta_1_is_ddpm),
        cmocka_unit_test(test_the_way_back_undoes_a_step),
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_refused_spacings),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests_name("models_diffusion", tests, NULL, NULL);
}
