/* debian_set.h -- builds a set of pictures with captions out of what Debian's packages hold
 * (debian_source.def).  The tar (WebDataset) has per picture KEY.png, KEY.txt (its captions, one a line) and
 * KEY.json: source, package, file, licence, author, kind ("photo" or "drawing"), group (the folder), series,
 * split, keywords.  The same packages give the same bytes.
 *   Layout: an object stands in a white square of `size` pixels; a scene keeps its shape, its short side at
 * most twice `size`.
 *   Kind: where the source does not say it, a guess: paint has runs of one colour, and few colours.
 *   Split: a series, variants of one drawing, goes to "val" as a whole, by its name's hash, a tenth of all.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEBIAN_SET_H
#define DALLE_CL_DATA_DEBIAN_SET_H

#include "data/debian_source.h"

typedef struct debian_options {
    const char *root;           /* where the packages' files are; NULL: "/" */
    const char *const *sources; /* names; NULL: all that are installed */
    int source_count;
    int size;         /* pixels; 0: 128 */
    debian_kind kind; /* DEBIAN_MEASURED: photographs and drawings */
} debian_options;

/* What became of a source's files. */
typedef struct debian_count {
    bool installed;
    int pictures, photos, held_out; /* photos and those held out are among the pictures */
    int unread, blank, small,
        again;         /* left out: cannot be read, nothing to see, too small, the same pixels as before */
    int linked, owned; /* left out: part of it is not in the file, a licence of its own */
    int other_kind;
} debian_count;

/* Writes the tar, whole or not at all.  A source that was named and is not installed, or none at all, is an
 * error that says what to install. */
bool debian_build(const debian_options *options, const char *tar_path, debian_count counts[DEBIAN_SOURCES],
                  error *err);

#endif
