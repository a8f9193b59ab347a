/* clip_features.h -- what the towers give, for any number of pictures and captions: in batches of one size,
 * so that a picture's features are the same bits whatever is computed beside it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_CLIP_FEATURES_H
#define DALLE_CL_MODELS_CLIP_CLIP_FEATURES_H

#include "models/clip/clip.h"

typedef struct clip_features clip_features;

/* Over a store that holds, or will be loaded with, the parameters, which it declares and gives memory;
 * `averages`: their averages.  Graphs are compiled when they are first needed. */
clip_features *clip_features_create(store *s, const clip_config *c, bool averages, error *err);
void clip_features_destroy(clip_features *f);
int64_t clip_features_batch(const clip_features *f);

/* pixels [count][S][S][3]; ids [count][T] and the position of each one's end -> [count][E].  At most a batch
 * at once. */
bool clip_features_pictures(clip_features *f, const uint8_t *pixels, int64_t count, float *out, error *err);
bool clip_features_texts(clip_features *f, const int32_t *ids, const int64_t *ends, int64_t count, float *out,
                         error *err);

#endif
