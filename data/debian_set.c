/* debian_set.c -- lists the packages' files, captions them, and packs them.
 * SPDX-License-Identifier: MIT */
#include "data/debian_set.h"
#include "data/debian_licence.h"
#include "data/debian_metadata.h"
#include "data/debian_picture.h"
#include "data/debian_text.h"
#include "data/tar_writer.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MOST_CAPTIONS = 5,
    LIST_OF_WORDS = 4, /* keywords in the caption made of them */
    TITLE_SHARED = 4,  /* a title of more pictures is that of a collection */
    HELD_OUT = 10      /* a series in so many */
};

/* A file that may become a picture of the set. */
typedef struct item {
    const char *file; /* below the source's folder */
    const char *key, *author, *licence;
    debian_metadata said;
    const char *captions[MOST_CAPTIONS];
    int caption_count;
} item;

typedef struct builder {
    const debian_options *options;
    const char *root;
    arena *memory;
    const debian_source *source; /* the one at work */
    debian_licence licence;
    item *items;
    int item_count;
    char (*seen)[65]; /* hashes of pixels */
    int seen_count, seen_room;
    tar_writer *tar;
    debian_count *count;
    error *err;
} builder;

static bool no_memory(const builder *b)
{
    return error_set(b->err, ERROR_MEMORY, "no memory for the pictures of %s", b->source->package);
}

/* ---- What is said of a picture ---- */

static char *path_of(const builder *b, const char *folder, const char *file)
{
    char *path = arena_printf(b->memory, "%s/%s/%s", b->root, folder, file);
    if (!path) no_memory(b);
    return path;
}

/* The path with another ending and, in it, other folders. */
static char *replaced(const builder *b, const char *path, const char *from, const char *to)
{
    const char *at = strstr(path, from);
    size_t ahead = at ? (size_t)(at - path) : strlen(path);
    char *text =
        arena_printf(b->memory, "%.*s%s%s", (int)ahead, path, at ? to : "", at ? at + strlen(from) : "");
    if (!text) no_memory(b);
    return text;
}

static bool read_metadata(const builder *b, item *i)
{
    if (b->source->captions != DEBIAN_METADATA) return true;
    const char *path = path_of(b, b->source->folder, i->file);
    const char *stem = path ? replaced(b, path, "/openclipart/png/", "/openclipart/svg/") : NULL;
    const char *svg = stem ? replaced(b, stem, ".png", ".svg") : NULL;
    return svg && debian_metadata_png(path, b->memory, &i->said, b->err) &&
           debian_metadata_svg(svg, b->memory, &i->said, b->err);
}

static bool add_caption(const builder *b, item *i, const char *text)
{
    if (!text) return no_memory(b);
    for (int k = 0; k < i->caption_count; ++k)
        if (strcasecmp(i->captions[k], text) == 0) return true;
    if (*text && i->caption_count < MOST_CAPTIONS) i->captions[i->caption_count++] = text;
    return true;
}

/* The first line of a stamp's text; it goes on in other languages. */
static bool add_sentence(const builder *b, item *i)
{
    const char *path = path_of(b, b->source->folder, i->file);
    const char *beside = path ? replaced(b, path, ".png", ".txt") : NULL;
    if (!beside) return false;
    if (!file_exists(beside)) return true;
    char *text = file_read(beside, NULL, b->err);
    if (!text) return false;
    text[strcspn(text, "\r\n")] = '\0';
    bool done = add_caption(b, i, debian_text_title(b->memory, text));
    free(text);
    return done;
}

/* How many pictures have the title; one that names its author is none. */
static int shares_title(const builder *b, const char *title)
{
    int shared = 0;
    for (int i = 0; i < b->item_count; ++i)
        shared += b->items[i].said.title && strcasecmp(b->items[i].said.title, title) == 0;
    return shared;
}

static bool is_title(const builder *b, const item *i)
{
    const char *title = i->said.title, *author = i->said.author;
    if (!title || !*title || shares_title(b, title) > TITLE_SHARED) return false;
    return !author || !*author || !strcasestr(title, author);
}

