/* test_shard_writer.c -- shards that hold what they were given, byte for byte again and again; an end that
 * leaves no part of one; tokens beside them.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/shard_tokens.h"
#include "data/shard_writer.h"

static dataset *open_one(const char *path)
{
    error err = { 0 };
    dataset *d = dataset_open(&path, 1, false, &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

static void add(shard_writer *w, const dataset *d, int64_t i, const char **key)
{
    error err = { 0 };
    void *bytes;
    size_t size;
    const dataset_sample *s = dataset_at(d, i);
    assert_true(dataset_read_bytes(d, i, &bytes, &size, NULL));
    const shard_sample sample = { s->key, bytes, size, s->captions, s->caption_count, dataset_details(d, i) };
    if (!shard_writer_add(w, &sample, key, &err)) fail_msg("%s", err.message);
    free(bytes);
}

static int64_t write_all(const dataset *d, const shard_options *o)
{
    int64_t samples, shards;
    shard_writer *w = shard_writer_open(o, NULL);
    assert_non_null(w);
    for (int64_t i = 0; i < dataset_count(d); ++i) add(w, d, i, NULL);
    assert_true(shard_writer_close(w, &samples, &shards, NULL));
    assert_int_equal(samples, dataset_count(d));
    return shards;
}

/* Several captions, some of the sidecar with lines in them; fields that are not ours. */
static void make_set(const char *path)
{
    tar_file t = tar_begin(path, false);
    tar_add_noise(&t, "d/a.png", 9, 7, 1);
    tar_add_text(&t, "d/a.txt", "one\n\ntwo\r\n");
    tar_add_text(&t, "d/a.json",
                 "{\"z\":1,\"captions\":[\"three\",\"four\\nlines\",\"five\"],\"a\":{\"b\":null}}");
    tar_add_noise(&t, "d/b.v1.png", 9, 7, 2);
    tar_add_text(&t, "d/b.v1.txt", "b");
    tar_add_noise(&t, "d/c.png", 9, 7, 3);
    tar_add_noise(&t, "d/e.png", 9, 7, 4);
    tar_add_text(&t, "d/e.json", "{ \"split\" : \"val\",\n \"repeat\": 3 }");
    tar_end(&t);
}

static void same_samples(void **state)
{
    (void)state;
    room r = room_create();
    make_set(at(&r, "a.tar"));
    dataset *d = open_one(at(&r, "a.tar"));
    static const shard_packing packings[] = { SHARD_PLAIN, SHARD_GZIP, SHARD_ZSTD };
    static const char *const names[] = { "s/shard-000000.tar", "s/shard-000000.tar.gz",
                                         "s/shard-000000.tar.zst" };
    for (int p = 0; p < 3; ++p) {
        const shard_options o = { .folder = at(&r, "s"), .packing = packings[p], .replace = true };
        assert_int_equal(write_all(d, &o), 1);
        dataset *again = open_one(at(&r, names[p]));
        assert_int_equal(dataset_count(again), 4);
        for (int64_t i = 0; i < 4; ++i) {
            const dataset_sample *a = dataset_at(d, i), *b = dataset_at(again, i);
            void *bytes[2];
            size_t size[2];
            assert_string_equal(b->key, i == 1 ? "d/b_v1" : a->key);
            assert_int_equal(a->caption_count, b->caption_count);
            for (int c = 0; c < a->caption_count; ++c) assert_string_equal(a->captions[c], b->captions[c]);
            assert_string_equal(a->split, b->split);
            assert_int_equal(a->repeat, b->repeat);
            assert_true(dataset_read_bytes(d, i, &bytes[0], &size[0], NULL));
            assert_true(dataset_read_bytes(again, i, &bytes[1], &size[1], NULL));
            assert_int_equal(size[0], size[1]);
            assert_memory_equal(bytes[0], bytes[1], size[0]);
            free(bytes[0]);
            free(bytes[1]);
        }
        assert_string_equal(dataset_details(again, 0),
                            "{\"z\":1,\"a\":{\"b\":null},\"captions\":[\"four\\nlines\",\"five\"]}");
        assert_null(dataset_details(again, 2));
        assert_string_equal(dataset_details(again, 3), dataset_details(d, 3)); /* byte for byte */
        dataset_close(again);
    }
    dataset_close(d);
    room_remove(&r);
}

