/* cmd_find.c -- `dalle-cl find`: the pictures that are nearest to a text or to a picture.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/embedding_file.h"
#include "app/cli/output.h"
#include "app/cli/pictures.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"
#include "data/grid.h"
#include "data/picture_file.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 192, LEAST = 96, PADDING = 6 }; /* pixels of the sheet's cells, and between them */

typedef struct finder {
    const cli_call *call;
    const char *wanted; /* a text, or a picture's file */
    bool picture;
    const char **paths;
    int path_count;
    collection *pictures;
    dalle_model *model;
    float *query;
    int most, found;
    int64_t *places;
    float *similarities;
} finder;

/* ---- What is looked for, and where ---- */

static bool sort_arguments(finder *f, error *err)
{
    const char *text = cli_text(f->call, "text"), *picture = cli_text(f->call, "picture");
    int count = cli_argument_count(f->call);
    if (text && picture)
        return error_set(err, ERROR_USAGE, "find: --text and --picture are given; it looks for one of them");
    if (!(f->paths = sets_paths(f->call, err))) return false;
    f->path_count = text || picture ? count : count - 1;
    f->wanted = text ? text : picture ? picture : cli_argument(f->call, count - 1);
    f->picture = picture != NULL;
    if (f->path_count < 1)
        return error_set(err, ERROR_USAGE,
                         "find: '%s' is the only argument; name a set, and behind it a text or a picture to "
                         "look for",
                         f->wanted);
    return text || picture || collection_tell(f->wanted, &f->picture, err);
}

/* A folder that has files may have those of another search, which would be taken for this one's. */
static bool check_copies(const char *folder, error *err)
{
    DIR *d = folder ? opendir(folder) : NULL;
    int entries = 0;
    if (folder && !d && errno != ENOENT)
        return error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot read the folder '%s': %s",
                         folder, strerror(errno));
    while (d && readdir(d)) ++entries;
    if (d) closedir(d);
    return entries <= 2 ||
           error_set(err, ERROR_USAGE, "find: --copy '%s' is not empty; name a new folder", folder);
}

static bool embed_query(finder *f, error *err)
{
    dalle_error failure;
    int side = dalle_get_info(f->model)->clip_side;
    if (!f->picture) return (f->query = embedding_texts(f->model, &f->wanted, 1, err)) != NULL;
    uint8_t *rgb = dalle_read_fitted(f->model, &f->wanted, 1, &failure);
    if (!rgb) return pictures_error(&failure, err);
    f->query = malloc((size_t)dalle_get_info(f->model)->clip_dimensions * sizeof *f->query);
    bool ok = f->query ? true : error_set(err, ERROR_MEMORY, "out of memory for an embedding");
    if (ok && !dalle_embed_pictures(f->model, rgb, 1, side, embedding_go_on, NULL, f->query, &failure))
        ok = pictures_error(&failure, err);
    dalle_free(rgb);
    return ok;
}

/* ---- Searching ---- */

static void look_at(finder *f, const float *embeddings, int64_t first, int64_t count)
{
    f->found = dalle_nearest(f->query, embeddings, count, dalle_get_info(f->model)->clip_dimensions, first,
                             f->most, f->found, f->places, f->similarities);
}

static bool take(void *context, int64_t index, const float *embedding, error *err)
{
    (void)err;
    if (embedding) look_at(context, embedding, index, 1);
    return true;
}

/* Interrupted, nothing of the file stays. */
static bool make_file(const char *path, embedding_pass *pass, const embedding_origin *of, error *err)
{
    char temporary[512];
    if (!file_check_writable(path, err)) return error_prefix(err, "find: --embeddings");
    if (strlen(path) < sizeof temporary - 32) {
        file_atomic_name(path, temporary, sizeof temporary);
        cli_interrupt_removes(temporary);
    }
    if (!embedding_file_write(path, pass, of, err)) return false;
    cli_interrupt_ends("stopped; '%s' has the embeddings", path);
    return embedding_end(pass, err);
}

