/* test_frechet.c -- the Frechet distance against closed forms, against a square root by another way (Denman
 * and Beavers's iteration), and against pytorch-fid's and torch-fidelity's figures.
 * SPDX-License-Identifier: MIT */
#include "app/eval/frechet.h"
#include "tests/eval/rule.h"

static frechet_moments *moments_of(const float *x, int64_t count, int64_t d)
{
    frechet_moments *m;
    OK(m = frechet_moments_create(d, &rule_error));
    OK(frechet_moments_add(m, x, count, &rule_error));
    assert_int_equal(frechet_moments_count(m), count);
    return m;
}

static frechet_figures distance_of(const float *x, int64_t nx, const float *y, int64_t ny, int64_t d)
{
    frechet_moments *a = moments_of(x, nx, d), *b = moments_of(y, ny, d);
    frechet_figures f, turned;
    OK(frechet_distance(a, b, &f, &rule_error));
    OK(frechet_distance(b, a, &turned, &rule_error));
    rule_near("the distance the other way round", turned.distance, f.distance, 1e-9 * (1 + f.distance));
    frechet_moments_destroy(a);
    frechet_moments_destroy(b);
    return f;
}

/* ---- A naive reference ---- */

enum { MOST = 8 };
typedef double matrix[MOST][MOST];

static void multiply(int d, matrix a, matrix b, matrix out)
{
    for (int i = 0; i < d; ++i)
        for (int j = 0; j < d; ++j) {
            out[i][j] = 0;
            for (int k = 0; k < d; ++k) out[i][j] += a[i][k] * b[k][j];
        }
}

/* Gauss and Jordan, with pivots. */
static void invert(int d, matrix a, matrix out)
{
    matrix m;
    memcpy(m, a, sizeof m);
    memset(out, 0, sizeof(matrix));
    for (int i = 0; i < d; ++i) out[i][i] = 1;
    for (int c = 0; c < d; ++c) {
        int best = c;
        for (int i = c; i < d; ++i)
            if (fabs(m[i][c]) > fabs(m[best][c])) best = i;
        for (int j = 0; j < d; ++j) {
            double kept = m[c][j], other = out[c][j];
            m[c][j] = m[best][j], m[best][j] = kept;
            out[c][j] = out[best][j], out[best][j] = other;
        }
        const double pivot = m[c][c];
        for (int j = 0; j < d; ++j) m[c][j] /= pivot, out[c][j] /= pivot;
        for (int i = 0; i < d; ++i) {
            const double times = m[i][c];
            if (i == c) continue;
            for (int j = 0; j < d; ++j) m[i][j] -= times * m[c][j], out[i][j] -= times * out[c][j];
        }
    }
}

/* The trace of a product's root: y' = (y + 1/z) / 2, z' = (z + 1/y) / 2, from y = a b and z = 1. */
static double naive_root_trace(int d, matrix a, matrix b)
{
    matrix y, z = { { 0 } }, over_y, over_z;
    multiply(d, a, b, y);
    for (int i = 0; i < d; ++i) z[i][i] = 1;
    for (int round = 0; round < 60; ++round) {
        invert(d, y, over_y);
        invert(d, z, over_z);
        for (int i = 0; i < d; ++i)
            for (int j = 0; j < d; ++j) {
                y[i][j] = (y[i][j] + over_z[i][j]) / 2;
                z[i][j] = (z[i][j] + over_y[i][j]) / 2;
            }
    }
    double sum = 0;
    for (int i = 0; i < d; ++i) sum += y[i][i];
    return sum;
}

static void naive_moments(const float *x, int64_t n, int d, double *mean, matrix c)
{
    for (int i = 0; i < d; ++i) {
        mean[i] = 0;
        for (int64_t r = 0; r < n; ++r) mean[i] += (double)x[r * d + i] / (double)n;
    }
    for (int i = 0; i < d; ++i)
        for (int j = 0; j < d; ++j) {
            c[i][j] = 0;
            for (int64_t r = 0; r < n; ++r)
                c[i][j] +=
                    ((double)x[r * d + i] - mean[i]) * ((double)x[r * d + j] - mean[j]) / (double)(n - 1);
        }
}

