/* test_safetensors.c -- the container there and back, and every way a file can be wrong.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"

#include "host/base/file.h"
#include "host/base/philox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int set_up(void **state)
{
    char *path = strdup("dalle-safetensors-XXXXXX");
    int descriptor = mkstemp(path);
    if (descriptor >= 0) close(descriptor);
    *state = path;
    return descriptor >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = remove(*state);
    free(*state);
    return rc;
}

static void write_sample(const char *path)
{
    static const float weights[6] = { 1, 2, 3, 4, 5, 6 };
    static const uint16_t half[3] = { 0x3c00, 0x4000, 0xc000 };
    static const uint8_t byte[1] = { 200 };
    error err = { 0 };
    safetensors_writer *w = safetensors_writer_create();
    assert_true(safetensors_add(w, "mask", DTYPE_U8, 0, NULL, byte, 1, &err));
    assert_true(safetensors_add(w, "block.0.weight", DTYPE_F32, 2, (int64_t[]){ 2, 3 }, weights, 24, &err));
    assert_true(safetensors_add(w, "bias", DTYPE_F16, 1, (int64_t[]){ 3 }, half, 6, &err));
    assert_true(safetensors_add(w, "empty", DTYPE_I32, 2, (int64_t[]){ 0, 7 }, NULL, 0, &err));
    assert_true(safetensors_add_metadata(w, "model", "dvae \"tiny\"\n\u00fc", &err));
    assert_true(safetensors_add_metadata(w, "step", "17", &err));
    assert_false(safetensors_add(w, "bias", DTYPE_F16, 1, (int64_t[]){ 3 }, half, 6, &err));
    assert_string_equal(err.message, "two tensors of one file are named 'bias'");
    assert_false(safetensors_add(w, "\xff", DTYPE_U8, 0, NULL, byte, 1, &err));
    assert_false(safetensors_add_metadata(w, "bad", "\xff", &err));
    assert_true(safetensors_write(w, path, &err));
    safetensors_writer_destroy(w);
}

static void round_trip(void **state)
{
    write_sample(*state);
    error err = { 0 };
    safetensors *f = safetensors_open(*state, &err);
    assert_non_null(f);
    assert_int_equal(safetensors_count(f), 4);
    const safetensors_tensor *t = safetensors_find(f, "block.0.weight");
    assert_non_null(t);
    assert_true(t->loadable && t->type == DTYPE_F32 && t->rank == 2 && t->dim[0] == 2 && t->dim[1] == 3);
    assert_int_equal(t->bytes, 24);
    assert_int_equal((uintptr_t)t->data % 4, 0);
    assert_true(((const float *)t->data)[5] == 6);
    t = safetensors_find(f, "bias");
    assert_int_equal(((const uint16_t *)t->data)[2], 0xc000);
    t = safetensors_find(f, "mask");
    assert_int_equal(t->rank, 0);
    assert_int_equal(*(const uint8_t *)t->data, 200);
    assert_int_equal(safetensors_find(f, "empty")->bytes, 0);
    assert_null(safetensors_find(f, "weight"));
    assert_null(safetensors_find(f, "__metadata__"));
    assert_string_equal(safetensors_metadata(f, "model"), "dvae \"tiny\"\n\u00fc");
    assert_string_equal(safetensors_metadata(f, "step"), "17");
    assert_null(safetensors_metadata(f, "none"));
    for (int i = 1; i < 4; ++i) /* in the order of the data */
        assert_true((const char *)safetensors_at(f, i)->data >= (const char *)safetensors_at(f, i - 1)->data);
    safetensors_close(f);
    safetensors_close(NULL);
}

/* Elements count up from *of; it fails at the element after *of, if that is negative. */
static bool count_up(void *of, int64_t first, int64_t count, void *values, error *err)
{
    int32_t start = *(const int32_t *)of, *to = values;
    assert_true(count > 0 && count <= SAFETENSORS_PIECE);
    if (start < 0 && first + count > -start) return error_set(err, ERROR_DEVICE, "the device is gone");
    for (int64_t i = 0; i < count; ++i) to[i] = start + (int32_t)(first + i);
    return true;
}

