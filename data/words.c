/* words.c -- collects, sorts and looks up words.
 * SPDX-License-Identifier: MIT */
#include "data/words.h"

#include "host/base/utf8.h"
#include "host/base/arena.h"
#include "host/base/file.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MOST     (64 << 20) /* bytes */
#define COLLECT_FIRST 4096       /* words between two sortings, while the list is short */

struct words {
    arena *memory; /* the words' text */
    const char **list;
    int64_t count, capacity;
};

static words *create(error *err)
{
    words *w = calloc(1, sizeof *w);
    if (w) w->memory = arena_create();
    if (w && w->memory) return w;
    free(w);
    return error_null(err, ERROR_MEMORY, "memory ran out while making a list of words");
}

void words_destroy(words *w)
{
    if (!w) return;
    arena_destroy(w->memory);
    free(w->list);
    free(w);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort(words *w)
{
    int64_t kept = 0;
    if (w->count == 0) return;
    qsort(w->list, (size_t)w->count, sizeof *w->list, compare);
    for (int64_t i = 0; i < w->count; ++i)
        if (kept == 0 || strcmp(w->list[i], w->list[kept - 1]) != 0) w->list[kept++] = w->list[i];
    w->count = kept;
}

static bool grow(words *w)
{
    int64_t capacity = w->capacity ? 2 * w->capacity : COLLECT_FIRST;
    const char **larger = realloc(w->list, (size_t)capacity * sizeof *larger);
    if (!larger) return false;
    w->list = larger;
    w->capacity = capacity;
    return true;
}

static bool add(words *w, const char *word)
{
    if (w->count == w->capacity && !grow(w)) return false;
    const char *copy = arena_strdup(w->memory, word);
    if (copy) w->list[w->count++] = copy;
    return copy != NULL;
}

/* Moves the next word of checked text into `word`, which has room for all of the text. */
static bool next_word(const char **text, char *word)
{
    size_t length = 0;
    for (;;) {
        const char *before = *text;
        uint32_t c = utf8_next(text);
        if (c && utf8_is_letter(c)) {
            length += (size_t)utf8_put(utf8_lower(c), word + length);
        } else if (length || c == 0) {
            *text = length ? before : *text;
            word[length] = '\0';
            return length > 0;
        }
    }
}

/* Adds one caption's words that the sorted first part of the list does not have. */
static bool add_caption(words *w, const char *caption, int64_t *sorted)
{
    char *word = malloc(2 * strlen(caption) + 1);
    bool good = word != NULL;
    for (const char *text = caption; good && next_word(&text, word);) {
        const char *key = word;
        if (*sorted && bsearch(&key, w->list, (size_t)*sorted, sizeof *w->list, compare)) continue;
        good = add(w, word);
        if (w->count < w->capacity) continue;
        sort(w);
        *sorted = w->count;
        if (good && w->count > w->capacity / 2) good = grow(w);
    }
    free(word);
    return good;
}

words *words_collect(const char *const *captions, int64_t count, error *err)
{
    words *w = create(err);
    int64_t sorted = 0;
    for (int64_t i = 0; w && i < count; ++i) {
        int64_t bad = utf8_check(captions[i]);
        bool good = bad < 0 && add_caption(w, captions[i], &sorted);
        if (good) continue;
        if (bad >= 0)
            error_set(err, ERROR_FORMAT, "caption %lld is not valid UTF-8 at byte %lld", (long long)i + 1,
                      (long long)bad + 1);
        else
            error_set(err, ERROR_MEMORY, "memory ran out after %lld words", (long long)w->count);
        words_destroy(w);
        return NULL;
    }
    if (w) sort(w);
    return w;
}

static bool parse_lines(words *w, char *text, const char *where, error *err)
{
    int64_t number = 1;
    for (char *line = text, *end; *line; line = end, ++number) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        char *carriage = strchr(line, '\r');
        if (carriage && carriage[1] == '\0') *carriage = '\0';
        if (!*line || utf8_check(line) >= 0)
            return error_set(err, ERROR_FORMAT, "%s:%lld: expected a word", where, (long long)number);
        if (w->count && strcmp(w->list[w->count - 1], line) >= 0)
            return error_set(err, ERROR_FORMAT, "%s:%lld: '%.60s' is not in order; the file was changed",
                             where, (long long)number, line);
        if (!add(w, line)) return error_set(err, ERROR_MEMORY, "%s: memory ran out", where);
    }
    return true;
}

words *words_parse(const char *text, const char *where, error *err)
{
    words *w = create(err);
    if (!w) return NULL;
    char *copy = strdup(text);
    bool good = copy != NULL;
    if (!good) error_set(err, ERROR_MEMORY, "%s: memory ran out", where);
    good = good && parse_lines(w, copy, where, err);
    free(copy);
    if (good) return w;
    words_destroy(w);
    return NULL;
}

words *words_open(const char *path, error *err)
{
    size_t size = 0;
    words *w = NULL;
    char *text = file_read_most(path, FILE_MOST, &size, err);
    if (text && strlen(text) != size)
        error_set(err, ERROR_FORMAT, "%s: not a list of words: byte %zu is 0", path, strlen(text) + 1);
    else if (text)
        w = words_parse(text, path, err);
    free(text);
    return w;
}

char *words_format(const words *w)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    for (int64_t i = 0; i < w->count; ++i) fprintf(out, "%s\n", w->list[i]);
    bool good = !ferror(out);
    if (fclose(out) == 0 && good) return text;
    free(text);
    return NULL;
}

bool words_save(const words *w, const char *path, error *err)
{
    char *text = words_format(w);
    if (!text) return error_set(err, ERROR_MEMORY, "memory ran out while writing '%s'", path);
    bool good = file_write(path, text, strlen(text), err);
    free(text);
    return good;
}

const char *const *words_list(const words *w)
{
    return w->list;
}

int64_t words_count(const words *w)
{
    return w->count;
}

bool words_has(const words *w, const char *word)
{
    return w->count && bsearch(&word, w->list, (size_t)w->count, sizeof *w->list, compare);
}

int words_unseen(const words *w, const char *caption, char ***unseen, error *err)
{
    int64_t bad = utf8_check(caption);
    *unseen = NULL;
    if (bad >= 0) {
        error_set(err, ERROR_USAGE, "the text is not valid UTF-8: byte %lld is 0x%02x", (long long)bad + 1,
                  (unsigned char)caption[bad]);
        return -1;
    }
    /* Words are separated, so there are at most half as many as bytes; a lower-case letter has at most
     * twice the bytes of its capital. */
    size_t length = strlen(caption), most = length / 2 + 2;
    char **list = malloc(most * sizeof *list + 2 * length + most + 1);
    if (!list) {
        error_set(err, ERROR_MEMORY, "memory ran out while looking up words");
        return -1;
    }
    char *word = (char *)(list + most);
    int count = 0;
    for (const char *text = caption; next_word(&text, word);) {
        bool known = words_has(w, word);
        for (int i = 0; i < count && !known; ++i) known = strcmp(list[i], word) == 0;
        if (known) continue;
        list[count++] = word;
        word += strlen(word) + 1;
    }
    list[count] = NULL;
    *unseen = list;
    return count;
}
