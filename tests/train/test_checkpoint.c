/* test_checkpoint.c -- stores to files and back, and files that are not what they should be.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"
#include "host/base/file.h"
#include "host/train/checkpoint.h"
#include "tests/train/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

typedef struct fixture {
    device *device;
    char folder[256], path[300];
} fixture;

static store_entry *start_normal(store_entry *e)
{
    assert_non_null(e);
    e->init = STORE_NORMAL;
    e->deviation = 1.0f;
    return e;
}

static store_entry *declare(store *s, const char *name, store_kind kind, dtype type, int64_t rows,
                            int64_t columns)
{
    return start_normal(store_declare(s, name, kind, type, 2, (int64_t[]){ rows, columns }));
}

static store *make_store(fixture *f, uint64_t seed)
{
    error err;
    store *s = store_create(f->device, &err);
    assert_non_null(s);
    store_entry *weight = declare(s, "block.0.weight", STORE_PARAMETER, DTYPE_F32, 5, 3);
    declare(s, "block.1.weight", STORE_PARAMETER, DTYPE_F16, 7, 1);
    start_normal(store_declare_kin(s, weight, STORE_MEAN, DTYPE_F32));
    start_normal(store_declare_kin(s, weight, STORE_AVERAGE, DTYPE_F32));
    declare(s, "codes", STORE_LEARNT, DTYPE_F32, 4, 2);
    declare(s, "codebook", STORE_STATE, DTYPE_F32, 1, 4); /* what it is, not its name, is asked */
    declare(s, "cache", STORE_CACHE, DTYPE_F32, 2, 2);
    assert_true(store_allocate(s, seed, &err));
    return s;
}

static void read_entry(store *s, const char *name, float *values)
{
    error err;
    assert_true(store_read_f32(s, store_find(s, name), values, &err));
}

static bool equal_entry(store *a, store *b, const char *name)
{
    float x[64] = { 0 }, y[64] = { 0 };
    read_entry(a, name, x);
    read_entry(b, name, y);
    return memcmp(x, y, sizeof x) == 0;
}

static const checkpoint_text metadata[] = { { "step", "12" }, { "config", "a = 1\nb = \"\xc3\xa9\"\n" } };

static void test_round_trip(void **state)
{
    fixture *f = *state;
    error err;
    store *a = make_store(f, 1), *b = make_store(f, 2);
    assert_true(checkpoint_save(a, f->path, metadata, 2, &err));
    checkpoint_metadata read;
    assert_true(checkpoint_load(b, f->path, &read, &err));
    assert_int_equal(read.count, 2);
    assert_string_equal(checkpoint_metadata_get(&read, "step"), "12");
    assert_string_equal(checkpoint_metadata_get(&read, "config"), metadata[1].value);
    assert_null(checkpoint_metadata_get(&read, "other"));
    checkpoint_metadata_free(&read);
    for (int i = 0; i < store_count(a); ++i) {
        const store_entry *e = store_at(a, i);
        assert_true(equal_entry(a, b, e->name) == (e->kind != STORE_CACHE));
    }
    store_destroy(a);
    store_destroy(b);
}

/* Loading must fail, name `part`, and leave the store as it was. */
static void expect_refusal(fixture *f, store *s, const char *part)
{
    error err = { .code = ERROR_NONE };
    store *before = make_store(f, 2);
    assert_false(checkpoint_load(s, f->path, NULL, &err));
    if (!strstr(err.message, part)) fail_msg("'%s' is not in: %s", part, err.message);
    assert_true(equal_entry(s, before, "block.0.weight"));
    store_destroy(before);
}

static void test_strangers(void **state)
{
    fixture *f = *state;
    error err;
    store *a = make_store(f, 1), *b = make_store(f, 2);
    assert_true(checkpoint_save(a, f->path, NULL, 0, &err));
    declare(b, "block.2.weight", STORE_PARAMETER, DTYPE_F32, 1, 1);
    assert_true(store_allocate(b, 2, &err));
    expect_refusal(f, b, "lacks the tensor 'block.2.weight'");
    store_destroy(b);

    b = make_store(f, 2);
    declare(a, "block.9.weight", STORE_PARAMETER, DTYPE_F32, 1, 1);
    assert_true(store_allocate(a, 1, &err));
    assert_true(checkpoint_save(a, f->path, NULL, 0, &err));
    expect_refusal(f, b, "'block.9.weight' that the model has not");
    store_destroy(a);
    store_destroy(b);
}

