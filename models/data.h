/* data.h -- what the training of every kind does with a data set: batches by step, a fixed validation part,
 * sample grids.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DATA_H
#define DALLE_CL_MODELS_DATA_H

#include "data/loader.h"
#include "models/request.h"

typedef struct training_data training_data;

typedef struct training_data_options {
    const char *path;    /* of the set, or several, one a line: data/dataset_paths.h */
    const char *split;   /* "" = all */
    double holdout;      /* fraction kept aside for validation, chosen by seed */
    int64_t size, batch; /* pixels a side; pictures a step */
    int rank, ranks;     /* which of so many equal shares of a batch is wanted; 0, 0: all */
    augment_mode augment;
    augment_flip flip;
    double least;   /* of AUGMENT_CROP */
    int neighbours; /* loader.h */
    image_filter resize;
    int64_t window; /* pixels a side of the random square that batches hold of each picture; 0: the whole */
    /* NULL: IMAGE_READING_DEFAULT.  Where `enough` is above 0 it becomes what the views need. */
    const image_reading *reading;
    const loader_view *views; /* NULL, or others of each picture that batches hold beside that one, */
    int view_count;           /* for loader_pixels; in same_as that one is "picture" */
    uint64_t seed;
    int threads;
    bool captions;     /* pictures without one are left out, with a warning */
    double skip_share; /* of pictures that cannot be read and are passed over: skips_most */
    const char *run;   /* the folder in which "skipped.txt" names them; kept, with `resume`, from before */
    bool resume;
} training_data_options;

/* The options' texts are borrowed until it is closed. */
training_data *training_data_open(const training_data_options *options, error *err);
void training_data_close(training_data *d);

/* Instead of the batch that it was opened with; before the first batch is asked for. */
void training_data_set_batch(training_data *d, int64_t batch);
/* Batches shall hold no pixels, for the kind has its pictures in another form; before the first batch too. */
void training_data_blind(training_data *d);

/* The batch of step `step`, valid until the next call.  The first call may name any step. */
const loader_batch *training_data_next(training_data *d, int64_t step, error *err);

const dataset *training_data_set(const training_data *d);
const dataset_selection *training_data_selection(const training_data *d, bool validation);
/* How many pictures, up to `most`, the validation part has that can be read. */
bool training_data_validation_count(training_data *d, int64_t most, int64_t *count, error *err);
/* Up to `most` pictures of the validation part, or of the training part if nothing is kept aside, as
 * [count][size][size][3]; borrowed, and the same at every call. */
const uint8_t *training_data_validation(training_data *d, int64_t most, int64_t *count, error *err);
/* Which sample of the set the i-th of them is; `i` is below a count given before. */
int64_t training_data_validation_index(const training_data *d, int64_t i);
const dataset_sample *training_data_validation_sample(const training_data *d, int64_t i); /* borrowed */
const char *training_data_hash(const training_data *d);
/* What taking batches has cost so far: kept up to date, valid as long as the data. */
const times_feed *training_data_feed(const training_data *d);
int64_t training_data_size(const training_data *d);   /* pixels a side */
bool training_data_captioned(const training_data *d); /* whether every sample of its parts has a caption */

/* Whether `size` numbers of each of the set's pictures have room in memory, where the pictures are known to
 * look alike in every epoch (`fixed`): then they need computing once. */
bool training_data_keeps(const training_data *d, bool fixed, int64_t size);

/* Reads picture `index` of the set, made size x size without augmentation.  One that cannot be read and may
 * be skipped is no failure: then *good is false, and the pixels are black. */
bool training_data_picture(training_data *d, int64_t index, uint8_t *pixels, bool *good, error *err);

/* A PNG of `count` pairs of size x size pictures, each upper one above its lower one, with captions below
 * (NULL: none). */
bool training_grid_pairs(const char *path, const uint8_t *upper, const uint8_t *lower, int64_t count,
                         int64_t size, const char *const *captions, error *err);
/* The same with `row_count` pictures above one another, of which rows[0] holds the uppermost ones. */
bool training_grid_rows(const char *path, const uint8_t *const *rows, int row_count, int64_t count,
                        int64_t size, const char *const *captions, error *err);

#endif
