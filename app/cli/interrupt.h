/* interrupt.h -- what Ctrl-C does, by what there is to lose.
 *
 * A driver that compiles kernels cannot be stopped, so a flag that is looked at in between may not be looked
 * at for a minute.  While nothing would be lost, an interruption therefore ends the process at once, whatever
 * it does.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_INTERRUPT_H
#define DALLE_CL_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* To be called before a driver starts its threads.  SIGINT and SIGTERM, of which a second one ends the
 * process; and unless they are ignored (nohup): SIGHUP of a closed terminal, SIGXCPU of a limit, SIGUSR1 and
 * SIGUSR2 of batch systems. */
void cli_catch_interrupts(void);
/* Also a closed pipe behind standard output or error. */
void cli_catch_closed_pipe(void);
/* Becomes the signal's number; the process's exit status is to be 128 more. */
const volatile sig_atomic_t *cli_interrupted(void);

/* From now on an interruption says this sentence and ends the process. */
void cli_interrupt_ends(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* It then removes this file, or empty folder, too. */
void cli_interrupt_removes(const char *path);
/* From now on it only sets the flag.  If the process is still there after a second, the sentence, which must
 * last, is said; NULL: nothing. */
void cli_interrupt_asks(const char *sentence);

#endif
