/* test_gallery.c -- thumbnails are Pillow's, and the nearest picture is found.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "tools/gallery.h"

/* Of noise(width, height, 7), resized to 16 x 16 by Pillow 13 with its BOX filter: the first and the last
 * four values, their sum, and the sum of value i times i + 1. */
typedef struct golden {
    int width, height, first[4], last[4];
    int64_t sum, weighted;
} golden;

static const golden cases[] = {
    { 64, 64, { 147, 143, 106, 103 }, { 130, 144, 158, 162 }, 98933, 38197788 },
    { 128, 128, { 130, 125, 140, 127 }, { 124, 145, 119, 121 }, 97949, 37554237 },
    { 50, 37, { 120, 90, 155, 153 }, { 140, 119, 104, 140 }, 98630, 38339070 },
    { 16, 16, { 61, 233, 156, 237 }, { 82, 210, 153, 40 }, 95788, 36193368 },
    { 96, 48, { 132, 149, 121, 145 }, { 121, 135, 155, 117 }, 98869, 38163952 },
};

static void thumbnails_are_pillows(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        image made = noise(cases[c].width, cases[c].height, 7);
        thumb small;
        int64_t sum = 0, weighted = 0;
        assert_true(thumb_make(&made, &small, NULL));
        for (int i = 0; i < THUMB_VALUES; ++i) {
            sum += small.value[i];
            weighted += (int64_t)small.value[i] * (i + 1);
        }
        for (int i = 0; i < 4; ++i) {
            assert_int_equal(small.value[i], cases[c].first[i]);
            assert_int_equal(small.value[THUMB_VALUES - 4 + i], cases[c].last[i]);
        }
        assert_int_equal(sum, cases[c].sum);
        assert_int_equal(weighted, cases[c].weighted);
        image_free(&made);
    }
}

static void small_pictures_are_refused(void **state)
{
    (void)state;
    error err = { 0 };
    thumb small;
    image made = noise(15, 64, 1);
    assert_false(thumb_make(&made, &small, &err));
    assert_says(&err, "15 x 64");
    image_free(&made);
}

static void add(const tar_file *t, const char *key, uint32_t seed)
{
    char name[64];
    snprintf(name, sizeof name, "%s.png", key);
    tar_add_noise(t, name, 32, 32, seed);
    snprintf(name, sizeof name, "%s.txt", key);
    tar_add_text(t, name, key);
}

/* Five pictures; "twin" looks as "a" does, "a-hue-120" is not a picture of its own. */
static dataset *open_five(const room *r)
{
    error err = { 0 };
    const char *path = at(r, "five.tar");
    tar_file t = tar_begin(path, false);
    add(&t, "a", 1);
    add(&t, "a-hue-120", 9);
    add(&t, "b", 2);
    add(&t, "c", 3);
    add(&t, "twin", 1);
    tar_end(&t);
    dataset *set = dataset_open(&path, 1, true, &err);
    if (!set) fail_msg("%s", err.message);
    return set;
}

static thumb thumb_of(const dataset *set, const char *key)
{
    thumb small;
    image picture;
    assert_true(dataset_read_picture(set, dataset_find(set, key), &picture, NULL));
    assert_true(thumb_make(&picture, &small, NULL));
    image_free(&picture);
    return small;
}

static void the_nearest_is_found(void **state)
{
    (void)state;
    room r = room_create();
    dataset *set = open_five(&r);
    error err = { 0 };
    gallery g;
    int64_t nearest = -1;
    if (!gallery_open(&g, set, &err)) fail_msg("%s", err.message);
    assert_int_equal(g.count, 4);
    thumb b = thumb_of(set, "b"), a = thumb_of(set, "a"), hue = thumb_of(set, "a-hue-120");
    assert_int_equal(gallery_rank(&g, &b, dataset_find(set, "b"), &nearest), 0);
    assert_int_equal(nearest, dataset_find(set, "b"));
    assert_true(gallery_rank(&g, &b, dataset_find(set, "c"), &nearest) >= 1);
    /* Of two that look the same either is right. */
    assert_int_equal(gallery_rank(&g, &a, dataset_find(set, "a"), &nearest), 0);
    assert_int_equal(gallery_rank(&g, &a, dataset_find(set, "twin"), &nearest), 0);
    assert_true(gallery_rank(&g, &a, dataset_find(set, "b"), &nearest) >= 2);
    /* A recoloured picture is never the nearest, nor has it a place. */
    assert_int_equal(gallery_rank(&g, &hue, dataset_find(set, "a-hue-120"), &nearest), -1);
    assert_int_not_equal(nearest, dataset_find(set, "a-hue-120"));
    assert_int_equal(gallery_rank(&g, &b, -1, &nearest), -1);
    assert_int_equal(nearest, dataset_find(set, "b"));
    gallery_close(&g);
    dataset_close(set);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbnails_are_pillows),
        cmocka_unit_test(small_pictures_are_refused),
        cmocka_unit_test(the_nearest_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
