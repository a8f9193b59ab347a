/* page.c -- see page.h: the page, its summary and its curves.
 * SPDX-License-Identifier: MIT */
#include "app/report/page.h"

#include "host/base/embedded.h"
#include "host/train/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *page_state(const record *r)
{
    static const struct {
        const char *why, *words;
    } ends[] = { { "done", "finished" },
                 { "patience", "stopped: no better figure for too long" },
                 { "minutes", "stopped: its time was up" },
                 { "interrupted", "stopped and saved" },
                 { "failed", "failed" } };
    for (size_t i = 0; r->state == RECORD_ENDED && i < sizeof ends / sizeof *ends; ++i)
        if (strcmp(ends[i].why, r->why) == 0) return ends[i].words;
    if (r->state == RECORD_RUNNING) return "training";
    if (r->state == RECORD_INTERRUPTED) return "killed; --resume goes on";
    return r->steps && r->step >= r->steps ? "finished" : r->state == RECORD_ENDED ? r->why : "not known";
}

void page_run_name(FILE *out, const record *runs, int run)
{
    fprintf(out, "<span class=\"key c%d\"></span>", run % CANVAS_COLOURS);
    canvas_svg_text(out, plots_run_name(&runs[run]));
}

/* ---- The summary ---- */

/* "0.01234", or a dash where there is none. */
static void put_number(FILE *out, double value, const char *unit)
{
    if (isfinite(value))
        fprintf(out, "<td class=\"number\">%.4g%s</td>", value, unit);
    else
        fputs("<td class=\"number soft\">&#8211;</td>", out);
}

static void put_best(FILE *out, const record *r)
{
    double value, step;
    if (!record_best(r, &value, &step)) {
        put_number(out, NAN, "");
        return;
    }
    fputs("<td class=\"number\">", out);
    canvas_svg_text(out, r->criterion);
    fprintf(out, " %.4g at %.0f</td>", value, step);
}

static double waited_of(const record *r)
{
    double all = record_seconds(r);
    return all > 0 ? 100 * r->part[TIMES_DATA] / all : NAN;
}

static double speed_of(const record *r)
{
    const series *steps = record_find(r, RECORD_TIME, "steps");
    double all = record_seconds(r), count = 0;
    for (int64_t i = 0; steps && i < steps->count; ++i) count += steps->value[i];
    return steps && all > 0 ? count / all : NAN;
}

static void put_run(FILE *out, const record *runs, int i)
{
    const record *r = &runs[i];
    char took[32] = "&#8211;";
    if (record_seconds(r) > 0) progress_duration(record_seconds(r) + r->lost, took);
    fputs("<tr><td>", out);
    page_run_name(out, runs, i);
    fputs("</td><td>", out);
    canvas_svg_text(out, record_model(r));
    fputs("</td><td>", out);
    canvas_svg_text(out, page_state(r));
    fprintf(out, "</td><td class=\"number\">%lld", (long long)r->step);
    if (r->steps) fprintf(out, " of %lld", (long long)r->steps);
    fprintf(out, "</td><td class=\"number\">%s</td>", took);
    const series *loss = record_find(r, RECORD_TRAIN, "loss");
    put_number(out, loss ? series_recent(loss, 5) : NAN, "");
    put_best(out, r);
    put_number(out, speed_of(r), "");
    put_number(out, round(100 * waited_of(r)) / 100, " %");
    fprintf(out, "<td class=\"number\" title=\"steps, pictures\">%lld, %lld</td></tr>\n",
            (long long)r->skipped_steps, (long long)r->skipped_pictures);
}

/* What could not be read is said before what could. */
static void put_note(FILE *out, const char *where, const char *what)
{
    fputs("<p class=\"note\">", out);
    canvas_svg_text(out, where);
    canvas_svg_text(out, what);
    fputs("</p>\n", out);
}

static void put_broken(FILE *out, const record_file *f)
{
    char what[160];
    snprintf(what, sizeof what, ":%lld: %lld of %lld lines cannot be read and are left out",
             (long long)f->first_broken, (long long)f->broken, (long long)f->lines);
    if (f->broken) put_note(out, f->path, what);
}

static void put_notes(FILE *out, const record *r)
{
    if (r->problem) put_note(out, r->problem, "");
    if (!r->metrics.there) put_note(out, r->metrics.path, " is not there: the run has no curves");
    if (r->metrics.there && !r->count) put_note(out, r->metrics.path, " holds no figure");
    put_broken(out, &r->metrics);
    put_broken(out, &r->times);
}

static void put_summary(FILE *out, const record *runs, int count)
{
    fputs("<h2>Runs</h2>\n", out);
    for (int i = 0; i < count; ++i) put_notes(out, &runs[i]);
    fputs("<div class=\"wide\"><table id=\"runs\"><tr><th>run</th><th>kind</th><th>state</th><th>steps</th>"
          "<th>time</th><th>loss, last five</th><th>best validation</th><th>steps/s</th>"
          "<th>waited for data</th><th>skipped</th></tr>\n",
          out);
    for (int i = 0; i < count; ++i) put_run(out, runs, i);
    fputs("</table></div>\n", out);
}

