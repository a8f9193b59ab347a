/* tokenizer_grow.c -- see tokenizer_grow.h.  Pieces are appended to the model's protocol buffer with scores
 * below all others: the library merges the highest score first, so old merges come as before, then new ones
 * in this order.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer_grow.h"

#include "data/sentencepiece.h"
#include "host/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 2, MOST_PIECE = 48 }; /* occurrences; bytes of a new piece */

/* Stretches of `text` that are one piece each: `ends[i]` is where the i-th ends. */
typedef struct word {
    char *text;
    int *ends;
    bool *single; /* the i-th may be joined to others: it is a piece, old or new */
    int count;
    int64_t times;
} word;

typedef struct pair {
    const char *text; /* in some word; NULL: free */
    int length;
    int64_t times;
} pair;

typedef struct growth {
    const tokenizer *from;
    bpe_model *model;
    int byte_of[256]; /* the token of a byte */
    word *words;
    int64_t count, room;
    pair *pairs; /* a hash table */
    size_t places;
    char (*added)[MOST_PIECE + 1];
    int grown;
} growth;

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory to add pieces to a tokenizer");
}

/* ---- The captions' words, as the tokenizer cuts them ---- */

static bool starts_word(const char *piece)
{
    return strncmp(piece, "\xe2\x96\x81", 3) == 0;
}

static int byte_value(const growth *g, int id)
{
    for (int b = 0; b < 256; ++b)
        if (g->byte_of[b] == id) return b;
    return -1;
}

static int character_length(int first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool begin_word(growth *g, size_t most, error *err)
{
    if (g->count == g->room) {
        int64_t room = g->room ? 2 * g->room : 256;
        word *larger = realloc(g->words, (size_t)room * sizeof *larger);
        if (!larger) return no_memory(err);
        g->words = larger;
        g->room = room;
    }
    word *w = &g->words[g->count++];
    *w = (word){ .text = calloc(most + 1, 1),
                 .ends = calloc(most + 1, sizeof *w->ends),
                 .single = calloc(most + 1, sizeof *w->single),
                 .times = 1 };
    return (w->text && w->ends && w->single) || no_memory(err);
}

/* A character in bytes becomes one stretch, which is no piece yet. */
static void add_token(growth *g, word *w, int id, int *missing)
{
    int at = w->count ? w->ends[w->count - 1] : 0, value = byte_value(g, id);
    if (value < 0) {
        const char *piece = sentencepiece_piece(g->model, id);
        bool known = id != sentencepiece_unknown(g->model); /* where there are no bytes; its text is lost */
        size_t length = known ? strlen(piece) : 0;
        memcpy(w->text + at, piece, length);
        w->ends[w->count] = at + (int)length;
        w->single[w->count++] = known;
        return;
    }
    w->text[at] = (char)value;
    if (*missing > 0) {
        w->ends[w->count - 1] = at + 1;
        --*missing;
        return;
    }
    w->ends[w->count++] = at + 1;
    *missing = character_length(value) - 1;
}

static bool add_caption(growth *g, const char *caption, error *err)
{
    int32_t *ids = NULL;
    int count = tokenizer_encode(g->from, caption, &ids, err), missing = 0;
    if (count < 0) return false;
    /* Pieces of normalized text, which is at most some times as long. */
    size_t most = 1;
    for (int i = 0; i < count; ++i) most += strlen(sentencepiece_piece(g->model, ids[i]));
    bool ok = true;
    for (int i = 0; ok && i < count; ++i) {
        if (i == 0 || starts_word(sentencepiece_piece(g->model, ids[i]))) {
            ok = begin_word(g, most, err);
            missing = 0;
        }
        if (ok) add_token(g, &g->words[g->count - 1], ids[i], &missing);
    }
    free(ids);
    return ok;
}

static void free_word(word *w)
{
    free(w->text);
    free(w->ends);
    free(w->single);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const word *)a)->text, ((const word *)b)->text);
}

