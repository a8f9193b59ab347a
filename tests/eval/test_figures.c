/* test_figures.c -- the figures of eval against naive references in double precision.
 * SPDX-License-Identifier: MIT */
#include "app/eval/best_of.h"
#include "app/eval/figures.h"
#include "app/eval/mean.h"
#include "app/eval/pixel_bits.h"
#include "app/eval/quality.h"
#include "app/eval/recall.h"
#include "host/base/philox.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const philox draw = { 7, 0, 99 };

static void close_to(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance)) fail_msg("%.12g, wanted %.12g", value, wanted);
}

/* ---- PSNR and SSIM ---- */

enum { SIDE = 23 };

static void fill(uint8_t *picture, int64_t side, uint32_t from, int smooth)
{
    for (int64_t i = 0; i < side * side * 3; ++i) {
        uint32_t noise = philox_below(&draw, from + (uint32_t)i, 256 / (uint32_t)smooth);
        picture[i] = (uint8_t)(noise + (smooth > 1 ? (uint32_t)(i / 3 % side) * 4 : 0));
    }
}

/* The formula, window by window: means, variances and covariance as sums over 121 weighted pixels. */
static double naive_ssim(const uint8_t *a, const uint8_t *b, int64_t side)
{
    double weights[11][11], all = 0, total = 0;
    for (int y = 0; y < 11; ++y)
        for (int x = 0; x < 11; ++x)
            all += weights[y][x] = exp(-((y - 5) * (y - 5) + (x - 5) * (x - 5)) / (2 * 1.5 * 1.5));
    int64_t windows = 0;
    for (int64_t c = 0; c < 3; ++c)
        for (int64_t top = 0; top + 11 <= side; ++top)
            for (int64_t left = 0; left + 11 <= side; ++left, ++windows) {
                double ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
                for (int pass = 0; pass < 2; ++pass)
                    for (int y = 0; y < 11; ++y)
                        for (int x = 0; x < 11; ++x) {
                            int64_t at = 3 * ((top + y) * side + left + x) + c;
                            double w = weights[y][x] / all;
                            if (!pass) {
                                ma += w * a[at];
                                mb += w * b[at];
                            } else {
                                va += w * (a[at] - ma) * (a[at] - ma);
                                vb += w * (b[at] - mb) * (b[at] - mb);
                                cov += w * (a[at] - ma) * (b[at] - mb);
                            }
                        }
                double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
                total += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            }
    return total / (double)windows;
}

static void test_ssim(void **state)
{
    (void)state;
    static uint8_t a[SIDE * SIDE * 3], b[SIDE * SIDE * 3];
    static const int64_t sides[] = { 11, 12, SIDE };
    for (int i = 0; i < 3; ++i)
        for (int smooth = 1; smooth <= 16; smooth *= 16) {
            fill(a, sides[i], 0, smooth);
            fill(b, sides[i], 5000, smooth);
            close_to(quality_ssim(a, b, sides[i]), naive_ssim(a, b, sides[i]), 1e-9);
            close_to(quality_ssim(a, a, sides[i]), 1, 1e-12);
        }
    memset(a, 0, sizeof a);
    memset(b, 255, sizeof b); /* flat pictures: the constants alone decide */
    close_to(quality_ssim(a, b, SIDE), 6.5025 / (255.0 * 255.0 + 6.5025), 1e-12);
    assert_true(isnan(quality_ssim(a, b, 10)));
}

static void test_psnr(void **state)
{
    (void)state;
    uint8_t a[12 * 12 * 3], b[12 * 12 * 3];
    fill(a, 12, 0, 1);
    memcpy(b, a, sizeof b);
    quality q = { 0 };
    assert_true(quality_add(&q, a, b, 12));
    assert_true(q.equal == 1 && q.psnr.count == 0 && q.ssim.count == 1);
    for (size_t i = 0; i < sizeof b; ++i) b[i] = (uint8_t)(a[i] ^ 1);
    assert_true(quality_add(&q, a, b, 12)); /* every value is off by one */
    close_to(q.psnr.value, 48.1308036086791, 1e-9);
    close_to(q.squared_error.value, 0.5, 1e-12);
    assert_true(quality_add(&q, a, b, 8));
    assert_int_equal(q.ssim.count, 2); /* the third is too small for one */
}

/* ---- Means ---- */

static void test_mean(void **state)
{
    (void)state;
    mean m = { 0 };
    assert_true(isnan(mean_error(&m)));
    for (int i = 1; i <= 5; ++i) mean_add(&m, 1e9 + i); /* squares would lose the difference */
    close_to(m.value, 1e9 + 3, 1e-6);
    close_to(mean_error(&m), sqrt(2.5 / 5), 1e-9);
}

