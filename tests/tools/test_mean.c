/* test_mean.c -- the mean of two files of parameters, and files of which there is none.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "tools/mean.h"

/* A file of "w", 2 x 2 in `type`, with these values, and of "b", one number. */
static void write_model(const char *path, const char *step, dtype type, const float values[4], int columns)
{
    error err = { 0 };
    const float b = values[0] + 1;
    uint16_t half[4];
    for (int i = 0; type == DTYPE_F16 && i < 4; ++i) dtype_store(DTYPE_F16, half, i, values[i]);
    const void *data = type == DTYPE_F16 ? (const void *)half : values;
    safetensors_writer *out = safetensors_writer_create();
    assert_non_null(out);
    if (!safetensors_add_metadata(out, "step", step, &err) || !safetensors_add_checksum(out, &err) ||
        !safetensors_add(out, "w", type, 2, (int64_t[]){ 4 / columns, columns }, data,
                         4 * (int64_t)dtype_bytes(type), &err) ||
        !safetensors_add(out, "b", DTYPE_F32, 1, (int64_t[]){ 1 }, &b, 4, &err) ||
        !safetensors_write(out, path, &err))
        fail_msg("%s", err.message);
    safetensors_writer_destroy(out);
}

static const float before[4] = { 1, 2, -3, 0.5F }, after[4] = { 3, 4, 5, -1.5F };

static void each_element_is_the_mean(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    write_model(at(&r, "before"), "10", DTYPE_F32, before, 2);
    write_model(at(&r, "after"), "20", DTYPE_F16, after, 2);
    if (!mean_parameters(at(&r, "before"), at(&r, "after"), at(&r, "mean"), &err))
        fail_msg("%s", err.message);
    bool stated = false;
    safetensors *mean = safetensors_open_whole(at(&r, "mean"), &stated, &err);
    if (!mean) fail_msg("%s", err.message);
    assert_true(stated);
    assert_string_equal(safetensors_metadata(mean, "step"), "20");
    const safetensors_tensor *w = safetensors_find(mean, "w"), *b = safetensors_find(mean, "b");
    assert_true(w && b && w->type == DTYPE_F16 && w->dim[1] == 2);
    for (int i = 0; i < 4; ++i) assert_true(dtype_load(w->type, w->data, i) == (before[i] + after[i]) / 2);
    assert_true(dtype_load(b->type, b->data, 0) == 3);
    safetensors_close(mean);
    room_remove(&r);
}

static void others_are_refused(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    write_model(at(&r, "square"), "10", DTYPE_F32, before, 2);
    write_model(at(&r, "row"), "10", DTYPE_F32, before, 4);
    assert_false(mean_parameters(at(&r, "square"), at(&r, "row"), at(&r, "mean"), &err));
    assert_says(&err, "'w' is in the second file, and in the first not of that shape");
    err = (error){ 0 };
    assert_false(mean_parameters(at(&r, "nowhere"), at(&r, "row"), at(&r, "mean"), &err));
    assert_says(&err, "nowhere");
    assert_false(file_exists(at(&r, "mean")));
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_is_the_mean),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
