/* tokenizer.c -- training, files and encoding; SentencePiece does the work except for BPE dropout, and for
 * CLIP's merges, which are data/bpe.c's.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer.h"

#include "data/bpe.h"
#include "data/sentencepiece.h"
#include "data/tokenizer_check.h"
#include "host/base/utf8.h"
#include "host/base/file.h"
#include "host/base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE   512
#define FILE_MOST (64 << 20) /* bytes; a million tokens have 20 */

struct tokenizer {
    bpe_model *model; /* one of the two */
    bpe *clip;
    char *bytes;
    size_t size;
    char hash[65];
};

/* The library's failure, or memory's. */
static error_code code_of(const char *message)
{
    return strcmp(message, SENTENCEPIECE_NO_MEMORY) == 0 ? ERROR_MEMORY : ERROR_FORMAT;
}

/* How many tokens bytes and characters need, if the library says that there were to be fewer; else 0. */
static int required_tokens(const char *message)
{
    const char *low = strstr(message, "smaller than required_chars");
    int asked, limit;
    return low && sscanf(low, "smaller than required_chars. %d vs %d", &asked, &limit) == 2 ? limit : 0;
}

/* Says in our words what the library reports about the size of the vocabulary. */
static bool training_error(error *err, int vocabulary, const char *message)
{
    const char *high = strstr(message, "to a value <= ");
    int limit = required_tokens(message);
    if (limit)
        return error_set(
            err, ERROR_USAGE,
            "a vocabulary of %d is too small: 256 bytes and the characters of these captions need %d",
            vocabulary, limit);
    if (high && sscanf(high, "to a value <= %d", &limit) == 1)
        return error_set(err, ERROR_USAGE, "a vocabulary of %d is too large: these captions allow at most %d",
                         vocabulary, limit);
    return error_set(err, code_of(message), "cannot train a tokenizer: %s", message);
}

static bool check_captions(const char *const *captions, int64_t count, int vocabulary, error *err)
{
    bool any = false;
    for (int64_t i = 0; i < count; ++i) {
        int64_t bad = utf8_check(captions[i]);
        if (bad >= 0)
            return error_set(err, ERROR_FORMAT, "caption %lld is not valid UTF-8 at byte %lld",
                             (long long)i + 1, (long long)bad + 1);
        any = any || captions[i][strspn(captions[i], " \t\r\n")] != '\0';
    }
    if (!any) return error_set(err, ERROR_USAGE, "a tokenizer needs captions, there are none");
    return vocabulary >= 1 || error_set(err, ERROR_USAGE, "a vocabulary of %d is too small", vocabulary);
}

static bool train(const char *const *captions, int64_t count, int vocabulary, bool exact,
                  const char *model_path, error *err)
{
    char message[MESSAGE] = "", *bytes = NULL;
    size_t size = 0;
    if (!check_captions(captions, count, vocabulary, err)) return false;
    bool good =
        sentencepiece_train(captions, count, vocabulary, exact, &bytes, &size, message, sizeof message);
    /* Found before anything is learnt: nothing is done twice. */
    int required = good || exact ? 0 : required_tokens(message);
    if (required)
        good = sentencepiece_train(captions, count, required, false, &bytes, &size, message, sizeof message);
    if (!good) return training_error(err, vocabulary, message);
    good = file_write(model_path, bytes, size, err);
    free(bytes);
    return good;
}

bool tokenizer_train(const char *const *captions, int64_t count, int vocabulary, const char *model_path,
                     error *err)
{
    return train(captions, count, vocabulary, true, model_path, err);
}

bool tokenizer_fit(const char *const *captions, int64_t count, int vocabulary, const char *model_path,
                   error *err)
{
    return train(captions, count, vocabulary, false, model_path, err);
}

/* A checked model's; with what went wrong in `message`. */
static bpe_model *load(const tokenizer *t, char message[MESSAGE])
{
    void *copy = malloc(t->size);
    if (!copy) return snprintf(message, MESSAGE, SENTENCEPIECE_NO_MEMORY), NULL;
    memcpy(copy, t->bytes, t->size);
    bpe_model *model = sentencepiece_load(copy, tokenizer_check_untested(copy, t->size), message, MESSAGE);
    free(copy);
    return model;
}