static void write_counts(const char *path, int32_t *start, int64_t count, bool source)
{
    error err = { 0 };
    safetensors_writer *w = safetensors_writer_create();
    int32_t *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; ++i) values[i] = *start + (int32_t)i;
    assert_true(safetensors_add(w, "first", DTYPE_U8, 1, (int64_t[]){ 4 }, "abc", 4, &err));
    if (source)
        assert_true(
            safetensors_add_source(w, "counted", DTYPE_I32, 1, &count, count_up, start, &err) &&
            safetensors_add_source(w, "empty", DTYPE_I32, 1, (int64_t[]){ 0 }, count_up, start, &err));
    else
        assert_true(safetensors_add(w, "counted", DTYPE_I32, 1, &count, values, count * 4, &err) &&
                    safetensors_add(w, "empty", DTYPE_I32, 1, (int64_t[]){ 0 }, NULL, 0, &err));
    assert_true(safetensors_write(w, path, &err));
    safetensors_writer_destroy(w);
    free(values);
}

/* Byte for byte the file that the same data in memory makes. */
static void data_from_a_source(void **state)
{
    int32_t start = 7;
    error err = { 0 };
    static const int64_t counts[] = { 1, SAFETENSORS_PIECE, 2 * SAFETENSORS_PIECE + 3 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) {
        size_t size, same;
        write_counts(*state, &start, counts[i], false);
        char *whole = file_read(*state, &size, &err);
        write_counts(*state, &start, counts[i], true);
        char *streamed = file_read(*state, &same, &err);
        assert_int_equal(size, same);
        assert_memory_equal(whole, streamed, size);
        free(whole);
        free(streamed);
    }
}

/* The file before stays, and nothing else. */
static void a_source_that_fails(void **state)
{
    write_sample(*state);
    error err = { 0 };
    size_t size, same;
    char *before = file_read(*state, &size, &err), temporary[300];
    static const int32_t limits[] = { -1, -SAFETENSORS_PIECE - 5 };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
        int32_t limit = limits[i];
        safetensors_writer *w = safetensors_writer_create();
        assert_true(safetensors_add_source(w, "x", DTYPE_I32, 1, (int64_t[]){ 3 * SAFETENSORS_PIECE },
                                           count_up, &limit, &err));
        assert_false(safetensors_write(w, *state, &err));
        assert_string_equal(err.message, "the device is gone");
        assert_int_equal(err.code, ERROR_DEVICE);
        safetensors_writer_destroy(w);
        char *after = file_read(*state, &same, &err);
        assert_int_equal(size, same);
        assert_memory_equal(before, after, size);
        free(after);
        file_atomic_name(*state, temporary, sizeof temporary);
        assert_false(file_exists(temporary));
    }
    free(before);
}

static void no_tensors_at_all(void **state)
{
    error err = { 0 };
    safetensors_writer *w = safetensors_writer_create();
    assert_true(safetensors_write(w, *state, &err));
    safetensors_writer_destroy(w);
    safetensors *f = safetensors_open(*state, &err);
    assert_non_null(f);
    assert_int_equal(safetensors_count(f), 0);
    assert_null(safetensors_find(f, "x"));
    assert_null(safetensors_metadata(f, "x"));
    safetensors_close(f);
}

/* A file with this header text and `data_size` bytes of data. */
static void write_raw(const char *path, const char *header, size_t data_size)
{
    size_t length = strlen(header), size = 8 + length + data_size;
    unsigned char *bytes = calloc(1, size);
    for (int i = 0; i < 8; ++i) bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; ++i) bytes[8 + length + i] = (unsigned char)i;
    error err = { 0 };
    assert_true(file_write(path, bytes, size, &err));
    free(bytes);
}

static void foreign_types_and_unaligned_files(void **state)
{
    error err = { 0 };
    write_raw(*state,
              "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
              "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
              "\"c\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[12,14]}} ",
              14);
    safetensors *f = safetensors_open(*state, &err);
    assert_non_null(f);
    assert_false(safetensors_find(f, "a")->loadable);
    assert_string_equal(safetensors_find(f, "a")->type_name, "F64");
    assert_false(safetensors_find(f, "c")->loadable);
    const safetensors_tensor *b = safetensors_find(f, "b");
    assert_true(b->loadable);
    assert_int_equal((uintptr_t)b->data % 4, 0); /* though the header's length is odd */
    assert_int_equal(*(const unsigned char *)b->data, 8);
    safetensors_close(f);
}

