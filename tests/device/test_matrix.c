/* test_matrix.c -- the fragments of every GPU's matrix unit (cl/matrix.clh), played by the device at hand.
 * Numbers are small multiples of 1/8, so that every sum is exact in any order and one wrong element shows;
 * what stands between a tile's rows is not a number.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* UNITS of selftest_matrix.cl, each of two fragments by two. */
enum { UNITS = 2, ROWS_MOST = 32, COLUMNS_MOST = 64, DEPTH = 64 };

typedef struct unit_form {
    const char *options;
    device_unit unit;
    const char *vendor_word;
    int lanes, rows, columns;
} unit_form;

static const unit_form FORMS[] = {
    { "-DMATRIX=1", DEVICE_UNIT_NVIDIA_MMA, "nvidia", 32, 16, 8 },
    { "-DMATRIX=1 -DMATRIX_PLAIN_LOADS=1", DEVICE_UNIT_NVIDIA_MMA, "nvidia", 32, 16, 8 },
    { "-DMATRIX=2", DEVICE_UNIT_AMD_WMMA, "amd", 32, 16, 16 },
    { "-DMATRIX=3", DEVICE_UNIT_AMD_MFMA, "amd", 64, 16, 16 },
    { "-DMATRIX=4", DEVICE_UNIT_INTEL_DPAS, "intel", 8, 8, 8 },
    { "-DMATRIX=5", DEVICE_UNIT_INTEL_DPAS, "intel", 16, 8, 16 },
};
enum { FORM_COUNT = sizeof FORMS / sizeof *FORMS };

typedef struct fixture {
    device *d;
    device_buffer *a, *b, *c;
    uint16_t a_codes[ROWS_MOST * DEPTH], b_codes[COLUMNS_MOST * DEPTH];
    float read[ROWS_MOST * COLUMNS_MOST];
} fixture;

static int setup(void **state)
{
    static fixture f;
    error err = { 0 };
    f.d = device_or_skip();
    f.a = device_buffer_create(f.d, sizeof f.a_codes, &err);
    f.b = device_buffer_create(f.d, sizeof f.b_codes, &err);
    f.c = device_buffer_create(f.d, sizeof f.read, &err);
    if (!f.a || !f.b || !f.c) fail_msg("%s", err.message);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    device_buffer_destroy(f->a);
    device_buffer_destroy(f->b);
    device_buffer_destroy(f->c);
    device_close(f->d);
    return 0;
}

/* Eighths from -15 to 15: exact in half and in bfloat16, whose fractions have seven bits. */
static void make_codes(uint16_t *codes, int count, dtype type, uint32_t stream)
{
    const philox p = { .seed = 11, .stream = stream };
    for (int i = 0; i < count; ++i)
        dtype_store(type, codes, i, (float)((int)(philox_bits(&p, (uint32_t)i) % 241) - 120) / 8);
}

static double reference(const fixture *f, dtype type, int row, int column)
{
    double sum = 0;
    for (int k = 0; k < DEPTH; ++k)
        sum += (double)dtype_load(type, f->a_codes, row * DEPTH + k) *
               (double)dtype_load(type, f->b_codes, column * DEPTH + k);
    return sum;
}

static bool launch_form(fixture *f, const unit_form *form, const char *options, error *err)
{
    const size_t items = (size_t)(UNITS * form->lanes);
    device_launch launch = { .file = "device/selftest_matrix",
                             .kernel = "selftest_matrix",
                             .options = options,
                             .label = "selftest_matrix",
                             .rank = 1,
                             .global = { items },
                             .local = { items },
                             .arg_count = 4,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = f->c },
                                       { .kind = DEVICE_ARG_BUFFER, .buffer = f->a },
                                       { .kind = DEVICE_ARG_BUFFER, .buffer = f->b },
                                       { .kind = DEVICE_ARG_INT, .integer = DEPTH } } };
    device_launches *list = device_launches_create(f->d, err);
    bool ok = list && device_write(f->d, f->a, 0, f->a_codes, sizeof f->a_codes, err) &&
              device_write(f->d, f->b, 0, f->b_codes, sizeof f->b_codes, err) &&
              device_fill(f->d, f->c, 0, sizeof f->read, 0xff, err) &&
              device_launches_add(list, &launch, err) && device_launches_run(list, 0, 1, err) &&
              device_read(f->d, f->c, 0, f->read, sizeof f->read, err);
    device_launches_destroy(list);
    return ok;
}

static void check(fixture *f, const unit_form *form, dtype type, bool emulated)
{
    error err = { 0 };
    char options[96];
    snprintf(options, sizeof options, "%s%s%s", form->options, type == DTYPE_BF16 ? " -DMATRIX_BF16=1" : "",
             emulated ? " -DMATRIX_EMULATED" : "");
    make_codes(f->a_codes, ROWS_MOST * DEPTH, type, 1);
    make_codes(f->b_codes, COLUMNS_MOST * DEPTH, type, 2);
    if (!launch_form(f, form, options, &err)) fail_msg("%s: %s", options, err.message);
    const int rows = 2 * form->rows, columns = 2 * UNITS * form->columns;
    for (int m = 0; m < rows; ++m)
        for (int n = 0; n < columns; ++n) {
            const double want = reference(f, type, m, n), got = (double)f->read[m * columns + n];
            if (got != want) fail_msg("%s: c[%d, %d] is %.9g, not %.9g", options, m, n, got, want);
        }
}

static void check_emulated(void **state, dtype type)
{
    fixture *f = *state;
    const int64_t most = device_get_info(f->d)->max_group;
    int skipped = 0;
    for (int i = 0; i < FORM_COUNT; ++i) {
        if (UNITS * FORMS[i].lanes <= most)
            check(f, &FORMS[i], type, true);
        else
            printf("%s: needs a group of %d, the device's largest is %lld\n", FORMS[i].options,
                   UNITS * FORMS[i].lanes, (long long)most),
                ++skipped;
    }
    if (skipped == FORM_COUNT) skip();
}

static void emulated_half(void **state)
{
    check_emulated(state, DTYPE_F16);
}

static void emulated_bfloat16(void **state)
{
    check_emulated(state, DTYPE_BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulated_half),
        cmocka_unit_test(emulated_bfloat16),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
