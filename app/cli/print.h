/* print.h -- to standard output, for people, what files say.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_PRINT_H
#define DALLE_CL_CLI_PRINT_H

/* As printf, with a '?' for each byte of a control character (utf8_plain): a file's names and texts tell a
 * terminal nothing.  JSON needs it not, and data that a program is to read is written as it is. */
void print_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
