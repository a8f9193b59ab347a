/* tokenizer_grow.h -- a tokenizer taken further on other captions, for a model that starts from another.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TOKENIZER_GROW_H
#define DALLE_CL_DATA_TOKENIZER_GROW_H

#include "data/tokenizer.h"

/* Writes `from` with at most `most` pieces more: byte-pair encoding goes on where it stopped, joining the
 * pieces of these captions that most often stand side by side, at least twice; a character that `from` lacks
 * is a piece once it comes twice.  Tokens keep their numbers, and captions without the new pieces their
 * tokens.  CLIP's, which has a fixed number of tokens, is written as it is. */
bool tokenizer_grow(const tokenizer *from, const char *const *captions, int64_t count, int most,
                    const char *model_path, error *err);

#endif
