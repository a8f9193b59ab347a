/* picture_file.h -- what a picture's file is, by its first bytes.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_PICTURE_FILE_H
#define DALLE_CL_DATA_PICTURE_FILE_H

#include <stddef.h>

/* "png", "jpg", "webp", "gif", or "img" for anything else. */
const char *picture_file_ending(const void *bytes, size_t size);

#endif
