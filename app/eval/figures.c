/* figures.c -- see figures.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/figures.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

figure *figures_add(figures *f, const char *group, const char *name, const char *title, int decimals,
                    double value, int64_t count, const char *of)
{
    CHECK(f->count < FIGURES_MOST, "%d figures", f->count);
    figure *added = &f->at[f->count++];
    *added = (figure){ .group = group,
                       .name = name,
                       .title = title,
                       .value = value,
                       .error = NAN,
                       .count = count,
                       .of = of,
                       .decimals = decimals };
    return added;
}

figure *figures_add_mean(figures *f, const char *group, const char *name, const char *title, int decimals,
                         const mean *m, const char *of)
{
    figure *added = figures_add(f, group, name, title, decimals, m->value, m->count, of);
    added->error = mean_error(m);
    return added;
}

void figures_unit(figure *of, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(of->unit, sizeof of->unit, format, list);
    va_end(list);
}

void figures_note(figures *f, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    CHECK(f->note_count < FIGURES_NOTES, "%d notes", f->note_count);
    char *copy = strdup(text);
    if (copy)
        f->notes[f->note_count++] = copy;
    else
        f->lost = true;
}

const figure *figures_find(const figures *f, const char *group, const char *name)
{
    for (int i = 0; i < f->count; ++i)
        if (strcmp(f->at[i].group, group) == 0 && strcmp(f->at[i].name, name) == 0) return &f->at[i];
    return NULL;
}

void figures_free(figures *f)
{
    for (int i = 0; i < f->note_count; ++i) free(f->notes[i]);
    f->note_count = f->count = 0;
}
