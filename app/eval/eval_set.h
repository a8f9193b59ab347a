/* eval_set.h -- the pictures that a model is measured on: those of a set's split, or as many of them as asked
 * for, evenly spread, one by one as training's validation reads them; never all in memory.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_EVAL_SET_H
#define DALLE_CL_EVAL_EVAL_SET_H

#include "data/dataset.h"
#include "models/training.h"

typedef struct eval_set_options {
    const char *paths; /* one a line: data/dataset_paths.h; borrowed */
    const char *split; /* "all": all there are, where no split is called so */
    int64_t most;
    bool among_all; /* others of the set, too, for eval_set_other */
} eval_set_options;

enum { EVAL_SET_NAMED = 10 };

typedef struct eval_set {
    dataset *set;
    int64_t *index; /* which samples, ascending; those that could not be read go when that is found */
    int64_t count;
    int64_t *other; /* samples that are not among them; NULL: not asked for */
    int64_t others;
    int64_t all; /* that the split has */
    int64_t unreadable;
    char *named[EVAL_SET_NAMED]; /* the first of them, "key: why" */
    char *split;                 /* that they are of; NULL: all of the set */
    image_filter filter;
    int64_t side;
} eval_set;

/* Nothing left is an error. */
bool eval_set_open(eval_set *s, const eval_set_options *o, error *err);
void eval_set_close(eval_set *s); /* harmless on zeros */
/* From now on pictures are read `side` pixels a side, by what the settings say of reading. */
bool eval_set_reading(eval_set *s, const training_config *c, int64_t side, error *err);
/* Sample `index` as [side][side][3].  What is no picture, or a broken one, is no failure: then *good is
 * false, and it is counted and named. */
bool eval_set_picture(eval_set *s, int64_t index, uint8_t *pixels, bool *good, error *err);
/* Leaves out those of `index` for which keep is false. */
void eval_set_keep(eval_set *s, const bool *keep);
/* Its first caption, to be freed; "" if it has none. */
char *eval_set_caption(const eval_set *s, int64_t index, error *err);

#endif
