/* debian_picture.h -- a package's picture as the set holds it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEBIAN_PICTURE_H
#define DALLE_CL_DATA_DEBIAN_PICTURE_H

#include "data/debian_source.h"
#include "data/image.h"

typedef enum debian_fit { DEBIAN_FITS, DEBIAN_BLANK, DEBIAN_SMALL } debian_fit;

/* See debian_set.h.  `out` is filled in where it fits.  False only for lack of memory. */
bool debian_picture_fit(const image *in, debian_layout layout, int size, image *out, debian_fit *what,
                        error *err);
/* A guess: whether, white aside, few neighbours have the same colour, and there are many colours. */
bool debian_picture_is_photo(const image *picture, debian_layout layout);

#endif