/* 1-6-9 stands there as U16, which other readers know, and the metadata says what it is. */
static void types_of_our_own(void **state)
{
    error err = { 0 };
    static const uint16_t mean[3] = { 0x7ffe, 0x8001, 0 };
    char long_name[1100];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    safetensors_writer *w = safetensors_writer_create();
    assert_true(safetensors_add(w, "mean", DTYPE_F169, 1, (int64_t[]){ 3 }, mean, 6, &err));
    assert_true(safetensors_add(w, "half", DTYPE_F16, 1, (int64_t[]){ 3 }, mean, 6, &err));
    assert_false(safetensors_add(w, long_name, DTYPE_UF610, 1, (int64_t[]){ 3 }, mean, 6, &err));
    assert_non_null(strstr(err.message, "too long for its type to be stated"));
    assert_true(safetensors_add(w, long_name, DTYPE_F16, 1, (int64_t[]){ 3 }, mean, 6, &err));
    assert_true(safetensors_write(w, *state, &err));
    safetensors_writer_destroy(w);
    safetensors *f = safetensors_open(*state, &err);
    assert_non_null(f);
    const safetensors_tensor *t = safetensors_find(f, "mean");
    assert_true(t->loadable && t->type == DTYPE_F169 && dtype_load(t->type, t->data, 0) == 15.96875f);
    assert_string_equal(t->type_name, "F169");
    assert_string_equal(safetensors_metadata(f, "dtype.mean"), "F169");
    assert_null(safetensors_metadata(f, "dtype.half"));
    assert_true(safetensors_find(f, "half")->type == DTYPE_F16);
    safetensors_close(f);
#define SAID(dtype, said) \
    "{\"__metadata__\":{\"dtype.a\":\"" said "\"},\"a\":{\"dtype\":\"" dtype \
    "\",\"shape\":[2],\"data_offsets\":[0,4]}}"
    write_raw(*state, SAID("F16", "float16"), 4); /* others may say what they like */
    assert_non_null(f = safetensors_open(*state, &err));
    assert_true(safetensors_find(f, "a")->loadable);
    safetensors_close(f);
    write_raw(*state, SAID("U16", "F17"), 4);
    assert_non_null(f = safetensors_open(*state, &err));
    assert_false(safetensors_find(f, "a")->loadable);
    assert_string_equal(safetensors_find(f, "a")->type_name, "U16");
    safetensors_close(f);
    write_raw(*state, SAID("U16", "BF16"), 4);
    assert_null(safetensors_open(*state, &err));
    assert_non_null(strstr(err.message, "tensor 'a' is said to hold BF16, which is not stored as U16"));
}

