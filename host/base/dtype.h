/* dtype.h -- the storage types of tensors, one row each.
 * Storage is not arithmetic: kernels load any of these into float, compute in float, and store.
 * Adding a type is one row here, its conversions in dtype.c, and its LOAD and STORE in cl/common.clh.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_DTYPE_H
#define DALLE_CL_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*        name  bytes  floating  safetensors */
#define DTYPES(X) \
    X(F32, 4, true, "F32") \
    X(F16, 2, true, "F16") \
    X(BF16, 2, true, "BF16") \
    X(U8, 1, false, "U8") \
    X(I32, 4, false, "I32")

typedef enum dtype {
#define DTYPE_ENUM(name, bytes, floating, text) DTYPE_##name,
    DTYPES(DTYPE_ENUM)
#undef DTYPE_ENUM
        DTYPE_COUNT
} dtype;

size_t dtype_bytes(dtype type);
bool dtype_is_float(dtype type);
const char *dtype_name(dtype type); /* "F32", as in safetensors; also the kernels' STORE_ suffix */
bool dtype_from_name(const char *name, dtype *type);

/* One value, converted with round to nearest even.  U8 and I32 saturate. */
float dtype_load(dtype type, const void *array, int64_t index);
void dtype_store(dtype type, void *array, int64_t index, float value);
/* `count` values of one type into another; arrays do not overlap. */
void dtype_convert(dtype to, void *out, dtype from, const void *in, int64_t count);

#endif
