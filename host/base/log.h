/* log.h -- messages for people, on standard error.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_LOG_H
#define DALLE_CL_BASE_LOG_H

typedef enum log_level { LOG_QUIET, LOG_WARNINGS, LOG_NORMAL, LOG_VERBOSE } log_level;

void log_set_level(log_level level); /* the only global of the program */
log_level log_get_level(void);
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
