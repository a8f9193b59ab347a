/* emoji_seen.c -- what people see in an emoji, from a table of ours.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_rule.h"
#include <stdio.h>
#include <string.h>

static const table_row seen[] = {
#define SEEN(name, others) { name, others, "" },
#include "data/emoji_seen.def"
#undef SEEN
};

#define WHO "{who}"

/* The caption with `who`, of `length` bytes, in the place that the table leaves for it. */
static void add(phrase_list *list, const char *caption, int bytes, const char *who, int length)
{
    const char *place = memmem(caption, (size_t)bytes, WHO, strlen(WHO));
    if (!place) {
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s", bytes, caption);
        return;
    }
    const char *rest = place + strlen(WHO);
    emoji_phrase_add(list, CLAIM_TURNED, "%.*s%.*s%.*s", (int)(place - caption), caption, length, who,
                     (int)(caption + bytes - rest), rest);
}

void emoji_rule_seen(phrase_list *list, const char *name)
{
    static const char *const people[] = { "woman ", "man ", "person ", "women ", "men ", "people " };
    const table_row *row = EMOJI_RULE_FIND(seen, name);
    int who = 0;
    for (size_t i = 0; !row && i < sizeof people / sizeof *people; ++i) {
        char role[256];
        size_t length = strlen(people[i]);
        if (strncmp(name, people[i], length) != 0) continue;
        snprintf(role, sizeof role, WHO " %s", name + length); /* one that is cut is in no table */
        row = EMOJI_RULE_FIND(seen, role);
        who = (int)length - 1;
    }
    for (const char *at = row ? row->first : ""; *at;) {
        int bytes = (int)strcspn(at, "|");
        add(list, at, bytes, name, who);
        at += bytes + (at[bytes] == '|');
    }
}
