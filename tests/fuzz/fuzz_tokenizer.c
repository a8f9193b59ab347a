/* fuzz_tokenizer.c -- SentencePiece models: one that is opened encodes and decodes.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void encode(const tokenizer *t, const char *text, float dropout)
{
    const philox random = { 3, 1, 4 };
    error err = { 0 };
    int32_t *ids = NULL;
    int count = dropout < 0 ? tokenizer_encode(t, text, &ids, &err)
                            : tokenizer_encode_dropout(t, text, dropout, &random, &ids, &err);
    if (count < 0) {
        fuzz_refused(&err);
        return;
    }
    for (int i = 0; i < count; ++i)
        fuzz_must(ids[i] >= 0 && ids[i] < tokenizer_vocabulary(t), "a token is of the vocabulary");
    char *decoded = tokenizer_decode(t, ids, count, &err);
    if (!decoded) fuzz_refused(&err);
    free(decoded);
    free(ids);
}

static void use(const tokenizer *t)
{
    static const char *const texts[] = { "", "a cat", "An EXAMPLE of ﬁ, Å and 猫\t!  ",
                                         "\xf0\x9f\x98\x80zz" };
    size_t length = 0;
    for (int id = 0; id < tokenizer_vocabulary(t); ++id) length += strlen(tokenizer_piece(t, id));
    fuzz_must(length < 1u << 30, "pieces have lengths");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        encode(t, texts[i], -1);
        encode(t, texts[i], 0.3f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error err = { 0 };
    tokenizer *t = tokenizer_open(fuzz_file(data, size), &err);
    if (t)
        use(t);
    else
        fuzz_refused(&err);
    tokenizer_close(t);
    return 0;
}
