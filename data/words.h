/* words.h -- the words of the training captions, kept with a model so that `generate` can say which
 * words of a request the model has never seen.
 * A word is a run of letters, in lower case; everything else separates.  File: one word per line, in
 * byte order.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_WORDS_H
#define DALLE_CL_DATA_WORDS_H

#include "host/base/error.h"
#include <stdint.h>

typedef struct words words;

/* The list of all captions; a caption that is not valid UTF-8 is an error. */
words *words_collect(const char *const *captions, int64_t count, error *err);
/* Reads the text form; `where` names it in errors. */
words *words_parse(const char *text, const char *where, error *err);
words *words_open(const char *path, error *err);
void words_destroy(words *w);

bool words_save(const words *w, const char *path, error *err);
char *words_format(const words *w); /* the text form, to be freed; NULL when memory is out */

int64_t words_count(const words *w);
const char *const *words_list(const words *w);    /* in byte order */
bool words_has(const words *w, const char *word); /* as it stands in the list: lower case */

/* The caption's words that are not in the list, each once, in their order, lower-cased.  Returns how
 * many, or -1; *unseen is one block, to be freed with one free(), and ends with NULL. */
int words_unseen(const words *w, const char *caption, char ***unseen, error *err);

#endif
