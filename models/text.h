/* text.h -- captions as the training of a captioned kind sees them: tokenizer, variants, positions, targets.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_TEXT_H
#define DALLE_CL_MODELS_TEXT_H

#include "data/caption.h"
#include "data/words.h"
#include "models/data.h"
#include "models/parts.h"
#include "models/training.h"

typedef struct text_source text_source;

typedef struct text_options {
    const train_request *request; /* borrowed until text_open is done */
    const part_files *from;       /* of the model that the run starts from; NULL: none */
    int64_t least_tokens;         /* text positions that it has */
    /* Positions that the kind itself takes of each caption's; NULL: none. */
    int64_t (*marks)(const tokenizer *t);
    /* Of a kind that reads captions in another part's tokens: that part's tokenizer, borrowed until
     * text_close, and its text positions.  NULL: the kind has one of its own. */
    const tokenizer *shared;
    int64_t shared_tokens;
    int64_t batch,
        first; /* samples; the place of the first in the whole batch, where this is a share of it */
    uint64_t seed;
} text_options;

/* The run's tokenizer and word list: those in its folder when it resumes, else the one that the request
 * names, or that of `from` with pieces added for the training captions, or a new one trained on them; a new
 * run's are written into its folder, and so is a copy of its caption templates.  A tokenizer that is shared
 * stays where it is.  Settings that depend on them are set: text_vocabulary, said where it changes, and
 * text_tokens if it is 0; with a shared tokenizer it becomes as many as that has.  The data is borrowed until
 * text_close. */
text_source *text_open(text_config *c, const text_options *o, const training_data *data, error *err);
void text_close(text_source *t);
const tokenizer *text_tokenizer(const text_source *t);

/* Says how many training captions are longer than text_tokens, which is the longest, and what would read
 * it. */
bool text_warn_cut(const text_source *t, error *err);

/* One batch's text: ids [batch][T], targets [batch][T-1] (-1 where no token is), share = 1 / targets. */
typedef struct text_batch {
    int32_t *ids, *targets;
    float share;
    int64_t counted; /* targets that are tokens */
} text_batch;
bool text_batch_create(text_batch *b, const text_source *t, error *err);
void text_batch_free(text_batch *b);

/* Fills position `at` of the batch with the sample's text: its caption, or when `step` >= 0 what
 * training draws for (seed, step, at): see data/caption.h; and BPE dropout. */
bool text_fill(const text_source *t, text_batch *b, int64_t at, const dataset_sample *s, int64_t step,
               error *err);
/* What training draws as the caption for (seed, step, at), before a tokenizer cuts it up; to be freed,
 * NULL when memory is out.  `strays` are the words for caption_stray_words, or NULL.  *without: this time it
 * is left out. */
char *text_draw_caption(const text_config *c, const caption_templates *templates, const words *strays,
                        uint64_t seed, const dataset_sample *s, int64_t at, int64_t step, bool *without);
/* The templates that the settings name; *out NULL: none. */
bool text_open_templates(const text_config *c, caption_templates **out, error *err);
/* Sets targets and share once all positions are filled. */
void text_finish(const text_source *t, text_batch *b);

/* The words of the training captions, as a new run that starts from nothing lists them. */
words *text_words(const text_config *c, caption_templates *templates, const training_data *data, error *err);

#endif
