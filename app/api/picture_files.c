/* picture_files.c -- libdalle's pictures as files: see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "data/grid.h"
#include "host/base/file.h"
#include "host/base/plain_locale.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 2, MOST = 1000000, MOST_TEXTS = 1000 };

static bool check_sizes(int count, int side, error *err)
{
    if (count < 1 || count > MOST)
        return error_set(err, ERROR_USAGE, "%d pictures; it takes 1 to %d", count, MOST);
    if (side < 1 || side > IMAGE_MAX_SIDE)
        return error_set(err, ERROR_USAGE, "pictures of %d pixels a side; 1 to %d", side, IMAGE_MAX_SIDE);
    return true;
}

/* ---- Writing ---- */

/* One picture is itself, more are a grid, which is made in `room`. */
static const image *arrange(image *pieces, int count, int columns, image *room, error *err)
{
    if (count == 1) return pieces;
    return grid_make(pieces, count, columns < count ? columns : count, GAP, NULL, room, err) ? room : NULL;
}

static bool encode_image(const image *whole, const dalle_png_text *texts, int count, void **png,
                         size_t *bytes, error *err)
{
    image_text *own = calloc((size_t)count + 1, sizeof *own);
    if (!own) return error_set(err, ERROR_MEMORY, "out of memory for the texts of a picture");
    for (int i = 0; i < count; ++i) own[i] = (image_text){ texts[i].keyword, texts[i].text };
    bool ok = image_encode_png_texts(whole, own, count, png, bytes, err);
    free(own);
    return ok;
}

static void *encode(const uint8_t *rgb, int count, int side, int columns, const dalle_png_text *texts,
                    int text_count, size_t *bytes, error *err)
{
    image room = { 0 };
    void *png = NULL;
    if (!rgb) return api_missing("the pictures", err), NULL;
    if (!check_sizes(count, side, err)) return NULL;
    if (columns < 0) return error_null(err, ERROR_USAGE, "%d columns; 0 is about square", columns);
    if (text_count < 0 || text_count > MOST_TEXTS)
        return error_null(err, ERROR_USAGE, "%d texts; 0 to %d", text_count, MOST_TEXTS);
    if (text_count && !texts) return api_missing("the list of texts", err), NULL;
    image *pieces = malloc((size_t)count * sizeof *pieces);
    if (!pieces) return error_null(err, ERROR_MEMORY, "out of memory for a grid of %d pictures", count);
    for (int i = 0; i < count; ++i) /* pieces are only read */
        pieces[i] =
            (image){ side, side, (uint8_t *)(uintptr_t)rgb + (size_t)i * (size_t)side * (size_t)side * 3 };
    const image *whole = arrange(pieces, count, columns, &room, err);
    if (whole && !encode_image(whole, texts, text_count, &png, bytes, err)) png = NULL;
    image_free(&room);
    free(pieces);
    return png;
}

void *dalle_encode_png_texts(const uint8_t *rgb, int count, int side, int columns,
                             const dalle_png_text *texts, int text_count, size_t *bytes, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    void *png = bytes ? encode(rgb, count, side, columns, texts, text_count, bytes, &err) : NULL;
    if (!bytes) api_missing("where the size goes", &err);
    if (!png) api_report(failure, &err);
    return png;
}

void *dalle_encode_png(const uint8_t *rgb, int count, int side, int columns, size_t *bytes,
                       dalle_error *failure)
{
    PLAIN_LOCALE;
    return dalle_encode_png_texts(rgb, count, side, columns, NULL, 0, bytes, failure);
}

bool dalle_write_png(const char *path, const uint8_t *rgb, int count, int side, int columns,
                     dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    size_t size = 0;
    void *png = path ? encode(rgb, count, side, columns, NULL, 0, &size, &err) : NULL;
    if (!path) api_missing("the file's name", &err);
    bool ok = png && file_write(path, png, size, &err);
    free(png);
    return ok || api_report(failure, &err);
}

/* ---- Reading ---- */

static bool read_one(const char *path, int side, uint8_t *to, error *err)
{
    image whole = { 0 }, fitted = { 0 };
    if (!path) return api_missing("a file's name", err);
    bool ok = image_read(path, &whole, err) && image_fit(&whole, side, &fitted, err);
    if (ok) memcpy(to, fitted.pixels, (size_t)side * (size_t)side * 3);
    image_free(&whole);
    image_free(&fitted);
    return ok;
}

static uint8_t *read_all(const char *const *paths, int count, int side, error *err)
{
    if (!paths) return api_missing("the list of files", err), NULL;
    if (!check_sizes(count, side, err)) return NULL;
    size_t size = (size_t)side * (size_t)side * 3;
    uint8_t *rgb = malloc((size_t)count * size);
    if (!rgb)
        return error_null(err, ERROR_MEMORY, "out of memory for %d pictures of %d x %d", count, side, side);
    for (int i = 0; i < count; ++i) {
        if (read_one(paths[i], side, rgb + (size_t)i * size, err)) continue;
        free(rgb);
        return NULL;
    }
    return rgb;
}

uint8_t *dalle_read_pictures(const char *const *paths, int count, int side, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    uint8_t *rgb = read_all(paths, count, side, &err);
    if (!rgb) api_report(failure, &err);
    return rgb;
}
