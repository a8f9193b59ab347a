/* config.c -- reads, prints and documents settings from their table.
 * A value that holds '#', quotes, line breaks or outer spaces is written in double quotes, with
 * \", \\ and \n; elsewhere '#' starts a comment at the start of a line or after a space.
 * SPDX-License-Identifier: MIT */
#include "host/base/config.h"
#include "host/base/file.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stretch of the text being read. */
typedef struct span {
    const char *at;
    size_t length;
} span;

static span trim(const char *from, const char *to)
{
    while (from < to && isspace((unsigned char)*from)) ++from;
    while (from < to && isspace((unsigned char)to[-1])) --to;
    return (span){ from, (size_t)(to - from) };
}

static const char *comment_start(const char *from, const char *end)
{
    for (const char *c = from; c < end; ++c)
        if (*c == '#' && (c == from || isspace((unsigned char)c[-1]))) return c;
    return end;
}

static bool too_long(const char *where, error *err)
{
    return error_set(err, ERROR_USAGE, "%s: the value is longer than %d bytes", where, CONFIG_TEXT_SIZE - 1);
}

/* Reads "..." with its escapes; nothing but a comment may follow. */
static bool read_quoted(span text, char out[CONFIG_TEXT_SIZE], bool comments, const char *where, error *err)
{
    const char *c = text.at + 1, *end = text.at + text.length;
    size_t length = 0;
    for (; c < end && *c != '"'; ++c) {
        char byte = *c;
        if (byte == '\\' && c + 1 < end) {
            ++c;
            byte = *c == 'n' ? '\n' : *c == 'r' ? '\r' : *c;
        }
        if (length + 1 >= CONFIG_TEXT_SIZE) return too_long(where, err);
        out[length++] = byte;
    }
    out[length] = '\0';
    if (c == end) return error_set(err, ERROR_USAGE, "%s: the quoted value has no closing '\"'", where);
    span rest = trim(c + 1, end);
    if (rest.length == 0 || (comments && *rest.at == '#')) return true;
    return error_set(err, ERROR_USAGE, "%s: '%.*s' follows the quoted value", where, (int)rest.length,
                     rest.at);
}

static bool read_value(const char *from, const char *end, char out[CONFIG_TEXT_SIZE], bool comments,
                       const char *where, error *err)
{
    span text = trim(from, end);
    if (text.length && *text.at == '"') return read_quoted(text, out, comments, where, err);
    if (comments) text = trim(from, comment_start(from, end));
    if (text.length >= CONFIG_TEXT_SIZE) return too_long(where, err);
    memcpy(out, text.at, text.length);
    out[text.length] = '\0';
    return true;
}

static bool range_error(const config_field *f, const char *value, const char *where, error *err)
{
    return error_set(err, ERROR_USAGE, "%s: %s = %s is outside its range, %.16g to %.16g", where, f->key,
                     value, f->low, f->high);
}

bool config_is_number(const char *text, bool whole)
{
    static const char digits[] = "0123456789";
    text += *text == '-' || *text == '+';
    size_t before = strspn(text, digits), after = 0;
    text += before;
    if (!whole && *text == '.') {
        after = strspn(text + 1, digits);
        text += 1 + after;
    }
    if (!before && !after) return false;
    if (!whole && (*text == 'e' || *text == 'E')) {
        text += 1 + (text[1] == '-' || text[1] == '+');
        size_t exponent = strspn(text, digits);
        if (!exponent) return false;
        text += exponent;
    }
    return *text == '\0';
}

static bool store_int(const config_field *f, void *at, const char *value, const char *where, error *err)
{
    errno = 0;
    long long number = strtoll(value, NULL, 10);
    if (!config_is_number(value, true))
        return error_set(err, ERROR_USAGE, "%s: %s = '%s' is not a whole number", where, f->key, value);
    if (errno == ERANGE || (double)number < f->low || (double)number > f->high)
        return range_error(f, value, where, err);
    *(int64_t *)at = number;
    return true;
}