/* "lemon, fruit, food": the first words with the keywords that are not in them. */
static bool add_keywords(const builder *b, item *i)
{
    const char *text = i->caption_count ? i->captions[0] : "";
    int used = 0;
    for (int k = 0; k < i->said.keyword_count && used < LIST_OF_WORDS && text; ++k) {
        const char *word = i->said.keywords[k];
        if (strcasestr(text, word)) continue;
        text = arena_printf(b->memory, "%s%s%s", text, *text ? ", " : "", word);
        ++used;
    }
    return add_caption(b, i, text);
}

static bool add_captions(const builder *b, item *i)
{
    bool done = b->source->captions != DEBIAN_STAMP || add_sentence(b, i);
    if (is_title(b, i)) done = done && add_caption(b, i, i->said.title);
    done = done && add_caption(b, i, debian_text_name(b->memory, i->file, i->said.author));
    if (i->said.description)
        done = done && add_caption(b, i, debian_text_title(b->memory, i->said.description));
    return done && add_keywords(b, i);
}

static bool add_licence(const builder *b, item *i)
{
    const char *installed = arena_printf(b->memory, "%s/%s", b->source->folder, i->file);
    if (!installed) return no_memory(b);
    const debian_stanza *s = debian_licence_of(&b->licence, installed);
    i->licence = s ? s->licence : b->source->licence;
    i->author = i->said.author ? i->said.author : s ? s->author : "";
    return true;
}

/* SOURCE/FOLDER/NAME in letters, digits, underscores and hyphens. */
static bool name_key(const builder *b, int n)
{
    item *i = &b->items[n];
    const char *dot = strrchr(i->file, '.');
    size_t length = dot ? (size_t)(dot - i->file) : strlen(i->file);
    char *key = arena_printf(b->memory, "%s/%.*s", b->source->name, (int)length, i->file);
    if (!key) return no_memory(b);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/";
    for (char *c = key; *c; ++c)
        if (!strchr(allowed, *c)) *c = '_';
    for (int k = 0; key && k < n; ++k)
        if (strcmp(b->items[k].key, key) == 0) key = arena_printf(b->memory, "%s_%d", key, n);
    i->key = key;
    return key || no_memory(b);
}

static bool list_items(builder *b)
{
    const char **files;
    if (!debian_source_files(b->source, b->root, b->memory, &files, &b->item_count, b->err)) return false;
    b->items = arena_alloc(b->memory, (size_t)(b->item_count + 1) * sizeof *b->items);
    if (!b->items) return no_memory(b);
    for (int n = 0; n < b->item_count; ++n) {
        item *i = &b->items[n];
        i->file = files[n];
        if (!name_key(b, n) || !read_metadata(b, i)) return false;
        if (i->said.title && !(i->said.title = debian_text_title(b->memory, i->said.title)))
            return no_memory(b);
    }
    for (int n = 0; n < b->item_count; ++n)
        if (!add_licence(b, &b->items[n]) || !add_captions(b, &b->items[n])) return false;
    return true;
}

/* ---- Packing ---- */

/* Whether pixels came before; remembers them. */
static bool note_pixels(builder *b, const image *picture, bool *again)
{
    hash h;
    char hex[65];
    hash_start(&h);
    hash_bytes(&h, &picture->width, sizeof picture->width);
    hash_bytes(&h, picture->pixels, (size_t)picture->width * (size_t)picture->height * 3);
    hash_finish(&h, hex);
    *again = false;
    for (int i = 0; i < b->seen_count && !*again; ++i) *again = memcmp(b->seen[i], hex, sizeof hex) == 0;
    if (*again) return true;
    if (b->seen_count == b->seen_room) {
        int room = 2 * b->seen_room + 256;
        char(*more)[65] = realloc(b->seen, (size_t)room * sizeof *more);
        if (!more) return no_memory(b);
        b->seen = more;
        b->seen_room = room;
    }
    memcpy(b->seen[b->seen_count++], hex, sizeof hex);
    return true;
}

static const char *series_of(const builder *b, const item *i)
{
    const char *name = i->file;
    if (b->source->series == DEBIAN_BY_WORD) name = debian_text_first_word(b->memory, i->file);
    if (b->source->series == DEBIAN_BY_NUMBER) name = debian_text_without_number(b->memory, i->file);
    const char *series = name ? arena_printf(b->memory, "%s/%s", b->source->name, name) : NULL;
    if (!series) no_memory(b);
    return series;
}

