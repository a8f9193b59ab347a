/* grid.h -- pictures side by side on white, with their captions below.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_GRID_H
#define DALLE_CL_DATA_GRID_H

#include "data/image.h"

/* `columns` = 0 makes it about square.  Cells are as large as the largest picture, `padding` pixels
 * apart and from the border.  `captions` may be NULL, and so may each of them. */
bool grid_make(const image *pictures, int count, int columns, int padding, const char *const *captions,
               image *out, error *err);

#endif
