/* share.h -- what rank 0 of a job knows, or some rank does, becomes what all know.  Without a comm nothing is
 * done.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_SHARE_H
#define DALLE_CL_TRAIN_SHARE_H

#include "host/comm/comm.h"
#include "host/graph/store.h"

/* Every value that a checkpoint would hold. */
bool share_store(comm *c, store *s, error *err);
/* The same before a checkpoint: what ranks have kept each of its own is shared out first (powersgd.h). */
bool share_saved(comm *c, store *s, error *err);
/* *text is rank 0's, and replaced on the others; to be freed, also on failure. */
bool share_text(comm *c, char **text, error *err);
/* Each flag becomes whether any rank has it. */
bool share_any(comm *c, bool *flags, int count, error *err);
/* Rank 0's numbers. */
bool share_numbers(comm *c, int64_t *numbers, int count, error *err);
/* What rank 0 says first (`mine` is NULL or "" where a rank has nothing to say) is everyone's: false, with
 * it as a usage error, if any rank says something. */
bool share_complaint(comm *c, const char *mine, error *err);

#endif
