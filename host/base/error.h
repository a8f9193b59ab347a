/* error.h -- errors as values.
 * A function that can fail because of its environment (file, device, memory) takes `error *err` last
 * and returns false or NULL after filling it in.  A message says where, what, with which numbers and
 * what to do, in lower case.  Bugs in this program abort through CHECK, with values.
 * Names: error_, check_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_ERROR_H
#define DALLE_CL_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define ERROR_CODES(X) \
    X(NONE, "no error") \
    X(USAGE, "the request itself is wrong: an unknown key, name or option") \
    X(IO, "a file or folder could not be read or written") \
    X(FORMAT, "a file's content is not what its kind promises") \
    X(DEVICE, "a device or its driver refused something") \
    X(MEMORY, "the host's memory is not enough") \
    X(ROOM, "a device's memory, or one buffer of it, is not enough: less work at a time may fit") \
    X(MODEL, "shapes or parts of a model do not fit together") \
    X(DIVERGED, "training produced too many non-finite steps") \
    X(INTERRUPTED, "the user stopped the work")

typedef enum error_code {
#define ERROR_ENUM(name, text) ERROR_##name,
    ERROR_CODES(ERROR_ENUM)
#undef ERROR_ENUM
} error_code;

typedef struct error {
    error_code code;
    char message[1024];
} error;

/* Fills *err (which may be NULL) and returns false, so that a failing function is one `return`. */
bool error_set(error *err, error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool error_setv(error *err, error_code code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Puts "prefix: " before the message already in *err, and returns false. */
bool error_prefix(error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for functions that return a pointer. */
#define error_null(...) (error_set(__VA_ARGS__), NULL)

/* Of the host or of a device. */
static inline bool error_of_memory(const error *err)
{
    return err->code == ERROR_MEMORY || err->code == ERROR_ROOM;
}

/* The process's exit status for an error: 2 for usage, 1 for everything else. */
int error_exit_status(const error *err);

/* Aborts with the place and the values when a belief about our own code is wrong; also in release. */
#define CHECK(condition, ...) \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))
_Noreturn void check_failed(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
