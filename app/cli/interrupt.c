/* interrupt.c -- Ctrl-C, a closed terminal, a batch system's warning: work that has nothing to lose ends at
 * once, work that has is asked to stop, and a second Ctrl-C insists. The signals are blocked everywhere and
 * taken by a thread that waits for them, since a driver's compiler (LLVM, in PoCL) puts handlers of its own
 * in the place of any others.
 * SPDX-License-Identifier: MIT */
#include "app/cli/interrupt.h"

#include "host/device/device.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LITTER = 64 };

static volatile sig_atomic_t interrupted; /* the signal's number */

/* The rest is shared with the thread under the lock. */
static struct {
    pthread_mutex_t lock;
    sigset_t caught;
    bool catching;
    bool ends;                     /* nothing would be lost */
    char farewell[1024];           /* what is then said */
    char litter[MOST_LITTER][512]; /* what is then removed, first to last */
    int littered;
    const char *asks; /* what is said if stopping takes longer, or NULL */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Nothing can be done about a terminal that is gone; on one, a progress line may stand there. */
static void say(const char *text)
{
    char line[sizeof state.farewell + 32];
    int length =
        snprintf(line, sizeof line, "%sdalle-cl: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", text);
    if (write(STDERR_FILENO, line, (size_t)length) < 0) return;
}

/* With the lock, which is kept: the other threads end here too if they come to it. */
static void finish(int number)
{
    say(state.farewell);
    for (int i = 0; i < state.littered; ++i)
        if (unlink(state.litter[i]) != 0) rmdir(state.litter[i]);
    device_leave();
    _exit(128 + number);
}

static bool insists(int number)
{
    return number == SIGINT || number == SIGTERM;
}

static void take(int number)
{
    /* The others may come twice, from the shell and the system, or before one of these, and mean it no more
     * for that. */
    if (insists(interrupted) && insists(number)) _exit(128 + number);
    pthread_mutex_lock(&state.lock);
    if (!insists(interrupted)) interrupted = number;
    if (state.ends) finish(number);
    pthread_mutex_unlock(&state.lock);
}

static void *wait_for_signals(void *unused)
{
    const struct timespec second = { 1, 0 };
    bool said = false;
    for (;;) {
        bool waiting = interrupted && !said;
        int number = waiting ? sigtimedwait(&state.caught, NULL, &second) : sigwaitinfo(&state.caught, NULL);
        if (number > 0) {
            take(number);
        } else if (waiting && errno == EAGAIN) {
            pthread_mutex_lock(&state.lock);
            if (state.asks) say(state.asks);
            pthread_mutex_unlock(&state.lock);
            said = true;
        }
    }
    return unused;
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void cli_catch_interrupts(void)
{
    static const int others[] = { SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2 };
    sigset_t before;
    pthread_t thread;
    if (state.catching) return;
    /* Shells start what runs in the background with SIGINT ignored; who sends one all the same means it. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigemptyset(&state.caught);
    sigaddset(&state.caught, SIGINT);
    sigaddset(&state.caught, SIGTERM);
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
        if (!is_ignored(others[i])) sigaddset(&state.caught, others[i]);
    pthread_sigmask(SIG_BLOCK, &state.caught, &before);
    state.catching = pthread_create(&thread, NULL, wait_for_signals, NULL) == 0;
    if (state.catching)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_SETMASK, &before, NULL); /* they end the process then, as in other programs */
}

static void on_closed_pipe(int number)
{
    interrupted = number;
}

void cli_catch_closed_pipe(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_closed_pipe;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (!is_ignored(SIGPIPE)) sigaction(SIGPIPE, &action, NULL);
}

const volatile sig_atomic_t *cli_interrupted(void)
{
    return &interrupted;
}

void cli_interrupt_ends(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&state.lock);
    vsnprintf(state.farewell, sizeof state.farewell, format, args);
    state.littered = 0;
    state.ends = true;
    if (interrupted) finish(interrupted); /* meanwhile */
    pthread_mutex_unlock(&state.lock);
    va_end(args);
}

void cli_interrupt_removes(const char *path)
{
    pthread_mutex_lock(&state.lock);
    if (state.littered < MOST_LITTER && strlen(path) < sizeof state.litter[0])
        strcpy(state.litter[state.littered++], path);
    pthread_mutex_unlock(&state.lock);
}

void cli_interrupt_asks(const char *sentence)
{
    pthread_mutex_lock(&state.lock);
    state.ends = false;
    state.asks = sentence;
    pthread_mutex_unlock(&state.lock);
}
