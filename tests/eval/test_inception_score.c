/* test_inception_score.c -- the Inception score where it is known, and torch-fidelity's; and NumPy's random
 * orders, by which that shuffles.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception_score.h"
#include "app/eval/mersenne.h"
#include "tests/eval/rule.h"

static double score_of(const float *logits, int64_t count, int64_t classes, int64_t splits, double *deviation)
{
    const inception_score_settings s = { .splits = splits };
    double mean;
    OK(inception_score(logits, count, classes, &s, &mean, deviation, &rule_error));
    return mean;
}

static void test_known(void **state)
{
    (void)state;
    enum { N = 40, C = 8 };
    float logits[N * C];
    double deviation;
    for (int i = 0; i < N * C; ++i) logits[i] = (float)(i % C); /* all alike */
    rule_near("the score of pictures all alike", score_of(logits, N, C, 10, &deviation), 1, 1e-14);
    rule_near("its deviation", deviation, 0, 1e-14);
    /* Each certain, classes in turn: as many as there are; with logits that a plain exp would overflow at. */
    for (int i = 0; i < N * C; ++i) logits[i] = i / C % C == i % C ? 3000 : -3000;
    rule_near("the score of all classes", score_of(logits, N, C, 5, &deviation), C, 1e-12);
    rule_near("the score of all classes in one part", score_of(logits, N, C, 1, &deviation), C, 1e-12);
    rule_near("its deviation", deviation, 0, 0);
    rule_near("the score of half of the classes", score_of(logits, N, C, 10, &deviation), 4, 1e-12);
    rule_near("the score of single pictures", score_of(logits, N, C, N, &deviation), 1, 1e-12);
}

static void test_published(void **state)
{
    (void)state;
    enum { N = 103, C = 7 };
    float logits[N * C];
    for (int i = 0; i < N * C; ++i) logits[i] = rule_uniform("logits", i) * 6;
    double mean, deviation;
    OK(inception_score(logits, N, C, &INCEPTION_SCORE_USUAL, &mean, &deviation, &rule_error));
    rule_near("torch-fidelity's score", mean, rule_figure("score", 0), 1e-12);
    rule_near("its deviation", deviation, rule_figure("score", 1), 1e-12);
    rule_near("torch-fidelity's unshuffled score", score_of(logits, N, C, 10, &deviation),
              rule_figure("score.plain", 0), 1e-12);
    rule_near("its deviation", deviation, rule_figure("score.plain", 1), 1e-12);
    assert_true(fabs(mean - rule_figure("score.plain", 0)) > 1e-4); /* the orders do differ */
}

static void test_refused(void **state)
{
    (void)state;
    float logits[12] = { 0 };
    double mean, deviation;
    const inception_score_settings s = { .splits = 3 };
    REFUSED(inception_score(logits, 2, 4, &s, &mean, &deviation, &rule_error), ERROR_USAGE, "3 parts", "2");
    REFUSED(inception_score(logits, 0, 4, &s, &mean, &deviation, &rule_error), ERROR_USAGE, "there are 0");
    logits[9] = NAN;
    REFUSED(inception_score(logits, 3, 4, &s, &mean, &deviation, &rule_error), ERROR_MODEL, "logits",
            "number 1 of picture 2");
}

/* The generator's authors' and NumPy's values. */
static void test_orders(void **state)
{
    (void)state;
    mersenne m;
    mersenne_seed(&m, 5489);
    assert_true(mersenne_bits(&m) == 3499211612u);
    for (int i = 2; i < 10000; ++i) mersenne_bits(&m);
    assert_true(mersenne_bits(&m) == 4123659995u);
    int64_t order[700];
    mersenne_seed(&m, 2020);
    mersenne_permutation(&m, 700, order);
    safetensors *file = rule_golden();
    const char *text = safetensors_metadata(file, "permutation");
    assert_non_null(text);
    char ours[100];
    snprintf(ours, sizeof ours, "%d, %d, %d, %d, %d", (int)order[0], (int)order[1], (int)order[2],
             (int)order[3], (int)order[4]);
    assert_string_equal(ours, text);
    safetensors_close(file);
    mersenne_permutation(&m, 1, order);
    assert_int_equal(order[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
