/* eval_plots.c -- see eval_plots.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/eval_plots.h"

#include "app/report/chart.h"
#include "host/base/file.h"

#include <math.h>
#include <stdlib.h>

enum { SCALE = 2, LINE = 16, MODELS = 2, CURVES = SPECTRUM_SIGNALS > MODELS ? SPECTRUM_SIGNALS : MODELS };

/* Curves of one plot, with what each is called. */
typedef struct plot {
    chart chart;
    series curves[CURVES];
    const char *names[CURVES];
    int count;
} plot;

static void plot_free(plot *p)
{
    for (int i = 0; i < p->count; ++i) {
        free(p->curves[i].step);
        free(p->curves[i].value);
    }
}

/* Room for a curve of so many points, to be filled in. */
static series *add_curve(plot *p, const char *name, int64_t points, bool dotted, error *err)
{
    series *s = &p->curves[p->count];
    p->names[p->count++] = name;
    *s = (series){ .step = malloc((size_t)points * sizeof *s->step),
                   .value = malloc((size_t)points * sizeof *s->value) };
    if (!s->step || !s->value) return error_null(err, ERROR_MEMORY, "out of memory for a plot");
    s->count = points;
    p->chart.curves[p->chart.count] = (chart_curve){ .of = s, .colour = p->chart.count, .dotted = dotted };
    ++p->chart.count;
    return s;
}

/* What each colour is, below the chart. */
static void draw_legend(const plot *p, const canvas *on)
{
    for (int i = 0; i < p->count; ++i) {
        double y = CHART_HEIGHT + 6 + i * LINE;
        on->box(on->self, CANVAS_AREA, i % CANVAS_COLOURS, 12, y, 10, 10, NULL);
        on->text(on->self, CANVAS_LABEL, CANVAS_LEFT, 28, y + 9, p->names[i]);
    }
}

/* 1, or 0 where nothing is to be shown, or -1. */
static int write_plot(plot *p, const char *folder, const char *name, error *err)
{
    canvas on;
    if (!p->count || !chart_range(&p->chart)) return 0;
    char *path = file_join(folder, name);
    bool ok = path ? true : error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    ok = ok && canvas_png_begin(&on, CHART_WIDTH, CHART_HEIGHT + 10 + LINE * p->count, SCALE, err);
    if (ok) {
        ok = chart_draw(&p->chart, &on, err);
        draw_legend(p, &on);
        ok = ok && canvas_png_end(&on, path, err);
        canvas_png_abandon(&on);
    }
    free(path);
    return ok ? 1 : -1;
}

/* ---- The plots ---- */

static bool fill_score(plot *p, const evaluation *models, int count, error *err)
{
    p->chart = (chart){
        .title = "CLIP score of the best of N drawings", .unit = "", .doubling = true, .across = "N"
    };
    for (int m = 0; m < count; ++m) {
        int64_t points = 0;
        while (points < EVALUATION_CURVE && models[m].curve[points].count) ++points;
        if (points < 2) continue;
        series *s = add_curve(p, models[m].model, points, true, err);
        for (int64_t i = 0; s && i < points; ++i) {
            s->step[i] = (double)((int64_t)1 << i);
            s->value[i] = models[m].curve[i].value;
        }
        if (!s) return false;
    }
    return true;
}

static bool fill_codes(plot *p, const evaluation *models, int count, error *err)
{
    p->chart = (chart){
        .title = "Use of each code", .unit = "1: an even share", .plain = true, .across = "codes by use"
    };
    for (int m = 0; m < count; ++m) {
        int64_t used = 0;
        while (models[m].codes && used < models[m].code_count && models[m].codes[used] > 0) ++used;
        if (!used) continue;
        series *s = add_curve(p, models[m].model, used, false, err);
        for (int64_t i = 0; s && i < used; ++i) {
            s->step[i] = (double)(i + 1);
            s->value[i] = models[m].codes[i];
        }
        if (!s) return false;
    }
    return true;
}

/* From the first frequency that the mean does not reach to Nyquist's. */
static bool fill_spectrum(plot *p, const spectrum *of, error *err)
{
    static const char *const names[SPECTRUM_SIGNALS] = { "originals", "reconstructions", "their difference" };
    int64_t first = spectrum_first(of), points = spectrum_nyquist(of) - first + 1;
    p->chart = (chart){
        .title = "Power by spatial frequency", .unit = "", .plain = true, .across = "cycles a picture"
    };
    for (int k = 0; points > 1 && k < SPECTRUM_SIGNALS; ++k) {
        series *s = add_curve(p, names[k], points, false, err);
        if (!s) return false;
        for (int64_t i = 0; i < points; ++i) {
            double power = spectrum_power(of, (spectrum_of)k, first + i);
            s->step[i] = (double)(first + i);
            s->value[i] = power > 0 ? power : NAN; /* nothing has no logarithm */
        }
    }
    return true;
}

static int finish(plot *p, bool filled, const char *folder, const char *name, error *err)
{
    int written = filled ? write_plot(p, folder, name, err) : -1;
    plot_free(p);
    *p = (plot){ 0 };
    return written;
}

static int write_all(const evaluation *models, int count, const char *folder, error *err)
{
    plot p = { 0 };
    int all = 0, written = finish(&p, fill_score(&p, models, count, err), folder, "score.png", err);
    if (written < 0) return -1;
    all += written;
    if ((written = finish(&p, fill_codes(&p, models, count, err), folder, "codes.png", err)) < 0) return -1;
    all += written;
    for (int m = 0; m < count; ++m) {
        if (!models[m].spectrum) continue;
        bool filled = fill_spectrum(&p, models[m].spectrum, err);
        if ((written = finish(&p, filled, folder, m ? "spectrum-2.png" : "spectrum.png", err)) < 0) return -1;
        all += written;
    }
    return all;
}

int eval_plots_write(const evaluation *models, int count, const char *folder, error *err)
{
    CHECK(count <= MODELS, "%d models", count);
    if (!file_make_folders(folder, err)) return -1;
    int written = write_all(models, count, folder, err);
    canvas_png_forget();
    return written;
}
