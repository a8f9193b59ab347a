/* test_diffusion_sampler.c -- whole trajectories against golden values; what a sample depends on; inversion;
 * filling in; values that are no numbers; stopping.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/diffusion.h"

#include "host/base/json_tree.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { ROWS = 3, CHANNELS = 2, VALUES = ROWS * CHANNELS, FIRST = 5, MOST = 4 };
static const uint64_t SEED = 123456789012u;
static device *dev;
static error err;
#define OK(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

/* ---- The network of tools/make_golden_diffusion.py ---- */

typedef struct model {
    store *store;
    diffusion process;
    diffusion_sampler *sampler;
    tensor *condition;
    int64_t batch;
    double odd_below; /* times below this give no numbers */
} model;

static tensor *build(void *self, graph *g, tensor *x, tensor *time, bool guided)
{
    model *m = self;
    int64_t n = x->dim[0], one[3] = { n, 1, 1 };
    assert_int_equal(n, guided ? 2 * m->batch : m->batch);
    m->condition = graph_input(g, "condition", DTYPE_F32, 3, one);
    tensor *t = op_reshape(time, 3, one);
    tensor *h = op_sigmoid(op_sub(op_affine(x, 1.3f, 0.4f), op_scale(t, 0.001f)));
    tensor *said = op_add(op_affine(h, 1.8f, -0.9f), op_scale(m->condition, 0.15f));
    if (m->odd_below > 0) /* the logarithm of a negative number */
        said = op_add(said, op_scale(op_log(op_affine(t, 1, (float)-m->odd_below)), 0));
    if (m->process.variance != DIFFUSION_LEARNED) return said;
    return op_concat(2, (tensor *[]){ said, op_affine(op_sigmoid(op_scale(x, 0.7f)), 2, -1) }, 2);
}

static bool write_condition(void *self, error *e)
{
    const model *m = self;
    float values[2 * MOST];
    for (int64_t i = 0; i < m->condition->dim[0]; ++i) values[i] = i < m->batch ? 1 : -1;
    return graph_write(m->condition, values, e);
}

static void open_model(model *m, diffusion_schedule schedule, diffusion_predicts predicts,
                       diffusion_variance variance, int64_t batch, bool guided)
{
    const int64_t dim[] = { ROWS, CHANNELS };
    const diffusion_network network = { m, build, write_condition };
    m->batch = batch;
    OK(m->store = store_create(dev, &err));
    OK(diffusion_make(&m->process, schedule, 1000, predicts, variance, &err));
    OK(m->sampler =
           diffusion_sampler_create(m->store, &m->process, &network, batch, 2, dim, guided, false, &err));
}

static void close_model(model *m)
{
    diffusion_sampler_destroy(m->sampler);
    store_destroy(m->store);
    diffusion_free(&m->process);
}

static diffusion_run run_by(const char *spacing)
{
    return (
        diffusion_run){ .spacing = spacing, .seed = SEED, .first = FIRST, .stream = "test", .guidance = 1 };
}

static double farthest(const float *a, const float *b, int count)
{
    double most = 0;
    for (int i = 0; i < count; ++i) {
        double far = fabs((double)a[i] - (double)b[i]);
        if (!(far <= most)) most = far;
    }
    return most;
}

/* ---- Golden values ---- */

static int choice(const json_t *c, const char *key, const char *const *names)
{
    const char *is = json_string_value(json_object_get(c, key));
    for (int i = 0; names[i]; ++i)
        if (strcmp(names[i], is) == 0) return i;
    fail_msg("%s is '%s'", key, is);
    return 0;
}

/* As known_values has it: half of the values. */
static void fill_known(float *known, float *mask, int64_t batch)
{
    static const float values[VALUES] = { 0.5f, 0, 0, -0.25f, 0.75f, 0 }, is[VALUES] = { 1, 0, 0, 1, 1, 0 };
    for (int64_t i = 0; i < batch * VALUES; ++i) {
        known[i] = is[i % VALUES] != 0 ? values[i % VALUES] : 77;
        mask[i] = is[i % VALUES];
    }
}