static bool store_real(const config_field *f, void *at, const char *value, const char *where, error *err)
{
    double number = strtod(value, NULL);
    if (!config_is_number(value, false))
        return error_set(err, ERROR_USAGE, "%s: %s = '%s' is not a number", where, f->key, value);
    if (!(number >= f->low && number <= f->high) || !isfinite(number))
        return range_error(f, value, where, err);
    *(double *)at = number;
    return true;
}

static bool store_bool(const config_field *f, void *at, const char *value, const char *where, error *err)
{
    static const char *const words[2][4] = { { "no", "false", "off", "0" }, { "yes", "true", "on", "1" } };
    for (int truth = 0; truth < 2; ++truth)
        for (int i = 0; i < 4; ++i)
            if (strcmp(value, words[truth][i]) == 0) return *(bool *)at = truth != 0, true;
    return error_set(err, ERROR_USAGE, "%s: %s = '%s' is neither yes nor no", where, f->key, value);
}

/* The choice of that number, or an empty span past the last. */
static span choice_at(const config_field *f, unsigned number)
{
    const char *word = f->choices;
    for (; number && word; --number) word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL;
    return word ? (span){ word, strcspn(word, "|") } : (span){ "", 0 };
}

static bool store_choice(const config_field *f, void *at, const char *value, const char *where, error *err)
{
    span word;
    for (unsigned i = 0; (word = choice_at(f, i)).length; ++i) {
        if (word.length != strlen(value) || strncmp(word.at, value, word.length) != 0) continue;
        memcpy(at, &i, sizeof i);
        return true;
    }
    return error_set(err, ERROR_USAGE, "%s: %s = '%s' is not one of %s", where, f->key, value, f->choices);
}

static bool store(const config_field *f, void *config, const char *value, const char *where, error *err)
{
    void *at = (char *)config + f->offset;
    switch (f->type) {
    case CONFIG_TYPE_INT:
        return store_int(f, at, value, where, err);
    case CONFIG_TYPE_REAL:
        return store_real(f, at, value, where, err);
    case CONFIG_TYPE_BOOL:
        return store_bool(f, at, value, where, err);
    case CONFIG_TYPE_CHOICE:
        return store_choice(f, at, value, where, err);
    case CONFIG_TYPE_TEXT:
        memcpy(at, value, strlen(value) + 1);
        return true;
    }
    CHECK(false, "config type %d", (int)f->type);
    return false;
}

static bool is_word(span key, const char *word)
{
    return strlen(word) == key.length && memcmp(word, key.at, key.length) == 0;
}

static const config_field *find_span(const config_table *table, span key)
{
    for (const config_alias *a = table->aliases; a && a->name; ++a)
        if (a->key && is_word(key, a->name)) key = (span){ a->key, strlen(a->key) };
    for (int i = 0; i < table->count; ++i)
        if (is_word(key, table->fields[i].key)) return &table->fields[i];
    return NULL;
}

static bool unknown_key(const config_table *table, span key, const char *where, error *err)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(key.length < 63 ? key.length : 63), key.at);
    const char **names = malloc((size_t)table->count * sizeof *names);
    const char *near = NULL;
    if (names) {
        for (int i = 0; i < table->count; ++i) names[i] = table->fields[i].key;
        near = config_nearest(word, names, table->count);
    }
    free(names);
    if (near)
        return error_set(err, ERROR_USAGE, "%s: unknown key '%s'; did you mean '%s'?", where, word, near);
    return error_set(err, ERROR_USAGE, "%s: unknown key '%s'; %s has no key like it", where, word,
                     table->name);
}

/* Reads one "key = value"; *field tells which it was. */
static bool read_pair(const config_table *table, void *config, span line, bool comments, const char *where,
                      const config_field **field, error *err)
{
    const char *end = line.at + line.length, *equals = memchr(line.at, '=', line.length);
    span key = trim(line.at, equals ? equals : end);
    if (!equals || key.length == 0)
        return error_set(err, ERROR_USAGE, "%s: expected 'key = value', found '%.*s'", where,
                         (int)(line.length < 80 ? line.length : 80), line.at);
    *field = find_span(table, key);
    if (!*field) return unknown_key(table, key, where, err);
    char value[CONFIG_TEXT_SIZE];
    return read_value(equals + 1, end, value, comments, where, err) &&
           store(*field, config, value, where, err);
}

