/* test_matrix.c -- the fragments of every GPU's matrix unit (cl/matrix.clh), played by the device at hand;
 * and by its own unit, where it has one of them.
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

/* At most so many units of selftest_matrix.cl, each of two fragments by two; k's last step is not whole. */
enum { UNITS = 2, ROWS_MOST = 32, COLUMNS_MOST = 64, DEPTH = 56 };

typedef struct unit_form {
    const char *options, *vendor_word;
    int lanes, rows, columns;
} unit_form;

static const unit_form FORMS[] = {
    { "-DMATRIX=1", "nvidia", 32, 16, 8 },
    { "-DMATRIX=1 -DMATRIX_PLAIN_LOADS=1", "nvidia", 32, 16, 8 },
    { "-DMATRIX=1 -DCOPIES=1", "nvidia", 32, 16, 8 },
    { "-DMATRIX=2", "amd", 32, 16, 16 },
    { "-DMATRIX=3", "amd", 64, 16, 16 },
    { "-DMATRIX=4", "intel", 8, 8, 8 },
    { "-DMATRIX=5", "intel", 16, 8, 16 },
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

static bool launch_form(fixture *f, const unit_form *form, int units, const char *options, error *err)
{
    const size_t items = (size_t)(units * form->lanes);
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

/* False: the device cannot build or run it. */
static bool check(fixture *f, const unit_form *form, dtype type, int units, bool emulated, error *err)
{
    char options[112];
    snprintf(options, sizeof options, "%s%s%s -DUNITS=%d", form->options,
             type == DTYPE_BF16 ? " -DMATRIX_BF16=1" : "", emulated ? " -DMATRIX_EMULATED" : "", units);
    make_codes(f->a_codes, ROWS_MOST * DEPTH, type, 1);
    make_codes(f->b_codes, COLUMNS_MOST * DEPTH, type, 2);
    if (!launch_form(f, form, units, options, err)) return false;
    const int rows = 2 * form->rows, columns = 2 * units * form->columns;
    for (int m = 0; m < rows; ++m)
        for (int n = 0; n < columns; ++n) {
            const double want = reference(f, type, m, n), got = (double)f->read[m * columns + n];
            if (got != want) fail_msg("%s: c[%d, %d] is %.9g, not %.9g", options, m, n, got, want);
        }
    return true;
}

/* Only a group that is too large for the device is left out, as of more than 32 work-items on llvmpipe. */
static void check_emulated(void **state, dtype type)
{
    int checked = 0;
    for (int i = 0; i < FORM_COUNT; ++i) {
        error err = { 0 };
        const bool ran = check(*state, &FORMS[i], type, UNITS, true, &err) ||
                         check(*state, &FORMS[i], type, 1, true, &err);
        if (!ran && !strstr(err.message, "allows work-groups of"))
            fail_msg("%s: %s", FORMS[i].options, err.message);
        if (!ran) printf("%s: left out: %s\n", FORMS[i].options, err.message);
        checked += ran;
    }
    if (!checked) skip();
}

static void emulated_half(void **state)
{
    check_emulated(state, DTYPE_F16);
}

static void emulated_bfloat16(void **state)
{
    check_emulated(state, DTYPE_BF16);
}

/* Of a vendor's units a device has at most one, and its compiler refuses the others. */
static void own_unit(void **state)
{
    fixture *f = *state;
    const device_info *info = device_get_info(f->d);
    int checked = 0;
    for (int i = 0; i < FORM_COUNT; ++i) {
        error err = { 0 };
        if (info->kind == DEVICE_CPU || strcmp(info->vendor_word, FORMS[i].vendor_word) != 0) continue;
        const bool ran = check(f, &FORMS[i], DTYPE_F16, UNITS, false, &err) &&
                         check(f, &FORMS[i], DTYPE_BF16, UNITS, false, &err);
        if (!ran) printf("%s: left out: %s\n", FORMS[i].options, err.message);
        checked += ran;
    }
    if (!checked) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulated_half),
        cmocka_unit_test(emulated_bfloat16),
        cmocka_unit_test(own_unit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
