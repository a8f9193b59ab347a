/* decoder_part.h -- a trained decoder, opened from a model or a run (models/parts.h), and pictures drawn with
 * it.
 * E numbers of an embedding, S pixels a side.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_PART_H
#define DALLE_CL_MODELS_DECODER_DECODER_PART_H

#include "models/clip/clip_part.h"
#include "models/decoder/decoder.h"

typedef struct decoder_part {
    decoder_config config; /* .size pixels a side */
    decoder_shape shape;
    store *store;
    checkpoint_metadata metadata;
    clip_part *clip;               /* borrowed */
    struct decoder_drawer *drawer; /* private, as what follows */
    struct clip_states *states;    /* NULL: captions are read by a text encoder of its own */
} decoder_part;

/* `clip` is borrowed, and must be the one that it was trained with: an error otherwise. */
decoder_part *decoder_part_open(device *d, const char *folder, clip_part *clip, error *err);
/* The same, whichever CLIP it was trained with. */
decoder_part *decoder_part_read(device *d, const char *folder, clip_part *clip, error *err);
void decoder_part_close(decoder_part *p); /* NULL is harmless */
/* Makes ready what drawing so many pictures at once needs; harmless where it is. */
bool decoder_part_prepare(decoder_part *p, int64_t count, error *err);

typedef struct decoder_request {
    int64_t count, first;
    uint64_t seed;           /* picture number i depends on (model, inputs, seed, i) only */
    const float *embeddings; /* [count][E], of length 1 */
    const char *caption;     /* of all; NULL or "": none */
    double guidance;         /* < 0: the model's own */
    const char *spacing;     /* NULL: the model's own */
    int ddim;                /* 1, 0, < 0: the model's own */
    double eta;              /* < 0: the model's own */
    const float *start;      /* x_T [count][S][S][3]; NULL: drawn */
    /* Inpainting: picture [S][S][3] in -1..1 and mask [S][S], 1 = to be filled; NULL: none. */
    const float *known, *mask;
    diffusion_progress *progress;
    void *context;
} decoder_request;
/* -> [count][S][S][3] in -1..1 */
bool decoder_part_draw(decoder_part *p, const decoder_request *r, float *pictures, error *err);
/* x_T of pictures [count][S][S][3] in -1..1, by DDIM inversion with r's embeddings and caption,
 * guidance 1. */
bool decoder_part_invert(decoder_part *p, const decoder_request *r, const float *pictures, float *start,
                         error *err);

#endif
