/* sentencepiece.h -- the SentencePiece library behind a C door; data/tokenizer.h is for everyone else.
 * No exception leaves it.  A failing function fills `message` (`size` bytes) with the library's words, or
 * with SENTENCEPIECE_NO_MEMORY.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SENTENCEPIECE_H
#define DALLE_CL_DATA_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SENTENCEPIECE_NO_MEMORY "out of memory"

typedef struct bpe_model bpe_model; /* "sentencepiece" is the library's namespace */

/* Trains byte-pair encoding: lower case, byte fallback, every character covered, no begin or end
 * tokens.  Unless `exact`, a model has fewer tokens where the captions do not allow so many.  The same
 * captions give the same bytes.  *model is to be freed with free(). */
bool sentencepiece_train(const char *const *captions, int64_t count, int vocabulary, bool exact, char **model,
                         size_t *bytes, char *message, size_t size);

bpe_model *sentencepiece_load(const void *model, size_t bytes, char *message, size_t size);
void sentencepiece_destroy(bpe_model *model);

int sentencepiece_count(const bpe_model *model);
const char *sentencepiece_piece(const bpe_model *model, int id); /* borrowed */
float sentencepiece_score(const bpe_model *model, int id);
int sentencepiece_unknown(const bpe_model *model);
int sentencepiece_byte(const bpe_model *model, unsigned char byte); /* its token, or -1 */
/* The token spelled by these bytes, or -1; bytes, controls and "unknown" are never found. */
int sentencepiece_find(const bpe_model *model, const char *text, size_t length);

/* The number of tokens, or -1. *ids is to be freed with free(). */
int sentencepiece_encode(const bpe_model *model, const char *text, int32_t **ids, char *message, size_t size);
/* The text as the model sees it before it is cut: lower case, one space between words and before the
 * first, spaces written as U+2581.  To be freed with free(); NULL on failure. */
char *sentencepiece_normalize(const bpe_model *model, const char *text, char *message, size_t size);
char *sentencepiece_decode(const bpe_model *model, const int32_t *ids, int count, char *message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
