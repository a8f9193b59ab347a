/* test_damage.c -- checkpoints that are not what was saved: known by any bit, passed over when a run is
 * resumed, refused where there is no other; how many are kept; and settings that a resumed run may change.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"
#include "tests/train/regression.h"
#include "tests/train/run_compare.h"
#include "tests/train/scratch.h"

#include <fcntl.h>

typedef struct fixture {
    device *device;
    char base[256], folder[300], whole[300];
    int number;
} fixture;

static char said[4000];

static void hear(void *context, log_level level, const char *line)
{
    (void)context;
    (void)level;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}

typedef void change(regression *r, train_options *o);

static bool run_in(fixture *f, const char *folder, bool resume, change *c, error *err)
{
    regression r;
    if (!regression_open_on(&r, f->device, 16, err)) fail_msg("%s", err->message);
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, folder);
    o.resume = resume;
    if (c) c(&r, &o);
    said[0] = '\0';
    bool ok = train_run(&t, &o, err);
    r.device = NULL;
    regression_close(&r);
    return ok;
}

static void expect_run(fixture *f, const char *folder, bool resume, change *c)
{
    error err = { .code = ERROR_NONE };
    if (!run_in(f, folder, resume, c, &err)) fail_msg("%s", err.message);
}

static void interrupt_at_33(regression *r, train_options *o)
{
    (void)o;
    r->interrupt_at = 33;
}

/* A run stopped after 34 steps, with those of 30 and 20 besides. */
static int setup(void **state)
{
    fixture *f = *state;
    error err;
    snprintf(f->folder, sizeof f->folder, "%s/run-%d", f->base, ++f->number);
    assert_false(run_in(f, f->folder, false, interrupt_at_33, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    return 0;
}

static char *read_file(const char *path, size_t *size)
{
    error err;
    char *bytes = file_read(path, size, &err);
    if (!bytes) fail_msg("%s", err.message);
    return bytes;
}

static void write_over(const char *path, const char *bytes, size_t size)
{
    error err;
    if (!file_write(path, bytes, size, &err)) fail_msg("%s", err.message);
}

static bool is_good(const char *path)
{
    error err = { .code = ERROR_NONE };
    if (checkpoint_verify(path, &err)) return true;
    if (err.code != ERROR_FORMAT || !strstr(err.message, path)) fail_msg("%d: %s", err.code, err.message);
    return false;
}

/* Every byte of a checkpoint, of its header, its metadata and its checksum too, with one bit turned. */
static void test_every_byte(void **state)
{
    fixture *f = *state;
    char path[400];
    size_t size;
    snprintf(path, sizeof path, "%s/copy.safetensors", f->base);
    char *bytes = read_file(in(f->folder, "checkpoint.safetensors"), &size);
    write_over(path, bytes, size);
    assert_true(is_good(path));
    int descriptor = open(path, O_WRONLY);
    for (size_t at = 0; at < size; ++at) {
        char turned = (char)(bytes[at] ^ 1 << at % 8);
        assert_int_equal(pwrite(descriptor, &turned, 1, (off_t)at), 1);
        if (is_good(path)) fail_msg("bit %zu of byte %zu of %zu may be turned", at % 8, at, size);
        assert_int_equal(pwrite(descriptor, &bytes[at], 1, (off_t)at), 1);
    }
    assert_true(is_good(path));
    for (size_t length = 0; length < size; length += 1 + length / 7) {
        write_over(path, bytes, length);
        assert_false(is_good(path));
    }
    close(descriptor);
    free(bytes);
}

/* Other readers pass over what the file states; a file of before, without it, is still one. */
static void test_older_files(void **state)
{
    fixture *f = *state;
    error err;
    const char *path = in(f->folder, "checkpoint.safetensors");
    safetensors *file = safetensors_open(path, &err);
    assert_int_equal(strlen(safetensors_metadata(file, SAFETENSORS_SUM)), 64);
    safetensors_writer *w = safetensors_writer_create();
    for (int i = 0; i < safetensors_count(file); ++i) {
        const safetensors_tensor *t = safetensors_at(file, i);
        assert_true(safetensors_add(w, t->name, t->type, t->rank, t->dim, t->data, t->bytes, &err));
    }
    static const char *const keys[] = { "kind", "step", "config", "state" };
    for (int i = 0; i < 4; ++i)
        assert_true(safetensors_add_metadata(w, keys[i], safetensors_metadata(file, keys[i]), &err));
    assert_true(safetensors_add_metadata(w, "format", CHECKPOINT_FORMAT_OLD, &err));
    assert_true(safetensors_write(w, path, &err));
    safetensors_writer_destroy(w);
    safetensors_close(file);
    assert_true(is_good(path));
    expect_run(f, f->folder, true, NULL);
    assert_string_equal(said, "");
    assert_same_run(f->folder, f->whole);
}

/* ---- Going on ---- */

typedef void damage(const char *path);

static void turn_a_bit(const char *path)
{
    size_t size;
    char *bytes = read_file(path, &size);
    bytes[size - 5] ^= 4;
    write_over(path, bytes, size);
    free(bytes);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 1000), 0);
}

