/* dataset_text.h -- texts as people's editors and programs write them, made into what the rest reads.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_TEXT_H
#define DALLE_CL_DATA_DATASET_TEXT_H

#include "host/base/arena.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Why a text, or something in it, cannot be used. */
typedef struct dataset_text_fault {
    bool memory; /* ran out; then `why` says nothing */
    char why[160];
} dataset_text_fault;

/* The text without the mark that may stand before it, as UTF-8 with a NUL, which alone ends it: `bytes`
 * itself (they end with a NUL, and outlive the result), or where they are UTF-16 with its mark a copy in the
 * arena.  NULL where they are in another encoding. */
const char *dataset_text_utf8(arena *memory, const char *bytes, size_t size, dataset_text_fault *fault);

/* A JSON object (RFC 8259), or what one can be made of: NaN and other words and numbers out of range are
 * null; characters that no text may hold become others; a comma behind the last member goes; of a key that
 * comes again the last counts.  NULL where it is cut, nested too deep, or no object. */
json_t *dataset_text_object(const char *bytes, size_t size, dataset_text_fault *fault);

/* A text as printf makes it, to be freed; NULL when memory is out. */
char *dataset_text_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
