/* dataset_inside.h -- what the files behind dataset.h share.
 * Names: dataset_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_INSIDE_H
#define DALLE_CL_DATA_DATASET_INSIDE_H

#include "data/dataset_pair.h"
#include "data/dataset_picks.h"
#include "data/dataset_shard.h"

struct dataset {
    arena *memory;
    const char **paths; /* of the sources, with their options */
    const char **names; /* and without */
    int source_count;
    files *files;    /* those sources that are tars */
    int *groups;     /* of each source; NULL: all are one */
    double *weights; /* of each group */
    int group_count;

    pair_item *items; /* of a set that is held in memory */
    const char **left_out;
    image_reading reading; /* has the set's own profiles */

    dataset_index *index; /* of a large set, else NULL */
    shards shards;

    int64_t count, left_out_count, left_out_total;
};

/* The first of the samples of source `i`, or, of their number, the count: sources come one after another. */
int64_t dataset_source_begin(const dataset *d, int i);
/* dataset_select for a large set; `out` has its seed. */
void dataset_name_splits_large(const dataset *d, char *text, size_t size);
bool dataset_select_large(const dataset *d, const char *split, double holdout, bool want_heldout,
                          dataset_selection *out, error *err);
/* What both say; false. */
bool dataset_no_split(const char *split, const char *names, error *err);
bool dataset_none_left(double holdout, int64_t count, error *err);

#endif
