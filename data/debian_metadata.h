/* debian_metadata.h -- what a clip art's PNG and SVG say of it.  Texts live in the arena.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEBIAN_METADATA_H
#define DALLE_CL_DATA_DEBIAN_METADATA_H

#include "host/base/arena.h"
#include "host/base/error.h"
#include <stddef.h>

enum { DEBIAN_MAX_KEYWORDS = 8 };

typedef struct debian_metadata {
    const char *title, *author, *description; /* NULL: not said */
    const char *keywords[DEBIAN_MAX_KEYWORDS];
    int keyword_count;
    bool incomplete; /* shows a picture that is not in the file */
    bool owned;      /* names a licence other than the public domain */
} debian_metadata;

/* Adds the PNG's texts "Title", "Author" and "Description", as far as they are UTF-8. */
bool debian_metadata_png(const char *path, arena *memory, debian_metadata *m, error *err);
/* Adds what the SVG's RDF says; nothing where there is no such file, or none that is XML. */
bool debian_metadata_svg(const char *path, arena *memory, debian_metadata *m, error *err);

#endif
