/* test_clip_step.c -- CLIP's batch computed in parts is the batch, dropout included, though the loss is of
 * all of it together; in the memory of a part; similarities piece by piece are the whole ones; the scale is
 * kept within its limit.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_features.h"
#include "models/clip/clip_step.h"
#include "models/clip/clip_workload.h"
#include "models/trainer.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

#include <math.h>

enum { BATCH = 8, STEPS = 3, FIGURES = 3, TEXT = 7, EMBEDDING = 24 };

static device *hardware;

static void good(bool ok, const error *err)
{
    if (!ok) fail_msg("%s", err->message);
}

/* What steps of one batch leave behind. */
typedef struct outcome {
    store *store;
    float figures[STEPS][FIGURES];
    int32_t nearest[STEPS][2][BATCH];
} outcome;

typedef struct clip_run {
    trainer base;
    clip_config config;
    clip_step step;
    uint8_t pixels[BATCH * DRAWING_BYTES];
    float features[BATCH * EMBEDDING]; /* of these */
    int32_t text[BATCH * TEXT];
} clip_run;

static clip_config config_of(const char *const *sets)
{
    error err;
    clip_config c;
    config_defaults(&clip_config_table, &c);
    bool ok = preset_read(&clip_config_table, "tiny", &c, &err) &&
              config_assign(&clip_config_table, &c, "text_tokens=7", "test", &err);
    for (; ok && *sets; ++sets) ok = config_assign(&clip_config_table, &c, *sets, "test", &err);
    good(ok && clip_config_check(&c, &err), &err);
    return c;
}

static bool write_part(void *self, int64_t first, error *err)
{
    clip_run *r = self;
    int32_t ends[BATCH];
    for (int i = 0; i < r->step.division.samples; ++i) ends[i] = (int32_t)((first + i) * 5 % TEXT);
    bool ok = r->step.known ? graph_write(r->step.features, r->features + first * EMBEDDING, err)
                            : graph_write(r->step.pixels, r->pixels + first * DRAWING_BYTES, err);
    return ok && graph_write(r->step.text, r->text + first * TEXT, err) &&
           clip_write_ends(r->step.ends, ends, TEXT, err);
}

static void fill(clip_run *r)
{
    for (int i = 0; i < BATCH; ++i) drawing_pixels(i, r->pixels + i * DRAWING_BYTES);
    for (int i = 0; i < BATCH * TEXT; ++i) r->text[i] = i * 37 % 300;
}

/* What the tower says of the pictures before the first step. */
static void look(clip_run *r)
{
    error err;
    clip_features *f = clip_features_create(r->base.store, &r->config, false, &err);
    good(f && clip_features_pictures(f, r->pixels, BATCH, r->features, &err), &err);
    clip_features_destroy(f);
}

static outcome run_of(const char *const *sets, double rate, bool known)
{
    const train_request request = { .run = "none" };
    error err;
    clip_run r = { .config = config_of(sets), .step.known = known };
    trainer_init(&r.base, &request, &r.config.training, &r.config.pace);
    r.base.device = hardware;
    good(trainer_open_store(&r.base, &err) && clip_step_build(&r.step, r.base.store, &r.config, &err) &&
             graph_compile(r.step.graph, 7, CLIP_STEP_KNOB, &err) && clip_step_ready(&r.step, &err) &&
             clip_start_scale(r.base.store, &err),
         &err);
    graph_poison_memory(r.step.graph, true);
    fill(&r);
    if (known) look(&r);
    outcome o = { .store = r.base.store };
    const trainer_graph g = { r.step.graph, &r.step.division, r.step.optimizer, write_part };
    const clip_losses *l = &r.step.losses;
    for (int i = 0; i < STEPS; ++i) {
        float status[4];
        good(trainer_step(&r.base, &g, i, rate, &r, &err) && graph_read(l->loss, &o.figures[i][0], &err) &&
                 graph_read(l->scale, &o.figures[i][1], &err) &&
                 graph_read(l->nearest[0][0], o.nearest[i][0], &err) &&
                 graph_read(l->nearest[1][0], o.nearest[i][1], &err) &&
                 graph_read_end(optimizer_status(r.step.optimizer), status, &err),
             &err);
        assert_true(status[2] == 1.0f);
        o.figures[i][2] = status[1];
    }
    graph_destroy(r.step.graph);
    return o;
}

