/* log.h -- messages for people, on standard error or where a program that uses the library wants them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_LOG_H
#define DALLE_CL_BASE_LOG_H

typedef enum log_level { LOG_QUIET, LOG_WARNINGS, LOG_NORMAL, LOG_VERBOSE } log_level;

void log_set_level(
    log_level
        level); /* with the sink and whether a line of progress stands, the only global of the program */
log_level log_get_level(void);
/* From now on messages go to `sink`, without a line's end, instead of standard error, and progress nowhere;
 * NULL: back. Of the whole process, set before threads are. */
void log_set_sink(void (*sink)(void *context, log_level level, const char *line), void *context);
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line that the next one replaces, on a terminal only; NULL removes it. */
void log_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
