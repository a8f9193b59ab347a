/* test_dtype.c -- every 16-bit value there and back, and rounding to nearest even.
 * SPDX-License-Identifier: MIT */
#include "host/base/dtype.h"
#include "host/base/philox.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* A format of 16 bits, from its definition alone. */
typedef struct format {
    dtype type;
    int exponent_bits, fraction_bits, bias;
    bool sign, infinities;
} format;

static const format formats[] = {
    { DTYPE_F16, 5, 10, 15, true, true },
    { DTYPE_BF16, 8, 7, 127, true, true },
    { DTYPE_F169, 6, 9, 60, true, false },
    { DTYPE_UF610, 6, 10, 60, false, false },
};
enum { FORMATS = sizeof formats / sizeof *formats };

static double value_of(const format *f, uint32_t bits)
{
    uint32_t fraction = bits & ((1u << f->fraction_bits) - 1), top = (1u << f->exponent_bits) - 1;
    uint32_t exponent = bits >> f->fraction_bits & top;
    double sign = f->sign && bits & 0x8000u ? -1 : 1;
    if (exponent == top && f->infinities) return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == top && fraction == (1u << f->fraction_bits) - 1) return (double)NAN;
    double mantissa = (exponent ? 1 : 0) + fraction * pow(2, -f->fraction_bits);
    return sign * ldexp(mantissa, (exponent ? (int)exponent : 1) - f->bias);
}

/* The code of the largest finite number. */
static uint32_t largest_of(const format *f)
{
    uint32_t top = ((1u << f->exponent_bits) - 1) << f->fraction_bits;
    return f->infinities ? top - 1 : top + (1u << f->fraction_bits) - 2;
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
    for (const format *f = formats; f < formats + FORMATS; ++f)
        for (uint32_t bits = 0; bits < 65536; ++bits) {
            uint16_t half = (uint16_t)bits;
            double expected = value_of(f, bits);
            float loaded = dtype_load(f->type, &half, 0);
            if (isnan(expected)) {
                assert_true(isnan(loaded));
                assert_true(isnan(dtype_load(f->type, (uint16_t[]){ stored(f->type, loaded) }, 0)));
                continue;
            }
            assert_true((double)loaded == expected && !signbit(loaded) == !signbit(expected));
            assert_int_equal(stored(f->type, loaded), bits);
        }
}

/* Between each pair of neighbours: below the middle, the middle itself, above it. */
static void rounds_to_nearest_even(void **state)
{
    (void)state;
    for (const format *f = formats; f < formats + FORMATS; ++f) {
        for (uint32_t bits = 0; bits < largest_of(f); ++bits) {
            double low = value_of(f, bits), high = value_of(f, bits + 1);
            float middle = (float)((low + high) / 2);
            uint32_t even = bits & 1 ? bits + 1 : bits;
            assert_int_equal(stored(f->type, middle), even);
            assert_int_equal(stored(f->type, -middle), f->sign ? even | 0x8000u : 0);
            assert_int_equal(stored(f->type, nextafterf(middle, 0)), bits);
            assert_int_equal(stored(f->type, nextafterf(middle, INFINITY)), bits + 1);
        }
    }
    assert_int_equal(stored(DTYPE_F16, 65519.996f), 0x7bff);
    assert_int_equal(stored(DTYPE_F16, 65520.0f), 0x7c00);
    assert_int_equal(stored(DTYPE_F16, -1e30f), 0xfc00);
    assert_int_equal(stored(DTYPE_BF16, 3.4e38f), 0x7f80);
    assert_int_equal(stored(DTYPE_F16, 1e-30f), 0);
    assert_int_equal(stored(DTYPE_F16, -0.0f), 0x8000);
}

