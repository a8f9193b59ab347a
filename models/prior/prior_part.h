/* prior_part.h -- a trained prior with its tokenizer, opened from a model or a run: models/parts.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_PRIOR_PART_H
#define DALLE_CL_MODELS_PRIOR_PRIOR_PART_H

#include "models/parts.h"
#include "models/prior/prior.h"

typedef struct prior_part {
    prior_config config;
    prior_shape shape;
    store *store;
    prior_sampler *sampler; /* builds its graphs when they are first needed, or prepared */
    tokenizer *tokenizer;
    words *words; /* of the training captions; NULL if the folder has no list */
    checkpoint_metadata metadata;
} prior_part;
prior_part *prior_part_open(device *d, const char *folder, const prior_shape *shape, error *err);
void prior_part_close(prior_part *p);
/* Makes the sampler draw `batch` pictures at once, building graphs if they are not kept. */
bool prior_part_prepare(prior_part *p, int64_t batch, error *err);
/* A caption as [text_tokens] ids with -1 behind its end; too long is cut, *cut says by how many tokens. */
bool prior_part_tokens(const prior_part *p, const char *caption, int32_t *ids, int *cut, error *err);

/* The words of a caption that the positions have no room for, from the one that the cut falls into, as the
 * tokenizer spells them; *lost is NULL if all are read, else to be freed. */
bool prior_part_lost(const prior_part *p, const char *caption, char **lost, error *err);

#endif
