/* fft_lies.c -- a library that transforms wrongly, or not at all, is found out and not used: OpenCL's devices
 * with a library of the test's own, which does it by products and then spoils the result; one that
 * crashes does so in another process.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/device/backend.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

typedef enum lie {
    LIE_NONE,
    LIE_ONE_NUMBER,
    LIE_FACTOR,
    LIE_SILENT,
    LIE_NAN,
    LIE_NO_PLAN,
    LIE_NO_RECORD,
    LIE_NO_RUN
} lie;
static lie told;
static int alive; /* plans of the library's */

static bool lies_support(device *d, const fft_desc *f)
{
    (void)d;
    return f->height != 7;
}

/* The plan of products, and what is wanted of it behind. */
typedef struct lies_state {
    void *products;
    fft_desc desc;
} lies_state;

static void *lies_plan(device *d, const fft_desc *f, error *err)
{
    if (told == LIE_NO_PLAN) return error_null(err, ERROR_DEVICE, "no such function");
    lies_state *s = calloc(1, sizeof *s);
    s->products = fft_products.plan(d, f, err);
    s->desc = *f;
    ++alive;
    return s;
}

static void lies_release(void *state)
{
    lies_state *s = state;
    fft_products.release(s->products);
    free(s);
    --alive;
}

static bool no_run(device *d, void *context, error *err)
{
    (void)d;
    (void)context;
    return error_set(err, ERROR_DEVICE, "an invalid kernel");
}

/* The last number of the last transform, the least that can be wrong; or all of them. */
static bool spoil(const lies_state *s, device_launches *list, device_buffer *in, device_buffer *out,
                  error *err)
{
    const int64_t bytes = fft_out_bytes(&s->desc);
    switch (told) {
    case LIE_ONE_NUMBER:
        return device_launches_add_fill(list, "lie", out, bytes - 4, 4, 0x42000000, err);
    case LIE_NAN:
        return device_launches_add_fill(list, "lie", out, 8, 4, 0x7fc00000, err);
    case LIE_FACTOR:
        return device_launches_add_copy(list, "lie", out, 0, in, 0, fft_in_bytes(&s->desc), err);
    case LIE_NO_RUN:
        return device_launches_add_call(list, "lie", no_run, NULL, err);
    default:
        return true;
    }
}

static bool lies_record(void *state, device_launches *list, const char *label, device_buffer *in,
                        device_buffer *out, error *err)
{
    const lies_state *s = state;
    if (told == LIE_NO_RECORD) return error_set(err, ERROR_DEVICE, "an invalid plan");
    if (told == LIE_SILENT) return true;
    return fft_products.record(s->products, list, label, in, out, err) && spoil(s, list, in, out, err);
}

static const fft_provider lies = { "lies", lies_support, lies_plan, lies_record, lies_release };

static void *crashes_plan(device *d, const fft_desc *f, error *err)
{
    (void)d;
    (void)f;
    (void)err;
    raise(SIGKILL);
    return NULL;
}

static const fft_provider crashes = { "lies", lies_support, crashes_plan, lies_record, lies_release };

/* ---- OpenCL's backend with it ---- */

extern const device_backend opencl_backend;
static device_backend lying_backend;
const device_backend *const device_backends[] = { &lying_backend, NULL };

static bool lying_list(device_listing *l, error *err)
{
    const int before = l->count;
    const bool ok = opencl_backend.list(l, err);
    for (int i = before; i < l->count; ++i) l->entries[i].backend = &lying_backend;
    return ok;
}

static device *d;

static int open_device(void **state)
{
    (void)state;
    d = device_or_skip();
    return 0;
}

static int close_device(void **state)
{
    (void)state;
    const int64_t left = device_allocated_bytes(d);
    device_close(d);
    return left != 0 || alive != 0;
}

/* ---- Tests ---- */

static const fft_desc desc = { 6, 16, 20 };

static void a_right_library_is_taken(void **state)
{
    (void)state;
    error err = { 0 };
    told = LIE_NONE;
    fft_plan *p = fft_plan_create(d, &desc, &err);
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(fft_plan_provider(p), "lies");
    assert_string_equal(fft_plan_note(p), "");
    assert_int_equal(alive, 1);
    fft_plan_destroy(p);
    assert_int_equal(alive, 0);
}

static const struct {
    lie lie;
    const char *said;
} wrongs[] = {
    { LIE_ONE_NUMBER, "transform 6 of 6 of 16 x 20 is off by" },
    { LIE_FACTOR, "transform 1 of 6" },
    { LIE_SILENT, "transform 1 of 6" },
    { LIE_NAN, "transform 1 of 6" },
    { LIE_NO_PLAN, "no such function" },
    { LIE_NO_RECORD, "an invalid plan" },
    { LIE_NO_RUN, "an invalid kernel" },
};

static void a_wrong_one_is_found_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; ++i) {
        error err = { 0 };
        told = wrongs[i].lie;
        fft_plan *p = fft_plan_create(d, &desc, &err);
        if (!p) fail_msg("%s", err.message);
        assert_string_equal(fft_plan_provider(p), "products");
        if (!strstr(fft_plan_note(p), wrongs[i].said))
            fail_msg("'%s' does not say '%s'", fft_plan_note(p), wrongs[i].said);
        fft_plan_destroy(p);
        assert_null(fft_plan_create_with(d, "lies", &desc, &err));
        assert_int_equal(err.code, ERROR_DEVICE);
        assert_non_null(strstr(err.message, wrongs[i].said));
        assert_int_equal(alive, 0);
    }
}