static outcome run(const char *const *sets, double rate)
{
    return run_of(sets, rate, false);
}

/* Largest difference by the largest value. */
static double difference(store *a, store *b, const store_entry *e)
{
    error err;
    const store_entry *f = store_find(b, e->name);
    assert_non_null(f);
    float *x = malloc((size_t)e->count * sizeof *x), *y = malloc((size_t)e->count * sizeof *y);
    assert_true(x && y);
    good(store_read_f32(a, e, x, &err) && store_read_f32(b, f, y, &err), &err);
    double worst = 0, largest = e->kind == STORE_VARIANCE ? 1e-10 : e->kind == STORE_MEAN ? 1e-5 : 1e-4;
    for (int64_t i = 0; i < e->count; ++i) {
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
        largest = fmax(largest, fabs((double)x[i]));
    }
    free(x);
    free(y);
    return worst / largest;
}

/* After one step the means are a tenth of the gradients; `most` is of each tensor's largest number. */
static void same_entries(const outcome *a, const outcome *b, store_kind kind, double most)
{
    int compared = 0;
    double worst = 0;
    for (int i = 0; i < store_count(a->store); ++i) {
        const store_entry *e = store_at(a->store, i);
        /* A key's bias has nothing but rounding errors for a gradient (host/nn/attention.c). */
        if (e->kind != kind || (kind == STORE_MEAN && strstr(e->name, "key.bias"))) continue;
        double d = difference(a->store, b->store, e);
        if (!(d <= most)) fail_msg("'%s' differs by %.3g", e->name, d);
        worst = fmax(worst, d);
        ++compared;
    }
    printf("kind %d: %d tensors, worst %.2g\n", (int)kind, compared, worst);
    assert_true(compared > 60);
}

static void same_figures(const outcome *a, const outcome *b, double most)
{
    for (int i = 0; i < STEPS; ++i)
        for (int k = 0; k < FIGURES; ++k) {
            double x = (double)a->figures[i][k], y = (double)b->figures[i][k];
            if (!(fabs(x - y) <= most * fabs(x)))
                fail_msg("step %d, figure %d: %.9g undivided, %.9g in parts", i, k, x, y);
        }
    assert_memory_equal(a->nearest, b->nearest, sizeof a->nearest);
}

/* Parameters stay as they are, so that the means are those of one batch's gradient. */
static void the_gradient(void **state)
{
    (void)state;
    static const char *const parts[] = { "parts=2", "accumulate=4", "parts=8" };
    const char *const undivided[] = { "dropout=0.3", "ema=0", NULL };
    outcome whole = run(undivided, 0);
    assert_null(store_find(whole.store, "part.features"));
    for (int i = 0; i < 3; ++i) {
        const char *const sets[] = { "dropout=0.3", "ema=0", parts[i], NULL };
        outcome divided = run(sets, 0);
        assert_non_null(store_find(divided.store, "part.features"));
        same_figures(&whole, &divided, 1e-5);
        same_entries(&whole, &divided, STORE_MEAN, 1e-5);
        store_destroy(divided.store);
    }
    store_destroy(whole.store);
}

static void the_update(void **state)
{
    (void)state;
    const char *const undivided[] = { "dropout=0.2", "adam_epsilon=1e-3", "clip=0.5", NULL },
                      *const sets[] = { "dropout=0.2", "adam_epsilon=1e-3", "clip=0.5", "parts=4", NULL };
    outcome whole = run(undivided, 1e-3), divided = run(sets, 1e-3);
    same_figures(&whole, &divided, 2e-5);
    same_entries(&whole, &divided, STORE_PARAMETER, 2e-4);
    same_entries(&whole, &divided, STORE_AVERAGE, 2e-4);
    store_destroy(whole.store);
    store_destroy(divided.store);
}

