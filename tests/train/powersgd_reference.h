/* powersgd_reference.h -- PowerSGD in double precision; columns are made orthonormal another way.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_TRAIN_POWERSGD_REFERENCE_H
#define DALLE_CL_TESTS_TRAIN_POWERSGD_REFERENCE_H

#include "tests/train/powersgd_rig.h"

typedef double errors[RANKS][COMPRESSED][COUNT];

/* Columns p [r][n] orthonormal by Gram's and Schmidt's way, twice, so that they are so in double
 * precision. */
static inline void orthonormalise(double p[RANK][COUNT], int64_t n)
{
    for (int k = 0; k < RANK; ++k) p[k][k] += 1e-6;
    for (int k = 0; k < RANK; ++k) {
        for (int j = 0; j < 2 * k; ++j) {
            double part = 0;
            for (int64_t i = 0; i < n; ++i) part += p[j % k][i] * p[k][i];
            for (int64_t i = 0; i < n; ++i) p[k][i] -= part * p[j % k][i];
        }
        double square = 0;
        for (int64_t i = 0; i < n; ++i) square += p[k][i] * p[k][i];
        for (int64_t i = 0; i < n; ++i) p[k][i] /= sqrt(square);
    }
}

/* p [r][n] = e [n, m] q [r][m]^T / ranks, added. */
static inline void project(double p[RANK][COUNT], const double *e, const float *q, int64_t n, int64_t m,
                           int ranks)
{
    for (int k = 0; k < RANK; ++k)
        for (int64_t i = 0; i < n; ++i)
            for (int64_t c = 0; c < m; ++c) p[k][i] += e[i * m + c] * (double)q[k * m + c] / ranks;
}

/* shown [n, m] = p p^T e */
static inline void show(double p[RANK][COUNT], const double *e, double *shown, int64_t n, int64_t m)
{
    memset(shown, 0, COUNT * sizeof *shown);
    for (int k = 0; k < RANK; ++k)
        for (int64_t c = 0; c < m; ++c) {
            double r = 0;
            for (int64_t i = 0; i < n; ++i) r += e[i * m + c] * p[k][i];
            for (int64_t i = 0; i < n; ++i) shown[i * m + c] += p[k][i] * r;
        }
}

static inline void reference_add(const job *j, errors e, int step)
{
    for (int r = 0; r < j->ranks; ++r)
        for (int k = 0; k < COMPRESSED; ++k)
            for (int64_t i = 0; i < count_of(k); ++i)
                for (int part = 0; part < j->parts; ++part) {
                    double g = (double)gradient_at(j, r, step, part, k, i);
                    e[r][k][i] = isfinite(g) ? e[r][k][i] + g / j->parts : 0;
                }
}

/* Gradient k that all see; errors lose their own part of it. */
static inline void reference_send(const job *j, errors e, int k, const float *q, double *gradient)
{
    const int64_t n = shape_of(k).dim[0], m = count_of(k) / n;
    double p[RANK][COUNT] = { { 0 } }, shown[COUNT];
    for (int r = 0; r < j->ranks; ++r) project(p, e[r][k], q, n, m, j->ranks);
    orthonormalise(p, n);
    memset(gradient, 0, COUNT * sizeof *gradient);
    for (int r = 0; r < j->ranks; ++r) {
        show(p, e[r][k], shown, n, m);
        for (int64_t i = 0; i < n * m; ++i) {
            gradient[i] += shown[i] / j->ranks;
            e[r][k][i] -= shown[i];
        }
    }
}

#endif