static void cut_a_byte(const char *path)
{
    size_t size;
    free(read_file(path, &size));
    assert_int_equal(truncate(path, (off_t)size - 1), 0);
}

static void empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void zero(const char *path)
{
    size_t size;
    char *bytes = read_file(path, &size);
    memset(bytes, 0, size);
    write_over(path, bytes, size);
    free(bytes);
}

static void nonsense(const char *path)
{
    write_over(path, "This is not a checkpoint but a text.\n", 37);
}

static void later_step(const char *path)
{
    size_t size;
    char *bytes = read_file(path, &size), *at = memmem(bytes, size, "\"step\":\"34\"", 11);
    assert_non_null(at);
    memcpy(at, "\"step\":\"35\"", 11);
    write_over(path, bytes, size);
    free(bytes);
}

static void go_away(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static void test_falls_back(void **state)
{
    static damage *const damages[] = { turn_a_bit, cut, cut_a_byte, empty, zero, nonsense, later_step };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; ++i) {
        if (i) setup(state);
        damages[i](in(f->folder, "checkpoint.safetensors"));
        expect_run(f, f->folder, true, NULL);
        if (!strstr(said, "/checkpoint.safetensors") || !strstr(said, "going on from the one before, '") ||
            !strstr(said, "checkpoint-000030.safetensors'"))
            fail_msg("damage %zu: said: %s", i, said);
        assert_same_run(f->folder, f->whole);
        assert_true(is_good(in(f->folder, "checkpoint-000030.safetensors")));
    }
}

static void test_falls_back_further(void **state)
{
    fixture *f = *state;
    turn_a_bit(in(f->folder, "checkpoint.safetensors"));
    cut(in(f->folder, "checkpoint-000030.safetensors"));
    expect_run(f, f->folder, true, NULL);
    assert_non_null(strstr(said, "checkpoint-000020.safetensors'"));
    assert_same_run(f->folder, f->whole);
    /* The damaged ones have made way for whole ones of their steps. */
    assert_true(is_good(in(f->folder, "checkpoint-000030.safetensors")));

    /* One that is gone is no other than one that is damaged. */
    setup(state);
    go_away(in(f->folder, "checkpoint.safetensors"));
    expect_run(f, f->folder, true, NULL);
    assert_same_run(f->folder, f->whole);

    /* The best is the last resort. */
    setup(state);
    turn_a_bit(in(f->folder, "checkpoint.safetensors"));
    empty(in(f->folder, "checkpoint-000030.safetensors"));
    nonsense(in(f->folder, "checkpoint-000020.safetensors"));
    expect_run(f, f->folder, true, NULL);
    assert_non_null(strstr(said, "best.safetensors'"));
    assert_same_run(f->folder, f->whole);
}

/* Stopped before the first save after a fall back, and again. */
static void stop_soon(regression *r, train_options *o)
{
    o->save_every = 0;
    r->interrupt_at = 31;
}

