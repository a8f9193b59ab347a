/* emoji.c -- lists, draws and packs the emoji set.
 * SPDX-License-Identifier: MIT */
#include "data/emoji.h"
#include "data/emoji_font.h"
#include "data/emoji_list.h"
#include "data/emoji_split.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where things stand while a set is being built. */
typedef struct builder {
    emoji_list list;
    emoji_font *font;
    struct archive *tar;
    file_atomic file;
    int size;
    const char *path;
    error *err;
} builder;

static bool need(const char *path, const char *package, error *err)
{
    if (file_exists(path)) return true;
    return error_set(err, ERROR_IO, "'%s' is missing; install the Debian package %s", path, package);
}

static bool tar_failed(const builder *b)
{
    const char *why = b->tar ? archive_error_string(b->tar) : NULL;
    return error_set(b->err, ERROR_IO, "cannot write '%s': %s", b->path, why ? why : "no memory");
}

static bool add_member(const builder *b, const char *key, const char *extension, const void *bytes,
                       size_t size)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", key, extension);
    struct archive_entry *entry = archive_entry_new();
    if (!entry) return tar_failed(b);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 0, 0); /* the same input, the same bytes */
    bool done = archive_write_header(b->tar, entry) == ARCHIVE_OK &&
                archive_write_data(b->tar, bytes, size) == (la_ssize_t)size;
    archive_entry_free(entry);
    return done || tar_failed(b);
}

static char *describe(const emoji_entry *e, error *err)
{
    json_t *keywords = json_array();
    for (const char *word = e->keywords; *word;) {
        size_t length = strcspn(word, "|");
        json_tree_add(&keywords, json_stringn(word, length));
        word += length + (word[length] == '|');
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:b, s:s}", "codepoints", e->codepoints, "group",
                               e->group, "subgroup", e->subgroup, "keywords", keywords, "skin_tone",
                               (int)e->skin_tone, "split", e->held_out ? "val" : "train");
    char what[300];
    snprintf(what, sizeof what, "the description of '%s'", e->caption);
    return json_tree_text(object, JSON_COMPACT | JSON_PRESERVE_ORDER, what, err);
}

static bool add_picture(const builder *b, const emoji_entry *e, uint32_t glyph)
{
    image strike, small = { 0 };
    void *png = NULL;
    size_t bytes = 0;
    if (!emoji_font_draw(b->font, glyph, &strike, b->err))
        return error_prefix(b->err, "%s (%s)", e->caption, e->key);
    bool done = image_resize_area(&strike, b->size, b->size, false, &small, b->err) &&
                image_encode_png(&small, &png, &bytes, b->err) && add_member(b, e->key, "png", png, bytes);
    image_free(&strike);
    image_free(&small);
    free(png);
    return done;
}

static bool add_emoji(const builder *b, const emoji_entry *e, uint32_t glyph)
{
    char *text = describe(e, b->err);
    if (!text) return false;
    bool done = add_picture(b, e, glyph) && add_member(b, e->key, "txt", e->caption, strlen(e->caption)) &&
                add_member(b, e->key, "json", text, strlen(text));
    free(text);
    return done;
}

/* What the font does not draw is dropped before the split, which looks at the emoji that are left. */
static bool keep_drawable(builder *b, uint32_t **glyphs)
{
    *glyphs = calloc((size_t)b->list.count + 1, sizeof **glyphs);
    if (!*glyphs) return error_set(b->err, ERROR_MEMORY, "no memory for %d emoji", b->list.count);
    int kept = 0;
    for (int i = 0; i < b->list.count; ++i) {
        const emoji_entry *e = &b->list.entries[i];
        uint32_t glyph;
        if (!emoji_font_glyph(b->font, e->points, e->point_count, &glyph, b->err)) return false;
        if (!glyph) continue;
        (*glyphs)[kept] = glyph;
        b->list.entries[kept++] = *e;
    }
    b->list.count = kept;
    return kept > 0 || error_set(b->err, ERROR_FORMAT, "the font draws none of the listed emoji");
}

static bool write_tar(builder *b, const uint32_t *glyphs)
{
    if (!file_atomic_open(&b->file, b->path, b->err)) return false;
    b->tar = archive_write_new();
    bool done = b->tar && archive_write_set_format_ustar(b->tar) == ARCHIVE_OK &&
                archive_write_open_FILE(b->tar, b->file.stream) == ARCHIVE_OK;
    if (!done) tar_failed(b);
    for (int i = 0; done && i < b->list.count; ++i) done = add_emoji(b, &b->list.entries[i], glyphs[i]);
    if (done && archive_write_close(b->tar) != ARCHIVE_OK) done = tar_failed(b);
    archive_write_free(b->tar);
    b->tar = NULL;
    if (done) return file_atomic_commit(&b->file, b->err);
    file_atomic_abandon(&b->file);
    return false;
}

bool emoji_build(const emoji_options *options, const char *tar_path, int *count, error *err)
{
    const emoji_options none = { 0 }, *o = options ? options : &none;
    const char *font = o->font ? o->font : EMOJI_FONT, *list = o->list ? o->list : EMOJI_LIST;
    const char *words = o->words ? o->words : EMOJI_WORDS;
    const char *derived = o->words_derived ? o->words_derived : EMOJI_WORDS_DERIVED;
    builder b = { .size = o->size ? o->size : 64, .path = tar_path, .err = err };
    if (b.size < 8 || b.size > 1024)
        return error_set(err, ERROR_USAGE, "emoji of %d pixels cannot be made; choose 8 to 1024", b.size);
    uint32_t *glyphs = NULL;
    bool done = need(font, "fonts-noto-color-emoji", err) && need(list, "unicode-data", err) &&
                need(words, "unicode-cldr-core", err) && need(derived, "unicode-cldr-core", err) &&
                (b.font = emoji_font_open(font, err)) != NULL && emoji_list_read(&b.list, list, err) &&
                keep_drawable(&b, &glyphs) && emoji_list_keywords(&b.list, words, err) &&
                emoji_list_keywords(&b.list, derived, err) && emoji_split(&b.list, err) &&
                write_tar(&b, glyphs);
    if (done && count) *count = b.list.count;
    free(glyphs);
    emoji_font_close(b.font);
    emoji_list_free(&b.list);
    return done;
}
