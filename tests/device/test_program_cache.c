/* test_program_cache.c -- binaries on disk: used when whole, replaced when cut, corrupt, of another
 * format or refused by the driver, safe with two processes at once; and what a failed build says.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"
#include "host/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s: %s", #call, err.message); \
    } while (0)

/* Counts the entries, gives the last one's path, and may delete them. */
static int for_each_entry(char *any_path, size_t size, bool delete)
{
    char path[1024];
    int entries = 0;
    snprintf(path, sizeof path, "%s/programs", folder);
    DIR *dir = opendir(path);
    if (!dir) return 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/programs/%s", folder, e->d_name);
        if (any_path) snprintf(any_path, size, "%s", path);
        if (delete) unlink(path);
        ++entries;
    }
    closedir(dir);
    return entries;
}

/* Compiles and runs the self-test kernel on a fresh device; true if the numbers are right. */
static bool compute(const char *options)
{
    error err = { 0 };
    float host[8] = { 0 };
    device *d = device_open(NULL, &err);
    device_buffer *b = d ? device_buffer_create(d, sizeof host, &err) : NULL;
    device_launches *list = b ? device_launches_create(d, &err) : NULL;
    device_launch launch = { .file = "device/selftest",
                             .kernel = "selftest_affine",
                             .options = options,
                             .rank = 1,
                             .global = { 4 },
                             .local = { 1 },
                             .arg_count = 5,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b },
                                       { .kind = DEVICE_ARG_INT, .integer = 8 },
                                       { .kind = DEVICE_ARG_FLOAT, .real = 2 },
                                       { .kind = DEVICE_ARG_INT, .integer = 1 },
                                       { .kind = DEVICE_ARG_LONG, .integer = 2 } } };
    bool ok = list && device_fill(d, b, 0, sizeof host, 0x3f800000u, &err) &&
              device_launches_add(list, &launch, &err) && device_launches_run(list, 0, 1, &err) &&
              device_read(d, b, 0, host, sizeof host, &err);
    for (int i = 0; i < 8; ++i) ok = ok && host[i] == 5.0f;
    if (!ok) print_message("%s\n", err.message);
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
    return ok;
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "program-cache-test-%ld", (long)getpid());
    setenv("DALLE_CL_CACHE", folder, 1);
    device_close(device_or_skip()); /* also leaves the probe's result, so that later counts are ours */
    for_each_entry(NULL, 0, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static time_t stamp(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? s.st_mtim.tv_sec : -1;
}

static void an_entry_is_written_once_and_used(void **state)
{
    (void)state;
    char path[1024];
    for_each_entry(NULL, 0, true);
    assert_true(compute("-DVEC=1"));
    assert_int_equal(for_each_entry(path, sizeof path, false), 1);
    struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_true(compute("-DVEC=1"));
    assert_int_equal(stamp(path), 1000); /* neither deleted nor rewritten */
    assert_true(compute("-DVEC=2"));
    assert_int_equal(for_each_entry(NULL, 0, false), 2);
}

/* Cuts the entry to `keep` bytes (0: all), flips bits of byte `flip` or zeroes its second half, and
 * expects right numbers and a fresh, whole entry. */
static void expect_replaced(const char *what, size_t keep, long flip, bool zero_half)
{
    char path[1024];
    error err = { 0 };
    size_t size = 0, again = 0;
    for_each_entry(NULL, 0, true);
    assert_true(compute("-DVEC=1"));
    assert_int_equal(for_each_entry(path, sizeof path, false), 1);
    char *whole = file_read(path, &size, &err);
    MUST(whole);
    char *damaged = malloc(size);
    assert_non_null(damaged);
    memcpy(damaged, whole, size);
    if (keep == 0 || keep > size) keep = size;
    if (flip >= 0)
        damaged[flip] = (char)(damaged[flip] ^ 0x21);
    else if (zero_half)
        memset(damaged + size / 2, 0, size - size / 2);
    MUST(file_write(path, damaged, keep, &err));
    if (!compute("-DVEC=1")) fail_msg("%s: wrong result", what);
    char *fresh = file_read(path, &again, &err);
    if (!fresh || again < 100 || memcmp(fresh, whole, 16) != 0)
        fail_msg("%s: the entry was not replaced", what);
    assert_true(again == size || keep == size || again > keep);
    free(fresh);
    free(damaged);
    free(whole);
}

static void damaged_entries_are_replaced(void **state)
{
    (void)state;
    expect_replaced("cut inside the header", 10, -1, false);
    expect_replaced("cut inside the binary", 500, -1, false);
    expect_replaced("wrong magic", 0, 0, false);
    expect_replaced("wrong version", 0, 8, false);
    expect_replaced("wrong length", 0, 16, false);
    expect_replaced("wrong checksum", 0, 30, false);
    expect_replaced("corrupt binary", 0, 300, false);
    expect_replaced("binary half zeroed", 0, -1, true);
}

/* A whole entry whose binary is for something else: the driver refuses it. */
static void a_binary_the_driver_refuses_is_replaced(void **state)
{
    (void)state;
    char path[1024];
    error err = { 0 };
    if (!survives_bad_binaries()) skip();
    for_each_entry(NULL, 0, true);
    assert_true(compute("-DVEC=1"));
    assert_int_equal(for_each_entry(path, sizeof path, false), 1);
    /* magic, version, reserved, length, checksum of "not a binary" */
    unsigned char entry[88 + 12] = "DALLECLB";
    static const char sum[] = "ea7994281c5caa5a29a8aafb7aeada3b287b3955719e1ee95274e41e9a7ab35c";
    entry[8] = 1;
    entry[16] = 12;
    memcpy(entry + 24, sum, 64);
    memcpy(entry + 88, "not a binary", 12);
    MUST(file_write(path, entry, sizeof entry, &err));
    assert_true(compute("-DVEC=1"));
    size_t size = 0;
    char *fresh = file_read(path, &size, &err);
    MUST(fresh);
    assert_true(size > 200);
    free(fresh);
}

static void two_processes_at_once_agree(void **state)
{
    (void)state;
    for_each_entry(NULL, 0, true);
    pid_t child[2];
    char self[512] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    for (int i = 0; i < 2; ++i) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) {
            execl(self, self, "compute", (char *)NULL);
            _exit(127);
        }
    }
    for (int i = 0; i < 2; ++i) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(for_each_entry(NULL, 0, false), 1);
    assert_true(compute("-DVEC=8"));
}

