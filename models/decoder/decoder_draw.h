/* decoder_draw.h -- draws pictures with a store's parameters.
 * Names: decoder_draw, decoder_drawer_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_DRAW_H
#define DALLE_CL_MODELS_DECODER_DECODER_DRAW_H

#include "models/decoder/decoder_values.h"

typedef struct decoder_drawer decoder_drawer;

/* Over a store that holds, or will be loaded with, the parameters, which it declares and gives memory;
 * `averages`: their averages.  Graphs are compiled when they are first needed. */
decoder_drawer *decoder_drawer_create(store *s, const decoder_config *c, const decoder_shape *shape,
                                      bool averages, error *err);
void decoder_drawer_destroy(decoder_drawer *d);
/* Compiles now what drawing with this guidance needs; harmless where that is done. */
bool decoder_drawer_prepare(decoder_drawer *d, double guidance, error *err);

typedef struct decoder_draw {
    int64_t count, first;
    uint64_t seed; /* picture number i depends on (parameters, its row, these settings, i) only */
    const decoder_values *values; /* a row for each picture */
    const decoder_values *none;   /* its row 0 has no caption */
    double guidance;
    const char *spacing;
    bool ddim;
    double eta;
    const float *start;        /* x_T [count][S][S][3]; NULL: drawn */
    const float *known, *mask; /* [S][S][3], [S][S], 1 = to be filled; NULL: none is known */
    diffusion_progress *progress;
    void *context;
} decoder_draw;
/* As the settings say. */
decoder_draw decoder_draw_by(const decoder_config *c);
/* -> [count][S][S][3] in -1..1 */
bool decoder_drawer_draw(decoder_drawer *d, const decoder_draw *how, float *out, error *err);
/* x_T of pictures [count][S][S][3]; without guidance, by DDIM without noise. */
bool decoder_drawer_invert(decoder_drawer *d, const decoder_draw *how, const float *pictures, float *out,
                           error *err);

#endif
