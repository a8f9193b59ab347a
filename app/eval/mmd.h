/* mmd.h -- the squared maximum mean discrepancy (Gretton et al. 2012) of two sets of features, a [na][d] and
 * b [nb][d]:
 *
 *     unbiased = sum_{i!=j} k(a_i, a_j) / (na (na-1)) + sum_{i!=j} k(b_i, b_j) / (nb (nb-1))
 *                - 2 sum k(a_i, b_j) / (na nb)
 *     biased   = the same with i = j, divided by na^2 and nb^2
 *
 * The unbiased estimate may be below 0.  All in double precision.  Two kernels are in use:
 *   Gaussian    exp(-|x - y|^2 / (2 sigma^2)); CMMD (arXiv 2401.09603) is 1000 times this, with sigma 10,
 *               of CLIP's embeddings of length 1 (its published program takes the biased estimate)
 *   polynomial  (x.y / d + 1)^3; KID (arXiv 1801.01401) is this of Inception's features
 * Errors: fewer than 2 rows (ERROR_USAGE), a value that is no finite number (which set, row and dimension),
 * memory.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_MMD_H
#define DALLE_CL_EVAL_MMD_H

#include "host/base/error.h"

#include <stdint.h>

#define MMD_CMMD_SIGMA 10.0
#define MMD_CMMD_SCALE 1000.0

typedef struct mmd_sets {
    const float *a, *b; /* borrowed */
    int64_t na, nb, d;
} mmd_sets;

typedef struct mmd_figures {
    double unbiased, biased;
} mmd_figures;

bool mmd_gaussian(const mmd_sets *sets, double sigma, mmd_figures *out, error *err);
bool mmd_polynomial(const mmd_sets *sets, mmd_figures *out, error *err);

/* KID as torch-fidelity reports it: the mean and deviation (divided by the count) of the unbiased estimate
 * over `count` random subsets, in each of which `size` rows are drawn from either set without replacement, by
 * the draws that NumPy's RandomState(seed) makes.  `size` above na or nb is refused. */
typedef struct mmd_subsets {
    int64_t count, size;                                    /* 100 and 1000 in torch-fidelity */
    uint32_t seed;                                          /* 2020 there */
    void (*tell)(void *context, int64_t done, int64_t all); /* after each; may be NULL */
    void *context;
} mmd_subsets;
#define MMD_SUBSETS_USUAL ((mmd_subsets){ .count = 100, .size = 1000, .seed = 2020 })
bool mmd_kid(const mmd_sets *sets, const mmd_subsets *subsets, double *mean, double *deviation, error *err);

#endif
