/* image_png.c -- PNG through libpng.  Its errors jump; everything they must free lives in one struct
 * outside the jumping function, so that no local variable is lost.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct png_work {
    png_structp png;
    png_infop info;
    const unsigned char *bytes; /* reading */
    unsigned char *made;        /* writing */
    size_t size, position, room;
    uint8_t *rgba;
    png_bytep *rows;
    bool memory; /* ran out */
    char problem[160];
} png_work;

static void on_error(png_structp png, png_const_charp text)
{
    png_work *work = png_get_error_ptr(png);
    snprintf(work->problem, sizeof work->problem, "%s", text);
    work->memory = strcasestr(text, "memory") != NULL; /* the library has no other way to say so */
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep into, size_t count)
{
    png_work *work = png_get_io_ptr(png);
    if (count > work->size - work->position) png_error(png, "the file is cut short");
    memcpy(into, work->bytes + work->position, count);
    work->position += count;
}

static void on_write(png_structp png, png_bytep from, size_t count)
{
    png_work *work = png_get_io_ptr(png);
    if (count > work->room - work->position) {
        size_t room = 2 * work->room + count + 4096;
        unsigned char *larger = realloc(work->made, room);
        if (!larger) png_error(png, "no memory");
        work->made = larger;
        work->room = room;
    }
    memcpy(work->made + work->position, from, count);
    work->position += count;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Asks libpng for 8-bit RGBA whatever the file holds. */
static void ask_for_rgba(png_structp png)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
}

static bool read_rgba(png_work *work, int width, int height)
{
    if (setjmp(png_jmpbuf(work->png))) return false;
    png_set_read_fn(work->png, work, on_read);
    png_set_user_limits(work->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_read_info(work->png, work->info);
    ask_for_rgba(work->png);
    png_read_update_info(work->png, work->info);
    if (png_get_rowbytes(work->png, work->info) != (size_t)width * 4)
        png_error(work->png, "unexpected row size");
    for (int y = 0; y < height; ++y) work->rows[y] = work->rgba + (size_t)y * (size_t)width * 4;
    png_read_image(work->png, work->rows);
    png_read_end(work->png, work->info);
    return true;
}

/* The chunk holds what follows the mark in a JPEG. */
static bool orient(const png_work *work, image *out, error *err)
{
    png_uint_32 size = 0;
    png_bytep chunk = NULL;
    if (!png_get_eXIf_1(work->png, work->info, &size, &chunk) || size == 0 || size > 1 << 20) return true;
    unsigned char *block = calloc(1, (size_t)size + 6);
    if (!block) return error_set(err, ERROR_MEMORY, "no memory for the EXIF block");
    memcpy(block, IMAGE_EXIF_MARK, sizeof IMAGE_EXIF_MARK);
    memcpy(block + 6, chunk, size);
    bool done = image_orient(out, block, (size_t)size + 6, err);
    free(block);
    return done;
}

static void put_on_white(const uint8_t *rgba, image *out)
{
    size_t count = (size_t)out->width * (size_t)out->height;
    for (size_t i = 0; i < count; ++i) {
        unsigned alpha = rgba[4 * i + 3];
        for (size_t c = 0; c < 3; ++c)
            out->pixels[3 * i + c] =
                (uint8_t)((rgba[4 * i + c] * alpha + 255u * (255u - alpha) + 127u) / 255u);
    }
}

bool image_png_decode(const void *bytes, size_t size, const char *name, image *out, error *err)
{
    png_work work = { .bytes = bytes, .size = size };
    bool done = false;
    if (size < 33 || memcmp(work.bytes + 12, "IHDR", 4) != 0)
        return error_set(err, ERROR_FORMAT, "%s: a PNG without a header; it is cut short or damaged", name);
    uint32_t width = big_endian(work.bytes + 16), height = big_endian(work.bytes + 20);
    int columns = width > INT32_MAX ? INT32_MAX : (int)width,
        lines = height > INT32_MAX ? INT32_MAX : (int)height;
    if (!image_create(out, columns, lines, err)) return error_prefix(err, "%s", name);
    work.rgba = malloc((size_t)columns * (size_t)lines * 4);
    work.rows = malloc((size_t)lines * sizeof *work.rows);
    work.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &work, on_error, on_warning);
    if (work.png) work.info = png_create_info_struct(work.png);
    if (!work.rgba || !work.rows || !work.info) {
        error_set(err, ERROR_MEMORY, "%s: no memory to decode %d x %d pixels", name, columns, lines);
    } else if (!read_rgba(&work, columns, lines)) {
        if (work.memory)
            error_set(err, ERROR_MEMORY, "%s: no memory to decode %d x %d pixels", name, columns, lines);
        else
            error_set(err, ERROR_FORMAT, "%s: cannot decode this PNG: %s", name, work.problem);
    } else {
        put_on_white(work.rgba, out);
        done = orient(&work, out, err) || error_prefix(err, "%s", name);
    }
    png_destroy_read_struct(work.png ? &work.png : NULL, work.info ? &work.info : NULL, NULL);
    free(work.rgba);
    free(work.rows);
    if (!done) image_free(out);
    return done;
}

static bool write_rgb(png_work *work, const image *picture)
{
    if (setjmp(png_jmpbuf(work->png))) return false;
    png_set_write_fn(work->png, work, on_write, on_flush);
    png_set_IHDR(work->png, work->info, (png_uint_32)picture->width, (png_uint_32)picture->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(work->png, work->info);
    for (int y = 0; y < picture->height; ++y)
        png_write_row(work->png, picture->pixels + (size_t)y * (size_t)picture->width * 3);
    png_write_end(work->png, NULL);
    return true;
}

bool image_encode_png(const image *picture, void **bytes, size_t *size, error *err)
{
    png_work work = { 0 };
    *bytes = NULL;
    *size = 0;
    bool done = false;
    work.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &work, on_error, on_warning);
    if (work.png) work.info = png_create_info_struct(work.png);
    if (!work.info)
        error_set(err, ERROR_MEMORY, "no memory to write a PNG");
    else if (!write_rgb(&work, picture))
        error_set(err, ERROR_MEMORY, "no memory to write a PNG of %d x %d: %s", picture->width,
                  picture->height, work.problem);
    else
        done = true;
    png_destroy_write_struct(work.png ? &work.png : NULL, work.info ? &work.info : NULL);
    if (!done) {
        free(work.made);
        return false;
    }
    *bytes = work.made;
    *size = work.position;
    return true;
}
