/* image_png.c -- PNG through libpng.  Its errors jump; everything they must free lives in one struct
 * outside the jumping function, so that no local variable is lost.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include "host/base/utf8.h"
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
    const image_file *file; /* NULL: writing */
    png_text *texts;        /* writing */
    int text_count;
    image_profile *profile;
    uint8_t *rgba; /* a row, or, interlaced, all */
    png_bytep *rows;
    error *err;
    bool memory; /* ran out */
    char problem[160], warning[160];
} png_work;

static void on_error(png_structp png, png_const_charp text)
{
    png_work *work = png_get_error_ptr(png);
    snprintf(work->problem, sizeof work->problem, "%s", text);
    work->memory = strcasestr(text, "memory") != NULL; /* the library has no other way to say so */
    png_longjmp(png, 1);
}

/* Of all that the library warns of, a profile that it drops changes the picture; it also goes on without what
 * it has no memory for. */
static void on_warning(png_structp png, png_const_charp text)
{
    png_work *work = png_get_error_ptr(png);
    if (work->file && strcasestr(text, "memory") && !strstr(text, "limit")) png_error(png, text);
    if (strncmp(text, "iCCP", 4) == 0) snprintf(work->warning, sizeof work->warning, "%s", text);
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

/* Whether every chunk up to the last is there: the library takes memory for some by what they say. */
static bool is_whole(const image_file *f)
{
    size_t at = 8;
    while (f->size - at >= 12) {
        size_t length = big_endian(f->bytes + at);
        if (length > f->size - at - 12) return false;
        if (memcmp(f->bytes + at + 4, "IEND", 4) == 0) return true;
        at += length + 12;
    }
    return false;
}

/* Texts, which may unpack to anything, and what else has no bearing on the picture are not even looked at. */
static void set_limits(png_structp png)
{
    static const png_byte skipped[] = "tEXt\0zTXt\0iTXt\0sPLT\0hIST\0pCAL\0sCAL\0pHYs\0oFFs\0tIME";
    png_set_user_limits(png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(png, IMAGE_PROFILE_MOST);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, skipped, (int)(sizeof skipped / 5));
}

/* Asks libpng for 8-bit RGBA whatever the file holds.  gAMA, cHRM and sRGB change nothing: like Pillow, we
 * take colours without a profile for sRGB. */
static void ask_for_rgba(png_structp png)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
}

static bool open_profile(png_work *work)
{
    png_charp title;
    png_bytep bytes;
    png_uint_32 size;
    int compression;
    bool colour = work->bytes[25] & PNG_COLOR_MASK_COLOR; /* in the header: the library tells what it gives */
    if (png_get_iCCP(work->png, work->info, &title, &compression, &bytes, &size))
        return image_profile_open(&work->profile, work->file, bytes, size, colour ? IMAGE_RGB : IMAGE_GREY, 4,
                                  work->err);
    if (work->warning[0]) image_profile_note(work->file, work->warning);
    return true;
}

static bool read_header(png_work *work)
{
    if (setjmp(png_jmpbuf(work->png))) return false;
    png_set_read_fn(work->png, work, on_read);
    set_limits(work->png);
    png_read_info(work->png, work->info);
    ask_for_rgba(work->png);
    png_read_update_info(work->png, work->info);
    return true;
}

/* Rows one by one, or, where they come in seven passes, all. */
static bool make_room(png_work *work, const image *out)
{
    size_t row = (size_t)out->width * 4, lines = (size_t)out->height;
    bool all = png_get_interlace_type(work->png, work->info) != PNG_INTERLACE_NONE;
    work->rgba = malloc(all ? row * lines : row);
    work->rows = all ? malloc(lines * sizeof *work->rows) : NULL;
    if (!work->rgba || (all && !work->rows))
        return error_set(work->err, ERROR_MEMORY, "%s: no memory to decode %d x %d pixels", work->file->name,
                         out->width, out->height);
    for (size_t y = 0; all && y < lines; ++y) work->rows[y] = work->rgba + y * row;
    return true;
}

static void finish_row(const png_work *work, uint8_t *rgba, int y, image *out)
{
    size_t width = (size_t)out->width;
    if (work->profile) image_profile_apply(work->profile, rgba, width);
    image_flatten(work->file, rgba, out->pixels + (size_t)y * width * 3, width);
}

static bool read_pixels(png_work *work, image *out)
{
    if (setjmp(png_jmpbuf(work->png))) return false;
    if (png_get_rowbytes(work->png, work->info) != (size_t)out->width * 4)
        png_error(work->png, "unexpected row size");
    if (work->rows) png_read_image(work->png, work->rows);
    for (int y = 0; y < out->height; ++y) {
        uint8_t *row = work->rows ? work->rows[y] : work->rgba;
        if (!work->rows) png_read_row(work->png, row, NULL);
        finish_row(work, row, y, out);
    }
    png_read_end(work->png, work->info);
    return true;
}

