/* dataset_table.c -- tables of pictures and captions: CSV (RFC 4180) and TSV, as OpenCLIP takes them.
 * A field that begins with a quote goes on to the next single one, over separators and lines; "" in it is a
 * quote.  Lines end with LF, CRLF or CR.  What is wrong with a line costs that line, and a quote that is
 * never closed the line that it stands in.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_listing.h"
#include "data/dataset_text.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "host/base/utf8.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COLUMNS = 1024, RECORD = 1 << 20 /* bytes; a longer one has a quote that is not closed */ };

/* Known headers, the first the best. */
static const char *const path_names[] = { "filepath", "path", "file", "file_name", "image", "filename" };
static const char *const caption_names[] = { "caption", "title", "text", "prompt" };

typedef struct field {
    char *text; /* with a NUL; in the reader's scratch */
    size_t length;
} field;

typedef struct table {
    const source_options *options;
    const char *path;
    int source;
    member_list *list;
    listing rows;
    const char *at, *end;
    int64_t line, next_line; /* counts from 1: of the record, and behind it */
    char separator;
    field fields[COLUMNS];
    int count;
    char *scratch;                   /* RECORD + COLUMNS bytes */
    int path_column, caption_column; /* count from 0; the second -1: none */
    error *err;
} table;

/* ---- Records ------------------------------------------------------------------------------------ */

static bool leave_out(const table *t, const char *why)
{
    char name[32];
    snprintf(name, sizeof name, "line %lld", (long long)t->line);
    return source_leave_out(t->list, t->source, name, why, t->err);
}

/* Where reading is within a record. */
typedef struct place {
    const char *at;
    char *out;
    int64_t lines;
} place;

static void end_line(const table *t, place *p)
{
    p->at += *p->at == '\r' && p->at + 1 < t->end && p->at[1] == '\n' ? 2 : 1;
    ++p->lines;
}

/* Behind the opening quote up to behind the closing one; false if there is none within a record's bytes. */
static bool read_quoted(const table *t, const char *begin, place *p)
{
    for (;;) {
        if (p->at == t->end || p->at - begin >= RECORD) return false;
        if (*p->at == '"' && (p->at + 1 == t->end || p->at[1] != '"')) return ++p->at, true;
        if (*p->at == '"') ++p->at;
        bool line = *p->at == '\n' || (*p->at == '\r' && (p->at + 1 == t->end || p->at[1] != '\n'));
        p->lines += line;
        *p->out++ = *p->at++;
    }
}

static bool is_end(char c)
{
    return c == '\n' || c == '\r';
}

/* Up to the separator or the line's end; false where the record is too long. */
static bool read_field(table *t, const char *begin, place *p)
{
    field *f = t->count < COLUMNS ? &t->fields[t->count++] : &t->fields[COLUMNS - 1];
    f->text = p->out;
    if (p->at < t->end && *p->at == '"') {
        ++p->at;
        if (!read_quoted(t, begin, p)) return false;
    }
    while (p->at < t->end && !is_end(*p->at) && *p->at != t->separator) {
        if (p->at - begin >= RECORD) return false;
        *p->out++ = *p->at++;
    }
    f->length = (size_t)(p->out - f->text);
    *p->out++ = 0;
    return true;
}

/* The next record's fields; false at the end.  *good is false where it has none that can be used. */
static bool read_record(table *t, bool *good)
{
    if (t->at == t->end) return false;
    const char *begin = t->at;
    place p = { begin, t->scratch, 0 };
    t->line = t->next_line;
    t->count = 0;
    *good = true;
    while ((*good = read_field(t, begin, &p)) && p.at < t->end && *p.at == t->separator) ++p.at;
    if (!*good) { /* goes on behind the line in which the record began */
        p = (place){ begin, t->scratch, 0 };
        while (p.at < t->end && !is_end(*p.at)) ++p.at;
    }
    if (p.at < t->end) end_line(t, &p);
    t->at = p.at;
    t->next_line += p.lines;
    return true;
}

/* ---- Columns ------------------------------------------------------------------------------------ */

static bool is_name(const field *f, const char *name)
{
    const char *text = f->text;
    size_t length = strlen(name);
    while (isspace((unsigned char)*text)) ++text;
    if (strncasecmp(text, name, length) != 0) return false;
    for (text += length; isspace((unsigned char)*text); ++text) continue;
    return !*text;
}

static int find_column(const table *t, const char *const *names, int count)
{
    for (int n = 0; n < count; ++n)
        for (int i = 0; i < t->count; ++i)
            if (is_name(&t->fields[i], names[n])) return i;
    return -1;
}

/* The column that an option names: as the header has it, or by its number. */
static int find_given(const table *t, const char *name, bool *header)
{
    int found = find_column(t, &name, 1);
    if (found >= 0) return *header = true, found;
    char *end;
    long number = strtol(name, &end, 10);
    return *end || number < 1 || number > t->count ? -1 : (int)number - 1;
}

static bool unknown_columns(const table *t, const char *given, const char *kind)
{
    char names[400] = "", missing[100];
    snprintf(missing, sizeof missing, "%s%.80s%s", given ? "'" : "", given ? given : kind, given ? "'" : "");
    for (int i = 0; i < t->count && strlen(names) < sizeof names - 50; ++i)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s'%.40s'", i ? ", " : "",
                 t->fields[i].text);
    return error_set(
        t->err, ERROR_FORMAT,
        "%s: has no column %s; its first line has %s: name them as in '%s?path=image&caption=text', "
        "or by number, path=1&caption=2",
        t->path, missing, names, t->path);
}

