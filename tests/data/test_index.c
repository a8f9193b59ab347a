/* test_index.c -- large sets: what their index gives is what lies in the tars, whatever happens to it.
 * SPDX-License-Identifier: MIT */
#include "tests/data/large.h"

#include "data/dataset_build.h"
#include "data/dataset_index.h"

/* ---- The same samples ---- */

static void assert_same_sample(const dataset_sample *a, const dataset_sample *b)
{
    assert_string_equal(a->key, b->key);
    assert_string_equal(a->caption, b->caption);
    assert_string_equal(a->split, b->split);
    assert_string_equal(a->group, b->group);
    assert_int_equal(a->repeat, b->repeat);
    assert_int_equal(a->captioned, b->captioned);
    assert_int_equal(a->caption_count, b->caption_count);
    assert_int_equal(a->keyword_count, b->keyword_count);
    for (int i = 0; i < a->caption_count; ++i) assert_string_equal(a->captions[i], b->captions[i]);
    for (int i = 0; i < a->keyword_count; ++i) assert_string_equal(a->keywords[i], b->keywords[i]);
}

static void assert_same_at(const dataset *held, const dataset *large, int64_t i)
{
    dataset_sample read;
    image a, b;
    error err;
    if (!dataset_read(large, i, &read, &err)) fail_msg("sample %d: %s", (int)i, err.message);
    assert_same_sample(dataset_at(held, i), &read);
    assert_int_equal(dataset_find(large, read.key), dataset_find(held, read.key));
    dataset_sample_free(&read);
    bool good = dataset_read_picture(held, i, &a, &err);
    char expected[sizeof err.message];
    snprintf(expected, sizeof expected, "%s", good ? "" : err.message);
    assert_int_equal(dataset_read_picture(large, i, &b, &err), good);
    if (good)
        assert_same_image(&a, &b);
    else
        assert_string_equal(err.message, expected);
    image_free(&a);
    image_free(&b);
}

static void assert_same_selection(const dataset *held, const dataset *large, const char *split)
{
    dataset_selection a, b;
    error err;
    assert_true(dataset_select(held, split, 0, 0, false, &a, &err));
    assert_true(dataset_select(large, split, 0, 0, false, &b, &err));
    int64_t first, other;
    for (int captioned = 0; captioned <= 1; ++captioned) {
        assert_int_equal(a.count, b.count);
        for (int64_t i = 0; i < a.count; ++i) assert_int_equal(a.index[i], dataset_selected(&b, i));
        if (captioned) break;
        assert_int_equal(dataset_keep_captioned(held, &a, &first), dataset_keep_captioned(large, &b, &other));
        assert_int_equal(first, other);
    }
    dataset_selection_free(&a);
    dataset_selection_free(&b);
}

static void assert_same_texts(const dataset *held, const dataset *large)
{
    dataset_selection a, b;
    char **texts, **others;
    int64_t count, other_count;
    assert_true(dataset_select(held, NULL, 0, 0, false, &a, NULL));
    assert_true(dataset_select(large, NULL, 0, 0, false, &b, NULL));
    assert_true(dataset_captions(held, &a, true, &texts, &count, NULL));
    assert_true(dataset_captions(large, &b, true, &others, &other_count, NULL));
    assert_int_equal(count, other_count);
    for (int64_t i = 0; i < count; ++i) assert_string_equal(texts[i], others[i]);
    assert_null(texts[count]);
    free(texts);
    free(others);
    dataset_selection_free(&a);
    dataset_selection_free(&b);
}

