/* dataset_options.h -- what may stand behind a set's path: "x.tar?picture=input.jpg&caption=outputs.txt".
 * Names: source_options_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_OPTIONS_H
#define DALLE_CL_DATA_DATASET_OPTIONS_H

#include "host/base/arena.h"
#include "host/base/error.h"
#include <stddef.h>

/* Which options a kind of source takes. */
#define SOURCE_OPTIONS_PARTS    1u
#define SOURCE_OPTIONS_TABLE    2u
#define SOURCE_OPTIONS_PICTURES 4u
#define SOURCE_OPTIONS_CUT      8u

typedef struct source_options {
    const char *file;     /* the path without options */
    const char *given;    /* "picture=input.jpg&...", or NULL */
    const char *picture;  /* tars and folders: the part of a name that is the picture: "input.jpg", "input" */
    const char *caption;  /* and the caption, "outputs.txt"; in a table: the column, by name or number */
    const char *path;     /* in a table: the column that names the picture, by name or number */
    char separator;       /* in a table; 0: by its name and first line */
    const char *pictures; /* tables and COCO: the folder of the pictures, seen from the list's */
    bool cut;             /* a tar that is damaged is used as far as it is whole */
} source_options;

/* Where the options begin, behind the '?'; NULL if there are none: nothing there looks like one, or a file
 * has that whole name. */
const char *source_options_find(const char *path);
/* A copy of the path without options, to be freed; NULL when memory is out. */
char *source_options_cut(const char *path);
/* Fields are NULL, 0 or false where nothing is said.  Texts live in the arena. */
bool source_options_read(arena *memory, const char *path, source_options *out, error *err);
/* An error where an option is given that a source of this kind does not take. */
bool source_options_fit(const source_options *o, unsigned takes, error *err);

#endif
