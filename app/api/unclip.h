/* unclip.h -- how libdalle draws by diffusion (arXiv 2204.06125): a caption becomes embeddings by a prior,
 * those pictures by the decoder, those larger ones by the upsamplers, a few at a time. E numbers of an
 * embedding, S pixels a side of the decoder's pictures.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_API_UNCLIP_H
#define DALLE_CL_API_UNCLIP_H

#include "app/api/internal.h"

/* A drawing under way, as the request wants it; what a part's settings have is NULL or below 0. */
typedef struct unclip_drawing {
    dalle_model *model;
    dalle_sampling how;
    const char *caption; /* that the prior reads */
    double guidance;     /* the decoder's */
    double temperature;  /* of an autoregressive prior */
    bool inverts;        /* noise is found for pictures: the decoder steps by DDIM */
    uint64_t seed;
    int first, count; /* number of the first picture; pictures in all */
    /* Who is told: the one, or the other in thousandths. */
    dalle_stages *stages;
    bool (*progress)(void *context, int done, int total);
    void *context;
    const plain_locale *locale;
    /* Networks' runs, all and those that are through, by which the share of the work is told. */
    int64_t runs, through;
    int ready;      /* pictures that are finished */
    const char *at; /* the network that runs */
    int at_once;
} unclip_drawing;

/* Makes ready all that will be used, a few pictures at a time, so that kernels are built beside each other.
 * `before`: networks' runs before the first picture; `prior`: captions are read; `judged`: and pictures. */
bool unclip_prepare(unclip_drawing *d, int64_t before, bool prior, bool judged, error *err);

/* What `count` pictures, at most d->at_once, from the drawing's number `place` on are drawn from. */
typedef struct unclip_source {
    const float *embeddings;   /* [count][E], of length 1 */
    const float *start;        /* x_T [count][S][S][3]; NULL: drawn */
    const float *known, *mask; /* [S][S][3] and [S][S], 1 = to be filled; NULL: none */
    const char *caption;       /* that the decoder reads; NULL: none */
} unclip_source;
/* Of the drawing's caption -> [count][E]. */
bool unclip_embed(unclip_drawing *d, int place, int count, float *embeddings, error *err);
/* -> [count][side][side][3] of the model's drawn_side. */
bool unclip_draw(unclip_drawing *d, int place, int count, const unclip_source *from, uint8_t *rgb,
                 error *err);
/* A picture, [side][side][3], as the decoder has it -> [S][S][3] in -1..1. */
bool unclip_fit(const dalle_model *m, const uint8_t *rgb, int side, float *fitted, error *err);
/* The noise x_T [S][S][3] of which the decoder draws a picture of the embedding [E]. */
bool unclip_invert(unclip_drawing *d, const float *embedding, const float *fitted, float *start, error *err);
/* Tells of something that has no steps: run `done` of `total` of what is called so. */
bool unclip_tell(unclip_drawing *d, const char *name, int64_t done, int64_t total);

/* ---- unclip_generate.c ---- */
bool unclip_generate(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                     error *err);

/* ---- unclip_open.c ---- */

/* The parts of DALL-E 2, those wanted of which all must be there, beside an open CLIP. */
bool unclip_open(dalle_model *m, unsigned wanted, error *err);
void unclip_close(dalle_model *m);
void unclip_describe(dalle_model *m);

#endif
