/* rotate.h -- the checkpoints that a run keeps: checkpoint.safetensors is the newest, those before it are
 * checkpoint-000500.safetensors, by their step, and beside them stands best.safetensors.
 *
 * The order of a save, so that a loss of power at any instant leaves a whole checkpoint and the metrics that
 * belong to it, whatever the disk kept of what was not flushed:
 *   1. metrics.jsonl is flushed: a checkpoint never knows more than the metrics.
 *   2. The newest gets its step's name too, as a link; without this name only one of those before is missing.
 *   3. The new one is written under a temporary name, flushed, renamed to be the newest, and the folder is
 *      flushed (file.h).  Until the rename is on the disk the newest is the one before.
 *   4. Those that are too many go.  Any of them that comes back is too many at the next save.
 * Where files cannot have two names (FAT), 2 takes the newest's name away, and until 3 is done the newest is
 * found by its step.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_ROTATE_H
#define DALLE_CL_TRAIN_ROTATE_H

#include "host/train/run.h"

/* The run's checkpoints, those to resume from first; to be freed. */
typedef struct rotate_list {
    int count;
    char **paths;
} rotate_list;
bool rotate_find(const run *r, rotate_list *out, error *err);
void rotate_free(rotate_list *list);

/* The first that is whole, to be freed; of those before it, and why not, a warning says.  *newest: whether it
 * is checkpoint.safetensors.  None, or one that cannot even be looked at, is an error. */
char *rotate_choose(const run *r, bool *newest, error *err);

/* Step 2, of the newest, which is of step `step`. */
bool rotate_keep(const run *r, int64_t step, error *err);
/* Step 4: of those with a step's name stay the last `keep` - 1 up to step `before`, that of the checkpoint
 * before the newest; later ones are damaged, or of a course that was left. */
bool rotate_prune(const run *r, int64_t before, int64_t keep, error *err);

#endif