static bool search_file(finder *f, const char *path, error *err)
{
    embedding_pass pass = { .model = f->model, .pictures = f->pictures };
    embedding_origin of;
    embedding_file *kept;
    if (!embedding_origin_of(f->model, f->pictures, &of, err) || !embedding_file_open(path, &of, &kept, err))
        return false;
    if (kept) log_info("'%s' has the embeddings of these pictures", path);
    if (!kept && (!make_file(path, &pass, &of, err) || !embedding_file_open(path, &of, &kept, err)))
        return false;
    if (!kept) return error_set(err, ERROR_IO, "'%s' changed while it was written", path);
    look_at(f, embedding_file_values(kept), 0, of.count);
    embedding_file_close(kept);
    return true;
}

static bool search(finder *f, error *err)
{
    const char *path = cli_text(f->call, "embeddings");
    embedding_pass pass = { .model = f->model, .pictures = f->pictures, .take = take, .context = f };
    int64_t count = collection_count(f->pictures);
    if (f->most > count) {
        log_info("there are only %lld pictures; all are shown", (long long)count);
        f->most = (int)count;
    }
    f->places = malloc((size_t)f->most * sizeof *f->places);
    f->similarities = malloc((size_t)f->most * sizeof *f->similarities);
    if (!f->places || !f->similarities)
        return error_set(err, ERROR_MEMORY, "out of memory for %d pictures", f->most);
    if (path ? !search_file(f, path, err)
             : !embedding_run(&pass, 0, count, err) || !embedding_end(&pass, err))
        return false;
    return f->found > 0 ||
           error_set(err, ERROR_FORMAT, "none of %lld pictures can be read", (long long)count);
}

/* ---- The sheet ---- */

/* At most LARGEST a side, as it is if smaller; on white where it is narrower than its label needs. */
static bool make_cell(const finder *f, int i, image *cell, error *err)
{
    image whole = { 0 }, small = { 0 };
    if (!collection_picture(f->pictures, f->places[i], &whole, err)) return false;
    int side = whole.width > whole.height ? whole.width : whole.height;
    int width = side > LARGEST ? whole.width * LARGEST / side : whole.width;
    int height = side > LARGEST ? whole.height * LARGEST / side : whole.height;
    if (width < 1) width = 1;
    if (height < 1) height = 1;
    bool ok = image_resize_lanczos(&whole, width, height, &small, err) &&
              image_create(cell, width < LEAST ? LEAST : width, height, err);
    if (ok) image_paste(cell, &small, (cell->width - width) / 2, 0);
    image_free(&small);
    image_free(&whole);
    return ok;
}

static char *make_label(const finder *f, int i, error *err)
{
    collection_item item;
    char *label = NULL;
    if (!collection_item_read(f->pictures, f->places[i], &item, err)) return NULL;
    const char *words = *item.sample.caption ? item.sample.caption : item.sample.key;
    if (asprintf(&label, "%.3f %s", (double)f->similarities[i], words) < 0) label = NULL;
    dataset_sample_free(&item.sample);
    return label ? label : error_null(err, ERROR_MEMORY, "out of memory for a label");
}

static bool make_sheet(const finder *f, image *sheet, error *err)
{
    size_t count = (size_t)f->found;
    image *cells = calloc(count, sizeof *cells);
    char **labels = calloc(count, sizeof *labels);
    bool ok = cells && labels;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for a sheet of %d pictures", f->found);
    for (int i = 0; ok && i < f->found; ++i)
        ok = make_cell(f, i, &cells[i], err) && (labels[i] = make_label(f, i, err));
    ok = ok && grid_make(cells, f->found, 0, PADDING, (const char *const *)labels, sheet, err);
    for (size_t i = 0; cells && labels && i < count; ++i) {
        image_free(&cells[i]);
        free(labels[i]);
    }
    free(cells);
    free(labels);
    return ok;
}

static bool write_sheet(const finder *f, const char *path, error *err)
{
    image sheet = { 0 };
    void *png = NULL;
    size_t size = 0;
    bool ok = make_sheet(f, &sheet, err) && image_encode_png(&sheet, &png, &size, err) &&
              output_write(path, png, size, err);
    free(png);
    image_free(&sheet);
    return ok;
}

