/* hash.c -- SHA-256 through nettle.
 * SPDX-License-Identifier: MIT */
#include "host/base/hash.h"

#include <stdio.h>
#include <string.h>

void hash_start(hash *h)
{
    sha256_init(&h->context);
}

void hash_bytes(hash *h, const void *bytes, size_t count)
{
    if (count) sha256_update(&h->context, count, bytes);
}

void hash_text(hash *h, const char *text)
{
    hash_bytes(h, text, strlen(text) + 1);
}

void hash_finish(hash *h, char hex[65])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(&h->context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; ++i) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
