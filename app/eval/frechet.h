/* frechet.h -- the Frechet distance of two sets of features, each taken as a normal distribution (Heusel et
 * al. 2017, arXiv 1706.08500; of Inception's 2048 features it is FID):
 *
 *     |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))
 *
 * Means and covariances (divided by n - 1) are accumulated in double precision.  The trace of the root is the
 * sum of the roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric and has those of C1 C2, by
 * LAPACK.  Nothing is added to the diagonals: eigenvalues that rounding made negative are taken as 0, so that
 * covariances without full rank (fewer samples than dimensions) are no special case.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_FRECHET_H
#define DALLE_CL_EVAL_FRECHET_H

#include "host/base/error.h"

#include <stdint.h>

typedef struct frechet_moments frechet_moments;

/* For features of so many dimensions: 1 to FRECHET_DIMENSIONS_MAX; takes 8 (dimensions^2 + 257 dimensions)
 * bytes. */
enum { FRECHET_DIMENSIONS_MAX = 16384 };
frechet_moments *frechet_moments_create(int64_t dimensions, error *err);
void frechet_moments_destroy(frechet_moments *m); /* NULL is harmless */

/* Adds `count` rows, features [count][dimensions]; how they are divided among calls changes no bit.  A value
 * that is no finite number is an error that names its row, counted from the first ever added, and its
 * dimension; then none of these rows counts. */
bool frechet_moments_add(frechet_moments *m, const float *features, int64_t count, error *err);
int64_t frechet_moments_count(const frechet_moments *m);

typedef struct frechet_figures {
    double distance; /* the formula's value, the sum of the next two; at least 0 */
    double means;    /* |m1 - m2|^2 */
    double spread;   /* trace(C1 + C2 - 2 (C1 C2)^(1/2)) */
    bool singular;   /* one of the sets has no more samples than dimensions: the figure is biased, upwards */
} frechet_figures;

/* Refused: sets of fewer than 2 samples, of other dimensions.  Takes up to 4 times a set's memory for a
 * while. */
bool frechet_distance(const frechet_moments *a, const frechet_moments *b, frechet_figures *out, error *err);

#endif
