/* drawer.h -- the graphs of drawing.  A reader runs a caption, or a few that pictures take in turn, and the
 * tokens that they are to start with, for any number of pictures; a drawer makes the tokens of so many
 * pictures at once.  The caches and tokens between their graphs are theirs and go with them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_DRAWER_H
#define DALLE_CL_MODELS_PRIOR_DRAWER_H

#include "models/prior/prior.h"

/* Whose pictures are drawn; it outlives readers and drawers. */
typedef struct drawer_model {
    store *store; /* of the parameters */
    prior_config config;
    prior_shape shape;
    bool averages; /* the averaged ones are used */
} drawer_model;

/* Leaves the keys and values of every layer for the caption and the given tokens, and the logits of the token
 * that comes next, in its memory. */
typedef struct drawer_reader {
    int64_t texts;    /* picture b reads number b mod texts */
    int64_t each;     /* with guidance 2: the caption, and the empty one */
    int64_t captions; /* texts x each */
    int64_t given;    /* image tokens behind each; fewer than a picture has */
    graph *graph;
    tensor *text;        /* I32 [captions,T] */
    tensor *image;       /* I32 [captions,given]; NULL: none are given */
    store_entry *logits; /* [captions,1,1,K] */
    store *memory;
} drawer_reader;

/* Where a step is, as op_next_place has it: position in the stream of the token that it is fed, number of
 * the token that it makes, row and column of the former. */
enum { AT_STREAM, AT_IMAGE, AT_ROW, AT_COLUMN, AT_COUNT };

/* `rows` of the caches are used, two a picture with guidance: row 2b is given its caption, row 2b+1 the
 * empty one. */
typedef struct drawer {
    const drawer_model *model;
    const drawer_reader *reader;
    int64_t batch, rows; /* rows = each x batch */
    graph *first, *step; /* what draws the first token from what the reader left; any later one */
    tensor *which;       /* first: I32 [rows], the caption that a row reads */
    tensor *first_random, *first_settings, *first_at;
    tensor *random, *settings, *logits; /* step; logits [rows,K] */
    store_entry *history, *entropies, *token,
        *place; /* I32 [N,batch], F32 [N,batch], I32 [rows], I32 [AT_COUNT] */
    store *memory;
} drawer;

/* Gives the parameters their memory, and nothing else. */
bool drawer_declare(const drawer_model *m, error *err);
drawer_reader *drawer_reader_create(const drawer_model *m, int64_t texts, int64_t each, int64_t given,
                                    error *err);
void drawer_reader_destroy(drawer_reader *r);
/* The reader, whose texts divide the batch, is borrowed until the drawer is destroyed. */
drawer *drawer_create(const drawer_model *m, const drawer_reader *r, int64_t batch, error *err);
void drawer_destroy(drawer *d);

#endif
