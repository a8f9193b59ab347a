/* kinds.c -- see kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include <stdio.h>
#include <string.h>

#define MODEL_KIND(name) &name##_kind,
const model_kind *const model_kinds[] = {
#include KINDS_DEF
    NULL
};
#undef MODEL_KIND

int kinds_count(void)
{
    return (int)(sizeof model_kinds / sizeof *model_kinds) - 1;
}

const model_kind *kinds_find(const char *name)
{
    for (int i = 0; model_kinds[i]; ++i)
        if (strcmp(model_kinds[i]->name, name) == 0) return model_kinds[i];
    return NULL;
}

void kinds_list(char *text, size_t room, const char *between, const char *last)
{
    *text = 0;
    for (int i = 0; model_kinds[i]; ++i) {
        size_t used = strlen(text);
        const char *joint = i == 0 ? "" : model_kinds[i + 1] ? between : last;
        snprintf(text + used, room - used, "%s%s", joint, model_kinds[i]->name);
    }
}

bool kinds_has_tokenizer(const model_kind *k)
{
    for (const part_role *f = k->files; f && f->role; ++f)
        if (strcmp(f->role, PART_TOKENIZER) == 0) return true;
    return false;
}

bool kinds_needs(const model_kind *k, const model_kind *other)
{
    for (const kind_need *n = k->needs; n && n->kind; ++n)
        if (n->kind == other) return true;
    return false;
}

int kinds_most(const model_kind *k)
{
    return k->most > 1 ? k->most : 1;
}

int64_t kinds_setting(const model_kind *k, const void *config, const char *key)
{
    const config_field *f = config_find(k->settings, key);
    CHECK(f && f->type == CONFIG_TYPE_INT, "the settings of '%s' have no whole number '%s'", k->name, key);
    int64_t value;
    memcpy(&value, (const char *)config + f->offset, sizeof value);
    return value;
}
