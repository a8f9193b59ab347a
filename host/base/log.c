/* log.c -- lines on standard error, as many as the level allows.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"
#include "host/base/utf8.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int level = LOG_NORMAL;
static atomic_bool progress; /* a line of it stands on the terminal */
static void (*sink)(void *context, log_level level, const char *line);
static void *sink_context;

void log_set_sink(void (*to)(void *context, log_level level, const char *line), void *context)
{
    sink = to;
    sink_context = context;
}

static void hand_over(log_level of, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void hand_over(log_level of, const char *format, va_list args)
{
    char line[1024]; /* as long as an error's message */
    vsnprintf(line, sizeof line, format, args);
    sink(sink_context, of, utf8_plain(line));
}

void log_set_level(log_level wanted)
{
    atomic_store(&level, (int)wanted);
}

log_level log_get_level(void)
{
    return (log_level)atomic_load(&level);
}

/* Names in a line are whatever a file says. */
static void put_plain(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void put_plain(const char *format, va_list args)
{
    char text[2048], *longer = NULL;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(text, sizeof text, format, args);
    if (length >= (int)sizeof text) longer = malloc((size_t)length + 1);
    if (longer) vsnprintf(longer, (size_t)length + 1, format, again);
    va_end(again);
    fputs(utf8_plain(longer ? longer : text), stderr);
    free(longer);
}

/* One locked write per line, so that lines of several threads do not mix. */
static void print_line(log_level of, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void print_line(log_level of, const char *format, va_list args)
{
    if (sink) {
        hand_over(of, format, args);
        return;
    }
    flockfile(stderr);
    if (atomic_exchange(&progress, false)) fputs("\r\033[K", stderr);
    if (of == LOG_WARNINGS) fputs("warning: ", stderr);
    put_plain(format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void log_warn(const char *format, ...)
{
    if (log_get_level() < LOG_WARNINGS) return;
    va_list args;
    va_start(args, format);
    print_line(LOG_WARNINGS, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    if (log_get_level() < LOG_NORMAL) return;
    va_list args;
    va_start(args, format);
    print_line(LOG_NORMAL, format, args);
    va_end(args);
}

void log_verbose(const char *format, ...)
{
    if (log_get_level() < LOG_VERBOSE) return;
    va_list args;
    va_start(args, format);
    print_line(LOG_VERBOSE, format, args);
    va_end(args);
}

void log_progress(const char *format, ...)
{
    if (log_get_level() < LOG_NORMAL || sink || !isatty(STDERR_FILENO)) return;
    flockfile(stderr);
    if (atomic_exchange(&progress, format != NULL) || format) fputs("\r\033[K", stderr);
    if (format) {
        va_list args;
        va_start(args, format);
        put_plain(format, args);
        va_end(args);
    }
    fflush(stderr);
    funlockfile(stderr);
}
