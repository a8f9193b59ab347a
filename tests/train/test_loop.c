/* test_loop.c -- what people trust a run to do: stop anywhere and go on bit for bit, keep the last whole
 * checkpoint, skip steps that are not finite, refuse what does not belong together.
 * SPDX-License-Identifier: MIT */
#include "tests/train/regression.h"
#include "tests/train/run_compare.h"
#include "tests/train/scratch.h"
#include "tests/support/device_or_skip.h"

typedef struct fixture {
    char base[256], folder[300], other[300];
    int number;
} fixture;

static int setup(void **state)
{
    fixture *f = *state;
    ++f->number;
    snprintf(f->folder, sizeof f->folder, "%s/run-%d", f->base, f->number);
    snprintf(f->other, sizeof f->other, "%s/other-%d", f->base, f->number);
    return 0;
}

static void open_task(regression *r)
{
    error err;
    if (!regression_open(r, 1024, &err)) fail_msg("%s", err.message);
}

/* A whole run, or the rest of one. */
static void run_to_end(const char *folder, bool resume)
{
    error err = { .code = ERROR_NONE };
    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, folder);
    o.resume = resume;
    if (!train_run(&t, &o, &err)) fail_msg("%s", err.message);
    regression_close(&r);
}

/* Runs with changes made by `change`; must fail with `code` and say `part`. */
typedef void change(regression *r, train_options *o);
static void expect_failure(const char *folder, change *c, error_code code, const char *part)
{
    error err = { .code = ERROR_NONE };
    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, folder);
    c(&r, &o);
    bool ok = train_run(&t, &o, &err);
    scratch_limit(RLIM_INFINITY);
    assert_false(ok);
    if (err.code != code || !strstr(err.message, part))
        fail_msg("'%s' is not in %d: %s", part, err.code, err.message);
    regression_close(&r);
}

static void test_whole_run(void **state)
{
    fixture *f = *state;
    run_to_end(f->folder, false);
    static const char *const files[] = { "config.cfg",
                                         "run.json",
                                         "metrics.jsonl",
                                         "checkpoint.safetensors",
                                         "best.safetensors",
                                         "samples/step-000020.png",
                                         "samples/step-000040.png" };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
        assert_true(file_exists(in(f->folder, files[i])));
    char *lines = content(f->folder, "metrics.jsonl");
    json_error_t problem;
    int count = 0;
    double first = 0, last = 0;
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *o = json_loads(line, 0, &problem);
        assert_non_null(o);
        const json_t *loss = json_object_get(o, "loss");
        if (loss && !count++) first = json_number_value(loss);
        if (loss) last = json_number_value(loss);
        json_decref(o);
    }
    assert_int_equal(count, 40);
    assert_true(last < 0.5 * first);
    free(lines);
    run_to_end(f->folder, true); /* a finished run resumes into nothing more to do */
    run_to_end(f->other, false);
    assert_same_run(f->folder, f->other);
}

static void interrupt_at_17(regression *r, train_options *o)
{
    (void)o;
    r->interrupt_at = 17;
}

static void interrupt_at_31(regression *r, train_options *o)
{
    o->resume = true;
    r->interrupt_at = 31;
}

static void test_interrupted(void **state)
{
    fixture *f = *state;
    expect_failure(f->folder, interrupt_at_17, ERROR_INTERRUPTED,
                   "at step 18 of 40; go on with: dalle-cl train regression --run ");
    expect_failure(f->folder, interrupt_at_31, ERROR_INTERRUPTED, "--resume");
    run_to_end(f->folder, true);
    run_to_end(f->other, false);
    assert_same_run(f->folder, f->other);
}

static void nothing(regression *r, train_options *o)
{
    (void)r;
    (void)o;
}

static void resume(regression *r, train_options *o)
{
    (void)r;
    o->resume = true;
}

static void other_settings(regression *r, train_options *o)
{
    (void)r;
    o->resume = true;
    o->config_text = "rate = 0.1\nwidth = 5\n";
}

static void newer_setting(regression *r, train_options *o)
{
    (void)r;
    o->resume = true;
    o->config_text = "rate = 0.05\nwidth = 5\nparts = 1\n";
    o->config_defaults = "rate = 0.1\nwidth = 3\nparts = 1\n";
}

static void newer_setting_changed(regression *r, train_options *o)
{
    newer_setting(r, o);
    o->config_text = "rate = 0.05\nwidth = 5\nparts = 2\n";
}

/* A run from before a setting was there goes on as long as that has its default. */
static void test_older_run(void **state)
{
    fixture *f = *state;
    error err;
    expect_failure(f->folder, interrupt_at_17, ERROR_INTERRUPTED, "step 18");
    expect_failure(f->folder, newer_setting_changed, ERROR_USAGE, "parts was not set, is 2");
    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, f->folder);
    newer_setting(&r, &o);
    if (!train_run(&t, &o, &err)) fail_msg("%s", err.message);
    regression_close(&r);
}

static void test_refusals(void **state)
{
    fixture *f = *state;
    error err;
    expect_failure(f->folder, resume, ERROR_USAGE, "holds no run to resume");
    expect_failure(f->folder, interrupt_at_17, ERROR_INTERRUPTED, "step 18");
    expect_failure(f->folder, nothing, ERROR_USAGE, "already holds a run; add --resume");
    expect_failure(f->folder, other_settings, ERROR_USAGE, "rate was 0.05, is 0.1");

    char *text = content(f->folder, "run.json"), *driver = strstr(text, "\"driver\": \"");
    driver[strlen("\"driver\": \"")] = '?';
    assert_true(file_write(in(f->folder, "run.json"), text, strlen(text), &err));
    free(text);
    expect_failure(f->folder, resume, ERROR_USAGE, "device.driver was");

    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, f->folder);
    other_settings(&r, &o);
    o.force = true;
    assert_true(train_run(&t, &o, &err));
    o.force = false; /* what was forced is what the run is made with now */
    assert_true(train_run(&t, &o, &err));
    regression_close(&r);
}

