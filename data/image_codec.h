/* image_codec.h -- between image.c and its file formats.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_CODEC_H
#define DALLE_CL_DATA_IMAGE_CODEC_H

#include "data/image.h"

#define IMAGE_EXIF_MARK "Exif\0" /* and a second zero: what an EXIF block starts with */

bool image_png_decode(const void *bytes, size_t size, const char *name, image *out, error *err);
bool image_jpeg_decode(const void *bytes, size_t size, const char *name, image *out, error *err);

/* Turns the picture as its EXIF block, IMAGE_EXIF_MARK included, says; a block that makes no sense is none.
 * False, the picture as it was, only when memory is out. */
bool image_orient(image *picture, const void *block, size_t size, error *err);

/* What the bytes are, if they are no picture that is read here: "a WebP picture", "HTML, a web page"; NULL if
 * that cannot be told. */
const char *image_kind(const void *bytes, size_t size);

#endif
