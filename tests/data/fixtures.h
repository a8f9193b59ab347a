/* fixtures.h -- a private folder, and small data sets in it, for the tests of data/.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_DATA_FIXTURES_H
#define DALLE_CL_TESTS_DATA_FIXTURES_H

#include "data/image.h"
#include "data/safetensors.h"
#include "host/base/file.h"
#include <archive.h>
#include <archive_entry.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define UNUSED __attribute__((unused))

typedef struct room {
    char path[64];
} room;

static UNUSED room room_create(void)
{
    room r = { "dalle-data-XXXXXX" };
    assert_non_null(mkdtemp(r.path));
    return r;
}

static UNUSED void room_remove(const room *r)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", r->path);
    assert_int_equal(system(command), 0);
}

/* The path of a file in the folder; eight results live at a time. */
static UNUSED const char *at(const room *r, const char *name)
{
    static char paths[8][512];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", r->path, name);
    return paths[turn];
}

/* A picture no two pixels of which are alike by chance only. */
static UNUSED image noise(int width, int height, uint32_t seed)
{
    image made;
    assert_true(image_create(&made, width, height, NULL));
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; ++i) {
        seed = seed * 1664525u + 1013904223u;
        made.pixels[i] = (uint8_t)(seed >> 24);
    }
    return made;
}

static UNUSED void assert_same_image(const image *a, const image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_memory_equal(a->pixels, b->pixels, (size_t)a->width * (size_t)a->height * 3);
}

static UNUSED void assert_says(const error *err, const char *part)
{
    if (!strstr(err->message, part)) fail_msg("'%s' does not say '%s'", err->message, part);
}

/* tests/golden/<name>.safetensors. */
static UNUSED safetensors *golden_open(const char *name)
{
    char path[1024];
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    error err = { 0 };
    snprintf(path, sizeof path, "%s/golden/%s.safetensors", folder ? folder : "tests", name);
    safetensors *golden = safetensors_open(path, &err);
    if (!golden) fail_msg("%s", err.message);
    return golden;
}

/* Writes a file that the golden pictures hold. */
static UNUSED void write_golden(const char *name, const char *path)
{
    safetensors *golden = golden_open("pictures");
    const safetensors_tensor *t = safetensors_find(golden, name);
    assert_true(t && file_write(path, t->data, (size_t)t->bytes, NULL));
    safetensors_close(golden);
}

typedef struct tar_file {
    struct archive *tar;
} tar_file;

static UNUSED tar_file tar_begin(const char *path, bool compressed)
{
    tar_file t = { archive_write_new() };
    assert_non_null(t.tar);
    archive_write_set_format_pax_restricted(t.tar);
    if (compressed) archive_write_add_filter_gzip(t.tar);
    assert_int_equal(archive_write_open_filename(t.tar, path), ARCHIVE_OK);
    return t;
}

static UNUSED void tar_add(const tar_file *t, const char *name, const void *bytes, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    assert_true(archive_write_header(t->tar, entry) >= ARCHIVE_WARN); /* of a foreign name, in the C locale */
    assert_int_equal(archive_write_data(t->tar, bytes, size), size);
    archive_entry_free(entry);
}

static UNUSED void tar_add_text(const tar_file *t, const char *name, const char *text)
{
    tar_add(t, name, text, strlen(text));
}

static UNUSED void tar_add_noise(const tar_file *t, const char *name, int width, int height, uint32_t seed)
{
    image made = noise(width, height, seed);
    void *png;
    size_t size;
    assert_true(image_encode_png(&made, &png, &size, NULL));
    tar_add(t, name, png, size);
    free(png);
    image_free(&made);
}

static UNUSED void tar_end(const tar_file *t)
{
    assert_int_equal(archive_write_close(t->tar), ARCHIVE_OK);
    archive_write_free(t->tar);
}

/* `count` pictures of 20 x (16 + i) pixels with captions "caption i"; every third is of split val. */
static UNUSED void make_tar(const char *path, int count, bool compressed)
{
    tar_file t = tar_begin(path, compressed);
    for (int i = 0; i < count; ++i) {
        char name[32], text[64];
        snprintf(name, sizeof name, "s/%04d.png", i);
        tar_add_noise(&t, name, 20, 16 + i, (uint32_t)i);
        snprintf(name, sizeof name, "s/%04d.txt", i);
        snprintf(text, sizeof text, "caption %d\n", i);
        tar_add_text(&t, name, text);
        snprintf(name, sizeof name, "s/%04d.json", i);
        snprintf(text, sizeof text, "{\"split\":\"%s\",\"keywords\":[\"a\",\"b%d\"],\"more\":1}",
                 i % 3 ? "train" : "val", i);
        tar_add_text(&t, name, text);
    }
    tar_add_text(&t, "README.md", "ignored");
    tar_end(&t);
}

#endif
