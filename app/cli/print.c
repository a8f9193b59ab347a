/* print.c -- see print.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/print.h"
#include "host/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void print_plain(const char *format, ...)
{
    static char text[1 << 16]; /* one thread prints; more than this is a file that means no good */
    char *longer = NULL;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(text, sizeof text, format, args);
    if (length >= (int)sizeof text) longer = malloc((size_t)length + 1); /* without memory it is cut */
    if (longer) vsnprintf(longer, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    fputs(utf8_plain(longer ? longer : text), stdout);
    free(longer);
}
