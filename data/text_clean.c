/* text_clean.c -- the order of cleaning.
 * SPDX-License-Identifier: MIT */
#include "data/text_clean.h"

#include "data/text_fix.h"
#include "data/text_html.h"

/* One space for each run of white space, none at the ends; in place. */
static void collapse_spaces(text_runes *t)
{
    int64_t kept = 0;
    bool space = false;
    for (int64_t i = 0; i < t->count; ++i) {
        if (text_runes_is_space(t->at[i])) {
            space = kept > 0;
            continue;
        }
        if (space) t->at[kept++] = ' ';
        t->at[kept++] = t->at[i];
        space = false;
    }
    t->count = kept;
}

text_runes text_clean(const char *utf8)
{
    text_runes t = { 0 };
    text_runes_read(&t, utf8);
    text_fix(&t);
    text_html_unescape(&t);
    text_html_unescape(&t);
    collapse_spaces(&t);
    text_runes_lower(&t);
    return t;
}
