/* fft_trial.c -- whether a library works at all: it is first tried in a process of its own, where one is
 * to be had ($DALLE_CL_HELPER), so that a crash, a wait without end, or pages of a compiler's complaints
 * cost no more than a note.  What became of it is remembered by device, driver and sizes.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
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

/* ---- The process that tries ------------------------------------------------------------------ */

/* Where it writes why not: less than a pipe holds. */
enum { TRIAL_SAYS = 3 };

static bool serve(device *d, const char *identity, const fft_desc *f)
{
    char own[65];
    error err = { .code = ERROR_NONE };
    device_key(d, "", "", own);
    if (strcmp(own, identity) != 0 || !d->backend->fft) return false;
    fft_plan *p = fft_plan_create_with(d, d->backend->fft->name, f, &err);
    const size_t length = p ? 0 : strlen(err.message);
    fft_plan_destroy(p);
    return length == 0 || write(TRIAL_SAYS, err.message, length) == (ssize_t)length;
}

int fft_trial_serve(const device_entry *at, const char *identity, const char *const sizes[3])
{
    const fft_desc f = { atoll(sizes[0]), atoll(sizes[1]), atoll(sizes[2]) };
    setenv("DALLE_CL_HELPER", "off", 1);
    device *d = at->backend->open(at, NULL);
    const bool ok = d && serve(d, identity, &f);
    device_close(d);
    return ok ? 0 : 1;
}

/* ---- The process that asks ------------------------------------------------------------------- */

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
static bool hear(device *d, const char *program, const char *const arguments[], char reason[FFT_REASON])
{
    int says[2];
    pid_t pid;
    if (pipe2(says, O_CLOEXEC) != 0) return false;
    const int end = fcntl(says[1], F_DUPFD_CLOEXEC, TRIAL_SAYS + 1); /* above what it is put at */
    const bool begun = end >= 0 && begin(&pid, program, arguments, end);
    if (end >= 0) close(end);
    close(says[1]);
    const int status = begun ? wait_for(pid) : 0;
    const ssize_t length = begun ? read(says[0], reason, FFT_REASON - 1) : 0;
    close(says[0]);
    reason[length > 0 ? length : 0] = 0;
    if (begun && WIFSIGNALED(status))
        snprintf(reason, FFT_REASON, "%s ended its process by signal %d, or did not come back, on '%s'",
                 d->backend->fft->name, WTERMSIG(status), d->info.name);
    return begun && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

static bool try_apart(device *d, const fft_desc *f, const char *program, char reason[FFT_REASON])
{
    char index[16], identity[65], sizes[3][24];
    const int64_t values[3] = { f->count, f->height, f->width };
    snprintf(index, sizeof index, "%d", d->info.index);
    for (int i = 0; i < 3; ++i) snprintf(sizes[i], sizeof sizes[i], "%lld", (long long)values[i]);
    device_key(d, "", "", identity);
    const char *arguments[] = { "dalle-cl", DEVICE_HELPER_WORD, index,    identity,
                                sizes[0],   sizes[1],           sizes[2], NULL };
    log_verbose("trying transforms by %s in a process of its own", d->backend->fft->name);
    return hear(d, program, arguments, reason);
}

static bool recall(const char *path, char reason[FFT_REASON])
{
    json_t *root = path && file_exists(path) ? json_tree_open(path, NULL) : NULL;
    const char *text = root ? json_string_value(json_object_get(root, "fails")) : NULL;
    if (text) snprintf(reason, FFT_REASON, "%s", text);
    json_decref(root);
    return text != NULL;
}

static void remember(const char *path, const char *reason)
{
    if (!path) return;
    json_t *root = json_object();
    json_tree_put(&root, "fails", json_tree_string(reason));
    char *text = json_tree_text(root, 0, path, NULL);
    if (text && !file_write(path, text, strlen(text), NULL)) log_verbose("could not write %s", path);
    free(text);
}

bool fft_trial_passed(device *d, const fft_desc *f, char reason[FFT_REASON])
{
    const char *program = getenv("DALLE_CL_HELPER");
    char key[160], *path = NULL;
    reason[0] = 0;
    if (!program || !*program || strcmp(program, "off") == 0) return true;
    snprintf(key, sizeof key, "%s %lld %lld %lld", d->backend->fft->name, (long long)f->count,
             (long long)f->height, (long long)f->width);
    if (!device_cache_file(d, "fft", key, &path, NULL)) path = NULL;
    if (!recall(path, reason) && try_apart(d, f, program, reason)) remember(path, reason);
    free(path);
    return !*reason;
}
