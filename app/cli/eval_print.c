/* eval_print.c -- see eval_print.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/eval_print.h"

#include "app/cli/print.h"
#include "app/cli/sets.h"
#include "host/base/json_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct group {
    const char *name, *title;
} groups[] = {
    { "reconstruction", "reconstruction: pictures through the dVAE and back" },
    { "codes", "codes" },
    { "spectrum", "spectrum: what reconstructions keep of detail" },
    { "likelihood", "likelihood: -ln of each token's probability" },
    { "bits", "bits a pixel value: three values make a pixel" },
    { "agreement", "agreement of pictures with captions" },
    { "retrieval", "retrieval" },
    { "distance", "distances of sets of pictures" },
};
enum { GROUPS = sizeof groups / sizeof *groups, COLUMNS = 8, CELL = 64, ROWS = 2 * FIGURES_MOST };

/* ---- The table ---- */

typedef struct table {
    char cells[ROWS][COLUMNS][CELL];
    const char *group[ROWS];
    int rows, width[COLUMNS], columns;
} table;

/* Cells: the title; of each model value and error; of two the difference; unit; of what. */
enum { TITLE, VALUE };

static void set_cell(table *t, int column, const char *text)
{
    int length = (int)strlen(text);
    snprintf(t->cells[t->rows][column], CELL, "%s", text);
    if (length > t->width[column]) t->width[column] = length < CELL ? length : CELL - 1;
}

static void number(char text[CELL], double value, int decimals, const char *before, const char *behind)
{
    if (isfinite(value))
        snprintf(text, CELL, "%s%.*f%s", before, decimals, value, behind);
    else
        snprintf(text, CELL, "%s%s%s", before,
                 isnan(value) ? "?"
                 : value > 0  ? "infinite"
                              : "-infinite",
                 behind);
}

static void set_value(table *t, int column, const figure *f)
{
    char text[CELL];
    number(text, f->value, f->decimals, "", f->biased ? "*" : " ");
    set_cell(t, column, text);
    if (isnan(f->error)) return;
    number(text, f->error, f->decimals, "+- ", "");
    set_cell(t, column + 1, text);
}

static void add_row(table *t, const eval_print *p, const char *group, const char *name)
{
    const figure *shown = NULL, *each[2] = { NULL, NULL };
    char text[CELL];
    for (int m = 0; m < p->count; ++m) {
        each[m] = figures_find(&p->models[m].figures, group, name);
        if (each[m]) set_value(t, VALUE + 2 * m, each[m]);
        if (!shown) shown = each[m];
    }
    int last = VALUE + 2 * p->count;
    set_cell(t, TITLE, shown->title);
    if (each[0] && each[1]) {
        double difference = each[0]->value - each[1]->value;
        number(text, difference, shown->decimals, difference > 0 ? "+" : "", "");
        set_cell(t, last, text);
    }
    if (p->count == 2) ++last;
    set_cell(t, last, shown->unit);
    snprintf(text, sizeof text, "%lld %s", (long long)shown->count, shown->of);
    set_cell(t, last + 1, text);
    t->group[t->rows++] = group;
}

static bool is_there(const table *t, const eval_print *p, int model, const figure *f)
{
    (void)t;
    return model > 0 && figures_find(&p->models[0].figures, f->group, f->name) != NULL;
}

static void fill(table *t, const eval_print *p)
{
    for (int g = 0; g < GROUPS; ++g)
        for (int m = 0; m < p->count; ++m) {
            const figures *all = &p->models[m].figures;
            for (int i = 0; i < all->count; ++i)
                if (strcmp(all->at[i].group, groups[g].name) == 0 && !is_there(t, p, m, &all->at[i]))
                    add_row(t, p, groups[g].name, all->at[i].name);
        }
}

static const char *title_of(const char *group)
{
    for (int g = 0; g < GROUPS; ++g)
        if (strcmp(groups[g].name, group) == 0) return groups[g].title;
    return group;
}

