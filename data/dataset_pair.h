/* dataset_pair.h -- which members of tars and folders make a sample, for dataset.c.
 * Names: pair_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_PAIR_H
#define DALLE_CL_DATA_DATASET_PAIR_H

#include "data/dataset_sample.h"

typedef struct pair_item {
    dataset_sample sample;
    member picture;
    const member *caption, *details; /* or NULL; in the list */
    const char *description;         /* the text of KEY.json, or NULL */
} pair_item;

typedef struct pairing {
    const char *const *paths; /* by source */
    bool need_captions;
    bool part;         /* of a set: what holds of a whole one is neither checked nor said */
    member_list *list; /* its items are sorted anew */
    pair_item *items;  /* the result, in the order of the files, to be freed */
    int64_t count;
    int64_t paired;                           /* pictures with a caption of their name */
    int64_t lonely_pictures, lonely_captions; /* what does not fit together, for one message */
    const member *first_picture, *first_caption;
    int64_t joined;      /* samples whose parts have different keys */
    int64_t unsure;      /* names up to the first dot that several pictures or captions share */
    int64_t spoilt;      /* samples left out for what is wrong with them alone */
    char why_first[300]; /* the first of them */
    error *err;
} pairing;

/* False, with an error, where captions are missing that are needed, or the set is empty. */
bool pair_members(pairing *p);

#endif
