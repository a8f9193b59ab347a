/* gemm_choice.h -- choices of GEMM ways made by measuring (`dalle-cl tune`), by shape; kept with the device and in its
 * cache folder.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_CHOICE_H
#define DALLE_CL_DEVICE_GEMM_CHOICE_H

#include "host/device/device.h"

typedef struct json_t json_t;

/* What the device keeps for gemm.c: zeroed at first; `shapes` to be given back with gemm_choices_clear. */
typedef struct gemm_choices {
    json_t *shapes; /* object: shape as text -> way */
    bool loaded;
    void (*seen)(void *context, const gemm_desc *desc); /* of each plan made */
    void *context;
} gemm_choices;

gemm_choices *device_gemm_choices(device *d);
void gemm_choices_clear(gemm_choices *c);

/* *way becomes the way chosen for a shape, or NULL; loads what is remembered the first time.  A damaged file is said and
 * ignored; false: out of memory. */
bool gemm_choice_find(device *d, const char *shape, const char **way, error *err);
bool gemm_choice_put(device *d, const char *shape, const char *way,
                     error *err); /* way NULL: forget the shape */

#endif
