/* householder.c -- orthonormal rows against the same reflections in double precision.
 * reals: the factor, the shift.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#include <math.h>
#include <stdlib.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_householder(in[0], (float)c->reals[0], (float)c->reals[1]);
}

/* y loses twice its part along v. */
static void reflect(const double *v, int64_t n, double *y)
{
    double square = 0, product = 0;
    for (int64_t i = 0; i < n; ++i) {
        square += v[i] * v[i];
        product += v[i] * y[i];
    }
    for (int64_t i = 0; i < n && square != 0; ++i) y[i] -= 2 * product / square * v[i];
}

/* Rows of a become the reflections' vectors; q gets what they make of the unit vectors. */
static void orthonormal(double *a, int64_t r, int64_t n, double *q)
{
    for (int64_t j = 0; j < r; ++j) {
        double *v = a + j * n, norm = 0;
        for (int64_t i = 0; i < n; ++i) norm += i < j ? 0 : v[i] * v[i];
        for (int64_t i = 0; i < j; ++i) v[i] = 0;
        v[j] += v[j] < 0 ? -sqrt(norm) : sqrt(norm);
        for (int64_t k = j + 1; k < r; ++k) reflect(v, n, a + k * n);
    }
    for (int64_t k = 0; k < r; ++k) {
        q[k * n + k] = 1;
        for (int64_t j = k; j >= 0; --j) reflect(a + j * n, n, q + k * n);
    }
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const int64_t n = in[0].last, r = in[0].dim[in[0].rank - 2];
    double *a = malloc((size_t)(r * n) * sizeof *a), *q = malloc((size_t)(r * n) * sizeof *q);
    if (!a || !q) abort();
    for (int64_t first = 0; first < in[0].rows; first += r) {
        if (first + r <= out[0].from || first >= out[0].to) continue;
        for (int64_t i = 0; i < r * n; ++i)
            a[i] = c->reals[0] * in[0].v[first * n + i] + (i % n == i / n ? c->reals[1] : 0);
        for (int64_t i = 0; i < r * n; ++i) q[i] = 0;
        orthonormal(a, r, n, q);
        for (int64_t k = 0; k < r; ++k) {
            if (first + k < out[0].from || first + k >= out[0].to) continue;
            for (int64_t i = 0; i < n; ++i) out[0].v[(first + k) * n + i] = q[k * n + i];
        }
    }
    free(q);
    free(a);
}

/* The first row is zero: its reflection is none, and its row the first unit vector. */
static const double gap[] = { 0, 0, 0, 0, 1, 2, 0, -2 };

#define IN(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .role = OP_FIXED \
    }
static const op_case cases[] = {
    { .name = "odd", .in = { IN(2, 5, 37) }, .reals = { 1, 1e-6 } },
    { .name = "several", .in = { IN(3, 3, 4, 21) }, .reals = { 0.25, 1e-6 } },
    { .name = "more axes", .in = { IN(4, 2, 2, 3, 16) }, .reals = { 1, 0 } },
    { .name = "one row", .in = { IN(2, 1, 19) }, .reals = { 1, 0 } },
    { .name = "one number", .in = { IN(2, 1, 1) }, .reals = { -1, 0 } },
    { .name = "square", .in = { IN(2, 17, 17) }, .reals = { 1, 3 }, .tol = 1e-4 },
    { .name = "long", .in = { IN(2, 24, 1031) }, .reals = { 1, 1e-6 }, .large = true },
    { .name = "a large shift", .in = { IN(2, 6, 40) }, .reals = { 1e-3, 10 } },
    { .name = "a row of zeros", .in = { { 2, { 2, 4 }, OP_FIXED, .values = gap } }, .reals = { 1, 0 } },
    { .name = "too many rows",
      .in = { IN(2, 5, 4) },
      .reals = { 1, 0 },
      .fails = "no more rows than columns" },
    { .name = "a vector", .in = { IN(1, 5) }, .reals = { 1, 0 }, .fails = "householder: F32 [5]" },
    { .name = "integers", .in = { { 2, { 2, 4 }, OP_INTEGER, 0, 1 } }, .fails = "householder: I32" },
};

static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(3, size);
    c->in[0].role = OP_FIXED;
    c->reals[0] = 1;
    c->reals[1] = 1e-6;
}

static const op_timed timed[] = {
    { "householder", "MATRICESxROWSxCOLUMNS", "8x48x768", make },
    { 0 },
};

const op_test householder_tests[] = {
    { "householder", build, reference, OP_CASES(cases), timed },
    { 0 },
};