/* All kinds of members, held and large: tars as they are, compressed, and some of both. */
static void large_is_the_same(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; ++kind) {
        large_set s = large_create(4, 9, kind == 1 ? LARGE_PACKED : kind == 2 ? LARGE_EVERY_OTHER : 0);
        large_add_odd(&s, kind > 0);
        if (kind == 0) large_add_joined(&s);
        dataset *held = large_open(&s, false), *large = large_open(&s, true);
        assert_false(dataset_is_large(held));
        assert_true(dataset_is_large(large));
        int64_t count = dataset_count(held);
        assert_int_equal(dataset_count(large), count);
        for (int64_t i = 0; i < count; ++i) assert_same_at(held, large, i);
        for (int64_t i = count - 1; i >= 0; i -= 5) assert_same_at(held, large, i);
        assert_int_equal(dataset_find(large, "nothing"), -1);
        static const char *const splits[] = { NULL, "train", "val" };
        for (int i = 0; i < 3; ++i) assert_same_selection(held, large, splits[i]);
        assert_same_texts(held, large);
        assert_int_equal(dataset_left_out(large), dataset_left_out(held));
        assert_int_equal(dataset_left_out_total(large), dataset_left_out(held));
        for (int64_t i = 0; i < dataset_left_out(held); ++i)
            assert_string_equal(dataset_left_out_at(large, i), dataset_left_out_at(held, i));
        dataset_close(held);
        dataset_close(large);
        large_remove(&s);
    }
}

/* Which part of a name is the picture only its owner knows. */
static void parts_are_named(void **state)
{
    (void)state;
    for (int packed = 0; packed <= 1; ++packed) {
        large_set s = large_create(0, 0, 0);
        char file[512], path[600];
        snprintf(file, sizeof file, "%s", at(&s.r, "parts.tar"));
        snprintf(path, sizeof path, "%s?picture=input.png&caption=outputs.txt", file);
        tar_file t = tar_begin(file, packed);
        for (int i = 0; i < 5; ++i) {
            char name[40];
            snprintf(name, sizeof name, "a.b/%d.target.png", i);
            tar_add_noise(&t, name, 5, 6, 50 + (uint32_t)i);
            snprintf(name, sizeof name, "a.b/%d.outputs.txt", i);
            tar_add_text(&t, name, name);
            snprintf(name, sizeof name, "a.b/%d.input.png", i);
            tar_add_noise(&t, name, 7, 8, (uint32_t)i);
        }
        tar_end(&t);
        s.paths[s.count++] = strdup(path);
        dataset *held = large_open(&s, false), *large = large_open(&s, true);
        assert_true(dataset_is_large(large));
        assert_int_equal(dataset_count(large), 5);
        for (int64_t i = 0; i < 5; ++i) assert_same_at(held, large, i);
        assert_string_equal(dataset_at(held, 3)->key, "a.b/3");
        dataset_close(held);
        dataset_close(large);
        large_remove(&s);
    }
}

/* ---- The file ---- */

static dataset_index *build_it(const large_set *s, build_report *r)
{
    error err;
    dataset_index *x = build_open(s->paths, s->count, r, &err);
    if (!x) fail_msg("%s", err.message);
    return x;
}

/* The whole index but for what the tars' own times say. */
static void hash_of(const large_set *s, char hex[65])
{
    dataset *d = large_open(s, true);
    dataset_hash(d, hex);
    dataset_close(d);
}

static void only_what_changed_is_listed(void **state)
{
    (void)state;
    large_set s = large_create(5, 4, 0);
    build_report r;
    char before[65], after[65];
    dataset_index *x = build_it(&s, &r);
    assert_int_equal(r.listed, 5);
    assert_int_equal(index_count(x), 20);
    assert_in_range(index_bytes(x), 20 * 40, 20 * 40 + 5 * 320 + 200);
    hash_of(&s, before);
    index_close(x);
    index_close(build_it(&s, &r));
    assert_int_equal(r.listed, 0);
    assert_int_equal(r.kept, 5);
    large_write(&s, 2, 6); /* two more samples */
    x = build_it(&s, &r);
    assert_int_equal(r.listed, 1);
    assert_int_equal(r.kept, 4);
    assert_int_equal(index_count(x), 22);
    index_close(x);
    hash_of(&s, after);
    assert_string_not_equal(before, after);
    large_write(&s, 2, 4);
    hash_of(&s, after);
    assert_string_equal(before, after); /* the content is what counts, not the time */
    dataset *held = large_open(&s, false), *large = large_open(&s, true);
    for (int64_t i = 0; i < 20; ++i) assert_same_at(held, large, i);
    dataset_close(held);
    dataset_close(large);
    large_remove(&s);
}

