/* log.c -- lines on standard error, as many as the level allows.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int level = LOG_NORMAL;

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
