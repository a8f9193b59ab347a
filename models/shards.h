/* shards.h -- a set packed into shards, with its pictures brought to a size or turned into a trained part's
 * tokens on the way.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_SHARDS_H
#define DALLE_CL_MODELS_SHARDS_H

#include "data/augment.h"
#include "data/dataset.h"
#include "data/shard_writer.h"
#include <signal.h>

typedef struct shards_options {
    shard_options shards; /* but `sealed` and `context` */
    int64_t side; /* larger pictures are brought to this shorter side, as PNG; 0: files stay as they are */
    /* The folder of a trained part that makes tokens of pictures, and how: copy c of a picture is cut as
     * training cuts it in epoch c with this seed; of AUGMENT_NONE, every second copy is flipped where
     * flips are on.  NULL: no tokens. */
    const char *tokens;
    int64_t copies;
    augment_mode augment;
    augment_flip flip;
    uint64_t seed;
    int threads;
    const volatile sig_atomic_t *interrupted;
    void (*tell)(void *context, int64_t done, int64_t all);
    void *context;
} shards_options;

typedef struct shards_report {
    int64_t samples, shards;
    int64_t unreadable; /* pictures that were left out, each with a warning up to a few */
    int64_t tokens;     /* of each copy; 0: none */
} shards_report;

/* The device that `selector` names (NULL: the default) is opened for tokens only. */
bool shards_pack(const dataset *d, const shards_options *o, const char *selector, shards_report *out,
                 error *err);

#endif