/* ---- Curves ---- */

static void put_legend(FILE *out, const record *runs, int count)
{
    fputs("<p class=\"legend\">", out);
    for (int i = 0; count > 1 && i < count; ++i) {
        fputs("<span>", out);
        page_run_name(out, runs, i);
        fputs("</span> ", out);
    }
    if (count == 1)
        fputs("<span><span class=\"key c0\"></span>training</span> <span><span class=\"key c1\"></span>"
              "validation</span> ",
              out);
    fputs("Lines are of training, smoothed over their own faint trace where they are long; dots are "
          "validations.</p>\n",
          out);
}

static bool put_charts(FILE *out, const plots *p, int from, int to, error *err)
{
    fputs("<div class=\"charts\">\n", out);
    bool ok = true;
    for (int i = from; ok && i < to; ++i) {
        char head[420], attributes[300];
        chart_attributes(&p->at[i], attributes);
        snprintf(head, sizeof head, "class=\"chart\" %s", attributes);
        canvas on = canvas_svg_begin(out, CHART_WIDTH, CHART_HEIGHT, p->at[i].title, head);
        ok = chart_draw(&p->at[i], &on, err);
        canvas_svg_end(&on);
    }
    fputs("</div>\n", out);
    return ok;
}

static void put_usage_legend(FILE *out)
{
    fputs("<p class=\"legend\">Codes by use, as a multiple of an even share: ", out);
    for (int i = 0; *chart_usage_class(i); ++i)
        fprintf(out, "<span><span class=\"key tint t%d\"></span>%s</span> ", i, chart_usage_class(i));
    fputs("</p>\n", out);
}

static void put_usage(FILE *out, const record *runs, int count)
{
    bool any = false;
    for (int i = 0; i < count; ++i) any |= runs[i].usage_count > 0;
    if (!any) return;
    fputs("<h2>Codebook usage</h2>\n", out);
    put_usage_legend(out);
    fputs("<div class=\"charts\">\n", out);
    for (int i = 0; i < count; ++i) {
        if (!runs[i].usage_count) continue;
        const char *title = count > 1 ? plots_run_name(&runs[i]) : "Codes at each validation";
        canvas on = canvas_svg_begin(out, CHART_WIDTH, CHART_HEIGHT, title, "class=\"usage\"");
        chart_usage(&runs[i], title, &on);
        canvas_svg_end(&on);
    }
    fputs("</div>\n", out);
}

static bool put_curves(FILE *out, const record *runs, int count, const plots *p, error *err)
{
    if (p->timed) {
        fputs("<h2>Figures over steps</h2>\n", out);
        put_legend(out, runs, count);
        if (!put_charts(out, p, 0, p->timed, err)) return false;
    }
    put_usage(out, runs, count);
    return true;
}

/* ---- The page ---- */

static void put_embedded(FILE *out, const char *name)
{
    const embedded_file *f = embedded_find(name);
    CHECK(f, "'%s' is not in the program", name);
    fwrite(f->bytes, 1, f->size, out);
}

static void put_head(FILE *out, const record *runs, int count)
{
    fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
          out);
    canvas_svg_text(out, count == 1 ? plots_run_name(&runs[0]) : "Training runs");
    fputs("</title>\n<style>\n", out);
    put_embedded(out, "report/page.css");
    fputs("</style>\n</head>\n<body>\n<h1>", out);
    if (count == 1)
        canvas_svg_text(out, plots_run_name(&runs[0]));
    else
        fprintf(out, "%d training runs", count);
    fprintf(out, "</h1>\n<p class=\"soft\">dalle-cl %s</p>\n", DALLE_CL_VERSION);
}

static void put_foot(FILE *out)
{
    fputs("<div id=\"tip\"></div>\n<script>\n//<![CDATA[\n", out);
    put_embedded(out, "report/page.js");
    fputs("//]]>\n</script>\n</body>\n</html>\n", out);
}

static bool put_page(FILE *out, const record *runs, int count, const plots *p, const page_options *o,
                     error *err)
{
    put_head(out, runs, count);
    put_summary(out, runs, count);
    if (!put_curves(out, runs, count, p, err) || !page_samples(out, runs, count, o, err)) return false;
    page_times(out, runs, count);
    if (p->timed < p->count && !put_charts(out, p, p->timed, p->count, err)) return false;
    page_settings(out, runs, count);
    if (!page_origin(out, runs, count, err)) return false;
    put_foot(out);
    return true;
}

char *page_make(const record *runs, int count, const plots *p, const page_options *o, size_t *size,
                error *err)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out) return error_null(err, ERROR_MEMORY, "out of memory for a report");
    bool ok = put_page(out, runs, count, p, o, err), lost = ferror(out) != 0;
    lost |= fclose(out) != 0;
    if (ok && !lost && text) return text;
    if (ok) error_set(err, ERROR_MEMORY, "out of memory for a report");
    free(text);
    return NULL;
}