/* Whether the line sets what is no setting any more. */
static bool is_retired(const config_table *table, span line)
{
    const char *equals = memchr(line.at, '=', line.length);
    span key = trim(line.at, equals ? equals : line.at);
    for (const config_alias *a = table->aliases; a && a->name; ++a)
        if (!a->key && is_word(key, a->name)) return true;
    return false;
}

void config_defaults(const config_table *table, void *config)
{
    memset(config, 0, table->size);
    for (int i = 0; i < table->count; ++i) {
        error err = { 0 };
        bool good = store(&table->fields[i], config, table->fields[i].value, table->name, &err);
        CHECK(good, "default of '%s': %s", table->fields[i].key, err.message);
    }
}

static bool parse_lines(const config_table *table, void *config, const char *text, const char *name,
                        int *lines, error *err)
{
    int number = 0;
    for (const char *line = text, *next; line; line = next) {
        const char *end = line + strcspn(line, "\n");
        next = *end ? end + 1 : NULL;
        ++number;
        span content = trim(line, end);
        if (content.length == 0 || *content.at == '#' || is_retired(table, content)) continue;
        char where[512];
        snprintf(where, sizeof where, "%s:%d", name, number);
        const config_field *field = NULL;
        if (!read_pair(table, config, content, true, where, &field, err)) return false;
        int *first = &lines[field - table->fields];
        if (*first)
            return error_set(err, ERROR_USAGE, "%s: key '%s' is repeated; it was first set in line %d", where,
                             field->key, *first);
        *first = number;
    }
    return true;
}

/* A failed text leaves the settings as they were. */
bool config_parse(const config_table *table, void *config, const char *text, const char *where, error *err)
{
    int *lines = calloc((size_t)table->count + 1, sizeof *lines); /* where each key was set */
    void *draft = malloc(table->size + 1);
    bool good = lines && draft;
    if (!good) error_set(err, ERROR_MEMORY, "memory ran out while reading settings");
    if (good) {
        memcpy(draft, config, table->size);
        good = parse_lines(table, draft, text, where ? where : table->name, lines, err);
    }
    if (good) memcpy(config, draft, table->size);
    free(lines);
    free(draft);
    return good;
}

bool config_read(const config_table *table, void *config, const char *path, error *err)
{
    size_t size;
    char *text = file_read_most(path, CONFIG_FILE_MOST, &size, err);
    bool good = text != NULL;
    if (good && strlen(text) != size)
        good = error_set(err, ERROR_USAGE, "%s: holds a zero byte; settings are lines of text", path);
    good = good && config_parse(table, config, text, path, err);
    free(text);
    return good;
}

bool config_assign(const config_table *table, void *config, const char *assignment, const char *where,
                   error *err)
{
    const config_field *field = NULL;
    span line = trim(assignment, assignment + strlen(assignment));
    return read_pair(table, config, line, false, where ? where : table->name, &field, err);
}

/* The shortest of the usual forms that reads back as the same number. */
static void print_real(FILE *out, double value)
{
    char text[40];
    for (int digits = 6; digits <= 17; ++digits) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    fputs(text, out);
}

static void print_text(FILE *out, const char *text)
{
    size_t length = strlen(text);
    bool plain = trim(text, text + length).length == length && !strpbrk(text, "#\"\\\n\r");
    if (plain) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; ++text) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        if (*text == '\n' || *text == '\r')
            fputs(*text == '\n' ? "\\n" : "\\r", out);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void print_choice(FILE *out, const config_field *f, const void *at)
{
    unsigned number;
    memcpy(&number, at, sizeof number);
    span word = choice_at(f, number);
    CHECK(word.length, "%s has no choice %u", f->key, number);
    fprintf(out, "%.*s", (int)word.length, word.at);
}