static bool is_held_out(const char *series)
{
    hash h;
    char hex[65], digits[8] = "";
    hash_start(&h);
    hash_text(&h, series);
    hash_finish(&h, hex);
    memcpy(digits, hex, sizeof digits - 1);
    return strtol(digits, NULL, 16) % HELD_OUT == 0;
}

static json_t *keywords_of(const builder *b, const item *i)
{
    json_t *list = json_array();
    for (int k = 0; k < i->said.keyword_count; ++k)
        json_tree_add(&list, json_tree_string(i->said.keywords[k]));
    if (i->said.keyword_count || b->source->captions == DEBIAN_METADATA) return list;
    for (const char *word = i->file; strchr(word, '/');) {
        size_t length = strcspn(word, "/");
        json_tree_add(&list, json_stringn(word, length));
        word += length + 1;
    }
    return list;
}

static char *describe(const builder *b, const item *i, const char *kind, const char *series, bool held_out)
{
    const debian_source *s = b->source;
    const char *slash = strrchr(i->file, '/');
    char *group = arena_printf(b->memory, "%.*s", slash ? (int)(slash - i->file) : 0, i->file);
    char *file = arena_printf(b->memory, "%s/%s", s->folder, i->file);
    json_t *object = json_object();
    json_tree_put(&object, "source", json_tree_string(s->name));
    json_tree_put(&object, "package", json_tree_string(s->package));
    json_tree_put(&object, "file", file ? json_tree_string(file) : NULL);
    json_tree_put(&object, "licence", json_tree_string(i->licence));
    json_tree_put(&object, "author", json_tree_string(i->author));
    json_tree_put(&object, "kind", json_tree_string(kind));
    json_tree_put(&object, "group", group ? json_tree_string(group) : NULL);
    json_tree_put(&object, "series", json_tree_string(series));
    json_tree_put(&object, "split", json_tree_string(held_out ? "val" : "train"));
    json_tree_put(&object, "keywords", keywords_of(b, i));
    return json_tree_text(object, JSON_COMPACT | JSON_PRESERVE_ORDER, i->key, b->err);
}

static bool add_texts(const builder *b, const item *i, const char *details)
{
    const char *lines = "";
    for (int k = 0; k < i->caption_count && lines; ++k)
        lines = arena_printf(b->memory, "%s%s\n", lines, i->captions[k]);
    if (!lines) return no_memory(b);
    return tar_writer_add(b->tar, i->key, "txt", lines, strlen(lines), b->err) &&
           tar_writer_add(b->tar, i->key, "json", details, strlen(details), b->err);
}

static bool add_members(builder *b, const item *i, const image *picture, bool photo)
{
    const char *series = series_of(b, i);
    if (!series) return false;
    bool held_out = is_held_out(series);
    void *png = NULL;
    size_t bytes = 0;
    char *details = describe(b, i, photo ? "photo" : "drawing", series, held_out);
    bool done = details && image_encode_png(picture, &png, &bytes, b->err) &&
                tar_writer_add(b->tar, i->key, "png", png, bytes, b->err) && add_texts(b, i, details);
    free(png);
    free(details);
    b->count->pictures += done;
    b->count->photos += done && photo;
    b->count->held_out += done && held_out;
    return done;
}

static bool is_photo(const debian_source *s, const item *i, const image *picture)
{
    if (s->kind != DEBIAN_MEASURED) return s->kind == DEBIAN_PHOTO;
    return !strstr(i->file, "cartoon") && debian_picture_is_photo(picture, s->layout);
}

static bool add_fitted(builder *b, const item *i, const image *picture)
{
    bool photo = is_photo(b->source, i, picture), again;
    debian_kind wanted = b->options->kind;
    if (wanted != DEBIAN_MEASURED && photo != (wanted == DEBIAN_PHOTO)) {
        ++b->count->other_kind;
        return true;
    }
    if (!note_pixels(b, picture, &again)) return false;
    if (!again) return add_members(b, i, picture, photo);
    ++b->count->again;
    return true;
}

