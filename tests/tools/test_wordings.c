/* test_wordings.c -- lists of captions to draw: what is read from files and splits, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "tools/wordings.h"

static dataset *open_set(const room *r)
{
    error err = { 0 };
    make_tar(at(r, "set.tar"), 12, false);
    const char *path = at(r, "set.tar");
    dataset *set = dataset_open(&path, 1, true, &err);
    if (!set) fail_msg("%s", err.message);
    return set;
}

static bool read_text(const room *r, const dataset *set, const char *text, wordings *w, error *err)
{
    *err = (error){ 0 };
    assert_true(file_write(at(r, "list.tsv"), text, strlen(text), NULL));
    return wordings_read(w, at(r, "list.tsv"), set, err);
}

static void files_are_read(void **state)
{
    (void)state;
    room r = room_create();
    dataset *set = open_set(&r);
    wordings w;
    error err;
    if (!read_text(
            &r, set,
            "key\tname\twording\r\ns/0003\tcaption 3\ta third thing\r\n\ns/0003\tcaption 3\tCAPTION 5\n"
            "-\t-\tnothing\ns/0001\tcaption 1\tb1",
            &w, &err))
        fail_msg("%s", err.message);
    assert_int_equal(w.count, 4);
    assert_string_equal(w.items[0].text, "a third thing");
    assert_int_equal(w.items[0].picture, 3);
    assert_false(w.items[0].trained);
    assert_true(w.items[1].trained); /* a caption, in other letters */
    assert_int_equal(w.items[2].picture, -1);
    assert_true(w.items[3].trained); /* a keyword */
    wordings_to_names(&w);
    assert_int_equal(w.count, 2);
    assert_string_equal(w.items[0].text, "caption 3");
    assert_string_equal(w.items[1].text, "caption 1");
    wordings_close(&w);
    dataset_close(set);
    room_remove(&r);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "list.tsv:1: the first line" },
        { "s/0001\tcaption 1\tx\n", "list.tsv:1: the first line" },
        { "key\tname\twording\n", "no wordings" },
        { "key\tname\twording\ns/0001\tx\n", "list.tsv:2: not three columns" },
        { "key\tname\twording\ns/0001\tcaption 1\tx\ty\n", "list.tsv:2: not three columns" },
        { "key\tname\twording\ns/0001\tcaption 1\t  \n", "list.tsv:2: an empty column" },
        { "key\tname\twording\n\tcaption 1\tx\n", "list.tsv:2: an empty column" },
        { "key\tname\twording\ns/0099\tcaption 1\tx\n", "no picture 's/0099'" },
        { "key\tname\twording\ns/0001\tcaption 2\tx\n", "calls 's/0001' 'caption 1', not 'caption 2'" },
        { "key\tname\twording\n-\t-\tx\n\n-\t-\tX\n",
          "list.tsv:4: the wording 'X' stands in the file twice" },
    };
    room r = room_create();
    dataset *set = open_set(&r);
    wordings w;
    error err = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_false(read_text(&r, set, cases[i].text, &w, &err));
        assert_says(&err, cases[i].says);
        assert_null(w.items);
    }
    assert_true(file_write(at(&r, "list.tsv"), "key\tname\twording\n\0", 18, NULL));
    assert_false(wordings_read(&w, at(&r, "list.tsv"), set, &err));
    assert_says(&err, "byte 17 is zero");
    assert_false(wordings_read(&w, at(&r, "absent.tsv"), set, &err));
    assert_says(&err, "absent.tsv");
    dataset_close(set);
    room_remove(&r);
}

static void splits_are_listed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "train:0.5", "train:0.5:1:2", "train:x:1", ":0.5:1", "train:", "test"
    };
    room r = room_create();
    dataset *set = open_set(&r);
    wordings w;
    error err = { 0 };
    if (!wordings_of_split(&w, "val", set, &err)) fail_msg("%s", err.message);
    assert_int_equal(w.count, 4);
    assert_string_equal(w.items[1].text, "caption 3");
    wordings_thin(&w, 9);
    assert_int_equal(w.count, 4);
    wordings_thin(&w, 2);
    assert_int_equal(w.count, 2);
    assert_string_equal(w.items[1].key, "s/0006");
    wordings_close(&w);
    assert_true(wordings_of_split(&w, "train:0.5:1", set, &err));
    assert_int_equal(w.count, 4);
    wordings_close(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        if (wordings_of_split(&w, bad[i], set, &err)) fail_msg("'%s' is taken for a split", bad[i]);
        assert_null(w.items);
    }
    dataset_close(set);
    room_remove(&r);
}

/* A picture in other colours is not to be drawn for, wherever it is named. */
static void recoloured_pictures_are_left_out(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    tar_file t = tar_begin(at(&r, "hue.tar"), false);
    tar_add_noise(&t, "a-hue-120.png", 16, 16, 1);
    tar_add_text(&t, "a-hue-120.txt", "green a");
    tar_add_text(&t, "a-hue-120.json", "{\"split\":\"train\"}");
    tar_end(&t);
    const char *path = at(&r, "hue.tar");
    dataset *set = dataset_open(&path, 1, true, &err);
    wordings w;
    assert_non_null(set);
    assert_false(wordings_of_split(&w, "train", set, &err));
    assert_says(&err, "only pictures in other colours");
    assert_false(read_text(&r, set, "key\tname\twording\na-hue-120\tgreen a\tx\n", &w, &err));
    assert_says(&err, "in other colours");
    dataset_close(set);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(splits_are_listed),
        cmocka_unit_test(recoloured_pictures_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
