/* trial.c -- what may crash is first done in a process of its own, where one is to be had
 * ($DALLE_CL_HELPER), so that a crash, a wait without end, or pages of a compiler's complaints cost no more
 * than a note.
 * SPDX-License-Identifier: MIT */
#include "host/base/timing.h"
#include "host/device/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Kernels of all sizes are compiled within it, on the slowest driver at hand in half a minute. */
#define LIMIT_S 180.0

/* Where it writes why not: less than a pipe holds. */
enum { TRIAL_SAYS = 3 };

bool trial_say(const char *why)
{
    const size_t length = strlen(why);
    return length == 0 || write(TRIAL_SAYS, why, length) == (ssize_t)length;
}

const char *trial_program(void)
{
    const char *program = getenv("DALLE_CL_HELPER");
    return program && *program && strcmp(program, "off") != 0 ? program : NULL;
}

/* Quietly, with `says` to write to. */
static bool begin(pid_t *pid, const char *program, const char *const arguments[], int says)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    bool ok = posix_spawnattr_init(&attributes) == 0;
    if (ok) {
        for (int fd = 0; ok && fd < TRIAL_SAYS; ++fd)
            ok = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0) == 0;
        ok = ok && posix_spawn_file_actions_adddup2(&actions, says, TRIAL_SAYS) == 0 &&
             posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
             posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0 &&
             posix_spawn(pid, program, &actions, &attributes, (char *const *)arguments, environ) == 0;
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return ok;
}

/* Its status as waitpid has it; of one that is given up, that it was killed. */
static int wait_for(pid_t pid)
{
    int status = 0;
    const struct timespec step = { .tv_nsec = 10000000 };
    for (const double end = timing_now() + LIMIT_S; timing_now() < end;) {
        const pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) return status;
        if (ended < 0 && errno != EINTR) return 0;
        nanosleep(&step, NULL);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

/* False: nothing is known, because it could not be begun or was not the right one. */
static bool hear(const char *const arguments[], const char *what, const char *card, char reason[TRIAL_REASON])
{
    int says[2];
    pid_t pid;
    if (pipe2(says, O_CLOEXEC) != 0) return false;
    const int end = fcntl(says[1], F_DUPFD_CLOEXEC, TRIAL_SAYS + 1); /* above what it is put at */
    const bool begun = end >= 0 && begin(&pid, trial_program(), arguments, end);
    if (end >= 0) close(end);
    close(says[1]);
    const int status = begun ? wait_for(pid) : 0;
    const ssize_t length = begun ? read(says[0], reason, TRIAL_REASON - 1) : 0;
    close(says[0]);
    reason[length > 0 ? length : 0] = 0;
    if (begun && WIFSIGNALED(status))
        snprintf(reason, TRIAL_REASON, "%s ended its process by signal %d, or did not come back, on '%s'",
                 what, WTERMSIG(status), card);
    return begun && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

bool trial_apart(const device *d, const char *what, const char *const *words, char reason[TRIAL_REASON])
{
    char index[16], identity[65];
    const char *arguments[TRIAL_WORDS + 5] = { "dalle-cl", DEVICE_HELPER_WORD, index, identity };
    reason[0] = 0;
    if (!trial_program()) return false;
    snprintf(index, sizeof index, "%d", d->info.index);
    device_key(d, "", "", identity);
    for (int i = 0; i < TRIAL_WORDS && words[i]; ++i) arguments[4 + i] = words[i];
    return hear(arguments, what, d->info.name, reason);
}
