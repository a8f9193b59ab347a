/* plan_plot.c -- see plan.h: time a step against link speed.
 * SPDX-License-Identifier: MIT */
#include "app/cli/plan.h"

#include "app/report/chart.h"

enum { CURVES = 7, POINTS = 10, SCALE = 2, LEGEND_LINE = 16 };

typedef struct plot {
    chart chart;
    series curves[CURVES];
    double speed[POINTS], seconds[CURVES][POINTS];
    char names[CURVES][64];
} plot;

/* 1, 4, 16 .. 4,096 ranks; links of 1, 2, 4 .. 512 Gbit/s. */
static void fill(const plan_job *p, plot *q)
{
    q->chart = (chart){ .title = "A step",
                        .unit = "seconds",
                        .doubling = true,
                        .across = p->job.shards > 1 ? "Gbit/s between groups" : "Gbit/s between ranks" };
    for (int i = 0; i < POINTS; ++i) q->speed[i] = (double)(1 << i);
    for (int k = 0; k < CURVES; ++k) {
        const scale_job j = plan_job_with(p, (int64_t)1 << (2 * k));
        for (int i = 0; i < POINTS; ++i) q->seconds[k][i] = plan_job_seconds(p, &j, q->speed[i] * 1e9 / 8);
        q->curves[k] = (series){ .count = POINTS, .step = q->speed, .value = q->seconds[k] };
        snprintf(q->names[k], sizeof q->names[k], "ranks: %lld, parts a rank: %lld, batch: %.0f",
                 (long long)j.ranks, (long long)j.parts, plan_job_pictures(p, &j));
        q->chart.curves[k] = (chart_curve){ .of = &q->curves[k], .colour = k, .dotted = true };
    }
    q->chart.count = CURVES;
}

static void draw_legend(const plot *q, const canvas *on)
{
    for (int k = 0; k < CURVES; ++k) {
        double y = CHART_HEIGHT + 6 + k * LEGEND_LINE;
        on->box(on->self, CANVAS_AREA, k, 12, y, 10, 10, NULL);
        on->text(on->self, CANVAS_LABEL, CANVAS_LEFT, 28, y + 9, q->names[k]);
    }
}

bool plan_job_plot(const plan_job *p, const char *path, error *err)
{
    plot q = { 0 };
    canvas on;
    fill(p, &q);
    if (!chart_range(&q.chart))
        return error_set(err, ERROR_USAGE, "'%s': there is no time to be shown", path);
    if (!canvas_png_begin(&on, CHART_WIDTH, CHART_HEIGHT + 10 + LEGEND_LINE * CURVES, SCALE, err))
        return false;
    bool ok = chart_draw(&q.chart, &on, err);
    draw_legend(&q, &on);
    ok = ok && canvas_png_end(&on, path, err);
    canvas_png_abandon(&on);
    canvas_png_forget();
    return ok;
}
