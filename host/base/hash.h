/* hash.h -- SHA-256, for cache keys and to say which kernels and data made a run.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_HASH_H
#define DALLE_CL_BASE_HASH_H

#include <nettle/sha2.h>
#include <stddef.h>

/* Incremental; a field is its bytes and a NUL, so fields cannot run together.  It lives where it is
 * declared and owns nothing, so that hashing cannot fail. */
typedef struct hash {
    struct sha256_ctx context;
} hash;

void hash_start(hash *h);
void hash_bytes(hash *h, const void *bytes, size_t count);
void hash_text(hash *h, const char *text); /* the text and its NUL */
/* Writes 64 lower-case hexadecimal digits and a NUL; hash_start begins another. */
void hash_finish(hash *h, char hex[65]);

#endif
