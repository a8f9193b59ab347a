/* chart.c -- see chart.h.
 * SPDX-License-Identifier: MIT */
#include "app/report/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT = 58, RIGHT = 14, TOP = 30, BOTTOM = 30, POINTS = 600, SMOOTH_FROM = 80 };

static const double AREA_WIDTH = CHART_WIDTH - LEFT - RIGHT, AREA_HEIGHT = CHART_HEIGHT - TOP - BOTTOM;

/* ---- Thinning and smoothing ---- */

static int64_t keep_finite(double *x, double *y, int64_t count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; ++i)
        if (isfinite(x[i]) && isfinite(y[i])) {
            x[kept] = x[i];
            y[kept++] = y[i];
        }
    return kept;
}

int64_t chart_thin(double *x, double *y, int64_t count, int64_t most)
{
    count = keep_finite(x, y, count);
    if (count <= most) return count;
    int64_t stretches = most / 2, kept = 0;
    for (int64_t k = 0; k < stretches; ++k) {
        int64_t from = count * k / stretches, to = count * (k + 1) / stretches, low = from, high = from;
        for (int64_t i = from; i < to; ++i) {
            if (y[i] < y[low]) low = i;
            if (y[i] > y[high]) high = i;
        }
        const int64_t two[2] = { low < high ? low : high, low < high ? high : low };
        for (int i = 0; i < 2; ++i) {
            if (i && two[1] == two[0]) continue;
            double at = x[two[i]], value = y[two[i]];
            x[kept] = at;
            y[kept++] = value;
        }
    }
    return kept;
}

/* The mean of some values around each; `y` is not touched. */
static void smooth(const double *y, double *out, int64_t count)
{
    int64_t reach = count / 40 + 1;
    double sum = 0;
    int64_t from = 0, to = 0;
    for (int64_t i = 0; i < count; ++i) {
        int64_t want = i + reach < count ? i + reach : count - 1, least = i > reach ? i - reach : 0;
        while (to <= want) sum += y[to++];
        while (from < least) sum -= y[from++];
        out[i] = sum / (double)(to - from);
    }
}

/* ---- Ranges and ticks ---- */

static void widen(double value, double *low, double *high)
{
    if (!isfinite(value)) return;
    if (value < *low) *low = value;
    if (value > *high) *high = value;
}

static double place_of(const chart *c, double step)
{
    return c->doubling ? log2(step) : step;
}

bool chart_range(chart *c)
{
    double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
    for (int k = 0; k < c->count; ++k) {
        const series *s = c->curves[k].of;
        for (int64_t i = 0; i < s->count; ++i) {
            if (!isfinite(s->value[i])) continue;
            widen(s->value[i], &low, &high);
            widen(place_of(c, s->step[i]), &first, &last);
        }
    }
    if (!isfinite(low) || !isfinite(first)) return false;
    c->log = low > 0 && high / low > 60;
    if (c->log) {
        low = log10(low);
        high = log10(high);
    }
    double margin = high > low ? 0.04 * (high - low) : fabs(high) > 0 ? 0.1 * fabs(high) : 1;
    c->least = !c->log && low >= 0 && low - margin < 0 ? 0 : low - margin;
    c->most = high + margin;
    c->first = first > 0 && first < 0.2 * last ? 0 : first;
    c->last = last > c->first ? last : c->first + 1;
    return true;
}

static double x_of(const chart *c, double step)
{
    return LEFT + AREA_WIDTH * (place_of(c, step) - c->first) / (c->last - c->first);
}

static double y_of(const chart *c, double value)
{
    double at = c->log ? log10(value) : value;
    return TOP + AREA_HEIGHT * (c->most - at) / (c->most - c->least);
}

