/* test_picture_cache.c -- a picture from the cache trains as the picture itself.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/picture_cache.h"

enum { SIZE = 16 };

static room base;
static dataset *set;

static void add(const char *name, int width, int height)
{
    char path[200];
    image picture = noise(width, height, (uint32_t)(width * 31 + height));
    snprintf(path, sizeof path, "%s/set/%s.png", base.path, name);
    assert_true(image_write_png(&picture, path, NULL));
    image_free(&picture);
}

static void example(const image *picture, augment_mode mode, uint32_t epoch, uint8_t *out)
{
    assert_true(augment(picture, SIZE, mode, AUGMENT_FLIP_ON, 5, epoch, 1, out, NULL));
}

/* With room for all, for some, for none; first read and later ones. */
static void same_examples(void **state)
{
    (void)state;
    error err;
    for (int mode = AUGMENT_NONE; mode <= AUGMENT_LISTING2; ++mode)
        for (int64_t bytes = 0; bytes <= 100000; bytes += 50000) {
            picture_cache *c = picture_cache_create(set, SIZE, (augment_mode)mode, bytes, &err);
            assert_non_null(c);
            for (int64_t i = 0; i < 3 * dataset_count(set); ++i) {
                int64_t index = i % dataset_count(set);
                uint8_t wanted[SIZE * SIZE * 3], got[SIZE * SIZE * 3];
                image whole, small;
                assert_true(dataset_read_picture(set, index, &whole, &err));
                assert_true(picture_cache_read(c, index, &small, &err));
                bool large = whole.width > 3 * SIZE && whole.height > 3 * SIZE;
                example(&whole, (augment_mode)mode, (uint32_t)i, wanted);
                example(&small, (augment_mode)mode, (uint32_t)i, got);
                if (mode == AUGMENT_NONE || !large) assert_memory_equal(got, wanted, sizeof got);
                if (mode == AUGMENT_NONE) assert_true(small.width == SIZE && small.height == SIZE);
                if (mode != AUGMENT_NONE && large)
                    assert_true(small.height == 3 * SIZE &&
                                small.width == whole.width * 3 * SIZE / whole.height);
                image_free(&whole);
                image_free(&small);
            }
            picture_cache_destroy(c);
        }
}

static void errors_are_the_pictures(void **state)
{
    (void)state;
    error err;
    char path[200];
    picture_cache *c = picture_cache_create(set, SIZE, AUGMENT_NONE, 1000000, &err);
    snprintf(path, sizeof path, "%s/set/tall.png", base.path);
    assert_true(file_write(path, "no picture", 10, NULL));
    int64_t index = dataset_find(set, "tall");
    image picture;
    for (int i = 0; i < 2; ++i) {
        assert_false(picture_cache_read(c, index, &picture, &err));
        assert_non_null(strstr(err.message, "tall.png"));
        assert_null(picture.pixels);
    }
    picture_cache_destroy(c);
}

int main(void)
{
    error err;
    base = room_create();
    const char *path = at(&base, "set");
    assert_true(file_make_folders(path, NULL));
    add("even", SIZE, SIZE);
    add("small", 7, 9);
    add("large", 200, 150);
    add("wide", 90, 20);
    add("tall", 30, 70);
    set = dataset_open(&path, 1, false, &err);
    if (!set) fail_msg("%s", err.message);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_examples),
        cmocka_unit_test(errors_are_the_pictures),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dataset_close(set);
    room_remove(&base);
    return failed;
}
