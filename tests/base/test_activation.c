/* test_activation.c -- names there and back, values known from elsewhere, derivatives beside differences.
 * SPDX-License-Identifier: MIT */
#include "host/base/activation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void every_name_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < ACTIVATION_COUNT; ++i) {
        activation f = ACTIVATION_COUNT;
        assert_true(activation_from_name(activation_name((activation)i), &f));
        assert_int_equal((int)f, i);
    }
    activation f = ACTIVATION_SILU;
    assert_false(activation_from_name("gelu_", &f));
    assert_false(activation_from_name("", &f));
    assert_int_equal((int)f, ACTIVATION_SILU);
    assert_string_equal(activation_name(ACTIVATION_QUICK_GELU), "quick_gelu");
}

/* At 1 and at -2, as Python's math module gives them. */
static void values_are_those_of_others(void **state)
{
    (void)state;
    static const double known[ACTIVATION_COUNT][2] = {
        { 1, -2 },
        { 1, 0 },
        { 0.8413447460685429, -0.04550026389635842 },
        { 0.8411919906082768, -0.04540230591222494 },
        { 0.8457957659328212, -0.06434137685579186 },
        { 0.7310585786300049, -0.2384058440442351 },
    };
    for (int i = 0; i < ACTIVATION_COUNT; ++i)
        for (int j = 0; j < 2; ++j)
            assert_true(fabs(activation_value((activation)i, j ? -2 : 1) - known[i][j]) < 1e-12);
}

static void slopes_are_those_of_the_values(void **state)
{
    (void)state;
    for (int i = 0; i < ACTIVATION_COUNT; ++i)
        for (double x = -6.05; x < 6; x += 0.1) {
            const activation f = (activation)i;
            double difference = (activation_value(f, x + 1e-5) - activation_value(f, x - 1e-5)) / 2e-5;
            assert_true(fabs(activation_slope(f, x) - difference) < 1e-8);
        }
}

static void slopes_from_results_are_those_from_arguments(void **state)
{
    (void)state;
    for (int i = 0; i < ACTIVATION_COUNT; ++i) {
        const activation f = (activation)i;
        bool same = true;
        for (double x = -6.05; x < 6; x += 0.1)
            same = same && activation_slope(f, activation_value(f, x)) == activation_slope(f, x);
        assert_int_equal(activation_from_result(f), same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found),
        cmocka_unit_test(values_are_those_of_others),
        cmocka_unit_test(slopes_are_those_of_the_values),
        cmocka_unit_test(slopes_from_results_are_those_from_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