static void print_value(FILE *out, const config_field *f, const void *config)
{
    const void *at = (const char *)config + f->offset;
    switch (f->type) {
    case CONFIG_TYPE_INT:
        fprintf(out, "%lld", (long long)*(const int64_t *)at);
        break;
    case CONFIG_TYPE_REAL:
        print_real(out, *(const double *)at);
        break;
    case CONFIG_TYPE_BOOL:
        fputs(*(const bool *)at ? "yes" : "no", out);
        break;
    case CONFIG_TYPE_CHOICE:
        print_choice(out, f, at);
        break;
    case CONFIG_TYPE_TEXT:
        print_text(out, at);
        break;
    }
}

char *config_format(const config_table *table, const void *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    for (int i = 0; i < table->count; ++i) {
        fprintf(out, "%s = ", table->fields[i].key);
        print_value(out, &table->fields[i], config);
        fputc('\n', out);
    }
    return file_stream_text(out, &text);
}

char *config_value(const config_field *f, const void *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    print_value(out, f, config);
    return file_stream_text(out, &text);
}

static size_t value_size(const config_field *f)
{
    return f->type == CONFIG_TYPE_INT      ? sizeof(int64_t)
           : f->type == CONFIG_TYPE_REAL   ? sizeof(double)
           : f->type == CONFIG_TYPE_BOOL   ? sizeof(bool)
           : f->type == CONFIG_TYPE_CHOICE ? sizeof(unsigned)
                                           : CONFIG_TEXT_SIZE;
}

bool config_same(const config_field *f, const void *a, const void *b)
{
    const char *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;
    if (f->type == CONFIG_TYPE_TEXT) return strcmp(x, y) == 0;
    return memcmp(x, y, value_size(f)) == 0;
}

void config_copy(const config_field *f, void *to, const void *from)
{
    memcpy((char *)to + f->offset, (const char *)from + f->offset, value_size(f));
}

char *config_help(const config_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    for (int i = 0; i < table->count; ++i) {
        const config_field *f = &table->fields[i];
        fprintf(out, "%s = %s\n    %s", f->key, f->value, f->help);
        if (f->type == CONFIG_TYPE_INT || f->type == CONFIG_TYPE_REAL)
            fprintf(out, " (%.10g to %.10g)", f->low, f->high);
        else if (f->type == CONFIG_TYPE_BOOL)
            fputs(" (yes or no)", out);
        else if (f->type == CONFIG_TYPE_CHOICE)
            fprintf(out, " (%s)", f->choices);
        fputc('\n', out);
    }
    return file_stream_text(out, &text);
}

const config_field *config_find(const config_table *table, const char *key)
{
    return find_span(table, (span){ key, strlen(key) });
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Levenshtein's distance, one row at a time; only the first 63 bytes of either word count. */
static int distance(const char *a, const char *b)
{
    int row[64];
    int length = (int)strnlen(b, 63);
    for (int j = 0; j <= length; ++j) row[j] = j;
    for (int i = 1; i < 64 && a[i - 1]; ++i) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; ++j) {
            int change = diagonal + (small(a[i - 1]) != small(b[j - 1]));
            int shift = 1 + (row[j - 1] < row[j] ? row[j - 1] : row[j]);
            diagonal = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[length];
}

/* The only name that the word, of three letters at least, begins. */
static const char *begun(const char *word, const char *const *names, int count)
{
    size_t length = strlen(word);
    const char *found = NULL;
    for (int i = 0; length >= 3 && i < count; ++i) {
        if (strncmp(names[i], word, length) != 0 || (found && strcmp(found, names[i]) == 0)) continue;
        if (found) return NULL;
        found = names[i];
    }
    return found;
}

const char *config_nearest(const char *word, const char *const *names, int count)
{
    const char *best = NULL;
    int least = 0;
    for (int i = 0; i < count; ++i) {
        size_t a = strnlen(word, 63), b = strnlen(names[i], 63);
        int d = distance(word, names[i]), longer = (int)(a > b ? a : b),
            limit = longer > 6 ? longer / 2 : (longer + 1) / 2;
        if (d > limit || (best && d >= least)) continue;
        best = names[i];
        least = d;
    }
    const char *start = begun(word, names, count);
    return start ? start : best;
}
