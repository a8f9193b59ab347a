/* mask.h -- what of a picture is drawn anew.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_API_MASK_H
#define DALLE_CL_API_MASK_H

#include "host/base/error.h"
#include <stdbool.h>
#include <stdint.h>

enum { MASK_COVERED = 128 }; /* from this level on */

/* mask [from][from] at another size: a pixel is 1, to be drawn, where any pixel that lies in it even partly
 * is covered, so that what is kept shows nothing of what is not.  out [to][to]. */
void mask_fit(const uint8_t *mask, int from, int to, float *out);
/* Refuses one that covers nothing, or leaves nothing of pictures that the network draws at `size`. */
bool mask_check(const uint8_t *mask, int side, int size, error *err);
/* Puts what the mask leaves of `kept` into a drawing, [side][side][3] both. */
void mask_keep(const float *mask, const uint8_t *kept, int side, uint8_t *drawing);

#endif
