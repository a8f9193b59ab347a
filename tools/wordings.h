/* wordings.h -- captions to draw, each with the picture that it should give.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TOOLS_WORDINGS_H
#define DALLE_CL_TOOLS_WORDINGS_H

#include "data/dataset.h"
#include "host/base/arena.h"

typedef struct wording {
    const char *key, *name; /* of the picture, and its caption in the set; "-" where no picture is right */
    const char *text;       /* what is drawn */
    int64_t picture;        /* index in the set, or -1 */
    bool trained;           /* the text stands in the set, as a caption or a keyword */
} wording;

typedef struct wordings {
    arena *memory;
    wording *items;
    int64_t count;
} wordings;

/* A file with the line "key, name, wording" and then one wording a line, in columns with tabs between.  A key
 * that the set lacks, or another name than the set has, is an error. */
bool wordings_read(wordings *w, const char *path, const dataset *set, error *err);
/* The real pictures of a split, each with its caption: "val", or "train:0.1:1", the tenth of `train` that
 * training with holdout=0.1 and seed=1 kept aside. */
bool wordings_of_split(wordings *w, const char *split, const dataset *set, error *err);
void wordings_close(wordings *w);

void wordings_to_names(wordings *w); /* each picture once, by its exact name */
void wordings_thin(wordings *w,
                   int64_t number); /* `number` of them, evenly spaced; 0 or more than all: all */

#endif
