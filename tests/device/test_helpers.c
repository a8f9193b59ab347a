/* test_helpers.c -- kernels built by other processes: the same results whether a helper works, dies, fails,
 * talks nonsense or cannot be started.  The helper is this program, which plays the part that $TEST_HELPER
 * names.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"
#include "host/device/opencl/helpers.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { KERNELS = 8 };

static char cache[64], worked[80], self[4096];

/* ---- The helper ---- */

static int fail_after_a_job(int (*fault)(const helper_job *))
{
    helper_job job;
    ssize_t got;
    while ((got = read(HELPER_JOBS, &job, sizeof job)) < 0) usleep(1000);
    return got == (ssize_t)sizeof job ? fault(&job) : 0;
}

static int say(const helper_job *job, helper_state state, int64_t bytes)
{
    const helper_result r = { job->job, state, 0, bytes };
    return write(HELPER_RESULTS, &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1;
}

static int silent(const helper_job *job)
{
    (void)job;
    pause();
    return 1;
}

static int die(const helper_job *job)
{
    say(job, HELPER_BEGUN, 0);
    return 1;
}

static int refuse(const helper_job *job)
{
    say(job, HELPER_BEGUN, 0);
    say(job, HELPER_FAILED, 0);
    return 0;
}

static int talk_nonsense(const helper_job *job)
{
    const helper_job other = { .job = INT64_MAX };
    say(&other, HELPER_DONE, 10);
    say(job, HELPER_BEGUN, 0);
    return pwrite(HELPER_BINARIES, "nonsense", 8, 0) == 8 ? say(job, HELPER_DONE, 8) : 1;
}

static int promise_too_much(const helper_job *job)
{
    return say(job, HELPER_DONE, INT64_C(1) << 40);
}

static int play(int argc, char **argv)
{
    const char *part = getenv("TEST_HELPER");
    FILE *f = fopen(getenv("TEST_WORKED"), "a");
    if (f) fclose(f);
    if (!part || strcmp(part, "helps") == 0) return device_help(argc, argv);
    if (strcmp(part, "silent") == 0) return fail_after_a_job(silent);
    if (strcmp(part, "dies") == 0) return fail_after_a_job(die);
    if (strcmp(part, "refuses") == 0) return fail_after_a_job(refuse);
    if (strcmp(part, "nonsense") == 0) return fail_after_a_job(talk_nonsense);
    if (strcmp(part, "too much") == 0) return fail_after_a_job(promise_too_much);
    return 1;
}

/* ---- What is helped ---- */

static bool add_kernel(device_launches *list, device_buffer *b, int which, error *err)
{
    char options[32];
    snprintf(options, sizeof options, "-DNUMBER=%d", which);
    device_launch launch = { .file = "device/selftest",
                             .kernel = "selftest_affine",
                             .options = options,
                             .rank = 1,
                             .global = { 4 },
                             .local = { 1 },
                             .arg_count = 5,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b },
                                       { .kind = DEVICE_ARG_INT, .integer = 8 },
                                       { .kind = DEVICE_ARG_FLOAT, .real = 1 },
                                       { .kind = DEVICE_ARG_INT, .integer = which },
                                       { .kind = DEVICE_ARG_LONG, .integer = 0 } } };
    return device_launches_add(list, &launch, err);
}

/* Every kernel adds its number. */
static void compute(int kernels)
{
    error err = { 0 };
    float host[8] = { 0 };
    device *d = device_open(NULL, &err);
    device_buffer *b = d ? device_buffer_create(d, sizeof host, &err) : NULL;
    device_launches *list = b ? device_launches_create(d, &err) : NULL;
    bool ok = list && device_write(d, b, 0, host, sizeof host, &err);
    for (int i = 0; ok && i < kernels; ++i) ok = add_kernel(list, b, i, &err);
    ok = ok && device_launches_run(list, 0, kernels, &err) && device_read(d, b, 0, host, sizeof host, &err);
    if (!ok) fail_msg("%s", err.message);
    for (int i = 0; i < 8; ++i) assert_float_equal(host[i], (float)(kernels * (kernels - 1) / 2), 0);
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
}

