/* image.h -- pictures in memory: 8-bit sRGB, rows without gaps, top row first.
 * Reads PNG, JPEG and WebP (told apart by their first bytes, never by name), writes PNG.  Transparent pixels
 * are put on a background; grey and CMYK become RGB, and colours of an embedded profile sRGB; pictures are
 * turned as their EXIF block says.  Other content that is known (GIF, HTML, ...) is called by its name in the
 * error.  docs/pictures.md has the rules.
 * Functions filling an `image *out` leave it empty when they fail; `out` must not be the input.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_H
#define DALLE_CL_DATA_IMAGE_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_SIDE   16384
#define IMAGE_MAX_PIXELS 100000000 /* of one that is made, and of one that is read if nothing else is said */

typedef struct image {
    int width, height;
    uint8_t *pixels; /* [height, width, 3] */
} image;

/* White.  A side below 1 or above the limits is an error. */
bool image_create(image *out, int width, int height, error *err);
void image_free(image *picture); /* and leaves it empty; harmless on an empty one */

/* Colour profiles, kept so that one that many pictures have is opened once; for any number of threads. */
typedef struct image_profiles image_profiles;
image_profiles *image_profiles_create(error *err);
void image_profiles_destroy(image_profiles *p); /* takes NULL */

/* How pictures are read. */
typedef struct image_reading {
    uint8_t background[3]; /* RGB: what shows through transparent pixels */
    bool ignore_profiles;  /* take all colours for sRGB */
    int64_t max_pixels;    /* of a picture; a side of more than IMAGE_MAX_SIDE is refused anyway */
    /* 0: whole.  Or the short side that suffices: a JPEG is decoded at a half, a quarter or an eighth where
     * that has as much, which is faster and gives slightly other pixels. */
    int enough;
    image_profiles *profiles; /* borrowed; NULL: none are kept */
} image_reading;
#define IMAGE_READING_DEFAULT ((image_reading){ { 255, 255, 255 }, false, IMAGE_MAX_PIXELS, 0, NULL })

/* "white", "black", "grey" or six hexadecimal digits, as RGB. */
bool image_parse_colour(const char *text, uint8_t rgb[3], error *err);

/* `name` says in errors what the bytes are.  Sizes are checked before memory for pixels is taken.  `how` may
 * be NULL: IMAGE_READING_DEFAULT, as for image_decode and image_read. */
bool image_decode_as(const void *bytes, size_t size, const char *name, const image_reading *how, image *out,
                     error *err);
bool image_read_as(const char *path, const image_reading *how, image *out, error *err);
bool image_decode(const void *bytes, size_t size, const char *name, image *out, error *err);
bool image_read(const char *path, image *out, error *err);

/* The PNG in memory, to be freed with free().  The same pixels give the same bytes. */
bool image_encode_png(const image *picture, void **bytes, size_t *size, error *err);
/* The same with texts, which stand before the pixels in this order.  A keyword has 1 to 79 letters of
 * ASCII, with single spaces inside; a text is UTF-8, and lines end with "\n". */
typedef struct image_text {
    const char *keyword, *text;
} image_text;
bool image_encode_png_texts(const image *picture, const image_text *texts, int count, void **bytes,
                            size_t *size, error *err);
bool image_write_png(const image *picture, const char *path, error *err); /* whole or not at all */
/* The JPEG in memory, to be freed with free(); `quality` 1 to 100 as libjpeg has it.  The same pixels give
 * the same bytes. */
bool image_encode_jpeg(const image *picture, int quality, void **bytes, size_t *size, error *err);

/* The rectangle must lie within the picture. */
bool image_crop(const image *in, int x, int y, int width, int height, image *out, error *err);
void image_flip(image *picture);                                 /* left to right */
void image_paste(image *onto, const image *piece, int x, int y); /* what falls outside is cut off */

/* Each pixel is the mean of the area it covers.  With align_corners the scale is (in-1)/(out-1), as in
 * TensorFlow's ResizeArea and the paper's listings; without, in/out, which is symmetric.  A side of one
 * pixel, where (in-1)/(out-1) has no meaning, always uses in/out. */
bool image_resize_area(const image *in, int width, int height, bool align_corners, image *out, error *err);

/* The first is the mean of the area; the others give the levels of Pillow (up to version 12), which widens
 * them when shrinking, filters rows first and clips those to 8 bits before it filters columns. */
typedef enum image_filter {
    IMAGE_AREA,
    IMAGE_NEAREST,
    IMAGE_BOX,
    IMAGE_BILINEAR,
    IMAGE_HAMMING,
    IMAGE_BICUBIC,
    IMAGE_LANCZOS, /* of three lobes */
    IMAGE_FILTERS
} image_filter;
bool image_resize(const image *in, image_filter filter, int width, int height, image *out, error *err);
bool image_resize_lanczos(const image *in, int width, int height, image *out, error *err);
/* What a published dVAE expects (usage notebook): short side to `size` by Lanczos, then the centre
 * square.  Smaller pictures are enlarged. */
bool image_fit(const image *in, int size, image *out, error *err);

#endif
