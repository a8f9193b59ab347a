/* test_store.c -- named entries: declaration, memory, initial values, conversion.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "tests/graph/fixture.h"

#include <math.h>
#include <stdio.h>

static void test_declarations_agree_or_fail(void **state)
{
    fixture *f = *state;
    store *s = f->store;
    int64_t dim[] = { 3, 5 }, other[] = { 5, 3 };
    assert_null(store_find(s, "a"));
    store_entry *a = store_declare(s, "a", STORE_PARAMETER, DTYPE_F32, 2, dim);
    assert_non_null(a);
    assert_int_equal(a->count, 15);
    assert_ptr_equal(store_declare(s, "a", STORE_PARAMETER, DTYPE_F32, 2, dim), a);
    assert_null(store_declare(s, "a", STORE_PARAMETER, DTYPE_F32, 2, other));
    assert_null(store_declare(s, "a", STORE_PARAMETER, DTYPE_F16, 2, dim));
    assert_null(store_declare(s, "a", STORE_STATE, DTYPE_F32, 2, dim));
    assert_null(store_declare(s, "a", STORE_PARAMETER, DTYPE_F32, 1, dim));
    assert_null(store_declare(s, "deep", STORE_PARAMETER, DTYPE_F32, TENSOR_RANK_MAX + 1,
                              (int64_t[]){ 1, 1, 1, 1, 1, 1, 1 }));
    assert_int_equal(store_count(s), 1);
}

/* Enough entries that the table of names grows several times. */
static void test_many_entries_are_found(void **state)
{
    fixture *f = *state;
    char name[32];
    int64_t one = 1;
    for (int i = 0; i < 1000; ++i) {
        snprintf(name, sizeof name, "block.%d.weight", i);
        assert_non_null(
            store_declare(f->store, name, i % 2 ? STORE_PARAMETER : STORE_STATE, DTYPE_F32, 1, &one));
    }
    for (int i = 0; i < 1000; ++i) {
        snprintf(name, sizeof name, "block.%d.weight", i);
        assert_ptr_equal(store_find(f->store, name), store_at(f->store, i));
        assert_string_equal(store_at(f->store, i)->name, name);
    }
    assert_int_equal(store_count(f->store), 1000);
    assert_int_equal(store_elements(f->store, STORE_PARAMETER), 500);
    assert_int_equal(store_elements(f->store, STORE_AVERAGE), 0);
}

static store_entry *normal(store *s, const char *name, int64_t count)
{
    store_entry *e = store_declare(s, name, STORE_PARAMETER, DTYPE_F32, 1, &count);
    assert_non_null(e);
    e->init = STORE_NORMAL;
    e->deviation = 0.5f;
    return e;
}

static void test_awaited_values_start_at_zero(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    float values[20];
    store_entry *drawn = normal(f->store, "drawn", 20);
    assert_true(store_allocate(f->store, 1, &err));
    store_await_values(f->store);
    store_entry *awaited = normal(f->store, "awaited", 20);
    assert_true(store_allocate(f->store, 1, &err));
    assert_true(store_read_f32(f->store, awaited, values, &err));
    for (int i = 0; i < 20; ++i) assert_true(values[i] == 0.0f);
    assert_true(store_read_f32(f->store, drawn, values, &err));
    assert_true(values[0] != 0.0f && values[1] != values[0]);
}

/* A parameter's start depends on its name and the seed, not on what else there is or in which order. */
static void test_starts_depend_on_name_and_seed(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    float a[1000], b[1000];
    store *other = store_create(f->device, &err);
    normal(f->store, "x", 1000);
    normal(other, "before", 77);
    normal(other, "x", 1000);
    assert_true(store_allocate(f->store, 1, &err));
    assert_true(store_allocate(other, 1, &err));
    assert_true(store_read_f32(f->store, store_find(f->store, "x"), a, &err));
    assert_true(store_read_f32(other, store_find(other, "x"), b, &err));
    assert_memory_equal(a, b, sizeof a);
    double sum = 0, squares = 0;
    for (int i = 0; i < 1000; ++i) {
        sum += (double)a[i];
        squares += (double)a[i] * (double)a[i];
    }
    assert_true(fabs(sum / 1000) < 0.06);
    assert_true(fabs(sqrt(squares / 1000) - 0.5) < 0.05);
    assert_true(store_read_f32(other, store_find(other, "before"), b, &err));
    assert_memory_not_equal(a, b, 77 * sizeof *a);
    store_destroy(other);
}

