/* fuzz_bpe.c -- CLIP's merges files: one that is opened encodes and decodes.
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
    int count = tokenizer_encode_dropout(t, text, dropout, &random, &ids, &err);
    fuzz_must(count >= 0, "CLIP's tokenizer encodes any text");
    for (int i = 0; i < count; ++i)
        fuzz_must(ids[i] >= 0 && ids[i] < tokenizer_vocabulary(t), "a token is of the vocabulary");
    char *decoded = tokenizer_decode(t, ids, count, &err);
    fuzz_must(decoded != NULL, "tokens spell a text");
    free(decoded);
    free(ids);
}

static void use(const tokenizer *t)
{
    static const char *const texts[] = { "", "a cat thin inging", "An EXAMPLE of ﬁ, Å and 猫\t!  ",
                                         "\xf0\x9f\x98\x80zz" };
    size_t length = 0;
    for (int id = 0; id < tokenizer_vocabulary(t); ++id) length += strlen(tokenizer_piece(t, id));
    fuzz_must(length < 1u << 30, "pieces have lengths");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        encode(t, texts[i], 0);
        encode(t, texts[i], 0.3f);
    }
}

/* What begins otherwise is for fuzz_tokenizer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error err = { 0 };
    bool ours = size >= 2 && (data[0] == '#' || memcmp(data, "\x1f\x8b", 2) == 0);
    tokenizer *t = ours ? tokenizer_open(fuzz_file(data, size), &err) : NULL;
    if (t)
        use(t);
    else if (ours)
        fuzz_refused(&err);
    tokenizer_close(t);
    return 0;
}
