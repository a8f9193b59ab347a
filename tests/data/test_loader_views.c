/* test_loader_views.c -- several views of a picture in a batch: each what it is alone.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/loader.h"

#define SAMPLES 11
#define BATCH   4
#define STEPS   9 /* more than three epochs, none of whole batches */

enum { LARGE, SMALL, CLEAN, OTHER, VIEWS, MOST = 32 };
static const loader_view views[VIEWS] = {
    { "large", MOST, AUGMENT_LISTING1, AUGMENT_FLIP_AS_MODE, NULL, NULL },
    { "small", MOST / 2, AUGMENT_NONE, AUGMENT_FLIP_AS_MODE, NULL, "large" },
    { "clean", 9, AUGMENT_NONE, AUGMENT_FLIP_OFF, NULL, NULL },
    { "other", MOST, AUGMENT_LISTING1, AUGMENT_FLIP_ON, "test.other", NULL },
};

/* Pictures large enough to be cut and shrunk. */
static dataset *make_large(const room *r, dataset_selection *all)
{
    tar_file t = tar_begin(at(r, "large.tar"), false);
    for (int i = 0; i < SAMPLES; ++i) {
        char name[16];
        snprintf(name, sizeof name, "%02d.png", i);
        tar_add_noise(&t, name, 30 + i * 13, 140 - i * 9, (uint32_t)i);
    }
    tar_end(&t);
    const char *path = at(r, "large.tar");
    dataset *d = dataset_open(&path, 1, false, NULL);
    assert_non_null(d);
    assert_true(dataset_select(d, NULL, 0, 0, false, all, NULL));
    return d;
}

/* The pixels of each of `count` views, [STEPS][BATCH * size * size * 3] one behind the other. */
typedef uint8_t pixels_of[STEPS][BATCH * MOST * MOST * 3];

static void load_views(const dataset *d, const dataset_selection *all, const loader_view *of, int count,
                       int threads, int64_t start, pixels_of *out)
{
    error err;
    loader_config config = { .batch = BATCH, .seed = 42, .threads = threads, .start_step = start };
    config.shuffle = true;
    memcpy(config.views, of, (size_t)count * sizeof *of);
    loader *l = loader_open(d, all, &config, &err);
    if (!l) fail_msg("%s", err.message);
    for (int64_t step = start; step < STEPS; ++step) {
        loader_batch *b;
        if (!loader_next(l, &b, &err)) fail_msg("%s", err.message);
        assert_ptr_equal(b->pixels, loader_pixels(b, of[0].name));
        for (int v = 0; v < count; ++v) {
            int side = loader_view_side(&of[v]);
            memcpy(out[v][step], loader_pixels(b, of[v].name), (size_t)(BATCH * side * side * 3));
        }
        loader_release(l, b);
    }
    loader_close(l);
}

/* The small view is the mean of each four pixels of the large one. */
static void assert_halved(const uint8_t *small, const uint8_t *large)
{
    enum { HALF = MOST / 2 };
    for (int i = 0; i < BATCH * HALF * HALF * 3; ++i) {
        int c = i % 3, x = i / 3 % HALF, y = i / 3 / HALF; /* y over all pictures of the batch */
        const uint8_t *from = large + ((size_t)(2 * y) * MOST + (size_t)(2 * x)) * 3 + c;
        int sum = from[0] + from[3] + from[MOST * 3] + from[MOST * 3 + 3];
        assert_int_equal(small[i], lrint(sum / 4.0));
    }
}