static void test_later_entries_leave_earlier_ones_alone(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    store_entry *a = normal(f->store, "a", 33);
    assert_true(store_allocate(f->store, 1, &err));
    device_buffer *buffer = a->buffer;
    float before[33], after[33];
    assert_true(store_write_f32(f->store, a, (float[33]){ 1, 2, 3 }, &err));
    assert_true(store_read_f32(f->store, a, before, &err));
    store_entry *b = normal(f->store, "b", 50);
    int64_t ten = 10;
    store_entry *ones = store_declare(f->store, "ones", STORE_PARAMETER, DTYPE_BF16, 1, &ten);
    ones->init = STORE_ONES;
    assert_true(store_allocate(f->store, 2, &err));
    assert_true(store_read_f32(f->store, a, after, &err));
    assert_memory_equal(before, after, sizeof before);
    assert_ptr_equal(a->buffer, buffer);
    assert_non_null(b->buffer);
    assert_int_equal(b->offset * 4 % 64, 0);
    float one[10];
    assert_true(store_read_f32(f->store, ones, one, &err));
    for (int i = 0; i < 10; ++i) assert_true(one[i] == 1.0f);
}

static void test_values_are_converted(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    int64_t four = 4;
    store_entry *half = store_declare(f->store, "half", STORE_PARAMETER, DTYPE_F16, 1, &four);
    store_entry *whole = store_declare(f->store, "whole", STORE_STATE, DTYPE_I32, 1, &four);
    assert_true(store_allocate(f->store, 1, &err));
    float values[4] = { 1.0f / 3, -65504, 0, 1e-7f }, got[4];
    assert_true(store_write_f32(f->store, half, values, &err));
    assert_true(store_read_f32(f->store, half, got, &err));
    assert_true(fabsf(got[0] - values[0]) < 2e-4f && got[1] == values[1] && got[2] == 0.0f && got[3] != 0.0f);
    int32_t integers[4] = { -5, 0, 7, 1 << 30 }, back[4];
    assert_true(store_write(f->store, whole, integers, &err));
    assert_true(store_read(f->store, whole, back, &err));
    assert_memory_equal(integers, back, sizeof back);
}

/* What belongs to a parameter is found through it, whatever else is there and however it is named. */
static void test_kin_are_found_through_their_parameter(void **state)
{
    fixture *f = *state;
    store *s = f->store;
    int64_t dim[2] = { 3, 5 }, six = 6;
    store_entry *w = store_declare(s, "w", STORE_PARAMETER, DTYPE_F16, 2, dim),
                *v = store_declare(s, "v", STORE_PARAMETER, DTYPE_F32, 1, &six);
    assert_non_null(store_declare(s, "ema.of.nobody", STORE_STATE, DTYPE_F32, 1, &six));
    assert_non_null(store_declare(s, "ema.v", STORE_STATE, DTYPE_F32, 1, &six));
    assert_null(store_kin(w, STORE_MEAN));
    store_entry *mean = store_declare_kin(s, w, STORE_MEAN, DTYPE_F32),
                *average = store_declare_kin(s, w, STORE_AVERAGE, DTYPE_F16),
                *variance = store_declare_kin(s, w, STORE_VARIANCE, DTYPE_F32);
    assert_true(mean && average && variance);
    assert_true(mean->rank == 2 && mean->dim[0] == 3 && mean->dim[1] == 5 && mean->kind == STORE_MEAN);
    assert_true(mean->type == DTYPE_F32 && average->type == DTYPE_F16);
    assert_true(mean->of == w && average->of == w && variance->of == w && !w->of);
    assert_ptr_equal(store_kin(w, STORE_MEAN), mean);
    assert_ptr_equal(store_kin(w, STORE_VARIANCE), variance);
    assert_ptr_equal(store_kin(w, STORE_AVERAGE), average);
    assert_null(store_kin(v, STORE_AVERAGE)); /* although something has the name */
    assert_null(store_declare_kin(s, v, STORE_AVERAGE, DTYPE_F32));
    assert_ptr_equal(store_declare_kin(s, w, STORE_MEAN, DTYPE_F32), mean);
    assert_null(store_declare_kin(s, w, STORE_MEAN, DTYPE_F16));
}

