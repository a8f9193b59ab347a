/* dtype.h -- the storage types of tensors, one row each.
 * Storage is not arithmetic: kernels load any of these into float, compute in float, and store.
 * Adding a type is one row here, its conversions in dtype.c, and its LOAD and STORE in cl/common.clh.
 * F169 and UF610 are the formats 1-6-9 and 0-6-10 of arXiv 2102.12092: sign, exponent and fraction bits.
 * Their largest exponent is 3, so that all is less than 16, and the exponent's bias is 60; numbers below
 * 2^-59 are subnormal, multiples of 2^-68 and 2^-69.  There are no infinities, what is larger becomes the
 * largest number; all ones is not a number.  UF610 has no sign: what is negative becomes 0.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_DTYPE_H
#define DALLE_CL_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*        name  bytes  floating  as what it stands in safetensors, which knows no 1-6-9 */
#define DTYPES(X) \
    X(F32, 4, true, "F32") \
    X(F16, 2, true, "F16") \
    X(BF16, 2, true, "BF16") \
    X(U8, 1, false, "U8") \
    X(I32, 4, false, "I32") \
    X(F169, 2, true, "U16") \
    X(UF610, 2, true, "U16")

typedef enum dtype {
#define DTYPE_ENUM(name, bytes, floating, stored) DTYPE_##name,
    DTYPES(DTYPE_ENUM)
#undef DTYPE_ENUM
        DTYPE_COUNT
} dtype;

size_t dtype_bytes(dtype type);
bool dtype_is_float(dtype type);
const char *dtype_name(dtype type);        /* "F32"; also the kernels' STORE_ suffix */
const char *dtype_stored_name(dtype type); /* of the type that safetensors has for such bits */
bool dtype_from_name(const char *name, dtype *type);

/* One value, converted with round to nearest even.  U8 and I32 saturate. */
float dtype_load(dtype type, const void *array, int64_t index);
void dtype_store(dtype type, void *array, int64_t index, float value);
/* The same for types of 16 bits, but rounded up with the probability of what is cut off, so that the mean is
 * the value: `random` is 32 random bits.  Other types as above.  cl/rounding.clh does it alike. */
void dtype_store_random(dtype type, void *array, int64_t index, float value, uint32_t random);
/* `count` values of one type into another; arrays do not overlap. */
void dtype_convert(dtype to, void *out, dtype from, const void *in, int64_t count);

#endif
