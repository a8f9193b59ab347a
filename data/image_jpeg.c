/* image_jpeg.c -- JPEG through libjpeg-turbo.
 * Data that ends early or does not decode is only a warning to the library, which then paints grey;
 * here it is an error.  Stray bytes between markers, common in the wild, are accepted.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

typedef struct jpeg_work {
    struct jpeg_error_mgr manager; /* first: the library hands its address back */
    struct jpeg_decompress_struct jpeg;
    jmp_buf jump;
    uint8_t *row;
    error *err;
    const char *name;
    char problem[JMSG_LENGTH_MAX];
} jpeg_work;

static void on_error(j_common_ptr common)
{
    jpeg_work *work = (jpeg_work *)common->err;
    common->err->format_message(common, work->problem);
    longjmp(work->jump, 1);
}

static void on_message(j_common_ptr common, int level)
{
    int code = common->err->msg_code;
    if (level == -1 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE))
        on_error(common);
}

/* Adobe writes CMYK upside down: 255 is no ink. */
static void from_cmyk(const uint8_t *cmyk, uint8_t *rgb, int count, bool inverted)
{
    for (int i = 0; i < count; ++i) {
        unsigned black = inverted ? cmyk[4 * i + 3] : 255u - cmyk[4 * i + 3];
        for (int c = 0; c < 3; ++c) {
            unsigned ink = inverted ? cmyk[4 * i + c] : 255u - cmyk[4 * i + c];
            rgb[3 * i + c] = (uint8_t)((ink * black + 127u) / 255u);
        }
    }
}

static void read_rows(jpeg_work *work, image *out)
{
    struct jpeg_decompress_struct *jpeg = &work->jpeg;
    bool cmyk = jpeg->out_color_space == JCS_CMYK;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *into = out->pixels + (size_t)jpeg->output_scanline * (size_t)out->width * 3;
        JSAMPROW row = cmyk ? work->row : into;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (cmyk) from_cmyk(work->row, into, out->width, jpeg->saw_Adobe_marker);
    }
}

/* Turns the picture as the first EXIF block says. */
static bool orient(jpeg_work *work, image *out)
{
    for (jpeg_saved_marker_ptr m = work->jpeg.marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && memcmp(m->data, IMAGE_EXIF_MARK, 6) == 0)
            return image_orient(out, m->data, m->data_length, work->err) ||
                   error_prefix(work->err, "%s", work->name);
    return true;
}

/* Errors that are not the library's own leave `problem` empty and are in work->err already. */
static bool decode(jpeg_work *work, const void *bytes, size_t size, image *out)
{
    if (setjmp(work->jump)) return false;
    jpeg_create_decompress(&work->jpeg);
    jpeg_mem_src(&work->jpeg, bytes, (unsigned long)size);
    jpeg_save_markers(&work->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&work->jpeg, TRUE);
    if (!image_create(out, (int)work->jpeg.image_width, (int)work->jpeg.image_height, work->err))
        return error_prefix(work->err, "%s", work->name);
    bool cmyk = work->jpeg.jpeg_color_space == JCS_CMYK || work->jpeg.jpeg_color_space == JCS_YCCK;
    work->jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    if (cmyk && !(work->row = malloc((size_t)out->width * 4)))
        return error_set(work->err, ERROR_MEMORY, "%s: no memory to decode a row", work->name);
    jpeg_start_decompress(&work->jpeg);
    read_rows(work, out);
    bool done = orient(work, out); /* finishing forgets the markers */
    jpeg_finish_decompress(&work->jpeg);
    return done;
}

bool image_jpeg_decode(const void *bytes, size_t size, const char *name, image *out, error *err)
{
    jpeg_work work = { .err = err, .name = name };
    work.jpeg.err = jpeg_std_error(&work.manager);
    work.manager.error_exit = on_error;
    work.manager.emit_message = on_message;
    bool done = decode(&work, bytes, size, out);
    bool memory = work.manager.msg_code == JERR_OUT_OF_MEMORY;
    if (!done && work.problem[0])
        error_set(err, memory ? ERROR_MEMORY : ERROR_FORMAT, "%s: cannot decode this JPEG: %s", name,
                  work.problem);
    jpeg_destroy_decompress(&work.jpeg);
    free(work.row);
    if (!done) image_free(out);
    return done;
}
