/* bpe_merges.h -- CLIP's published merges file, as tables: 256 bytes, the same at the end of a word, a token
 * for each merge in the order of the file, begin and end.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_BPE_MERGES_H
#define DALLE_CL_DATA_BPE_MERGES_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

#define BPE_MERGES_MOST  48894 /* lines that CLIP takes of the published file, which has more */
#define BPE_MERGES_BYTES 256

typedef struct bpe_token {
    int32_t left, right; /* the tokens that it joins, or -1 */
    const char *name;    /* as in the file: a letter for each byte, "</w>" at a word's end */
    const char *bytes;
    int length; /* of bytes */
    bool ends;  /* a word */
} bpe_token;

typedef struct bpe_merges {
    int count; /* tokens without begin and end, which follow */
    bpe_token *tokens;
    int32_t of_byte[BPE_MERGES_BYTES];
    int32_t *joined; /* open addressing: the token that two make, -1 where a place is free */
    uint32_t mask;
    char *names, *bytes; /* what the tokens point into */
} bpe_merges;

/* Is it such a file, plain or packed by gzip, rather than another tokenizer's? */
bool bpe_merges_known(const void *file, size_t size);
/* `path` is for messages. */
bool bpe_merges_read(bpe_merges *m, const char *path, const void *file, size_t size, error *err);
void bpe_merges_free(bpe_merges *m);

int32_t bpe_merges_find(const bpe_merges *m, int32_t left, int32_t right); /* their token, or -1 */

#endif
