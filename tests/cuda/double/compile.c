/* compile.c -- a C++ compiler, started and waited for.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/compile.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MOST 96

extern char **environ;

static bool write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    if (!out) return false;
    const bool written = fputs(text, out) >= 0;
    return fclose(out) == 0 && written;
}

/* Its words go to a file. */
static bool run(const char *const *words, const char *log_path)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool started = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)words, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return started && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void read_log(const char *path, char *log, size_t size)
{
    FILE *in = fopen(path, "r");
    log[in ? fread(log, 1, size - 1, in) : 0] = 0;
    if (in) fclose(in);
}

bool double_compile(const char *text, int count, const char *const *options, const char *library, char *log,
                    size_t size)
{
    const size_t length = strlen(library) + 8;
    char *source = malloc(length), *said = malloc(length);
    /* No product is fused unasked, and bits may be read as another type. */
    const char *words[WORDS_MOST] = {
        CUDA_DOUBLE_COMPILER,   "-std=c++17",     "-O1", "-w", "-shared", "-fPIC", "-ffp-contract=off",
        "-fno-strict-aliasing", "-DDALLE_CL_HOST"
    };
    int used = 9;
    bool ok = source && said;
    log[0] = 0;
    for (int i = 0; i < count && used < WORDS_MOST - 8; ++i)
        if (strncmp(options[i], "-D", 2) == 0) words[used++] = options[i];
    if (ok) {
        snprintf(source, length, "%s.cc", library);
        snprintf(said, length, "%s.log", library);
        const char *const rest[] = { "-include", CUDA_DOUBLE_RUN, "-x", "c++", source, "-o", library };
        memcpy(words + used, rest, sizeof rest);
        ok = write_text(source, text) && run(words, said);
        if (ok) unlink(source);
        if (!ok) read_log(said, log, size);
        unlink(said);
    }
    free(source);
    free(said);
    return ok;
}
