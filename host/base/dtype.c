/* dtype.c -- sizes, names and conversions of the storage types.
 * Halves are converted by integer arithmetic, so no compiler or processor support is needed.
 * SPDX-License-Identifier: MIT */
#include "host/base/dtype.h"

#include "host/base/error.h"

#include <math.h>
#include <string.h>

typedef struct dtype_row {
    const char *name;
    size_t bytes;
    bool floating;
} dtype_row;

static const dtype_row rows[] = {
#define DTYPE_ROW(name, bytes, floating, text) { text, bytes, floating },
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
    case DTYPE_COUNT:
        break;
    }
    CHECK(false, "dtype %d", (int)type);
}

void dtype_convert(dtype to, void *out, dtype from, const void *in, int64_t count)
{
    if (to == from) {
        if (count > 0) memcpy(out, in, (size_t)count * dtype_bytes(to));
        return;
    }
    for (int64_t i = 0; i < count; ++i) dtype_store(to, out, i, dtype_load(from, in, i));
}