static bool open_model(tokenizer *t, const char *path, error *err)
{
    char message[MESSAGE] = "";
    const char *problem = t->size ? tokenizer_check(t->bytes, t->size) : "the file is empty";
    if (!problem) t->model = load(t, message);
    if (t->model) return true;
    if (!problem && code_of(message) == ERROR_MEMORY)
        return error_set(err, ERROR_MEMORY, "%s: %s for a tokenizer of %zu bytes", path, message, t->size);
    return error_set(err, ERROR_FORMAT, "%s: not a usable tokenizer: %s", path, problem ? problem : message);
}

static bool open_kind(tokenizer *t, const char *path, error *err)
{
    if (!bpe_known(t->bytes, t->size)) return open_model(t, path, err);
    t->clip = bpe_open(path, t->bytes, t->size, err);
    return t->clip != NULL;
}

tokenizer *tokenizer_open(const char *path, error *err)
{
    tokenizer *t = calloc(1, sizeof *t);
    if (!t) return error_null(err, ERROR_MEMORY, "memory ran out while opening '%s'", path);
    t->bytes = file_read_most(path, FILE_MOST, &t->size, err);
    if (!t->bytes || !open_kind(t, path, err)) {
        tokenizer_close(t);
        return NULL;
    }
    hash h;
    hash_start(&h);
    hash_bytes(&h, t->bytes, t->size);
    hash_finish(&h, t->hash);
    return t;
}

void tokenizer_close(tokenizer *t)
{
    if (!t) return;
    sentencepiece_destroy(t->model);
    bpe_close(t->clip);
    free(t->bytes);
    free(t);
}

int tokenizer_vocabulary(const tokenizer *t)
{
    return t->clip ? bpe_count(t->clip) : sentencepiece_count(t->model);
}

int32_t tokenizer_begin(const tokenizer *t)
{
    return t->clip ? bpe_begin(t->clip) : -1;
}

int32_t tokenizer_end(const tokenizer *t)
{
    return t->clip ? bpe_end(t->clip) : -1;
}

const char *tokenizer_piece(const tokenizer *t, int32_t id)
{
    CHECK(id >= 0 && id < tokenizer_vocabulary(t), "token %d of %d", id, tokenizer_vocabulary(t));
    return t->clip ? bpe_piece(t->clip, id) : sentencepiece_piece(t->model, id);
}

const char *tokenizer_hash(const tokenizer *t)
{
    return t->hash;
}

const void *tokenizer_bytes(const tokenizer *t, size_t *size)
{
    *size = t->size;
    return t->bytes;
}

bool tokenizer_save(const tokenizer *t, const char *path, error *err)
{
    return file_write(path, t->bytes, t->size, err);
}

static bool check_text(const char *text, error *err)
{
    size_t length = strlen(text);
    if (length > TOKENIZER_MAX_TEXT)
        return error_set(err, ERROR_USAGE, "the text has %zu bytes, at most %d are possible", length,
                         TOKENIZER_MAX_TEXT);
    int64_t bad = utf8_check(text);
    if (bad < 0) return true;
    return error_set(err, ERROR_USAGE, "the text is not valid UTF-8: byte %lld is 0x%02x", (long long)bad + 1,
                     (unsigned char)text[bad]);
}

int tokenizer_encode(const tokenizer *t, const char *text, int32_t **ids, error *err)
{
    char message[MESSAGE] = "";
    if (!check_text(text, err)) return -1;
    if (t->clip) return bpe_encode(t->clip, text, 0, NULL, ids, err);
    int count = sentencepiece_encode(t->model, text, ids, message, sizeof message);
    if (count < 0) error_set(err, code_of(message), "cannot encode the text: %s", message);
    return count;
}

/* A stretch of the normalized text that has become one piece so far. */
typedef struct symbol {
    const char *at;
    int length;
    int merged; /* the token that this and the next symbol would make, or -1 */
    float score;
} symbol;

