/* embedded.c -- finds an embedded file by name.
 * SPDX-License-Identifier: MIT */
#include "host/base/embedded.h"

#include <string.h>

const embedded_file *embedded_find(const char *name)
{
    for (const embedded_file *const *file = embedded_files; *file; ++file)
        if (strcmp((*file)->name, name) == 0) return *file;
    return NULL;
}