/* Titles, units and what stands behind them begin alike; numbers end alike. */
static void print_row(const table *t, int row, int numbers)
{
    char line[COLUMNS * CELL + 32];
    int at = snprintf(line, sizeof line, "  %-*s", t->width[TITLE], t->cells[row][TITLE]);
    for (int c = VALUE; c < COLUMNS; ++c) {
        if (!t->width[c]) continue;
        bool right = c < VALUE + numbers;
        at += snprintf(line + at, sizeof line - (size_t)at, right ? "  %*s" : "  %-*s", t->width[c],
                       t->cells[row][c]);
    }
    while (at > 0 && line[at - 1] == ' ') line[--at] = '\0';
    puts(line);
}

static void print_head(const eval_print *p)
{
    for (int m = 0; m < p->count; ++m) {
        const evaluation *e = &p->models[m];
        char pictures[32], drawings[32];
        cli_grouped(e->pictures, pictures);
        cli_grouped(e->drawings, drawings);
        if (p->count > 1) printf("%s: ", m ? "second" : "first");
        print_piece(stdout, "%s, %s pictures of %lld x %lld pixels", e->model, pictures, (long long)e->side,
                    (long long)e->side);
        if (e->drawings) printf(", %s drawings of %lld captions", drawings, (long long)e->captions);
        putchar('\n');
    }
    const char *split = p->split;
    print_line(stdout, "on %s%s%s%s%s", p->data, split ? ", split " : "", split ? split : "",
               p->judge ? ", judged by the CLIP of " : "", p->judge ? p->judge : "");
}

static void print_notes(const eval_print *p)
{
    for (int m = 0; m < p->count; ++m) {
        const figures *f = &p->models[m].figures;
        for (int i = 0; i < f->note_count; ++i) {
            bool before = false; /* the same was said of the first */
            for (int k = 0; m && k < p->models[0].figures.note_count; ++k)
                before = before || strcmp(p->models[0].figures.notes[k], f->notes[i]) == 0;
            if (!before)
                print_line(stdout, "- %s%s", p->count == 1 ? "" : m ? "second: " : "first: ", f->notes[i]);
        }
    }
    const eval_set *s = p->set;
    if (s->unreadable) printf("- %lld pictures cannot be read and are left out:\n", (long long)s->unreadable);
    for (int i = 0; i < EVAL_SET_NAMED && s->named[i]; ++i) print_line(stdout, "  %s", s->named[i]);
    if (s->unreadable > EVAL_SET_NAMED)
        printf("  and %lld more\n", (long long)(s->unreadable - EVAL_SET_NAMED));
}

bool eval_print_table(const eval_print *p, error *err)
{
    table *t = calloc(1, sizeof *t);
    if (!t) return error_set(err, ERROR_MEMORY, "out of memory for a table");
    fill(t, p);
    print_head(p);
    bool biased = false;
    for (int i = 0; i < t->rows; ++i) {
        if (!i || t->group[i] != t->group[i - 1]) printf("\n%s\n", title_of(t->group[i]));
        print_row(t, i, p->count == 2 ? 5 : 2);
    }
    for (int m = 0; m < p->count; ++m)
        for (int i = 0; i < p->models[m].figures.count; ++i)
            biased = biased || p->models[m].figures.at[i].biased;
    putchar('\n');
    if (p->count == 2) puts("the last number of a line is what the first has more than the second");
    if (biased) puts("* biased, for there are too few, as said here:");
    print_notes(p);
    free(t);
    return true;
}

