/* dataset_picks.h -- some samples of a large set: a bit for each, and counts so that the nth is found.
 * A sample that says so comes several times, side by side.  Once sealed it may be used by any number of
 * threads.
 * Names: picks_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_PICKS_H
#define DALLE_CL_DATA_DATASET_PICKS_H

#include "data/dataset_index.h"

typedef struct picks picks;

/* Nothing of so many samples.  With `repeat` a sample's entry says how often it comes; the entries are
 * borrowed. */
picks *picks_create(const index_entry *entries, int64_t samples, bool repeat, error *err);
void picks_destroy(picks *p);

void picks_put(picks *p, int64_t sample, bool in);
bool picks_has(const picks *p, int64_t sample);
/* After the last change: counts.  Gives the number of places. */
int64_t picks_seal(picks *p);

int64_t picks_at(const picks *p, int64_t place);    /* the sample */
int64_t picks_rank(const picks *p, int64_t sample); /* places before it; of the set's count: all */

#endif
