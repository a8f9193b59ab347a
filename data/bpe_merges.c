/* bpe_merges.c -- reads a line "LEFT RIGHT" for each merge.
 * The first line tells the file by "#version"; a file of fewer merges than CLIP has must say how many there,
 * "#version: 0.2 merges: 300", so that one that was cut short is told from it.
 * SPDX-License-Identifier: MIT */
#include "data/bpe_merges.h"

#include "data/bpe_unpack.h"
#include "host/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER   "#version"
#define LINE     200 /* bytes of the first line that are looked at */
#define WORD_END "</w>"

typedef struct reader {
    const char *path, *at, *end;
    bpe_merges *m;
    int32_t *named;      /* open addressing: tokens by name */
    size_t names, bytes; /* used of m->names and m->bytes */
    error *err;
} reader;

static bool has_header(const char *text, size_t size)
{
    size_t length = strlen(HEADER);
    for (size_t i = 0; i + length <= size && i < LINE && text[i] != '\n'; ++i)
        if (memcmp(text + i, HEADER, length) == 0) return true;
    return false;
}

bool bpe_merges_known(const void *file, size_t size)
{
    return bpe_unpack_known(file, size) || has_header(file, size);
}

static uint32_t mix(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

int32_t bpe_merges_find(const bpe_merges *m, int32_t left, int32_t right)
{
    for (uint32_t i = mix((uint64_t)left << 32 | (uint32_t)right) & m->mask;; i = (i + 1) & m->mask) {
        int32_t id = m->joined[i];
        if (id < 0 || (m->tokens[id].left == left && m->tokens[id].right == right)) return id;
    }
}

static void remember_pair(bpe_merges *m, int32_t id)
{
    uint32_t i = mix((uint64_t)m->tokens[id].left << 32 | (uint32_t)m->tokens[id].right) & m->mask;
    while (m->joined[i] >= 0) i = (i + 1) & m->mask;
    m->joined[i] = id;
}

/* Where a token of this name is, or would be. */
static int32_t *place_of(const reader *r, const char *name, size_t length)
{
    uint64_t key = 14695981039346656037u;
    for (size_t i = 0; i < length; ++i) key = (key ^ (unsigned char)name[i]) * 1099511628211u;
    for (uint32_t i = mix(key) & r->m->mask;; i = (i + 1) & r->m->mask) {
        if (r->named[i] < 0) return &r->named[i];
        const char *other = r->m->tokens[r->named[i]].name;
        if (strlen(other) == length && memcmp(other, name, length) == 0) return &r->named[i];
    }
}

static char *put(char *arena, size_t *used, const char *text, size_t length)
{
    char *at = arena + *used;
    memcpy(at, text, length);
    at[length] = '\0';
    *used += length + 1;
    return at;
}

static void add(reader *r, bpe_token token)
{
    int32_t id = r->m->count++;
    r->m->tokens[id] = token;
    *place_of(r, token.name, strlen(token.name)) = id;
    if (token.left >= 0) remember_pair(r->m, id);
}

/* A byte's letter: itself where it is printable, otherwise the next from U+0100 on. */
static bool is_printable(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static void add_byte(reader *r, int byte, uint32_t letter, bool ends)
{
    char name[8] = "", text = (char)byte;
    int length = utf8_put(letter, name);
    strcpy(name + length, ends ? WORD_END : "");
    if (!ends) r->m->of_byte[byte] = r->m->count;
    char *kept = put(r->m->names, &r->names, name, strlen(name));
    add(r, (bpe_token){ -1, -1, kept, put(r->m->bytes, &r->bytes, &text, 1), 1, ends });
}

/* The printable bytes first, then the others. */
static void add_bytes(reader *r, bool ends)
{
    uint32_t next = 0x100;
    for (int byte = 0; byte < BPE_MERGES_BYTES; ++byte)
        if (is_printable(byte)) add_byte(r, byte, (uint32_t)byte, ends);
    for (int byte = 0; byte < BPE_MERGES_BYTES; ++byte)
        if (!is_printable(byte)) add_byte(r, byte, next++, ends);
}

typedef struct symbol {
    const char *at;
    size_t length;
} symbol;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, of no length at its end. */
static symbol next_symbol(const char **at, const char *end)
{
    while (*at < end && is_blank(**at)) ++*at;
    symbol s = { *at, 0 };
    while (*at < end && !is_blank(**at)) ++*at;
    s.length = (size_t)(*at - s.at);
    return s;
}

static bool line_error(const reader *r, int line, const char *what)
{
    return error_set(r->err, ERROR_FORMAT, "%s:%d: not a usable tokenizer: %s", r->path, line, what);
}

static bool find_symbol(const reader *r, symbol s, int line, int32_t *id)
{
    *id = *place_of(r, s.at, s.length);
    return *id >= 0 || line_error(r, line, "a merge joins something that no line before it makes");
}

static bool join(reader *r, symbol left, symbol right, int line)
{
    int32_t a = 0, b = 0;
    if (!find_symbol(r, left, line, &a) || !find_symbol(r, right, line, &b)) return false;
    const bpe_token *x = &r->m->tokens[a], *y = &r->m->tokens[b];
    if (x->ends) return line_error(r, line, "a merge goes on behind the end of a word");
    char *name = put(r->m->names, &r->names, left.at, left.length);
    --r->names;
    put(r->m->names, &r->names, right.at, right.length);
    if (*place_of(r, name, strlen(name)) >= 0)
        return line_error(r, line, "a merge makes what is there already");
    char *bytes = put(r->m->bytes, &r->bytes, x->bytes, (size_t)x->length);
    --r->bytes;
    put(r->m->bytes, &r->bytes, y->bytes, (size_t)y->length);
    add(r, (bpe_token){ a, b, name, bytes, x->length + y->length, y->ends });
    return true;
}

static const char *next_line(reader *r, const char **end)
{
    const char *start = r->at;
    *end = memchr(start, '\n', (size_t)(r->end - start));
    if (!*end) *end = r->end;
    r->at = *end < r->end ? *end + 1 : r->end;
    return start;
}

static bool read_merge(reader *r, int line)
{
    const char *end, *at = next_line(r, &end);
    symbol left = next_symbol(&at, end), right = next_symbol(&at, end), more = next_symbol(&at, end);
    if (!right.length || more.length)
        return line_error(r, line, "a merge is two symbols with a space between");
    return join(r, left, right, line);
}

/* How many merges the first line promises; CLIP's number where it says nothing. */
static bool read_header(reader *r, int *merges)
{
    const char *end, *at = next_line(r, &end);
    char line[LINE + 1];
    size_t length = (size_t)(end - at) < LINE ? (size_t)(end - at) : LINE;
    if (!has_header(at, (size_t)(end - at)))
        return line_error(r, 1, "it has no line '#version: 0.2' as CLIP's merges file");
    memcpy(line, at, length);
    line[length] = '\0';
    const char *said = strstr(line, "merges:");
    *merges = BPE_MERGES_MOST;
    if (said && (sscanf(said, "merges: %6d", merges) != 1 || *merges < 0 || *merges > BPE_MERGES_MOST))
        return line_error(r, 1, "the number of merges is not one from 0 to 48894");
    return true;
}

static bool read_merges(reader *r, int merges)
{
    bool ends = merges == 0;
    for (int i = 0; i < merges; ++i) {
        if (r->at == r->end)
            return error_set(r->err, ERROR_FORMAT,
                             "%s: not a usable tokenizer: it ends after %d of %d merges; was it cut short?",
                             r->path, i, merges);
        if (!read_merge(r, i + 2)) return false;
        ends = ends || r->m->tokens[r->m->count - 1].ends;
    }
    return ends ||
           error_set(r->err, ERROR_FORMAT,
                     "%s: not a usable tokenizer: no merge ends a word with '</w>', as CLIP's do", r->path);
}

/* Names and bytes are no longer than the file, and a little for the single bytes. */
static bool reserve(reader *r, int merges, size_t size)
{
    size_t tokens = 2 * BPE_MERGES_BYTES + (size_t)merges, places = 1024;
    while (places < 2 * tokens) places *= 2;
    bpe_merges *m = r->m;
    m->mask = (uint32_t)places - 1;
    m->tokens = malloc(tokens * sizeof *m->tokens);
    m->joined = malloc(places * sizeof *m->joined);
    r->named = malloc(places * sizeof *r->named);
    m->names = malloc(size + 8192);
    m->bytes = malloc(size + 8192);
    if (!m->tokens || !m->joined || !r->named || !m->names || !m->bytes)
        return error_set(r->err, ERROR_MEMORY, "%s: memory ran out for a tokenizer of %zu tokens", r->path,
                         tokens);
    memset(m->joined, 0xff, places * sizeof *m->joined);
    memset(r->named, 0xff, places * sizeof *r->named);
    return true;
}

static bool read_text(bpe_merges *m, const char *path, const char *text, size_t size, error *err)
{
    reader r = { .path = path, .at = text, .end = text + size, .m = m, .err = err };
    int merges;
    bool good = read_header(&r, &merges) && reserve(&r, merges, size);
    if (good) {
        add_bytes(&r, false);
        add_bytes(&r, true);
        good = read_merges(&r, merges);
    }
    free(r.named);
    return good;
}

bool bpe_merges_read(bpe_merges *m, const char *path, const void *file, size_t size, error *err)
{
    char *unpacked = NULL;
    *m = (bpe_merges){ 0 };
    if (bpe_unpack_known(file, size) && !(unpacked = bpe_unpack(path, file, size, &size, err))) return false;
    bool good = read_text(m, path, unpacked ? unpacked : file, size, err);
    free(unpacked);
    if (!good) bpe_merges_free(m);
    return good;
}

void bpe_merges_free(bpe_merges *m)
{
    free(m->tokens);
    free(m->joined);
    free(m->names);
    free(m->bytes);
    *m = (bpe_merges){ 0 };
}