/* ---- Copies ---- */

/* "03-red_apple": the place, and the key with '_' for what no file's name should have. */
static char *copy_name(const char *folder, int place, const char *key, error *err)
{
    char *path = NULL, *name;
    if (asprintf(&path, "%s/%02d-%.200s", folder, place + 1, key) < 0)
        return error_null(err, ERROR_MEMORY, "out of memory for a file's name");
    name = path + strlen(folder) + 1;
    for (char *at = name; *at; ++at)
        if ((unsigned char)*at < ' ' || strchr("/\\:*?\"<>|", *at)) *at = '_';
    return path;
}

static bool write_copy(const char *stem, const char *ending, const void *bytes, size_t size, error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s.%s", stem, ending) < 0)
        return error_set(err, ERROR_MEMORY, "out of memory for a file's name");
    bool ok = file_write(path, bytes, size, err);
    free(path);
    return ok;
}

/* All captions, one a line, to be freed. */
static char *caption_lines(const dataset_sample *s, error *err)
{
    size_t room = 1;
    for (int i = 0; i < s->caption_count; ++i) room += strlen(s->captions[i]) + 1;
    char *lines = malloc(room), *to = lines;
    if (!lines) return error_null(err, ERROR_MEMORY, "out of memory for captions");
    for (int i = 0; i < s->caption_count; ++i) {
        for (const char *from = s->captions[i]; *from; ++from) *to++ = *from == '\n' ? ' ' : *from;
        *to++ = '\n';
    }
    *to = 0;
    return lines;
}

static bool copy_one(const finder *f, const char *folder, int i, error *err)
{
    collection_item item;
    void *bytes = NULL;
    size_t size = 0;
    if (!collection_item_read(f->pictures, f->places[i], &item, err)) return false;
    char *stem = copy_name(folder, i, item.sample.key, err), *captions = NULL;
    bool ok = stem && collection_bytes(f->pictures, f->places[i], &bytes, &size, err) &&
              write_copy(stem, picture_file_ending(bytes, size), bytes, size, err) &&
              (captions = caption_lines(&item.sample, err)) &&
              (!*captions || write_copy(stem, "txt", captions, strlen(captions), err));
    free(captions);
    free(bytes);
    free(stem);
    dataset_sample_free(&item.sample);
    return ok;
}

static bool copy_all(const finder *f, const char *folder, error *err)
{
    bool ok = file_make_folders(folder, err);
    for (int i = 0; ok && i < f->found; ++i) ok = copy_one(f, folder, i, err);
    return ok;
}

/* ---- The list ---- */

static bool print_people(const finder *f, error *err)
{
    for (int i = 0; i < f->found; ++i) {
        collection_item item;
        if (!collection_item_read(f->pictures, f->places[i], &item, err)) return false;
        print_line(stdout, "%4d  %7.4f  %s%s%s", i + 1, (double)f->similarities[i], item.sample.key,
                   *item.sample.caption ? ": " : "", item.sample.caption);
        dataset_sample_free(&item.sample);
    }
    return true;
}

static bool print_json(const finder *f, error *err)
{
    json_t *o = json_object(), *list = json_array();
    for (int i = 0; i < f->found; ++i) {
        collection_item item;
        json_t *one = json_object();
        if (!collection_item_read(f->pictures, f->places[i], &item, err))
            return json_decref(one), json_decref(list), json_decref(o), false;
        json_tree_put(&one, "picture", json_tree_string(item.sample.key));
        json_tree_put(&one, "similarity", json_real((double)f->similarities[i]));
        json_tree_put(&one, "caption",
                      *item.sample.caption ? json_tree_string(item.sample.caption) : json_null());
        json_tree_add(&list, one);
        dataset_sample_free(&item.sample);
    }
    json_tree_put(&o, f->picture ? "near_picture" : "near_text", json_tree_string(f->wanted));
    json_tree_put(&o, "pictures", json_integer(collection_count(f->pictures)));
    json_tree_put(&o, "found", list);
    return sets_print(o, JSON_COMPACT | JSON_REAL_PRECISION(6), err);
}

