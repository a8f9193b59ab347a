/* image_codec.h -- between image.c and its two file formats.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_CODEC_H
#define DALLE_CL_DATA_IMAGE_CODEC_H

#include "data/image.h"

bool image_png_decode(const void *bytes, size_t size, const char *name, image *out, error *err);
bool image_jpeg_decode(const void *bytes, size_t size, const char *name, image *out, error *err);

#endif
