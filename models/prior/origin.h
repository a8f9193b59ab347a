/* origin.h -- which dVAE a prior learned the tokens of.  Another's tokens, of the same number, mean something
 * else.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_ORIGIN_H
#define DALLE_CL_MODELS_PRIOR_ORIGIN_H

#include "models/dvae/dvae_part.h"
#include "models/prior/prior_part.h"

/* The key under which a packed prior's metadata, and a run's state, hold the fingerprint of its dVAE. */
#define ORIGIN_KEY "dvae"

typedef struct origin {
    char hex[65];  /* of the dVAE's parameters, by checkpoint_fingerprint; empty: nothing says which it was */
    char file[65]; /* hash of the file that its parameters were read from; empty likewise */
    char *name;    /* the folder that it was then found in, or NULL; to be freed */
} origin;

/* Of the prior opened from `folder`: what was recorded when it was trained or packed, or, where that was
 * before fingerprints, what can be found out from the dVAE itself if it is still there. */
bool origin_of(device *d, const prior_part *prior, const char *folder, origin *out, error *err);
void origin_free(origin *o);

/* Refuses a prior that learned another dVAE's tokens, or of which that cannot be said; names both. */
bool origin_check(device *d, const dvae_part *dvae, const char *dvae_folder, const prior_part *prior,
                  const char *prior_folder, error *err);

#endif
