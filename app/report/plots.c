/* plots.c -- see plots.h.
 * SPDX-License-Identifier: MIT */
#include "app/report/plots.h"

#include "host/base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In words, in the order in which they are shown; a figure that is not among them comes behind, as it is
 * called. */
static const struct wording {
    const char *name, *title, *unit;
} wordings[] = {
    { "loss", "Loss", "" },
    { "squared_error", "Squared error", "" },
    { "reconstruction", "Loss: reconstruction", "" },
    { "commitment", "Loss: commitment", "" },
    { "kl", "Loss: KL", "nats a pixel value" },
    { "text", "Loss: text", "nats a token" },
    { "image", "Loss: image", "nats a token" },
    { "psnr", "PSNR", "dB" },
    { "bits_per_dim", "Bits per dimension", "" },
    { "bits_per_dim_pixels", "Bits per dimension: pixels", "" },
    { "codes", "Codes in use", "" },
    { "entropy", "Entropy of codes", "bits a token" },
    { "gradient_norm", "Gradient norm", "" },
    { "learning_rate", "Learning rate", "" },
    { "temperature", "Temperature", "" },
    { "kl_weight", "Weight of the KL term", "" },
    { "steps_per_second", "Speed", "steps a second" },
    { "pictures_per_second", "Speed", "pictures a second" },
    { "waited", "Waited for data", "% of the time" },
};
enum { WORDINGS = sizeof wordings / sizeof *wordings };

static const char *const shown_times[] = { "steps_per_second", "pictures_per_second" };

static int rank_of(const char *name)
{
    int i = 0;
    while (i < WORDINGS && strcmp(wordings[i].name, name) != 0) ++i;
    return i;
}

const char *plots_run_name(const record *r)
{
    return r->folder;
}

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for the charts of a report");
}

/* ---- The charts ---- */

static chart *need_chart(plots *p, const char *name)
{
    for (int i = 0; i < p->count; ++i)
        if (strcmp(p->names[i], name) == 0) return &p->at[i];
    chart *more = realloc(p->at, (size_t)(p->count + 1) * sizeof *more);
    if (more) p->at = more;
    char **names = more ? realloc(p->names, (size_t)(p->count + 1) * sizeof *names) : NULL;
    if (names) p->names = names;
    char *copy = names ? strdup(name) : NULL;
    if (!copy) return NULL;
    p->names[p->count] = copy;
    int rank = rank_of(copy);
    p->at[p->count] = (chart){ .title = rank < WORDINGS ? wordings[rank].title : copy,
                               .unit = rank < WORDINGS ? wordings[rank].unit : "" };
    return &p->at[p->count++];
}

static bool add_curve(plots *p, const char *name, const series *s, int run)
{
    chart *c = need_chart(p, name);
    if (!c) return false;
    if (c->count == CHART_CURVES) return true;
    bool dotted = s->kind == RECORD_VALIDATION;
    /* One run alone has colours to spare. */
    int colour = p->runs == 1 && dotted ? 1 : run % CANVAS_COLOURS;
    c->curves[c->count++] = (chart_curve){ s, colour, dotted, NULL };
    return true;
}

static bool is_shown(const series *s)
{
    if (s->kind != RECORD_TIME) return true;
    for (size_t i = 0; i < sizeof shown_times / sizeof *shown_times; ++i)
        if (strcmp(s->name, shown_times[i]) == 0) return true;
    return false;
}

static bool share_of(const record *r, series *out)
{
    const series *data = record_find(r, RECORD_TIME, "data"), *all = record_find(r, RECORD_TIME, "seconds");
    *out = (series){ .name = NULL, .kind = RECORD_TIME };
    if (!data || !all || data->count != all->count || !data->count) return true;
    out->step = malloc((size_t)data->count * sizeof *out->step);
    out->value = malloc((size_t)data->count * sizeof *out->value);
    if (!out->step || !out->value) return false;
    for (int64_t i = 0; i < data->count; ++i) {
        out->step[i] = data->step[i];
        out->value[i] = all->value[i] > 0 ? 100 * data->value[i] / all->value[i] : NAN;
    }
    out->count = data->count;
    return true;
}

static bool add_run(plots *p, const record *r, int run, bool timed)
{
    for (int i = 0; i < r->count; ++i) {
        const series *s = &r->at[i];
        if ((s->kind == RECORD_TIME) == timed && is_shown(s) && !add_curve(p, s->name, s, run)) return false;
    }
    if (!timed) return true;
    return share_of(r, &p->shares[run]) &&
           (!p->shares[run].count || add_curve(p, "waited", &p->shares[run], run));
}

/* By their place among the wordings; the others stay behind, as they came. */
static void sort(plots *p, int from)
{
    for (int i = from + 1; i < p->count; ++i)
        for (int j = i; j > from && rank_of(p->names[j]) < rank_of(p->names[j - 1]); --j) {
            chart c = p->at[j];
            char *name = p->names[j];
            p->at[j] = p->at[j - 1];
            p->names[j] = p->names[j - 1];
            p->at[j - 1] = c;
            p->names[j - 1] = name;
        }
}