static void fail_at_23(regression *r, train_options *o)
{
    (void)o;
    r->fail_at = 23;
}

static void test_failure_keeps_checkpoint(void **state)
{
    fixture *f = *state;
    expect_failure(f->folder, fail_at_23, ERROR_DEVICE,
                   "the device is gone; the checkpoint of step 20 is whole");
    run_to_end(f->folder, true);
    run_to_end(f->other, false);
    assert_same_run(f->folder, f->other);
}

/* The step before the one that could not begin is in the metrics. */
static void test_failure_keeps_figures(void **state)
{
    fixture *f = *state;
    expect_failure(f->folder, fail_at_23, ERROR_DEVICE, "the device is gone");
    char *lines = content(f->folder, "metrics.jsonl");
    assert_non_null(strstr(lines, "{\"step\":23,\"loss\":"));
    assert_null(strstr(lines, "{\"step\":24,"));
    free(lines);
}

/* Figures are asked for when the next step has begun, so that the device does not wait; but whoever looks
 * at what steps left behind finds all of them ended. */
static void test_figures_come_late(void **state)
{
    fixture *f = *state;
    error err;
    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, f->folder);
    o.steps = 38;
    if (!train_run(&t, &o, &err)) fail_msg("%s", err.message);
    assert_int_equal(r.begun, 38);
    assert_int_equal(r.ended, 38);
    assert_int_equal(r.late, 38 - 1 - 7 - 1); /* not the first, those before an evaluation, the last */
    assert_false(r.hasty);
    regression_close(&r);
    int64_t due = 1;
    char *lines = content(f->folder, "metrics.jsonl");
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
        if (strstr(line, "\"kind\"")) continue;
        assert_int_equal(strtoll(line + strlen("{\"step\":"), NULL, 10), due++);
    }
    assert_int_equal(due, 39);
    free(lines);
}

static void bad_for_a_while(regression *r, train_options *o)
{
    (void)o;
    r->bad_from = 12;
    r->bad_to = 1000;
}

static void test_not_finite(void **state)
{
    fixture *f = *state;
    error err;
    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, f->folder);
    r.bad_from = 12;
    r.bad_to = 15;
    if (!train_run(&t, &o, &err)) fail_msg("%s", err.message);
    regression_close(&r);
    char *lines = content(f->folder, "metrics.jsonl");
    assert_non_null(strstr(lines, "{\"step\":13,\"loss\":null,\"norm\":null,\"skipped\":true}"));
    assert_null(strstr(strstr(lines, "\"step\":16"), "null")); /* nothing was spoiled */
    free(lines);

    expect_failure(f->other, bad_for_a_while, ERROR_DIVERGED,
                   "4 steps in a row, up to step 16 (last finite figures: at step 12: loss");
    safetensors *file = safetensors_open(in(f->other, "checkpoint.safetensors"), &err);
    assert_string_equal(safetensors_metadata(file, "step"), "10");
    safetensors_close(file);
}

static void no_space(regression *r, train_options *o)
{
    (void)r;
    o->resume = true;
    scratch_limit(4000); /* more than the metrics, less than a checkpoint */
}

static void nowhere(regression *r, train_options *o)
{
    (void)r;
    o->folder = "/proc/nowhere/run";
}

static void test_disk(void **state)
{
    fixture *f = *state;
    expect_failure(f->folder, nowhere, ERROR_IO, "/proc/nowhere");
    expect_failure(f->folder, interrupt_at_17, ERROR_INTERRUPTED, "step 18");
    expect_failure(f->folder, no_space, ERROR_IO, "the checkpoint of step 18 is whole: mend the cause");
    run_to_end(f->folder, true);
    run_to_end(f->other, false);
    assert_same_run(f->folder, f->other);
}

static void worse(regression *r, train_options *o)
{
    r->worse_from = 10;
    o->patience = 3;
}

static void test_patience(void **state)
{
    fixture *f = *state;
    error err;
    regression r;
    open_task(&r);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, f->folder);
    worse(&r, &o);
    if (!train_run(&t, &o, &err)) fail_msg("%s", err.message);
    regression_close(&r);
    safetensors *last = safetensors_open(in(f->folder, "checkpoint.safetensors"), &err);
    safetensors *best = safetensors_open(in(f->folder, "best.safetensors"), &err);
    assert_string_equal(safetensors_metadata(last, "step"), "25");
    assert_string_equal(safetensors_metadata(best, "step"), "10");
    safetensors_close(last);
    safetensors_close(best);
}

int main(void)
{
    device_close(device_or_skip());
    fixture f = { .number = 0 };
    scratch_make(f.base);
#define TEST(function) \
    { \
#function, function, setup, NULL, &f \
    }
    const struct CMUnitTest tests[] = {
        TEST(test_whole_run),
        TEST(test_interrupted),
        TEST(test_refusals),
        TEST(test_older_run),
        TEST(test_failure_keeps_checkpoint),
        TEST(test_not_finite),
        TEST(test_disk),
        TEST(test_patience),
        TEST(test_failure_keeps_figures),
        TEST(test_figures_come_late),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(f.base);
    return failed;
}
