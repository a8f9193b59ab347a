/* known.h -- captions that a prior was trained with, and where a CLIP sees their pictures:
 * `known.safetensors` in a packed model's folder.  A caption that the prior was never told may be near one
 * that it knows.
 *   embeddings  U8 [captions, dimensions]: 128 + 127 x / the row's largest |x|; a row is 1 long once read
 *   captions    U8, UTF-8, a NUL behind each
 * and in its metadata the SHA-256 of the CLIP's parameters.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_KNOWN_H
#define DALLE_CL_MODELS_PRIOR_KNOWN_H

#include "models/data.h"
#include "models/kinds.h"

#define KNOWN_FILE        "known.safetensors"
#define KNOWN_MEANT_SHARE 0.75
enum { KNOWN_MOST = 4096 }; /* captions, spread over the training part, that a model keeps */

typedef struct known_captions {
    int64_t count, size; /* dimensions */
    char **texts;        /* [count] */
    float *embeddings;   /* [count][size] */
    char clip[65];
} known_captions;

/* Room for captions that are then put in. */
bool known_captions_make(known_captions *k, int64_t count, int64_t size, error *err);
/* Up to KNOWN_MOST first captions of the set's training part, and their pictures as `judge` sees them; its
 * file's SHA-256 is to be put in. */
bool known_captions_collect(known_captions *k, training_data *data, const model_part *judge, error *err);
int64_t known_captions_bytes(const known_captions *k); /* of a file, but for its heading */
bool known_captions_write(const known_captions *k, const char *folder, error *err);
/* A folder without the file has none: count 0. */
bool known_captions_read(known_captions *k, const char *folder, error *err);
/* Whether the caption is one of them, whatever its case in ASCII. */
bool known_captions_has(const known_captions *k, const char *caption);
/* The places of up to `most` that are nearest to an embedding [size], nearest first, none of them `but`
 * itself; of two alike the first.  Returns how many there are. */
int known_captions_near(const known_captions *k, const float *embedding, const char *but, int most,
                        int64_t *places);
/* What is asked for with a caption [size], as a vector [size] of which a picture's product says how sure a
 * CLIP is of it: a third of how like the caption it is, two of the mean of its similarities to the known
 * pictures, each weighed by how probably that one is meant, the softmax of KNOWN_MEANT_SHARE of `scale` times
 * their similarities to the caption.  Of captions that it never saw a CLIP is surer than it should be; hence
 * less than its own scale. */
void known_captions_meant(const known_captions *k, const float *embedding, double scale, float *meant);
void known_captions_free(known_captions *k);

#endif
