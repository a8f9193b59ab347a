/* dataset_paths.h -- the sources that a data set's paths name: braces, patterns, folders of shards, weights.
 *   shards/{000..099}.tar, {a,b}.tar    numbers, also backwards and with a step ({0..8..2}), and lists
 *   "shards/00*.tar"                    as a shell has it: *, ?, [a-z]
 *   shards                              a folder without pictures that holds tars: these, in order of name
 *   mine.tar@2.5                        a weight: training's share of its samples, where others have 1
 *   mine.tar?picture=a.jpg              options, which stay behind every path: dataset_options.h
 * The weight stands behind the options.  A file or folder that has the whole name is taken as it is.  Of
 * several paths what img2dataset writes beside a shard, NAME.parquet and NAME_stats.json, is passed over.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_PATHS_H
#define DALLE_CL_DATA_DATASET_PATHS_H

#include "data/dataset.h"

#define DATASET_PATHS_MOST        100000
#define DATASET_PATHS_MOST_WEIGHT 1e6

/* Each given path is a group of sources, which has a weight. */
typedef struct dataset_paths {
    char **path;     /* of a source, with its options */
    int *group;      /* which group it is of; those of a group stand one after another */
    double *weight;  /* of a group */
    int count, room; /* sources */
    int group_count;
    bool weighted; /* a weight was given */
} dataset_paths;

/* Each of `given` is one path, or several, one a line.  Paths of which nothing is there are errors only where
 * a pattern finds nothing; opening finds the others. */
bool dataset_paths_expand(const char *const *given, int count, dataset_paths *out, error *err);
void dataset_paths_free(dataset_paths *p);
/* Whether every source is there: an error names the first that is not. */
bool dataset_paths_check(const char *const *given, int count, error *err);

/* dataset_open on what the paths name, for what has no use for weights, which it then says. */
dataset *dataset_paths_open(const char *const *given, int count, bool need_captions, error *err);

/* One path or several, one a line, so that they mean the same in another working directory; to be freed.
 * NULL when memory is out. */
char *dataset_paths_absolute(const char *given);

#endif
