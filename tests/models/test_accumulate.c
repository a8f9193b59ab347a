/* test_accumulate.c -- a batch computed in parts is the batch: figures, gradients' norm, parameters,
 * moments, codebook and random numbers, in both models; in less memory; and it is refused where it cannot
 * be divided.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_step.h"
#include "models/fit.h"
#include "models/prior/noise.h"
#include "models/prior/prior_step.h"
#include "models/trainer.h"
#include "models/dvae/dvae_workload.h"
#include "tests/models/drawings.h"
#include "tests/models/small_prior.h"
#include "tests/support/device_or_skip.h"

#include <math.h>

enum { BATCH = 8, STEPS = 3, FIGURES = 6 };

static device *hardware;

/* What steps of one batch leave behind. */
typedef struct outcome {
    store *store;
    float figures[STEPS][FIGURES];
} outcome;

static void good(bool ok, const error *err)
{
    if (!ok) fail_msg("%s", err->message);
}

/* ---- The dVAE ---- */

typedef struct dvae_run {
    trainer base;
    dvae_config config;
    dvae_step step;
    uint8_t pixels[BATCH * DRAWING_BYTES];
} dvae_run;

static bool write_pixels(void *self, int64_t first, error *err)
{
    dvae_run *r = self;
    return graph_write(r->step.pixels, r->pixels + first * DRAWING_BYTES, err);
}

static outcome run_dvae(const char *const *sets, const char *parts, int32_t *tokens)
{
    static const char *const always[] = { "batch=8", "adam_epsilon=1e-3", NULL };
    const train_request request = { .run = "none" };
    const float schedule[2] = { 0.7f, 0.5f };
    error err;
    dvae_run r = { .step = { 0 } };
    trainer_init(&r.base, &request, &r.config.training, NULL);
    r.base.device = hardware;
    config_defaults(&dvae_config_table, &r.config);
    bool ok = preset_read(&dvae_config_table, "tiny", &r.config, &err);
    for (int i = 0; ok && always[i]; ++i)
        ok = config_assign(&dvae_config_table, &r.config, always[i], NULL, &err);
    for (; ok && *sets; ++sets) ok = config_assign(&dvae_config_table, &r.config, *sets, NULL, &err);
    good(ok && config_assign(&dvae_config_table, &r.config, parts, NULL, &err) &&
             dvae_config_check(&r.config, &err) && trainer_open_store(&r.base, &err) &&
             dvae_step_build(&r.step, r.base.store, &r.config, &err) &&
             graph_compile(r.step.graph, 7, DVAE_STEP_KNOB, &err),
         &err);
    graph_poison_memory(r.step.graph, true);
    for (int i = 0; i < BATCH; ++i) drawing_pixels(i, r.pixels + i * DRAWING_BYTES);
    outcome o = { .store = r.base.store };
    const trainer_graph g = { r.step.graph, &r.step.division, r.step.optimizer, write_pixels };
    const dvae_losses *l = &r.step.losses;
    for (int i = 0; i < STEPS; ++i) {
        float status[4];
        good(graph_write(r.step.schedule, schedule, &err) && trainer_step(&r.base, &g, i, 1e-3, &r, &err) &&
                 graph_read(l->loss, &o.figures[i][0], &err) &&
                 graph_read(l->reconstruction, &o.figures[i][1], &err) &&
                 graph_read(l->regulariser, &o.figures[i][2], &err) &&
                 graph_read(l->squared_error, &o.figures[i][3], &err) &&
                 graph_read_end(optimizer_status(r.step.optimizer), status, &err) &&
                 graph_read(l->tokens, tokens + i * tensor_count(l->tokens), &err),
             &err);
        assert_true(status[2] == 1.0f);
        o.figures[i][4] = status[1];
    }
    graph_destroy(r.step.graph);
    return o;
}

/* ---- The prior ---- */

typedef struct prior_run {
    trainer base;
    prior_config config;
    prior_step step;
    int32_t text[BATCH * TEXT], targets[BATCH * (TEXT - 1)], image[BATCH * TOKENS], read[BATCH * TOKENS];
    float share;
} prior_run;

static void fill_prior(prior_run *r)
{
    int known = 0;
    for (int b = 0; b < BATCH; ++b) {
        small_text(b * b, r->text + b * TEXT);
        small_image(b, r->image + b * TOKENS);
        for (int i = 0; i + 1 < TEXT; ++i)
            known += (r->targets[b * (TEXT - 1) + i] = r->text[b * TEXT + i + 1]) >= 0;
    }
    r->share = 1.0f / (float)known;
}

