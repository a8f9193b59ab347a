/* loader.h -- batches of training examples, prepared by threads while the device works.
 * Batch `step` holds samples step * batch ... of an endless sequence of epochs, each shuffled anew
 * (dataset_order.h), with nothing dropped.  A batch depends on the configuration and its step only: neither
 * on the number of threads nor on where the loader was started, so a resumed run sees what the first would
 * have seen.
 * In place of a picture that cannot be read and may be skipped comes the next of its epoch that can, after
 * the last the first.
 * A batch may hold several views of each sample's picture, of different sizes: the same part twice, or an
 * untouched one beside an augmented one.  The picture is decoded once for all, each view is what a loader
 * of it alone would give, and a picture that cannot be read is passed over in all.
 * One thread at a time may call these functions on one loader.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_LOADER_H
#define DALLE_CL_DATA_LOADER_H

#include "data/degrade.h"
#include "data/skips.h"

typedef struct loader loader;

#define LOADER_VIEWS 4 /* the most */

/* One way to show a sample's picture.  Texts are borrowed until the loader is closed. */
typedef struct loader_view {
    /* For loader_pixels; no two alike.  NULL for a first one that is never asked for by name. */
    const char *name;
    int size; /* pixels a side */
    augment_mode augment;
    augment_flip flip;
    /* Its random numbers (augment.h): views that draw alike from one stream are cut alike. */
    const char *stream;
    /* NULL, or the name of a view before it, at least as large.  Then it shows that one's very part, brought
     * to `size` by `resize`, and has no augmentation, flip or stream of its own. */
    const char *same_as;
    image_filter resize; /* zero: area, the paper's */
    double least;        /* of AUGMENT_CROP */
    /* 0: the whole of it.  Or pixels a side of the square that is cut out of it, at a place that is drawn,
     * and that alone is shown; not of a view with same_as. */
    int window;
    /* Of a view with same_as: that part is made small and corrupted so (degrade.h) instead of by `resize`,
     * with this view's size a divisor of that one's. */
    const degradation *degrade;
} loader_view;
/* Pixels a side of what a batch holds of it. */
int loader_view_side(const loader_view *v);

typedef struct loader_config {
    int batch;                       /* samples */
    int first, share;                /* of them, those that are wanted here; share 0: all */
    loader_view views[LOADER_VIEWS]; /* at least one; those behind the last have no size */
    uint64_t seed;
    int threads; /* 1 to 64; 0 = one per processor, at most 8 */
    int64_t start_step;
    bool shuffle;
    int neighbours; /* so many that follow one another in the set stay together: dataset_order.h */
    bool blind; /* pictures are not read: batches hold samples and captions, and their pixels mean nothing */
    skips *skips; /* borrowed; NULL: no picture may be skipped */
} loader_config;

typedef struct loader_batch {
    int64_t step, epoch; /* the epoch of its first sample */
    int count;           /* samples: samples */
    int first;           /* place of the first of them in the whole batch, where this is a share of it */
    uint8_t *pixels;     /* of the first view, [count, size, size, 3] */
    int view_count;
    struct {
        const char *name;
        uint8_t *pixels;
        int size;          /* pixels a side */
    } views[LOADER_VIEWS]; /* for loader_pixels */
    dataset_sample *known; /* what there is to know of each sample, until the batch is released */
    const char **captions, **keys;
    int64_t *samples; /* their index in the data set */
} loader_batch;

/* The data set and the selection are borrowed until the loader is closed. */
loader *loader_open(const dataset *d, const dataset_selection *selection, const loader_config *config,
                    error *err);
void loader_close(loader *l); /* also frees batches not yet released */

/* The next batch, waiting for it if need be.  It stays until loader_release; at most two may be held.
 * A sample that cannot be read, and must not be skipped, is an error naming it; the loader then fails for
 * good. */
bool loader_next(loader *l, loader_batch **batch, error *err);
void loader_release(loader *l, loader_batch *batch);
/* The pixels of the view of that name, which must be one of the configuration's: [count, size, size, 3]. */
const uint8_t *loader_pixels(const loader_batch *batch, const char *name);
/* Its pixels a side. */
int loader_side(const loader_batch *batch, const char *name);

#endif
