/* image_codec.h -- between image.c and its file formats.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_CODEC_H
#define DALLE_CL_DATA_IMAGE_CODEC_H

#include "data/image.h"

/* A file's bytes, borrowed, and how they are to be read. */
typedef struct image_file {
    const unsigned char *bytes;
    size_t size;
    const char *name;
    image_reading how;
} image_file;

bool image_png_decode(const image_file *f, image *out, error *err);
bool image_jpeg_decode(const image_file *f, image *out, error *err);
bool image_webp_decode(const image_file *f, image *out, error *err);

/* Whether a picture of `width` x `height` may be read; what is too large is an error with the limit. */
bool image_allow(const image_file *f, int64_t width, int64_t height, error *err);
/* Without content, within the limits of a side only: what image_allow has let pass. */
bool image_create_any(image *out, int width, int height, error *err);

/* Puts `count` RGBA pixels on the background. */
void image_flatten(const image_file *f, const uint8_t *rgba, uint8_t *rgb, size_t count);

#define IMAGE_EXIF_MOST (1 << 20) /* bytes; a longer block is not looked at */
/* Turns the picture as its EXIF block, with or without "Exif\0\0" before it, says; a block that makes no
 * sense is none.  False, the picture as it was, only when memory is out. */
bool image_orient(image *picture, const void *block, size_t size, error *err);

/* ---- Colour profiles --------------------------------------------------------------------------- */

#define IMAGE_PROFILE_MOST (4 << 20) /* bytes; a longer profile counts as damaged */

/* What brings a picture's colours to sRGB. */
typedef struct image_profile image_profile;
typedef enum image_pixels { IMAGE_GREY, IMAGE_RGB, IMAGE_CMYK } image_pixels;

/* *out is NULL where nothing is to be done: no profile, sRGB's own, or one that is damaged or of another kind
 * of pixels than the file's, which the log says once in a process.  `channels` is for image_profile_apply.
 * False only when memory is out. */
bool image_profile_open(image_profile **out, const image_file *f, const void *bytes, size_t size,
                        image_pixels pixels, int channels, error *err);
void image_profile_close(image_profile *p); /* takes NULL; those that are kept stay */
/* In place, `channels` bytes a pixel, 3 or 4, the fourth of which stays.  Grey pictures come as RGB. */
void image_profile_apply(const image_profile *p, uint8_t *pixels, size_t count);
/* CMYK, 255 full ink, to RGB. */
void image_profile_apply_cmyk(const image_profile *p, const uint8_t *cmyk, uint8_t *rgb, size_t count);
/* Says, once in a process, that a profile is damaged and ignored. */
void image_profile_note(const image_file *f, const char *why);

/* ---- Other content ------------------------------------------------------------------------------ */

/* What the bytes are, if they are no picture that is read here: "a GIF picture", "HTML, a web page"; NULL if
 * that cannot be told. */
const char *image_kind(const void *bytes, size_t size);
/* A command that makes a PNG of that kind, "convert IN OUT.png"; NULL where none can. */
const char *image_kind_converter(const char *name);

#endif