/* Files have names alone, and those of runs made long ago must stay good. */
static void test_kin_are_named_as_ever(void **state)
{
    (void)state;
    static const struct {
        store_kind kind;
        const char *name;
    } kin[] = { { STORE_MEAN, "adam.mean.a.b" },
                { STORE_VARIANCE, "adam.variance.a.b" },
                { STORE_AVERAGE, "ema.a.b" } };
    for (size_t i = 0; i < sizeof kin / sizeof *kin; ++i) {
        char name[STORE_NAME_MAX];
        store_kin_name(kin[i].kind, "a.b", name);
        assert_string_equal(name, kin[i].name);
        assert_int_equal(store_kin_named(name), kin[i].kind);
    }
    assert_int_equal(store_kin_named("a.b"), STORE_PARAMETER);
    assert_int_equal(store_kin_named("adamant"), STORE_PARAMETER);
    assert_int_equal(store_kin_named("schema.a"), STORE_PARAMETER);
}

/* Entries of more than one piece: starts, conversions and copies are as if there were no pieces. */
static void test_pieces_make_a_whole(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    const int64_t count = STORE_PIECE + 1234, at = STORE_PIECE - 5;
    store_entry *whole = normal(f->store, "whole", count);
    store_entry *half = store_declare(f->store, "half", STORE_STATE, DTYPE_F16, 1, &count),
                *copy = store_declare(f->store, "copy", STORE_STATE, DTYPE_F32, 1, &count);
    assert_true(store_allocate(f->store, 3, &err));
    float *values = malloc((size_t)count * sizeof *values), part[10];
    assert_true(store_read_f32(f->store, whole, values, &err));
    philox p = { .seed = 3, .stream = philox_stream("whole") };
    for (int64_t i = at; i < count; ++i) assert_true(values[i] == 0.5f * philox_normal(&p, (uint32_t)i));
    assert_true(store_read_part(f->store, whole, at, 10, part, &err));
    assert_memory_equal(part, values + at, sizeof part);

    for (int64_t i = 0; i < count; ++i) values[i] = (float)(i % 2048);
    assert_true(store_write_f32(f->store, half, values, &err) && store_copy(f->store, copy, half, &err));
    float *got = malloc((size_t)count * sizeof *got);
    assert_true(store_read_f32(f->store, copy, got, &err));
    assert_memory_equal(got, values, (size_t)count * sizeof *got);
    assert_true(store_write_part_f32(f->store, half, at, 10, (float[10]){ 7, 8 }, &err));
    assert_true(store_read_part_f32(f->store, half, at - 1, 4, part, &err));
    assert_true(part[0] == values[at - 1] && part[1] == 7 && part[2] == 8 && part[3] == 0);
    free(values);
    free(got);
}

static void test_an_entry_larger_than_the_device_allows(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    int64_t count = device_get_info(f->device)->max_buffer_bytes / 4 + 1024;
    assert_non_null(store_declare(f->store, "giant.weight", STORE_PARAMETER, DTYPE_F32, 1, &count));
    assert_false(store_allocate(f->store, 1, &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_non_null(strstr(err.message, "giant.weight"));
}

int main(void)
{
    fixture f = { .device = device_or_skip() };
    struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_declarations_agree_or_fail),
        FIXTURE_TEST(test_many_entries_are_found),
        FIXTURE_TEST(test_starts_depend_on_name_and_seed),
        FIXTURE_TEST(test_awaited_values_start_at_zero),
        FIXTURE_TEST(test_later_entries_leave_earlier_ones_alone),
        FIXTURE_TEST(test_values_are_converted),
        FIXTURE_TEST(test_kin_are_found_through_their_parameter),
        FIXTURE_TEST(test_kin_are_named_as_ever),
        FIXTURE_TEST(test_pieces_make_a_whole),
        FIXTURE_TEST(test_an_entry_larger_than_the_device_allows),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; ++i) tests[i].initial_state = &f;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}
