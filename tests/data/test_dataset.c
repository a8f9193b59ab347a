/* test_dataset.c -- tars, compressed tars and folders; selections; data sets that are broken.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/dataset_order.h"

static dataset *open_one(const char *path, error *err)
{
    return dataset_open(&path, 1, true, err);
}

static void check_samples(const dataset *d, int count)
{
    assert_int_equal(dataset_count(d), count);
    for (int i = 0; i < count; ++i) {
        const dataset_sample *s = dataset_at(d, i);
        char text[32];
        snprintf(text, sizeof text, "caption %d", i);
        assert_string_equal(s->caption, text);
        assert_string_equal(s->split, i % 3 ? "train" : "val");
        assert_int_equal(s->keyword_count, 2);
        image expected = noise(20, 16 + i, (uint32_t)i), read;
        assert_true(dataset_read_picture(d, i, &read, NULL));
        assert_same_image(&expected, &read);
        image_free(&expected);
        image_free(&read);
    }
}

static void plain_and_compressed_tars(void **state)
{
    (void)state;
    room r = room_create();
    char hex[2][65];
    for (int compressed = 0; compressed < 2; ++compressed) {
        error err = { 0 };
        make_tar(at(&r, "a.tar"), 10, compressed);
        dataset *d = open_one(at(&r, "a.tar"), &err);
        if (!d) fail_msg("%s", err.message);
        check_samples(d, 10);
        assert_int_equal(dataset_find(d, "s/0004"), 4);
        assert_int_equal(dataset_find(d, "s/0010"), -1);
        dataset_hash(d, hex[compressed]);
        dataset_close(d);
    }
    assert_string_equal(hex[0], hex[1]);
    room_remove(&r);
}

static void folders_and_lists(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    make_tar(at(&r, "a.tar"), 3, false);
    assert_true(file_make_folders(at(&r, "f/deep"), NULL));
    image made = noise(8, 9, 1);
    assert_true(image_write_png(&made, at(&r, "f/deep/x.y.PNG"), NULL));
    assert_true(file_write(at(&r, "f/deep/x.y.txt"), " hello \n", 8, NULL));
    assert_true(file_write(at(&r, "f/notes.tsv"), "no", 2, NULL));
    assert_true(file_write(at(&r, "f/list.json"), "not even", 8, NULL));
    const char *paths[2];
    paths[0] = strdup(at(&r, "f"));
    paths[1] = strdup(at(&r, "a.tar"));
    dataset *d = dataset_open(paths, 2, true, &err);
    if (!d) fail_msg("%s", err.message);
    assert_int_equal(dataset_count(d), 4);
    assert_string_equal(dataset_at(d, 0)->key, "deep/x.y");
    assert_string_equal(dataset_at(d, 0)->caption, "hello");
    assert_string_equal(dataset_at(d, 3)->caption, "caption 2");
    image read;
    assert_true(dataset_read_picture(d, 0, &read, &err));
    assert_same_image(&made, &read);
    image_free(&read);
    image_free(&made);
    dataset_close(d);
    free((char *)(uintptr_t)paths[0]);
    free((char *)(uintptr_t)paths[1]);
    room_remove(&r);
}

static void selections(void **state)
{
    (void)state;
    room r = room_create();
    error err;
    make_tar(at(&r, "a.tar"), 30, false);
    dataset *d = open_one(at(&r, "a.tar"), &err);
    dataset_selection all, val, kept, held, again;
    assert_true(dataset_select(d, NULL, 0, 1, false, &all, &err));
    assert_int_equal(all.count, 30);
    assert_true(dataset_select(d, "val", 0, 1, false, &val, &err));
    assert_int_equal(val.count, 10);
    assert_int_equal(val.index[1], 3);
    assert_true(dataset_select(d, "train", 0.1, 1, false, &kept, &err));
    assert_true(dataset_select(d, "train", 0.1, 1, true, &held, &err));
    assert_true(dataset_select(d, "train", 0.1, 1, true, &again, &err));
    assert_int_equal(kept.count, 18);
    assert_int_equal(held.count, 2);
    assert_memory_equal(held.index, again.index, 2 * sizeof *held.index);
    for (int64_t i = 0; i < kept.count; ++i)
        assert_true(kept.index[i] != held.index[0] && kept.index[i] != held.index[1]);
    char **texts;
    int64_t count;
    assert_true(dataset_captions(d, &val, true, &texts, &count, &err));
    assert_int_equal(count, 20);
    assert_string_equal(texts[2], "caption 3");
    assert_string_equal(texts[3], "a, b3");
    free(texts);
    assert_true(dataset_captions(d, &val, false, &texts, &count, &err));
    assert_int_equal(count, 10);
    free(texts);
    dataset_selection_free(&all);
    dataset_selection_free(&val);
    dataset_selection_free(&kept);
    dataset_selection_free(&held);
    dataset_selection_free(&again);
    assert_false(dataset_select(d, "test", 0, 1, false, &all, &err));
    assert_says(&err, "'val', 'train'");
    assert_false(dataset_select(d, NULL, 1.5, 1, false, &all, &err));
    assert_false(dataset_select(d, NULL, 0, 1, true, &all, &err));
    dataset_close(d);
    room_remove(&r);
}

static void shuffles(void **state)
{
    (void)state;
    int64_t first[100], second[100];
    int seen[100] = { 0 };
    dataset_shuffle(100, 1, 0, first);
    dataset_shuffle(100, 1, 1, second);
    assert_memory_not_equal(first, second, sizeof first);
    for (int i = 0; i < 100; ++i) seen[first[i]]++;
    for (int i = 0; i < 100; ++i) assert_int_equal(seen[i], 1);
    dataset_shuffle(100, 1, 0, second);
    assert_memory_equal(first, second, sizeof first);
    dataset_shuffle(1, 1, 0, first);
    assert_int_equal(first[0], 0);
}

/* Every length of a tar but the whole one is refused, wherever it is cut. */
static void cut_tars(void **state)
{
    (void)state;
    room r = room_create();
    error err;
    make_tar(at(&r, "a.tar"), 2, false);
    size_t size;
    char *bytes = file_read(at(&r, "a.tar"), &size, NULL);
    size_t end = size;
    while (end && bytes[end - 1] == 0) --end; /* the end mark and padding */
    for (size_t length = 0; length <= end; length += 256) {
        assert_true(file_write(at(&r, "cut.tar"), bytes, length, NULL));
        dataset *d = open_one(at(&r, "cut.tar"), &err);
        if (d) fail_msg("opened %zu of %zu bytes", length, size);
        assert_says(&err, "cut.tar");
    }
    char *header = NULL; /* of the second member */
    for (size_t i = 0; i < size && !header; i += 512)
        if (strcmp(bytes + i, "s/0000.txt") == 0) header = bytes + i;
    assert_non_null(header);
    header[60] = 'x'; /* its checksum no longer fits */
    assert_true(file_write(at(&r, "cut.tar"), bytes, size, NULL));
    assert_null(open_one(at(&r, "cut.tar"), &err));
    assert_says(&err, "Damaged tar archive");
    assert_says(&err, "after member 's/0000.png'");
    free(bytes);
    room_remove(&r);
}

