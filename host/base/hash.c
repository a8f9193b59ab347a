/* hash.c -- SHA-256 through nettle.  A NULL hash (memory ran out) is accepted everywhere and ends as
 * an empty text, which is nobody's hash.
 * SPDX-License-Identifier: MIT */
#include "host/base/hash.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hash {
    struct sha256_ctx context;
};

hash *hash_create(void)
{
    hash *h = malloc(sizeof *h);
    if (h) sha256_init(&h->context);
    return h;
}

void hash_bytes(hash *h, const void *bytes, size_t count)
{
    if (h && count) sha256_update(&h->context, count, bytes);
}

void hash_text(hash *h, const char *text)
{
    hash_bytes(h, text, strlen(text) + 1);
}

void hash_finish(hash *h, char hex[65])
{
    hex[0] = '\0';
    if (!h) return;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(&h->context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; ++i) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    free(h);
}
