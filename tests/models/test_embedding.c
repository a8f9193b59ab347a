/* test_embedding.c -- mixing embeddings and noise, and what a text's difference is
 * (models/unclip/embedding.h).
 * SPDX-License-Identifier: MIT */
#include "models/unclip/embedding.h"
#include "tests/data/fixtures.h"

#include <math.h>

enum { SIZE = 48 };
#define PI 3.14159265358979323846

static double length_of(const float *x)
{
    double sum = 0;
    for (int i = 0; i < SIZE; ++i) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static double between(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < SIZE; ++i) sum += (double)a[i] * (double)b[i];
    return acos(fmax(-1, fmin(1, sum / length_of(a) / length_of(b))));
}

/* Any direction, of this length. */
static void make(int number, double length, float *out)
{
    for (int i = 0; i < SIZE; ++i) out[i] = (float)sin(1.7 * i * (number + 1) + number);
    double is = length_of(out);
    for (int i = 0; i < SIZE; ++i) out[i] = (float)((double)out[i] / is * length);
}

static void assert_near(double a, double b, double most)
{
    if (!(fabs(a - b) <= most)) fail_msg("%.9g, not %.9g", a, b);
}

/* The angle grows evenly, and the length stays. */
static void test_slerp(void **state)
{
    (void)state;
    float a[SIZE], b[SIZE], out[SIZE];
    make(0, 1, a);
    make(1, 1, b);
    double all = between(a, b);
    for (int i = 0; i <= 8; ++i) {
        embedding_slerp(a, b, SIZE, i / 8.0, out);
        assert_near(length_of(out), 1, 1e-6);
        assert_near(between(a, out), all * i / 8, 1e-3);
        assert_near(between(out, b), all * (8 - i) / 8, 1e-3);
    }
    embedding_slerp(a, b, SIZE, 0, out);
    assert_memory_equal(out, a, sizeof a);
    embedding_slerp(a, b, SIZE, 1, out);
    assert_memory_equal(out, b, sizeof b);
}

/* In the plane the formula is known: 90 degrees, a third of the way. */
static void test_slerp_known(void **state)
{
    (void)state;
    const float x[2] = { 1, 0 }, y[2] = { 0, 1 };
    float out[2];
    embedding_slerp(x, y, 2, 1.0 / 3, out);
    assert_near((double)out[0], cos(PI / 6), 1e-7);
    assert_near((double)out[1], sin(PI / 6), 1e-7);
}

static void test_no_circle(void **state)
{
    (void)state;
    float a[SIZE], b[SIZE], out[SIZE];
    make(2, 1, a);
    embedding_slerp(a, a, SIZE, 0.4, out);
    for (int i = 0; i < SIZE; ++i) assert_near((double)out[i], (double)a[i], 1e-6);
    for (int i = 0; i < SIZE; ++i) b[i] = -a[i];
    for (int i = 0; i <= 10; ++i) {
        embedding_slerp(a, b, SIZE, i / 10.0, out);
        assert_near(length_of(out), 1, 1e-6);
        if (i != 5) assert_near(between(out, i < 5 ? a : b), 0, 1e-3);
    }
}

/* Noise of two lengths: its direction goes as an embedding's, its length evenly. */
static void test_between(void **state)
{
    (void)state;
    float a[SIZE], b[SIZE], out[SIZE], zero[SIZE] = { 0 };
    make(3, 5, a);
    make(4, 9, b);
    double all = between(a, b);
    for (int i = 0; i <= 4; ++i) {
        embedding_between(a, b, SIZE, i / 4.0, out);
        assert_near(length_of(out), 5 + i, 1e-4);
        assert_near(between(a, out), all * i / 4, 1e-3);
    }
    embedding_between(a, b, SIZE, 1, out);
    assert_memory_equal(out, b, sizeof b);
    embedding_between(a, zero, SIZE, 0.5, out);
    assert_near(length_of(out), 2.5, 1e-5);
    embedding_between(a, out, SIZE, 0.5, b); /* of the same direction */
    assert_near(length_of(b), 3.75, 1e-5);
}

static void test_norm(void **state)
{
    (void)state;
    float a[SIZE], b[SIZE], out[SIZE], zero[SIZE] = { 0 };
    make(5, 0.003, a);
    memcpy(b, a, sizeof a);
    assert_true(embedding_norm(a, SIZE));
    assert_near(length_of(a), 1, 1e-6);
    assert_near(between(a, b), 0, 1e-3);
    assert_false(embedding_norm(zero, SIZE));
    zero[3] = NAN;
    assert_false(embedding_norm(zero, SIZE));
    zero[3] = INFINITY;
    assert_false(embedding_norm(zero, SIZE));

    make(6, 1, a);
    make(7, 1, b);
    assert_true(embedding_difference(a, b, SIZE, out));
    assert_near(length_of(out), 1, 1e-6);
    double scale = ((double)b[1] - (double)a[1]) / (double)out[1];
    for (int i = 0; i < SIZE; ++i) assert_near((double)out[i] * scale, (double)b[i] - (double)a[i], 1e-6);
    assert_false(embedding_difference(a, a, SIZE, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slerp),   cmocka_unit_test(test_slerp_known), cmocka_unit_test(test_no_circle),
        cmocka_unit_test(test_between), cmocka_unit_test(test_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