static void what_it_does_not_take_is_not_asked_of_it(void **state)
{
    (void)state;
    error err = { 0 };
    const fft_desc seven = { 2, 7, 16 };
    told = LIE_NONE;
    fft_plan *p = fft_plan_create(d, &seven, &err);
    assert_non_null(p);
    assert_string_equal(fft_plan_provider(p), "products");
    assert_string_equal(fft_plan_note(p), "lies does not take 7 x 16");
    fft_plan_destroy(p);
    assert_null(fft_plan_create_with(d, "lies", &seven, &err));
    assert_int_equal(err.code, ERROR_USAGE);
}

/* ---- In a process of its own ---- */

static char folder[] = "/tmp/dalle-cl-fft-XXXXXX";

/* A program that helps by running `script`, which leaves a mark each time. */
static const char *program(const char *script)
{
    static char path[128];
    char text[512];
    error err = { 0 };
    snprintf(path, sizeof path, "%s/helper", folder);
    const int length = snprintf(text, sizeof text, "#!/bin/sh\necho \"$@\" >>%s/asked\n%s\n", folder, script);
    if (!file_write(path, text, (size_t)length, &err)) fail_msg("%s", err.message);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

/* What is said of a plan whose library is first tried by `script`, and how often that ran so far. */
static void plan_after(const char *script, int64_t width, const char *provider, const char *note, int asked)
{
    error err = { 0 };
    const fft_desc f = { 2, 4, width };
    char path[128];
    told = LIE_NONE;
    setenv("DALLE_CL_HELPER", program(script), 1);
    fft_plan *p = fft_plan_create(d, &f, &err);
    setenv("DALLE_CL_HELPER", "off", 1);
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(fft_plan_provider(p), provider);
    if (!strstr(fft_plan_note(p), note)) fail_msg("'%s' does not say '%s'", fft_plan_note(p), note);
    fft_plan_destroy(p);
    snprintf(path, sizeof path, "%s/asked", folder);
    size_t size = 0;
    char *text = file_read(path, &size, &err);
    assert_non_null(text);
    for (size_t i = 0; i < size; ++i) asked -= text[i] == '\n';
    assert_int_equal(asked, 0);
    free(text);
}

/* Each width is another plan, which nothing is remembered of. */
static void a_crash_elsewhere_is_remembered(void **state)
{
    (void)state;
    plan_after("kill -SEGV $$", 10, "products", "lies ended its process by signal 11", 1);
    plan_after("exit 0", 10, "products", "lies ended its process by signal 11", 1);
    plan_after("exit 0", 12, "lies", "", 2);
    plan_after("kill -SEGV $$", 12, "lies", "", 2);
    plan_after("printf 'off by a mile' >&3", 14, "products", "off by a mile", 3);
    plan_after("exit 0", 14, "products", "off by a mile", 3);
    /* Not its kind of helper: nothing is learnt, and the test here decides. */
    plan_after("exit 1", 16, "lies", "", 4);
    plan_after("exit 0", 16, "lies", "", 5);
}

/* This program as the helper, which crashes where it is told to. */
static void this_program_is_the_process(void **state)
{
    (void)state;
    error err = { 0 };
    const struct {
        const char *lie, *provider, *note;
    } cases[] = { { "0", "lies", "" },
                  { "1", "products", "transform 2 of 2 of 4 x" },
                  { "crash", "products", "by signal" } };
    for (int64_t i = 0; i < 3; ++i) {
        const fft_desc f = { 2, 4, 30 + i };
        told = LIE_NONE;
        setenv("DALLE_CL_HELPER", "/proc/self/exe", 1);
        setenv("FFT_LIE", cases[i].lie, 1);
        fft_plan *p = fft_plan_create(d, &f, &err);
        setenv("DALLE_CL_HELPER", "off", 1);
        if (!p) fail_msg("%s", err.message);
        assert_string_equal(fft_plan_provider(p), cases[i].provider);
        if (!strstr(fft_plan_note(p), cases[i].note))
            fail_msg("'%s' does not say '%s'", fft_plan_note(p), cases[i].note);
        fft_plan_destroy(p);
    }
}

/* The cache is the test's own, so that a second run starts as the first did. */
static int keep_apart(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    setenv("DALLE_CL_CACHE", folder, 1);
    return open_device(state);
}

static int tidy(void **state)
{
    char command[128];
    const int bad = close_device(state);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0 || bad;
}

int main(int argc, char **argv)
{
    const char *lie_asked = getenv("FFT_LIE");
    lying_backend = opencl_backend;
    lying_backend.list = lying_list;
    lying_backend.fft = &lies;
    if (argc > 1 && strcmp(argv[1], DEVICE_HELPER_WORD) == 0) {
        if (lie_asked && strcmp(lie_asked, "crash") == 0) lying_backend.fft = &crashes;
        told = lie_asked ? (lie)atoi(lie_asked) : LIE_NONE;
        return device_help(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_library_is_taken),
        cmocka_unit_test(a_wrong_one_is_found_out),
        cmocka_unit_test(what_it_does_not_take_is_not_asked_of_it),
        cmocka_unit_test(a_crash_elsewhere_is_remembered),
        cmocka_unit_test(this_program_is_the_process),
    };
    return cmocka_run_group_tests(tests, keep_apart, tidy);
}
