/* pca.h -- principal components of a set of vectors: the products of the covariance on the device, its
 * eigenvectors by LAPACK.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_PCA_H
#define DALLE_CL_MODELS_AR_PRIOR_PCA_H

#include "host/device/device.h"

enum { PCA_SIZE_MOST = 8192 }; /* whose covariance takes half a gigabyte */

/* Of x [count][size], at least 2: mean [size]; the first `keep` components [keep][size], each of length 1, the
 * one of the largest variance first, its largest number positive; `variances` [size] (may be NULL): of all,
 * descending. */
bool pca_fit(device *d, const float *x, int64_t count, int64_t size, int64_t keep, float *mean,
             float *components, double *variances, error *err);
/* The first `keep` components' coordinates of x [size], and back. */
void pca_project(const float *mean, const float *components, int64_t size, int64_t keep, const float *x,
                 float *out);
void pca_restore(const float *mean, const float *components, int64_t size, int64_t keep, const float *x,
                 float *out);

#endif
