/* pieces.h -- parameters split among the ranks of a group (host/graph/split.h): groups of neighbours each
 * hold the model once, and a rank's piece is also in every other group, with the rank of the same place.  A
 * whole is gathered by nodes where a layer uses it, and the gradient's mean over the group goes to those
 * whose pieces it is made of (gather.h).  Between steps rank 0 reads and writes wholes, for which the others
 * of its group stand by.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_PIECES_H
#define DALLE_CL_TRAIN_PIECES_H

#include "host/comm/comm.h"
#include "host/graph/split.h"

/* Before anything is declared: the store of each rank of c becomes that of a piece, in groups of `count`
 * ranks, which divides theirs.  Of 1: nothing is done.  `c` outlives the store. */
bool pieces_open(store *s, comm *c, int count, error *err);

/* The ranks that an entry's whole is among; NULL: this one alone. */
comm *pieces_group(const store *s);
/* Those that have the same values of it at the same place, which is all for an entry that is whole; NULL:
 * this one alone. */
comm *pieces_alike(const store *s, const store_entry *e, comm *all);
comm *pieces_across(const store *s, comm *all); /* of entries that are split, where any are */

/* ---- Wholes, between steps ---- */

/* Elements first .. first + count - 1 of an entry's whole, of its type, or as float; of an entry that is
 * whole as store_read_part does.  On rank 0, while the others of its group are in pieces_serve, from which
 * they return when they are dismissed.  Other ranks, and those of stores without pieces, return at once. */
bool pieces_read(store *s, const store_entry *e, int64_t first, int64_t count, void *values, error *err);
bool pieces_read_f32(store *s, const store_entry *e, int64_t first, int64_t count, float *values, error *err);
bool pieces_write(store *s, store_entry *e, int64_t first, int64_t count, const void *values, error *err);
bool pieces_write_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values,
                      error *err);
/* The same for all that a model in use needs: into parameters of `to`, which are whole, those of `from` of
 * the same names, or, if wanted, their averages. */
bool pieces_copy(store *from, bool averages, store *to, error *err);
bool pieces_serve(store *s, const comm *all, error *err);
bool pieces_dismiss(store *s, error *err);
/* Whether this rank is in rank 0's group, and not rank 0. */
bool pieces_serves(const store *s, const comm *all);

#endif
