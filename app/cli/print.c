/* print.c -- see print.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/print.h"
#include "host/base/utf8.h"

#include <stdarg.h>
#include <stdlib.h>

static void print(FILE *to, char *(*plain)(char *text), const char *format, va_list args)
{
    static char text[1 << 16]; /* one thread prints; more than this is a file that means no good */
    char *longer = NULL;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(text, sizeof text, format, args);
    if (length >= (int)sizeof text) longer = malloc((size_t)length + 1); /* without memory it is cut */
    if (longer) vsnprintf(longer, (size_t)length + 1, format, again);
    va_end(again);
    fputs(plain(longer ? longer : text), to);
    free(longer);
}

void print_line(FILE *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(to, utf8_plain_line, format, args);
    va_end(args);
    fputc('\n', to);
}

void print_piece(FILE *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(to, utf8_plain_line, format, args);
    va_end(args);
}

void print_plain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(stdout, utf8_plain, format, args);
    va_end(args);
}
