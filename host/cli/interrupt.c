/* interrupt.c -- Ctrl-C asks long work to stop; the second one insists.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

#include <string.h>

/* A handler cannot be handed anything, so its flag is the one variable of its kind. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);
}

void cli_catch_interrupts(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

const volatile sig_atomic_t *cli_interrupted(void)
{
    return &interrupted;
}
