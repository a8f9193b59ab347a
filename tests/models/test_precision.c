/* test_precision.c -- every kind's training step in 16 bits: figures beside those of 32, memory by plan and
 * in fact, and the prior with a gradient scale a residual block, where one for all lets deep blocks
 * underflow.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"
#include "models/prior/prior_step.h"
#include "models/request.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { STEPS = 8 };

static error err;
static device *hardware;

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

/* A step of the kind with its smallest preset, or another, and settings over it. */
static workload *open(const model_kind *k, const char *preset, const char *const *sets, int count)
{
    train_request r = { .preset = preset, .seed = -1, .sets = sets, .set_count = count };
    int64_t given[KIND_GIVEN] = { 0 };
    void *config = calloc(1, k->settings->size);
    assert_non_null(config);
    MUST(request_config(&r, k->settings, config, &err));
    if (k->fit) k->fit(config, 500);
    for (int i = 0; k->given && k->given[i].name; ++i) given[i] = atoll(k->given[i].value);
    workload *w = k->step(hardware, config, given, &err);
    if (!w) fail_msg("%s: %s", k->name, err.message);
    free(config);
    return w;
}

static void train(const model_kind *k, const char *const *sets, int count, float loss[STEPS])
{
    workload *w = open(k, "tiny", sets, count);
    MUST(workload_ready(w, &err));
    for (int i = 0; i < STEPS; ++i) MUST(workload_loss(w, &loss[i], &err));
    workload_destroy(w);
}

/* 16 bits change a loss by no more than their rounding does, and it falls. */
static void compare(const model_kind *k, const char *precision, const char *half, const char *further,
                    double tolerance)
{
    float exact[STEPS], got[STEPS];
    const char *sets[] = { "precision=f32", half, "loss_scale=64", further }; /* no step is skipped */
    const int count = further ? 4 : 3;
    bool differs = false;
    train(k, sets, count, exact);
    sets[0] = precision;
    train(k, sets, count, got);
    for (int i = 0; i < STEPS; ++i) {
        double off = fabs((double)got[i] - (double)exact[i]) / fabs((double)exact[i]);
        if (!(off <= tolerance))
            fail_msg("%s, %s, %s, %s: loss %g in step %d, %g in f32", k->name, precision, half,
                     further ? further : "tiny", (double)got[i], i, (double)exact[i]);
        differs |= off > 0;
    }
    assert_true(differs); /* else nothing was stored in 16 bits */
    assert_true(got[STEPS - 1] < got[0]);
}

/* The others are made of the same layers: that their types fit is enough. */
static void test_losses(void **state)
{
    (void)state;
    const char *const sets[] = { "precision=mixed" };
    for (int i = 0; model_kinds[i]; ++i) {
        workload_size size;
        workload *w = model_kinds[i]->step ? open(model_kinds[i], "tiny", sets, 1) : NULL;
        if (w) MUST(workload_plan(w, &size, &err));
        workload_destroy(w);
    }
    compare(kinds_find("dvae"), "precision=mixed", "half=f16", "quantiser=gumbel", 0.01);
    compare(kinds_find("clip"), "precision=mixed", "half=f16", NULL, 0.01);
    compare(kinds_find("decoder"), "precision=mixed", "half=f16", NULL, 0.01);
}

static void test_prior(void **state)
{
    (void)state;
    const model_kind *k = kinds_find("prior");
    compare(k, "precision=mixed", "half=f16", NULL, 0.01);
    compare(k, "precision=mixed", "half=f16", "accumulate=2", 0.01);
    compare(k, "precision=paper", "half=f16", "recompute=yes", 0.01);
}

/* What is planned of activations, without the weights' gradients, in whose place there are half gradients and
 * half weights. */
static double activations(const model_kind *k, const char *preset, const char *precision, const char *further)
{
    const char *sets[] = { precision, "recompute=no", "batch=4", further };
    workload_size size;
    workload *w = open(k, preset, sets, further ? 4 : 3);
    MUST(workload_plan(w, &size, &err));
    double parameters = 4 * (double)size.parameters;
    workload_destroy(w);
    return (double)size.work_bytes - parameters;
}

static void test_plan(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *preset, *further;
    } trials[] = { { "dvae", "emoji", NULL },
                   { "clip", "emoji", NULL },
                   { "decoder", "emoji", NULL },
                   { "prior", "paper", "layers=4" } };
    for (size_t i = 0; i < sizeof trials / sizeof *trials; ++i) {
        const model_kind *k = kinds_find(trials[i].kind);
        assert_non_null(k);
        double whole = activations(k, trials[i].preset, "precision=f32", trials[i].further),
               half = activations(k, trials[i].preset, "precision=mixed", trials[i].further);
        if (!(half < 0.6 * whole)) fail_msg("%s: %.0f bytes, %.0f in f32", trials[i].kind, half, whole);
    }
}

/* The device's memory is what the plan says. */
static void test_memory(void **state)
{
    (void)state;
    const model_kind *k = kinds_find("decoder");
    int64_t taken[2];
    for (int i = 0; i < 2; ++i) {
        const char *sets[] = { i ? "precision=mixed" : "precision=f32", "batch=32" };
        int64_t before = device_allocated_bytes(hardware);
        workload_size size;
        workload *w = open(k, "tiny", sets, 2);
        MUST(workload_plan(w, &size, &err));
        MUST(workload_ready(w, &err));
        taken[i] = device_allocated_bytes(hardware) - before;
        int64_t planned = size.parameter_bytes + size.moment_bytes + size.ema_bytes + size.state_bytes +
                          size.input_bytes + size.work_bytes;
        assert_true(taken[i] >= planned && taken[i] <= planned + planned / 4 + (1 << 20));
        workload_destroy(w);
    }
    assert_true((double)taken[1] < 0.7 * (double)taken[0]);
}

static int open_device(void **state)
{
    (void)state;
    hardware = device_or_skip();
    return 0;
}

static int close_device(void **state)
{
    (void)state;
    device_close(hardware);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prior),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
