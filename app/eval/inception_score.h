/* inception_score.h -- the Inception score (Salimans et al. 2016, arXiv 1606.03498) of a classifier's logits:
 *
 *     exp(mean over the pictures of KL(p(y|x) || mean p(y)))
 *
 * of each of `splits` parts of the set by itself; the figure is the parts' mean, and their deviation (divided
 * by the number of parts) stands beside it.  In double precision; it is torch-fidelity's figure for the same
 * logits.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_INCEPTION_SCORE_H
#define DALLE_CL_EVAL_INCEPTION_SCORE_H

#include "host/base/error.h"

#include <stdint.h>

/* With `shuffle` pictures are first put into the order of NumPy's RandomState(seed).permutation(count), as
 * torch-fidelity does (seed 2020).  Part i then holds those from i count / splits to (i + 1) count / splits -
 * 1. */
typedef struct inception_score_settings {
    int64_t splits; /* 10 is usual */
    bool shuffle;
    uint32_t seed;
} inception_score_settings;
#define INCEPTION_SCORE_USUAL ((inception_score_settings){ .splits = 10, .shuffle = true, .seed = 2020 })

/* logits [count][classes], of Inception without its last layer's bias, as inception.h gives them.  Refused:
 * fewer pictures than parts, a value that is no finite number (which row and class). */
bool inception_score(const float *logits, int64_t count, int64_t classes,
                     const inception_score_settings *settings, double *mean, double *deviation, error *err);

#endif
