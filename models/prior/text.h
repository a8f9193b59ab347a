/* text.h -- captions as a prior's training sees them: tokenizer, variants, positions, targets.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_TEXT_H
#define DALLE_CL_MODELS_PRIOR_TEXT_H

#include "models/data.h"
#include "models/parts.h"
#include "models/prior/prior.h"

typedef struct prior_text prior_text;

/* The run's tokenizer and word list: those in its folder when it resumes, else the one that the request names, or that
 * of `from` (NULL: none) with pieces added for the training captions, or a new one trained on them; a new run's are
 * written into its folder, and so is a copy of its caption templates.  Settings that depend on them are set: text_vocabulary, said where it changes, and
 * text_tokens if it is 0. */
prior_text *prior_text_open(prior_config *c, const train_request *r, const part_files *from,
                            const training_data *data, error *err);
void prior_text_close(prior_text *t);
const tokenizer *prior_text_tokenizer(const prior_text *t);

/* Says how many training captions are longer than text_tokens, which is the longest, and what would read it. */
bool prior_text_warn_cut(const prior_text *t, error *err);

/* One batch's text: ids [batch][T], targets [batch][T-1] (-1 where no token is), share = 1 / targets. */
typedef struct text_batch {
    int32_t *ids, *targets;
    float share;
} text_batch;
bool text_batch_create(text_batch *b, const prior_config *c, error *err);
void text_batch_free(text_batch *b);

/* Fills position `at` of the batch with sample `index`'s text: its caption, or when `step` >= 0 what
 * training draws for (seed, step, at): see data/caption.h; and BPE dropout. */
bool prior_text_fill(prior_text *t, text_batch *b, int64_t at, int64_t index, int64_t step, error *err);
/* Sets targets and share once all positions are filled. */
void prior_text_finish(const prior_text *t, text_batch *b);

#endif