static void sizes_and_bytes(void **state)
{
    (void)state;
    room r = room_create();
    make_tar(at(&r, "a.tar"), 10, false);
    dataset *d = open_one(at(&r, "a.tar"));
    const shard_options by_count = { .folder = at(&r, "s"), .samples = 4 },
                        same = { .folder = at(&r, "t"), .samples = 4 },
                        one_each = { .folder = at(&r, "u"), .bytes = 1 };
    assert_int_equal(write_all(d, &by_count), 3);
    assert_int_equal(write_all(d, &same), 3);
    assert_int_equal(write_all(d, &one_each), 10);
    for (int i = 0; i < 3; ++i) {
        char name[2][64];
        size_t size[2];
        snprintf(name[0], 64, "s/shard-%06d.tar", i);
        snprintf(name[1], 64, "t/shard-%06d.tar", i);
        char *a = file_read(at(&r, name[0]), &size[0], NULL), *b = file_read(at(&r, name[1]), &size[1], NULL);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(a, b, size[0]);
        free(a);
        free(b);
        dataset *part = open_one(at(&r, name[0]));
        assert_int_equal(dataset_count(part), i < 2 ? 4 : 2);
        dataset_close(part);
    }
    dataset_close(d);
    room_remove(&r);
}

static bool is_there(const room *r, const char *name)
{
    return file_exists(at(r, name));
}

/* What was begun has no shard's name, and is gone after the end; what is there is not written over
 * unasked. */
