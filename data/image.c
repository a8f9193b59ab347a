/* image.c -- pictures: memory, reading, cutting.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include "data/image_codec.h"
#include "host/base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool check_size(int64_t width, int64_t height, int64_t most, error *err)
{
    if (width < 1 || height < 1)
        return error_set(err, ERROR_FORMAT, "a picture of %lld x %lld has no pixels", (long long)width,
                         (long long)height);
    if (width <= IMAGE_MAX_SIDE && height <= IMAGE_MAX_SIDE && width * height <= most) return true;
    char limit[32];
    snprintf(limit, sizeof limit, most % 1000000 ? "%lld" : "%lld million",
             (long long)(most % 1000000 ? most : most / 1000000));
    return error_set(err, ERROR_FORMAT,
                     "a picture of %lld x %lld is too large; at most %d pixels a side and %s in all",
                     (long long)width, (long long)height, IMAGE_MAX_SIDE, limit);
}

bool image_allow(const image_file *f, int64_t width, int64_t height, error *err)
{
    return check_size(width, height, f->how.max_pixels, err) || error_prefix(err, "%s", f->name);
}

bool image_create_any(image *out, int width, int height, error *err)
{
    *out = (image){ 0 };
    if (!check_size(width, height, INT64_MAX / 4, err)) return false;
    size_t bytes = (size_t)width * (size_t)height * 3;
    out->pixels = malloc(bytes);
    if (!out->pixels)
        return error_set(err, ERROR_MEMORY, "no memory for a picture of %d x %d (%zu bytes)", width, height,
                         bytes);
    out->width = width;
    out->height = height;
    return true;
}

bool image_create(image *out, int width, int height, error *err)
{
    *out = (image){ 0 };
    if (!check_size(width, height, IMAGE_MAX_PIXELS, err) || !image_create_any(out, width, height, err))
        return false;
    memset(out->pixels, 255, (size_t)width * (size_t)height * 3);
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

/* ---- Reading ---- */

bool image_parse_colour(const char *text, uint8_t rgb[3], error *err)
{
    static const struct {
        const char *name;
        uint8_t level;
    } names[] = { { "white", 255 }, { "black", 0 }, { "grey", 128 } };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(text, names[i].name) == 0) {
            memset(rgb, names[i].level, 3);
            return true;
        }
    if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6)
        return error_set(err, ERROR_USAGE,
                         "'%s' is no colour; use white, black, grey or six hexadecimal digits such as ffcc00",
                         text);
    unsigned long value = strtoul(text, NULL, 16);
    for (int c = 0; c < 3; ++c) rgb[c] = (uint8_t)(value >> (16 - 8 * c));
    return true;
}

void image_flatten(const image_file *f, const uint8_t *rgba, uint8_t *rgb, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        unsigned alpha = rgba[4 * i + 3];
        for (size_t c = 0; c < 3; ++c)
            rgb[3 * i + c] =
                (uint8_t)((rgba[4 * i + c] * alpha + f->how.background[c] * (255u - alpha) + 127u) / 255u);
    }
}

static bool refuse(const image_file *f, error *err)
{
    char start[64];
    const char *kind = image_kind(f->bytes, f->size), *converter = kind ? image_kind_converter(kind) : NULL;
    if (converter)
        return error_set(err, ERROR_FORMAT, "%s: is %s; PNG, JPEG and WebP are read: convert it, as by '%s'",
                         f->name, kind, converter);
    if (kind) return error_set(err, ERROR_FORMAT, "%s: is %s; not a picture that can be read", f->name, kind);
    describe_start(f->bytes, f->size, start);
    return error_set(err, ERROR_FORMAT, "%s: neither PNG, JPEG nor WebP; it starts with %s", f->name, start);
}

bool image_decode_as(const void *bytes, size_t size, const char *name, const image_reading *how, image *out,
                     error *err)
{
    static const unsigned char png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    static const unsigned char jpeg[3] = { 0xff, 0xd8, 0xff };
    const image_file f = { bytes, size, name, how ? *how : IMAGE_READING_DEFAULT };
    *out = (image){ 0 };
    if (size == 0) return error_set(err, ERROR_FORMAT, "%s: is empty, not a picture", name);
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0) return image_png_decode(&f, out, err);
    if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0) return image_jpeg_decode(&f, out, err);
    if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(f.bytes + 8, "WEBP", 4) == 0)
        return image_webp_decode(&f, out, err);
    return refuse(&f, err);
}

bool image_read_as(const char *path, const image_reading *how, image *out, error *err)
{
    *out = (image){ 0 };
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    bool done = image_decode_as(bytes, size, path, how, out, err);
    free(bytes);
    return done;
}

bool image_decode(const void *bytes, size_t size, const char *name, image *out, error *err)
{
    return image_decode_as(bytes, size, name, NULL, out, err);
}

bool image_read(const char *path, image *out, error *err)
{
    return image_read_as(path, NULL, out, err);
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
