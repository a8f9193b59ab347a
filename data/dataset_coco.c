/* dataset_coco.c -- COCO's captions: {"images": [{"id", "file_name"}],
 * "annotations": [{"image_id", "caption"}]}.
 * The file is held as it is, and of its two lists one member at a time is read as JSON: about three times the
 * file in memory while it is listed, of which captions and names stay.  What is wrong with a member costs
 * that member.  (http://cocodataset.org/#format-data)
 * SPDX-License-Identifier: MIT */
#include "data/dataset_listing.h"
#include "data/dataset_text.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKED_FOR = 200 }; /* pictures, to find their folder */

typedef struct coco {
    const char *path, *begin, *at, *end;
    int source;
    member_list *list;
    listing found;
    bool images, annotations; /* the lists were there */
    int64_t other;            /* annotations without a caption, as of boxes */
    error *err;
} coco;

static bool no_memory(const coco *c)
{
    return error_set(c->err, ERROR_MEMORY, "no memory for '%s'", c->path);
}

/* ---- Through the file ---------------------------------------------------------------------------- */

static void skip_space(coco *c)
{
    while (c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at) ++c->at;
}

static bool take(coco *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted) return false;
    return ++c->at, true;
}

static void skip_text(coco *c)
{
    for (++c->at; c->at < c->end && *c->at != '"'; ++c->at)
        if (*c->at == '\\' && c->at + 1 < c->end) ++c->at;
    if (c->at < c->end) ++c->at;
}

/* Past a value of any kind, whose brackets alone are looked at; false where the file is cut within it. */
static bool skip_value(coco *c)
{
    int64_t depth = 0;
    skip_space(c);
    const char *begin = c->at;
    while (c->at < c->end) {
        if (*c->at == '"') {
            skip_text(c);
        } else if (*c->at == '{' || *c->at == '[') {
            ++depth, ++c->at;
        } else if (*c->at == '}' || *c->at == ']') {
            if (depth == 0) break;
            --depth, ++c->at;
        } else if (depth == 0 && *c->at == ',') {
            break;
        } else {
            ++c->at;
            continue;
        }
        if (depth == 0) break;
    }
    return c->at > begin && depth == 0 && c->at < c->end;
}

static bool damaged(const coco *c, const char *what)
{
    int64_t line = 1;
    for (const char *at = c->begin; at < c->at; ++at) line += *at == '\n';
    return error_set(c->err, ERROR_FORMAT, "%s:%lld: %s", c->path, (long long)line,
                     c->at == c->end ? "the file is cut short" : what);
}

/* ---- Members of the lists ------------------------------------------------------------------------- */

/* An id, which should be a number, as text; "" where there is none. */
static const char *id_of(const json_t *o, const char *key, char text[32])
{
    const json_t *id = json_object_get(o, key);
    text[0] = 0;
    if (json_is_integer(id)) snprintf(text, 32, "%lld", (long long)json_integer_value(id));
    return json_is_string(id) ? json_string_value(id) : text;
}

static bool leave_out(const coco *c, const char *list, int64_t index, const char *why)
{
    char name[64];
    snprintf(name, sizeof name, "%s[%lld]", list, (long long)index);
    return source_leave_out(c->list, c->source, name, why, c->err);
}

static bool take_image(coco *c, const json_t *o, int64_t index)
{
    char number[32];
    const char *id = id_of(o, "id", number), *name = json_string_value(json_object_get(o, "file_name"));
    if (!*id || !name || !*name) return leave_out(c, "images", index, "has no \"id\" and \"file_name\"");
    return listing_add_picture(&c->found, id, name, strlen(name), c->err);
}

static bool take_annotation(coco *c, const json_t *o, int64_t index)
{
    char number[32];
    const char *id = id_of(o, "image_id", number);
    const json_t *caption = json_object_get(o, "caption");
    if (!caption) return ++c->other, true;
    if (!*id || !json_is_string(caption))
        return leave_out(c, "annotations", index, "has no \"image_id\", or a \"caption\" that is not a text");
    return listing_add_caption(&c->found, id, json_string_value(caption), json_string_length(caption),
                               c->err);
}

static bool take_member(coco *c, bool image, const char *begin, int64_t index)
{
    dataset_text_fault fault;
    json_t *o = dataset_text_object(begin, (size_t)(c->at - begin), &fault);
    if (!o && fault.memory) return no_memory(c);
    if (!o) return leave_out(c, image ? "images" : "annotations", index, fault.why);
    bool done = image ? take_image(c, o, index) : take_annotation(c, o, index);
    json_decref(o);
    return done;
}

