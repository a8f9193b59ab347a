/* test_golden_resize.c -- Lanczos against what Pillow made of pictures with hard edges
 * (tools/make_resize.py): within one level everywhere, and nearly everywhere alike.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/safetensors.h"

static safetensors *golden;

static int open_golden(void **state)
{
    (void)state;
    golden = golden_open("resize");
    return 0;
}

static int close_golden(void **state)
{
    (void)state;
    safetensors_close(golden);
    return 0;
}

/* Case `number`'s picture called `what`, still the file's; without pixels if there is none. */
static image stored(int number, const char *what)
{
    char name[32];
    snprintf(name, sizeof name, "%d.%s", number, what);
    const safetensors_tensor *t = safetensors_find(golden, name);
    if (!t) return (image){ 0 };
    assert_string_equal(t->type_name, "U8");
    assert_int_equal(t->bytes, t->dim[0] * t->dim[1] * 3);
    return (image){ (int)t->dim[1], (int)t->dim[0], (uint8_t *)(uintptr_t)t->data };
}

static void compare(int number, const image *made, const image *expected, int64_t *values, int64_t *unlike)
{
    assert_int_equal(made->width, expected->width);
    assert_int_equal(made->height, expected->height);
    for (int i = 0; i < made->width * made->height * 3; ++i) {
        int apart = abs(made->pixels[i] - expected->pixels[i]);
        if (apart > 1)
            fail_msg("case %d, value %d: %d, not %d", number, i, made->pixels[i], expected->pixels[i]);
        *unlike += apart;
        ++*values;
    }
}

static void as_pillow_resizes(void **state)
{
    (void)state;
    int number = 0;
    int64_t values = 0, unlike = 0;
    for (image in; (in = stored(number, "in")).pixels; ++number) {
        image expected = stored(number, "out"), made;
        bool fit = !expected.pixels;
        if (fit) expected = stored(number, "fit");
        error err;
        assert_true(fit ? image_fit(&in, expected.width, &made, &err)
                        : image_resize_lanczos(&in, expected.width, expected.height, &made, &err));
        compare(number, &made, &expected, &values, &unlike);
        image_free(&made);
    }
    assert_int_equal(number, 20);
    assert_true(values > 20000);
    assert_true(unlike * 1000 <= values);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(as_pillow_resizes) };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
