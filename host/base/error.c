/* error.c -- fills in errors, and ends the process on bugs.
 * SPDX-License-Identifier: MIT */
#include "host/base/error.h"
#include "host/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool error_setv(error *err, error_code code, const char *format, va_list args)
{
    if (!err) return false;
    /* Formatted aside, since an argument may be the old message. */
    char text[sizeof err->message];
    int length = vsnprintf(text, sizeof text, format, args);
    if (length < 0) text[0] = '\0';
    if (length >= (int)sizeof text) strcpy(text + sizeof text - 4, "...");
    memcpy(err->message, utf8_plain(text), sizeof text); /* names in it are whatever a file says */
    err->code = code;
    return false;
}

bool error_set(error *err, error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_setv(err, code, format, args);
    va_end(args);
    return false;
}

bool error_prefix(error *err, const char *format, ...)
{
    if (!err) return false;
    char prefix[sizeof err->message];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    if (length < 0) return false;
    return error_set(err, err->code, "%s: %s", prefix, err->message);
}

int error_exit_status(const error *err)
{
    return err->code == ERROR_USAGE ? 2 : 1;
}

_Noreturn void check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "%s:%d: this is a bug in dalle-cl: %s is false: ", file, line, condition);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
