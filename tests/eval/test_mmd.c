/* test_mmd.c -- the mean discrepancy against its definition in plain loops, and against torch-fidelity's
 * figures.
 * SPDX-License-Identifier: MIT */
#include "app/eval/mmd.h"
#include "tests/eval/rule.h"

static double naive_kernel(const float *x, const float *y, int64_t d, double sigma)
{
    double inner = 0, apart = 0;
    for (int64_t k = 0; k < d; ++k) {
        inner += (double)x[k] * (double)y[k];
        apart += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
    }
    return sigma > 0 ? exp(-apart / (2 * sigma * sigma)) : pow(inner / (double)d + 1, 3);
}

/* A Gaussian kernel, or with sigma 0 the polynomial one. */
static mmd_figures naive(const mmd_sets *s, double sigma)
{
    double aa = 0, bb = 0, ab = 0, a = 0, b = 0;
    for (int64_t i = 0; i < s->na; ++i)
        for (int64_t j = 0; j < s->na; ++j)
            *(i == j ? &a : &aa) += naive_kernel(s->a + i * s->d, s->a + j * s->d, s->d, sigma);
    for (int64_t i = 0; i < s->nb; ++i)
        for (int64_t j = 0; j < s->nb; ++j)
            *(i == j ? &b : &bb) += naive_kernel(s->b + i * s->d, s->b + j * s->d, s->d, sigma);
    for (int64_t i = 0; i < s->na; ++i)
        for (int64_t j = 0; j < s->nb; ++j) ab += naive_kernel(s->a + i * s->d, s->b + j * s->d, s->d, sigma);
    const double na = (double)s->na, nb = (double)s->nb;
    return (mmd_figures){ aa / (na * (na - 1)) + bb / (nb * (nb - 1)) - 2 * ab / (na * nb),
                          (aa + a) / (na * na) + (bb + b) / (nb * nb) - 2 * ab / (na * nb) };
}

static void check(const mmd_sets *s)
{
    mmd_figures f;
    static const double sigmas[] = { 0.5, MMD_CMMD_SIGMA };
    for (int i = 0; i < 2; ++i) {
        const mmd_figures expected = naive(s, sigmas[i]);
        OK(mmd_gaussian(s, sigmas[i], &f, &rule_error));
        rule_near("the Gaussian kernel's", f.unbiased, expected.unbiased, 1e-12);
        rule_near("the Gaussian kernel's, biased", f.biased, expected.biased, 1e-12);
    }
    const mmd_figures expected = naive(s, 0);
    OK(mmd_polynomial(s, &f, &rule_error));
    rule_near("the polynomial's", f.unbiased, expected.unbiased, 1e-11);
    rule_near("the polynomial's, biased", f.biased, expected.biased, 1e-11);
}

/* Blocks are of 128 rows, runs of 256 numbers. */
static void test_against_naive(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = { { 2, 2, 1 },    { 3, 2, 5 },      { 127, 128, 3 }, { 129, 260, 7 },
                                        { 300, 20, 2 }, { 130, 40, 256 }, { 20, 40, 257 }, { 5, 9, 600 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        const int64_t na = sizes[i][0], nb = sizes[i][1], d = sizes[i][2];
        float *a = rule_features("mmd a", na, d), *b = rule_features("mmd b", nb, d);
        for (int64_t k = 0; k < nb * d; ++k) b[k] = b[k] * 0.5f + 0.25f;
        check(&(mmd_sets){ a, b, na, nb, d });
        free(a);
        free(b);
    }
}

static void test_equal(void **state)
{
    (void)state;
    float *a = rule_features("equal", 200, 9);
    mmd_figures f;
    OK(mmd_gaussian(&(mmd_sets){ a, a, 200, 200, 9 }, 1, &f, &rule_error));
    rule_near("biased, of equal sets", f.biased, 0, 1e-14);
    assert_true(f.unbiased < 0); /* the pairs of a row with itself count once */
    free(a);
}

static void test_published(void **state)
{
    (void)state;
    float *a = rule_features("a", 60, 16), *b = rule_features("b", 50, 16);
    const mmd_sets sets = { a, b, 60, 50, 16 }, alike = { a, b, 50, 50, 16 };
    double mean, deviation;
    mmd_figures f;
    OK(mmd_kid(&sets, &(mmd_subsets){ .count = 7, .size = 30, .seed = 2020 }, &mean, &deviation,
               &rule_error));
    rule_near("torch-fidelity's KID", mean, rule_figure("kid", 0), 1e-12);
    rule_near("its deviation", deviation, rule_figure("kid", 1), 1e-12);
    OK(mmd_polynomial(&alike, &f, &rule_error));
    rule_near("torch-fidelity's KID of all", f.unbiased, rule_figure("polynomial", 0), 1e-12);
    OK(mmd_gaussian(&alike, MMD_CMMD_SIGMA, &f, &rule_error));
    rule_near("torch-fidelity's with a Gaussian", f.unbiased, rule_figure("gaussian", 0), 1e-12);
    free(a);
    free(b);
}

static void test_refused(void **state)
{
    (void)state;
    float *a = rule_features("a", 10, 4), *b = rule_features("b", 8, 4);
    mmd_sets s = { a, b, 10, 8, 4 };
    mmd_figures f;
    double mean, deviation;
    REFUSED(mmd_kid(&s, &(mmd_subsets){ .count = 5, .size = 9, .seed = 1 }, &mean, &deviation, &rule_error),
            ERROR_USAGE, "subsets of 9", "10 and 8", "from 2 to 8");
    REFUSED(mmd_kid(&s, &(mmd_subsets){ .count = 5, .size = 1, .seed = 1 }, &mean, &deviation, &rule_error),
            ERROR_USAGE, "subsets of 1");
    OK(mmd_kid(&s, &(mmd_subsets){ .count = 5, .size = 8, .seed = 1 }, &mean, &deviation, &rule_error));
    s.nb = 1;
    REFUSED(mmd_gaussian(&s, 1, &f, &rule_error), ERROR_USAGE, "at least 2", "10 and 1");
    REFUSED(mmd_polynomial(&s, &f, &rule_error), ERROR_USAGE, "at least 2");
    REFUSED(mmd_kid(&s, &MMD_SUBSETS_USUAL, &mean, &deviation, &rule_error), ERROR_USAGE, "at least 2");
    s.nb = 8;
    a[7] = NAN;
    REFUSED(mmd_gaussian(&s, 1, &f, &rule_error), ERROR_MODEL, "first set", "number 3 of picture 1");
    a[7] = 0, b[31] = INFINITY;
    REFUSED(mmd_polynomial(&s, &f, &rule_error), ERROR_MODEL, "second set", "number 3 of picture 7");
    REFUSED(mmd_kid(&s, &(mmd_subsets){ .count = 5, .size = 8, .seed = 1 }, &mean, &deviation, &rule_error),
            ERROR_MODEL, "second set");
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_naive),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