/* 1-6-9 and 0-6-10 have no infinities: the largest is just under 16, and is what too large becomes. */
static void too_large_becomes_largest(void **state)
{
    (void)state;
    static const float large[] = { 15.99f, 16.0f, 1e10f, 3.4e38f, INFINITY };
    assert_true(value_of(&formats[2], 0x7ffe) == 15.96875 && value_of(&formats[3], 0xfffe) == 15.984375);
    for (size_t i = 0; i < sizeof large / sizeof *large; ++i) {
        assert_int_equal(stored(DTYPE_F169, large[i]), 0x7ffe);
        assert_int_equal(stored(DTYPE_F169, -large[i]), 0xfffe);
        assert_int_equal(stored(DTYPE_UF610, large[i]), 0xfffe);
        assert_int_equal(stored(DTYPE_UF610, -large[i]), 0);
        uint16_t code;
        dtype_store_random(DTYPE_F169, &code, 0, -large[i], UINT32_MAX);
        assert_int_equal(code, 0xfffe);
        dtype_store_random(DTYPE_UF610, &code, 0, large[i], UINT32_MAX);
        assert_int_equal(code, 0xfffe);
        dtype_store_random(DTYPE_UF610, &code, 0, -large[i], UINT32_MAX);
        assert_int_equal(code, 0);
    }
    assert_int_equal(stored(DTYPE_UF610, -0.0f), 0);
    assert_int_equal(stored(DTYPE_F169, -0.0f), 0x8000);
    assert_int_equal(stored(DTYPE_F169, 0x1p-69f), 0);
    assert_int_equal(stored(DTYPE_F169, 0x1.8p-69f), 1);
    assert_int_equal(stored(DTYPE_UF610, 1e-40f), 0);
}

/* How many of 16 draws round up what lies between the code `low` and the next. */
static int rounded_up(const format *f, float value, uint32_t low)
{
    const philox p = { .seed = 5, .stream = (uint32_t)f->type };
    int up = 0;
    for (uint32_t i = 0; i < 16; ++i) {
        const uint32_t random = philox_bits(&p, 16 * low + i);
        uint16_t code[2];
        dtype_store_random(f->type, code, 0, value, random);
        dtype_store_random(f->type, code, 1, -value, random);
        assert_true(code[0] == low || code[0] == low + 1);
        assert_int_equal(code[1], f->sign ? code[0] | 0x8000u : 0);
        up += code[0] == low + 1;
    }
    return up;
}

static void rounds_at_random(void **state)
{
    (void)state;
    for (const format *f = formats; f < formats + FORMATS; ++f) {
        int64_t up = 0, tried = 0;
        for (uint32_t bits = f->type == DTYPE_BF16 ? 128 : 0; bits < largest_of(f); bits += 7) {
            uint16_t code;
            double low = value_of(f, bits), step = value_of(f, bits + 1) - low;
            dtype_store_random(f->type, &code, 0, (float)low, UINT32_MAX); /* exact: stays */
            assert_int_equal(code, bits);
            dtype_store_random(f->type, &code, 0, (float)(low + step / 4), 0);
            assert_int_equal(code, bits);
            dtype_store_random(f->type, &code, 0, (float)(low + step / 4), UINT32_MAX);
            assert_int_equal(code, bits + 1);
            up += rounded_up(f, (float)(low + step / 4), bits);
            tried += 16;
        }
        double share = (double)up / (double)tried;
        if (!(fabs(share - 0.25) < 0.01))
            fail_msg("%s: %g rounded up, not a quarter", dtype_name(f->type), share);
    }
    /* far below the smallest: by the high bits */
    uint16_t code;
    dtype_store_random(DTYPE_F169, &code, 0, 0x1p-78f, (1u << 22) - 1);
    assert_int_equal(code, 1);
    dtype_store_random(DTYPE_F169, &code, 0, 0x1p-78f, 1u << 22);
    assert_int_equal(code, 0);
    dtype_store_random(DTYPE_F16, &code, 0, NAN, 0);
    assert_int_equal(code & 0x7e00, 0x7e00);
    dtype_store_random(DTYPE_F16, &code, 0, -INFINITY, UINT32_MAX);
    assert_int_equal(code, 0xfc00);
    float whole;
    dtype_store_random(DTYPE_F32, &whole, 0, 0.1f, UINT32_MAX);
    assert_true(whole == 0.1f);
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
    assert_string_equal(dtype_stored_name(DTYPE_BF16), "BF16");
    assert_string_equal(dtype_stored_name(DTYPE_F169), "U16");
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
        cmocka_unit_test(every_value_round_trips),   cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(too_large_becomes_largest), cmocka_unit_test(rounds_at_random),
        cmocka_unit_test(integers_saturate),         cmocka_unit_test(table_and_conversion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
