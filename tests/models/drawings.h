/* drawings.h -- eight small pictures with captions, and runs trained on them: what tests of whole models
 * share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_MODELS_DRAWINGS_H
#define DALLE_CL_TESTS_MODELS_DRAWINGS_H

#include "models/kinds.h"
#include "tests/data/fixtures.h"

enum { DRAWINGS = 8, DRAWING_SIDE = 16, DRAWING_BYTES = DRAWING_SIDE * DRAWING_SIDE * 3 };

static const char *const drawing_captions[DRAWINGS] = {
    "a red square",     "a green square",     "a blue square",     "a black square",
    "red over a white", "green over a white", "blue over a white", "black over a white",
};

/* Four colours; a square in the middle, or the upper half. */
static UNUSED void drawing_pixels(int number, uint8_t *pixels)
{
    static const uint8_t colours[4][3] = {
        { 220, 40, 40 }, { 40, 180, 60 }, { 40, 60, 220 }, { 10, 10, 10 }
    };
    for (int y = 0; y < DRAWING_SIDE; ++y)
        for (int x = 0; x < DRAWING_SIDE; ++x) {
            bool inside = number < 4 ? x >= 4 && x < 12 && y >= 4 && y < 12 : y < 8;
            for (int c = 0; c < 3; ++c)
                pixels[(y * DRAWING_SIDE + x) * 3 + c] = inside ? colours[number % 4][c] : 255;
        }
}

static UNUSED void drawing_png(int number, void **bytes, size_t *size)
{
    image picture;
    assert_true(image_create(&picture, DRAWING_SIDE, DRAWING_SIDE, NULL));
    drawing_pixels(number, picture.pixels);
    assert_true(image_encode_png(&picture, bytes, size, NULL));
    image_free(&picture);
}

/* KEY.png, .txt and .json with keywords, to a tar. */
static UNUSED void drawings_tar(const char *path, int count)
{
    tar_file t = tar_begin(path, false);
    for (int i = 0; i < count; ++i) {
        char name[32], text[128];
        void *png;
        size_t size;
        drawing_png(i, &png, &size);
        snprintf(name, sizeof name, "%d.png", i);
        tar_add(&t, name, png, size);
        free(png);
        snprintf(name, sizeof name, "%d.txt", i);
        tar_add_text(&t, name, drawing_captions[i]);
        snprintf(name, sizeof name, "%d.json", i);
        snprintf(text, sizeof text, "{\"keywords\":[\"shape\",\"paint\",\"%s\"]}", i < 4 ? "square" : "half");
        tar_add_text(&t, name, text);
    }
    tar_end(&t);
}

static UNUSED void drawings_folder(const char *path, int count)
{
    error err;
    if (!file_make_folders(path, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < count; ++i) {
        char name[512];
        void *png;
        size_t size;
        drawing_png(i, &png, &size);
        snprintf(name, sizeof name, "%s/%d.png", path, i);
        assert_true(file_write(name, png, size, NULL));
        free(png);
        snprintf(name, sizeof name, "%s/%d.txt", path, i);
        assert_true(file_write(name, drawing_captions[i], strlen(drawing_captions[i]), NULL));
    }
}

/* Those of drawings_folder("folder"), by a table in UTF-16 and by COCO's captions. */
static UNUSED void drawings_lists(const char *table_path, const char *coco_path)
{
    char table[2000] = "\xff\xfe", line[60], coco[2000] = "{\"images\":[", captions[1000] = "";
    size_t wide = 2;
    for (int i = 0; i < DRAWINGS; ++i) {
        int size = snprintf(line, sizeof line, "folder/%d.png,\"%s\"\n", i, drawing_captions[i]);
        for (int c = 0; c < size; ++c, wide += 2) table[wide] = line[c];
        size_t used = strlen(coco), said = strlen(captions);
        snprintf(coco + used, sizeof coco - used, "{\"id\":%d,\"file_name\":\"%d.png\"},", i, i);
        snprintf(captions + said, sizeof captions - said, "%s{\"image_id\":%d,\"caption\":\"%s\"}",
                 i ? "," : "", i, drawing_captions[i]);
    }
    size_t used = strlen(coco);
    snprintf(coco + used, sizeof coco - used, "],\"annotations\":[%s]}", captions);
    assert_true(file_write(table_path, table, wide, NULL));
    assert_true(file_write(coco_path, coco, strlen(coco), NULL));
}

/* A run of `kind` by the tiny preset with `sets` over it, a NULL-terminated list that may be NULL. */
static UNUSED bool train_tiny(const char *kind, const char *data, const char *dvae, const char *run,
                              const char *const *sets, error *err)
{
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .data = data,
                        .parts = { { &dvae_kind, dvae } },
                        .run = run,
                        .seed = -1 };
    r.quiet = true;
    while (sets && sets[r.set_count]) ++r.set_count;
    return kinds_find(kind)->train(&r, err);
}

/* Both stages, and the packed model, as base/dvae, base/prior and base/model. */
static UNUSED void make_model(const room *base, const char *dvae_steps, const char *prior_steps, dtype type)
{
    error err;
    char data[100], dvae[100], prior[100], model[100];
    snprintf(data, sizeof data, "%s/data.tar", base->path);
    snprintf(dvae, sizeof dvae, "%s/dvae", base->path);
    snprintf(prior, sizeof prior, "%s/prior", base->path);
    snprintf(model, sizeof model, "%s/model", base->path);
    drawings_tar(data, DRAWINGS);
    const char *const first[] = { dvae_steps, "batch=8", "sample_every=0", NULL };
    const char *const second[] = { prior_steps, "text_vocabulary=288", "batch=8", "sample_every=0", NULL };
    device *d = device_open(NULL, &err);
    bool ok = d && train_tiny("dvae", data, NULL, dvae, first, &err) &&
              train_tiny("prior", data, dvae, prior, second, &err) &&
              pack_model(d, (const char *const[]){ dvae, prior, NULL }, model, type, &err);
    device_close(d);
    if (!ok) fail_msg("%s", err.message);
}

static UNUSED void write_text(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text), NULL));
}

/* A copy of `from` cut to `size` bytes; negative: that many fewer. */
static UNUSED void copy_cut(const char *from, const char *to, long size)
{
    error err;
    size_t whole = 0;
    char *bytes = file_read(from, &whole, &err);
    if (!bytes) fail_msg("%s", err.message);
    size_t kept = size < 0 ? whole - (size_t)-size : (size_t)size < whole ? (size_t)size : whole;
    assert_true(file_write(to, bytes, kept, NULL));
    free(bytes);
}

#endif
