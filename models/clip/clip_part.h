/* clip_part.h -- a trained CLIP with its tokenizer, opened from a model or a run (models/parts.h), and the
 * features that it gives pictures and captions.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_CLIP_PART_H
#define DALLE_CL_MODELS_CLIP_CLIP_PART_H

#include "models/clip/clip.h"
#include "models/parts.h"

typedef struct clip_part {
    clip_config
        config; /* config.image_size: pixels a side that it was trained at; config.embedding: dimensions */
    store *store;
    tokenizer *tokenizer;
    words *words; /* of the training captions, or NULL */
    checkpoint_metadata metadata;
    float scale;                    /* exp of the learned temperature's log, at most 100 */
    struct clip_features *features; /* private */
} clip_part;

/* `folder` is a packed model (alone or beside a dVAE and prior) or a run. */
clip_part *clip_part_open(device *d, const char *folder, error *err);
void clip_part_close(clip_part *p); /* NULL is harmless */

/* Makes ready what pictures and captions need, so that its kernels are built beside others; harmless where it
 * is.  Otherwise the first use does that. */
bool clip_part_prepare(clip_part *p, error *err);

/* SHA-256 of the image tower's parameters (checkpoint_fingerprint) and of the tokenizer: all of a CLIP that
 * one goes by who reads pictures' embeddings and captions' tokens. */
bool clip_part_image_fingerprint(const clip_part *p, char hex[65], error *err);

/* Called between batches with what is done so far; false stops with ERROR_INTERRUPTED.  May be NULL. */
typedef bool clip_progress(void *context, int64_t done, int64_t total);

/* pictures [count][side][side][3] of any side (resized as it was trained) -> [count][embedding], each of
 * length 1.  Batches of fixed size inside; the same bits for a picture whatever is embedded beside it.  NaN
 * in features is an error. */
bool clip_part_pictures(clip_part *p, const uint8_t *rgb, int64_t count, int64_t side, float *out,
                        clip_progress *progress, void *context, error *err);
/* UTF-8 captions -> [count][embedding], each of length 1; *cut (may be NULL) = how many were longer than the
 * context and were cut. */
bool clip_part_texts(clip_part *p, const char *const *captions, int64_t count, float *out, int64_t *cut,
                     clip_progress *progress, void *context, error *err);
/* The words that the context has no room for, as prior_part_lost. */
bool clip_part_lost(const clip_part *p, const char *caption, char **lost, error *err);

#endif