/* ---- The best of N ---- */

/* Over all subsets, one after another. */
static double naive_best(const double *scores, int drawn, int n)
{
    double sum = 0;
    int subsets = 0;
    for (unsigned set = 0; set < 1u << drawn; ++set) {
        double best = -INFINITY;
        int count = 0;
        for (int i = 0; i < drawn; ++i)
            if (set >> i & 1) {
                ++count;
                best = fmax(best, scores[i]);
            }
        if (count != n) continue;
        sum += best;
        ++subsets;
    }
    return sum / subsets;
}

static void test_best_of(void **state)
{
    (void)state;
    double scores[9] = { 0.3, -0.2, 0.3, 0.9, 0.1, 0.5, -0.7, 0.25, 0.4 }, sorted[9];
    for (int drawn = 1; drawn <= 9; ++drawn) {
        memcpy(sorted, scores, sizeof scores);
        best_of_sort(sorted, drawn);
        for (int n = 1; n <= drawn; ++n)
            close_to(best_of_expected(sorted, drawn, n), naive_best(scores, drawn, n), 1e-12);
        assert_true(isnan(best_of_expected(sorted, drawn, drawn + 1)));
    }
    assert_true(isnan(best_of_expected(sorted, 9, 0)));
    static double many[512];
    for (int i = 0; i < 512; ++i) many[i] = i;
    close_to(best_of_expected(many, 512, 512), 511, 1e-9);
    close_to(best_of_expected(many, 512, 256), 256 * 513.0 / 257 - 1,
             1e-8); /* of 1..M: N (M + 1) / (N + 1) */
}

/* ---- Retrieval ---- */

static void test_recall_chance(void **state)
{
    (void)state;
    close_to(recall_chance(0, 0, 1), 1, 0);
    close_to(recall_chance(1, 0, 1), 0, 0);
    close_to(recall_chance(0, 3, 1), 0.25, 1e-15);
    close_to(recall_chance(3, 3, 5), 0.5, 1e-15);
    close_to(recall_chance(3, 1, 5), 1, 0);
    close_to(recall_chance(9, 100, 5), 0, 0);
}

static void test_recall(void **state)
{
    (void)state;
    enum { N = 40, WIDTH = 13 };
    float texts[N][WIDTH], pictures[N][WIDTH];
    int64_t own[N], label[N];
    mean found[RECALL_CUTS] = { 0 }, lost[RECALL_CUTS] = { 0 };
    for (int i = 0; i < N; ++i) {
        own[i] = N - 1 - i;
        label[i] = i;
        for (int k = 0; k < WIDTH; ++k)
            texts[i][k] = pictures[N - 1 - i][k] =
                (float)philox_below(&draw, (uint32_t)(i * WIDTH + k), 100) - 50;
        double length = 0;
        for (int k = 0; k < WIDTH; ++k) length += (double)texts[i][k] * texts[i][k];
        for (int k = 0; k < WIDTH; ++k)
            texts[i][k] = pictures[N - 1 - i][k] = texts[i][k] / (float)sqrt(length);
    }
    int64_t mirrored[N];
    for (int i = 0; i < N; ++i) mirrored[N - 1 - i] = i;
    recall_side asked = { &texts[0][0], label, N }, all = { &pictures[0][0], mirrored, N };
    recall_of(&asked, own, &all, WIDTH, found);
    close_to(found[0].value, 1, 0);
    assert_int_equal(found[0].count, N);
    /* Features that tell nothing find by chance. */
    memset(pictures, 0, sizeof pictures);
    recall_of(&asked, own, &all, WIDTH, lost);
    for (int k = 0; k < RECALL_CUTS; ++k) close_to(lost[k].value, recall_cuts[k] / (double)N, 1e-12);
    /* Another picture with the same caption stands in nobody's way. */
    int64_t same[N] = { 0 };
    mean alone[RECALL_CUTS] = { 0 };
    asked.label = all.label = same;
    recall_of(&asked, own, &all, WIDTH, alone);
    close_to(alone[0].value, 1, 0);
}

/* ---- Bits ---- */

