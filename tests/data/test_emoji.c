/* test_emoji.c -- the set built from Debian 12's packages is the one it should be.
 * Skipped where the font and lists are not installed.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/emoji.h"
#include "host/base/hash.h"

#define COUNT    3655
#define HELD_OUT 365
/* SHA-256 of the lines "key, caption, group, keywords joined by |, split", separated by tabs. */
#define DIGEST "c51105ff91bff827cd3ecb3c4b89dc2f126fda5e522028f838d708d3f5881dab"

static void add_line(hash *h, const dataset_sample *s)
{
    const char *fields[] = { s->key, "\t", s->caption, "\t", s->group, "\t" };
    for (int i = 0; i < 6; ++i) hash_bytes(h, fields[i], strlen(fields[i]));
    for (int i = 0; i < s->keyword_count; ++i) {
        if (i) hash_bytes(h, "|", 1);
        hash_bytes(h, s->keywords[i], strlen(s->keywords[i]));
    }
    hash_bytes(h, "\t", 1);
    hash_bytes(h, s->split, strlen(s->split));
    hash_bytes(h, "\n", 1);
}

static void builds_the_set(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    emoji_options options = { .size = 16 }; /* small, to be quick */
    int count = 0;
    if (!emoji_build(&options, at(&r, "e.tar"), &count, &err)) fail_msg("%s", err.message);
    assert_int_equal(count, COUNT);
    const char *path = at(&r, "e.tar");
    dataset *d = dataset_open(&path, 1, true, &err);
    if (!d) fail_msg("%s", err.message);
    assert_int_equal(dataset_count(d), COUNT);
    hash h;
    hash_start(&h);
    for (int i = 0; i < COUNT; ++i) add_line(&h, dataset_at(d, i));
    char hex[65];
    hash_finish(&h, hex);
    assert_string_equal(hex, DIGEST);
    dataset_selection held;
    assert_true(dataset_select(d, "val", 0, 0, false, &held, &err));
    assert_int_equal(held.count, HELD_OUT);
    dataset_selection_free(&held);

    int64_t heart = dataset_find(d, "e1f49a");
    assert_string_equal(dataset_at(d, heart)->caption, "green heart");
    image picture;
    assert_true(dataset_read_picture(d, heart, &picture, &err));
    assert_int_equal(picture.width, 16);
    const uint8_t *middle = picture.pixels + (8 * 16 + 8) * 3;
    assert_true(middle[1] > middle[0] + 40 && middle[1] > middle[2] + 40);
    for (int c = 0; c < 3; ++c) assert_int_equal(picture.pixels[c], 255);
    image_free(&picture);
    dataset_close(d);
    room_remove(&r);
}

static void wrong_files_are_named(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    emoji_options missing = { .font = "nowhere.ttf" };
    assert_false(emoji_build(&missing, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "install the Debian package fonts-noto-color-emoji");
    missing = (emoji_options){ .list = "nowhere.txt" };
    assert_false(emoji_build(&missing, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "unicode-data");
    missing = (emoji_options){ .words_derived = "nowhere.xml" };
    assert_false(emoji_build(&missing, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "unicode-cldr-core");
    emoji_options large = { .size = 5000 };
    assert_false(emoji_build(&large, at(&r, "e.tar"), NULL, &err));

    assert_true(file_write(at(&r, "bad"), "1F600 ; fully-qualified # x\n", 28, NULL));
    emoji_options bad = { .list = strdup(at(&r, "bad")) };
    assert_false(emoji_build(&bad, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "bad:1: an emoji has no name");
    bad = (emoji_options){ .font = bad.list };
    assert_false(emoji_build(&bad, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "not a font");
    bad = (emoji_options){ .words = bad.font };
    assert_false(emoji_build(&bad, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "bad:1:");
    assert_false(file_exists(at(&r, "e.tar")));
    free((char *)(uintptr_t)bad.words);
    room_remove(&r);
}

int main(void)
{
    if (!file_exists(EMOJI_FONT) || !file_exists(EMOJI_LIST) || !file_exists(EMOJI_WORDS)) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_set),
        cmocka_unit_test(wrong_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
