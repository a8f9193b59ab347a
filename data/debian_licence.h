/* debian_licence.h -- whose a package's file is and under which licence, as the package's copyright file says
 * in Debian's machine-readable form (copyright-format 1.0).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEBIAN_LICENCE_H
#define DALLE_CL_DATA_DEBIAN_LICENCE_H

#include "host/base/arena.h"
#include "host/base/error.h"

/* A paragraph on files; of several that fit the last one counts. */
typedef struct debian_stanza {
    const char *patterns, *author, *licence;
} debian_stanza;

typedef struct debian_licence {
    debian_stanza
        *stanzas; /* in the arena; none where the package has no such file, or one for people alone */
    int count;
} debian_licence;

bool debian_licence_read(const char *root, const char *package, arena *memory, debian_licence *out,
                         error *err);
/* `file` as it is installed; the patterns are those of the source.  So they may fit the end of the path from
 * any of its folders on, and those that name one file its name alone.  NULL: it does not say. */
const debian_stanza *debian_licence_of(const debian_licence *l, const char *file);

#endif