static void forget(void)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s' && rm -f '%s'", cache, worked);
    assert_int_equal(system(command), 0);
}

static bool several_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

static void with_helper(const char *part)
{
    forget();
    setenv("DALLE_CL_HELPER", self, 1);
    setenv("TEST_HELPER", part, 1);
    compute(KERNELS);
    if (several_cores() && access(worked, F_OK) != 0) fail_msg("no helper was started");
    /* None is left behind. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_helper_helps(void **state)
{
    (void)state;
    with_helper("helps");
    unlink(worked);
    compute(KERNELS); /* from the cache: whoever built them, all were kept */
    assert_int_not_equal(access(worked, F_OK), 0);
}

static void a_helper_may_fail_as_it_likes(void **state)
{
    (void)state;
    static const char *const parts[] = { "dies", "refuses", "nonsense", "too much", "silent", "unknown" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        if (strcmp(parts[i], "nonsense") != 0 || survives_bad_binaries()) with_helper(parts[i]);
}

static void without_a_cache(void **state)
{
    (void)state;
    setenv("DALLE_CL_CACHE", "off", 1);
    with_helper("helps");
    setenv("DALLE_CL_CACHE", cache, 1);
}

static void few_kernels_start_none(void **state)
{
    (void)state;
    forget();
    setenv("DALLE_CL_HELPER", self, 1);
    compute(2);
    assert_int_not_equal(access(worked, F_OK), 0);
}

static void a_missing_program_is_no_failure(void **state)
{
    (void)state;
    static const char *const names[] = { "/nonexistent/dalle-cl", "off", "" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        forget();
        setenv("DALLE_CL_HELPER", names[i], 1);
        compute(KERNELS);
    }
}

/* What the compiler says of a kernel that is built later comes when it is first run. */
static void errors_come_with_the_run(void **state)
{
    (void)state;
    error err = { 0 };
    forget();
    setenv("DALLE_CL_HELPER", self, 1);
    setenv("TEST_HELPER", "helps", 1);
    device *d = device_open(NULL, &err);
    device_buffer *b = d ? device_buffer_create(d, 32, &err) : NULL;
    device_launches *list = b ? device_launches_create(d, &err) : NULL;
    assert_non_null(list);
    device_launch launch = { .file = "device/selftest",
                             .kernel = "selftest_affine",
                             .options = "-Dget_global_id=nothing_at_all",
                             .rank = 1,
                             .global = { 4 },
                             .local = { 1 },
                             .arg_count = 1,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b } } };
    bool ok = add_kernel(list, b, 0, &err) && device_launches_add(list, &launch, &err) &&
              device_launches_run(list, 0, 2, &err);
    assert_false(ok);
    assert_non_null(strstr(err.message, "clBuildProgram(device/selftest.cl"));
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], DEVICE_HELPER_WORD) == 0) return play(argc, argv);
    snprintf(cache, sizeof cache, "helpers-test-%ld", (long)getpid());
    snprintf(worked, sizeof worked, "%s.worked", cache);
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return EXIT_SKIPPED;
    self[length] = 0;
    setenv("DALLE_CL_HELPER", "off", 1);
    setenv("DALLE_CL_CACHE", cache, 1);
    setenv("TEST_WORKED", worked, 1);
    device *d = device_or_skip();
    const bool cpu = device_get_info(d)->kind == DEVICE_CPU;
    device_close(d);
    if (!cpu) return fprintf(stderr, "skipped: helpers are for CPUs\n"), EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_helper_helps),
        cmocka_unit_test(a_helper_may_fail_as_it_likes),
        cmocka_unit_test(without_a_cache),
        cmocka_unit_test(few_kernels_start_none),
        cmocka_unit_test(a_missing_program_is_no_failure),
        cmocka_unit_test(errors_come_with_the_run),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget();
    return failed;
}
