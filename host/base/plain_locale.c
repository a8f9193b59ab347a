/* plain_locale.c -- see plain_locale.h.
 * SPDX-License-Identifier: MIT */
#include "host/base/plain_locale.h"

plain_locale plain_locale_enter(void)
{
    /* glibc and musl hand out their constant "C" here: this takes no memory and cannot fail. */
    plain_locale p = { .ours = newlocale(LC_ALL_MASK, "C", (locale_t)0) };
    if (p.ours) p.theirs = uselocale(p.ours);
    return p;
}

void plain_locale_leave(plain_locale *p)
{
    if (!p->ours) return;
    uselocale(p->theirs);
    freelocale(p->ours);
}

void plain_locale_suspend(const plain_locale *p)
{
    if (p->ours) uselocale(p->theirs);
}

void plain_locale_resume(const plain_locale *p)
{
    if (p->ours) uselocale(p->ours);
}
