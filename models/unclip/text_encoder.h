/* text_encoder.h -- a caption as a sequence of vectors, GLIDE's way (arXiv 2112.10741, 4): tokens and
 * positions into a transformer without a causal mask, a learned vector for each place after the caption's end.
 * B batch, T text positions, W width.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_TEXT_ENCODER_H
#define DALLE_CL_MODELS_UNCLIP_TEXT_ENCODER_H

#include "host/nn/nn.h"

typedef struct text_encoder_config {
    int64_t tokens, rows; /* T; rows of the table: the vocabulary, begin and end included */
    int64_t width, layers, heads;
    bool causal; /* under a causal mask, as the priors' (Table 3 of arXiv 2204.06125) */
    double dropout;
    bool recompute;
} text_encoder_config;

typedef struct text_encoder text_encoder; /* weights; in the graph's memory */
text_encoder *text_encoder_declare(graph *g, const text_encoder_config *c);
/* ids I32 [B,T], -1 where none is -> [B,T,W], after a last layer normalisation.  `random` may be NULL. */
tensor *text_encoder_apply(graph *g, const text_encoder_config *c, const text_encoder *w, tensor *ids,
                           tensor *random);

#endif