static void views_are_what_each_alone_is(void **state)
{
    (void)state;
    room r = room_create();
    dataset_selection all;
    dataset *d = make_large(&r, &all);
    pixels_of *together = calloc(VIEWS, sizeof *together), *again = calloc(VIEWS, sizeof *again);
    load_views(d, &all, views, VIEWS, 1, 0, together);
    for (int v = 0; v < VIEWS; ++v) {
        if (views[v].same_as) continue;
        memset(again, 0, sizeof *again);
        load_views(d, &all, &views[v], 1, 2, 0, again);
        assert_memory_equal(again[0], together[v], sizeof again[0]);
    }
    for (int step = 0; step < STEPS; ++step) assert_halved(together[SMALL][step], together[LARGE][step]);
    assert_memory_not_equal(together[LARGE], together[OTHER], sizeof together[LARGE]);
    for (int threads = 1; threads <= 4; ++threads) /* and resumed */
        for (int64_t start = 0; start < STEPS; start += 4) {
            memset(again, 0, VIEWS * sizeof *again);
            load_views(d, &all, views, VIEWS, threads, start, again);
            for (int v = 0; v < VIEWS; ++v)
                assert_memory_equal(again[v][start], together[v][start],
                                    (size_t)(STEPS - start) * sizeof again[v][0]);
        }
    free(together);
    free(again);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

/* One stream's numbers cut two views alike; a view of the same size as the one it shows is that one. */
static void streams_and_copies(void **state)
{
    (void)state;
    room r = room_create();
    dataset_selection all;
    dataset *d = make_large(&r, &all);
    pixels_of *got = calloc(3, sizeof *got);
    const loader_view three[3] = { { .name = "a", .size = MOST, .augment = AUGMENT_LISTING1, .stream = "s" },
                                   { .name = "b", .size = MOST, .augment = AUGMENT_LISTING1, .stream = "s" },
                                   { .name = "c", .size = MOST, .same_as = "b" } };
    load_views(d, &all, three, 3, 2, 0, got);
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    assert_memory_equal(got[0], got[2], sizeof got[0]);
    free(got);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

static void views_are_checked(void **state)
{
    (void)state;
    room r = room_create();
    dataset_selection all;
    dataset *d = make_large(&r, &all);
    static const struct {
        loader_view views[3];
        const char *says;
    } cases[] = {
        { { { 0 } }, "pictures of 0 pixels" },
        { { { .size = 8 }, { .size = 8 } }, "view 2 has no name" },
        { { { .size = 8 }, { .name = "b" } }, "pictures of 0 pixels" },
        { { { .size = 8 }, { 0 }, { .name = "c", .size = 8 } }, "pictures of 0 pixels" },
        { { { .name = "a", .size = 8 }, { .name = "a", .size = 4 } }, "two views are named 'a'" },
        { { { .name = "a", .size = 8 }, { .name = "b", .size = 9, .same_as = "a" } }, "has 8" },
        { { { .name = "a", .size = 8 }, { .name = "b", .size = 8, .same_as = "b" } }, "no view before it" },
        { { { .name = "a", .size = 8 },
            { .name = "b", .size = 8, .same_as = "a", .augment = AUGMENT_LISTING2 } },
          "not augmented by itself" },
        { { { .name = "a", .size = 8 }, { .name = "b", .size = 8, .same_as = "a", .stream = "s" } },
          "not augmented by itself" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err = { 0 };
        loader_config config = { .batch = 2 };
        memcpy(config.views, cases[i].views, sizeof cases[i].views);
        assert_null(loader_open(d, &all, &config, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_says(&err, cases[i].says);
    }
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

/* Where the square stands in the picture, in raster order, or -1. */
static int find_square(const uint8_t *whole, int size, const uint8_t *square, int side)
{
    for (int y = 0; y + side <= size; ++y)
        for (int x = 0; x + side <= size; ++x) {
            int row = 0;
            while (row < side &&
                   memcmp(whole + ((y + row) * size + x) * 3, square + row * side * 3, (size_t)side * 3) == 0)
                ++row;
            if (row == side) return y * size + x;
        }
    return -1;
}

/* Squares stand in the pictures that they are cut from, at many places, and their low forms are those of
 * the squares: whatever the number of threads, and wherever the loader starts. */
static void windows_and_low_forms(void **state)
{
    (void)state;
    enum { WINDOW = 12, LOW = 6, COUNT = 3 };
    static const degradation how = { DEGRADE_BSR, 0.7, 0, 0, 1, 2, 25, 30, 95 };
    static const loader_view of[COUNT] = {
        { .name = "square", .size = MOST, .augment = AUGMENT_LISTING1, .window = WINDOW },
        { .name = "low", .size = LOW, .same_as = "square", .degrade = &how },
        { .name = "whole", .size = MOST, .augment = AUGMENT_LISTING1 },
    };
    room r = room_create();
    dataset_selection all;
    dataset *d = make_large(&r, &all);
    pixels_of *first = calloc(COUNT, sizeof *first), *again = calloc(COUNT, sizeof *again);
    load_views(d, &all, of, COUNT, 1, 0, first);
    unsigned places = 0;
    for (int i = 0; i < STEPS * BATCH; ++i) {
        const uint8_t *square = first[0][i / BATCH] + i % BATCH * WINDOW * WINDOW * 3,
                      *whole = first[2][i / BATCH] + i % BATCH * MOST * MOST * 3;
        int at = find_square(whole, MOST, square, WINDOW);
        assert_true(at >= 0);
        places |= 1u << (at % MOST) % 32;
    }
    assert_true(__builtin_popcount(places) > 12);
    for (int threads = 1; threads <= 4; ++threads)
        for (int64_t start = 0; start < STEPS; start += 3) {
            memset(again, 0, COUNT * sizeof *again);
            load_views(d, &all, of, COUNT, threads, start, again);
            for (int v = 0; v < COUNT; ++v)
                assert_memory_equal(again[v][start], first[v][start],
                                    (size_t)(STEPS - start) * sizeof again[v][0]);
        }
    free(first);
    free(again);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

static void wrong_windows_are_refused(void **state)
{
    (void)state;
    static const degradation how = { DEGRADE_BLUR, 1, 1, 1, 1, 0, 0, 1, 1 };
    static const struct {
        loader_view views[2];
        const char *says;
    } cases[] = {
        { { { .name = "a", .size = 8, .window = 9 } }, "a window of 9 pixels in pictures of 8" },
        { { { .name = "a", .size = 8, .window = -1 } }, "a window of -1 pixels in pictures of 8" },
        { { { .name = "a", .size = 8, .window = 4 }, { .name = "b", .size = 5, .same_as = "a" } },
          "view 'b' of 5 pixels is to show what 'a' shows, which has 4" },
        { { { .name = "a", .size = 8, .window = 6 },
            { .name = "b", .size = 4, .same_as = "a", .degrade = &how } },
          "view 'b' of 4 pixels is to be made of 'a', whose 6 are no multiple of it" },
        { { { .name = "a", .size = 8 }, { .name = "b", .size = 4, .same_as = "a", .window = 2 } },
          "view 'b' shows what 'a' shows, and is not augmented by itself" },
    };
    room r = room_create();
    dataset_selection all;
    dataset *d = make_large(&r, &all);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err;
        loader_config config = { .batch = 1 };
        memcpy(config.views, cases[i].views, sizeof cases[i].views);
        assert_null(loader_open(d, &all, &config, &err));
        assert_says(&err, cases[i].says);
    }
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_what_each_alone_is),
        cmocka_unit_test(streams_and_copies),
        cmocka_unit_test(views_are_checked),
        cmocka_unit_test(windows_and_low_forms),
        cmocka_unit_test(wrong_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
