/* test_picture_cache.c -- a picture from the cache trains as the picture itself.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/picture_cache.h"

#include <png.h>

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

static void example(const image *picture, const picture_use *u, uint32_t epoch, uint8_t *out)
{
    const augment_dice dice = { .seed = 5, .epoch = epoch, .sample = 1 };
    assert_true(augment_by(picture, u->size, u->mode, AUGMENT_FLIP_ON, u->filter, &dice, out, NULL));
}

enum { USES = 4 };
static const picture_use uses[USES] = { { SIZE, AUGMENT_NONE },
                                        { SIZE, AUGMENT_LISTING1 },
                                        { 2 * SIZE, AUGMENT_LISTING2, IMAGE_BICUBIC },
                                        { 9, AUGMENT_NONE, IMAGE_LANCZOS } };

/* What the cache gives for a use, of the picture that it was made from. */
static void check_use(const picture_use *u, const image *whole, const image *small, uint32_t epoch)
{
    uint8_t wanted[4 * SIZE * SIZE * 3], got[4 * SIZE * SIZE * 3];
    bool large = whole->width > 3 * u->size && whole->height > 3 * u->size;
    example(whole, u, epoch, wanted);
    example(small, u, epoch, got);
    if (u->mode == AUGMENT_NONE || !large) assert_memory_equal(got, wanted, (size_t)(u->size * u->size * 3));
    if (u->mode == AUGMENT_NONE) assert_true(small->width == u->size && small->height == u->size);
    if (u->mode != AUGMENT_NONE && large)
        assert_true(small->height == 3 * u->size &&
                    small->width == whole->width * 3 * u->size / whole->height);
}

/* Each use alone and all together; with room for all, for some, for none; first read and later ones. */
static void same_examples(void **state)
{
    (void)state;
    error err;
    for (int first = 0; first <= USES; ++first)
        for (int64_t bytes = 0; bytes <= 200000; bytes += 50000) {
            const picture_use *of = first < USES ? &uses[first] : uses;
            int count = first < USES ? 1 : USES;
            picture_cache *c = picture_cache_create(set, of, count, bytes, &err);
            assert_non_null(c);
            for (int64_t i = 0; i < 3 * dataset_count(set); ++i) {
                int64_t index = i % dataset_count(set);
                image whole, small[USES];
                assert_true(dataset_read_picture(set, index, &whole, &err));
                assert_true(picture_cache_read(c, index, small, &err));
                for (int k = 0; k < count; ++k) {
                    check_use(&of[k], &whole, &small[k], (uint32_t)i);
                    image_free(&small[k]);
                }
                image_free(&whole);
            }
            picture_cache_destroy(c);
        }
}

/* Every read of a PNG sets its limits once: counted here, in place of libpng's own. */
static int decoded;

void png_set_user_limits(png_structrp png, png_uint_32 width, png_uint_32 height)
{
    (void)png;
    (void)width;
    (void)height;
    ++decoded;
}

static void decoded_once_for_all_uses(void **state)
{
    (void)state;
    error err;
    for (int kept = 0; kept < 2; ++kept) {
        picture_cache *c = picture_cache_create(set, uses, USES, kept ? 1000000 : 0, &err);
        decoded = 0;
        for (int i = 0; i < 3; ++i) {
            image pictures[USES];
            assert_true(picture_cache_read(c, 0, pictures, &err));
            for (int k = 0; k < USES; ++k) image_free(&pictures[k]);
        }
        assert_int_equal(decoded, kept ? 1 : 3);
        picture_cache_destroy(c);
    }
}

static void errors_are_the_pictures(void **state)
{
    (void)state;
    error err;
    char path[200];
    picture_cache *c = picture_cache_create(set, uses, USES, 1000000, &err);
    snprintf(path, sizeof path, "%s/set/tall.png", base.path);
    assert_true(file_write(path, "no picture", 10, NULL));
    int64_t index = dataset_find(set, "tall");
    image pictures[USES];
    for (int i = 0; i < 2; ++i) {
        assert_false(picture_cache_read(c, index, pictures, &err));
        assert_non_null(strstr(err.message, "tall.png"));
        for (int k = 0; k < USES; ++k) assert_null(pictures[k].pixels);
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
        cmocka_unit_test(decoded_once_for_all_uses),
        cmocka_unit_test(errors_are_the_pictures),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dataset_close(set);
    room_remove(&base);
    return failed;
}