static double naive_distance(const float *x, int64_t nx, const float *y, int64_t ny, int d)
{
    double mx[MOST], my[MOST];
    matrix a, b;
    naive_moments(x, nx, d, mx, a);
    naive_moments(y, ny, d, my, b);
    double sum = -2 * naive_root_trace(d, a, b);
    for (int i = 0; i < d; ++i) sum += (mx[i] - my[i]) * (mx[i] - my[i]) + a[i][i] + b[i][i];
    return sum;
}

static void test_against_naive(void **state)
{
    (void)state;
    for (int d = 1; d <= MOST; ++d) {
        float *x = rule_features("naive x", 301, d), *y = rule_features("naive y", 40, d);
        for (int64_t i = 0; i < 40 * d; ++i) y[i] = y[i] * (1 + (float)(i % d)) - 0.25f;
        const frechet_figures f = distance_of(x, 301, y, 40, d);
        rule_near("the distance", f.distance, naive_distance(x, 301, y, 40, d), 1e-10);
        rule_near("its parts", f.means + f.spread, f.distance, 1e-15);
        assert_false(f.singular);
        free(x);
        free(y);
    }
}

/* ---- Closed forms ---- */

/* 2d rows, +- s_i times the i-th axis: mean `shift`, covariance diag(2 s_i^2 / (2d - 1)). */
static void axes(int d, const float *s, float shift, float *x)
{
    for (int r = 0; r < 2 * d; ++r)
        for (int k = 0; k < d; ++k) x[r * d + k] = shift + (r / 2 == k ? (r % 2 ? -s[k] : s[k]) : 0);
}

static void test_diagonal(void **state)
{
    (void)state;
    enum { D = 7 };
    const float s[D] = { 1, 2, 3, 4, 5, 6, 7 }, t[D] = { 7, 1, 2, 3, 0.5f, 0, 2 };
    float x[2 * D * D], y[2 * D * D];
    axes(D, s, 0, x);
    axes(D, t, 0.5f, y);
    double spread = 0;
    for (int i = 0; i < D; ++i) spread += 2.0 / (2 * D - 1) * pow((double)(s[i] - t[i]), 2);
    const frechet_figures f = distance_of(x, 2 * D, y, 2 * D, D);
    rule_near("the means' part", f.means, D * 0.25, 1e-12);
    rule_near("the spreads' part", f.spread, spread, 1e-6); /* a root of what rounding leaves of 0 */
}

static void test_equal_and_shifted(void **state)
{
    (void)state;
    enum { N = 600, D = 33 };
    float *x = rule_features("equal", N, D), *y = malloc(N * D * sizeof *y);
    assert_non_null(y);
    for (int i = 0; i < N * D; ++i)
        y[i] = x[i] + 1024; /* which costs the digits of a float, not of the sums */
    rule_near("equal sets", distance_of(x, N, x, N, D).distance, 0, 1e-10);
    const frechet_figures f = distance_of(y, N, y, N, D), g = distance_of(x, N, y, N, D);
    rule_near("equal sets far away", f.distance, 0, 1e-10);
    rule_near("a shift's means", g.means / (1024.0 * 1024 * D), 1, 1e-6);
    rule_near("a shift's spread", g.spread, 0, 1e-5);
    free(x);
    free(y);
}

/* Fewer samples than dimensions, in different subspaces: what they share is a plane. */
static void test_singular(void **state)
{
    (void)state;
    enum { D = 12 };
    float x[4 * D] = { 0 }, y[6 * D] = { 0 };
    x[0 * D + 0] = x[2 * D + 1] = 3, x[1 * D + 0] = x[3 * D + 1] = -3; /* covariance 6 on axes 0 and 1 */
    y[0 * D + 1] = y[2 * D + 2] = y[4 * D + 5] = 5, y[1 * D + 1] = y[3 * D + 2] = y[5 * D + 5] = -5; /* 10 */
    const frechet_figures f = distance_of(x, 4, y, 6, D);
    assert_true(f.singular);
    rule_near("the distance", f.distance, 12 + 30 - 2 * sqrt(60.0), 1e-6);
    rule_near("equal singular sets", distance_of(y, 6, y, 6, D).distance, 0, 1e-6);
    /* One that does not vary at all. */
    float same[2 * D] = { 0 };
    rule_near("against a point", distance_of(same, 2, y, 6, D).distance, 30, 1e-9);
}