/* A tar that cannot be listed stops the making; those that were are not listed again once it is mended. */
static void what_was_listed_is_kept(void **state)
{
    (void)state;
    large_set s = large_create(4, 4, 0);
    build_report r;
    error err;
    char hex[65], again[65];
    hash_of(&s, hex);
    for (int broken = 0; broken < 4; ++broken) {
        index_close(build_it(&s, &r));
        assert_int_equal(unlink(s.paths[broken]), 0);
        large_write(&s, (broken + 1) % 4, 4); /* another that has changed, before it or behind it */
        assert_null(build_open(s.paths, s.count, &r, &err));
        assert_says(&err, s.paths[broken]);
        assert_int_equal(r.listed, broken == 3);
        large_write(&s, broken, 4);
        index_close(build_it(&s, &r));
        assert_int_equal(r.listed, broken == 3 ? 1 : 2);
        assert_int_equal(r.kept, broken == 3 ? 3 : 2);
        hash_of(&s, again);
        assert_string_equal(hex, again);
    }
    large_remove(&s);
}

static void flip(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    fputc(c ^ 0x10, f);
    fclose(f);
}

/* Any byte that is another, and any length, is found out; then it is made anew. */
static void damage_is_found(void **state)
{
    (void)state;
    large_set s = large_create(3, 5, 0);
    build_report r;
    char hex[65], again[65];
    index_close(build_it(&s, &r));
    hash_of(&s, hex);
    size_t size;
    char *whole = file_read(r.path, &size, NULL);
    error err;
    for (size_t at = 0; at < size; at += 1 + at % 3) {
        flip(r.path, (long)at);
        assert_null(index_open(r.path, &err));
        assert_says(&err, "is damaged, or no index");
        flip(r.path, (long)at);
    }
    index_close(index_open(r.path, &err));
    for (size_t length = 0; length < size; length += 1 + length / 8) {
        FILE *f = fopen(r.path, "wb");
        assert_int_equal(fwrite(whole, 1, length, f), length);
        fclose(f);
        assert_null(index_open(r.path, &err));
        assert_int_equal(err.code, ERROR_FORMAT);
    }
    index_close(build_it(&s, &r));
    assert_int_equal(r.listed, 3);
    hash_of(&s, again);
    assert_string_equal(hex, again);
    free(whole);
    large_remove(&s);
}

/* Beside the tars, else in the cache, else nowhere. */
static void a_folder_may_be_closed(void **state)
{
    (void)state;
    large_set s = large_create(2, 3, 0);
    build_report r;
    char beside[512], cached[512], blocked[600];
    error err;
    setenv("DALLE_CL_CACHE", at(&s.r, "cache"), 1);
    assert_true(build_path(s.paths, s.count, false, beside, sizeof beside));
    assert_true(build_path(s.paths, s.count, true, cached, sizeof cached));
    assert_int_equal(mkdir(beside, 0700), 0); /* nothing can be renamed over a folder, even by root */
    snprintf(blocked, sizeof blocked, "%s/in-the-way", beside);
    assert_true(file_write(blocked, "", 0, NULL));
    index_close(build_it(&s, &r));
    assert_string_equal(r.path, cached);
    assert_int_equal(r.listed, 2);
    index_close(build_it(&s, &r));
    assert_int_equal(r.listed, 0);
    setenv("DALLE_CL_CACHE", "off", 1);
    assert_null(build_open(s.paths, s.count, &r, &err));
    assert_says(&err, "there is no cache folder for it");
    unsetenv("DALLE_CL_CACHE");
    large_remove(&s);
}

/* A tar that changes while the set is open is no other picture but an error. */
static void changes_are_noticed(void **state)
{
    (void)state;
    for (int packed = 0; packed <= 1; ++packed) {
        large_set s = large_create(2, 3, packed ? LARGE_PACKED : 0);
        dataset *d = large_open(&s, true);
        dataset_sample read;
        image picture;
        error err;
        large_write(&s, 1, 2);
        FILE *f = fopen(s.paths[0], "ab"); /* the same file */
        fputc(0, f);
        fclose(f);
        assert_false(dataset_read(d, 4, &read, &err));
        assert_says(&err, "has changed since the set was opened");
        assert_false(dataset_read_picture(d, 0, &picture, &err));
        assert_says(&err, "has changed since the set was opened");
        dataset_close(d);
        large_remove(&s);
    }
}

