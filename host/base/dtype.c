/* dtype.c -- sizes, names and conversions of the storage types.
 * Halves are converted by integer arithmetic, so no compiler or processor support is needed.
 * SPDX-License-Identifier: MIT */
#include "host/base/dtype.h"

#include "host/base/error.h"

#include <math.h>
#include <string.h>

typedef struct dtype_row {
    const char *name, *stored;
    size_t bytes;
    bool floating;
} dtype_row;

static const dtype_row rows[] = {
#define DTYPE_ROW(name, bytes, floating, stored) { #name, stored, bytes, floating },
    DTYPES(DTYPE_ROW)
#undef DTYPE_ROW
};

static const dtype_row *row_of(dtype type)
{
    CHECK((unsigned)type < DTYPE_COUNT, "dtype %d", (int)type);
    return &rows[type];
}

size_t dtype_bytes(dtype type)
{
    return row_of(type)->bytes;
}

bool dtype_is_float(dtype type)
{
    return row_of(type)->floating;
}

const char *dtype_name(dtype type)
{
    return row_of(type)->name;
}

const char *dtype_stored_name(dtype type)
{
    return row_of(type)->stored;
}

bool dtype_from_name(const char *name, dtype *type)
{
    for (int i = 0; i < DTYPE_COUNT; ++i) {
        if (strcmp(rows[i].name, name) != 0) continue;
        *type = (dtype)i;
        return true;
    }
    return false;
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float half_load(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 1023u;
    if (exponent == 31) return bits_float(sign | 0x7f800000u | fraction << 13);
    if (exponent) return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
    float small = (float)fraction * 0x1p-24f; /* zero or subnormal: exact */
    return sign ? -small : small;
}

static uint16_t half_store(float value)
{
    uint32_t bits = float_bits(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
    if (magnitude < 0x38800000u) {                                   /* below 2^-14: a multiple of 2^-24 */
        float scaled = bits_float(magnitude) * 0x1p24f;
        return (uint16_t)(sign | (uint32_t)lrintf(scaled));
    }
    uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | ((rounded >> 13) - (112u << 10)));
}

static uint16_t bf16_store(float value)
{
    uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* ---- Six exponent bits ---- */

enum { SIX_BIAS = 60, SIX_LEAST = 127 - SIX_BIAS + 1 }; /* the smallest normal number's exponent in a float */

static uint32_t six_nan(int fraction)
{
    return (64u << fraction) - 1;
}

/* Of a code without its sign. */
static float six_load(uint32_t code, int fraction)
{
    if (code == six_nan(fraction)) return bits_float(0x7fc00000u);
    if (code >> fraction) return bits_float((code << (23 - fraction)) + ((SIX_LEAST - 1u) << 23));
    return (float)code * bits_float((uint32_t)(SIX_LEAST - fraction) << 23);
}

static uint32_t six_clamp(uint32_t code, int fraction)
{
    return code < six_nan(fraction) ? code : six_nan(fraction) - 1;
}

/* Of a float's bits without its sign. */
static uint32_t six_store(uint32_t magnitude, int fraction)
{
    if (magnitude > 0x7f800000u) return six_nan(fraction);
    if (magnitude < (uint32_t)SIX_LEAST << 23)
        return (uint32_t)lrintf(bits_float(magnitude) *
                                bits_float((uint32_t)(254 - SIX_LEAST + fraction) << 23));
    int drop = 23 - fraction;
    uint32_t rounded = magnitude + (1u << (drop - 1)) - 1 + (magnitude >> drop & 1u);
    return six_clamp((rounded >> drop) - ((SIX_LEAST - 1u) << fraction), fraction);
}

static uint16_t f169_store(float value)
{
    uint32_t bits = float_bits(value);
    return (uint16_t)((bits >> 16 & 0x8000u) | six_store(bits & 0x7fffffffu, 9));
}

static uint16_t uf610_store(float value)
{
    uint32_t bits = float_bits(value);
    return bits > 0x80000000u && bits <= 0xff800000u ? 0 : (uint16_t)six_store(bits & 0x7fffffffu, 10);
}

static uint8_t u8_store(float value)
{
    if (!(value > 0.0f)) return 0; /* also NaN */
    return value >= 255.0f ? 255 : (uint8_t)lrintf(value);
}

static int32_t i32_store(float value)
{
    if (isnan(value)) return 0;
    if (value >= 0x1p31f) return INT32_MAX;
    return value <= -0x1p31f ? INT32_MIN : (int32_t)lrintf(value);
}

float dtype_load(dtype type, const void *array, int64_t index)
{
    switch (type) {
    case DTYPE_F32:
        return ((const float *)array)[index];
    case DTYPE_F16:
        return half_load(((const uint16_t *)array)[index]);
    case DTYPE_BF16:
        return bits_float((uint32_t)((const uint16_t *)array)[index] << 16);
    case DTYPE_U8:
        return ((const uint8_t *)array)[index];
    case DTYPE_I32:
        return (float)((const int32_t *)array)[index];
    case DTYPE_F169: {
        const uint32_t code = ((const uint16_t *)array)[index];
        return copysignf(six_load(code & 0x7fffu, 9), code & 0x8000u ? -1.0f : 1.0f);
    }
    case DTYPE_UF610:
        return six_load(((const uint16_t *)array)[index], 10);
    case DTYPE_COUNT:
        break;
    }
    CHECK(false, "dtype %d", (int)type);
    return 0;
}

void dtype_store(dtype type, void *array, int64_t index, float value)
{
    switch (type) {
    case DTYPE_F32:
        ((float *)array)[index] = value;
        return;
    case DTYPE_F16:
        ((uint16_t *)array)[index] = half_store(value);
        return;
    case DTYPE_BF16:
        ((uint16_t *)array)[index] = bf16_store(value);
        return;
    case DTYPE_U8:
        ((uint8_t *)array)[index] = u8_store(value);
        return;
    case DTYPE_I32:
        ((int32_t *)array)[index] = i32_store(value);
        return;
    case DTYPE_F169:
        ((uint16_t *)array)[index] = f169_store(value);
        return;
    case DTYPE_UF610:
        ((uint16_t *)array)[index] = uf610_store(value);
        return;
    case DTYPE_COUNT:
        break;
    }
    CHECK(false, "dtype %d", (int)type);
}

/* ---- Rounding at random ---- */

/* The code of a finite magnitude in a type of so many fraction bits whose smallest normal number has the
 * exponent `least` in a float.  A float's own subnormals are far below such types, and taken as 0. */
static uint32_t code_at_random(uint32_t magnitude, int fraction, int least, uint32_t random)
{
    int exponent = (int)(magnitude >> 23), drop = 23 - fraction + (exponent < least ? least - exponent : 0);
    uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
    if (exponent == 0 || drop > 55) return 0;
    if (drop > 31) return random < significand >> (drop - 32);
    uint32_t first = exponent < least ? 0 : (uint32_t)(exponent - least) << fraction;
    return first + ((significand + (random & ((1u << drop) - 1))) >> drop);
}

void dtype_store_random(dtype type, void *array, int64_t index, float value, uint32_t random)
{
    const uint32_t bits = float_bits(value), magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
    uint16_t *out = (uint16_t *)array + index;
    uint32_t code;
    if (type == DTYPE_BF16 && magnitude < 0x7f800000u) {
        *out = (uint16_t)((bits + (random & 0xffffu)) >> 16);
    } else if (type == DTYPE_F16 && magnitude < 0x7f800000u) {
        code = code_at_random(magnitude, 10, 113, random);
        *out = (uint16_t)(sign | (code < 0x7c00u ? code : 0x7c00u));
    } else if (type == DTYPE_F169 && magnitude < 0x7f800000u) {
        *out = (uint16_t)(sign | six_clamp(code_at_random(magnitude, 9, SIX_LEAST, random), 9));
    } else if (type == DTYPE_UF610 && bits < 0x7f800000u) {
        *out = (uint16_t)six_clamp(code_at_random(magnitude, 10, SIX_LEAST, random), 10);
    } else {
        dtype_store(type, array, index, value);
    }
}

void dtype_convert(dtype to, void *out, dtype from, const void *in, int64_t count)
{
    if (to == from) {
        if (count > 0) memcpy(out, in, (size_t)count * dtype_bytes(to));
        return;
    }
    for (int64_t i = 0; i < count; ++i) dtype_store(to, out, i, dtype_load(from, in, i));
}
