/* skips.h -- pictures that cannot be decoded, so that training passes over them, up to a number.
 * Any number of threads may use one.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SKIPS_H
#define DALLE_CL_DATA_SKIPS_H

#include "data/dataset.h"

typedef struct skips skips;

/* How many pictures of a set of `count` may be skipped: `share` of them (0: none), and of a small set up to
 * 10, but not more than half of it. */
int64_t skips_most(int64_t count, double share);

/* For a set that is borrowed. */
skips *skips_create(const dataset *d, int64_t most, error *err);
void skips_destroy(skips *s);

/* Notes that a picture could not be read.  True if it may be skipped: `why` is about the picture's content
 * (ERROR_FORMAT: neither memory nor the disk), and there are not too many; else *err says which. */
bool skips_add(skips *s, int64_t sample, const error *why, error *err);
bool skips_has(skips *s, int64_t sample);
int64_t skips_count(skips *s);

/* Writes "KEY<tab>reason" a line, in the order of the set.  With `keep`, lines that the file has of keys
 * not among them stay, behind. */
bool skips_write(skips *s, const char *path, bool keep, error *err);

#endif
