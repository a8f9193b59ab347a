/* program.h -- runs dalle-cl as a user does, and looks at what it says.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_CLI_PROGRAM_H
#define DALLE_CL_TESTS_CLI_PROGRAM_H

#include "tests/models/drawings.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>

#ifndef PROGRAM
#define PROGRAM "./dalle-cl" /* the build says where it is */
#endif

enum { SKIPPED = 77, MOST_ARGUMENTS = 40 };

static room base;

typedef struct outcome {
    int status; /* exit status; negative: the signal that ended it */
    char *out, *err;
} outcome;

static outcome last;      /* of the latest call; freed by the next */
static const char *input; /* what calls read on standard input; NULL: nothing */

/* Stays as it is until the folder changes, so that any number may be held. */
static const char *path_of(const char *name)
{
    enum { MOST = 128 };
    static char paths[MOST][200];
    static int count;
    char path[200];
    snprintf(path, sizeof path, "%s/%s", base.path, name);
    for (int i = 0; i < count; ++i)
        if (strcmp(paths[i], path) == 0) return paths[i];
    assert_true(count < MOST);
    return memcpy(paths[count++], path, sizeof path);
}

static void redirect(const char *path, int flags, int descriptor)
{
    int file = open(path, flags, 0600);
    if (file < 0 || dup2(file, descriptor) < 0) _exit(126);
}

/* Runs the program with these arguments, NULL-terminated. */
static int call(const char *const *arguments)
{
    char *argv[MOST_ARGUMENTS] = { (char *)(uintptr_t) "dalle-cl" };
    int count = 1, status = 0;
    for (; arguments[count - 1]; ++count) argv[count] = (char *)(uintptr_t)arguments[count - 1];
    free(last.out);
    free(last.err);
    write_text(path_of("stdin"), input ? input : "");
    pid_t child = fork();
    if (child == 0) {
        redirect(path_of("stdin"), O_RDONLY, STDIN_FILENO);
        redirect(path_of("stdout"), O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
        redirect(path_of("stderr"), O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
        execv(PROGRAM, argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    last.out = file_read(path_of("stdout"), NULL, NULL);
    last.err = file_read(path_of("stderr"), NULL, NULL);
    return last.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
#define CALL(...) call((const char *const[]){ __VA_ARGS__, NULL })

static void show(void)
{
    print_message("status %d\n%s%s", last.status, last.out ? last.out : "", last.err ? last.err : "");
}

#define SUCCEEDS(...) \
    do { \
        if (CALL(__VA_ARGS__) != 0) { \
            show(); \
            fail_msg("did not succeed"); \
        } \
    } while (0)

/* Fails with this status and a message on standard error that has `part` in it. */
#define FAILS(wanted, part, ...) \
    do { \
        CALL(__VA_ARGS__); \
        if (last.status != (wanted) || !strstr(last.err, part)) { \
            show(); \
            fail_msg("not status %d with '%s'", wanted, part); \
        } \
    } while (0)

static void says(const char *part)
{
    if (!strstr(last.out, part)) {
        show();
        fail_msg("does not say '%s'", part);
    }
}

static json_t *parsed(void)
{
    json_error_t problem;
    json_t *o = json_loads(last.out, 0, &problem);
    if (!o) {
        show();
        fail_msg("no JSON: %s", problem.text);
    }
    return o;
}

#endif
