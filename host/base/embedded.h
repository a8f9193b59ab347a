/* embedded.h -- files compiled into the binary: kernels ("ops/softmax.cl") and presets
 * ("dvae/presets/emoji.cfg").
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_EMBEDDED_H
#define DALLE_CL_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct embedded_file {
    const char *name;
    const unsigned char *bytes; /* NUL-terminated; size excludes the NUL */
    size_t size;
} embedded_file;

extern const embedded_file *const embedded_files[]; /* ends with NULL */

const embedded_file *embedded_find(const char *name); /* NULL if there is none */

#endif
