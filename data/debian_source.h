/* debian_source.h -- the packages of Debian 12 that hold pictures, and which of their files are taken.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEBIAN_SOURCE_H
#define DALLE_CL_DATA_DEBIAN_SOURCE_H

#include "host/base/arena.h"
#include "host/base/error.h"

typedef enum debian_layout {
    DEBIAN_OBJECT, /* on white: the empty border is cut off, what is left stands in a white square */
    DEBIAN_SCENE   /* fills its rectangle, whose shape it keeps */
} debian_layout;
typedef enum debian_captions {
    DEBIAN_STAMP,   /* FILE.txt, whose first line is an English sentence */
    DEBIAN_NAME,    /* the file's name */
    DEBIAN_METADATA /* the PNG's title and description, the SVG's keywords */
} debian_captions;
/* Which pictures are variants of one, by their file names: alike in the first word, or but for a number. */
typedef enum debian_series { DEBIAN_BY_WORD, DEBIAN_BY_NUMBER, DEBIAN_ALONE } debian_series;
typedef enum debian_kind { DEBIAN_MEASURED, DEBIAN_PHOTO, DEBIAN_DRAWING } debian_kind;

typedef struct debian_source {
    const char *name, *package;
    int megabytes;
    const char *licence, *folder, *take, *leave_out;
    debian_layout layout;
    debian_captions captions;
    debian_series series;
    debian_kind kind;
    const char *holds;
} debian_source;

enum {
#define DEBIAN_SOURCE(...) +1
    DEBIAN_SOURCES = 0
#include "data/debian_source.def"
#undef DEBIAN_SOURCE
};
extern const debian_source debian_sources[DEBIAN_SOURCES];

/* -1: none is called so. */
int debian_source_find(const char *name);
/* Whether there is a file to take below `root`. */
bool debian_source_installed(const debian_source *s, const char *root, bool *there, error *err);

/* Its files, by their paths below its folder, in the order of their bytes.  All live in the arena. */
bool debian_source_files(const debian_source *s, const char *root, arena *memory, const char ***files,
                         int *count, error *err);
/* "apt install a b (12 MB)" for those whose `wanted` is set, each package once. */
void debian_source_advice(const bool wanted[DEBIAN_SOURCES], char *text, size_t room);

#endif
