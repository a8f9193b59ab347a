/* test_file.c -- a write happens whole or not at all.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int set_up(void **state)
{
    char *folder = strdup("dalle-test-XXXXXX");
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    DIR *entries = opendir(*state);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char *path = file_join(*state, e->d_name);
        if (e->d_name[0] != '.') remove(path);
        free(path);
    }
    if (entries) closedir(entries);
    int rc = rmdir(*state);
    free(*state);
    return rc;
}

static int count_files(const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *e; entries && (e = readdir(entries));) count += e->d_name[0] != '.';
    if (entries) closedir(entries);
    return count;
}

static void assert_content(const char *path, const char *expected)
{
    error err = { 0 };
    size_t size = 0;
    char *text = file_read(path, &size, &err);
    assert_non_null(text);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

static void write_and_read(void **state)
{
    char *path = file_join(*state, "a");
    error err = { 0 };
    assert_true(file_write(path, "old", 3, &err));
    assert_content(path, "old");
    assert_true(file_write(path, "", 0, &err));
    assert_content(path, "");
    size_t size = 300001, got = 0;
    char *large = malloc(size), *back;
    memset(large, 7, size);
    assert_true(file_write(path, large, size, &err));
    back = file_read(path, &got, &err);
    assert_int_equal(got, size);
    assert_memory_equal(back, large, size);
    assert_int_equal(count_files(*state), 1);
    free(large);
    free(back);
    free(path);
}

static void old_content_stays_when_the_disk_is_full(void **state)
{
    char *path = file_join(*state, "a");
    error err = { 0 };
    assert_true(file_write(path, "old", 3, &err));
    struct rlimit before, tight;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    tight = before;
    tight.rlim_cur = 10000;
    setrlimit(RLIMIT_FSIZE, &tight);
    char *large = calloc(1, 100000);
    bool written = file_write(path, large, 100000, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(written);
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "File too large"));
    assert_content(path, "old");
    assert_int_equal(count_files(*state), 1);
    free(large);
    free(path);
}

static void abandoned_writes_leave_nothing(void **state)
{
    char *path = file_join(*state, "a");
    error err = { 0 };
    file_atomic f;
    assert_true(file_write(path, "old", 3, &err));
    assert_true(file_atomic_open(&f, path, &err));
    fputs("new", f.stream);
    assert_content(path, "old"); /* not before the commit */
    file_atomic_abandon(&f);
    file_atomic_abandon(&f);
    assert_content(path, "old");
    assert_int_equal(count_files(*state), 1);
    free(path);
}

static void refused_paths(void **state)
{
    char *missing = file_join(*state, "none/a"), *plain = file_join(*state, "plain");
    char *under = file_join(plain, "b");
    error err = { 0 };
    assert_false(file_write(missing, "x", 1, &err));
    assert_non_null(strstr(err.message, "none/a': No such file or directory"));
    assert_false(file_write(*state, "x", 1, &err));
    assert_non_null(strstr(err.message, "it is a folder"));
    assert_true(file_write(plain, "x", 1, &err));
    assert_false(file_write(under, "x", 1, &err));
    assert_false(file_make_folders(under, &err));
    assert_non_null(strstr(err.message, "cannot make folder"));
    assert_null(file_read(missing, NULL, &err));
    assert_null(file_read(*state, NULL, &err));
    assert_non_null(strstr(err.message, "Is a directory"));
    if (geteuid() != 0) { /* the superuser may write anywhere */
        chmod(*state, 0500);
        assert_false(file_write(plain, "y", 1, &err));
        chmod(*state, 0700);
        assert_content(plain, "x");
    }
    free(missing);
    free(plain);
    free(under);
}

static void devices_are_not_replaced(void **state)
{
    (void)state;
    error err = { 0 };
    struct stat info;
    assert_true(file_write("/dev/null", "x", 1, &err));
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    if (stat("/dev/full", &info) != 0) return;
    assert_false(file_write("/dev/full", "x", 1, &err));
    assert_non_null(strstr(err.message, "No space left on device"));
}

static void folders(void **state)
{
    char *deep = file_join(*state, "b"), *twice = file_join("a/", "b");
    error err = { 0 };
    assert_true(file_make_folders(deep, &err));
    assert_true(file_make_folders(deep, &err));
    assert_true(file_is_folder(deep) && file_exists(deep));
    assert_string_equal(twice, "a/b");
    setenv("DALLE_CL_CACHE", deep, 1);
    char *cache = file_cache_folder();
    assert_string_equal(cache, deep);
    setenv("DALLE_CL_CACHE", "off", 1);
    assert_null(file_cache_folder());
    free(cache);
    free(deep);
    free(twice);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(write_and_read),
        TEST(old_content_stays_when_the_disk_is_full),
        TEST(abandoned_writes_leave_nothing),
        TEST(refused_paths),
        TEST(devices_are_not_replaced),
        TEST(folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