static void the_cache_can_be_off_or_unwritable(void **state)
{
    (void)state;
    setenv("DALLE_CL_CACHE", "off", 1);
    assert_true(compute("-DVEC=1"));
    setenv("DALLE_CL_CACHE", "/proc/nowhere", 1);
    assert_true(compute("-DVEC=1"));
    setenv("DALLE_CL_CACHE", folder, 1);
}

static void a_failed_build_shows_the_log(void **state)
{
    (void)state;
    error err = { 0 };
    device *d = device_open(NULL, &err);
    MUST(d);
    device_launches *list = device_launches_create(d, &err);
    device_launch launch = { .file = "device/selftest",
                             .kernel = "selftest_affine",
                             .options = "-DVEC=5",
                             .rank = 1,
                             .global = { 1 },
                             .local = { 1 } };
    assert_false(device_launches_add(list, &launch, &err));
    assert_int_equal(err.code, ERROR_DEVICE);
    assert_non_null(strstr(err.message, "device/selftest.cl"));
    assert_non_null(strstr(err.message, "-DVEC=5"));
    assert_non_null(strstr(err.message, "common.clh"));
    device_launches_destroy(list);
    device_close(d);
}

static void kernels_load_from_a_folder_while_editing(void **state)
{
    (void)state;
    error err = { 0 };
    char path[1024], kernels[300];
    snprintf(kernels, sizeof kernels, "%s/kernels", folder);
    snprintf(path, sizeof path, "%s/device", kernels);
    MUST(file_make_folders(path, &err));
    static const char header[] = "#define ADD 3.0f\n";
    static const char source[] =
        "#include \"add.clh\"\n#include \"add.clh\"\n"
        "__kernel void selftest_affine(__global float *y, const long at, const int n,\n"
        "    const float scale, const int shift, const long wide)\n"
        "{ for (int i = 0; i < n; ++i) y[at + i] = 2.0f + ADD; }\n";
    snprintf(path, sizeof path, "%s/add.clh", kernels);
    MUST(file_write(path, header, sizeof header - 1, &err));
    snprintf(path, sizeof path, "%s/device/selftest.cl", kernels);
    MUST(file_write(path, source, sizeof source - 1, &err));
    device *d = device_open(NULL, &err);
    MUST(d);
    setenv("DALLE_CL_KERNELS", kernels, 1);
    device_launches *list = device_launches_create(d, &err);
    device_buffer *b = device_buffer_create(d, 32, &err);
    float got = 0;
    device_launch launch = { .file = "device/selftest",
                             .kernel = "selftest_affine",
                             .options = "",
                             .rank = 1,
                             .global = { 1 },
                             .local = { 1 },
                             .arg_count = 5,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b },
                                       { .kind = DEVICE_ARG_INT, .integer = 8 },
                                       { .kind = DEVICE_ARG_FLOAT },
                                       { .kind = DEVICE_ARG_INT },
                                       { .kind = DEVICE_ARG_LONG } } };
    MUST(device_launches_add(list, &launch, &err));
    MUST(device_launches_run(list, 0, 1, &err));
    MUST(device_read(d, b, 0, &got, 4, &err));
    assert_true(got == 5.0f);
    launch.file = "device/absent";
    assert_false(device_launches_add(list, &launch, &err));
    assert_non_null(strstr(err.message, "DALLE_CL_KERNELS"));
    unsetenv("DALLE_CL_KERNELS");
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
}

static void the_kernels_have_a_hash(void **state)
{
    (void)state;
    char a[65], b[65];
    device_kernels_hash(a);
    device_kernels_hash(b);
    assert_int_equal(strlen(a), 64);
    assert_string_equal(a, b);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "compute") == 0) return compute("-DVEC=8") ? 0 : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_written_once_and_used),
        cmocka_unit_test(damaged_entries_are_replaced),
        cmocka_unit_test(a_binary_the_driver_refuses_is_replaced),
        cmocka_unit_test(two_processes_at_once_agree),
        cmocka_unit_test(the_cache_can_be_off_or_unwritable),
        cmocka_unit_test(a_failed_build_shows_the_log),
        cmocka_unit_test(kernels_load_from_a_folder_while_editing),
        cmocka_unit_test(the_kernels_have_a_hash),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
