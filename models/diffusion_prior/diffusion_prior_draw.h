/* diffusion_prior_draw.h -- draws embeddings with a store's parameters.
 * Names: diffusion_prior_draw, diffusion_prior_drawer_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_DRAW_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_DRAW_H

#include "models/diffusion_prior/diffusion_prior.h"

typedef struct diffusion_prior_drawer diffusion_prior_drawer;

/* Over a store that holds, or will be loaded with, the parameters, which it declares and gives memory;
 * `averages`: their averages.  Graphs are compiled when they are first needed. */
diffusion_prior_drawer *diffusion_prior_drawer_create(store *s, const diffusion_prior_config *c,
                                                      int64_t embedding, bool averages, error *err);
void diffusion_prior_drawer_destroy(diffusion_prior_drawer *d);
/* Compiles now what drawing with this guidance needs; harmless where that is done. */
bool diffusion_prior_drawer_prepare(diffusion_prior_drawer *d, double guidance, error *err);

typedef struct diffusion_prior_draw {
    int64_t count, first;
    uint64_t seed; /* embedding number i depends on (parameters, its caption, these settings, i) only */
    bool each;     /* every embedding has a caption of its own, else all the same one */
    const int32_t *tokens; /* [T], or of each [count][T], -1 where none is */
    const float *captions; /* [E], or of each [count][E]: the caption's embedding, of length 1; 0: none */
    double guidance;
    const char *spacing;
    bool ddim;
    double eta;
    int64_t candidates; /* of so many the one with the largest dot product with the caption's embedding */
    diffusion_progress *progress;
    void *context;
} diffusion_prior_draw;
/* As the settings say, for one caption. */
diffusion_prior_draw diffusion_prior_draw_by(const diffusion_prior_config *c);
/* -> [count][E], each of length 1 */
bool diffusion_prior_drawer_draw(diffusion_prior_drawer *d, const diffusion_prior_draw *how, float *out,
                                 error *err);

#endif