static bool read_list(coco *c, bool image)
{
    if (!take(c, '[')) return damaged(c, "a list expected");
    if (take(c, ']')) return true;
    for (int64_t index = 0;; ++index) {
        skip_space(c);
        const char *begin = c->at;
        if (!skip_value(c)) return damaged(c, "the file is cut short");
        if (!take_member(c, image, begin, index)) return false;
        if (take(c, ']')) return true;
        if (!take(c, ',')) return damaged(c, "',' or ']' expected");
        if (take(c, ']')) return true; /* a comma too many */
    }
}

static bool is_key(const char *begin, const char *end, const char *key)
{
    size_t length = strlen(key);
    return (size_t)(end - begin) == length + 2 && memcmp(begin + 1, key, length) == 0;
}

static bool read_file(coco *c)
{
    if (!take(c, '{')) return damaged(c, "'{' expected: this is not COCO's captions");
    while (!take(c, '}')) {
        skip_space(c);
        const char *key = c->at;
        if (c->at == c->end || *c->at != '"') return damaged(c, "a key expected");
        skip_text(c);
        bool image = is_key(key, c->at, "images"), annotation = is_key(key, c->at, "annotations");
        c->images |= image;
        c->annotations |= annotation;
        if (!take(c, ':')) return damaged(c, "':' expected");
        if (image || annotation ? !read_list(c, image)
                                : !skip_value(c) && !damaged(c, "the file is cut short"))
            return false;
        take(c, ',');
    }
    return true;
}

/* ---- The pictures' folder -------------------------------------------------------------------------- */

/* How many of some pictures are there; -1 when memory is out. */
static int64_t count_found(const listing *l, const char *folder)
{
    int64_t found = 0, stride = l->picture_count / LOOKED_FOR + 1;
    for (int64_t i = 0; i < l->picture_count; i += stride) {
        char *path = file_join(folder, l->pictures[i].text);
        if (!path) return -1;
        found += file_exists(path);
        free(path);
    }
    return found;
}

/* "val2017" of ".../captions_val2017.json"; a name without '_' gives all of it. */
static void set_of(const char *path, char name[128])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *mark = strrchr(base, '_');
    const char *begin = mark ? mark + 1 : base;
    snprintf(name, 128, "%.*s", (int)strcspn(begin, "."), begin);
}

/* Beside the file, where COCO has them and where people put them: the place that has most of them.  To be
 * freed; NULL when memory is out. */
static char *find_folder(const coco *c)
{
    static const char *const places[] = { "../%s",     "../images/%s", "%s", "images/%s",
                                          "../images", "images",       "..", "." };
    char name[128], place[160], *best = NULL;
    int64_t most = -1;
    set_of(c->path, name);
    for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
        const char *of = strstr(places[i], "%s");
        snprintf(place, sizeof place, "%.*s%s", of ? (int)(of - places[i]) : 100, places[i], of ? name : "");
        char *folder = listing_folder(c->path, strcmp(place, ".") == 0 ? NULL : place);
        int64_t found = folder ? count_found(&c->found, folder) : -1;
        bool better = found > most;
        free(found < 0 || better ? best : folder);
        if (found < 0) return free(folder), NULL;
        if (better) best = folder, most = found;
    }
    return best;
}

static bool make(coco *c)
{
    const char *given = c->list->options->pictures;
    if (!c->images || !c->annotations)
        return error_set(c->err, ERROR_FORMAT, "%s: is not COCO's captions: it has no list \"%s\"", c->path,
                         c->images ? "annotations" : "images");
    if (c->found.caption_count == 0 && c->other)
        return error_set(
            c->err, ERROR_FORMAT,
            "%s: its %lld annotations have no \"caption\"; COCO's captions stand in captions_*.json", c->path,
            (long long)c->other);
    char *folder = given ? listing_folder(c->path, given) : find_folder(c);
    if (!folder) return no_memory(c);
    bool done = !given || listing_check_folder(c->path, folder, c->err);
    if (done) log_info("%s: pictures are read from '%s'", c->path, folder);
    done = done && listing_make(&c->found, c->list, folder, c->source, c->err);
    free(folder);
    return done;
}

bool source_coco(member_list *list, const char *path, int source, error *err)
{
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    coco c = { .path = path,
               .begin = bytes,
               .at = bytes,
               .end = bytes + size,
               .source = source,
               .list = list,
               .err = err };
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) c.at += 3;
    bool done = listing_begin(&c.found, err) && read_file(&c) && make(&c);
    listing_free(&c.found);
    free(bytes);
    return done;
}
