/* watch.c -- see watch.h.
 * SPDX-License-Identifier: MIT */
#include "app/report/watch.h"

#include "app/report/page.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"
#include "host/train/progress.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool watch_utf8(void)
{
    locale_t mine = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!mine) return false;
    bool utf8 = strcmp(nl_langinfo_l(CODESET, mine), "UTF-8") == 0;
    freelocale(mine);
    return utf8;
}

/* ---- Figures ---- */

/* Steps a second over the last few lines. */
static double rate_of(const record *r)
{
    enum { LINES = 10 };
    const series *steps = record_find(r, RECORD_TIME, "steps"), *all = record_find(r, RECORD_TIME, "seconds");
    double count = 0, seconds = 0;
    if (!steps || !all || steps->count != all->count) return 0;
    for (int64_t i = steps->count; i > 0 && steps->count - i < LINES; --i) {
        count += steps->value[i - 1];
        seconds += all->value[i - 1];
    }
    return seconds > 0 && isfinite(count / seconds) ? count / seconds : 0;
}

/* Of the last line, in per cent. */
static double waited_of(const record *r)
{
    double data = series_last(record_find(r, RECORD_TIME, "data")),
           all = series_last(record_find(r, RECORD_TIME, "seconds"));
    return all > 0 ? 100 * data / all : NAN;
}

static void put_rate(FILE *out, const record *r)
{
    double rate = rate_of(r);
    char left[32];
    if (rate <= 0) return;
    fprintf(out, rate >= 1 ? "  %.1f steps/s" : "  %.1f s/step", rate >= 1 ? rate : 1 / rate);
    if (r->steps <= r->step || r->state != RECORD_RUNNING) return;
    progress_duration((double)(r->steps - r->step) / rate, left);
    fprintf(out, "  %s left", left);
}

static void put_step(FILE *out, const record *r)
{
    fprintf(out, "step %lld", (long long)r->step);
    if (r->steps) fprintf(out, "/%lld", (long long)r->steps);
}

/* A figure's name is whatever its file says. */
static void put_figure(FILE *out, const series *s)
{
    char text[128];
    snprintf(text, sizeof text, "  %.80s %.4g", s->name, series_last(s));
    fputs(utf8_plain_line(text), out);
}

void watch_line(FILE *out, const record *r)
{
    put_step(out, r);
    for (int i = 0; i < r->count; ++i) {
        const series *s = &r->at[i];
        if (s->kind == RECORD_TRAIN && isfinite(series_last(s))) put_figure(out, s);
    }
    put_rate(out, r);
    if (isfinite(waited_of(r))) fprintf(out, "  waited for data %.0f%%", waited_of(r));
    if (r->state != RECORD_RUNNING) fprintf(out, "  (%s)", page_state(r));
    fputc('\n', out);
}

static json_t *last_of(const record *r, record_kind kind)
{
    json_t *all = json_object();
    for (int i = 0; i < r->count; ++i) {
        const series *s = &r->at[i];
        if (s->kind == kind && isfinite(series_last(s)))
            json_tree_put(&all, s->name, json_real(series_last(s)));
    }
    return all;
}

bool watch_json(FILE *out, const record *r, error *err)
{
    json_t *all = json_pack("{s:I, s:I, s:s, s:f}", "step", (json_int_t)r->step, "steps",
                            (json_int_t)r->steps, "state", page_state(r), "steps_per_second", rate_of(r));
    if (isfinite(waited_of(r))) json_tree_put(&all, "waited_for_data", json_real(waited_of(r) / 100));
    json_tree_put(&all, "training", last_of(r, RECORD_TRAIN));
    json_tree_put(&all, "validation", last_of(r, RECORD_VALIDATION));
    if (r->sample_count)
        json_tree_put(&all, "sample", json_tree_string(r->samples[r->sample_count - 1].path));
    char *text = json_tree_text(all, JSON_COMPACT | JSON_REAL_PRECISION(9), r->folder, err);
    if (text) fprintf(out, "%s\n", text);
    free(text);
    return text != NULL;
}

/* ---- Marks ---- */

static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const ascii[] = { "_", ".", "-", "=", "+", "*", "#", "@" };

/* The mean of the k-th of `cells` stretches; NAN where nothing is. */
static double stretch(const series *s, int64_t from, int64_t to)
{
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = from; i < to; ++i)
        if (isfinite(s->value[i])) {
            sum += s->value[i];
            ++count;
        }
    return count ? sum / (double)count : NAN;
}

char *watch_curve(const series *s, int cells, bool utf8)
{
    if (cells > s->count) cells = (int)s->count;
    double *of = malloc((size_t)(cells + 1) * sizeof *of), low = INFINITY, high = -INFINITY;
    char *text = calloc((size_t)cells + 1, 4);
    for (int k = 0; of && text && k < cells; ++k) {
        of[k] = stretch(s, s->count * k / cells, s->count * (k + 1) / cells);
        if (isfinite(of[k])) {
            low = fmin(low, of[k]);
            high = fmax(high, of[k]);
        }
    }
    for (int k = 0; of && text && k < cells; ++k) {
        int level = high > low ? (int)((of[k] - low) / (high - low) * 7.999) : 3;
        strcat(text, !isfinite(of[k]) ? " " : utf8 ? blocks[level] : ascii[level]);
    }
    free(of);
    return text;
}

