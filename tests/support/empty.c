/* empty.c -- keeps the support library buildable when nothing else is in it.
 * SPDX-License-Identifier: MIT */
typedef int support_has_no_symbols;
