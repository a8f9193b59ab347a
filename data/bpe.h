/* bpe.h -- CLIP's byte-level byte-pair encoding; data/tokenizer.h is for everyone else.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_BPE_H
#define DALLE_CL_DATA_BPE_H

#include "host/base/error.h"
#include "host/base/philox.h"
#include <stddef.h>
#include <stdint.h>

typedef struct bpe bpe;

bool bpe_known(const void *file, size_t size); /* is it a merges file, plain or packed by gzip? */
bpe *bpe_open(const char *path, const void *file, size_t size, error *err); /* `path` is for messages */
void bpe_close(bpe *b);

int bpe_count(const bpe *b);
const char *bpe_piece(const bpe *b, int32_t id); /* borrowed; as in the file: "cat</w>" ends a word */
int32_t bpe_begin(const bpe *b);
int32_t bpe_end(const bpe *b); /* the last */

/* Of checked UTF-8; as tokenizer_encode and, unless dropout is 0, tokenizer_encode_dropout. */
int bpe_encode(const bpe *b, const char *text, float dropout, const philox *rng, int32_t **ids, error *err);
char *bpe_decode(const bpe *b, const int32_t *ids, int count, error *err);

#endif
