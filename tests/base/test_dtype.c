/* test_dtype.c -- every 16-bit value there and back, and rounding to nearest even.
 * SPDX-License-Identifier: MIT */
#include "host/base/dtype.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static double value_of(dtype type, uint32_t bits)
{
    int fraction_bits = type == DTYPE_F16 ? 10 : 7, bias = type == DTYPE_F16 ? 15 : 127;
    uint32_t fraction = bits & ((1u << fraction_bits) - 1), top = type == DTYPE_F16 ? 31 : 255;
    uint32_t exponent = (bits & 0x7fffu) >> fraction_bits;
    double sign = bits & 0x8000u ? -1 : 1;
    if (exponent == top) return fraction ? (double)NAN : sign * (double)INFINITY;
    double mantissa = (exponent ? 1 : 0) + fraction * pow(2, -fraction_bits);
    return sign * ldexp(mantissa, (exponent ? (int)exponent : 1) - bias);
}

static uint16_t stored(dtype type, float value)
{
    uint16_t bits = 0;
    dtype_store(type, &bits, 0, value);
    return bits;
}

static void every_value_round_trips(void **state)
{
    (void)state;
    static const dtype types[] = { DTYPE_F16, DTYPE_BF16 };
    for (int t = 0; t < 2; ++t)
        for (uint32_t bits = 0; bits < 65536; ++bits) {
            uint16_t half = (uint16_t)bits;
            double expected = value_of(types[t], bits);
            float loaded = dtype_load(types[t], &half, 0);
            if (isnan(expected)) {
                assert_true(isnan(loaded));
                assert_true(isnan(dtype_load(types[t], (uint16_t[]){ stored(types[t], loaded) }, 0)));
                continue;
            }
            assert_true((double)loaded == expected);
            assert_int_equal(stored(types[t], loaded), bits);
        }
}

/* Between each pair of neighbours: below the middle, the middle itself, above it. */
static void rounds_to_nearest_even(void **state)
{
    (void)state;
    static const dtype types[] = { DTYPE_F16, DTYPE_BF16 };
    for (int t = 0; t < 2; ++t) {
        uint32_t largest = types[t] == DTYPE_F16 ? 0x7bff : 0x7f7f;
        for (uint32_t bits = 0; bits < largest; ++bits) {
            double low = value_of(types[t], bits), high = value_of(types[t], bits + 1);
            float middle = (float)((low + high) / 2);
            uint32_t even = bits & 1 ? bits + 1 : bits;
            assert_int_equal(stored(types[t], middle), even);
            assert_int_equal(stored(types[t], -middle), even | 0x8000u);
            assert_int_equal(stored(types[t], nextafterf(middle, 0)), bits);
            assert_int_equal(stored(types[t], nextafterf(middle, INFINITY)), bits + 1);
        }
    }
    assert_int_equal(stored(DTYPE_F16, 65519.996f), 0x7bff);
    assert_int_equal(stored(DTYPE_F16, 65520.0f), 0x7c00);
    assert_int_equal(stored(DTYPE_F16, -1e30f), 0xfc00);
    assert_int_equal(stored(DTYPE_BF16, 3.4e38f), 0x7f80);
    assert_int_equal(stored(DTYPE_F16, 1e-30f), 0);
    assert_int_equal(stored(DTYPE_F16, -0.0f), 0x8000);
}

static void integers_saturate(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint8_t u8;
        int32_t i32;
    } cases[] = { { 0.5f, 0, 0 },           { 1.5f, 2, 2 },       { -3.0f, 0, -3 },
                  { 254.5f, 254, 254 },     { 255.4f, 255, 255 }, { 1e10f, 255, INT32_MAX },
                  { -1e10f, 0, INT32_MIN }, { NAN, 0, 0 },        { INFINITY, 255, INT32_MAX } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        uint8_t u8;
        int32_t i32;
        dtype_store(DTYPE_U8, &u8, 0, cases[i].value);
        dtype_store(DTYPE_I32, &i32, 0, cases[i].value);
        assert_int_equal(u8, cases[i].u8);
        assert_int_equal(i32, cases[i].i32);
    }
}

static void table_and_conversion(void **state)
{
    (void)state;
    dtype type;
    for (int i = 0; i < DTYPE_COUNT; ++i) {
        assert_true(dtype_from_name(dtype_name((dtype)i), &type));
        assert_int_equal(type, i);
    }
    assert_false(dtype_from_name("F8", &type));
    assert_int_equal(dtype_bytes(DTYPE_BF16), 2);
    assert_true(dtype_is_float(DTYPE_F16) && !dtype_is_float(DTYPE_U8));
    const float in[3] = { 1.0f, -2.5f, 0.333333f };
    uint16_t half[3];
    float back[3];
    dtype_convert(DTYPE_F16, half, DTYPE_F32, in, 3);
    dtype_convert(DTYPE_F32, back, DTYPE_F16, half, 3);
    assert_true(back[0] == 1.0f && back[1] == -2.5f && fabsf(back[2] - in[2]) < 1e-3f);
    const int32_t large[2] = { 16777217, INT32_MIN };
    int32_t same[2];
    dtype_convert(DTYPE_I32, same, DTYPE_I32, large, 2);
    assert_memory_equal(same, large, sizeof large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_round_trips),
        cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(integers_saturate),
        cmocka_unit_test(table_and_conversion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
