/* mask.h -- which keys a query sees: the attention patterns of DALL-E, as functions.
 * The stream is `text` text positions followed by side x side image tokens in raster order.
 *   text query q:   keys 0..q                                             (causal)
 *   image query at raster index i: all text, itself, and of earlier image tokens j < i
 *     ROW     i - j <= reach       the previous side+1 raster positions including i itself, so it
 *                                  crosses row boundaries (Fig. 11 of arXiv 2102.12092)
 *     COLUMN  same column: (i - j) mod side == 0
 *     CONV    causal half of a window x window square around i, "with wraparound behavior (similar to the
 *             row attention)": a tap (dy, dx) with dy in 0..h, |dx| <= h, h = window/2, is the raster
 *             distance i - j = dy * side - dx >= 0, so taps past a row's end continue in the next row
 *     FULL    all earlier image tokens
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_MASK_H
#define DALLE_CL_OPS_MASK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum mask_kind { MASK_FULL, MASK_ROW, MASK_COLUMN, MASK_CONV } mask_kind;

typedef struct mask {
    mask_kind kind;
    int32_t text;   /* text positions before the image */
    int32_t side;   /* image tokens a side */
    int32_t window; /* CONV: 11 in the paper */
    int32_t reach;  /* ROW: the largest raster distance; 0 = side, as Fig. 11 is read here */
} mask;

/* The definition; cl/mask.clh is the same function and a test compares them. */
bool mask_visible(const mask *m, int32_t query, int32_t key);
/* How many keys a query sees. */
int32_t mask_seen(const mask *m, int32_t query);
const char *mask_kind_name(mask_kind kind);
/* The kernels' `window` argument (cl/mask.clh): the reach for ROW, the window's side otherwise. */
int32_t mask_extent(const mask *m);

#endif