static void check_trajectory(const json_t *c)
{
    static const char *const schedules[] = { "cosine", "linear", NULL },
                             *const predicts[] = { "noise", "start", "velocity", NULL },
                             *const variances[] = { "posterior", "beta", "learned", "analytic", NULL };
    const json_t *guidance = json_object_get(c, "guidance"), *eta = json_object_get(c, "eta"),
                 *out = json_object_get(c, "out");
    float made[2 * VALUES], expected[2 * VALUES], known[2 * VALUES], mask[2 * VALUES], largest = 0;
    model m = { 0 };
    open_model(&m, (diffusion_schedule)choice(c, "schedule", schedules),
               (diffusion_predicts)choice(c, "predicts", predicts),
               (diffusion_variance)choice(c, "variance", variances), 2, guidance != NULL);
    diffusion_run how = run_by(json_string_value(json_object_get(c, "spacing")));
    how.ddim = eta != NULL;
    how.eta = json_number_value(eta);
    how.guidance = guidance ? json_number_value(guidance) : 1;
    how.clamp = json_number_value(json_object_get(c, "clamp"));
    how.temperature = json_number_value(json_object_get(c, "temperature"));
    how.variance_scale = json_number_value(json_object_get(c, "scale"));
    fill_known(known, mask, 2);
    if (json_is_true(json_object_get(c, "known"))) how.known = known;
    how.known_mask = how.known ? mask : NULL;
    OK(diffusion_sample(m.sampler, &how, made, &err));
    for (size_t i = 0; i < 2 * VALUES; ++i) {
        expected[i] = (float)json_number_value(json_array_get(out, i));
        largest = fmaxf(largest, fabsf(expected[i]));
    }
    double far = farthest(made, expected, 2 * VALUES) / (double)largest;
    printf("%s, %s, %s steps: %.2g\n", json_string_value(json_object_get(c, "predicts")),
           eta ? "ddim" : json_string_value(json_object_get(c, "variance")), how.spacing, far);
    if (!(far <= 1e-4)) fail_msg("the trajectory differs");
    close_model(&m);
}

static void test_trajectories(void **state)
{
    (void)state;
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/golden/diffusion.json", folder ? folder : "tests");
    json_t *all = json_tree_open(path, &err);
    OK(all);
    const json_t *cases = json_object_get(all, "trajectories");
    assert_true(json_array_size(cases) > 10);
    for (size_t i = 0; i < json_array_size(cases); ++i) check_trajectory(json_array_get(cases, i));
    json_decref(all);
}

/* ---- What a sample depends on ---- */

/* The same bits, wherever it stands in a batch and whatever was drawn before. */
static void test_neighbours_do_not_matter(void **state)
{
    (void)state;
    float four[4 * VALUES], later[4 * VALUES], again[4 * VALUES];
    model m = { 0 };
    open_model(&m, DIFFUSION_COSINE, DIFFUSION_START, DIFFUSION_ANALYTIC, 4, true);
    diffusion_run how = run_by("20");
    how.variance_scale = 0.3;
    how.guidance = 2;
    OK(diffusion_sample(m.sampler, &how, four, &err));
    how.first = FIRST + 2;
    OK(diffusion_sample(m.sampler, &how, later, &err));
    assert_memory_equal(later, four + 2 * VALUES, 2 * VALUES * sizeof *four);
    how.first = FIRST;
    OK(diffusion_sample(m.sampler, &how, again, &err));
    assert_memory_equal(again, four, sizeof four);
    how.stream = "another";
    OK(diffusion_sample(m.sampler, &how, again, &err));
    assert_true(farthest(again, four, 4 * VALUES) > 1e-3);
    how.stream = "test";
    how.seed = SEED + 1;
    OK(diffusion_sample(m.sampler, &how, again, &err));
    assert_true(farthest(again, four, 4 * VALUES) > 1e-3);
    how.seed = SEED + (1ull << 32);
    OK(diffusion_sample(m.sampler, &how, again, &err));
    assert_true(farthest(again, four, 4 * VALUES) > 1e-3);
    for (int i = 1; i < 4; ++i) assert_true(farthest(four, four + i * VALUES, VALUES) > 1e-3);
    close_model(&m);
}

/* With guidance 1 the half without a condition does not matter. */
static void test_guidance_1_is_none(void **state)
{
    (void)state;
    float with[2 * VALUES], without[2 * VALUES];
    for (int guided = 0; guided < 2; ++guided) {
        model m = { 0 };
        open_model(&m, DIFFUSION_COSINE, DIFFUSION_VELOCITY, DIFFUSION_POSTERIOR, 2, guided == 1);
        diffusion_run how = run_by("10");
        if (!guided) how.guidance = 55; /* ignored */
        OK(diffusion_sample(m.sampler, &how, guided ? with : without, &err));
        close_model(&m);
    }
    assert_true(farthest(with, without, 2 * VALUES) < 1e-5);
}

/* ---- Inversion ---- */

/* How far from x_0 it comes back, of its size. */
static double there_and_back(model *m, const char *spacing)
{
    float x0[2 * VALUES], noise[2 * VALUES], back[2 * VALUES];
    double size = 0;
    diffusion_run how = run_by(spacing);
    how.ddim = true;
    OK(diffusion_sample(m->sampler, &how, x0, &err));
    OK(diffusion_invert(m->sampler, &how, x0, noise, &err));
    how.start = noise;
    how.seed = 99; /* of no meaning: nothing is drawn */
    OK(diffusion_sample(m->sampler, &how, back, &err));
    for (int j = 0; j < 2 * VALUES; ++j) size = fmax(size, fabs((double)x0[j]));
    return farthest(back, x0, 2 * VALUES) / size;
}