/* A locked tower's features, computed once, teach what the tower teaches that computes them at every step. */
static void known_features(void **state)
{
    (void)state;
    const char *const sets[] = { "locked_image=yes", "adam_epsilon=1e-3", NULL }, *const parts[] = {
        "locked_image=yes", "adam_epsilon=1e-3", "parts=4", NULL
    };
    outcome computed = run(sets, 1e-3), known = run_of(sets, 1e-3, true), divided = run_of(parts, 1e-3, true);
    const outcome *const others[] = { &known, &divided };
    for (int i = 0; i < 2; ++i) {
        same_figures(&computed, others[i], 2e-5);
        same_entries(&computed, others[i], STORE_PARAMETER, 1e-3);
    }
    store_destroy(computed.store);
    store_destroy(known.store);
    store_destroy(divided.store);
}

static void recomputed_blocks(void **state)
{
    (void)state;
    const char *const plain[] = { "dropout=0.3", NULL }, *const again[] = { "dropout=0.3", "recompute=yes",
                                                                            NULL };
    outcome a = run(plain, 1e-3), b = run(again, 1e-3);
    same_figures(&a, &b, 1e-6);
    store_destroy(a.store);
    store_destroy(b.store);
}

/* ---- Similarities piece by piece ---- */

typedef struct contrast {
    float loss, gradients[2][BATCH * TEXT], of_scale;
    int32_t nearest[2][BATCH];
} contrast;

static contrast contrast_of(int64_t most, int64_t pieces)
{
    error err;
    contrast o;
    int32_t own[BATCH];
    float values[2][BATCH * TEXT];
    store *s = store_create(hardware, &err);
    graph *g = s ? graph_create(s, &err) : NULL;
    good(g != NULL, &err);
    const int64_t dim[] = { BATCH, TEXT }, batch = BATCH;
    tensor *features[] = { nn_weight(g, "pictures", 1, 2, dim), nn_weight(g, "texts", 1, 2, dim) },
           *scale = nn_bias(g, "log_scale", 1), *targets = graph_input(g, "targets", DTYPE_I32, 1, &batch);
    clip_losses l = clip_contrast(g, features[0], features[1], scale, targets, most);
    assert_int_equal(l.pieces, pieces);
    graph_backward(g, l.loss);
    tensor *gradients[] = { graph_gradient(g, features[0]), graph_gradient(g, features[1]),
                            graph_gradient(g, scale) };
    for (int i = 0; i < 3; ++i) graph_keep(gradients[i] = op_contiguous(gradients[i]));
    graph_keep(l.loss);
    for (int i = 0; i < 2; ++i)
        for (int k = 0; k < l.pieces; ++k) graph_keep(l.nearest[i][k]);
    for (int i = 0; i < BATCH; ++i) own[i] = i;
    for (int i = 0; i < BATCH * TEXT; ++i) {
        values[0][i] = (float)(i * 7 % 11) / 11;
        values[1][i] = (float)(i * 5 % 13) / 13;
    }
    const float log_scale = 1.5f;
    good(graph_compile(g, 1, NULL, &err) && graph_write(targets, own, &err), &err);
    graph_poison_memory(g, true);
    good(store_write_f32(s, store_find(s, "pictures"), values[0], &err) &&
             store_write_f32(s, store_find(s, "texts"), values[1], &err) &&
             store_write_f32(s, store_find(s, "log_scale"), &log_scale, &err) && graph_run(g, &err) &&
             graph_read(l.loss, &o.loss, &err) && graph_read(gradients[0], o.gradients[0], &err) &&
             graph_read(gradients[1], o.gradients[1], &err) && graph_read(gradients[2], &o.of_scale, &err),
         &err);
    for (int i = 0; i < 2; ++i)
        for (int k = 0; k < l.pieces; ++k)
            good(graph_read(l.nearest[i][k], o.nearest[i] + k * l.rows, &err), &err);
    graph_destroy(g);
    store_destroy(s);
    return o;
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    contrast whole = contrast_of(64, 1), pieces = contrast_of(16, 4), rows = contrast_of(1, 8);
    const contrast *const others[] = { &pieces, &rows };
    for (int i = 0; i < 2; ++i) {
        assert_true(fabsf(whole.loss - others[i]->loss) < 1e-6f);
        assert_true(fabsf(whole.of_scale - others[i]->of_scale) < 1e-6f);
        assert_memory_equal(whole.nearest, others[i]->nearest, sizeof whole.nearest);
        for (int k = 0; k < BATCH * TEXT; ++k)
            for (int which = 0; which < 2; ++which)
                assert_true(fabsf(whole.gradients[which][k] - others[i]->gradients[which][k]) < 1e-6f);
    }
}

