/* augment.h -- a picture made into one SxS training example.
 * listing1  Ramesh et al. 2021, Listing 1 (dVAE): random square of the short side s; area resize with
 *           aligned corners to t ~ U[min(s, 288/256 S), min(s, 384/256 S)]; random SxS crop; random flip.
 * listing2  Listing 2 (prior): the square starts 3/8 to 5/8 along what is left over;
 *           t ~ U[S, min(s, 288/256 S)]; random SxS crop; no flip, since a picture may hold text.
 * crop      CLIP's only one (arXiv 2103.00020, 2.4): a square anywhere in the picture, whose share of the
 *           largest one's area is drawn from `least` to 1.
 * none      the centre square, area resized to SxS if it is not that size.
 * Both ends of t's range can be drawn.  The paper drops pictures whose short side is below S; here they
 * are enlarged to SxS.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_AUGMENT_H
#define DALLE_CL_DATA_AUGMENT_H

#include "data/image.h"
#include "host/base/philox.h"

typedef enum augment_mode { AUGMENT_NONE, AUGMENT_LISTING1, AUGMENT_LISTING2, AUGMENT_CROP } augment_mode;
typedef enum augment_flip { AUGMENT_FLIP_AS_MODE, AUGMENT_FLIP_OFF, AUGMENT_FLIP_ON } augment_flip;

/* What an example's draws depend on, and nothing else. */
typedef struct augment_dice {
    uint64_t seed;
    uint32_t epoch, sample;
    const char *stream; /* NULL: "data.augment"; of another name, other numbers */
    double least;       /* of AUGMENT_CROP */
} augment_dice;

/* Writes `size` x `size` RGB pixels to `out`.  `dice` may be NULL where nothing is drawn: AUGMENT_NONE
 * without flip. */
bool augment(const image *in, int size, augment_mode mode, augment_flip flip, const augment_dice *dice,
             uint8_t *out, error *err);
/* The same by another filter than the paper's area. */
bool augment_by(const image *in, int size, augment_mode mode, augment_flip flip, image_filter filter,
                const augment_dice *dice, uint8_t *out, error *err);

/* Cuts a square of `window` pixels out of one of `size`, RGB both; where it stands is drawn. */
void augment_window(const uint8_t *in, int size, int window, const augment_dice *dice, uint8_t *out);

#endif