static void put_bar(FILE *out, double share, int cells, bool utf8)
{
    int full = (int)(fmin(1, fmax(0, share)) * cells + 0.5);
    for (int i = 0; i < cells; ++i) fputs(i < full ? utf8 ? "█" : "#" : utf8 ? "░" : ".", out);
}

/* ---- The frame ---- */

/* Ends a line that is made of ASCII, cut to the width. */
static int put_cut(FILE *out, const watch_look *look, char *line)
{
    utf8_plain_line(line);
    if ((int)strlen(line) > look->width) line[look->width] = '\0';
    fprintf(out, "%s\n", line);
    return 1;
}

typedef struct text {
    char *at;
    size_t size;
    FILE *stream;
} text;

static bool begin(text *t)
{
    *t = (text){ 0 };
    t->stream = open_memstream(&t->at, &t->size);
    return t->stream != NULL;
}

static int end(FILE *out, const watch_look *look, text *t)
{
    int lines = fclose(t->stream) == 0 && t->at ? put_cut(out, look, t->at) : 0;
    free(t->at);
    return lines;
}

static int put_head(FILE *out, const record *r, const watch_look *look)
{
    text t;
    if (!begin(&t)) return 0;
    for (const char *c = r->folder; *c; ++c)
        fputc((unsigned char)*c < 0x7f && *c >= ' ' ? *c : '?', t.stream);
    fprintf(t.stream, "  %s  %s", record_model(r), page_state(r));
    return end(out, look, &t);
}

static int put_progress(FILE *out, const record *r, const watch_look *look)
{
    text t;
    int lines = 0;
    if (r->steps > 0) {
        double share = (double)r->step / (double)r->steps;
        int cells = look->width - 8 < 50 ? look->width - 8 : 50;
        put_bar(out, share, cells < 0 ? 0 : cells, look->utf8);
        fprintf(out, " %3.0f%%\n", 100 * share);
        ++lines;
    }
    if (!begin(&t)) return lines;
    put_step(t.stream, r);
    put_rate(t.stream, r);
    if (r->skipped_steps) fprintf(t.stream, "  skipped steps %lld", (long long)r->skipped_steps);
    if (r->skipped_pictures) fprintf(t.stream, "  skipped pictures %lld", (long long)r->skipped_pictures);
    return lines + end(out, look, &t);
}

/* "loss            0.0246  ▆▅▄▃▂▁" */
static int put_curve(FILE *out, const series *s, const watch_look *look)
{
    enum { NAME = 20, VALUE = 12 };
    int cells = look->width - NAME - VALUE - 2;
    char line[NAME + VALUE + 2];
    snprintf(line, sizeof line, "%-*.*s%*.5g", NAME, NAME - 1, s->name, VALUE, series_last(s));
    if ((int)strlen(line) > look->width) line[look->width] = '\0';
    fputs(utf8_plain_line(line), out);
    char *curve = cells > 4 ? watch_curve(s, cells < 60 ? cells : 60, look->utf8) : NULL;
    if (curve) fprintf(out, "  %s", curve);
    free(curve);
    fputc('\n', out);
    return 1;
}

static int put_curves(FILE *out, const record *r, record_kind kind, const char *head, const watch_look *look)
{
    int lines = 0;
    for (int i = 0; i < r->count; ++i) {
        const series *s = &r->at[i];
        if (s->kind != kind || !isfinite(series_last(s))) continue;
        char title[80];
        snprintf(title, sizeof title, "%s, last at step %.0f:", head, s->step[s->count - 1]);
        if (!lines && kind == RECORD_VALIDATION) lines += put_cut(out, look, title);
        lines += put_curve(out, s, look);
    }
    return lines;
}

static int put_times(FILE *out, const record *r, const watch_look *look)
{
    static const char *const words[TIMES_COUNT] = { "steps",   "data",   "validation",
                                                    "samples", "saving", "other" };
    text t;
    double all = record_seconds(r);
    if (all <= 0 || !begin(&t)) return 0;
    fputs("time:", t.stream);
    for (int i = 0; i < TIMES_COUNT; ++i)
        fprintf(t.stream, "%s %s %.1f%%", i ? "," : "", words[i], 100 * r->part[i] / all);
    return end(out, look, &t);
}

static int put_sample(FILE *out, const record *r, const watch_look *look)
{
    text t;
    if (!r->sample_count || !begin(&t)) return 0;
    fprintf(t.stream, "last sample: %s", r->samples[r->sample_count - 1].path);
    return end(out, look, &t);
}

int watch_frame(FILE *out, const record *r, const watch_look *look)
{
    int lines = put_head(out, r, look) + put_progress(out, r, look);
    lines += put_curves(out, r, RECORD_TRAIN, "training", look);
    lines += put_curves(out, r, RECORD_VALIDATION, "validation", look);
    lines += put_times(out, r, look);
    return lines + put_sample(out, r, look);
}
