/* test_trainer.c -- what the training of every kind shares: step sizes, and state that survives a
 * restart, that of checkpoints written before among it.
 * SPDX-License-Identifier: MIT */
#include "models/trainer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const training_config settings = { .steps = 110 };

static trainer open_trainer(const schedule_config *pace)
{
    trainer t;
    trainer_init(&t, NULL, &settings, pace);
    if (!pace) return t;
    t.plateau = (schedule_plateau){ .threshold = 0.01, .patience = 2, .most = 5 };
    schedule_plateau_start(&t.plateau);
    return t;
}

static void rates(void **state)
{
    (void)state;
    schedule_config pace = { .learning_rate = 0.5, .warmup = 10, .schedule = training_schedule_constant };
    trainer t = open_trainer(&pace);
    assert_true(trainer_rate(&t, 0) == 0.5 * 0.1);
    assert_true(trainer_rate(&t, 9) == 0.5 && trainer_rate(&t, 109) == 0.5);
    pace.schedule = training_schedule_cosine;
    assert_true(trainer_rate(&t, 0) == 0.5 * 0.1 && trainer_rate(&t, 10) == 0.5);
    assert_true(fabs(trainer_rate(&t, 60) - 0.25) < 1e-12 && trainer_rate(&t, 110) == 0.0);
    pace.schedule = training_schedule_plateau;
    for (int i = 0; i < 3; ++i) trainer_observe(&t, 1.0);
    assert_true(trainer_rate(&t, 0) == 0.5 * 0.1 * 0.5 && trainer_rate(&t, 60) == 0.25);
}

static bool load(trainer *t, const char *text, error *err)
{
    json_t *state = json_loads(text, 0, NULL);
    assert_non_null(state);
    bool ok = trainer_load(t, state, err);
    json_decref(state);
    return ok;
}

static void restarts(void **state)
{
    (void)state;
    const schedule_config pace = { .learning_rate = 1, .schedule = training_schedule_plateau };
    trainer a = open_trainer(&pace), b = open_trainer(&pace);
    error err;
    for (int round = 0; round < 4; ++round) { /* nothing observed yet; then a figure that never falls */
        json_t *saved = trainer_save(&a);
        assert_true(trainer_load(&b, saved, &err));
        json_decref(saved);
        assert_true(b.plateau.best == a.plateau.best && b.plateau.waited == a.plateau.waited);
        assert_true(trainer_rate(&a, 50) == trainer_rate(&b, 50));
        trainer_observe(&a, 3.0);
    }
    assert_true(trainer_rate(&b, 50) == 0.5);
}

static void checkpoints_written_before(void **state)
{
    (void)state;
    const schedule_config pace = { .learning_rate = 1, .schedule = training_schedule_plateau };
    trainer t = open_trainer(&pace);
    error err;
    assert_true(load(&t, "{\"factor\":0.25,\"best\":2.5,\"waited\":1,\"halvings\":2,\"dvae\":\"x\"}", &err));
    assert_true(t.plateau.best == 2.5 && t.plateau.waited == 1 && trainer_rate(&t, 50) == 0.25);
    assert_true(load(&t, "{\"factor\":1.0,\"best\":1e300,\"waited\":0,\"halvings\":0}", &err));
    assert_true(isinf(t.plateau.best) && trainer_rate(&t, 50) == 1.0);
    assert_false(load(&t, "{\"best\":2.5}", &err));
    assert_int_equal(err.code, ERROR_FORMAT);
}

/* A kind with a course of its own has no plateau to save. */
static void own_course(void **state)
{
    (void)state;
    trainer t = open_trainer(NULL);
    error err;
    json_t *saved = trainer_save(&t);
    assert_int_equal(json_object_size(saved), 0);
    assert_true(trainer_load(&t, saved, &err));
    trainer_observe(&t, 1.0);
    json_decref(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(restarts),
        cmocka_unit_test(checkpoints_written_before),
        cmocka_unit_test(own_course),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
