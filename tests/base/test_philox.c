/* test_philox.c -- known answers of Philox4x32-10 (from the authors' Random123), and the draws made of it.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        uint32_t out[4];
        philox4x32_10(cases[i].counter, cases[i].key, out);
        assert_memory_equal(out, cases[i].out, sizeof out);
    }
}

static void layout_of_draws(void **state)
{
    (void)state;
    philox p = { 0x0123456789abcdefu, 7, philox_stream("prior.dropout") };
    uint32_t counter[4] = { 25, 7, p.stream, 0 }, key[2] = { 0x89abcdef, 0x01234567 }, out[4];
    philox4x32_10(counter, key, out);
    for (uint32_t i = 0; i < 4; ++i) assert_int_equal(philox_bits(&p, 100 + i), out[i]);
    assert_int_equal(philox_stream(""), 2166136261u);
    assert_int_equal(philox_stream("a"), 0xe40c292cu);
}

static void uniform_is_open_and_even(void **state)
{
    (void)state;
    philox p = { 1, 2, 3 };
    double sum = 0;
    for (uint32_t i = 0; i < 100000; ++i) {
        float u = philox_uniform(&p, i);
        assert_true(u > 0.0f && u < 1.0f);
        assert_true(u == (float)(philox_bits(&p, i) >> 9) * 0x1p-23f + 0x1p-24f);
        sum += (double)u;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    /* The ends of the formula, which draws rarely meet. */
    assert_true((float)(0xffffffffu >> 9) * 0x1p-23f + 0x1p-24f == 1.0f - 0x1p-24f);
    assert_true((float)(0u >> 9) * 0x1p-23f + 0x1p-24f > 0.0f);
}

static void normal_moments(void **state)
{
    (void)state;
    philox p = { 42, 0, 9 };
    double sum = 0, squares = 0, product = 0;
    const int n = 100000;
    for (int i = 0; i < n; i += 2) {
        double a = (double)philox_normal(&p, (uint32_t)i), b = (double)philox_normal(&p, (uint32_t)i + 1);
        sum += a + b;
        squares += a * a + b * b;
        product += a * b;
    }
    assert_true(fabs(sum / n) < 0.015);
    assert_true(fabs(squares / n - 1) < 0.02);
    assert_true(fabs(product / (n / 2)) < 0.02);
}

static void below_covers_its_range(void **state)
{
    (void)state;
    philox p = { 5, 0, 0 };
    int seen[7] = { 0 };
    for (uint32_t i = 0; i < 7000; ++i) {
        uint32_t x = philox_below(&p, i, 7);
        assert_true(x < 7);
        ++seen[x];
    }
    for (int i = 0; i < 7; ++i) assert_in_range(seen[i], 850, 1150);
    assert_int_equal(philox_below(&p, 3, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(layout_of_draws),
        cmocka_unit_test(uniform_is_open_and_even),
        cmocka_unit_test(normal_moments),
        cmocka_unit_test(below_covers_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
