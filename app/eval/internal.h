/* internal.h -- what the passes of an evaluation share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_INTERNAL_H
#define DALLE_CL_EVAL_INTERNAL_H

#include "app/eval/evaluation.h"
#include "app/eval/features.h"
#include "app/eval/frechet.h"
#include "app/eval/inception.h"
#include "app/eval/likelihood.h"
#include "app/eval/quality.h"
#include "app/eval/reconstructor.h"
#include "models/clip/clip_part.h"

enum { EVAL_BATCH = 8 }; /* pictures at once */

typedef enum eval_shown { EVAL_REAL, EVAL_AGAIN, EVAL_DRAWN, EVAL_SHOWN } eval_shown;

/* What the judges say of one of the three sets of pictures. */
typedef struct eval_seen {
    features judged;          /* CLIP's features */
    frechet_moments *moments; /* of Inception's features */
    features pooled, logits;  /* Inception's */
} eval_seen;

typedef struct eval_work {
    const evaluation_options *o;
    device *device;
    eval_set *set;
    evaluation *out;
    int64_t side, values; /* pixels a side; values of a picture */

    dvae_part *dvae; /* those that are NULL are not there */
    prior_part *prior;
    clip_part *judge;
    inception *network;
    reconstructor *decoder;
    likelihood *likelihood;

    /* Of the pictures, in the order of the set. */
    char **captions; /* NULL: none */
    int64_t pictures, captioned;
    double *pixel_bits; /* a value, given the tokens; of pixel loss first the mean absolute difference */
    double *token_bits; /* a value */
    double *text_bits;  /* a value */
    eval_seen seen[EVAL_SHOWN];
    features texts;         /* CLIP's, of the captions that are there */
    int64_t *place;         /* of which picture each of those is */
    int64_t room;           /* of the lists of pictures */
    int64_t kept;           /* drawings of each caption whose features stay */
    int64_t *chosen;        /* which of the captions are drawn */
    int64_t cut, prior_cut; /* captions that CLIP, and the prior, had no room for */

    quality quality;
    double density_bits; /* sum over all pictures, a value each */
    int64_t *code_uses;
    mean image_nats;
    double text_nats, text_squares[3]; /* sum; sums of x^2, x n, n^2 for the error of a ratio */
    int64_t text_tokens;
} eval_work;

/* ---- evaluation.c ---- */
void eval_tell(const eval_work *w, const char *what, int64_t done, int64_t all);
/* Has the judges look at `count` pictures of w->side; what they say of the first `kept` stays.  `judged`
 * receives CLIP's features of all, [count][width]; NULL: they are not wanted. */
bool eval_look(eval_work *w, eval_shown which, const uint8_t *pixels, int64_t count, int64_t kept,
               float *judged, error *err);

/* ---- The passes, each with its figures ---- */
bool eval_pictures(eval_work *w, error *err); /* eval_pictures.c */
bool eval_drawings(eval_work *w, error *err); /* eval_drawings.c */
bool eval_finding(eval_work *w, error *err);  /* eval_finding.c: retrieval */
bool eval_distances(eval_work *w, error *err);

#endif