/* A set in r's folder "c": pictures a, b, c, ... with captions `texts` and details `json`, NULL for none. */
static void make_captioned(const room *r, int count, const char *const *texts, const char *const *json)
{
    assert_true(file_make_folders(at(r, "c"), NULL));
    for (int i = 0; i < count; ++i) {
        char name[16];
        image made = noise(4, 4, (uint32_t)i);
        snprintf(name, sizeof name, "c/%c.png", 'a' + i);
        assert_true(image_write_png(&made, at(r, name), NULL));
        image_free(&made);
        snprintf(name, sizeof name, "c/%c.txt", 'a' + i);
        if (texts[i]) assert_true(file_write(at(r, name), texts[i], strlen(texts[i]), NULL));
        snprintf(name, sizeof name, "c/%c.json", 'a' + i);
        if (json[i]) assert_true(file_write(at(r, name), json[i], strlen(json[i]), NULL));
    }
}

static void several_captions(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    static const char *const texts[] = { "\xef\xbb\xbf one\r\n\r\n two \r\n", "x\ry", NULL, "z" };
    static const char *const json[] = { "{\"captions\":[\"three\",\" \",\"four\\nlines \"]}", NULL,
                                        "{\"captions\":[\"only\"],\"keywords\":[\"k\",\"l\"]}",
                                        "{\"captions\":null,\"repeat\":null}" };
    static const char *const expected[] = { "one",  "two",  "three", "four\nlines", "x", "y",
                                            "only", "k, l", "z" };
    static const int counts[] = { 4, 2, 1, 1 };
    make_captioned(&r, 4, texts, json);
    dataset *d = open_one(at(&r, "c"), &err);
    if (!d) fail_msg("%s", err.message);
    for (int i = 0; i < 4; ++i) {
        const dataset_sample *s = dataset_at(d, i);
        assert_int_equal(s->caption_count, counts[i]);
        assert_ptr_equal(s->caption, s->captions[0]);
        assert_int_equal(s->repeat, 1);
    }
    dataset_selection all;
    char **found;
    int64_t count;
    assert_true(dataset_select(d, NULL, 0, 1, false, &all, &err));
    assert_true(dataset_captions(d, &all, true, &found, &count, &err));
    assert_int_equal(count, 9);
    for (int i = 0; i < 9; ++i) assert_string_equal(found[i], expected[i]);
    assert_null(found[9]);
    free(found);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

/* Neighbours that are drawn together are different samples: first every sample once, then again those that
 * come twice.  One run holds all here, and begins anywhere. */
static void neighbours_are_others(void **state)
{
    (void)state;
    enum { ALL = 13 };
    static const char *const texts[] = { "1", "2", "3", "4", "5", "6" };
    static const char *const json[] = { "{\"repeat\":3}", "{\"repeat\":3}", NULL,
                                        "{\"repeat\":2}", "{\"repeat\":3}", NULL };
    static const int line[ALL] = { 0, 1, 2, 3, 4, 5, 0, 1, 3, 4, 0, 1, 4 };
    room r = room_create();
    error err = { 0 };
    make_captioned(&r, 6, texts, json);
    dataset *d = open_one(at(&r, "c"), &err);
    if (!d) fail_msg("%s", err.message);
    dataset_selection all;
    assert_true(dataset_select(d, NULL, 0, 1, false, &all, &err));
    assert_int_equal(all.count, ALL);
    order *o = dataset_order(d, &all, 3, 4 * ALL, &err);
    assert_non_null(o);
    for (int64_t epoch = 0; epoch < 20; ++epoch) {
        int alike = 0;
        for (int turn = 0; turn < ALL; ++turn) {
            bool same = true;
            for (int i = 0; same && i < ALL; ++i)
                same = all.index[order_at(o, epoch, i).place] == line[(i + turn) % ALL];
            alike += same;
        }
        assert_int_equal(alike, 1);
    }
    order_destroy(o);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

static void repeats(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    static const char *const texts[] = { "1", "2", "3", "4", "5", "6" };
    static const char *const json[] = { "{\"repeat\":3}", NULL, "{\"repeat\":64}", NULL,
                                        "{\"repeat\":1}", NULL };
    static const int times[] = { 3, 1, 64, 1, 1, 1 };
    make_captioned(&r, 6, texts, json);
    dataset *d = open_one(at(&r, "c"), &err);
    if (!d) fail_msg("%s", err.message);
    dataset_selection all, held;
    assert_true(dataset_select(d, "train", 0, 1, false, &all, &err)); /* the set names no splits */
    assert_int_equal(all.count, 71);
    for (int i = 0; i < 3; ++i) assert_int_equal(all.index[i], 0);
    assert_int_equal(all.index[3], 1);
    char **found;
    int64_t count;
    assert_true(dataset_captions(d, &all, false, &found, &count, &err));
    assert_int_equal(count, 6);
    free(found);
    dataset_selection_free(&all);
    for (uint64_t seed = 0; seed < 8; ++seed) {
        int seen[6] = { 0 };
        assert_true(dataset_select(d, NULL, 0.5, seed, false, &all, &err));
        assert_true(dataset_select(d, "train", 0.5, seed, true, &held, &err));
        for (int64_t i = 0; i < all.count; ++i) ++seen[all.index[i]];
        assert_int_equal(held.count, 3);
        for (int i = 0; i < 3; ++i) assert_int_equal(seen[held.index[i]]++, 0);
        int trained = 0;
        for (int i = 0; i < 6; ++i) trained += seen[i] == times[i] && seen[i] > 0;
        assert_true(trained >= 3);
        dataset_selection_free(&all);
        dataset_selection_free(&held);
    }
    dataset_close(d);
    room_remove(&r);
}

/* Only what differs from one caption shown once enters the hash: the first is what it was before either
 * was. */
static void hashes(void **state)
{
    (void)state;
    static const char *const texts[][1] = { { "x" }, { " x\n" }, { "x\ny" }, { "x" }, { "x" }, { "x" } };
    static const char *const json[][1] = { { NULL },
                                           { "{\"repeat\":1,\"captions\":[]}" },
                                           { NULL },
                                           { "{\"captions\":[\"y\"]}" },
                                           { "{\"repeat\":2}" },
                                           { "{\"captions\":[\"z\"]}" } };
    char hex[6][65];
    for (int i = 0; i < 6; ++i) {
        room r = room_create();
        make_captioned(&r, 1, texts[i], json[i]);
        dataset *d = open_one(at(&r, "c"), NULL);
        assert_non_null(d);
        dataset_hash(d, hex[i]);
        dataset_close(d);
        room_remove(&r);
    }
    /* SHA-256 of "a", "x" and the PNG's bytes, "120", each with its NUL. */
    assert_string_equal(hex[0], "6d10300ccdb7b760466c5c677f3245d5ca807f0fb57b137aef09dbae53ad2d6d");
    assert_string_equal(hex[1], hex[0]);
    assert_string_equal(hex[2], hex[3]);
    for (int i = 2; i < 6; ++i)
        for (int k = 0; k < i; ++k)
            if (i != 3) assert_string_not_equal(hex[i], hex[k]);
}

typedef struct broken_case {
    const char *names[3], *texts[3]; /* a text of NULL: a picture */
    const char *says;
} broken_case;

static void broken_sets(void **state)
{
    (void)state;
    static char long_text[DATASET_MAX_CAPTION + 2];
    memset(long_text, 'a', DATASET_MAX_CAPTION + 1);
    const broken_case cases[] = {
        { { "README.md" }, { "x" }, "holds no picture" },
        { { "a.png" }, { NULL }, "1 of 1 pictures have no caption, the first is 'a.png'" },
        { { "a.txt" }, { "x" }, "no picture, the first is 'a.txt'" },
        { { "a.png", "a.txt" }, { NULL, " \n" }, "caption of 'a' is empty" },
        { { "a.png", "a.txt" }, { NULL, "ab\xff" }, "not UTF-8 at byte 2" },
        { { "a.png", "a.txt" }, { NULL, long_text }, "has 8193 bytes" },
        { { "a.png", "a.jpg", "a.txt" }, { NULL, NULL, "x" }, "two pictures named 'a'" },
        { { "a.png", "a.json" }, { NULL, "{" }, "a.json: line 1" },
        { { "a.png", "a.txt" }, { NULL, "b\xe9te" }, "may be Latin-1: convert it with iconv" },
        { { "a.png", "a.txt" },
          { NULL, "\xff\xfe"
                  "a" },
          "may be UTF-16" },
        { { "a.png", "a.json" }, { NULL, "{\"captions\":[\" \"]}" }, "1 of 1 pictures have no caption" },
    };
    room r = room_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tar_file t = tar_begin(at(&r, "b.tar"), false);
        for (int k = 0; k < 3 && cases[i].names[k]; ++k) {
            if (cases[i].texts[k])
                tar_add_text(&t, cases[i].names[k], cases[i].texts[k]);
            else
                tar_add_noise(&t, cases[i].names[k], 4, 4, 1);
        }
        tar_end(&t);
        error err = { 0 };
        assert_null(open_one(at(&r, "b.tar"), &err));
        assert_says(&err, cases[i].says);
    }
    room_remove(&r);
}

static void broken_pictures_and_paths(void **state)
{
    (void)state;
    room r = room_create();
    error err;
    tar_file t = tar_begin(at(&r, "b.tar"), false);
    tar_add_text(&t, "a.png", "this is text");
    tar_add_text(&t, "a.txt", "x");
    tar_end(&t);
    dataset *d = open_one(at(&r, "b.tar"), &err);
    assert_non_null(d);
    image read;
    assert_false(dataset_read_picture(d, 0, &read, &err));
    assert_says(&err, "picture 'a.png': neither PNG, JPEG nor WebP; it starts with 'this is text'");
    dataset_close(d);

    assert_null(open_one(at(&r, "missing.tar"), &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_null(dataset_open(NULL, 0, true, &err));
    assert_true(file_write(at(&r, "text.tar"), "hello", 5, NULL));
    assert_null(open_one(at(&r, "text.tar"), &err));
    assert_says(&err, "text.tar");
    assert_true(file_make_folders(at(&r, "empty"), NULL));
    assert_null(open_one(at(&r, "empty"), &err));
    assert_says(&err, "holds no picture");
    assert_int_equal(symlink("..", at(&r, "empty/loop")), 0);
    assert_null(open_one(at(&r, "empty"), &err));

    const char *path = at(&r, "b.tar");
    d = dataset_open(&path, 1, false, &err);
    assert_non_null(d);
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_compressed_tars),
        cmocka_unit_test(folders_and_lists),
        cmocka_unit_test(selections),
        cmocka_unit_test(shuffles),
        cmocka_unit_test(several_captions),
        cmocka_unit_test(repeats),
        cmocka_unit_test(neighbours_are_others),
        cmocka_unit_test(hashes),
        cmocka_unit_test(cut_tars),
        cmocka_unit_test(broken_sets),
        cmocka_unit_test(broken_pictures_and_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
