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

enum { SCANS_MOST = 500 }; /* each goes through the whole picture, however few bytes it has */

typedef struct jpeg_work {
    struct jpeg_error_mgr manager; /* first: the library hands its address back */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf jump;
    const image_file *file;
    image_profile *profile;
    JOCTET *icc;
    uint8_t *row; /* of CMYK */
    error *err;
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
    static const int fatal[] = { JWRN_JPEG_EOF, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_MUST_RESYNC,
                                 JWRN_ARITH_BAD_CODE };
    for (size_t i = 0; level == -1 && i < sizeof fatal / sizeof *fatal; ++i)
        if (common->err->msg_code == fatal[i]) on_error(common);
}

static void on_progress(j_common_ptr common)
{
    jpeg_work *work = (jpeg_work *)common->err;
    if (work->jpeg.input_scan_number <= SCANS_MOST) return;
    snprintf(work->problem, sizeof work->problem, "it has more than %d scans", SCANS_MOST);
    longjmp(work->jump, 1);
}

/* 0 is full ink in Adobe's files. */
static void from_adobe(uint8_t *cmyk, size_t count)
{
    for (size_t i = 0; i < 4 * count; ++i) cmyk[i] = (uint8_t)(255 - cmyk[i]);
}

/* Without a profile, each ink takes its part away from what the black leaves. */
static void from_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        for (size_t c = 0; c < 3; ++c)
            rgb[3 * i + c] = (uint8_t)(((255u - cmyk[4 * i + c]) * (255u - cmyk[4 * i + 3]) + 127u) / 255u);
}

static void read_cmyk_row(jpeg_work *work, uint8_t *rgb, size_t count)
{
    jpeg_read_scanlines(&work->jpeg, &work->row, 1);
    if (work->jpeg.saw_Adobe_marker) from_adobe(work->row, count);
    if (work->profile)
        image_profile_apply_cmyk(work->profile, work->row, rgb, count);
    else
        from_cmyk(work->row, rgb, count);
}

static void read_rows(jpeg_work *work, image *out)
{
    struct jpeg_decompress_struct *jpeg = &work->jpeg;
    size_t width = (size_t)out->width;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *into = out->pixels + (size_t)jpeg->output_scanline * width * 3;
        if (work->row) {
            read_cmyk_row(work, into, width);
            continue;
        }
        jpeg_read_scanlines(jpeg, &into, 1);
        if (work->profile) image_profile_apply(work->profile, into, width);
    }
}

/* Turns the picture as the first EXIF block says. */
static bool orient(jpeg_work *work, image *out)
{
    for (jpeg_saved_marker_ptr m = work->jpeg.marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && memcmp(m->data, "Exif\0", 6) == 0)
            return image_orient(out, m->data, m->data_length, work->err) ||
                   error_prefix(work->err, "%s", work->file->name);
    return true;
}

static bool open_profile(jpeg_work *work)
{
    unsigned size = 0;
    J_COLOR_SPACE space = work->jpeg.jpeg_color_space;
    if (work->file->how.ignore_profiles) return true;
    if (jpeg_read_icc_profile(&work->jpeg, &work->icc, &size))
        return image_profile_open(&work->profile, work->file, work->icc, size,
                                  work->jpeg.out_color_space == JCS_CMYK ? IMAGE_CMYK
                                  : space == JCS_GRAYSCALE               ? IMAGE_GREY
                                                                         : IMAGE_RGB,
                                  3, work->err);
    for (jpeg_saved_marker_ptr m = work->jpeg.marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 2 && m->data_length > 14 && memcmp(m->data, "ICC_PROFILE", 12) == 0) {
            image_profile_note(work->file, "a part of it is missing");
            break;
        }
    return true;
}

/* The largest of 2, 4, 8 that leaves enough of the short side; 1 where nothing says what is enough. */
static unsigned shrinking(const jpeg_work *work)
{
    int64_t width = work->jpeg.image_width, height = work->jpeg.image_height, enough = work->file->how.enough;
    int64_t side = width < height ? width : height;
    unsigned by = 8;
    while (by > 1 && (enough < 1 || side / by < enough)) by /= 2;
    return by;
}

static bool read_header(jpeg_work *work, image *out)
{
    struct jpeg_decompress_struct *jpeg = &work->jpeg;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_save_markers(jpeg, JPEG_APP0 + 2, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    if (!image_allow(work->file, jpeg->image_width, jpeg->image_height, work->err)) return false;
    bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg->scale_denom = shrinking(work);
    jpeg_calc_output_dimensions(jpeg);
    if (!image_create_any(out, (int)jpeg->output_width, (int)jpeg->output_height, work->err))
        return error_prefix(work->err, "%s", work->file->name);
    if (cmyk && !(work->row = malloc((size_t)out->width * 4)))
        return error_set(work->err, ERROR_MEMORY, "%s: no memory to decode a row", work->file->name);
    return open_profile(work);
}

/* Errors that are not the library's own leave `problem` empty and are in work->err already. */
static bool decode(jpeg_work *work, image *out)
{
    if (setjmp(work->jump)) return false;
    jpeg_create_decompress(&work->jpeg);
    work->jpeg.progress = &work->progress;
    jpeg_mem_src(&work->jpeg, work->file->bytes, (unsigned long)work->file->size);
    if (!read_header(work, out)) return false;
    jpeg_start_decompress(&work->jpeg);
    read_rows(work, out);
    bool done = orient(work, out); /* finishing forgets the markers */
    jpeg_finish_decompress(&work->jpeg);
    return done;
}

bool image_jpeg_decode(const image_file *f, image *out, error *err)
{
    jpeg_work work = { .err = err, .file = f, .progress.progress_monitor = on_progress };
    work.jpeg.err = jpeg_std_error(&work.manager);
    work.manager.error_exit = on_error;
    work.manager.emit_message = on_message;
    bool done = decode(&work, out);
    bool memory = work.manager.msg_code == JERR_OUT_OF_MEMORY;
    if (!done && work.problem[0])
        error_set(err, memory ? ERROR_MEMORY : ERROR_FORMAT, "%s: cannot decode this JPEG: %s", f->name,
                  work.problem);
    jpeg_destroy_decompress(&work.jpeg);
    image_profile_close(work.profile);
    free(work.icc);
    free(work.row);
    if (!done) image_free(out);
    return done;
}