static void test_bits_sum_to_one(void **state)
{
    (void)state;
    static const double epsilons[] = { 0.1, 0.0001, 0.4 }, means[] = { 0, -1.3, 2.2, 40, -40 },
                        scales[] = { 0, -3, 2, -20, 6 };
    for (int e = 0; e < 3; ++e) {
        pixel_bits t = pixel_bits_tables(epsilons[e]);
        for (int m = 0; m < 5; ++m)
            for (int s = 0; s < 5; ++s) {
                double sum = 0;
                for (int v = 0; v < 256; ++v)
                    sum += exp2(-pixel_bits_of(&t, (uint8_t)v, means[m], scales[s]));
                close_to(sum, 1, 1e-9);
            }
    }
}

/* Far more steps than a byte has: the density's integral. */
static void test_bits_are_the_integral(void **state)
{
    (void)state;
    enum { STEPS = 20000 };
    pixel_bits t = pixel_bits_tables(0.1);
    static const int values[] = { 1, 100, 254 };
    for (int i = 0; i < 3; ++i) {
        double mass = 0, mu = 0.4, b = 0.7, x0 = 0.1 + (values[i] - 0.5) * t.step;
        for (int k = 0; k < STEPS; ++k) {
            double x = x0 + (k + 0.5) * t.step / STEPS;
            mass += exp(-fabs(log(x / (1 - x)) - mu) / b) / (2 * b * x * (1 - x)) * t.step / STEPS;
        }
        close_to(pixel_bits_of(&t, (uint8_t)values[i], mu, log(b)), -log2(mass), 1e-6);
        close_to(pixel_bits_density(&t, (uint8_t)values[i], mu, log(b)), -log2(mass), 1e-3); /* wide: alike */
    }
    /* Narrow: the density promises less than nothing, the mass does not. */
    assert_true(pixel_bits_density(&t, 100, t.middle[100], -9) < 0);
    double narrow = pixel_bits_of(&t, 100, t.middle[100], -9);
    assert_true(narrow >= 0 && narrow < 1e-3);
    close_to(pixel_bits_of(&t, 200, t.middle[100], -20),
             (t.upper[199] - t.middle[100]) * exp(20) / log(2) + 1, 1e-2);
    float stats[6] = { 0.4f, 0.1f, -0.2f, -0.3f, 0.5f, 0.1f };
    uint8_t bytes[3] = { 3, 128, 255 };
    double bits = 0, density = 0, wanted = 0;
    pixel_bits_sum(&t, stats, bytes, 1, &bits, &density);
    for (int c = 0; c < 3; ++c) wanted += pixel_bits_of(&t, bytes[c], (double)stats[c], (double)stats[3 + c]);
    close_to(bits, wanted, 1e-12);
}

static void test_bits_geometric(void **state)
{
    (void)state;
    static const double parts[] = { 0.01, 0.3, 0.9 };
    for (int i = 0; i < 3; ++i) {
        double t = parts[i], sum = 0, absolute = 0, entropy = 0;
        for (int k = -4000; k <= 4000; ++k) {
            double p = (1 - t) / (1 + t) * pow(t, abs(k));
            sum += p;
            absolute += p * abs(k);
            if (p > 0) entropy -= p * log2(p);
        }
        close_to(sum, 1, 1e-9);
        close_to(pixel_bits_geometric(absolute, absolute), entropy, 1e-8); /* its entropy, by its own t */
        assert_true(pixel_bits_geometric(absolute, 1.1 * absolute) > entropy);
        assert_true(pixel_bits_geometric(absolute, 0.9 * absolute) > entropy);
    }
    close_to(pixel_bits_geometric(0, 0), 0, 0);
    assert_true(isinf(pixel_bits_geometric(1, 0)));
}

/* ---- The list ---- */

static void test_figures(void **state)
{
    (void)state;
    figures f = { .count = 0 };
    mean m = { 0 };
    mean_add(&m, 1);
    mean_add(&m, 3);
    figures_unit(figures_add_mean(&f, "a", "b", "the b", 2, &m, "things"), "of %d", 7);
    figures_add(&f, "a", "c", "the c", 2, 5, 1, "things");
    figures_note(&f, "%d notes", 1);
    const figure *found = figures_find(&f, "a", "b");
    assert_non_null(found);
    close_to(found->error, 1, 1e-12);
    assert_string_equal(found->unit, "of 7");
    assert_true(isnan(figures_find(&f, "a", "c")->error));
    assert_null(figures_find(&f, "c", "a"));
    assert_string_equal(f.notes[0], "1 notes");
    figures_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssim),
        cmocka_unit_test(test_psnr),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_best_of),
        cmocka_unit_test(test_recall_chance),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_bits_sum_to_one),
        cmocka_unit_test(test_bits_are_the_integral),
        cmocka_unit_test(test_bits_geometric),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
