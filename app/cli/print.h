/* print.h -- for people, what files say.  A file's names and texts tell a terminal nothing: control
 * characters are printed as a '?' for each byte.  JSON needs it not, and data that a program is to read is
 * written as it is.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_PRINT_H
#define DALLE_CL_CLI_PRINT_H

#include <stdio.h>

/* As fprintf, with a line end behind: one line whatever line ends and tabs names hold (utf8_plain_line). */
void print_line(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A piece of such a line. */
void print_piece(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To standard output, of texts that may have lines: those and tabs stay (utf8_plain). */
void print_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