static bool write_prior(void *self, int64_t first, error *err)
{
    prior_run *r = self;
    float share = r->share * (float)r->step.division.parts;
    return graph_write(r->step.text, r->text + first * TEXT, err) &&
           graph_write(r->step.targets, r->targets + first * (TEXT - 1), err) &&
           graph_write(r->step.image, r->image + first * TOKENS, err) &&
           graph_write(r->step.read, r->read + first * TOKENS, err) &&
           graph_write(r->step.share, &share, err);
}

static outcome run_prior(const char *const *sets, const char *parts)
{
    const train_request request = { .run = "none" };
    error err;
    prior_run r = { .config = small_config(sets) };
    trainer_init(&r.base, &request, &r.config.training, &r.config.pace);
    r.base.device = hardware;
    good(config_assign(&prior_config_table, &r.config, parts, NULL, &err) &&
             prior_config_check(&r.config, &small_shape, &err) && trainer_open_store(&r.base, &err) &&
             prior_step_build(&r.step, r.base.store, &r.config, &small_shape, &err) &&
             graph_compile(r.step.graph, 7, PRIOR_STEP_KNOB, &err) &&
             prior_write_places(&r.step.places, &small_shape, &err),
         &err);
    graph_poison_memory(r.step.graph, true);
    fill_prior(&r);
    outcome o = { .store = r.base.store };
    const trainer_graph g = { r.step.graph, &r.step.division, r.step.optimizer, write_prior };
    const prior_losses *l = &r.step.losses;
    for (int i = 0; i < STEPS; ++i) {
        float status[4];
        prior_noise(&r.config, &small_shape, i, r.image, r.read);
        good(trainer_step(&r.base, &g, i, 1e-3, &r, &err) && graph_read(l->loss, &o.figures[i][0], &err) &&
                 graph_read(l->text, &o.figures[i][1], &err) &&
                 graph_read(l->image, &o.figures[i][2], &err) &&
                 graph_read_end(optimizer_status(r.step.optimizer), status, &err),
             &err);
        assert_true(status[2] == 1.0f);
        o.figures[i][3] = status[1];
    }
    graph_destroy(r.step.graph);
    return o;
}

/* ---- Comparing ---- */

static float *values_of(store *s, const store_entry *e)
{
    error err;
    float *values = malloc((size_t)e->count * sizeof *values);
    assert_non_null(values);
    good(store_read_f32(s, e, values, &err), &err);
    return values;
}

/* Largest difference by the largest value.  What is nothing but rounding errors counts as zero: a key's
 * bias, whose gradient is 0 in exact arithmetic. */
static double difference(store *a, store *b, const store_entry *e)
{
    const store_entry *f = store_find(b, e->name);
    assert_non_null(f);
    float *x = values_of(a, e), *y = values_of(b, f);
    double worst = 0, largest = e->kind == STORE_VARIANCE ? 1e-10 : e->kind == STORE_MEAN ? 1e-5 : 1e-4;
    for (int64_t i = 0; i < e->count; ++i) {
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
        largest = fmax(largest, fabs((double)x[i]));
    }
    free(x);
    free(y);
    return worst / largest;
}

static void same_but_for_rounding(const outcome *a, const outcome *b)
{
    int compared = 0;
    for (int i = 0; i < STEPS; ++i)
        for (int k = 0; k < FIGURES; ++k) {
            double x = (double)a->figures[i][k], y = (double)b->figures[i][k];
            if (fabs(x - y) > 2e-5 * fmax(fabs(x), 1e-3))
                fail_msg("step %d, figure %d: %.9g undivided, %.9g in parts", i, k, x, y);
        }
    for (int i = 0; i < store_count(a->store); ++i) {
        const store_entry *e = store_at(a->store, i);
        if (e->kind == STORE_CACHE || e->kind == STORE_SUM || e->kind == STORE_CONTROL) continue;
        double d = difference(a->store, b->store, e);
        if (d > 2e-4) fail_msg("'%s' differs by %.3g", e->name, d);
        ++compared;
    }
    assert_true(compared > 20);
}

static void close_outcome(outcome *o)
{
    store_destroy(o->store);
}

