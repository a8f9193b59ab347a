/* start.h -- where a prior starts: image embeddings that know which codes look alike, or another prior.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_START_H
#define DALLE_CL_MODELS_PRIOR_START_H

#include "models/dvae/dvae_part.h"
#include "models/prior/prior.h"

/* Writes image_embedding and, if it is there, image_logits.weight of `prior`: each row is the code's
 * vector in the dVAE, standardised, times one random matrix, of deviation 0.05, plus a little noise. */
bool prior_start_from_codebook(store *prior, const prior_config *c, const dvae_part *dvae, error *err);

/* The text positions of the prior in `files`. */
bool prior_start_positions(const part_files *files, int64_t *positions, error *err);
/* Starts from the prior in `files`, whose sizes but for those of its text are the store's.  A vocabulary or a
 * text longer than its own keeps its rows: those of new pieces start as the mean of the old pieces that they
 * are made of, those of new positions as the last old one.  Where there are new pieces logits start smaller.
 * `grown` is the run's tokenizer, of which the model's is the beginning. */
bool prior_start_from_model(store *prior, const prior_shape *shape, const part_files *files,
                            const tokenizer *grown, error *err);

#endif
