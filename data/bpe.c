/* bpe.c -- text to words, words to bytes, and those joined in the order of the merges, as CLIP's published
 * tokenizer does.
 * SPDX-License-Identifier: MIT */
#include "data/bpe.h"

#include "data/bpe_merges.h"
#include "data/text_clean.h"
#include "host/base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN "<start_of_text>"
#define END   "<end_of_text>"

struct bpe {
    bpe_merges merges;
};

bool bpe_known(const void *file, size_t size)
{
    return bpe_merges_known(file, size);
}

bpe *bpe_open(const char *path, const void *file, size_t size, error *err)
{
    bpe *b = calloc(1, sizeof *b);
    if (!b) return error_null(err, ERROR_MEMORY, "memory ran out while opening '%s'", path);
    if (bpe_merges_read(&b->merges, path, file, size, err)) return b;
    free(b);
    return NULL;
}

void bpe_close(bpe *b)
{
    if (!b) return;
    bpe_merges_free(&b->merges);
    free(b);
}

int bpe_count(const bpe *b)
{
    return b->merges.count + 2;
}

int32_t bpe_begin(const bpe *b)
{
    return b->merges.count;
}

int32_t bpe_end(const bpe *b)
{
    return b->merges.count + 1;
}

const char *bpe_piece(const bpe *b, int32_t id)
{
    return id == bpe_begin(b) ? BEGIN : id == bpe_end(b) ? END : b->merges.tokens[id].name;
}

/* A stretch of a word that has become one token so far. */
typedef struct part {
    int32_t id, joined; /* the token that it and the next would make, or NONE */
} part;

enum { NONE = -1, STALE = -2 };

typedef struct coder {
    const bpe *b;
    float dropout;
    const philox *rng;
    uint32_t element;
    part *parts; /* of one word */
    int32_t *ids;
    int count;
} coder;

static void look(const coder *c, int count, int at)
{
    part *p = &c->parts[at];
    p->joined = at + 1 < count ? bpe_merges_find(&c->b->merges, p->id, p[1].id) : NONE;
}

static bool dropped(coder *c)
{
    return c->dropout > 0 && philox_uniform(c->rng, c->element++) < c->dropout;
}

/* The earliest merge that is not dropped, the leftmost of equals, or NONE. */
static int find_best(coder *c, int count)
{
    int best = NONE;
    for (int i = 0; i + 1 < count; ++i) {
        if (c->parts[i].joined < 0 || dropped(c)) continue;
        if (best < 0 || c->parts[i].joined < c->parts[best].joined) best = i;
    }
    return best;
}

/* Joins the pair at `best` and, unless merges are dropped, all like it; returns how many parts are left. */
static int join(const coder *c, int count, int best)
{
    int32_t joined = c->parts[best].joined;
    int used = best;
    for (int i = best; i < count; ++i) {
        part p = c->parts[i];
        if (p.joined == joined && (c->dropout <= 0 || i == best)) {
            p = (part){ joined, STALE };
            ++i;
            if (used > 0) c->parts[used - 1].joined = STALE;
        }
        c->parts[used++] = p;
    }
    return used;
}

static void merge_word(coder *c, int count)
{
    for (int i = 0; i < count; ++i) look(c, count, i);
    for (int best; (best = find_best(c, count)) >= 0;) {
        count = join(c, count, best);
        for (int i = best > 0 ? best - 1 : 0; i < count; ++i)
            if (c->parts[i].joined == STALE) look(c, count, i);
    }
    for (int i = 0; i < count; ++i) c->ids[c->count++] = c->parts[i].id;
}

/* The bytes of a word; the last is the token of that byte at a word's end. */
static void encode_word(coder *c, const uint32_t *word, int64_t length)
{
    int count = 0;
    for (int64_t i = 0; i < length; ++i) {
        char bytes[4];
        int used = utf8_put(word[i], bytes);
        for (int k = 0; k < used; ++k) c->parts[count++].id = c->b->merges.of_byte[(unsigned char)bytes[k]];
    }
    if (count == 0) return;
    c->parts[count - 1].id += BPE_MERGES_BYTES;
    merge_word(c, count);
}

/* Does the text here read so?  The long s is an s, as it is to a comparison that ignores case. */
static bool reads(const text_runes *t, int64_t at, const char *ascii)
{
    int64_t i = 0;
    for (; ascii[i]; ++i)
        if (at + i >= t->count || (t->at[at + i] == 0x17f ? 's' : t->at[at + i]) != (uint32_t)ascii[i])
            return false;
    return true;
}

