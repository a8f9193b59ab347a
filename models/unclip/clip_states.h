/* clip_states.h -- captions as a frozen CLIP's text tower sees them: the state at each position up to the
 * end, and the embedding (Karlo's way, whose decoder has no text encoder of its own).
 * E numbers of an embedding, T text positions, W width of the text tower.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_CLIP_STATES_H
#define DALLE_CL_MODELS_UNCLIP_CLIP_STATES_H

#include "models/clip/clip_part.h"

typedef struct clip_states clip_states;
/* The part is borrowed. */
clip_states *clip_states_create(clip_part *clip, error *err);
void clip_states_destroy(clip_states *s); /* NULL is harmless */

/* Of tokens as text_fill gives them, [count][T], -1 where none is: states [count][T][W], how many of each are
 * of tokens, begin and end included, seen [count], and embeddings [count][E], each of length 1. */
bool clip_states_read(clip_states *s, const int32_t *ids, int64_t count, float *states, int32_t *seen,
                      float *embeddings, error *err);

#endif