static bool show(const finder *f, error *err)
{
    const char *sheet = cli_text(f->call, "output"), *copies = cli_text(f->call, "copy");
    bool stream = sheet && output_is_stdout(sheet);
    if (sheet && !write_sheet(f, sheet, err)) return false;
    if (copies && !copy_all(f, copies, err)) return false;
    if (cli_flag(f->call, "json")) return print_json(f, err);
    return stream || print_people(f, err);
}

/* ---- All ---- */

static bool find(finder *f, error *err)
{
    dalle_error failure;
    f->most = (int)cli_int(f->call, "count");
    if (!cli_require(f->call, "model", err) || !sort_arguments(f, err) ||
        !check_copies(cli_text(f->call, "copy"), err))
        return false;
    if (!(f->pictures = collection_open(f->paths, f->path_count, err))) return false;
    f->model =
        dalle_open_parts(cli_text(f->call, "model"), cli_text(f->call, "device"), DALLE_CLIP, &failure);
    if (!f->model) return pictures_error(&failure, err);
    if (!embed_query(f, err) || !search(f, err)) return false;
    cli_interrupt_asks(NULL); /* what is found is written */
    return show(f, err);
}

/* The file of embeddings is read the next time, so that nothing else may be written over it. */
static bool check_kept(const cli_call *call, error *err)
{
    static const char *const others[] = { "output", "copy" };
    const char *kept = cli_text(call, "embeddings");
    for (int i = 0; kept && i < 2; ++i) {
        const char *other = cli_text(call, others[i]);
        if (other && strcmp(other, kept) == 0)
            return error_set(err, ERROR_USAGE, "find: --%s and --embeddings both name '%s'", others[i], kept);
    }
    return true;
}

static bool run_find(const cli_call *call, error *err)
{
    finder f = { .call = call };
    if (!check_kept(call, err)) return false;
    if (!cli_given(call, "output")) {
        cli_catch_interrupts();
        cli_interrupt_ends("stopped; nothing was written");
    }
    bool ok = find(&f, err);
    dalle_close(f.model);
    collection_close(f.pictures);
    free(f.paths);
    free(f.query);
    free(f.places);
    free(f.similarities);
    return ok;
}

static const cli_option options[] = {
    { "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "a packed model with a CLIP, or the run of one" },
    { "count", 'n', CLI_INT, "N", "16", 1, 10000, "how many pictures" },
    { "output", 'o', CLI_PICTURE, "FILE", NULL, 0, 0,
      "PNG to write: a sheet of the pictures with their captions; - is standard output" },
    { "copy", 0, CLI_FOLDER, "FOLDER", NULL, 0, 0,
      "copy the pictures and captions there, numbered, into a new or empty folder" },
    { "embeddings", 0, CLI_TEXT, "FILE", NULL, 0, 0,
      "keep the set's embeddings in this safetensors file, and take them from there next time" },
    { "text", 0, CLI_TEXT, "TEXT", NULL, 0, 0, "what to look for: a text, even if a file has that name" },
    { "picture", 0, CLI_TEXT, "FILE", NULL, 0, 0, "what to look for: a picture, whatever its name" },
};

const cli_command cmd_find = {
    .name = "find",
    .summary = "find the pictures of a set that are nearest to a text, or to a picture",
    .arguments = COLLECTION_ARGUMENTS " TEXT|PICTURE",
    .least = 1,
    .most = -1,
    .example = "dalle-cl find -m models/clip photos.tar \"a red car\" -n 16 -o sheet.png\n"
               "dalle-cl find -m models/clip photos.tar cat.png --embeddings photos.safetensors",
    .text = "Lists them, nearest first, with their similarity, the cosine between -1 and 1. The last "
            "argument is\n"
            "what to look for: a picture if it is a picture's file, else a text. A file of embeddings that "
            "is of\n"
            "other pictures, or of another CLIP, is made again, which is said; any other file is refused. No "
            "more\n"
            "than a batch of pictures is held at a time." COLLECTION_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_find,
};