/* ---- Others' figures ---- */

static void test_published(void **state)
{
    (void)state;
    float *a = rule_features("a", 60, 16), *b = rule_features("b", 50, 16);
    frechet_figures f = distance_of(a, 60, b, 50, 16);
    rule_near("pytorch-fid's figure", f.distance, rule_figure("fid", 0), 1e-9);
    rule_near("torch-fidelity's figure", f.distance, rule_figure("fid.fidelity", 0), 1e-9);
    free(a);
    free(b);
    a = rule_features("few", 24, 64), b = rule_features("fewer", 20, 64);
    f = distance_of(a, 24, b, 20, 64);
    assert_true(f.singular);
    rule_near("pytorch-fid's figure of few", f.distance, rule_figure("fid.singular", 0), 1e-5);
    rule_near("torch-fidelity's figure of few", f.distance, rule_figure("fid.singular.fidelity", 0), 1e-5);
    free(a);
    free(b);
}

/* ---- Use and misuse ---- */

static void test_division(void **state)
{
    (void)state;
    enum { N = 700, D = 5 };
    float *x = rule_features("parts", N, D), *y = rule_features("other", N, D);
    frechet_moments *whole = moments_of(x, N, D), *parts = moments_of(x, 0, D), *other = moments_of(y, N, D);
    frechet_figures f, g;
    for (int64_t at = 0, step = 1; at < N; at += step, step = step * 2 + 1) {
        const int64_t count = N - at < step ? N - at : step;
        OK(frechet_moments_add(parts, x + at * D, count, &rule_error));
        if (at > 100) OK(frechet_distance(parts, other, &g, &rule_error)); /* which changes nothing */
    }
    OK(frechet_distance(whole, other, &f, &rule_error));
    OK(frechet_distance(parts, other, &g, &rule_error));
    assert_true(f.distance == g.distance && f.means == g.means);
    frechet_moments_destroy(whole);
    frechet_moments_destroy(parts);
    frechet_moments_destroy(other);
    free(x);
    free(y);
}

static void test_refused(void **state)
{
    (void)state;
    float x[4 * 3] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1 };
    frechet_moments *a = moments_of(x, 4, 3), *b = moments_of(x, 6, 2), *one = moments_of(x, 1, 3);
    frechet_figures f;
    REFUSED(frechet_distance(a, b, &f, &rule_error), ERROR_USAGE, "3 dimensions", "of 2");
    REFUSED(frechet_distance(a, one, &f, &rule_error), ERROR_USAGE, "at least 2", "4 and 1");
    REFUSED(frechet_distance(one, a, &f, &rule_error), ERROR_USAGE, "1 and 4");
    for (int i = 0; i < 3; ++i) {
        x[7] = i == 0 ? NAN : i == 1 ? INFINITY : -INFINITY;
        REFUSED(frechet_moments_add(a, x, 4, &rule_error), ERROR_MODEL, "number 1 of picture 6");
        assert_int_equal(frechet_moments_count(a), 4);
    }
    REFUSED(frechet_moments_create(0, &rule_error) != NULL, ERROR_USAGE, "0 dimensions");
    REFUSED(frechet_moments_create(FRECHET_DIMENSIONS_MAX + 1, &rule_error) != NULL, ERROR_USAGE, "16385");
    frechet_moments_destroy(a);
    frechet_moments_destroy(b);
    frechet_moments_destroy(one);
    frechet_moments_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_naive),     cmocka_unit_test(test_diagonal),
        cmocka_unit_test(test_equal_and_shifted), cmocka_unit_test(test_singular),
        cmocka_unit_test(test_published),         cmocka_unit_test(test_division),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
