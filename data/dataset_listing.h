/* dataset_listing.h -- pictures and captions that a list names (a table, COCO's captions), made into members.
 * Names: listing_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_LISTING_H
#define DALLE_CL_DATA_DATASET_LISTING_H

#include "data/dataset_source.h"

typedef struct listing_entry {
    const char *id, *text; /* which picture; its name, or a caption of it */
    int64_t order;
} listing_entry;

typedef struct listing {
    arena *memory; /* of the entries' texts, until listing_free */
    listing_entry *pictures, *captions;
    int64_t picture_count, picture_room, caption_count, caption_room;
} listing;

bool listing_begin(listing *l, error *err);
void listing_free(listing *l);

/* Copies `length` bytes.  Line breaks in captions become spaces.  Several captions of one picture come
 * together, in their order; a picture that is named again under its id is one. */
bool listing_add_picture(listing *l, const char *id, const char *name, size_t length, error *err);
bool listing_add_caption(listing *l, const char *id, const char *text, size_t length, error *err);
/* Makes members of all pictures that are files in `folder` ("": the working directory; names that begin with
 * '/' stand alone), in the order they were named in, each with its captions; others are left out by name,
 * and so are captions of no picture. */
bool listing_make(listing *l, member_list *list, const char *folder, int source, error *err);

/* The folder that `path` stands in, "." for none; with `further` that folder, from there.  To be freed. */
char *listing_folder(const char *path, const char *further);
bool listing_check_folder(const char *path, const char *folder, error *err);

#endif
