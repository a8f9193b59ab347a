/* tensorboard.h -- a run's figures and pictures as TensorBoard reads them: RUN/tensorboard/ with one event
 * file, records in TFRecord's frame with a protocol buffer each, written here by hand.
 * Resumed, the file is cut to what the checkpoint knows: no step stands in it twice.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_TENSORBOARD_H
#define DALLE_CL_TRAIN_TENSORBOARD_H

#include "host/train/train.h"
#include <stdint.h>

#define TENSORBOARD_FILE "tensorboard/events.out.tfevents.0.dalle-cl" /* in the run's folder */

typedef struct tensorboard tensorboard;

/* Events of later steps than `step` are cut off first. */
tensorboard *tensorboard_open(const char *folder, int64_t step, error *err);
void tensorboard_close(tensorboard *t); /* may be NULL */

/* Scalars "train/NAME", or with kind "eval" "validation/NAME"; values that are not finite are left out. */
bool tensorboard_figures(tensorboard *t, int64_t step, const char *kind, const train_metrics *m, error *err);
bool tensorboard_scalar(tensorboard *t, int64_t step, const char *tag, double value, error *err);
/* The PNG at `path` as the picture "samples"; what is no PNG is left out. */
bool tensorboard_picture(tensorboard *t, int64_t step, const char *path, error *err);

/* CRC-32C (Castagnoli) of `size` bytes, and as TFRecord keeps it. */
uint32_t tensorboard_crc(const void *bytes, size_t size);
uint32_t tensorboard_masked_crc(const void *bytes, size_t size);

#endif
