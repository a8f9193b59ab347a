/* test_schedule.c -- schedules at their ends and in between, plateaus, and their way through JSON.
 * SPDX-License-Identifier: MIT */
#include "host/train/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void near(double a, double b)
{
    assert_true(fabs(a - b) <= 1e-12 * fmax(1.0, fabs(b)));
}

static void test_cosine(void **state)
{
    (void)state;
    near(schedule_cosine(1.0, 0.0625, 100, 0), 1.0);
    near(schedule_cosine(1.0, 0.0625, 100, 50), (1.0 + 0.0625) / 2);
    near(schedule_cosine(1.0, 0.0625, 100, 100), 0.0625);
    near(schedule_cosine(1.0, 0.0625, 100, 1000), 0.0625);
    near(schedule_cosine(0.0, 6.6, 0, 0), 6.6);
    near(schedule_cosine(2.0, 3.0, 10, -1), 2.0);
    double before = 1.0;
    for (int64_t step = 1; step <= 100; ++step) {
        double now = schedule_cosine(1.0, 0.0, 100, step);
        assert_true(now < before);
        before = now;
    }
}

static void test_warmup(void **state)
{
    (void)state;
    near(schedule_warmup(4, 0), 0.25);
    near(schedule_warmup(4, 2), 0.75);
    near(schedule_warmup(4, 3), 1.0);
    near(schedule_warmup(4, 99), 1.0);
    near(schedule_warmup(0, 0), 1.0);
}

static void test_plateau(void **state)
{
    (void)state;
    schedule_plateau p = { .threshold = 0.01, .patience = 2, .most = 2 };
    schedule_plateau_start(&p);
    near(schedule_plateau_observe(&p, 10.0), 1.0);
    near(schedule_plateau_observe(&p, 9.95), 1.0); /* better by less than the threshold */
    near(schedule_plateau_observe(&p, 9.95), 0.5);
    near(schedule_plateau_observe(&p, 5.0), 0.5); /* better: what was halved stays so */
    near(schedule_plateau_observe(&p, NAN), 0.5);
    near(schedule_plateau_observe(&p, 5.0), 0.25);
    for (int i = 0; i < 10; ++i) near(schedule_plateau_observe(&p, 6.0), 0.25); /* `most` is reached */
}

static void test_plateau_of_negative_figures(void **state)
{
    (void)state;
    schedule_plateau p = { .threshold = 0.1, .patience = 1, .most = 5 };
    schedule_plateau_start(&p);
    near(schedule_plateau_observe(&p, -10.0), 1.0);
    near(schedule_plateau_observe(&p, -12.0), 1.0);
    near(schedule_plateau_observe(&p, -12.5), 0.5);
}

static void test_plateau_through_json(void **state)
{
    (void)state;
    schedule_plateau p = { .threshold = 0.01, .patience = 3, .most = 5 }, q = p;
    error err;
    for (int observed = 0; observed < 6; ++observed) {
        if (observed == 0) schedule_plateau_start(&p);
        schedule_plateau_start(&q);
        json_t *saved = schedule_plateau_save(&p);
        char *text = json_dumps(saved, JSON_REAL_PRECISION(17));
        json_t *read = json_loads(text, 0, NULL);
        assert_true(schedule_plateau_load(&q, read, &err));
        assert_true(p.best == q.best && p.waited == q.waited && p.halvings == q.halvings);
        json_decref(read);
        json_decref(saved);
        free(text);
        schedule_plateau_observe(&p, 1.0 / 3.0 + 0.001 * observed);
    }
    json_t *wrong = json_pack("{s:f}", "best", 1.0);
    assert_false(schedule_plateau_load(&q, wrong, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    json_decref(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_warmup),
        cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_plateau_of_negative_figures),
        cmocka_unit_test(test_plateau_through_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
