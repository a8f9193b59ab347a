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

static void says(const error *err, const char *part)
{
    if (!strstr(err->message, part)) fail_msg("'%s' does not say '%s'", err->message, part);
}

/* The superuser may write anywhere, so it becomes another for a while. */
/* What is too large is refused before it is read; what has no size, and no end, when it gets there. */
static void limited_reading(void **state)
{
    char *path = file_join(*state, "limited");
    error err = { 0 };
    size_t size;
    assert_true(file_write(path, "12345", 5, &err));
    for (size_t most = 4; most < 7; ++most) {
        char *text = file_read_most(path, most, &size, &err);
        assert_int_equal(text != NULL, most >= 5);
        if (text) assert_true(size == 5 && strcmp(text, "12345") == 0);
        free(text);
    }
    says(&err, "limited' is too large: at most 4 bytes of such a file are read");
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_null(file_read_most("/dev/zero", 1 << 20, NULL, &err));
    says(&err, "'/dev/zero' is too large: at most 1048576 bytes");
    assert_int_equal(truncate(path, (off_t)1 << 42), 0);
    assert_null(file_read_most(path, 1 << 20, NULL, &err));
    says(&err, "is too large");
    free(path);
}

static void refusals_have_their_true_reason(void **state)
{
    char *closed = file_join(*state, "closed"), *below = file_join(closed, "r"),
         *deep = file_join(below, "s");
    error err = { 0 };
    file_kind kind;
    assert_int_equal(mkdir(closed, 0755), 0);
    chmod(*state, 0755);
    assert_true(file_write(below, "x", 1, &err)); /* a file, which then lies in a folder nobody may enter */
    bool root = geteuid() == 0;
    chmod(closed, 0);
    assert_true(!root || seteuid(65534) == 0);
    assert_false(file_look(below, &kind, &err));
    says(&err, "closed/r': Permission denied");
    assert_false(file_check_writable(below, &err));
    says(&err, "Permission denied");
    assert_false(file_check_folder(deep, &err));
    says(&err, "Permission denied");
    assert_false(file_make_folders(below, &err));
    says(&err, "cannot make folder");
    says(&err, "Permission denied");
    assert_true(!root || seteuid(0) == 0);

    chmod(closed, 0555);
    assert_int_equal(unlink(below), root ? 0 : -1);
    assert_true(!root || seteuid(65534) == 0);
    if (root) {
        assert_true(file_look(below, &kind, &err) && kind == FILE_ABSENT);
        assert_false(file_make_folders(below, &err));
        says(&err, "cannot make folder");
        says(&err, "closed/r': Permission denied");
    }
    assert_false(file_check_writable(root ? below : deep, &err));
    assert_false(file_check_folder(deep, &err));
    assert_true(!root || seteuid(0) == 0);
    chmod(closed, 0755);
    unlink(below);
    free(closed);
    free(below);
    free(deep);
}

static void outputs_are_checked_and_left_alone(void **state)
{
    char *path = file_join(*state, "a"), *folder = file_join(*state, "b"), *slash = file_join(*state, "c/"),
         *lost = file_join(*state, "no/where"), *under = file_join(path, "x"),
         *new = file_join(*state, "b/c/d");
    error err = { 0 };
    assert_true(file_check_writable(path, &err)); /* not there, could be */
    assert_int_equal(count_files(*state), 0);
    assert_true(file_write(path, "old", 3, &err) && file_check_writable(path, &err));
    assert_content(path, "old");
    assert_int_equal(count_files(*state), 1);
    assert_true(file_check_writable("/dev/null", &err));
    assert_false(file_check_writable("", &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_false(file_check_writable(*state, &err));
    says(&err, "it is a folder");
    assert_false(file_check_writable(slash, &err));
    says(&err, "it is a folder");
    assert_false(file_check_writable(lost, &err));
    says(&err, "there is no folder");
    assert_false(file_check_writable(under, &err));
    says(&err, "is not a folder");

    assert_true(file_check_folder(*state, &err) && file_check_folder(folder, &err) &&
                file_check_folder(new, &err) && file_check_folder("one/two", &err));
    assert_int_equal(count_files(*state), 1);
    /* Permissions let root write there, and nobody can. */
    assert_false(file_check_folder("/proc", &err));
    says(&err, "cannot write into '/proc'");
    assert_false(file_check_folder("/proc/a/b", &err));
    says(&err, "folder '/proc'");
    assert_false(file_check_folder(path, &err));
    says(&err, "is not a folder");
    assert_false(file_check_folder(under, &err));
    says(&err, "is not a folder");
    assert_false(file_check_folder("", &err));
    free(path);
    free(folder);
    free(slash);
    free(lost);
    free(under);
    free(new);
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
        TEST(limited_reading),
        TEST(refusals_have_their_true_reason),
        TEST(outputs_are_checked_and_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
