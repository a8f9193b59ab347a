/* debian_metadata.c -- PNG's text chunks; SVG's Dublin Core through expat.
 * SPDX-License-Identifier: MIT */
#include "data/debian_metadata.h"
#include "host/base/file.h"
#include "host/base/utf8.h"
#include <expat.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- PNG: length, name, bytes, checksum; texts stand before the pixels ---- */

static uint32_t number(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool take_text(const char *chunk, size_t size, arena *memory, debian_metadata *m)
{
    static const char *const names[] = { "Title", "Author", "Description" };
    const char **fields[] = { &m->title, &m->author, &m->description };
    for (int i = 0; i < 3; ++i) {
        size_t name = strlen(names[i]) + 1;
        if (size < name || memcmp(chunk, names[i], name) != 0) continue;
        char *text = arena_printf(memory, "%.*s", (int)(size - name), chunk + name);
        if (!text) return false;
        if (utf8_check(text) < 0) *fields[i] = text;
    }
    return true;
}

bool debian_metadata_png(const char *path, arena *memory, debian_metadata *m, error *err)
{
    size_t size, at = 8;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    bool done = true;
    while (done && at + 12 <= size) {
        size_t length = number((const unsigned char *)bytes + at);
        if (length > size - at - 12 || memcmp(bytes + at + 4, "IDAT", 4) == 0) break;
        if (memcmp(bytes + at + 4, "tEXt", 4) == 0) done = take_text(bytes + at + 8, length, memory, m);
        at += 12 + length;
    }
    free(bytes);
    return done || error_set(err, ERROR_MEMORY, "no memory for the texts of '%s'", path);
}

/* ---- SVG ---- */

typedef struct svg {
    arena *memory;
    debian_metadata *m;
    bool subject, item, failed; /* within dc:subject, within its rdf:li; no memory */
    char text[64];              /* of the item; what is longer is no keyword */
    size_t used;
} svg;

/* A name without its space's. */
static const char *plain_name(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

static const char *attribute(const char *const *list, const char *name)
{
    for (; *list; list += 2)
        if (strcmp(plain_name(list[0]), name) == 0) return list[1];
    return "";
}

static void XMLCALL begin(void *context, const char *full, const char **attributes)
{
    svg *s = context;
    const char *const *list = (const char *const *)attributes;
    const char *name = plain_name(full);
    if (strcmp(name, "subject") == 0) s->subject = true;
    if (strcmp(name, "li") == 0 && s->subject) {
        s->item = true;
        s->used = 0;
    }
    if (strcmp(name, "image") == 0) {
        const char *link = attribute(list, "href");
        if (*link && strncmp(link, "data:", 5) != 0 && *link != '#') s->m->incomplete = true;
    }
    if (strcmp(name, "license") == 0) {
        const char *licence = attribute(list, "resource");
        if (*licence && !strcasestr(licence, "publicdomain")) s->m->owned = true;
    }
}

static void XMLCALL text(void *context, const char *bytes, int length)
{
    svg *s = context;
    for (int i = 0; s->item && i < length; ++i)
        if (s->used < sizeof s->text) s->text[s->used++] = bytes[i] == '_' ? ' ' : bytes[i];
}

static bool is_new(const debian_metadata *m, const char *word)
{
    for (int i = 0; i < m->keyword_count; ++i)
        if (strcasecmp(m->keywords[i], word) == 0) return false;
    return true;
}

/* "hash" is what a program that collected the clip art left behind. */
static void end_item(svg *s)
{
    debian_metadata *m = s->m;
    if (s->used == 0 || s->used == sizeof s->text || m->keyword_count == DEBIAN_MAX_KEYWORDS) return;
    s->text[s->used] = '\0';
    if (utf8_is_blank(s->text) || strcmp(s->text, "hash") == 0 || strcmp(s->text, "unsorted") == 0) return;
    if (!is_new(m, s->text)) return;
    m->keywords[m->keyword_count] = arena_strdup(s->memory, s->text);
    s->failed = s->failed || !m->keywords[m->keyword_count];
    m->keyword_count += !s->failed;
}

static void XMLCALL end(void *context, const char *full)
{
    svg *s = context;
    const char *name = plain_name(full);
    if (strcmp(name, "subject") == 0) s->subject = false;
    if (strcmp(name, "li") == 0 && s->item) {
        end_item(s);
        s->item = false;
    }
}

static bool parse(svg *s, const char *bytes, size_t size)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    if (!parser) return false;
    XML_SetUserData(parser, s);
    XML_SetElementHandler(parser, begin, end);
    XML_SetCharacterDataHandler(parser, text);
    bool memory = XML_Parse(parser, bytes, (int)size, 1) == XML_STATUS_OK ||
                  XML_GetErrorCode(parser) != XML_ERROR_NO_MEMORY;
    XML_ParserFree(parser);
    return memory && !s->failed;
}

bool debian_metadata_svg(const char *path, arena *memory, debian_metadata *m, error *err)
{
    if (!file_exists(path)) return true;
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    svg s = { .memory = memory, .m = m };
    bool done = size > INT32_MAX || parse(&s, bytes, size);
    free(bytes);
    return done || error_set(err, ERROR_MEMORY, "no memory for the keywords of '%s'", path);
}