/* Each word once, with how often it comes. */
static void count_words(growth *g)
{
    int64_t kept = 0;
    if (g->count) qsort(g->words, (size_t)g->count, sizeof *g->words, by_text);
    for (int64_t i = 0; i < g->count; ++i) {
        if (kept && strcmp(g->words[kept - 1].text, g->words[i].text) == 0) {
            ++g->words[kept - 1].times;
            free_word(&g->words[i]);
        } else {
            g->words[kept++] = g->words[i];
        }
    }
    g->count = kept;
}

/* ---- The most frequent new piece ---- */

static void count_pair(growth *g, const char *text, int length, int64_t times)
{
    size_t at = 1469598103934665603u;
    for (int i = 0; i < length; ++i) at = (at ^ (unsigned char)text[i]) * 1099511628211u;
    for (at %= g->places; g->pairs[at].text; at = (at + 1) % g->places)
        if (g->pairs[at].length == length && memcmp(g->pairs[at].text, text, (size_t)length) == 0) break;
    g->pairs[at].text = text;
    g->pairs[at].length = length;
    g->pairs[at].times += times;
}

/* A stretch that is no piece counts alone, as a character to add; two neighbours that are count together. */
static void count_candidates(growth *g, const word *w)
{
    for (int i = 0; i < w->count; ++i) {
        int start = i ? w->ends[i - 1] : 0;
        bool joined = w->single[i] && i + 1 < w->count && w->single[i + 1];
        int end = joined ? w->ends[i + 1] : w->ends[i];
        if ((joined || !w->single[i]) && end > start && end - start <= MOST_PIECE)
            count_pair(g, w->text + start, end - start, w->times);
    }
}

static bool is_better(const pair *a, const pair *b)
{
    if (!b || a->times != b->times) return !b || a->times > b->times;
    int shorter = a->length < b->length ? a->length : b->length,
        order = memcmp(a->text, b->text, (size_t)shorter);
    return order ? order < 0 : a->length < b->length;
}

static const pair *best_pair(growth *g)
{
    const pair *best = NULL;
    memset(g->pairs, 0, g->places * sizeof *g->pairs);
    for (int64_t i = 0; i < g->count; ++i) count_candidates(g, &g->words[i]);
    for (size_t i = 0; i < g->places; ++i)
        if (g->pairs[i].times >= LEAST && is_better(&g->pairs[i], best)) best = &g->pairs[i];
    return best;
}

/* ---- Merging as the library will ---- */

/* The rank of a piece by its score: old ones by theirs, all above new ones.  False: it is none. */
static bool rank_of(const growth *g, const char *text, int length, double *rank)
{
    int id = sentencepiece_find(g->model, text, (size_t)length);
    if (id >= 0) *rank = (double)sentencepiece_score(g->model, id) + 1e9;
    if (id >= 0) return true;
    for (int i = 0; i < g->grown; ++i) {
        if ((int)strlen(g->added[i]) != length || memcmp(g->added[i], text, (size_t)length) != 0) continue;
        *rank = -i;
        return true;
    }
    return false;
}

static void join(word *w, int at)
{
    --w->count;
    memmove(w->ends + at, w->ends + at + 1, (size_t)(w->count - at) * sizeof *w->ends);
    memmove(w->single + at + 1, w->single + at + 2, (size_t)(w->count - at - 1) * sizeof *w->single);
}

static void settle(const growth *g, word *w)
{
    for (int best = 0; best >= 0;) {
        double rank, highest = 0;
        best = -1;
        for (int i = 0; i + 1 < w->count; ++i) {
            int start = i ? w->ends[i - 1] : 0;
            if (!w->single[i] || !w->single[i + 1] ||
                !rank_of(g, w->text + start, w->ends[i + 1] - start, &rank) || (best >= 0 && rank <= highest))
                continue;
            best = i;
            highest = rank;
        }
        if (best >= 0) join(w, best);
    }
}

/* The new piece is a character: its stretches can be joined from now on. */
static void accept(word *w, const char *piece, int length)
{
    for (int i = 0; i < w->count; ++i) {
        int start = i ? w->ends[i - 1] : 0;
        if (w->ends[i] - start == length && memcmp(w->text + start, piece, (size_t)length) == 0)
            w->single[i] = true;
    }
}