static void test_stopped_again(void **state)
{
    fixture *f = *state;
    error err;
    turn_a_bit(in(f->folder, "checkpoint.safetensors"));
    assert_false(run_in(f, f->folder, true, stop_soon, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    assert_true(is_good(in(f->folder, "checkpoint.safetensors")));
    assert_true(is_good(in(f->folder, "checkpoint-000030.safetensors")));
    expect_run(f, f->folder, true, NULL);
    assert_string_equal(said, "");
    assert_same_run(f->folder, f->whole);
}

static void test_none_whole(void **state)
{
    static const char *const names[] = { "checkpoint.safetensors", "checkpoint-000030.safetensors",
                                         "checkpoint-000020.safetensors", "best.safetensors" };
    fixture *f = *state;
    error err;
    for (int i = 0; i < 4; ++i) turn_a_bit(in(f->folder, names[i]));
    assert_false(run_in(f, f->folder, true, NULL, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    if (!strstr(err.message, "none of the 4 checkpoints in ") ||
        !strstr(err.message, "/checkpoint.safetensors"))
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; ++i) go_away(in(f->folder, names[i])); /* as it says */
    expect_run(f, f->folder, true, NULL);
    assert_same_run(f->folder, f->whole);
}

/* Another model's is whole, and no reason to look further. */
static void test_of_another_kind(void **state)
{
    fixture *f = *state;
    error err;
    regression r;
    assert_true(regression_open_on(&r, f->device, 8, &err)); /* 8 elements of ballast, not 16 */
    train_task t = regression_task(&r);
    train_options o = regression_options(&r, f->folder);
    o.resume = true;
    said[0] = '\0';
    assert_false(train_run(&t, &o, &err));
    assert_non_null(
        strstr(err.message, "/checkpoint.safetensors': tensor 'ballast' is [16], the model's is [8]"));
    assert_string_equal(said, "");
    r.device = NULL;
    regression_close(&r);
}

/* What is not run, but packed or measured, is refused. */
static void test_import(void **state)
{
    fixture *f = *state;
    error err;
    regression r;
    assert_true(regression_open_on(&r, f->device, 16, &err));
    assert_true(checkpoint_import(r.store, in(f->folder, "best.safetensors"), true, NULL, &err));
    turn_a_bit(in(f->folder, "best.safetensors"));
    assert_false(checkpoint_import(r.store, in(f->folder, "best.safetensors"), true, NULL, &err));
    if (!strstr(err.message, "best.safetensors: damaged: ")) fail_msg("%s", err.message);
    assert_true(checkpoint_export(r.store, in(f->folder, "out.safetensors"), true, DTYPE_F16, NULL, 0, &err));
    turn_a_bit(in(f->folder, "out.safetensors"));
    assert_false(checkpoint_import(r.store, in(f->folder, "out.safetensors"), false, NULL, &err));
    r.device = NULL;
    regression_close(&r);
}

/* ---- How many are kept ---- */

static void expect_kept(fixture *f, const char *steps)
{
    char found[200] = "";
    for (int step = 0; step <= 40; ++step) {
        char name[64];
        snprintf(name, sizeof name, "checkpoint-%06d.safetensors", step);
        if (file_exists(in(f->folder, name))) snprintf(found + strlen(found), 20, " %d", step);
    }
    assert_string_equal(found, steps);
}

static void keep_five(regression *r, train_options *o)
{
    static const char *const may_change[] = { "keep", NULL };
    (void)r;
    o->config_text = "rate = 0.05\nwidth = 5\nkeep = 5\n";
    o->config_defaults = "rate = 0.1\nwidth = 3\nkeep = 3\n";
    o->may_change = may_change;
    o->keep = 5;
    o->save_every = 2;
}

static void keep_one(regression *r, train_options *o)
{
    keep_five(r, o);
    o->config_text = "rate = 0.05\nwidth = 5\nkeep = 1\n";
    o->keep = 1;
}

static void test_keeps(void **state)
{
    fixture *f = *state;
    expect_kept(f, " 20 30");
    expect_run(f, f->folder, true, NULL);
    expect_kept(f, " 30 34");

    /* The number may change, and nothing else with it. */
    setup(state);
    expect_run(f, f->folder, true, keep_five);
    expect_kept(f, " 30 34 36 38");
    char *text = content(f->folder, "config.cfg");
    assert_non_null(strstr(text, "keep = 5")); /* the run has it from now on */
    free(text);
    setup(state);
    expect_run(f, f->folder, true, keep_one);
    expect_kept(f, "");
    assert_same_run(f->folder, f->whole);
}

int main(void)
{
    error err;
    fixture f = { .device = device_open(NULL, &err) };
    if (!f.device) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    scratch_make_quick(f.base);
    snprintf(f.whole, sizeof f.whole, "%s/whole", f.base);
    log_set_sink(hear, NULL);
    expect_run(&f, f.whole, false, NULL);
#define TEST(function) \
    { \
#function, function, setup, NULL, &f \
    }
    const struct CMUnitTest tests[] = {
        TEST(test_every_byte),         TEST(test_older_files),   TEST(test_falls_back),
        TEST(test_falls_back_further), TEST(test_stopped_again), TEST(test_none_whole),
        TEST(test_of_another_kind),    TEST(test_import),        TEST(test_keeps),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    log_set_sink(NULL, NULL);
    scratch_remove(f.base);
    device_close(f.device);
    return failed;
}