/* From the first record.  *header: it holds names, and no picture. */
static bool choose_columns(table *t, bool *header)
{
    const source_options *o = t->options;
    enum {
        PATHS = sizeof path_names / sizeof *path_names,
        CAPTIONS = sizeof caption_names / sizeof *caption_names
    };
    int path = find_column(t, path_names, PATHS), caption = find_column(t, caption_names, CAPTIONS);
    *header = path >= 0 || caption >= 0;
    bool bare = !*header && t->count == 2;
    if (bare) path = 0, caption = 1;
    if (o->path) path = find_given(t, o->path, header);
    if (o->caption) caption = find_given(t, o->caption, header);
    if (path < 0) return unknown_columns(t, o->path, "of paths");
    if (caption < 0 && (o->caption || t->count > 1)) return unknown_columns(t, o->caption, "of captions");
    t->path_column = path;
    t->caption_column = caption;
    if (*header)
        log_info("%s: pictures are in the column '%s', captions in '%s'", t->path, t->fields[path].text,
                 caption < 0 ? "(none)" : t->fields[caption].text);
    return true;
}

/* A table of one column may be of another separator than its name says. */
static char guess_separator(const char *name, const char *text)
{
    static const char others[] = ",;\t|";
    size_t length = strlen(name), line = strcspn(text, "\r\n");
    char own = length > 4 && strcasecmp(name + length - 4, ".tsv") == 0 ? '\t' : ',';
    if (memchr(text, own, line)) return own;
    for (const char *c = others; *c; ++c)
        if (memchr(text, *c, line)) return *c;
    return own;
}

/* ---- Rows --------------------------------------------------------------------------------------- */

/* A field that can be used, without the spaces around it; NULL with the reason. */
static const char *take_field(const table *t, int column, const char **why)
{
    field f = t->fields[column];
    *why = "holds a zero byte";
    if (memchr(f.text, 0, f.length)) return NULL;
    *why = "is not UTF-8; it may be Latin-1: convert the table with iconv";
    if (utf8_check(f.text) >= 0) return NULL;
    while (f.length && isspace((unsigned char)f.text[f.length - 1])) f.text[--f.length] = 0;
    while (isspace((unsigned char)*f.text)) ++f.text;
    return f.text;
}

static bool add_row(table *t)
{
    const char *why;
    char text[120];
    int last = t->path_column > t->caption_column ? t->path_column : t->caption_column;
    if (t->count == 1 && t->fields[0].length == 0) return true;
    snprintf(text, sizeof text, "has %d columns; column %d is needed", t->count, last + 1);
    if (t->count <= last) return leave_out(t, text);
    const char *path = take_field(t, t->path_column, &why);
    if (!path) return leave_out(t, why);
    if (!*path) return leave_out(t, "names no picture");
    if (!listing_add_picture(&t->rows, path, path, strlen(path), t->err)) return false;
    if (t->caption_column < 0) return true;
    const char *caption = take_field(t, t->caption_column, &why);
    if (!caption && !leave_out(t, why)) return false;
    return listing_add_caption(&t->rows, path, caption ? caption : "", caption ? strlen(caption) : 0, t->err);
}

static bool read_rows(table *t)
{
    bool good, header = false, first = true;
    while (read_record(t, &good)) {
        bool blank = good && t->count == 1 && t->fields[0].length == 0;
        if (!good && !leave_out(t, "a quote in it is never closed")) return false;
        if (!good || blank) continue;
        if (first && !choose_columns(t, &header)) return false;
        if (!(first && header) && !add_row(t)) return false;
        first = false;
    }
    return true;
}

static bool list_rows(table *t)
{
    char *folder = listing_folder(t->path, t->options->pictures);
    if (!folder) return error_set(t->err, ERROR_MEMORY, "no memory for the table '%s'", t->path);
    bool done = (!t->options->pictures || listing_check_folder(t->path, folder, t->err)) && read_rows(t) &&
                listing_make(&t->rows, t->list, folder, t->source, t->err);
    free(folder);
    return done;
}

bool source_table(member_list *list, const char *path, int source, error *err)
{
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    table *t = calloc(1, sizeof *t);
    char *scratch = malloc(RECORD + COLUMNS + 1);
    bool done = t && scratch ? true : error_set(err, ERROR_MEMORY, "no memory for the table '%s'", path);
    if (done) {
        *t = (table){ .options = list->options, .path = path, .source = source, .list = list, .err = err };
        t->scratch = scratch;
        t->next_line = 1;
        done = listing_begin(&t->rows, err);
    }
    if (done) {
        dataset_text_fault fault;
        const char *text = dataset_text_utf8(t->rows.memory, bytes, size, &fault); /* of UTF-16 a copy */
        t->at = text ? text : bytes + (strncmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
        t->end = text ? text + strlen(text) : bytes + size;
        t->separator = list->options->separator ? list->options->separator : guess_separator(path, t->at);
        done =
            fault.memory ? error_set(err, ERROR_MEMORY, "no memory for the table '%s'", path) : list_rows(t);
        listing_free(&t->rows);
    }
    free(scratch);
    free(t);
    free(bytes);
    return done;
}
