/* emoji_list.c -- reads Unicode's emoji-test.txt and CLDR's annotations.
 *   1F44B 1F3FF  ; fully-qualified  # <picture> E1.0 waving hand: dark skin tone
 *   <annotation cp="<text without U+FE0F>">dark skin tone | hand | wave</annotation>
 * SPDX-License-Identifier: MIT */
#include "data/emoji_list.h"
#include "data/emoji_split.h"
#include "host/base/utf8.h"
#include "host/base/file.h"
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct list_reader {
    emoji_list *list;
    int room;
    const char *group, *subgroup;
    const char *path;
    int line;
    error *err;
} list_reader;

void emoji_list_free(emoji_list *list)
{
    arena_destroy(list->memory);
    free(list->entries);
    *list = (emoji_list){ 0 };
}

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the list of emoji");
}

/* Code points as a key ("e1f44b-1f3ff") and as text ("1F44B 1F3FF"). */
static bool name_entry(list_reader *r, emoji_entry *e)
{
    char key[EMOJI_MAX_POINTS * 8] = "e", text[EMOJI_MAX_POINTS * 8] = "";
    size_t k = 1, t = 0;
    for (int i = 0; i < e->point_count; ++i) {
        k += (size_t)snprintf(key + k, sizeof key - k, "%s%x", i ? "-" : "", (unsigned)e->points[i]);
        t += (size_t)snprintf(text + t, sizeof text - t, "%s%X", i ? " " : "", (unsigned)e->points[i]);
        if (emoji_is_skin_tone(e->points[i])) e->skin_tone = true;
    }
    e->key = arena_strdup(r->list->memory, key);
    e->codepoints = arena_strdup(r->list->memory, text);
    return (e->key && e->codepoints) || no_memory(r->err);
}

static bool bad_line(list_reader *r, const char *what)
{
    return error_set(r->err, ERROR_FORMAT, "%s:%d: %s; is it Unicode's emoji-test.txt?", r->path, r->line,
                     what);
}

static bool add_entry(list_reader *r, const char *line)
{
    emoji_entry e = {
        .group = r->group, .subgroup = r->subgroup, .keywords = "", .names = "", .further = ""
    };
    const char *at = line;
    for (char *end; *at != ';'; at = end + strspn(end, " ")) {
        unsigned long point = strtoul(at, &end, 16);
        if (end == at || point == 0 || point > 0x10FFFF) return bad_line(r, "a code point is not understood");
        if (e.point_count == EMOJI_MAX_POINTS) return bad_line(r, "too many code points");
        e.points[e.point_count++] = (uint32_t)point;
    }
    const char *name = strchr(at, '#');
    if (name) name = strstr(name, " E");
    if (name) name = strchr(name + 1, ' ');
    if (!name || !name[1]) return bad_line(r, "an emoji has no name");
    if (!r->group || !r->subgroup) return bad_line(r, "an emoji stands before any group");
    e.caption = arena_strdup(r->list->memory, name + 1);
    if (!e.caption || !name_entry(r, &e)) return no_memory(r->err);
    if (r->list->count == r->room) {
        int room = r->room ? 2 * r->room : 4096;
        emoji_entry *larger = realloc(r->list->entries, (size_t)room * sizeof *larger);
        if (!larger) return no_memory(r->err);
        r->list->entries = larger;
        r->room = room;
    }
    r->list->entries[r->list->count++] = e;
    return true;
}

static bool read_line(list_reader *r, char *line)
{
    size_t length = strlen(line);
    while (length && strchr(" \r\t", line[length - 1])) line[--length] = 0;
    const char **group = NULL, *name = NULL;
    if (strncmp(line, "# group: ", 9) == 0) {
        group = &r->group;
        name = line + 9;
    } else if (strncmp(line, "# subgroup: ", 12) == 0) {
        group = &r->subgroup;
        name = line + 12;
    }
    if (group) return (*group = arena_strdup(r->list->memory, name)) != NULL || no_memory(r->err);
    if (line[0] == '#' || !strstr(line, "; fully-qualified ")) return true;
    return add_entry(r, line);
}

bool emoji_list_read(emoji_list *list, const char *path, error *err)
{
    *list = (emoji_list){ .memory = arena_create() };
    char *text = list->memory ? file_read(path, NULL, err) : NULL;
    bool done = text != NULL;
    if (!list->memory) no_memory(err);
    list_reader r = { .list = list, .path = path, .err = err };
    for (char *line = text, *next; done && line && *line; line = next) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : NULL;
        if (end) *end = 0;
        ++r.line;
        done = read_line(&r, line);
    }
    if (done && list->count == 0)
        done = error_set(err, ERROR_FORMAT,
                         "%s: has no fully-qualified emoji; is it Unicode's emoji-test.txt?", path);
    free(text);
    if (!done) emoji_list_free(list);
    return done;
}

/* CLDR leaves U+FE0F out of its `cp`, so emoji are looked up without it. */
typedef struct spelling {
    char text[EMOJI_MAX_POINTS * 4 + 1];
    int entry;
} spelling;

typedef struct words_reader {
    emoji_list *list;
    spelling *spellings;
    XML_Parser parser;
    int entry;    /* of the annotation being read, or -1 */
    bool is_name; /* of the annotation being read */
    char *text;
    size_t length, room;
    bool no_memory;
} words_reader;

static int by_text(const void *left, const void *right)
{
    return strcmp(((const spelling *)left)->text, ((const spelling *)right)->text);
}

