/* mask.h -- which keys a query sees: the attention patterns of DALL-E, and all keys.
 * Keys are a stream: `text` text positions followed by side x side image tokens in raster order.  Under a
 * causal mask
 *   text query q:   keys 0..q
 *   image query at raster index i: all text, itself, and of earlier image tokens j < i
 *     CAUSAL  all
 *     ROW     i - j <= reach       the previous side+1 raster positions including i itself, so it
 *                                  crosses row boundaries (Fig. 11 of arXiv 2102.12092)
 *     COLUMN  same column: (i - j) mod side == 0
 *     CONV    causal half of a window x window square around i, "with wraparound behavior (similar to the
 *             row attention)": a tap (dy, dx) with dy in 0..h, |dx| <= h, h = window/2, is the raster
 *             distance i - j = dy * side - dx >= 0, so taps past a row's end continue in the next row
 * and the queries, where there are fewer of them than keys, are the stream's last.
 *     BIDIRECTIONAL  every query sees every key, whatever the number of either: they may come from two
 *                    streams
 * Under any of them `valid` hides what is no text: of sample b, keys valid[b] .. text-1, from every query.
 * It counts as 0 below 0, and as `text` above.  A query that sees no key at all gets attention 0, and gives
 * gradient 0.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_MASK_H
#define DALLE_CL_OPS_MASK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum mask_kind { MASK_CAUSAL, MASK_ROW, MASK_COLUMN, MASK_CONV, MASK_BIDIRECTIONAL } mask_kind;
#define MASK_KINDS (MASK_BIDIRECTIONAL + 1)

typedef struct mask {
    mask_kind kind;
    int32_t text;         /* text positions before the image; may be beyond the stream's end */
    int32_t side;         /* image tokens a side; like window, of no meaning to CAUSAL and BIDIRECTIONAL */
    int32_t window;       /* CONV: 11 in the paper */
    int32_t reach;        /* ROW: the largest raster distance; 0 = side, as Fig. 11 is read here */
    struct tensor *valid; /* I32 [B], or NULL: all text is valid */
} mask;

/* The definition, but for `valid` and for where keys end. */
bool mask_visible(const mask *m, int32_t query, int32_t key);
/* How many keys a query sees, of a stream of so many. */
int32_t mask_seen(const mask *m, int32_t query, int32_t keys);
/* The place in the stream of the first of `queries` queries. */
int32_t mask_first_query(const mask *m, int64_t queries, int64_t keys);
const char *mask_kind_name(mask_kind kind);
/* The geometry that kernels are given (cl/mask.clh). */
struct mask_bands mask_bands_of(const mask *m, int64_t keys);

#endif
