/* plain_locale.h -- numbers and letters as C has them, whatever locale the program that uses us has set.
 *
 * A program may have a locale with a decimal comma, other digits, or a dotless i; our files, kernels' options
 * and JSON have none of that.  Every entry of libdalle therefore starts with PLAIN_LOCALE, and the rooms
 * below read and write numbers by the C library without a thought of it.  Only the calling thread is touched.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_PLAIN_LOCALE_H
#define DALLE_CL_BASE_PLAIN_LOCALE_H

#include <locale.h>

typedef struct plain_locale {
    locale_t ours, theirs; /* ours is 0 if there was no memory for it: nothing is changed then */
} plain_locale;

plain_locale plain_locale_enter(void);
void plain_locale_leave(plain_locale *p);

/* Until the end of the block. */
#define PLAIN_LOCALE \
    plain_locale plain __attribute__((cleanup(plain_locale_leave), unused)) = plain_locale_enter()

/* Around a call of the program's own function: it sees its own locale. */
void plain_locale_suspend(const plain_locale *p);
void plain_locale_resume(const plain_locale *p);

#endif