static bool orient(const png_work *work, image *out, error *err)
{
    png_uint_32 size = 0;
    png_bytep chunk = NULL;
    if (!png_get_eXIf_1(work->png, work->info, &size, &chunk)) return true;
    return image_orient(out, chunk, size, err) || error_prefix(err, "%s", work->file->name);
}

/* What the library could not do. */
static bool fail(const png_work *work)
{
    return work->memory ? error_set(work->err, ERROR_MEMORY, "%s: no memory to decode this PNG: %s",
                                    work->file->name, work->problem)
                        : error_set(work->err, ERROR_FORMAT, "%s: cannot decode this PNG: %s",
                                    work->file->name, work->problem);
}

static bool decode(png_work *work, image *out)
{
    const image_file *f = work->file;
    int64_t width = big_endian(f->bytes + 16), height = big_endian(f->bytes + 20);
    if (!image_allow(f, width, height, work->err)) return false;
    if (!is_whole(f))
        return error_set(work->err, ERROR_FORMAT, "%s: cannot decode this PNG: the file is cut short",
                         f->name);
    if (!work->info) return error_set(work->err, ERROR_MEMORY, "%s: no memory to decode a PNG", f->name);
    if (!read_header(work)) return fail(work);
    if (!image_create_any(out, (int)width, (int)height, work->err))
        return error_prefix(work->err, "%s", f->name);
    if (!open_profile(work) || !make_room(work, out)) return false;
    return read_pixels(work, out) ? orient(work, out, work->err) : fail(work);
}

bool image_png_decode(const image_file *f, image *out, error *err)
{
    png_work work = { .file = f, .bytes = f->bytes, .size = f->size, .err = err };
    if (f->size < 33 || memcmp(f->bytes + 12, "IHDR", 4) != 0)
        return error_set(err, ERROR_FORMAT, "%s: a PNG without a header; it is cut short or damaged",
                         f->name);
    work.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &work, on_error, on_warning);
    if (work.png) work.info = png_create_info_struct(work.png);
    bool done = decode(&work, out);
    png_destroy_read_struct(work.png ? &work.png : NULL, work.info ? &work.info : NULL, NULL);
    image_profile_close(work.profile);
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
    if (work->text_count) png_set_text(work->png, work->info, work->texts, work->text_count);
    png_write_info(work->png, work->info);
    for (int y = 0; y < picture->height; ++y)
        png_write_row(work->png, picture->pixels + (size_t)y * (size_t)picture->width * 3);
    png_write_end(work->png, NULL);
    return true;
}

/* As the format wants it; the library would mend it, or leave the text out. */
static bool is_keyword(const char *word)
{
    size_t length = word ? strlen(word) : 0;
    if (length < 1 || length > 79 || word[0] == ' ' || word[length - 1] == ' ') return false;
    for (size_t i = 0; i < length; ++i)
        if (word[i] < ' ' || word[i] > '~' || (word[i] == ' ' && word[i + 1] == ' ')) return false;
    return true;
}

/* tEXt is Latin-1, of which ASCII is all that is the same in UTF-8; iTXt is UTF-8. */
static bool take_text(const image_text *from, png_text *to, error *err)
{
    bool plain = true;
    if (!is_keyword(from->keyword))
        return error_set(err, ERROR_USAGE,
                         "'%s' is no keyword of a PNG's text: 1 to 79 letters, digits and single spaces",
                         from->keyword ? from->keyword : "");
    if (!from->text || utf8_check(from->text) >= 0)
        return error_set(err, ERROR_USAGE, "the text '%s' of a PNG is not valid UTF-8", from->keyword);
    for (const char *c = from->text; *c; ++c) plain = plain && !((unsigned char)*c & 0x80);
    *to = (png_text){ .compression = plain ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
                      .key = (char *)(uintptr_t)from->keyword, /* the library copies all of it */
                      .text = (char *)(uintptr_t)from->text };
    if (plain)
        to->text_length = strlen(from->text);
    else
        to->itxt_length = strlen(from->text);
    return true;
}

static bool take_texts(png_work *work, const image_text *texts, int count, error *err)
{
    work->text_count = count;
    if (!count) return true;
    if (!(work->texts = calloc((size_t)count, sizeof *work->texts)))
        return error_set(err, ERROR_MEMORY, "no memory for the texts of a PNG");
    for (int i = 0; i < count; ++i)
        if (!take_text(&texts[i], &work->texts[i], err)) return false;
    return true;
}

bool image_encode_png(const image *picture, void **bytes, size_t *size, error *err)
{
    return image_encode_png_texts(picture, NULL, 0, bytes, size, err);
}

bool image_encode_png_texts(const image *picture, const image_text *texts, int count, void **bytes,
                            size_t *size, error *err)
{
    png_work work = { 0 };
    *bytes = NULL;
    *size = 0;
    bool done = false;
    if (!take_texts(&work, texts, count, err)) {
        free(work.texts);
        return false;
    }
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
    free(work.texts);
    if (!done) {
        free(work.made);
        return false;
    }
    *bytes = work.made;
    *size = work.position;
    return true;
}