/* A picture that cannot be read is left out, with a word. */
static bool read_picture(builder *b, const item *i, image *out, bool *read)
{
    const char *path = path_of(b, b->source->folder, i->file);
    error problem = { 0 };
    if (!path) return false;
    *read = image_read(path, out, &problem);
    if (*read) return true;
    if (problem.code == ERROR_MEMORY) return error_set(b->err, ERROR_MEMORY, "%s", problem.message);
    log_verbose("left out: %s", problem.message);
    ++b->count->unread;
    return true;
}

static bool add_item(builder *b, const item *i)
{
    image whole = { 0 }, picture = { 0 };
    debian_fit fit = DEBIAN_FITS;
    bool read = false;
    if (i->said.incomplete) ++b->count->linked;
    if (!i->said.incomplete && i->said.owned) ++b->count->owned;
    if (i->said.incomplete || i->said.owned || i->caption_count == 0) return true;
    if (!read_picture(b, i, &whole, &read)) return false;
    bool done =
        !read || debian_picture_fit(&whole, b->source->layout, b->options->size, &picture, &fit, b->err);
    image_free(&whole);
    if (done && read && fit == DEBIAN_FITS) done = add_fitted(b, i, &picture);
    b->count->blank += fit == DEBIAN_BLANK;
    b->count->small += fit == DEBIAN_SMALL;
    image_free(&picture);
    return done;
}

/* Memory of one source goes before that of the next comes. */
static bool add_source(builder *b)
{
    b->memory = arena_create();
    bool done = (b->memory || no_memory(b)) &&
                debian_licence_read(b->root, b->source->package, b->memory, &b->licence, b->err) &&
                list_items(b);
    for (int i = 0; done && i < b->item_count; ++i) done = add_item(b, &b->items[i]);
    arena_destroy(b->memory);
    b->memory = NULL;
    return done;
}

/* ---- What is there ---- */

static bool choose(const debian_options *o, bool wanted[DEBIAN_SOURCES], error *err)
{
    for (int i = 0; i < DEBIAN_SOURCES; ++i) wanted[i] = o->sources == NULL;
    for (int i = 0; o->sources && i < o->source_count; ++i) {
        int found = debian_source_find(o->sources[i]);
        if (found < 0) {
            char names[256] = "";
            for (int k = 0; k < DEBIAN_SOURCES; ++k) {
                strcat(names, k ? ", " : "");
                strcat(names, debian_sources[k].name);
            }
            return error_set(err, ERROR_USAGE, "no source is called '%s'; there are %s", o->sources[i],
                             names);
        }
        wanted[found] = true;
    }
    return true;
}

static bool look_for(const debian_options *o, const char *root, bool wanted[DEBIAN_SOURCES],
                     debian_count counts[DEBIAN_SOURCES], error *err)
{
    bool missing[DEBIAN_SOURCES] = { 0 };
    int there = 0, absent = 0;
    for (int i = 0; i < DEBIAN_SOURCES; ++i) {
        counts[i] = (debian_count){ 0 };
        if (!debian_source_installed(&debian_sources[i], root, &counts[i].installed, err)) return false;
        missing[i] = wanted[i] && !counts[i].installed;
        wanted[i] = wanted[i] && counts[i].installed;
        there += wanted[i];
        absent += missing[i];
    }
    if (there && (!o->sources || !absent)) return true;
    char advice[512];
    debian_source_advice(missing, advice, sizeof advice);
    return error_set(err, ERROR_IO, "%s in '%s'; %s",
                     there ? "not all of these pictures are" : "no pictures are", root, advice);
}

bool debian_build(const debian_options *options, const char *tar_path, debian_count counts[DEBIAN_SOURCES],
                  error *err)
{
    debian_options o = options ? *options : (debian_options){ 0 };
    if (o.size == 0) o.size = 128;
    builder b = { .options = &o, .root = o.root ? o.root : "/", .err = err };
    bool wanted[DEBIAN_SOURCES];
    if (!choose(&o, wanted, err) || !look_for(&o, b.root, wanted, counts, err)) return false;
    b.tar = tar_writer_open(tar_path, err);
    bool done = b.tar != NULL;
    for (int i = 0; i < DEBIAN_SOURCES && done; ++i) {
        if (!wanted[i]) continue;
        b.source = &debian_sources[i];
        b.count = &counts[i];
        done = add_source(&b);
    }
    if (b.tar) done = tar_writer_close(b.tar, done, err);
    free(b.seen);
    return done;
}
