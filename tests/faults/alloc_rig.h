/* alloc_rig.h -- what the scenes of refused allocations share: a folder, and what must not be left in it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FAULTS_ALLOC_RIG_H
#define DALLE_CL_TESTS_FAULTS_ALLOC_RIG_H

#include "data/safetensors.h"
#include "app/cli/cli.h"
#include "host/base/log.h"
#include "tests/models/drawings.h"
#include "tests/support/alloc/alloc_walk.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>

static room base;

static UNUSED const char *path_of(const char *name)
{
    static char paths[8][200];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", base.path, name);
    return paths[turn];
}

static UNUSED int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

/* base/out is what a run may write; it is empty when one begins. */
static UNUSED void empty_out(void)
{
    nftw(path_of("out"), remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mkdir(path_of("out"), 0777);
}

static char leftover[300];

static UNUSED int find_leftover(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    if (!strstr(path, ".tmp-")) return 0;
    snprintf(leftover, sizeof leftover, "%s", path);
    return 1;
}

/* Nothing is half written: no temporary file. */
static UNUSED bool no_leftovers(error *err)
{
    if (nftw(path_of("out"), find_leftover, 16, FTW_PHYS) == 0) return true;
    return error_set(err, ERROR_IO, "'%s' was left behind", leftover);
}

/* A file is not there, or is a picture. */
static UNUSED bool whole_png(const char *path, bool needed, error *err)
{
    image picture = { 0 };
    if (!file_exists(path)) return !needed || error_set(err, ERROR_IO, "'%s' is missing", path);
    bool ok = image_read(path, &picture, err);
    image_free(&picture);
    return ok;
}

static UNUSED bool whole_safetensors(const char *path, error *err)
{
    if (!file_exists(path)) return true;
    safetensors *f = safetensors_open(path, err);
    safetensors_close(f);
    return f != NULL;
}

/* The command line, in this process; the list ends with NULL.  What it says on standard error is the
 * error. */
static UNUSED bool command(char *const *argument, error *err)
{
    char *arguments[40] = { (char *)(uintptr_t) "dalle-cl" };
    int count = 1;
    for (; argument[count - 1]; ++count) arguments[count] = argument[count - 1];
    static int said = -1;
    if (said < 0) said = memfd_create("said", MFD_CLOEXEC);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    if (ftruncate(said, 0) != 0 || lseek(said, 0, SEEK_SET) != 0) abort();
    dup2(said, STDERR_FILENO);
    int status = cli_main(count, arguments);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    log_set_level(LOG_NORMAL);
    if (status == 0) return true;
    char text[900];
    ssize_t length = pread(said, text, sizeof text - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    return error_set(err, status == 2 ? ERROR_USAGE : ERROR_MEMORY, "%s", text);
}

#define COMMAND(name, ...) \
    static bool run_##name(error *err) \
    { \
        const char *const given[] = { __VA_ARGS__, NULL }; \
        return command((char *const *)(uintptr_t)given, err); \
    }

static UNUSED int tear_down(void **state)
{
    (void)state;
    room_remove(&base);
    return 0;
}

/* The program: `test` walks its scenes, in the folder that `set_up` prepares. */
static UNUSED int run_walk(int argc, char **argv, void (*test)(void **state), int (*set_up)(void **state))
{
    if (!alloc_walk_arguments(argc, argv)) return 2;
    const struct CMUnitTest tests[] = { cmocka_unit_test(test) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#endif
