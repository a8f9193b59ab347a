/* bench_encode.c -- pictures to measure reading with: soft shapes with some grain, about as hard to pack as a
 * photograph, by the same libraries that read them.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "data/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <webp/encode.h>

static void paint(image *p)
{
    uint32_t seed = 1;
    for (int y = 0; y < p->height; ++y)
        for (int x = 0; x < p->width; ++x)
            for (int c = 0; c < 3; ++c) {
                seed = seed * 1664525u + 1013904223u;
                double shape = sin(x * 0.021 + c) * cos(y * 0.017 * (c + 1)) + sin((x + 2 * y) * 0.11);
                p->pixels[((size_t)y * (size_t)p->width + (size_t)x) * 3 + (size_t)c] =
                    (uint8_t)(120 + 50 * shape + (seed >> 28));
            }
}

typedef struct jpeg_work {
    struct jpeg_error_mgr manager; /* first: the library hands its address back */
    struct jpeg_compress_struct jpeg;
    jmp_buf jump;
    unsigned char *bytes;
    unsigned long size;
} jpeg_work;

static void on_error(j_common_ptr common)
{
    longjmp(((jpeg_work *)common->err)->jump, 1);
}

static bool write_jpeg(jpeg_work *w, const image *p)
{
    if (setjmp(w->jump)) return false;
    jpeg_create_compress(&w->jpeg);
    jpeg_mem_dest(&w->jpeg, &w->bytes, &w->size);
    w->jpeg.image_width = (JDIMENSION)p->width;
    w->jpeg.image_height = (JDIMENSION)p->height;
    w->jpeg.input_components = 3;
    w->jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&w->jpeg);
    jpeg_set_quality(&w->jpeg, 90, TRUE);
    jpeg_start_compress(&w->jpeg, TRUE);
    while (w->jpeg.next_scanline < w->jpeg.image_height) {
        JSAMPROW row = p->pixels + (size_t)w->jpeg.next_scanline * (size_t)p->width * 3;
        jpeg_write_scanlines(&w->jpeg, &row, 1);
    }
    jpeg_finish_compress(&w->jpeg);
    return true;
}

static bool encode_jpeg(const image *p, void **bytes, size_t *size)
{
    jpeg_work w = { 0 };
    w.jpeg.err = jpeg_std_error(&w.manager);
    w.manager.error_exit = on_error;
    bool done = write_jpeg(&w, p);
    jpeg_destroy_compress(&w.jpeg);
    if (!done) free(w.bytes);
    *bytes = done ? w.bytes : NULL;
    *size = w.size;
    return done;
}

/* The library's memory, copied so that free() takes it. */
static bool encode_webp(const image *p, void **bytes, size_t *size)
{
    uint8_t *made = NULL;
    *size = WebPEncodeRGB(p->pixels, p->width, p->height, p->width * 3, 80, &made);
    *bytes = *size ? malloc(*size) : NULL;
    if (*bytes) memcpy(*bytes, made, *size);
    WebPFree(made);
    return *bytes != NULL;
}

bool bench_encode(const char *format, int width, int height, void **bytes, size_t *size, error *err)
{
    image p;
    bool jpeg = strcmp(format, "jpeg") == 0, png = strcmp(format, "png") == 0;
    if (!jpeg && !png && strcmp(format, "webp") != 0)
        return error_set(err, ERROR_USAGE, "pictures of '%s'; there are jpeg, png and webp", format);
    if (!image_create(&p, width, height, err)) return false;
    paint(&p);
    bool done =
        png ? image_encode_png(&p, bytes, size, err)
            : (jpeg ? encode_jpeg : encode_webp)(&p, bytes, size) ||
                  error_set(err, ERROR_MEMORY, "no memory to make a picture of %d x %d", width, height);
    image_free(&p);
    return done;
}