/* ---- The scale, memory, and what cannot be ---- */

static float scale_after(float start)
{
    error err;
    const char *const sets[] = { "parts=2", NULL };
    clip_run r = { .config = config_of(sets) };
    const train_request request = { .run = "none" };
    trainer_init(&r.base, &request, &r.config.training, &r.config.pace);
    r.base.device = hardware;
    good(trainer_open_store(&r.base, &err) && clip_step_build(&r.step, r.base.store, &r.config, &err) &&
             graph_compile(r.step.graph, 7, CLIP_STEP_KNOB, &err) && clip_step_ready(&r.step, &err),
         &err);
    store_entry *e = store_find(r.base.store, "log_scale");
    fill(&r);
    const trainer_graph g = { r.step.graph, &r.step.division, r.step.optimizer, write_part };
    float status[4], after;
    good(store_write_f32(r.base.store, e, &start, &err) && trainer_step(&r.base, &g, 0, 1e-3, &r, &err) &&
             graph_read_end(optimizer_status(r.step.optimizer), status, &err) &&
             store_read_f32(r.base.store, e, &after, &err),
         &err);
    assert_false(e->decay);
    graph_destroy(r.step.graph);
    store_destroy(r.base.store);
    return after;
}

static void the_scale_has_limits(void **state)
{
    (void)state;
    assert_true(fabsf(scale_after(5) - logf(100)) < 1e-6f);
    assert_true(scale_after(-1) == 0);
    float free_one = scale_after(2);
    assert_true(free_one != 2 && fabsf(free_one - 2) < 0.01f);
}

static workload_size plan_of(const char *batch, const char *parts)
{
    error err;
    const char *const sets[] = { batch, parts, NULL };
    clip_config c = config_of(sets);
    workload_size size = { 0 };
    workload *w = clip_workload(hardware, &c, &err);
    good(w && workload_plan(w, &size, &err), &err);
    workload_destroy(w);
    return size;
}

/* A part's memory, besides the batch's features, their gradient and similarities; a third more work, and
 * that of the similarities once. */
static void memory_of_one_part(void **state)
{
    (void)state;
    workload_size whole = plan_of("batch=128", "parts=1"), divided = plan_of("batch=128", "parts=16"),
                  small = plan_of("batch=8", "parts=1");
    int64_t features = 128 * 2 * 24 * 4, similarities = 128 * 128 * 4;
    assert_true(divided.parts == 16 && divided.parameters == whole.parameters);
    assert_true(divided.work_bytes < whole.work_bytes / 4);
    assert_true(divided.work_bytes <= small.work_bytes + 4 * features + 6 * similarities);
    assert_true(divided.flops > 1.2 * whole.flops && divided.flops < 1.4 * whole.flops);
}

static void what_cannot_be(void **state)
{
    (void)state;
    error err;
    clip_config c;
    config_defaults(&clip_config_table, &c);
    good(preset_read(&clip_config_table, "tiny", &c, &err) &&
             config_assign(&clip_config_table, &c, "parts=4", "--set", &err),
         &err);
    assert_int_equal(c.accumulate, 4);
    c.recompute = true;
    assert_false(clip_config_check(&c, &err));
    assert_non_null(strstr(err.message, "recompute=yes with a batch in 4 parts"));
    assert_false(config_parse(&clip_config_table, &c, "parts = 2\naccumulate = 4\n", "text", &err));
    assert_non_null(strstr(err.message, "is repeated"));
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient),         cmocka_unit_test(the_update),
        cmocka_unit_test(known_features),       cmocka_unit_test(recomputed_blocks),
        cmocka_unit_test(pieces_are_the_whole), cmocka_unit_test(the_scale_has_limits),
        cmocka_unit_test(memory_of_one_part),   cmocka_unit_test(what_cannot_be),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(hardware);
    return failed;
}
