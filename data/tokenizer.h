/* tokenizer.h -- captions to tokens and back: byte-pair encoding, trained from the captions, or CLIP's.
 * Text is lower-cased and normalized (NFKC); a character the training captions did not have becomes its
 * UTF-8 bytes, so every text can be encoded.  A model is a SentencePiece file and works in its tools.
 * The merges file that CLIP was published with is read as well: docs/tokenizers.md.
 * An open tokenizer may be used by any number of threads.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TOKENIZER_H
#define DALLE_CL_DATA_TOKENIZER_H

#include "host/base/error.h"
#include "host/base/philox.h"
#include <stddef.h>

#define TOKENIZER_MAX_TEXT 16384 /* bytes of one caption */

typedef struct tokenizer tokenizer;

/* Writes a model of exactly `vocabulary` tokens.  A vocabulary outside what the captions allow is an
 * error that names the limit.  The same captions give the same file, byte for byte. */
bool tokenizer_train(const char *const *captions, int64_t count, int vocabulary, const char *model_path,
                     error *err);

/* The same with about `vocabulary` tokens: fewer where the captions do not allow so many, more where their
 * characters alone need more. */
bool tokenizer_fit(const char *const *captions, int64_t count, int vocabulary, const char *model_path,
                   error *err);

/* A SentencePiece model or CLIP's merges file, plain or packed by gzip: its content tells which. */
tokenizer *tokenizer_open(const char *path, error *err);
void tokenizer_close(tokenizer *t);

int tokenizer_vocabulary(const tokenizer *t);
/* CLIP's tokens that begin and end a text, which encoding does not put and decoding leaves out; -1 where there
 * are none, as in SentencePiece models. */
int32_t tokenizer_begin(const tokenizer *t);
int32_t tokenizer_end(const tokenizer *t);
/* Borrowed.  U+2581 stands for a space; in CLIP's, "</w>" for the end of a word and a letter for each byte. */
const char *tokenizer_piece(const tokenizer *t, int32_t id);
const char *tokenizer_hash(const tokenizer *t); /* SHA-256 of the model's bytes, in hexadecimal */
const void *tokenizer_bytes(const tokenizer *t, size_t *size);
bool tokenizer_save(const tokenizer *t, const char *path, error *err);

/* The number of tokens, or -1.  *ids is to be freed with free(). */
int tokenizer_encode(const tokenizer *t, const char *text, int32_t **ids, error *err);
/* BPE dropout (Provilkov et al. 2020, algorithm 1): at every step each possible merge is skipped with
 * probability `dropout`, and the encoding ends when none is left.  Draws elements 0, 1, ... of `rng`. */
int tokenizer_encode_dropout(const tokenizer *t, const char *text, float dropout, const philox *rng,
                             int32_t **ids, error *err);
char *tokenizer_decode(const tokenizer *t, const int32_t *ids, int count, error *err); /* to be freed */

#endif
