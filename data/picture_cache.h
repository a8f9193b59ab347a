/* picture_cache.h -- decoded pictures, as small as training needs them, so that a photograph of twelve
 * million pixels is decoded once and not in every epoch.  May be used by any number of threads.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_PICTURE_CACHE_H
#define DALLE_CL_DATA_PICTURE_CACHE_H

#include "data/augment.h"
#include "data/dataset.h"

typedef struct picture_cache picture_cache;

/* What a picture is read for: examples of `size` pixels a side, made by augment_by() in that mode. */
typedef struct picture_use {
    int size;
    augment_mode mode;
    image_filter filter;
} picture_use;

#define PICTURE_USES 4
/* Of every picture, an image for each of `count` uses, PICTURE_USES at most; keeps up to `bytes` of
 * pixels, of a large set (dataset.h) none.  The data set is borrowed. */
picture_cache *picture_cache_create(const dataset *d, const picture_use *uses, int count, int64_t bytes,
                                    error *err);
void picture_cache_destroy(picture_cache *c);

/* Picture `index` for augment() in each use's mode, decoded once: `out` has an image for each, all empty
 * after a failure.  Without augmentation the result of augment() is that of the picture itself, bit for
 * bit; with it, a picture whose short side is over three times `size` is first brought to that by its filter:
 * the listings shrink it to 1.5 times `size` at most anyway.  What it gives depends neither on what is
 * kept nor on the other uses. */
bool picture_cache_read(picture_cache *c, int64_t index, image *out, error *err);

/* What augment() is given of a picture in that use: as picture_cache_read.  *small stays empty where that
 * is the picture itself. */
bool picture_cache_shrink(const picture_use *u, const image *whole, image *small, error *err);

#endif
