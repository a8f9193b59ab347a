/* log.c -- lines on standard error, as many as the level allows.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int level = LOG_NORMAL;
static atomic_bool progress; /* a line of it stands on the terminal */

void log_set_level(log_level wanted)
{
    atomic_store(&level, (int)wanted);
}

log_level log_get_level(void)
{
    return (log_level)atomic_load(&level);
}

/* One locked write per line, so that lines of several threads do not mix. */
static void print_line(const char *prefix, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void print_line(const char *prefix, const char *format, va_list args)
{
    flockfile(stderr);
    if (atomic_exchange(&progress, false)) fputs("\r\033[K", stderr);
    fputs(prefix, stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void log_warn(const char *format, ...)
{
    if (log_get_level() < LOG_WARNINGS) return;
    va_list args;
    va_start(args, format);
    print_line("warning: ", format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    if (log_get_level() < LOG_NORMAL) return;
    va_list args;
    va_start(args, format);
    print_line("", format, args);
    va_end(args);
}

void log_verbose(const char *format, ...)
{
    if (log_get_level() < LOG_VERBOSE) return;
    va_list args;
    va_start(args, format);
    print_line("", format, args);
    va_end(args);
}

void log_progress(const char *format, ...)
{
    if (log_get_level() < LOG_NORMAL || !isatty(STDERR_FILENO)) return;
    flockfile(stderr);
    if (atomic_exchange(&progress, format != NULL) || format) fputs("\r\033[K", stderr);
    if (format) {
        va_list args;
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
    }
    fflush(stderr);
    funlockfile(stderr);
}
