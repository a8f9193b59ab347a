/* dvae_part.h -- a trained dVAE, opened from a model or a run: models/parts.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DVAE_DVAE_PART_H
#define DALLE_CL_MODELS_DVAE_DVAE_PART_H

#include "models/dvae/codec.h"
#include "models/parts.h"

typedef struct dvae_part {
    dvae_config config;
    store *store;
    dvae_codec *codec;
    char hash[65]; /* SHA-256 of the file of its parameters */
    checkpoint_metadata metadata;
} dvae_part;
dvae_part *dvae_part_open(device *d, const char *folder, codec_parts parts, int64_t batch, error *err);
void dvae_part_close(dvae_part *p);

#endif