static void malformed_headers(void **state)
{
#define A(dtype, shape, offsets) \
    "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define B(offsets) "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets "}"
    static const struct {
        const char *header;
        size_t data;
        const char *message;
    } cases[] = {
        { "[1,2,3,4]", 8, "not a safetensors file" },
        { "{\"a\":", 8, "not valid JSON" },
        { "{\"a\":1}", 8, "entry 'a' is not an object" },
        { "{} {}", 0, "not valid JSON" },
        { A("F32", "[1]", "[0,4]"), 8, "4 bytes after the last tensor belong to none" },
        { A("F32", "[1]", "[4,8]"), 8, "4 bytes before tensor 'a' belong to none" },
        { A("F32", "[2]", "[0,8]"), 4, "truncated: tensor 'a' ends at byte 8 of the data, which has 4" },
        { A("F32", "[2]", "[0,4]"), 4, "tensor 'a' has 4 bytes, its shape and type need 8" },
        { A("F32", "[1]", "[8,4]"), 8, "impossible offsets 8 to 4" },
        { A("F32", "[1]", "[-4,0]"), 8, "impossible offsets -4 to 0" },
        { A("F32", "[1]", "[2,6]"), 8, "begins at byte 2, which is not a multiple of 4" },
        { A("F33", "[1]", "[0,4]"), 4, "the unknown dtype 'F33'" },
        { A("F32", "[-1]", "[0,4]"), 4, "dimension 0 is not a size" },
        { A("F32", "[1.0]", "[0,4]"), 4, "dimension 0 is not a size" },
        { A("F32", "1", "[0,4]"), 4, "lacks a dtype or a shape" },
        { A("F32", "[1]", "[0]"), 4, "lacks data_offsets" },
        { A("F32", "[1]", "[0,\"4\"]"), 4, "lacks data_offsets" },
        { A("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "9 dimensions, at most 8" },
        { A("F32", "[4294967296,4294967296]", "[0,4]"), 4, "larger than any file" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}," B("[2,6]") "}", 6,
          "'a' and 'b' overlap" },
        { "{" B("[0,4]") "," B("[4,8]") "}", 8, "not valid JSON" }, /* a repeated name */
        { "{\"__metadata__\":[]}", 0, "__metadata__ is not an object" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ 'a' is not text" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err = { 0 };
        write_raw(*state, cases[i].header, cases[i].data);
        safetensors *f = safetensors_open(*state, &err);
        if (f || !strstr(err.message, cases[i].message)) print_error("case %zu: %s\n", i, err.message);
        assert_null(f);
        assert_int_equal(err.code, ERROR_FORMAT);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_int_equal(strncmp(err.message, *state, strlen(*state)), 0);
    }
}

static void foreign_files(void **state)
{
    error err = { 0 };
    assert_null(safetensors_open("no/such/file", &err));
    assert_string_equal(err.message, "cannot open 'no/such/file': No such file or directory");
    assert_null(safetensors_open(".", &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_null(safetensors_open("/dev/null", &err));
    assert_true(file_write(*state, "\x89PNG\r\n\x1a\n picture", 16, &err));
    assert_null(safetensors_open(*state, &err));
    assert_non_null(strstr(err.message, "not a safetensors file"));
    assert_true(file_write(*state, "\xff\xff\xff\x04\0\0\0\0{}", 10, &err)); /* promises 80 MB */
    assert_null(safetensors_open(*state, &err));
    assert_non_null(strstr(err.message, "truncated: the header should have 83886079 bytes"));
}

/* Reads all that a successful open promises, for the sanitizer to watch. */
static int64_t touch_all(const char *path)
{
    error err = { 0 };
    safetensors *f = safetensors_open(path, &err);
    if (!f) {
        assert_true(err.message[0] != '\0');
        return -1;
    }
    int64_t sum = 0;
    for (int i = 0; i < safetensors_count(f); ++i) {
        const safetensors_tensor *t = safetensors_at(f, i);
        assert_ptr_equal(safetensors_find(f, t->name), t);
        for (int64_t k = 0; k < t->bytes; ++k) sum += ((const unsigned char *)t->data)[k];
    }
    safetensors_close(f);
    return sum;
}

static void every_truncation_is_refused(void **state)
{
    write_sample(*state);
    error err = { 0 };
    size_t size = 0;
    char *bytes = file_read(*state, &size, &err);
    for (size_t cut = 0; cut < size; ++cut) {
        FILE *out = fopen(*state, "wb");
        fwrite(bytes, 1, cut, out);
        fclose(out);
        assert_int_equal(touch_all(*state), -1);
    }
    free(bytes);
}

static void random_flips_do_not_crash(void **state)
{
    write_sample(*state);
    error err = { 0 };
    size_t size = 0;
    char *bytes = file_read(*state, &size, &err);
    philox p = { 3, 0, 1 };
    for (uint32_t i = 0; i < 800; ++i) {
        uint32_t at = philox_below(&p, 2 * i, (uint32_t)size);
        char old = bytes[at];
        bytes[at] = (char)philox_bits(&p, 2 * i + 1);
        FILE *out = fopen(*state, "wb");
        fwrite(bytes, 1, size, out);
        fclose(out);
        touch_all(*state);
        if (i % 4) bytes[at] = old; /* every fourth damage stays */
    }
    free(bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(round_trip),
        TEST(data_from_a_source),
        TEST(a_source_that_fails),
        TEST(no_tensors_at_all),
        TEST(foreign_types_and_unaligned_files),
        TEST(types_of_our_own),
        TEST(malformed_headers),
        TEST(foreign_files),
        TEST(every_truncation_is_refused),
        TEST(random_flips_do_not_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
