/* embedding.h -- a collection's pictures, decoded by threads, embedded in batches, given on one by one in
 * order.  What is held at a time is a batch, however many there are.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_EMBEDDING_H
#define DALLE_CL_CLI_EMBEDDING_H

#include "app/api/dalle.h"
#include "app/cli/collection.h"

typedef struct embedding_pass {
    dalle_model *model;
    const collection *pictures;
    /* `embedding` is NULL for a picture that cannot be read, which is counted, and the first ones named. */
    bool (*take)(void *context, int64_t index, const float *embedding, error *err);
    void *context;
    int64_t unread; /* so far */
    double began;   /* of the first of its runs; 0: none yet */
} embedding_pass;

/* Those from `first` up to `end`.  Interrupted it fails with ERROR_INTERRUPTED. */
bool embedding_run(embedding_pass *p, int64_t first, int64_t end, error *err);
/* Says how many could not be read; that none could is an error. */
bool embedding_end(const embedding_pass *p, error *err);

/* Texts' embeddings [count][clip_dimensions], to be freed; texts that are cut are said, the first ones. */
float *embedding_texts(dalle_model *model, const char *const *texts, int count, error *err);
/* Says what of a text is cut.  True if it is. */
bool embedding_warn_cut(const dalle_model *model, const char *text);
/* For dalle.h's progress: false once the command is interrupted. */
bool embedding_go_on(void *context, int64_t done, int64_t total);

#endif