static void add_piece(growth *g, const pair *best)
{
    char *piece = g->added[g->grown++];
    memcpy(piece, best->text, (size_t)best->length);
    piece[best->length] = 0;
    for (int64_t i = 0; i < g->count; ++i) {
        if (!strstr(g->words[i].text, piece)) continue;
        accept(&g->words[i], piece, best->length);
        settle(g, &g->words[i]);
    }
}

/* ---- The file ---- */

static void put_varint(FILE *out, unsigned value)
{
    for (; value >= 0x80; value >>= 7) fputc((int)(value & 0x7f) | 0x80, out);
    fputc((int)value, out);
}

/* ModelProto.pieces = 1 { piece = 1, score = 2 } */
static void put_piece(FILE *out, const char *piece, float score)
{
    uint32_t bits;
    size_t length = strlen(piece);
    memcpy(&bits, &score, sizeof bits);
    fputc(0x0a, out);
    put_varint(out, (unsigned)length + 7);
    fputc(0x0a, out);
    put_varint(out, (unsigned)length);
    fwrite(piece, 1, length, out);
    fputc(0x15, out);
    for (int i = 0; i < 4; ++i) fputc((int)(bits >> 8 * i & 0xff), out);
}

/* ModelProto.trainer_spec = 2 { model_type = 3: BPE, vocab_size = 4 }, merged into the one before. */
static void put_size(FILE *out, int tokens)
{
    fputs("\x12", out);
    fputc(4 + (tokens >= 1 << 7) + (tokens >= 1 << 14), out);
    fputs("\x18\x02\x20", out);
    put_varint(out, (unsigned)tokens);
}

static bool write_model(const growth *g, const char *path, error *err)
{
    size_t size, bytes;
    const void *old = tokenizer_bytes(g->from, &size);
    char *text = NULL;
    FILE *out = open_memstream(&text, &bytes);
    if (!out) return no_memory(err);
    int count = sentencepiece_count(g->model);
    float lowest = 0;
    for (int i = 0; i < count; ++i)
        if (sentencepiece_score(g->model, i) < lowest) lowest = sentencepiece_score(g->model, i);
    fwrite(old, 1, size, out);
    for (int i = 0; i < g->grown; ++i) put_piece(out, g->added[i], lowest - 1.0f - (float)i);
    if (g->grown) put_size(out, count + g->grown);
    bool whole = !ferror(out);
    whole = fclose(out) == 0 && whole && text;
    bool ok = whole ? file_write(path, text, bytes, err) : no_memory(err);
    free(text);
    return ok;
}

/* ---- All of it ---- */

static bool start(growth *g, const char *const *captions, int64_t count, int most, error *err)
{
    char message[512] = "";
    size_t size;
    const void *bytes = tokenizer_bytes(g->from, &size);
    g->model = sentencepiece_load(bytes, size, message, sizeof message);
    if (!g->model) return error_set(err, ERROR_MEMORY, "cannot take a tokenizer further: %s", message);
    for (int b = 0; b < 256; ++b) g->byte_of[b] = sentencepiece_byte(g->model, (unsigned char)b);
    for (int64_t i = 0; i < count; ++i)
        if (!add_caption(g, captions[i], err)) return error_prefix(err, "caption %lld", (long long)i + 1);
    count_words(g);
    g->places = 16;
    for (int64_t i = 0; i < g->count; ++i) g->places += 2 * (size_t)g->words[i].count;
    g->pairs = malloc(g->places * sizeof *g->pairs);
    g->added = malloc((size_t)(most + 1) * sizeof *g->added);
    return (g->pairs && g->added) || no_memory(err);
}

bool tokenizer_grow(const tokenizer *from, const char *const *captions, int64_t count, int most,
                    const char *model_path, error *err)
{
    growth g = { .from = from };
    if (tokenizer_end(from) >= 0) return tokenizer_save(from, model_path, err);
    bool ok = start(&g, captions, count, most, err);
    for (const pair *best; ok && g.grown < most && (best = best_pair(&g)) != NULL;) add_piece(&g, best);
    ok = ok && write_model(&g, model_path, err);
    for (int64_t i = 0; i < g.count; ++i) free_word(&g.words[i]);
    free(g.words);
    free(g.pairs);
    free(g.added);
    sentencepiece_destroy(g.model);
    return ok;
}
