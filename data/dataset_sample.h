/* dataset_sample.h -- what a picture's KEY.txt and KEY.json say, checked and copied, for dataset.c.
 * Names: sample_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_SAMPLE_H
#define DALLE_CL_DATA_DATASET_SAMPLE_H

#include "data/dataset.h"
#include "data/dataset_source.h"

typedef struct sample_reader {
    arena *memory;    /* keeps the texts */
    const char *path; /* of the tar or folder, for errors */
    error *err;
    member_list *notes; /* where what cannot be used is named; NULL: nowhere */
} sample_reader;

/* A picture of which nothing is known but its key. */
dataset_sample sample_blank(const char *key);
/* Appends the non-empty lines of KEY.txt to the captions.  Those that cannot be used are noted, and are no
 * failure, here and below: only lack of memory is. */
bool sample_take_captions(const sample_reader *r, const member *m, dataset_sample *s);
/* Takes what KEY.json knows, and appends its captions; "caption", which img2dataset writes beside KEY.txt,
 * where there is no other. */
bool sample_take_details(const sample_reader *r, const member *m, dataset_sample *s);

#endif
