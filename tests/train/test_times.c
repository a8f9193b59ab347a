/* test_times.c -- where a run's time goes: parts that add up, what counts as waiting for data, and a file
 * that is only added to.
 * SPDX-License-Identifier: MIT */
#include "tests/train/regression.h"
#include "tests/train/run_compare.h"
#include "tests/train/scratch.h"

static char folder[256];

static char *lines_of(const char *name, const char *file)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return content(path, file);
}

static void rest(long milliseconds)
{
    nanosleep(&(struct timespec){ .tv_nsec = milliseconds * 1000000 }, NULL);
}

static times opened(const char *name)
{
    char path[300];
    error err;
    times t = { .file = -1 };
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_make_folders(path, &err) || !times_open(&t, path, &err)) fail_msg("%s", err.message);
    return t;
}

/* One step: `data` ms until its batch is there, of which the feed tells, then `device` ms until the figures
 * of the step before, or its own, come. */
static void step(times *t, times_feed *from, long data, long computing, bool own)
{
    times_begin(t, from);
    rest(data);
    from->waited += (double)data * 1e-3;
    times_begun(t, from);
    double asked = t->at;
    rest(computing);
    if (own || t->open > 1) times_ended(t, asked);
}

/* A device that has nothing to do waits all of the time that its batch takes. */
static void alone(void **state)
{
    (void)state;
    times t = opened("alone");
    times_feed own = { 0 };
    for (int i = 0; i < 4; ++i) step(&t, &own, 30, 10, true);
    assert_true(t.part[TIMES_DATA] > 0.119 && t.part[TIMES_DATA] < 0.121);
    assert_true(t.part[TIMES_DEVICE] > 0.039 && t.part[TIMES_DEVICE] >= 0);
    assert_true(times_share(&t) > 0.3 && times_share(&t) < 0.76);
    times_close(&t);
}

/* One that is still at the step before when the batch comes has not waited. */
static void behind(void **state)
{
    (void)state;
    times t = opened("behind");
    times_feed own = { 0 };
    step(&t, &own, 0, 40, true);
    step(&t, &own, 0, 0, false);
    for (int i = 0; i < 4; ++i) step(&t, &own, 20, 10, false);
    assert_true(t.part[TIMES_DATA] == 0);
    times_close(&t);
}

/* One that has finished when it comes has waited, but not while it computed: here 10 of 60 ms. */
static void between(void **state)
{
    (void)state;
    times t = opened("between");
    times_feed own = { 0 };
    step(&t, &own, 0, 10, true);
    step(&t, &own, 0, 0, false);
    for (int i = 0; i < 4; ++i) step(&t, &own, 60, 0, false);
    assert_true(t.shortest > 0.009 && t.part[TIMES_DATA] > 0 && t.part[TIMES_DATA] < 0.239);
    times_close(&t);
}

static json_t *line_at(const char *text, int number)
{
    for (; number > 0; --number) {
        text = strchr(text, '\n');
        assert_non_null(text);
        ++text;
    }
    json_t *o = json_loadb(text, strcspn(text, "\n"), 0, NULL);
    assert_non_null(o);
    return o;
}

static double field(const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void lines(void **state)
{
    (void)state;
    error err;
    times t = opened("lines");
    times_feed own = { .pictures = 8, .skipped = 3 };
    assert_true(times_write_start(&t, 5, NULL, &err));
    step(&t, &own, 5, 5, true);
    times_enter(&t, TIMES_VALIDATE);
    rest(10);
    times_enter(&t, TIMES_OTHER);
    assert_true(times_write(&t, 6, &own, &err) && times_write_end(&t, 6, "done", &err));
    char *text = lines_of("lines", "times.jsonl");
    json_t *start = line_at(text, 0), *line = line_at(text, 1), *last = line_at(text, 2);
    assert_true(field(start, "step") == 5 && field(start, "format") == TIMES_FORMAT &&
                field(start, "pid") == getpid());
    double sum = 0;
    static const char *const keys[] = { "device", "data", "validate", "sample", "save", "other" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) sum += field(line, keys[i]);
    assert_true(fabs(sum - field(line, "seconds")) < 1e-5 && field(line, "validate") > 0.0099);
    assert_true(field(line, "steps") == 1 && field(line, "skipped_pictures") == 3);
    assert_true(fabs(field(line, "pictures_per_second") / field(line, "steps_per_second") - 8) < 1e-3);
    assert_string_equal(json_string_value(json_object_get(last, "why")), "done");
    json_decref(start);
    json_decref(line);
    json_decref(last);
    free(text);
    times_close(&t);
}

/* Half a line, which a killed process left, stays one line. */
static void torn(void **state)
{
    (void)state;
    error err;
    times t = opened("torn");
    assert_true(write(t.file, "{\"step\":1,\"ki", 13) == 13);
    times_close(&t);
    t = opened("torn");
    assert_true(times_write_start(&t, 0, NULL, &err));
    times_close(&t);
    char *text = lines_of("torn", "times.jsonl");
    assert_true(strncmp(text, "{\"step\":1,\"ki\n{", 15) == 0);
    json_decref(line_at(text, 1));
    free(text);
}

/* ---- In a run ---- */

static times_feed feed;

static bool slow_begin(void *self, int64_t step_number, error *err)
{
    rest(20);
    feed.waited += 0.02;
    return regression_begin(self, step_number, err);
}

static void run(const char *name, bool slow, bool tensorboard)
{
    char path[300];
    error err = { .code = ERROR_NONE };
    regression r;
    if (!regression_open(&r, 0, &err)) fail_msg("%s", err.message);
    train_task task = regression_task(&r);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    train_options o = regression_options(&r, path);
    o.tensorboard = tensorboard;
    feed = (times_feed){ .pictures = 8 };
    task.feed = &feed;
    if (slow) task.begin = slow_begin;
    if (!train_run(&task, &o, &err)) fail_msg("%s", err.message);
    regression_close(&r);
}

/* Sums of a run's lines: in all, and waited for data. */
static void sums(const char *name, double *all, double *data)
{
    char *text = lines_of(name, "times.jsonl");
    int count = 0;
    *all = *data = 0;
    for (const char *c = text; (c = strchr(c, '\n')) != NULL; ++c) ++count;
    for (int i = 0; i < count; ++i) {
        json_t *o = line_at(text, i);
        const json_t *seconds = json_object_get(o, "seconds");
        if (seconds) {
            *all += json_number_value(seconds);
            *data += field(o, "data");
        }
        json_decref(o);
    }
    free(text);
}

static void waits_in_a_run(void **state)
{
    (void)state;
    double all, data;
    run("fast", false, false);
    sums("fast", &all, &data);
    assert_true(all > 0 && data == 0);
    run("slow", true, false);
    sums("slow", &all, &data);
    /* All but the first steps, whose kernels may be built while the batch is awaited. */
    assert_true(data > 0.1 && data < all);
    char *fast = lines_of("fast", "metrics.jsonl"), *slow = lines_of("slow", "metrics.jsonl");
    assert_string_equal(fast, slow); /* what is measured is not in them */
    free(fast);
    free(slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(alone),   cmocka_unit_test(behind),
                                        cmocka_unit_test(between), cmocka_unit_test(lines),
                                        cmocka_unit_test(torn),    cmocka_unit_test(waits_in_a_run) };
    error err;
    device *d = device_open(NULL, &err);
    if (!d) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return 77;
    }
    device_close(d);
    scratch_make(folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(folder);
    return failed;
}
