/* test_data.c -- what a stage sees of a data set with broken and repeated pictures: batches, a validation
 * part, and a file in the run's folder that names what was skipped.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "host/base/log.h"
#include "models/data.h"

#define COUNT 20
#define SIZE  8

/* Every third picture is broken, every fourth comes twice. */
static void make_set(const room *r)
{
    tar_file t = tar_begin(at(r, "set.tar"), false);
    for (int i = 0; i < COUNT; ++i) {
        char name[16];
        snprintf(name, sizeof name, "%02d.png", i);
        if (i % 3 == 1)
            tar_add_text(&t, name, "<html>");
        else
            tar_add_noise(&t, name, SIZE, SIZE, (uint32_t)i);
        snprintf(name, sizeof name, "%02d.json", i);
        if (i % 4 == 0) tar_add_text(&t, name, "{\"repeat\":2}");
    }
    tar_end(&t);
}

static training_data *open_data(const room *r, double holdout, double share, bool resume, error *err)
{
    static char set[512], run[512];
    snprintf(set, sizeof set, "%s", at(r, "set.tar"));
    snprintf(run, sizeof run, "%s", at(r, "run"));
    static const loader_view half = { .name = "half", .size = SIZE / 2, .same_as = "picture" };
    const training_data_options options = { .path = set,
                                            .split = "train",
                                            .holdout = holdout,
                                            .size = SIZE,
                                            .batch = 7,
                                            .augment = AUGMENT_NONE,
                                            .flip = AUGMENT_FLIP_OFF,
                                            .views = &half,
                                            .view_count = 1,
                                            .seed = 5,
                                            .threads = 2,
                                            .skip_share = share,
                                            .run = run,
                                            .resume = resume };
    return training_data_open(&options, err);
}

static void assert_pixels(const uint8_t *pixels, int64_t sample)
{
    assert_int_not_equal(sample % 3, 1);
    image expected = noise(SIZE, SIZE, (uint32_t)sample);
    assert_memory_equal(pixels, expected.pixels, SIZE * SIZE * 3);
    image_free(&expected);
}

static void assert_half(const uint8_t *pixels, int64_t sample)
{
    image whole = noise(SIZE, SIZE, (uint32_t)sample), half;
    assert_true(image_resize_area(&whole, SIZE / 2, SIZE / 2, false, &half, NULL));
    assert_memory_equal(pixels, half.pixels, SIZE / 2 * SIZE / 2 * 3);
    image_free(&half);
    image_free(&whole);
}

static void broken_pictures_are_in_no_part(void **state)
{
    (void)state;
    for (int held = 0; held < 2; ++held) {
        room r = room_create();
        error err = { 0 };
        make_set(&r);
        assert_true(file_make_folders(at(&r, "run"), NULL));
        assert_true(file_write(at(&r, "run/skipped.txt"), "old\tof another run\n", 19, NULL));
        training_data *d = open_data(&r, held ? 0.5 : 0, 0.05, false, &err);
        if (!d) fail_msg("%s", err.message);
        for (int64_t step = 0; step < 12; ++step) {
            const loader_batch *b = training_data_next(d, step, &err);
            if (!b) fail_msg("%s", err.message);
            for (int i = 0; i < b->count; ++i) {
                assert_pixels(b->pixels + i * SIZE * SIZE * 3, b->samples[i]);
                assert_half(loader_pixels(b, "half") + i * SIZE / 2 * SIZE / 2 * 3, b->samples[i]);
            }
        }
        int64_t count, few, seen[COUNT] = { 0 };
        assert_true(training_data_validation_count(d, 3, &few, &err));
        assert_int_equal(few, 3);
        const uint8_t *pixels = training_data_validation(d, 100, &count, &err);
        assert_non_null(pixels);
        assert_true(held ? count > 3 && count <= 10 : count == 13);
        for (int64_t i = 0; i < count; ++i) {
            int64_t sample = training_data_validation_index(d, i);
            assert_pixels(pixels + i * SIZE * SIZE * 3, sample);
            assert_int_equal(seen[sample]++, 0);
        }
        training_data_close(d);
        char *text = file_read(at(&r, "run/skipped.txt"), NULL, &err);
        int lines = 0;
        for (const char *c = text; *c; ++c) lines += *c == '\n';
        assert_int_equal(lines, 7);
        assert_non_null(strstr(text, "19\t"));
        assert_null(strstr(text, "another run"));
        free(text);
        room_remove(&r);
    }
}

static void a_resumed_run_keeps_what_it_said(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    make_set(&r);
    assert_true(file_make_folders(at(&r, "run"), NULL));
    assert_true(file_write(at(&r, "run/skipped.txt"), "02\twas mended\n", 14, NULL));
    training_data *d = open_data(&r, 0, 0.05, true, &err);
    assert_non_null(training_data_next(d, 40, &err));
    training_data_close(d);
    char *text = file_read(at(&r, "run/skipped.txt"), NULL, &err);
    assert_non_null(strstr(text, "02\twas mended"));
    free(text);
    room_remove(&r);
}

static void none_may_be_skipped(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    make_set(&r);
    training_data *d = open_data(&r, 0, 0, false, &err);
    assert_non_null(d);
    const loader_batch *b = NULL;
    for (int64_t step = 0; step < 4 && (step == 0 || b); ++step) b = training_data_next(d, step, &err);
    assert_null(b);
    assert_says(&err, "HTML");
    uint8_t pixels[SIZE * SIZE * 3];
    bool good = true;
    assert_false(training_data_picture(d, 1, pixels, &good, &err));
    training_data_close(d);
    assert_false(file_exists(at(&r, "run/skipped.txt")));
    room_remove(&r);
}

/* ---- Parts that a set names ---- */

static char said[512];

static void hear(void *context, log_level level, const char *line)
{
    (void)context;
    if (level == LOG_WARNINGS) snprintf(said, sizeof said, "%s", line);
}

static bool warns(const char *set, const char *split)
{
    error err = { 0 };
    const training_data_options options = {
        .path = set, .split = split, .size = SIZE, .batch = 1, .threads = 1, .run = "run"
    };
    said[0] = 0;
    log_set_sink(hear, NULL);
    training_data *d = training_data_open(&options, &err);
    log_set_sink(NULL, NULL);
    if (!d) fail_msg("%s", err.message);
    training_data_close(d);
    return *said;
}

/* Whoever learns from what is to measure it is told. */
static void all_parts_at_once_are_named(void **state)
{
    (void)state;
    room r = room_create();
    for (int named = 0; named < 2; ++named) {
        tar_file t = tar_begin(at(&r, "parts.tar"), false);
        for (int i = 0; i < 3; ++i) {
            char name[16];
            snprintf(name, sizeof name, "%d.png", i);
            tar_add_noise(&t, name, SIZE, SIZE, (uint32_t)i);
            snprintf(name, sizeof name, "%d.json", i);
            if (named) tar_add_text(&t, name, i ? "{\"split\":\"train\"}" : "{\"split\":\"val\"}");
        }
        tar_end(&t);
        assert_int_equal(warns(at(&r, "parts.tar"), ""), named);
        if (named && !strstr(said, "its splits 'val', 'train' alike")) fail_msg("said '%s'", said);
        assert_false(warns(at(&r, "parts.tar"), "train"));
    }
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_pictures_are_in_no_part),
        cmocka_unit_test(a_resumed_run_keeps_what_it_said),
        cmocka_unit_test(none_may_be_skipped),
        cmocka_unit_test(all_parts_at_once_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
