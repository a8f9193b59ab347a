/* clip_source.h -- a frozen CLIP that gives training its embeddings, captions' tokens, and both again when
 * drawing; and which CLIP that was.
 * E numbers of an embedding, T text positions of the CLIP.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_CLIP_SOURCE_H
#define DALLE_CL_MODELS_UNCLIP_CLIP_SOURCE_H

#include "data/loader.h"
#include "models/clip/clip_part.h"
#include "models/text.h"

/* The key under which the metadata of a packed part, and a run's state, hold the fingerprint of its CLIP. */
#define CLIP_ORIGIN_KEY "clip"
/* And under this one that of its image tower and tokenizer, for parts that need no more of it. */
#define CLIP_IMAGE_KEY "clip_image"

typedef struct clip_source clip_source;
/* Opens the CLIP in `folder` (a run's or a model's).  With `fixed` pictures look alike in every epoch, and
 * their embeddings are kept by sample, as far as that takes no more than 512 MiB; `samples` is how many
 * there are, 0 where that is not known yet. */
clip_source *clip_source_open(device *d, const char *folder, bool fixed, int64_t samples, error *err);
void clip_source_close(clip_source *s);                    /* NULL is harmless */
clip_part *clip_source_part(const clip_source *s);         /* borrowed */
const char *clip_source_fingerprint(const clip_source *s); /* 64 hexadecimal digits, of its parameters */
const char *clip_source_image_fingerprint(const clip_source *s); /* clip_part_image_fingerprint */

/* The view that batches hold for it: the very part of each picture that the view "picture" shows, of
 * `size` pixels a side, at the CLIP's size where that is not larger, else at `size`.  A kind of smaller
 * pictures than the CLIP's has its batches' "picture" at the CLIP's size, and its own as another view of
 * it. */
loader_view clip_source_view(const clip_source *s, int64_t size);
/* Embeddings [count][E], each of length 1, of the batch's pictures. */
bool clip_source_pictures(clip_source *s, const loader_batch *b, float *out, error *err);
/* Of tokens as text_fill gives them by the CLIP's own tokenizer, [count][T], -1 where none is: embeddings
 * [count][E]. */
bool clip_source_texts(clip_source *s, const int32_t *ids, int64_t count, float *out, error *err);
/* A caption's tokens [T], -1 where none is, as training has them; *cut (may be NULL): it was too long. */
bool clip_source_caption(const clip_part *clip, const char *caption, int32_t *ids, bool *cut, error *err);

/* Whether a part that reads the CLIP's tokens, as its settings of text say, can read those of this one. */
bool clip_source_fits(const text_config *text, const clip_part *clip, const char *what,
                      const char *part_folder, error *err);
/* Refuses a part that was trained with another CLIP than the one opened from `clip_folder`; names both.  With
 * `image_alone` one that has the same image tower and tokenizer will do. */
bool clip_source_check(const clip_part *clip, const char *clip_folder, const checkpoint_metadata *of_part,
                       bool image_alone, const char *what, const char *part_folder, error *err);

#endif
