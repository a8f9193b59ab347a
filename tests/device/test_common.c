/* test_common.c -- cl/common.clh against host/base/dtype.c: every storage type loaded and stored at
 * every vector width, with one and with several lanes, at odd counts and offsets.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT  1003
#define OFFSET 48
#define ROOM   (OFFSET + 1024 + 64) /* the last vector may run up to 1008 */

typedef struct fixture {
    device *d;
    device_buffer *x, *y, *z;
} fixture;

static int setup(void **state)
{
    static fixture f;
    error err = { 0 };
    f.d = device_or_skip();
    f.x = device_buffer_create(f.d, ROOM * 4, &err);
    f.y = device_buffer_create(f.d, ROOM * 4, &err);
    f.z = device_buffer_create(f.d, ROOM * 4, &err);
    if (!f.x || !f.y || !f.z) fail_msg("%s", err.message);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    device_buffer_destroy(f->x);
    device_buffer_destroy(f->y);
    device_buffer_destroy(f->z);
    device_close(f->d);
    return 0;
}

/* Ordinary values, ties, signs, values beyond each integer type, infinities and subnormal halves. */
static float value(int i)
{
    static const float special[] = { 0.0f,    -0.0f,   0.5f,          1.5f,        2.5f,        -0.5f,
                                     255.0f,  255.5f,  300.0f,        -7.0f,       65504.0f,    65520.0f,
                                     1e-7f,   6e-8f,   -3e-8f,        1.00390625f, 1.01171875f, 1e30f,
                                     -1e30f,  3e9f,    -3e9f,         INFINITY,    -INFINITY,   0.33333334f,
                                     2049.0f, 2051.0f, 2147483520.0f, 1e-3f };
    int specials = (int)(sizeof special / sizeof *special);
    if (i % 3 == 0) return special[i / 3 % specials];
    return ldexpf((float)((i * 7919) % 4099 - 2050) / 1031.0f, i % 19 - 9);
}

static device_launch launch_of(const char *kernel, const char *options, int lanes, int groups)
{
    return (device_launch){ .file = "device/selftest",
                            .kernel = kernel,
                            .options = options,
                            .label = kernel,
                            .rank = 1,
                            .global = { (size_t)(groups * lanes) },
                            .local = { (size_t)lanes } };
}

static void run_one(fixture *f, device_launch *launch, int buffers, device_buffer *a, device_buffer *b,
                    device_buffer *c)
{
    error err = { 0 };
    device_buffer *all[3] = { a, b, c };
    for (int i = 0; i < buffers; ++i)
        launch->args[i] = (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = all[i], .integer = OFFSET };
    launch->args[buffers] = (device_arg){ .kind = DEVICE_ARG_INT, .integer = COUNT };
    launch->arg_count = buffers + 1;
    device_launches *list = device_launches_create(f->d, &err);
    bool ok = list && device_launches_add(list, launch, &err) && device_launches_run(list, 0, 1, &err) &&
              device_finish(f->d, &err);
    device_launches_destroy(list);
    if (!ok) fail_msg("%s", err.message);
}

static void write_all(fixture *f, device_buffer *to, const void *from, size_t bytes)
{
    error err = { 0 };
    if (!device_write(f->d, to, 0, from, (int64_t)bytes, &err)) fail_msg("%s", err.message);
}

static void read_all(fixture *f, const device_buffer *from, void *to, size_t bytes)
{
    error err = { 0 };
    if (!device_read(f->d, from, 0, to, (int64_t)bytes, &err)) fail_msg("%s", err.message);
}

static void check_floats(const float *got, const unsigned char *stored, dtype type, const char *what)
{
    for (int i = 0; i < COUNT; ++i) {
        float want = dtype_load(type, stored, OFFSET + i);
        if (memcmp(&got[OFFSET + i], &want, 4) != 0)
            fail_msg("%s: element %d loads as %g, not %g", what, i, (double)got[OFFSET + i], (double)want);
    }
}

static void check_stored(const unsigned char *got, const float *values, dtype type, const char *what)
{
    size_t size = dtype_bytes(type);
    unsigned char want[8];
    for (int i = 0; i < COUNT; ++i) {
        dtype_store(type, want, 0, values[OFFSET + i]);
        if (memcmp(got + (size_t)(OFFSET + i) * size, want, size) != 0)
            fail_msg("%s: %.9g is stored as %.9g, not %.9g", what, (double)values[OFFSET + i],
                     (double)dtype_load(type, got, OFFSET + i), (double)dtype_load(type, want, 0));
    }
    for (int i = 0; i < ROOM; ++i) {
        if (i >= OFFSET && i < OFFSET + 1008) continue;
        for (size_t j = 0; j < size; ++j)
            if (got[(size_t)i * size + j] != 0x5a)
                fail_msg("%s: element %d outside was written", what, i - OFFSET);
    }
}

static void check_shape(fixture *f, dtype type, int lanes, int vec)
{
    static float values[ROOM], floats[ROOM];
    static unsigned char stored[ROOM * 4], untouched[ROOM * 4], got[ROOM * 4];
    size_t size = dtype_bytes(type);
    char options[96], what[128];
    snprintf(options, sizeof options, "-DX_STORE=STORE_%s -DLANES=%d -DVEC=%d", dtype_name(type), lanes, vec);
    for (int i = 0; i < ROOM; ++i) {
        values[i] = value(i);
        dtype_store(type, stored, i, value(i));
    }
    memset(untouched, 0x5a, sizeof untouched);
    int groups = lanes == 1 ? 3 : 5;

    write_all(f, f->x, stored, ROOM * size);
    device_launch load = launch_of("selftest_load", options, lanes, groups);
    run_one(f, &load, 2, f->y, f->x, NULL);
    read_all(f, f->y, floats, sizeof floats);
    snprintf(what, sizeof what, "%s load", options);
    check_floats(floats, stored, type, what);

    write_all(f, f->x, untouched, sizeof untouched);
    write_all(f, f->y, values, sizeof values);
    device_launch store = launch_of("selftest_store", options, lanes, groups);
    run_one(f, &store, 2, f->x, f->y, NULL);
    read_all(f, f->x, got, ROOM * size);
    snprintf(what, sizeof what, "%s store", options);
    check_stored(got, values, type, what);
    if (vec != 1) return;

    write_all(f, f->x, stored, ROOM * size);
    write_all(f, f->z, values, sizeof values);
    device_launch scalar = launch_of("selftest_scalar", options, lanes, groups);
    run_one(f, &scalar, 3, f->y, f->x, f->z);
    read_all(f, f->y, floats, sizeof floats);
    check_floats(floats, stored, type, what);
}

static void check_type(void **state, dtype type)
{
    fixture *f = *state;
    static const int vecs[] = { 1, 2, 4, 8, 16 };
    for (size_t i = 0; i < sizeof vecs / sizeof *vecs; ++i)
        for (int lanes = 1; lanes <= 4; lanes += 3)
            if (device_set_shape(f->d, lanes, vecs[i])) check_shape(f, type, lanes, vecs[i]);
}

#define TYPE_TEST(name, bytes, floating, text) \
    static void test_##name(void **state) \
    { \
        check_type(state, DTYPE_##name); \
    }
DTYPES(TYPE_TEST)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TYPE_ENTRY(name, bytes, floating, text) cmocka_unit_test(test_##name),
        DTYPES(TYPE_ENTRY)
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
