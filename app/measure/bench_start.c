/* bench_start.c -- the case "start" of `dalle-cl bench`: from nothing to a picture, in a fresh process, with
 * the shipped model and kernels that are kept.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef struct fresh {
    const char *model;
    char program[4096], folder[64], picture[80];
} fresh;

static bool spawn(const fresh *f, pid_t *child, error *err)
{
    const char *arguments[] = { "dalle-cl", "generate", "--model",  f->model,   "a red heart", "--quiet",
                                "--seed",   "1",        "--output", f->picture, NULL };
    posix_spawn_file_actions_t actions;
    int status = posix_spawn_file_actions_init(&actions);
    if (status == 0) {
        status = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (status == 0)
            status = posix_spawn(child, f->program, &actions, NULL, (char *const *)arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    return status == 0 || error_set(err, ERROR_IO, "cannot start %s: %s", f->program, strerror(status));
}

static bool run_fresh(void *self, error *err)
{
    const fresh *f = self;
    pid_t child;
    int status = 0;
    if (!spawn(f, &child, err)) return false;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           error_set(err, ERROR_IO, "`dalle-cl generate --model %s` failed", f->model);
}

static void close_fresh(void *self)
{
    fresh *f = self;
    if (!f) return;
    unlink(f->picture);
    rmdir(f->folder);
    free(f);
}

bool bench_open_start(bench_case *c, const char *name, const bench_options *o, error *err)
{
    fresh *f = calloc(1, sizeof *f);
    if (!f) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    f->model = o->model;
    ssize_t length = readlink("/proc/self/exe", f->program, sizeof f->program - 1);
    snprintf(f->folder, sizeof f->folder, "/tmp/dalle-cl-bench-XXXXXX");
    if (length < 0 || !mkdtemp(f->folder)) {
        free(f);
        return error_set(err, ERROR_IO, "%s: no program file or temporary folder: %s", name, strerror(errno));
    }
    snprintf(f->picture, sizeof f->picture, "%s/p.png", f->folder);
    *c = (bench_case){
        .self = f, .run = run_fresh, .close = close_fresh, .wrong = -1, .provider = "", .storage = "F32"
    };
    bool ok = run_fresh(f, err) && access(f->picture, R_OK) == 0; /* kernels are kept from here on */
    if (!ok) close_fresh(f);
    return ok;
}