static void spell(const emoji_entry *e, int entry, spelling *s)
{
    size_t length = 0;
    s->entry = entry;
    for (int i = 0; i < e->point_count; ++i)
        if (e->points[i] != 0xFE0F) length += (size_t)utf8_put(e->points[i], s->text + length);
    s->text[length] = 0;
}

static void on_start(void *user, const char *name, const char **attributes)
{
    words_reader *r = user;
    r->entry = -1;
    r->length = 0;
    if (strcmp(name, "annotation") != 0) return;
    const char *symbol = NULL;
    r->is_name = false;
    for (; *attributes; attributes += 2) {
        if (strcmp(attributes[0], "type") == 0) r->is_name = true;
        if (strcmp(attributes[0], "cp") == 0) symbol = attributes[1];
    }
    spelling wanted = { .entry = -1 };
    if (!symbol || strlen(symbol) >= sizeof wanted.text) return;
    memcpy(wanted.text, symbol, strlen(symbol) + 1);
    const spelling *found = bsearch(&wanted, r->spellings, (size_t)r->list->count, sizeof wanted, by_text);
    if (found) r->entry = found->entry;
}

static void on_text(void *user, const char *text, int count)
{
    words_reader *r = user;
    if (r->entry < 0 || r->no_memory) return;
    if (r->length + (size_t)count + 1 > r->room) {
        size_t room = 2 * (r->length + (size_t)count) + 256;
        char *larger = realloc(r->text, room);
        if (!larger) {
            r->no_memory = true;
            XML_StopParser(r->parser, XML_FALSE);
            return;
        }
        r->text = larger;
        r->room = room;
    }
    memcpy(r->text + r->length, text, (size_t)count);
    r->length += (size_t)count;
}

/* "a | b | c" -> "a|b|c", in place. */
static void close_up(char *text)
{
    char *out = text;
    for (const char *word = text; word;) {
        size_t length = strcspn(word, "|");
        const char *next = word[length] ? word + length + 1 : NULL;
        while (length && strchr(" \t\n", *word)) ++word, --length;
        while (length && strchr(" \t\n", word[length - 1])) --length;
        memmove(out, word, length);
        out += length;
        if (next) *out++ = '|';
        word = next;
    }
    *out = 0;
}

bool emoji_list_has(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; *at;) {
        size_t part = strcspn(at, "|");
        if (part == length && memcmp(at, word, length) == 0) return true;
        at += part + (at[part] == '|');
    }
    return false;
}

/* Adds to "a|b|c" what it lacks of another such list. */
static void merge(words_reader *r, const char **words, const char *more)
{
    for (const char *at = more; *at && !r->no_memory;) {
        int part = (int)strcspn(at, "|");
        char *word = arena_printf(r->list->memory, "%.*s", part, at);
        if (word && *word && !emoji_list_has(*words, word))
            *words = arena_printf(r->list->memory, "%s%s%s", *words, **words ? "|" : "", word);
        r->no_memory = !word || !*words;
        if (r->no_memory) *words = "";
        at += part + (at[part] == '|');
    }
}

/* CLDR writes three arrows where a kind of English has what its parent has. */
static void on_end(void *user, const char *name)
{
    words_reader *r = user;
    (void)name;
    if (r->entry < 0 || r->no_memory || r->length == 0) return;
    emoji_entry *e = &r->list->entries[r->entry];
    r->entry = -1;
    r->text[r->length] = 0;
    close_up(r->text);
    if (strstr(r->text, "\u2191")) return;
    if (r->is_name) {
        if (strcmp(r->text, e->caption) != 0) merge(r, &e->names, r->text);
    } else if (!*e->keywords) {
        merge(r, &e->keywords, r->text);
    } else {
        const char *known = e->keywords;
        merge(r, &known, r->text);
        if (known != e->keywords && strlen(known) > strlen(e->keywords))
            merge(r, &e->further, known + strlen(e->keywords) + 1);
    }
}

bool emoji_list_keywords(emoji_list *list, const char *path, error *err)
{
    size_t size;
    char *xml = file_read(path, &size, err);
    if (!xml) return false;
    words_reader r = { .list = list,
                       .entry = -1,
                       .spellings = calloc((size_t)list->count + 1, sizeof(spelling)),
                       .parser = XML_ParserCreate("UTF-8") };
    bool done = false;
    if (r.spellings && r.parser && size < INT32_MAX) {
        for (int i = 0; i < list->count; ++i) spell(&list->entries[i], i, &r.spellings[i]);
        qsort(r.spellings, (size_t)list->count, sizeof *r.spellings, by_text);
        XML_SetUserData(r.parser, &r);
        XML_SetElementHandler(r.parser, on_start, on_end);
        XML_SetCharacterDataHandler(r.parser, on_text);
        done = XML_Parse(r.parser, xml, (int)size, XML_TRUE) == XML_STATUS_OK && !r.no_memory;
        if (!done && !r.no_memory)
            error_set(err, ERROR_FORMAT, "%s:%lu: %s", path,
                      (unsigned long)XML_GetCurrentLineNumber(r.parser),
                      XML_ErrorString(XML_GetErrorCode(r.parser)));
    } else {
        r.no_memory = true;
    }
    if (r.no_memory) done = no_memory(err);
    if (r.parser) XML_ParserFree(r.parser);
    free(r.spellings);
    free(r.text);
    free(xml);
    return done;
}