static void compare_dvae(const char *const *sets)
{
    static const char *const parts[] = { "accumulate=4", "accumulate=8" };
    static int32_t tokens[2][STEPS * BATCH * 64];
    outcome whole = run_dvae(sets, "accumulate=1", tokens[0]);
    assert_null(store_find(whole.store, "part.loss"));
    for (int i = 0; i < 2; ++i) {
        outcome divided = run_dvae(sets, parts[i], tokens[1]);
        assert_non_null(store_find(divided.store, "part.loss"));
        same_but_for_rounding(&whole, &divided);
        assert_memory_equal(tokens[0], tokens[1], sizeof tokens[0]);
        close_outcome(&divided);
    }
    close_outcome(&whole);
}

static void dvae_gumbel(void **state)
{
    (void)state;
    compare_dvae((const char *const[]){ "quantiser=gumbel", "kl_weight=1", NULL });
}

/* Codes are revived by rows of the whole batch. */
static void dvae_vq(void **state)
{
    (void)state;
    compare_dvae((const char *const[]){ "quantiser=vq", "codebook_revive=1", "codebook_decay=0.5", NULL });
}

static void dvae_recomputed(void **state)
{
    (void)state;
    compare_dvae((const char *const[]){ "quantiser=gumbel", "recompute=yes", "reconstruction=pixels",
                                        "clip=0.01", NULL });
}

static void prior_with_noise(void **state)
{
    (void)state;
    static const char *const sets[] = { "batch=8",           "dropout=0.3",        "token_noise=0.5",
                                        "adam_epsilon=1e-3", "tie_embeddings=yes", NULL };
    outcome whole = run_prior(sets, "accumulate=1"), divided = run_prior(sets, "accumulate=4");
    same_but_for_rounding(&whole, &divided);
    close_outcome(&whole);
    close_outcome(&divided);
}

/* ---- Memory, and what cannot be ---- */

static workload_size plan_of(const char *batch, const char *parts)
{
    error err;
    dvae_config c;
    workload_size size = { 0 };
    config_defaults(&dvae_config_table, &c);
    good(preset_read(&dvae_config_table, "tiny", &c, &err) &&
             config_assign(&dvae_config_table, &c, batch, NULL, &err) &&
             config_assign(&dvae_config_table, &c, parts, NULL, &err),
         &err);
    workload *w = dvae_workload(hardware, &c, &err);
    good(w && workload_plan(w, &size, &err), &err);
    workload_destroy(w);
    return size;
}

static void memory_of_one_part(void **state)
{
    (void)state;
    workload_size whole = plan_of("batch=64", "accumulate=1"), divided = plan_of("batch=64", "accumulate=8"),
                  small = plan_of("batch=8", "accumulate=1");
    assert_true(divided.parts == 8 && divided.flops == whole.flops);
    assert_true(divided.work_bytes < whole.work_bytes / 4 && divided.work_bytes <= small.work_bytes);
    assert_true(divided.sum_bytes >= divided.parameter_bytes && whole.sum_bytes == 0);
}

static void what_cannot_be_divided(void **state)
{
    (void)state;
    error err;
    dvae_config d;
    config_defaults(&dvae_config_table, &d);
    d.batch = 10;
    d.accumulate = 4;
    assert_false(dvae_config_check(&d, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_string_equal(err.message, "dvae: batch 10 is not divisible by accumulate 4, the parts that it is "
                                     "computed in; use batch=12");
    prior_config p;
    config_defaults(&prior_config_table, &p);
    p.accumulate = 3;
    assert_false(prior_config_check(&p, NULL, &err));
    assert_non_null(strstr(err.message, "prior: batch 1024 is not divisible by accumulate 3"));
    /* A batch that is lowered to a small set stays divisible. */
    d.steps = 0;
    d.batch = 32;
    dvae_fit(&d, 7, NULL);
    assert_int_equal(d.batch, 4);
    d.steps = 0;
    dvae_fit(&d, 3, NULL);
    assert_int_equal(d.batch, 4);
    assert_true(dvae_config_check(&d, &err));
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dvae_gumbel),        cmocka_unit_test(dvae_vq),
        cmocka_unit_test(dvae_recomputed),    cmocka_unit_test(prior_with_noise),
        cmocka_unit_test(memory_of_one_part), cmocka_unit_test(what_cannot_be_divided),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(hardware);
    return failed;
}
