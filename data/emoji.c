/* emoji.c -- lists, draws and packs the emoji set.
 * SPDX-License-Identifier: MIT */
#include "data/emoji.h"
#include "data/emoji_caption.h"
#include "data/emoji_font.h"
#include "data/emoji_list.h"
#include "data/emoji_split.h"
#include "data/tar_writer.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where things stand while a set is being built. */
typedef struct builder {
    emoji_list list;
    emoji_font *font;
    tar_writer *tar;
    uint32_t *glyphs; /* of the real emoji */
    emoji_colour *colours;
    int size;
    bool plain;
    const char *path, *english;
    error *err;
} builder;

#define MOST_RECOLOURED 600 /* more would drown the real ones */
#define LOOK_AT         64  /* pixels a side where colours are told; whatever the size of the set */
#define REPEAT_SINGLE   3   /* an emoji has up to 25 variants by skin tone; one without comes three times */

static bool need(const char *path, const char *package, error *err)
{
    if (file_exists(path)) return true;
    return error_set(err, ERROR_IO, "'%s' is missing; install the Debian package %s", path, package);
}

static json_t *further_captions(const emoji_entry *e)
{
    json_t *captions = json_array();
    for (int i = 0; i < e->caption_count; ++i) json_tree_add(&captions, json_tree_string(e->captions[i]));
    return captions;
}

static char *describe(const builder *b, const emoji_entry *e)
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
    if (!b->plain) {
        json_tree_put(&object, "captions", further_captions(e));
        json_tree_put(&object, "repeat", json_integer(e->skin_tone || e->recolour ? 1 : REPEAT_SINGLE));
        if (e->recolour) json_tree_put(&object, "recoloured", json_true());
    }
    char what[300];
    snprintf(what, sizeof what, "the description of '%s'", e->caption);
    return json_tree_text(object, JSON_COMPACT | JSON_PRESERVE_ORDER, what, b->err);
}

static bool draw(const builder *b, const emoji_entry *e, uint32_t glyph, int size, image *small)
{
    image strike;
    if (!emoji_font_draw(b->font, glyph, &strike, b->err))
        return error_prefix(b->err, "%s (%s)", e->caption, e->key);
    bool done = image_resize_area(&strike, size, size, false, small, b->err);
    image_free(&strike);
    return done;
}

static bool add_picture(const builder *b, const emoji_entry *e, uint32_t glyph)
{
    image small = { 0 };
    void *png = NULL;
    size_t bytes = 0;
    bool done = draw(b, e, glyph, b->size, &small);
    if (done && e->recolour) emoji_colour_move(&small, b->colours[e->original].hue, e->recolour);
    done = done && image_encode_png(&small, &png, &bytes, b->err) &&
           tar_writer_add(b->tar, e->key, "png", png, bytes, b->err);
    image_free(&small);
    free(png);
    return done;
}

static bool add_emoji(const builder *b, const emoji_entry *e, uint32_t glyph)
{
    char *text = describe(b, e);
    if (!text) return false;
    bool done = add_picture(b, e, glyph) &&
                tar_writer_add(b->tar, e->key, "txt", e->caption, strlen(e->caption), b->err) &&
                tar_writer_add(b->tar, e->key, "json", text, strlen(text), b->err);
    free(text);
    return done;
}

/* What the font does not draw is dropped before the split, which looks at the emoji that are left. */
static bool keep_drawable(builder *b)
{
    b->glyphs = calloc((size_t)b->list.count + 1, sizeof *b->glyphs);
    if (!b->glyphs) return error_set(b->err, ERROR_MEMORY, "no memory for %d emoji", b->list.count);
    int kept = 0;
    for (int i = 0; i < b->list.count; ++i) {
        const emoji_entry *e = &b->list.entries[i];
        uint32_t glyph;
        if (!emoji_font_glyph(b->font, e->points, e->point_count, &glyph, b->err)) return false;
        if (!glyph) continue;
        b->glyphs[kept] = glyph;
        b->list.entries[kept++] = *e;
    }
    b->list.count = kept;
    return kept > 0 || error_set(b->err, ERROR_FORMAT, "the font draws none of the listed emoji");
}

/* Names and keywords of the other kinds of English, where they are installed. */
static bool read_english(builder *b)
{
    static const char *const kinds[] = { "001", "AU", "CA", "GB", "IN" };
    static const char *const folders[] = { "annotations", "annotationsDerived" };
    for (size_t i = 0; i < 10; ++i) {
        char name[64];
        snprintf(name, sizeof name, "%s/en_%s.xml", folders[i % 2], kinds[i / 2]);
        char *path = file_join(b->english, name);
        if (!path) return error_set(b->err, ERROR_MEMORY, "no memory for a path in '%s'", b->english);
        bool done = !file_exists(path) || emoji_list_keywords(&b->list, path, b->err);
        free(path);
        if (!done) return false;
    }
    return true;
}

static bool add_captions(builder *b)
{
    if (b->plain) return true;
    b->colours = calloc((size_t)b->list.count + MOST_RECOLOURED, sizeof *b->colours);
    if (!b->colours) return error_set(b->err, ERROR_MEMORY, "no memory for the colours of emoji");
    for (int i = 0; i < b->list.count; ++i) {
        image small = { 0 };
        if (b->list.entries[i].skin_tone) continue;
        if (!draw(b, &b->list.entries[i], b->glyphs[i], LOOK_AT, &small)) return false;
        b->colours[i] = emoji_colour_of(&small);
        image_free(&small);
    }
    return read_english(b) && emoji_recolour(&b->list, b->colours, MOST_RECOLOURED, b->err) &&
           emoji_captions(&b->list, b->colours, b->err);
}

static bool add_all(const builder *b)
{
    for (int i = 0; i < b->list.count; ++i) {
        const emoji_entry *e = &b->list.entries[i];
        if (!add_emoji(b, e, b->glyphs[e->recolour ? e->original : i])) return false;
    }
    return true;
}

static bool write_tar(builder *b)
{
    b->tar = tar_writer_open(b->path, b->err);
    return b->tar && tar_writer_close(b->tar, add_all(b), b->err);
}

bool emoji_build(const emoji_options *options, const char *tar_path, int *count, error *err)
{
    const emoji_options none = { 0 }, *o = options ? options : &none;
    const char *font = o->font ? o->font : EMOJI_FONT, *list = o->list ? o->list : EMOJI_LIST;
    const char *words = o->words ? o->words : EMOJI_WORDS;
    const char *derived = o->words_derived ? o->words_derived : EMOJI_WORDS_DERIVED;
    builder b = { .size = o->size ? o->size : 64,
                  .plain = o->plain,
                  .english = o->english ? o->english : EMOJI_ENGLISH,
                  .path = tar_path,
                  .err = err };
    if (b.size < 8 || b.size > 1024)
        return error_set(err, ERROR_USAGE, "emoji of %d pixels cannot be made; choose 8 to 1024", b.size);
    bool done = need(font, "fonts-noto-color-emoji", err) && need(list, "unicode-data", err) &&
                need(words, "unicode-cldr-core", err) && need(derived, "unicode-cldr-core", err) &&
                (b.font = emoji_font_open(font, err)) != NULL && emoji_list_read(&b.list, list, err) &&
                keep_drawable(&b) && emoji_list_keywords(&b.list, words, err) &&
                emoji_list_keywords(&b.list, derived, err) && emoji_split(&b.list, err) && add_captions(&b) &&
                write_tar(&b);
    if (done && count) *count = b.list.count;
    free(b.glyphs);
    free(b.colours);
    emoji_font_close(b.font);
    emoji_list_free(&b.list);
    return done;
}