static void find_merge(const tokenizer *t, symbol *s, int count, int index)
{
    s[index].merged = -1;
    if (index + 1 >= count) return;
    s[index].merged =
        sentencepiece_find(t->model, s[index].at, (size_t)(s[index].length + s[index + 1].length));
    if (s[index].merged >= 0) s[index].score = sentencepiece_score(t->model, s[index].merged);
}

static int cut_into_characters(const tokenizer *t, const char *text, symbol *s)
{
    int count = 0;
    for (const char *next = text; *next; ++count) {
        s[count].at = next;
        utf8_next(&next);
        s[count].length = (int)(next - s[count].at);
    }
    for (int i = 0; i < count; ++i) find_merge(t, s, count, i);
    return count;
}

/* Applies the best merge that is not dropped, the leftmost of equals, until there is none. */
static int merge_all(const tokenizer *t, symbol *s, int count, float dropout, const philox *rng)
{
    uint32_t element = 0;
    for (;;) {
        int best = -1;
        for (int i = 0; i + 1 < count; ++i) {
            if (s[i].merged < 0) continue;
            if (dropout > 0 && philox_uniform(rng, element++) < dropout) continue;
            if (best < 0 || s[i].score > s[best].score) best = i;
        }
        if (best < 0) return count;
        s[best].length += s[best + 1].length;
        --count;
        memmove(s + best + 1, s + best + 2, (size_t)(count - best - 1) * sizeof *s);
        find_merge(t, s, count, best);
        if (best > 0) find_merge(t, s, count, best - 1);
    }
}

/* The tokens of the symbols.  An unknown character is its bytes, or where a foreign model has none, one
 * "unknown" for each run of them, as the library does. */
static int name_symbols(const tokenizer *t, const symbol *s, int count, int32_t *ids)
{
    int used = 0;
    bool after_unknown = false;
    for (int i = 0; i < count; ++i) {
        int id = sentencepiece_find(t->model, s[i].at, (size_t)s[i].length);
        bool unknown = false;
        if (id >= 0) {
            ids[used++] = id;
        } else if (sentencepiece_byte(t->model, (unsigned char)s[i].at[0]) >= 0) {
            for (int k = 0; k < s[i].length; ++k)
                ids[used++] = sentencepiece_byte(t->model, (unsigned char)s[i].at[k]);
        } else {
            unknown = true;
            if (!after_unknown) ids[used++] = sentencepiece_unknown(t->model);
        }
        after_unknown = unknown;
    }
    return used;
}

int tokenizer_encode_dropout(const tokenizer *t, const char *text, float dropout, const philox *rng,
                             int32_t **ids, error *err)
{
    CHECK(dropout >= 0 && dropout <= 1, "dropout %g", (double)dropout);
    char message[MESSAGE] = "";
    if (!check_text(text, err)) return -1;
    if (t->clip) return bpe_encode(t->clip, text, dropout, rng, ids, err);
    char *normalized = sentencepiece_normalize(t->model, text, message, sizeof message);
    if (!normalized) {
        error_set(err, code_of(message), "cannot encode the text: %s", message);
        return -1;
    }
    size_t length = strlen(normalized);
    symbol *symbols = malloc((length + 1) * sizeof *symbols);
    *ids = malloc((length + 1) * sizeof **ids);
    int count = -1;
    if (symbols && *ids) {
        count = merge_all(t, symbols, cut_into_characters(t, normalized, symbols), dropout, rng);
        count = name_symbols(t, symbols, count, *ids);
    } else {
        error_set(err, ERROR_MEMORY, "memory ran out while encoding %zu bytes of text", length);
        free(*ids);
        *ids = NULL;
    }
    free(symbols);
    free(normalized);
    return count;
}

char *tokenizer_decode(const tokenizer *t, const int32_t *ids, int count, error *err)
{
    char message[MESSAGE] = "";
    int vocabulary = tokenizer_vocabulary(t);
    for (int i = 0; i < count; ++i)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return error_null(err, ERROR_USAGE, "token %d is outside the vocabulary of %d", ids[i],
                              vocabulary);
    if (t->clip) return bpe_decode(t->clip, ids, count, err);
    char *text = sentencepiece_decode(t->model, ids, count, message, sizeof message);
    if (!text) error_set(err, code_of(message), "cannot decode %d tokens: %s", count, message);
    return text;
}
