/* image.c -- pictures: memory, reading, cutting.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include "data/image_codec.h"
#include "host/base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool image_create(image *out, int width, int height, error *err)
{
    *out = (image){ 0 };
    if (width < 1 || height < 1)
        return error_set(err, ERROR_FORMAT, "a picture of %d x %d has no pixels", width, height);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || (int64_t)width * height > IMAGE_MAX_PIXELS)
        return error_set(err, ERROR_FORMAT,
                         "a picture of %d x %d is too large; at most %d pixels a side and %d million in all",
                         width, height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS / 1000000);
    size_t bytes = (size_t)width * (size_t)height * 3;
    out->pixels = malloc(bytes);
    if (!out->pixels)
        return error_set(err, ERROR_MEMORY, "no memory for a picture of %d x %d (%zu bytes)", width, height,
                         bytes);
    memset(out->pixels, 255, bytes);
    out->width = width;
    out->height = height;
    return true;
}

void image_free(image *picture)
{
    free(picture->pixels);
    *picture = (image){ 0 };
}

/* Writes what the bytes start with, for people: text as text, anything else in hexadecimal. */
static void describe_start(const unsigned char *bytes, size_t size, char text[64])
{
    size_t count = size < 12 ? size : 12;
    bool printable = true;
    for (size_t i = 0; i < count; ++i) printable = printable && bytes[i] >= 32 && bytes[i] < 127;
    if (printable) {
        snprintf(text, 64, "'%.*s'", (int)count, (const char *)bytes);
        return;
    }
    count = count < 8 ? count : 8;
    for (size_t i = 0; i < count; ++i) snprintf(text + 3 * i, 64 - 3 * i, "%02x ", bytes[i]);
    text[3 * count - 1] = 0;
}

bool image_decode(const void *bytes, size_t size, const char *name, image *out, error *err)
{
    static const unsigned char png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    static const unsigned char jpeg[3] = { 0xff, 0xd8, 0xff };
    *out = (image){ 0 };
    if (size == 0) return error_set(err, ERROR_FORMAT, "%s: is empty, not a picture", name);
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
        return image_png_decode(bytes, size, name, out, err);
    if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return image_jpeg_decode(bytes, size, name, out, err);
    const char *kind = image_kind(bytes, size);
    if (kind && strstr(kind, "picture"))
        return error_set(err, ERROR_FORMAT,
                         "%s: is %s; PNG and JPEG are read: convert it, as by 'convert IN OUT.png'", name,
                         kind);
    if (kind) return error_set(err, ERROR_FORMAT, "%s: is %s; not a picture that can be read", name, kind);
    char start[64];
    describe_start(bytes, size, start);
    return error_set(err, ERROR_FORMAT, "%s: neither PNG nor JPEG; it starts with %s", name, start);
}

bool image_read(const char *path, image *out, error *err)
{
    *out = (image){ 0 };
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    bool done = image_decode(bytes, size, path, out, err);
    free(bytes);
    return done;
}

bool image_write_png(const image *picture, const char *path, error *err)
{
    void *bytes;
    size_t size;
    if (!image_encode_png(picture, &bytes, &size, err)) return error_prefix(err, "%s", path);
    bool done = file_write(path, bytes, size, err);
    free(bytes);
    return done;
}

bool image_crop(const image *in, int x, int y, int width, int height, image *out, error *err)
{
    CHECK(x >= 0 && y >= 0 && width <= in->width - x && height <= in->height - y, "crop %d,%d %dx%d of %dx%d",
          x, y, width, height, in->width, in->height);
    if (!image_create(out, width, height, err)) return false;
    size_t row = (size_t)width * 3;
    for (int line = 0; line < height; ++line)
        memcpy(out->pixels + row * (size_t)line,
               in->pixels + ((size_t)(y + line) * (size_t)in->width + (size_t)x) * 3, row);
    return true;
}

void image_flip(image *picture)
{
    for (int y = 0; y < picture->height; ++y) {
        uint8_t *row = picture->pixels + (size_t)y * (size_t)picture->width * 3;
        for (int left = 0, right = picture->width - 1; left < right; ++left, --right) {
            uint8_t kept[3];
            memcpy(kept, row + 3 * left, 3);
            memcpy(row + 3 * left, row + 3 * right, 3);
            memcpy(row + 3 * right, kept, 3);
        }
    }
}

void image_paste(image *onto, const image *piece, int x, int y)
{
    int from = x < 0 ? -x : 0;
    int to = piece->width < onto->width - x ? piece->width : onto->width - x;
    if (from >= to) return;
    for (int line = 0; line < piece->height; ++line) {
        if (y + line < 0 || y + line >= onto->height) continue;
        memcpy(onto->pixels + ((size_t)(y + line) * (size_t)onto->width + (size_t)(x + from)) * 3,
               piece->pixels + ((size_t)line * (size_t)piece->width + (size_t)from) * 3,
               (size_t)(to - from) * 3);
    }
}