/* Charts in which nothing is finite go. */
static void drop_empty(plots *p, int from)
{
    int kept = from;
    for (int i = from; i < p->count; ++i) {
        if (!chart_range(&p->at[i])) {
            free(p->names[i]);
            continue;
        }
        p->at[kept] = p->at[i];
        p->names[kept++] = p->names[i];
    }
    p->count = kept;
}

static void name_curves(plots *p, const record *runs, int count)
{
    for (int i = 0; i < p->count; ++i)
        for (int k = 0; k < p->at[i].count; ++k) {
            chart_curve *c = &p->at[i].curves[k];
            c->name = c->dotted ? "validation" : c->of->kind == RECORD_TIME ? "" : "training";
            for (int r = 0; count > 1 && r < count; ++r)
                if ((c->of >= runs[r].at && c->of < runs[r].at + runs[r].count) || c->of == &p->shares[r])
                    c->name = plots_run_name(&runs[r]);
        }
}

bool plots_make(plots *p, const record *runs, int count, error *err)
{
    *p = (plots){ .runs = count, .shares = calloc((size_t)count, sizeof *p->shares) };
    bool ok = p->shares != NULL;
    for (int timed = 0; ok && timed < 2; ++timed) {
        p->timed = p->count;
        for (int i = 0; ok && i < count; ++i) ok = add_run(p, &runs[i], i, timed);
        if (!ok) break;
        sort(p, p->timed);
        drop_empty(p, p->timed);
    }
    if (ok) {
        name_curves(p, runs, count);
        return true;
    }
    plots_free(p);
    return no_memory(err);
}

void plots_free(plots *p)
{
    for (int i = 0; i < p->count; ++i) free(p->names[i]);
    for (int i = 0; p->shares && i < p->runs; ++i) {
        free(p->shares[i].step);
        free(p->shares[i].value);
    }
    free(p->at);
    free(p->names);
    free(p->shares);
    *p = (plots){ 0 };
}

/* ---- PNG ---- */

enum { SCALE = 2, LINE = 16 };

/* Below the chart: which colour is which run. */
static void draw_legend(const record *runs, int count, const canvas *on)
{
    for (int i = 0; count > 1 && i < count; ++i) {
        double y = CHART_HEIGHT + 6 + i * LINE;
        on->box(on->self, CANVAS_AREA, i % CANVAS_COLOURS, 12, y, 10, 10, NULL);
        on->text(on->self, CANVAS_LABEL, CANVAS_LEFT, 28, y + 9, plots_run_name(&runs[i]));
    }
}

/* Which tint is which class of use, in three columns. */
static int draw_classes(const canvas *on, bool draw)
{
    enum { COLUMNS = 3, WIDTH = (CHART_WIDTH - 24) / COLUMNS };
    int i = 0;
    for (; *chart_usage_class(i); ++i) {
        double x = 12 + i % COLUMNS * WIDTH, y = CHART_HEIGHT + 6 + i / COLUMNS * LINE;
        if (!draw) continue;
        on->box(on->self, CANVAS_TINT, i, x, y, 10, 10, NULL);
        on->text(on->self, CANVAS_LABEL, CANVAS_LEFT, x + 16, y + 9, chart_usage_class(i));
    }
    return (i + COLUMNS - 1) / COLUMNS;
}

/* A figure's name comes from a file: what could leave the folder becomes '_'. */
static char *path_of(const char *folder, const char *name)
{
    char file[120];
    int length = snprintf(file, sizeof file - 4, "%.100s", name);
    for (int i = 0; i < length; ++i)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", file[i]))
            file[i] = '_';
    strcpy(file + length, ".png");
    return file_join(folder, file);
}

static bool write_one(chart *c, const record *usage, const char *name, const record *runs, int count,
                      const char *folder, error *err)
{
    canvas on;
    char *path = path_of(folder, name);
    if (!path) return no_memory(err);
    int lines = !c ? draw_classes(NULL, false) : count > 1 ? count : 0;
    double height = CHART_HEIGHT + (lines ? 10 + LINE * lines : 0);
    bool ok = canvas_png_begin(&on, CHART_WIDTH, height, SCALE, err);
    if (ok) {
        if (c)
            ok = chart_draw(c, &on, err);
        else
            chart_usage(usage, "Codes by use, as a multiple of an even share", &on);
        if (c) draw_legend(runs, count, &on);
        if (!c) draw_classes(&on, true);
        ok = ok && canvas_png_end(&on, path, err);
        canvas_png_abandon(&on);
    }
    free(path);
    return ok;
}

static int write_all(const plots *p, const record *runs, int count, const char *folder, error *err)
{
    int written = 0;
    for (int i = 0; i < p->count; ++i, ++written)
        if (!write_one(&p->at[i], NULL, p->names[i], runs, count, folder, err)) return -1;
    for (int i = 0; i < count; ++i) {
        if (!runs[i].usage_count) continue;
        char name[40] = "code_usage";
        if (count > 1) snprintf(name, sizeof name, "code_usage-%d", i + 1);
        if (!write_one(NULL, &runs[i], name, &runs[i], 1, folder, err)) return -1;
        ++written;
    }
    return written;
}

int plots_write(const plots *p, const record *runs, int count, const char *folder, error *err)
{
    if (!file_make_folders(folder, err)) return -1;
    int written = write_all(p, runs, count, folder, err);
    canvas_png_forget();
    return written;
}