/* 1, 2 or 5 times a power of ten: about `wanted` of them in the range. */
static double tick_step(double range, int wanted)
{
    double rough = range / wanted, power = pow(10, floor(log10(rough))), lead = rough / power;
    return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static void number_text(double value, char text[32])
{
    double size = fabs(value);
    if (size >= 1e6)
        snprintf(text, 32, "%.4gM", value / 1e6);
    else if (size >= 1e4)
        snprintf(text, 32, "%.4gk", value / 1e3);
    else if (size < 1e-12)
        snprintf(text, 32, "0");
    else
        snprintf(text, 32, "%.4g", value);
}

static void value_tick(const chart *c, const canvas *on, double at)
{
    double value = c->log ? pow(10, at) : at, y = y_of(c, value);
    char text[32];
    number_text(value, text);
    on->path(on->self, CANVAS_GRID, 0, (double[]){ LEFT, y, CHART_WIDTH - RIGHT, y }, 2, NULL);
    on->text(on->self, CANVAS_SMALL, CANVAS_RIGHT, LEFT - 6, y + 3.5, text);
}

static void draw_axes(const chart *c, const canvas *on)
{
    char text[120];
    snprintf(text, sizeof text, "%s%s%s%s%s", c->title, *c->unit ? "  (" : "", c->unit, *c->unit ? ")" : "",
             c->log ? ", logarithmic" : "");
    on->text(on->self, CANVAS_TITLE, CANVAS_LEFT, 8, 18, text);
    double step = c->log && c->most - c->least > 2 ? 1 : tick_step(c->most - c->least, 5);
    for (double at = ceil(c->least / step) * step; at <= c->most; at += step) value_tick(c, on, at);
    step = c->doubling ? 1 : fmax(1, tick_step(c->last - c->first, 5));
    for (double at = ceil(c->first / step) * step; at <= c->last * (1 + 1e-9); at += step) {
        double of = c->doubling ? exp2(at) : at, x = x_of(c, of);
        number_text(of, text);
        on->path(on->self, CANVAS_AXIS, 0, (double[]){ x, TOP + AREA_HEIGHT, x, TOP + AREA_HEIGHT + 4 }, 2,
                 NULL);
        on->text(on->self, CANVAS_SMALL, CANVAS_MIDDLE, x, TOP + AREA_HEIGHT + 16, text);
    }
    if (c->across)
        on->text(on->self, CANVAS_SMALL, CANVAS_RIGHT, CHART_WIDTH - RIGHT, TOP + AREA_HEIGHT + 27,
                 c->across);
    on->path(on->self, CANVAS_AXIS, 0,
             (double[]){ LEFT, TOP, LEFT, TOP + AREA_HEIGHT, CHART_WIDTH - RIGHT, TOP + AREA_HEIGHT }, 3,
             NULL);
}

/* ---- Curves ---- */

static void draw_points(const chart *c, const canvas *on, canvas_ink ink, int colour, const double *x,
                        const double *y, int64_t count, double *points, const char *name)
{
    for (int64_t i = 0; i < count; ++i) {
        points[2 * i] = x_of(c, x[i]);
        points[2 * i + 1] = y_of(c, y[i]);
    }
    on->path(on->self, ink, colour, points, (int)count, name);
}

static bool draw_curve(const chart *c, const chart_curve *curve, const canvas *on, error *err)
{
    const series *s = curve->of;
    size_t room = (size_t)s->count + 1;
    double *x = malloc(room * sizeof *x), *y = malloc(room * sizeof *y), *mean = malloc(room * sizeof *mean),
           points[2 * POINTS];
    bool ok =
        x && y && mean ? true : error_set(err, ERROR_MEMORY, "out of memory for a curve of %s", s->name);
    if (ok) {
        memcpy(x, s->step, (size_t)s->count * sizeof *x);
        memcpy(y, s->value, (size_t)s->count * sizeof *y);
        int64_t count = keep_finite(x, y, s->count);
        if (curve->dotted) {
            count = chart_thin(x, y, count, POINTS);
            draw_points(c, on, CANVAS_DASH, curve->colour, x, y, count, points, NULL);
            draw_points(c, on, CANVAS_DOT, curve->colour, x, y, count, points, curve->name);
        } else if (count < SMOOTH_FROM || c->plain) {
            count = chart_thin(x, y, count, POINTS);
            draw_points(c, on, CANVAS_CURVE, curve->colour, x, y, count, points, curve->name);
            if (count == 1) draw_points(c, on, CANVAS_DOT, curve->colour, x, y, 1, points, NULL);
        } else {
            smooth(y, mean, count);
            int64_t thin = chart_thin(x, y, count, POINTS);
            draw_points(c, on, CANVAS_FAINT, curve->colour, x, y, thin, points, NULL);
            memcpy(x, s->step, (size_t)s->count * sizeof *x);
            memcpy(y, s->value, (size_t)s->count * sizeof *y);
            keep_finite(x, y, s->count);
            thin = chart_thin(x, mean, count, POINTS / 2);
            draw_points(c, on, CANVAS_CURVE, curve->colour, x, mean, thin, points, curve->name);
        }
    }
    free(x);
    free(y);
    free(mean);
    return ok;
}

bool chart_draw(chart *c, const canvas *on, error *err)
{
    draw_axes(c, on);
    for (int i = 0; i < c->count; ++i)
        if (!draw_curve(c, &c->curves[i], on, err)) return false;
    return true;
}

void chart_attributes(const chart *c, char text[300])
{
    snprintf(text, 300,
             "data-chart=\"%d %d %.0f %.0f\" data-steps=\"%.9g %.9g\" data-values=\"%.9g %.9g\" "
             "data-log=\"%d\"",
             LEFT, TOP, AREA_WIDTH, AREA_HEIGHT, c->first, c->last, c->least, c->most, c->log);
}

/* ---- Codebook usage ---- */

const char *chart_usage_class(int i)
{
    static const char *const words[] = { "never used", "below 1/16", "1/16 to 1/8", "1/8 to 1/4",
                                         "1/4 to 1/2", "1/2 to 1",   "1 to 2",      "2 to 4",
                                         "4 to 8",     "8 to 16",    "16 and above" };
    return i >= 0 && i < (int)(sizeof words / sizeof *words) ? words[i] : "";
}

static double all_codes(const record_usage *u)
{
    double sum = 0;
    for (int i = 0; i < u->count; ++i) sum += u->of[i];
    return sum;
}

void chart_usage(const record *r, const char *title, const canvas *on)
{
    chart axes = { .title = title, .unit = "", .least = 0, .most = 1, .first = 0, .last = 1 };
    for (int64_t i = 0; i < r->usage_count; ++i) {
        axes.most = fmax(axes.most, all_codes(&r->usage[i]));
        axes.last = fmax(axes.last, r->usage[i].step);
    }
    draw_axes(&axes, on);
    double before = 0;
    for (int64_t i = 0; i < r->usage_count; ++i) {
        const record_usage *u = &r->usage[i];
        double x = x_of(&axes, before), width = x_of(&axes, u->step) - x, low = 0;
        for (int k = u->count - 1; k >= 0; --k) { /* the most used ones at the bottom */
            char name[120];
            double high = low + u->of[k], y = y_of(&axes, high);
            snprintf(name, sizeof name, "step %.0f: %.0f codes, %s", u->step, u->of[k], chart_usage_class(k));
            if (u->of[k] > 0)
                on->box(on->self, CANVAS_TINT, k, x, y, fmax(0.5, width - 0.5), y_of(&axes, low) - y, name);
            low = high;
        }
        before = u->step;
    }
}
