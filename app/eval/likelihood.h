/* likelihood.h -- how likely a prior finds captions and the tokens of their pictures: -ln of each one's
 * probability given all before it, without dropout, from the parameters that drawing uses.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_LIKELIHOOD_H
#define DALLE_CL_EVAL_LIKELIHOOD_H

#include "models/prior/prior_part.h"

typedef struct likelihood likelihood;

/* Over the part's parameters, `batch` pairs at a time; the part must outlive it. */
likelihood *likelihood_create(const prior_part *p, int64_t batch, error *err);
void likelihood_destroy(likelihood *l); /* NULL is harmless */

/* Of one pair.  The first text token is given, and padding is not predicted: a text of n tokens, cut to the
 * positions, is n - 1 predictions. */
typedef struct likelihood_pair {
    double text, image;  /* nats of all of them */
    int64_t text_tokens; /* predicted */
} likelihood_pair;
/* text [count][T] (-1: none), image [count][N], count at most a batch. */
bool likelihood_run(likelihood *l, const int32_t *text, const int32_t *image, int64_t count,
                    likelihood_pair *out, error *err);

#endif
