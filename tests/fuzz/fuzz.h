/* fuzz.h -- what the targets share.  A target is a file fuzz_<name>.c with LLVMFuzzerTestOneInput, and a
 * folder corpus/<name> of inputs; tests.cmake makes of it a libFuzzer program, and a part of fuzz_replay,
 * which runs the corpus alone.  A target must return from any input: a crash, a message that is none, or an
 * expectation that does not hold (fuzz_must) is a finding.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FUZZ_FUZZ_H
#define DALLE_CL_TESTS_FUZZ_FUZZ_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory that holds these bytes, until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* The path of a private folder, emptied by each call; fuzz_put makes files in it, with their folders. */
const char *fuzz_folder(void);
bool fuzz_put(const char *name, const void *data, size_t size);
/* A NUL-terminated copy of exactly that size, so that a read behind it is seen; to be freed. */
char *fuzz_text(const uint8_t *data, size_t size);
/* The next stretch of the input, up to `mark` or its end, which *data and *size then begin behind; NULL at
 * the end. */
const uint8_t *fuzz_part(const uint8_t **data, size_t *size, char mark, size_t *length);

/* A PNG chunk's checksum. */
uint32_t fuzz_crc(const uint8_t *bytes, size_t size);

/* After a refusal: there is a code, and words that a terminal can be given. */
void fuzz_refused(const error *err);
void fuzz_must(bool holds, const char *what);

#endif