/* ---- JSON ---- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void put_figure(json_t **to, const figure *f)
{
    json_t *o = json_object();
    json_tree_put(&o, "value", real(f->value));
    json_tree_put(&o, "error", real(f->error));
    json_tree_put(&o, "count", json_integer(f->count));
    json_tree_put(&o, "of", json_string(f->of));
    json_tree_put(&o, "unit", json_string(f->unit));
    json_tree_put(&o, "biased", json_boolean(f->biased));
    json_tree_put(to, f->name, o);
}

static json_t *figures_json(const figures *f)
{
    json_t *all = json_object();
    for (int g = 0; g < GROUPS; ++g) {
        json_t *of = json_object();
        for (int i = 0; i < f->count; ++i)
            if (strcmp(f->at[i].group, groups[g].name) == 0) put_figure(&of, &f->at[i]);
        if (!of || json_object_size(of)) /* without memory the whole says so */
            json_tree_put(&all, groups[g].name, of);
        else
            json_decref(of);
    }
    return all;
}

static json_t *curve_json(const evaluation *e)
{
    json_t *all = json_array();
    for (int i = 0; i < EVALUATION_CURVE && e->curve[i].count; ++i) {
        json_t *o = json_object();
        json_tree_put(&o, "of", json_integer((json_int_t)1 << i));
        json_tree_put(&o, "score", real(e->curve[i].value));
        json_tree_put(&o, "error", real(mean_error(&e->curve[i])));
        json_tree_add(&all, o);
    }
    return all;
}

static json_t *model_json(const evaluation *e)
{
    json_t *o = json_object(), *codes = json_array(), *notes = json_array();
    for (int64_t i = 0; i < e->code_count; ++i) json_tree_add(&codes, real(e->codes[i]));
    for (int i = 0; i < e->figures.note_count; ++i)
        json_tree_add(&notes, json_tree_string(e->figures.notes[i]));
    json_tree_put(&o, "model", json_tree_string(e->model));
    json_tree_put(&o, "side", json_integer(e->side));
    json_tree_put(&o, "pictures", json_integer(e->pictures));
    json_tree_put(&o, "captioned", json_integer(e->captioned));
    json_tree_put(&o, "captions_drawn", json_integer(e->captions));
    json_tree_put(&o, "drawings", json_integer(e->drawings));
    json_tree_put(&o, "figures", figures_json(&e->figures));
    json_tree_put(&o, "score_of_best", curve_json(e));
    json_tree_put(&o, "code_use", codes);
    json_tree_put(&o, "spectrum", e->spectrum ? spectrum_json(e->spectrum) : json_null());
    json_tree_put(&o, "notes", notes);
    return o;
}

static json_t *difference_json(const eval_print *p)
{
    json_t *all = json_object();
    const figures *f = &p->models[0].figures;
    for (int g = 0; g < GROUPS; ++g) {
        json_t *of = json_object();
        for (int i = 0; i < f->count; ++i) {
            const figure *a = &f->at[i], *b = figures_find(&p->models[1].figures, a->group, a->name);
            if (b && strcmp(a->group, groups[g].name) == 0)
                json_tree_put(&of, a->name, real(a->value - b->value));
        }
        json_tree_put(&all, groups[g].name, of);
    }
    return all;
}

bool eval_print_json(const eval_print *p, error *err)
{
    json_t *o = json_object(), *models = json_array(), *named = json_array();
    for (int m = 0; m < p->count; ++m) json_tree_add(&models, model_json(&p->models[m]));
    for (int i = 0; i < EVAL_SET_NAMED && p->set->named[i]; ++i)
        json_tree_add(&named, json_tree_string(p->set->named[i]));
    json_tree_put(&o, "data", json_tree_string(p->data));
    json_tree_put(&o, "split", p->split ? json_tree_string(p->split) : json_null());
    json_tree_put(&o, "in_split", json_integer(p->set->all));
    json_tree_put(&o, "unreadable", json_integer(p->set->unreadable));
    json_tree_put(&o, "named", named);
    json_tree_put(&o, "seed", json_integer(p->seed));
    json_tree_put(&o, "judge", p->judge ? json_tree_string(p->judge) : json_null());
    json_tree_put(&o, "models", models);
    if (p->count == 2) json_tree_put(&o, "difference", difference_json(p));
    return sets_print(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(8), err);
}
