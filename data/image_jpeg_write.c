/* image_jpeg_write.c -- a picture as JPEG in memory, through libjpeg-turbo.  Its errors jump; what they must
 * free lives in one struct outside the jumping function.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

typedef struct write_work {
    struct jpeg_error_mgr manager; /* first: the library hands its address back */
    struct jpeg_compress_struct jpeg;
    jmp_buf jump;
    unsigned char *made;
    unsigned long size;
    char problem[JMSG_LENGTH_MAX];
} write_work;

static void on_error(j_common_ptr common)
{
    write_work *work = (write_work *)common->err;
    common->err->format_message(common, work->problem);
    longjmp(work->jump, 1);
}

static void on_message(j_common_ptr common, int level)
{
    (void)common;
    (void)level;
}

/* Colours at half the resolution, as most programs write them. */
static bool encode(write_work *work, const image *picture, int quality)
{
    struct jpeg_compress_struct *jpeg = &work->jpeg;
    if (setjmp(work->jump)) return false;
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, &work->made, &work->size);
    jpeg->image_width = (JDIMENSION)picture->width;
    jpeg->image_height = (JDIMENSION)picture->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        uint8_t *row = picture->pixels + (size_t)jpeg->next_scanline * (size_t)picture->width * 3;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return true;
}

bool image_encode_jpeg(const image *picture, int quality, void **bytes, size_t *size, error *err)
{
    write_work *work = calloc(1, sizeof *work);
    *bytes = NULL;
    if (!work) return error_set(err, ERROR_MEMORY, "no memory to make a JPEG");
    work->jpeg.err = jpeg_std_error(&work->manager);
    work->manager.error_exit = on_error;
    work->manager.emit_message = on_message;
    bool done = encode(work, picture, quality), memory = work->manager.msg_code == JERR_OUT_OF_MEMORY;
    jpeg_destroy_compress(&work->jpeg);
    if (done) {
        *bytes = work->made;
        *size = (size_t)work->size;
    } else {
        free(work->made);
        error_set(err, memory ? ERROR_MEMORY : ERROR_FORMAT, "cannot make a JPEG of %d x %d: %s",
                  picture->width, picture->height, work->problem);
    }
    free(work);
    return done;
}