static void write_file(fixture *f, int64_t rows, dtype type)
{
    error err;
    float values[64] = { 0 };
    safetensors_writer *w = safetensors_writer_create();
    store *s = make_store(f, 1);
    for (int i = 0; i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i);
        if (e->kind == STORE_CACHE) continue;
        bool first = i == 0;
        int64_t dim[2] = { first ? rows : e->dim[0], e->dim[1] };
        dtype stored = first ? type : e->type;
        assert_true(safetensors_add(w, e->name, stored, 2, dim, values,
                                    dim[0] * dim[1] * (int64_t)dtype_bytes(stored), &err));
    }
    assert_true(safetensors_write(w, f->path, &err));
    safetensors_writer_destroy(w);
    store_destroy(s);
}

static void test_misshapen(void **state)
{
    fixture *f = *state;
    store *s = make_store(f, 2);
    write_file(f, 4, DTYPE_F32);
    expect_refusal(f, s, "'block.0.weight' is [4,3], the model's is [5,3]");
    write_file(f, 5, DTYPE_BF16);
    expect_refusal(f, s, "stored as BF16, the model's is F32");
    store_destroy(s);
}

static void test_truncated(void **state)
{
    fixture *f = *state;
    error err;
    store *a = make_store(f, 1), *b = make_store(f, 2);
    assert_true(checkpoint_save(a, f->path, metadata, 2, &err));
    size_t size;
    char *bytes = file_read(f->path, &size, &err);
    assert_non_null(bytes);
    for (size_t length = 0; length < size; length += 37) {
        assert_true(file_write(f->path, bytes, length, &err));
        expect_refusal(f, b, "checkpoint.safetensors");
    }
    free(bytes);
    store_destroy(a);
    store_destroy(b);
}

static void test_full_disk(void **state)
{
    fixture *f = *state;
    error err;
    store *a = make_store(f, 1), *b = make_store(f, 2);
    assert_true(checkpoint_save(a, f->path, metadata, 2, &err));
    scratch_limit(200);
    bool saved = checkpoint_save(b, f->path, metadata, 2, &err);
    scratch_limit(RLIM_INFINITY);
    assert_false(saved);
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.message, "checkpoint.safetensors"));
    assert_true(checkpoint_load(b, f->path, NULL, &err)); /* the first one, whole */
    assert_true(equal_entry(a, b, "block.1.weight"));
    assert_false(checkpoint_save(a, "/proc/no/such/place", metadata, 2, &err));
    assert_int_equal(err.code, ERROR_IO);
    store_destroy(a);
    store_destroy(b);
}

static void test_export(void **state)
{
    fixture *f = *state;
    error err;
    store *a = make_store(f, 1), *b = make_store(f, 2);
    assert_true(checkpoint_export(a, f->path, true, DTYPE_F32, metadata, 2, &err));
    safetensors *file = safetensors_open(f->path, &err);
    assert_int_equal(safetensors_count(file), 3); /* two parameters and the codes */
    safetensors_close(file);
    checkpoint_metadata read;
    assert_true(checkpoint_import(b, f->path, false, &read, &err));
    assert_string_equal(checkpoint_metadata_get(&read, "step"), "12");
    checkpoint_metadata_free(&read);
    float average[15], got[15];
    read_entry(a, "ema.block.0.weight", average);
    read_entry(b, "block.0.weight", got);
    assert_memory_equal(average, got, sizeof got);
    assert_true(equal_entry(a, b, "block.1.weight"));
    assert_true(equal_entry(a, b, "codes"));
    assert_false(equal_entry(a, b, "codebook"));

    /* A whole checkpoint can be imported too, when more is allowed in it than parameters. */
    assert_true(checkpoint_save(a, f->path, metadata, 2, &err));
    assert_false(checkpoint_import(b, f->path, false, NULL, &err));
    assert_true(checkpoint_import(b, f->path, true, NULL, &err));
    read_entry(b, "block.0.weight", got); /* and the average in it is what counts */
    assert_memory_equal(average, got, sizeof got);
    store_destroy(a);
    store_destroy(b);
}

/* kB of memory that the process has had at most. */
static long most_memory(void)
{
    char line[200];
    long most = -1;
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "VmHWM: %ld kB", &most) == 1) break;
    if (in) fclose(in);
    return most;
}

/* On a CPU the device's memory is the host's, and some drivers take it only when it is first used. */
static void touch(store *s, int64_t count)
{
    error err;
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < store_count(s); ++i) assert_true(store_read(s, store_at(s, i), values, &err));
    free(values);
}

/* A store of 88 MB, at the borders of pieces too, is in the file as it is on the device; and the host's
 * memory grows by a few pieces at most while it is saved, exported and hashed. */
