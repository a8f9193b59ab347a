/* wrong.c -- targets with a fault each, for wrong.sh: what fuzz_replay has to find.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int target_good(const uint8_t *data, size_t size);
int target_good(const uint8_t *data, size_t size)
{
    return size ? data[size - 1] & 0 : 0;
}

/* One byte behind the input. */
int target_outside(const uint8_t *data, size_t size);
int target_outside(const uint8_t *data, size_t size)
{
    volatile const uint8_t *bytes = data;
    return bytes[size] & 0;
}

int target_overflow(const uint8_t *data, size_t size);
int target_overflow(const uint8_t *data, size_t size)
{
    volatile int large = INT_MAX - (size ? 0 : data[0]), larger = large + 1;
    return larger * 0;
}

int target_endless(const uint8_t *data, size_t size);
int target_endless(const uint8_t *data, size_t size)
{
    for (volatile size_t i = size; data;) i = i + 1;
    return 0;
}

int target_leak(const uint8_t *data, size_t size);
int target_leak(const uint8_t *data, size_t size)
{
    static void *volatile kept;
    kept = malloc(size + 1);
    if (kept) memcpy(kept, data, size);
    kept = NULL;
    return 0;
}

/* 800 MB in pieces that are each allowed. */
int target_large(const uint8_t *data, size_t size);
int target_large(const uint8_t *data, size_t size)
{
    enum { PIECE = 20 << 20 };
    static void *pieces[40];
    for (int i = 0; i < 40; ++i)
        if ((pieces[i] = malloc(PIECE)) != NULL) memset(pieces[i], size ? data[0] : 1, PIECE);
    for (int i = 0; i < 40; ++i) free(pieces[i]);
    return 0;
}

/* A message that is none. */
int target_silent(const uint8_t *data, size_t size);
int target_silent(const uint8_t *data, size_t size)
{
    error err = { 0 };
    (void)data;
    (void)size;
    fuzz_refused(&err);
    return 0;
}