/* The test's network denoises badly, which the way back makes worse; more steps come nearer. */
static void test_inversion(void **state)
{
    (void)state;
    static const diffusion_predicts all[] = { DIFFUSION_NOISE, DIFFUSION_START, DIFFUSION_VELOCITY };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        model m = { 0 };
        open_model(&m, DIFFUSION_LINEAR, all[i], DIFFUSION_POSTERIOR, 2, false);
        double few = there_and_back(&m, "50"), many = there_and_back(&m, "250");
        printf("inverted, predicting %d: %.2g of it by 50 steps, %.2g by 250\n", (int)all[i], few, many);
        assert_true(many < 0.1 && many < 0.6 * few);
        close_model(&m);
    }
}

/* ---- Filling in ---- */

/* Known values come out as they are; without them the same sampler draws as if it had never known any. */
static void test_filling_in(void **state)
{
    (void)state;
    float known[2 * VALUES], mask[2 * VALUES], plain[2 * VALUES], filled[2 * VALUES], again[2 * VALUES];
    model m = { 0 };
    open_model(&m, DIFFUSION_COSINE, DIFFUSION_NOISE, DIFFUSION_BETA, 2, false);
    diffusion_run how = run_by("10");
    how.clamp = 1;
    fill_known(known, mask, 2);
    OK(diffusion_sample(m.sampler, &how, plain, &err));
    how.known = known;
    how.known_mask = mask;
    OK(diffusion_sample(m.sampler, &how, filled, &err));
    for (int i = 0; i < 2 * VALUES; ++i)
        if (mask[i] != 0) assert_true(filled[i] == known[i]);
    how.known = how.known_mask = NULL;
    OK(diffusion_sample(m.sampler, &how, again, &err));
    assert_memory_equal(again, plain, sizeof plain);
    close_model(&m);
}

/* ---- What goes wrong ---- */

static void expect(bool done, error_code code, const char *text)
{
    assert_false(done);
    assert_int_equal(err.code, code);
    if (!strstr(err.message, text)) fail_msg("%s", err.message);
}

static void test_no_numbers(void **state)
{
    (void)state;
    float out[2 * VALUES], start[2 * VALUES] = { 0 };
    model m = { .odd_below = 350 };
    open_model(&m, DIFFUSION_COSINE, DIFFUSION_START, DIFFUSION_POSTERIOR, 2, false);
    diffusion_run how = run_by("11"); /* times 999, 899, ..: the 7th is 400, the 8th 300 */
    how.clamp = 1;                    /* which would make a number of it */
    expect(diffusion_sample(m.sampler, &how, out, &err), ERROR_MODEL, "step 8 of 11 of the test gave values");
    how.spacing = "0,3";
    OK(diffusion_sample(m.sampler, &how, out, &err));
    start[3] = NAN;
    how.start = start;
    expect(diffusion_sample(m.sampler, &how, out, &err), ERROR_MODEL, "step 1 of 3");
    how.start = NULL;
    OK(diffusion_sample(m.sampler, &how, out, &err));
    close_model(&m);
}

typedef struct watched {
    int64_t calls, last, total, stop_at;
} watched;

static bool watch(void *context, int64_t done, int64_t total)
{
    watched *w = context;
    assert_int_equal(done, ++w->calls);
    w->last = done;
    w->total = total;
    return done != w->stop_at;
}

static void test_progress_and_stopping(void **state)
{
    (void)state;
    float whole[2 * VALUES], again[2 * VALUES];
    watched w = { 0 };
    model m = { 0 };
    open_model(&m, DIFFUSION_COSINE, DIFFUSION_START, DIFFUSION_POSTERIOR, 2, false);
    diffusion_run how = run_by("12");
    how.progress = watch;
    how.context = &w;
    OK(diffusion_sample(m.sampler, &how, whole, &err));
    assert_int_equal(w.calls, 12);
    assert_int_equal(w.total, 12);
    for (int stop = 1; stop <= 12; stop += 11) {
        w = (watched){ .stop_at = stop };
        expect(diffusion_sample(m.sampler, &how, again, &err), ERROR_INTERRUPTED,
               stop == 1 ? "stopped after 1 of 12 steps" : "stopped after 12 of 12 steps");
        assert_int_equal(w.last, stop);
    }
    w = (watched){ 0 };
    OK(diffusion_sample(m.sampler, &how, again, &err));
    assert_memory_equal(again, whole, sizeof whole);
    how.spacing = "2000";
    expect(diffusion_sample(m.sampler, &how, again, &err), ERROR_USAGE,
           "more steps than the process has, 1000");
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trajectories),
        cmocka_unit_test(test_neighbours_do_not_matter),
        cmocka_unit_test(test_guidance_1_is_none),
        cmocka_unit_test(test_inversion),
        cmocka_unit_test(test_filling_in),
        cmocka_unit_test(test_no_numbers),
        cmocka_unit_test(test_progress_and_stopping),
    };
    dev = device_or_skip();
    int failed = cmocka_run_group_tests_name("models_diffusion_sampler", tests, NULL, NULL);
    device_close(dev);
    return failed;
}