static void test_no_copy_of_the_store(void **state)
{
    fixture *f = *state;
    error err;
    enum { ROWS = 3 * STORE_PIECE + 7, ENTRIES = 7 };
    store *s = store_create(f->device, &err);
    char name[16];
    for (int i = 0; i < ENTRIES; ++i) {
        snprintf(name, sizeof name, "w%d", i);
        assert_non_null(store_declare(s, name, STORE_PARAMETER, DTYPE_F32, 1, (int64_t[]){ ROWS }));
    }
    assert_true(store_allocate(s, 1, &err));
    for (int i = 0; i < ENTRIES; ++i)
        for (int64_t at = STORE_PIECE - 2; at < ROWS; at += STORE_PIECE)
            assert_true(store_write_part_f32(s, store_at(s, i), at, 4, (float[]){ 1, 2, (float)i, 4 }, &err));
    touch(s, ROWS);
    long before = most_memory();
    assert_true(checkpoint_save(s, f->path, NULL, 0, &err));
    char hash[65], again[65], half[300];
    snprintf(half, sizeof half, "%s/half.safetensors", f->folder);
    assert_true(checkpoint_export(s, half, false, DTYPE_F16, NULL, 0, &err));
    assert_true(checkpoint_fingerprint(s, hash, &err));
    long grown = most_memory() - before;
    if (before > 0 && grown > 32 << 10) fail_msg("saving 88 MB took %ld kB of the host's memory", grown);

    safetensors *file = safetensors_open(f->path, &err);
    assert_int_equal(safetensors_count(file), ENTRIES);
    for (int i = 0; i < ENTRIES; ++i) {
        const float *data = safetensors_find(file, store_at(s, i)->name)->data;
        for (int64_t at = 0; at < ROWS; ++at) {
            int64_t in = (at + 2) % STORE_PIECE;
            float due = at < STORE_PIECE - 2 || in > 3 ? 0 : ((float[]){ 1, 2, (float)i, 4 })[in];
            if (data[at] != due) fail_msg("element %lld of %d is %g", (long long)at, i, (double)data[at]);
        }
    }
    safetensors_close(file);

    /* Half the bytes, converted to and fro: what the fingerprint takes is the same. */
    for (int i = 0; i < ENTRIES; ++i)
        assert_true(store_write_part_f32(s, store_at(s, i), STORE_PIECE, 2, (float[]){ 5, 5 }, &err));
    assert_true(checkpoint_import(s, half, false, NULL, &err) && checkpoint_fingerprint(s, again, &err));
    assert_string_equal(hash, again);
    store_destroy(s);
}

static void test_export_half(void **state)
{
    fixture *f = *state;
    error err;
    store *a = make_store(f, 1), *b = make_store(f, 2);
    assert_true(checkpoint_export(a, f->path, false, DTYPE_F16, NULL, 0, &err));
    assert_true(checkpoint_import(b, f->path, false, NULL, &err));
    float values[15], got[15];
    read_entry(a, "block.0.weight", values);
    read_entry(b, "block.0.weight", got);
    for (int i = 0; i < 15; ++i) {
        uint16_t half;
        dtype_store(DTYPE_F16, &half, 0, values[i]);
        assert_true(dtype_load(DTYPE_F16, &half, 0) == got[i]);
    }
    values[7] = 1e5f;
    assert_true(store_write_f32(a, store_find(a, "block.0.weight"), values, &err));
    assert_false(checkpoint_export(a, f->path, false, DTYPE_F16, NULL, 0, &err));
    assert_non_null(strstr(err.message, "'block.0.weight' holds 100000 at element 7"));
    assert_true(checkpoint_import(b, f->path, false, NULL, &err)); /* the file before */
    store_destroy(a);
    store_destroy(b);
}

int main(void)
{
    fixture f = { 0 };
    error err;
    f.device = device_open(NULL, &err);
    if (!f.device) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    scratch_make(f.folder);
    snprintf(f.path, sizeof f.path, "%s/checkpoint.safetensors", f.folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_round_trip, &f),
        cmocka_unit_test_prestate(test_strangers, &f),
        cmocka_unit_test_prestate(test_misshapen, &f),
        cmocka_unit_test_prestate(test_truncated, &f),
        cmocka_unit_test_prestate(test_full_disk, &f),
        cmocka_unit_test_prestate(test_export, &f),
        cmocka_unit_test_prestate(test_export_half, &f),
        cmocka_unit_test_prestate(test_no_copy_of_the_store, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(f.folder);
    device_close(f.device);
    return failed;
}
