/* split.h -- parameters that the ranks of a group have among them: of each matrix, and of what has more
 * axes, a rank's store holds one piece, and so of what belongs to the parameter.  Entries then have the
 * piece's sizes.  Vectors every rank has whole. Of the axes the first and the last can be split: of a matrix
 * of the first axis by all others the first if it is not the smaller and can be divided, or else the last
 * (host/train/scale.h: scale_shard_of).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_GRAPH_SPLIT_H
#define DALLE_CL_GRAPH_SPLIT_H

#include "host/graph/graph.h"

typedef struct split {
    int count, place; /* ranks that have a piece each; which of them is the store's */
    void *self;
    /* Appends what makes the whole of x, a parameter's piece, or a cast of it. */
    tensor *(*whole)(void *self, tensor *x, int axis);
    /* After a graph's run has failed, and before a graph goes: waits for what its nodes have begun. */
    void (*settle)(void *self);
    void (*close)(void *self); /* when the store is destroyed */
} split;

/* Before anything is declared.  Parameters are then declared as wholes, with the whole's sizes; one that
 * cannot be divided is refused. */
void store_set_split(store *s, const split *how);
const split *store_split(const store *s); /* NULL: entries are whole */

/* The axis that it is split along; -1: it is whole. */
int split_axis(const store_entry *e);
/* The whole's sizes, and its elements; of an entry that is whole its own. */
void split_sizes(const store *s, const store_entry *e, int64_t dim[TENSOR_RANK_MAX]);
int64_t split_count(const store *s, const store_entry *e);
/* How many of the whole's elements before `index` belong to the piece at `place`; of these lie one behind
 * the other those of one row, of split_run elements. */
int64_t split_before(const store *s, const store_entry *e, int place, int64_t index);
int64_t split_run(const store_entry *e);
/* Where the piece's element `local` is in the whole. */
int64_t split_index(const store *s, const store_entry *e, int64_t local);
/* How many of the piece's `count` elements from `local` on follow one another in the whole, too. */
int64_t split_stretch(const store_entry *e, int64_t local, int64_t count);
/* Writes what belongs to the piece of the whole's elements first .. first + count - 1. */
bool split_write_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values, error *err);

/* Whether parameters of these names, which follow one another in a model, are gathered together: those of one
 * block, whose names agree up to the first word with a digit ("block12.attention.query.weight"). */
bool split_together(const char *a, const char *b);

/* For layers: the whole of a parameter, or of a cast of one, of which the store may hold a piece, made by a
 * node that stands here; anything else as it is. */
tensor *split_whole(tensor *x);

#endif
