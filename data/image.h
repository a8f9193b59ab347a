/* image.h -- pictures in memory: 8-bit RGB, rows without gaps, top row first.
 * Reads PNG and JPEG (told apart by their first bytes, never by name), writes PNG.  Transparent pixels
 * are put on white; grey and CMYK become RGB; pictures are turned as their EXIF block says; colour profiles
 * are ignored.  Other content that is known (WebP, GIF, HTML, ...) is called by its name in the error.
 * Functions filling an `image *out` leave it empty when they fail; `out` must not be the input.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_H
#define DALLE_CL_DATA_IMAGE_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_SIDE   16384
#define IMAGE_MAX_PIXELS 100000000

typedef struct image {
    int width, height;
    uint8_t *pixels; /* [height, width, 3] */
} image;

/* White.  A side below 1 or above the limits is an error. */
bool image_create(image *out, int width, int height, error *err);
void image_free(image *picture); /* and leaves it empty; harmless on an empty one */

/* `name` says in errors what the bytes are.  Sizes are checked before anything is decoded. */
bool image_decode(const void *bytes, size_t size, const char *name, image *out, error *err);
bool image_read(const char *path, image *out, error *err);

/* The PNG in memory, to be freed with free().  The same pixels give the same bytes. */
bool image_encode_png(const image *picture, void **bytes, size_t *size, error *err);
bool image_write_png(const image *picture, const char *path, error *err); /* whole or not at all */

/* The rectangle must lie within the picture. */
bool image_crop(const image *in, int x, int y, int width, int height, image *out, error *err);
void image_flip(image *picture);                                 /* left to right */
void image_paste(image *onto, const image *piece, int x, int y); /* what falls outside is cut off */

/* Each pixel is the mean of the area it covers.  With align_corners the scale is (in-1)/(out-1), as in
 * TensorFlow's ResizeArea and the paper's listings; without, in/out, which is symmetric.  A side of one
 * pixel, where (in-1)/(out-1) has no meaning, always uses in/out. */
bool image_resize_area(const image *in, int width, int height, bool align_corners, image *out, error *err);
/* Lanczos with three lobes, widened when shrinking: the levels of Pillow up to version 12, which filters rows
 * first and clips them to 8 bits before it filters columns. */
bool image_resize_lanczos(const image *in, int width, int height, image *out, error *err);
/* What a published dVAE expects (usage notebook): short side to `size` by Lanczos, then the centre
 * square.  Smaller pictures are enlarged. */
bool image_fit(const image *in, int size, image *out, error *err);

#endif