static void no_part_of_a_shard(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    make_tar(at(&r, "a.tar"), 10, false);
    dataset *d = open_one(at(&r, "a.tar"));
    shard_options o = { .folder = at(&r, "s"), .samples = 4 };
    shard_writer *w = shard_writer_open(&o, &err);
    for (int64_t i = 0; i < 6; ++i) add(w, d, i, NULL);
    assert_true(is_there(&r, "s/shard-000000.tar"));
    assert_false(is_there(&r, "s/shard-000001.tar"));
    shard_writer_abandon(w);
    char command[128];
    snprintf(command, sizeof command, "test \"$(ls '%s/s')\" = shard-000000.tar", r.path);
    assert_int_equal(system(command), 0);

    assert_null(shard_writer_open(&o, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_says(&err, "holds shards already");
    o.replace = true;
    w = shard_writer_open(&o, &err);
    assert_non_null(w);
    assert_false(is_there(&r, "s/shard-000000.tar"));
    shard_writer_abandon(w);
    shard_writer_abandon(NULL);
    dataset_close(d);
    room_remove(&r);
}

static void keys(void **state)
{
    (void)state;
    room r = room_create();
    make_tar(at(&r, "a.tar"), 1, false);
    dataset *d = open_one(at(&r, "a.tar"));
    const shard_options o = { .folder = at(&r, "s") };
    shard_writer *w = shard_writer_open(&o, NULL);
    static const struct {
        const char *given, *got;
    } names[] = {
        { "a", "a" },
        { "a", "a~2" },
        { "a", "a~3" },
        { "a.b", "a_b" },
        { "a_b", "a_b~2" },
        { "x.y/a.b.c", "x.y/a_b_c" },
        { "../../etc/passwd", "etc/passwd" },
        { "/root", "root" },
    };
    void *bytes;
    size_t size;
    assert_true(dataset_read_bytes(d, 0, &bytes, &size, NULL));
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        const char *key;
        const shard_sample s = { .key = names[i].given, .picture = bytes, .picture_bytes = size };
        assert_true(shard_writer_add(w, &s, &key, NULL));
        assert_string_equal(key, names[i].got);
    }
    free(bytes);
    assert_true(shard_writer_close(w, NULL, NULL, NULL));
    dataset *again = open_one(at(&r, "s/shard-000000.tar"));
    assert_int_equal(dataset_count(again), sizeof names / sizeof *names);
    dataset_close(again);
    dataset_close(d);
    room_remove(&r);
}

/* ---- Tokens ---- */

static bool seal(void *context, const char *stem, error *err)
{
    return shard_tokens_writer_seal(context, stem, err);
}

/* Ten samples in shards of four, three copies of 2 x 2 tokens each. */
static void write_tokens(const room *r, const char *folder, int codes)
{
    dataset *d = open_one(at(r, "a.tar"));
    shard_tokens_kind k = { 2, codes, 3, "", "augment=none" };
    memset(k.origin, 'a', 64);
    shard_tokens_writer *t = shard_tokens_writer_create(&k, NULL);
    const shard_options o = {
        .folder = at(r, folder), .samples = 4, .sealed = seal, .context = t, .replace = true
    };
    shard_writer *w = shard_writer_open(&o, NULL);
    for (int64_t i = 0; i < 10; ++i) {
        const char *key;
        int32_t tokens[12];
        for (int k2 = 0; k2 < 12; ++k2) tokens[k2] = (int32_t)(100 * i + k2);
        add(w, d, i, &key);
        assert_true(shard_tokens_writer_add(t, key, tokens, NULL));
    }
    assert_true(shard_writer_close(w, NULL, NULL, NULL));
    shard_tokens_writer_destroy(t);
    dataset_close(d);
}

static dataset *open_shards(const room *r, const char *folder)
{
    char paths[3][200];
    const char *list[3];
    for (int i = 0; i < 3; ++i) {
        snprintf(paths[i], sizeof paths[i], "%s/%s/shard-%06d.tar", r->path, folder, i);
        list[i] = paths[i];
    }
    dataset *d = dataset_open(list, 3, false, NULL);
    assert_non_null(d);
    return d;
}

static void tokens(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    make_tar(at(&r, "a.tar"), 10, false);
    write_tokens(&r, "s", 1000);
    dataset *d = open_shards(&r, "s");
    shard_tokens *t;
    assert_true(shard_tokens_open(d, &t, &err));
    assert_non_null(t);
    const shard_tokens_kind *k = shard_tokens_about(t);
    assert_int_equal(k->side, 2);
    assert_int_equal(k->copies, 3);
    assert_int_equal(k->codes, 1000);
    for (int64_t i = 0; i < 10; ++i)
        for (int64_t c = 0; c < 3; ++c) {
            int32_t row[4];
            bool ok = shard_tokens_read(t, i, dataset_at(d, i)->key, c, row, &err);
            if (!ok) fail_msg("%s", err.message);
            for (int n = 0; n < 4; ++n) assert_int_equal(row[n], 100 * i + 4 * c + n);
        }
    int32_t row[4];
    assert_false(shard_tokens_read(t, 5, "s/0006", 0, row, &err)); /* another's key */
    assert_says(&err, "is not of sample 's/0006'");
    shard_tokens_close(t);

    /* Of one shard they are missing; a set without any has none. */
    assert_int_equal(unlink(at(&r, "s/shard-000001.safetensors")), 0);
    assert_false(shard_tokens_open(d, &t, &err));
    assert_null(t);
    assert_says(&err, "shard-000001.tar' has none");
    dataset_close(d);
    d = open_one(at(&r, "a.tar"));
    assert_true(shard_tokens_open(d, &t, &err));
    assert_null(t);
    dataset_close(d);
    room_remove(&r);
}

static void wrong_tokens(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    shard_tokens *t;
    int32_t row[4];
    make_tar(at(&r, "a.tar"), 10, false);
    write_tokens(&r, "s", 900);
    dataset *d = open_shards(&r, "s");
    assert_true(shard_tokens_open(d, &t, &err));
    assert_true(shard_tokens_read(t, 8, dataset_at(d, 8)->key, 0, row, &err));
    assert_false(shard_tokens_read(t, 9, dataset_at(d, 9)->key, 0, row, &err)); /* 900 of 900 */
    assert_says(&err, "there are codes 0 to 899");
    shard_tokens_close(t);
    write_tokens(&r, "u", 1000); /* otherwise made: the vocabulary */
    char command[300];
    snprintf(command, sizeof command, "cp '%s/u/shard-000001.safetensors' '%s/s/'", r.path, r.path);
    assert_int_equal(system(command), 0);
    assert_false(shard_tokens_open(d, &t, &err));
    assert_says(&err, "made otherwise");
    dataset_close(d);
    snprintf(command, sizeof command, "cp '%s/u/shard-000002.tar' '%s/u/shard-000001.tar'", r.path, r.path);
    assert_int_equal(system(command), 0);
    d = open_shards(&r, "u"); /* a shard was put in another's place */
    assert_false(shard_tokens_open(d, &t, &err));
    assert_says(&err, "of 10 samples, the set has 8");
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_samples),
        cmocka_unit_test(sizes_and_bytes),
        cmocka_unit_test(no_part_of_a_shard),
        cmocka_unit_test(keys),
        cmocka_unit_test(tokens),
        cmocka_unit_test(wrong_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
