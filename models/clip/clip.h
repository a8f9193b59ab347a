/* clip.h -- CLIP: pictures and captions as vectors of one space, near each other where they belong together
 * (arXiv 2103.00020, 2.3 to 2.5; its published ViT models).
 *
 * The image tower is a vision transformer: square patches, one class row before them, whose final state is
 * the picture's.  The text tower is causal; the state at a caption's end is the caption's.  Both are
 * projected to the embedding and made 1 long.
 * B batch, b samples of a part, S pixels a side, N patches, T text positions, E embedding, W width.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_CLIP_H
#define DALLE_CL_MODELS_CLIP_CLIP_H

#include "host/nn/nn.h"
#include "models/training.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/clip/config.def"
#include "host/base/config_undef.h"

typedef struct clip_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/clip/config.def"
#include "host/base/config_undef.h"
} clip_config;
extern const config_table clip_config_table;
/* Settings that make the shape of its parameters, but for those of its text, for request_take_sizes. */
extern const char *const clip_sizes[];

/* Settings that are left to the data set, but for text_tokens, for one of so many pictures; *chosen (may be
 * NULL) says whether the number of steps was among them. */
void clip_fit(clip_config *c, int64_t pictures, bool *chosen);
bool clip_config_check(const clip_config *c, error *err);
int64_t clip_patches(const clip_config *c); /* of a picture */
int64_t clip_rows(const clip_config *c);    /* of the text table */
#define CLIP_SCALE_MOST 100.0f              /* of similarities in the loss (2.5) */

/* ---- Weights ---- */

typedef struct clip_block {
    norm_weights norm1, norm2;
    attention_weights attention;
    linear_weights up, down;
} clip_block;

typedef struct clip_weights {
    linear_weights patch;               /* 3 patch^2 -> W, no bias */
    tensor *class_row, *image_position; /* [1,W], [N+1,W] */
    norm_weights image_before, image_after;
    clip_block *image_blocks;           /* [image_layers] */
    linear_weights image_projection;    /* W -> E, no bias */
    tensor *text_table, *text_position; /* [rows,W], [T,W] */
    clip_block *text_blocks;            /* [text_layers] */
    norm_weights text_norm;
    linear_weights text_projection;
    tensor *log_scale; /* [1]: the logarithm of what similarities are multiplied by */
} clip_weights;
/* Declares every parameter. */
clip_weights clip_declare(graph *g, const clip_config *c);
/* The same for a training step: those of a locked image tower learn nothing. */
clip_weights clip_declare_learning(graph *g, const clip_config *c);
/* Gives the learned scale its start, 1 / 0.07: parameters that are allocated start at zero or at random. */
bool clip_start_scale(store *s, error *err);

/* ---- Towers ---- */

/* Inputs that never change: to be written once, after graph_compile. */
typedef struct clip_constants {
    tensor *begin;          /* I32 [b,1]: zeros, the number of the class row */
    tensor *factor, *shift; /* F32 [3]: a byte of each colour as what the tower sees */
} clip_constants;
clip_constants clip_constants_input(graph *g, int64_t samples);
bool clip_write_constants(const clip_constants *k, error *err);

/* pixels U8 [b,S,S,3] -> [b,E], each of length 1.  `random` (I32 [4]) drives dropout and may be NULL for
 * none. */
tensor *clip_picture_features(graph *g, const clip_config *c, const clip_weights *w, const clip_constants *k,
                              tensor *pixels, tensor *random);
/* Where each caption's end stands, I32 [2,b]: its row in [b,T], sample x T + position, and how many positions
 * it sees; written from positions 0 .. T-1. */
tensor *clip_ends_input(graph *g, int64_t samples);
bool clip_write_ends(tensor *ends, const int32_t *place, int64_t tokens, error *err);
/* text I32 [b,T], ends I32 [2,b] -> [b,E], each of length 1.  What stands behind an end is not seen. */
tensor *clip_text_features(graph *g, const clip_config *c, const clip_weights *w, tensor *text, tensor *ends,
                           tensor *random);

/* The same tower's states at all positions, after its last normalisation, without dropout: text I32 [b,T] ->
 * [b,T,W]. */
tensor *clip_text_states(graph *g, const clip_config *c, const clip_weights *w, tensor *text);

/* ---- The loss ---- */

/* Similarities that the loss holds at once, unless it is told otherwise. */
#define CLIP_SIMILARITIES (1 << 24)

typedef struct clip_losses {
    tensor *loss, *scale; /* [1] each; nats a sample, the mean of both directions */
    /* The nearest caption to each picture and the nearest picture to each caption, I32 [rows] each, in
     * `pieces` of `rows`. */
    int64_t pieces, rows;
    tensor **nearest[2];
} clip_losses;
/* Symmetric cross-entropy over all samples (2.3): features [B,E], targets I32 [B] = 0 .. B-1.  Of a batch's
 * B x B similarities about `most` are computed at a time, as rows of them; where that is not all, they are
 * computed again for the gradient, so that memory stays bounded. */
clip_losses clip_contrast(graph *g, tensor *pictures, tensor *texts, tensor *log_scale, tensor *targets,
                          int64_t most);

#endif