/* What a set held in memory refuses, a large one does too. */
static void mistakes(void **state)
{
    (void)state;
    large_set s = large_create(2, 3, 0);
    error err;
    dataset_selection none;
    dataset *d = large_open(&s, true);
    assert_false(dataset_select(d, "nope", 0, 0, false, &none, &err));
    assert_says(&err, "no sample has split 'nope'; the data set's splits: 'val', 'train'");
    assert_false(dataset_select(d, "train", 0, 0, true, &none, &err));
    assert_says(&err, "leaves none to use");
    dataset_close(d);
    large_add_odd(&s, false);
    dataset_options o = { .need_captions = true, .most_pictures = 1 };
    assert_null(dataset_open_with(s.paths, s.count, &o, &err));
    assert_says(&err, "pictures have no caption");
    FILE *f = fopen(s.paths[1], "r+b");
    assert_int_equal(ftruncate(fileno(f), 2000), 0);
    fclose(f);
    o.need_captions = false;
    assert_null(dataset_open_with(&s.paths[1], 1, &o, &err));
    assert_says(&err, s.paths[1]);
    large_remove(&s);
}

/* About the fraction, by key: growing the set moves nothing from one part to the other. */
static void held_out_by_key(void **state)
{
    (void)state;
    large_set s = large_create(4, 60, LARGE_PLAIN_TEXT);
    dataset *d = large_open(&s, true);
    dataset_selection kept, held, other;
    char *keys[240] = { 0 };
    assert_true(dataset_select(d, NULL, 0.25, 3, false, &kept, NULL));
    assert_true(dataset_select(d, NULL, 0.25, 3, true, &held, NULL));
    assert_true(dataset_select(d, NULL, 0.25, 4, true, &other, NULL));
    assert_int_equal(kept.count + held.count, 240);
    assert_in_range(held.count, 35, 85);
    int same = 0;
    for (int64_t i = 0; i < held.count; ++i) {
        dataset_sample read;
        assert_true(dataset_read(d, dataset_selected(&held, i), &read, NULL));
        keys[i] = strdup(read.key);
        dataset_sample_free(&read);
        for (int64_t k = 0; k < other.count; ++k)
            same += dataset_selected(&other, k) == dataset_selected(&held, i);
    }
    assert_true(same < held.count / 2);
    int64_t count = held.count;
    dataset_selection_free(&kept);
    dataset_selection_free(&held);
    dataset_selection_free(&other);
    dataset_close(d);
    large_write(&s, 0, 80);
    d = large_open(&s, true);
    assert_true(dataset_select(d, NULL, 0.25, 3, false, &kept, NULL));
    for (int64_t i = 0; i < kept.count; ++i) {
        dataset_sample read;
        assert_true(dataset_read(d, dataset_selected(&kept, i), &read, NULL));
        for (int64_t k = 0; k < count; ++k) assert_string_not_equal(read.key, keys[k]);
        dataset_sample_free(&read);
    }
    dataset_selection_free(&kept);
    assert_true(dataset_select(d, NULL, 1e-12, 3, true, &held, NULL));
    assert_int_equal(held.count, 1);
    dataset_selection_free(&held);
    for (int64_t k = 0; k < count; ++k) free(keys[k]);
    dataset_close(d);
    large_remove(&s);
}

/* More tars than may be open at a time. */
static void many_tars(void **state)
{
    (void)state;
    large_set s = large_create(LARGE_MOST, 1, LARGE_PLAIN_TEXT);
    dataset *held = large_open(&s, false), *large = large_open(&s, true);
    for (int64_t i = 0; i < LARGE_MOST; i += 7) assert_same_at(held, large, i);
    dataset_close(held);
    dataset_close(large);
    large_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_is_the_same),
        cmocka_unit_test(parts_are_named),
        cmocka_unit_test(only_what_changed_is_listed),
        cmocka_unit_test(what_was_listed_is_kept),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_folder_may_be_closed),
        cmocka_unit_test(changes_are_noticed),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(held_out_by_key),
        cmocka_unit_test(many_tars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