static int64_t fixed_length(const text_runes *t, int64_t at)
{
    static const char *const fixed[] = { BEGIN, END, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    if (t->at[at] != '<' && t->at[at] != '\'') return 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; ++i)
        if (reads(t, at, fixed[i])) return (int64_t)strlen(fixed[i]);
    return 0;
}

typedef enum kind { KIND_SPACE, KIND_LETTER, KIND_NUMBER, KIND_OTHER } kind;

static kind kind_of(uint32_t c)
{
    return text_runes_is_letter(c)   ? KIND_LETTER
           : text_runes_is_number(c) ? KIND_NUMBER
           : text_runes_is_space(c)  ? KIND_SPACE
                                     : KIND_OTHER;
}

/* A word is an English ending behind its apostrophe, letters, one digit, or a run of anything else. */
static int64_t word_length(const text_runes *t, int64_t at, kind k)
{
    int64_t fixed = fixed_length(t, at), length = 1;
    if (fixed) return fixed;
    if (k == KIND_SPACE || k == KIND_NUMBER) return 1;
    while (at + length < t->count && kind_of(t->at[at + length]) == k) ++length;
    return length;
}

/* Begin or end, written out as open_clip writes them, or NONE. */
static int32_t marker(const bpe *b, const uint32_t *word, int64_t length)
{
    int32_t ids[] = { bpe_begin(b), bpe_end(b) };
    for (int i = 0; i < 2; ++i) {
        const char *name = bpe_piece(b, ids[i]);
        int64_t k = 0;
        while (k < length && word[k] == (uint32_t)name[k]) ++k;
        if (k == length && !name[k]) return ids[i];
    }
    return NONE;
}

static void encode_words(coder *c, const text_runes *t)
{
    for (int64_t i = 0, length; i < t->count; i += length) {
        kind k = kind_of(t->at[i]);
        length = word_length(t, i, k);
        int32_t id = t->at[i] == '<' ? marker(c->b, t->at + i, length) : NONE;
        if (id >= 0)
            c->ids[c->count++] = id;
        else if (k != KIND_SPACE)
            encode_word(c, t->at + i, length);
    }
}

static int failed(const char *why, const char *text, error *err)
{
    bool memory = strcmp(why, TEXT_RUNES_NO_MEMORY) == 0;
    if (memory)
        error_set(err, ERROR_MEMORY, "memory ran out while encoding %zu bytes of text", strlen(text));
    else
        error_set(err, ERROR_IO, "cannot encode the text: ICU, which knows the characters, says %s", why);
    return -1;
}

int bpe_encode(const bpe *b, const char *text, float dropout, const philox *rng, int32_t **ids, error *err)
{
    text_runes t = text_clean(text);
    size_t most = (size_t)t.count * 4 + 1; /* bytes */
    coder c = { .b = b, .dropout = dropout, .rng = rng };
    *ids = NULL;
    if (!t.failed && (!(c.parts = malloc(most * sizeof *c.parts)) || !(c.ids = malloc(most * sizeof *c.ids))))
        t.failed = TEXT_RUNES_NO_MEMORY;
    if (t.failed)
        c.count = failed(t.failed, text, err);
    else
        encode_words(&c, &t);
    if (c.count >= 0)
        *ids = c.ids;
    else
        free(c.ids);
    free(c.parts);
    text_runes_free(&t);
    return c.count;
}

/* A byte 0, which no caption has, would end the text: it becomes one that is no UTF-8 either. */
static size_t put_token(const bpe *b, int32_t id, char *out)
{
    if (id >= b->merges.count) return 0;
    const bpe_token *t = &b->merges.tokens[id];
    size_t length = (size_t)t->length;
    for (size_t i = 0; out && i < length; ++i) out[i] = t->bytes[i] ? t->bytes[i] : '\xff';
    if (out && t->ends) out[length] = ' ';
    return length + t->ends;
}

static size_t put_tokens(const bpe *b, const int32_t *ids, int count, char *out)
{
    size_t used = 0;
    for (int i = 0; i < count; ++i) used += put_token(b, ids[i], out ? out + used : NULL);
    return used;
}

char *bpe_decode(const bpe *b, const int32_t *ids, int count, error *err)
{
    size_t length = put_tokens(b, ids, count, NULL);
    char *bytes = length < INT32_MAX ? malloc(length + 1) : NULL, *text = NULL;
    text_runes t = { 0 };
    if (bytes) {
        put_tokens(b, ids, count, bytes);
        if (length > 0 && bytes[length - 1] == ' ') --length;
        text_runes_read_bytes(&t, bytes, (int64_t)length);
        text = t.failed ? NULL : text_runes_utf8(&t);
    }
    if (!text) error_set(err, ERROR_MEMORY, "memory ran out while decoding %d tokens", count);
    text_runes_free(&t);
    free(bytes);
    return text;
}
