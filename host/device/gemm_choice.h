/* gemm_choice.h -- choices of GEMM ways made by measuring (`dalle-cl tune`), by shape; kept with the device
 * and in its cache folder.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_CHOICE_H
#define DALLE_CL_DEVICE_GEMM_CHOICE_H

#include "host/device/device.h"

/* What the device keeps of them; NULL: out of memory. */
typedef struct gemm_choices gemm_choices;
gemm_choices *gemm_choices_create(void);
void gemm_choices_destroy(gemm_choices *c); /* NULL is harmless */

/* *way becomes the way chosen for a shape, or NULL; loads what is remembered the first time.  A damaged file
 * is warned of and then not used; false: out of memory. */
bool gemm_choice_find(device *d, const char *shape, const char **way, error *err);
bool gemm_choice_put(device *d, const char *shape, const char *way,
                     error *err); /* way NULL: forget the shape */
/* Tells gemm_watch's listener of a plan. */
void gemm_choice_seen(device *d, const gemm_desc *desc);

#endif
