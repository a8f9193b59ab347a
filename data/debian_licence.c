/* debian_licence.c -- reads DOC/PACKAGE/copyright.
 * SPDX-License-Identifier: MIT */
#include "data/debian_licence.h"
#include "host/base/file.h"
#include "host/base/utf8.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct reader {
    arena *memory;
    debian_licence *out;
    int room;
    debian_stanza now;
    const char **field; /* where a line that goes on belongs to; NULL: nowhere */
    bool failed;        /* no memory */
} reader;

/* "2008, 2009 by Ann Author <ann@x.org>", or "Ann Author, 2009", without years and address. */
static const char *author_of(arena *memory, const char *text)
{
    static const char *const words[] = { "Copyright", "(c)", "\xc2\xa9", "by " };
    for (bool more = true; more;) {
        more = false;
        size_t skip = strspn(text, " \t\n0123456789,.-");
        if (skip) text += skip, more = true;
        for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
            if (strncasecmp(text, words[i], strlen(words[i])) == 0) text += strlen(words[i]), more = true;
    }
    const char *address = strpbrk(text, "<\n");
    size_t length = address ? (size_t)(address - text) : strlen(text);
    while (length && strchr(" \t,0123456789", text[length - 1])) --length;
    return arena_printf(memory, "%.*s", (int)length, text);
}

static void end_stanza(reader *r)
{
    debian_stanza s = r->now;
    r->now = (debian_stanza){ 0 };
    r->field = NULL;
    if (!s.patterns || !s.licence || r->failed) return;
    if (r->out->count == r->room) {
        int room = 2 * r->room + 16;
        debian_stanza *more = arena_alloc(r->memory, (size_t)room * sizeof *more);
        if (!more) {
            r->failed = true;
            return;
        }
        if (r->room) memcpy(more, r->out->stanzas, (size_t)r->room * sizeof *more);
        r->out->stanzas = more;
        r->room = room;
    }
    s.author = author_of(r->memory, s.author ? s.author : "");
    if (s.author && utf8_check(s.author) >= 0) s.author = "";
    r->failed = !s.author;
    r->out->stanzas[r->out->count++] = s;
}

static void take_line(reader *r, const char *line, size_t length)
{
    static const char *const names[] = { "Files:", "Copyright:", "License:" };
    const char **fields[] = { &r->now.patterns, &r->now.author, &r->now.licence };
    if (*line == ' ' || *line == '\t') {
        /* What follows a licence's name is its text. */
        if (!r->field || r->field == &r->now.licence) return;
        *r->field = arena_printf(r->memory, "%s\n%.*s", *r->field, (int)length, line);
        r->failed = r->failed || !*r->field;
        return;
    }
    r->field = NULL;
    for (int i = 0; i < 3; ++i) {
        size_t name = strlen(names[i]);
        if (length < name || strncasecmp(line, names[i], name) != 0) continue;
        while (name < length && strchr(" \t", line[name])) ++name;
        r->field = fields[i];
        *r->field = arena_printf(r->memory, "%.*s", (int)(length - name), line + name);
        r->failed = r->failed || !*r->field;
    }
}

static void read_lines(reader *r, const char *text)
{
    while (*text && !r->failed) {
        size_t length = strcspn(text, "\n"), used = length;
        while (used && strchr(" \t\r", text[used - 1])) --used;
        if (used)
            take_line(r, text, used);
        else
            end_stanza(r);
        text += length + (text[length] != 0);
    }
    end_stanza(r);
}

bool debian_licence_read(const char *root, const char *package, arena *memory, debian_licence *out,
                         error *err)
{
    *out = (debian_licence){ 0 };
    char name[256];
    snprintf(name, sizeof name, "usr/share/doc/%s/copyright", package);
    char *path = file_join(root, name);
    if (!path) return error_set(err, ERROR_MEMORY, "no memory for the licence of %s", package);
    if (!file_exists(path)) {
        free(path);
        return true;
    }
    char *text = file_read(path, NULL, err);
    free(path);
    if (!text) return false;
    reader r = { .memory = memory, .out = out };
    if (strncmp(text, "Format:", 7) == 0) read_lines(&r, text);
    free(text);
    return !r.failed || error_set(err, ERROR_MEMORY, "no memory for the licence of %s", package);
}

static bool fits(const char *pattern, const char *file)
{
    const char *name = strrchr(pattern, '/'), *end = file;
    for (; end; end = strchr(end, '/')) {
        if (*end == '/') ++end;
        if (fnmatch(pattern, end, 0) == 0) return true;
        if (name && !strpbrk(name, "*?") && strcmp(name + 1, end) == 0) return true;
    }
    return false;
}

static bool stanza_fits(const debian_stanza *s, const char *file)
{
    for (const char *p = s->patterns; *p;) {
        char pattern[512];
        p += strspn(p, " \t\n,");
        size_t length = strcspn(p, " \t\n,");
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, p);
        if (length && length < sizeof pattern && fits(pattern, file)) return true;
        p += length;
    }
    return false;
}

const debian_stanza *debian_licence_of(const debian_licence *l, const char *file)
{
    for (int i = l->count - 1; i >= 0; --i)
        if (stanza_fits(&l->stanzas[i], file)) return &l->stanzas[i];
    return NULL;
}
