/* page_parts.c -- see page.h: samples, times, settings, origin.
 * SPDX-License-Identifier: MIT */
#include "app/report/page.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/train/progress.h"

#include <math.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

/* ---- Samples ---- */

static bool put_base64(FILE *out, const char *bytes, size_t size, error *err)
{
    size_t room = BASE64_ENCODE_RAW_LENGTH(size);
    char *text = malloc(room + 1);
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for a picture of %zu bytes", size);
    base64_encode_raw(text, size, (const uint8_t *)bytes);
    fwrite(text, 1, room, out);
    free(text);
    return true;
}

/* A picture that went or cannot be read is said to be missing. */
static bool put_sample(FILE *out, const record_sample *s, error *err)
{
    error problem = { 0 };
    size_t size;
    char *bytes = file_read(s->path, &size, &problem);
    if (!bytes && problem.code == ERROR_MEMORY) {
        *err = problem;
        return false;
    }
    fputs("<figure>", out);
    bool ok = true;
    if (bytes) {
        fprintf(out, "<img alt=\"samples after %lld steps\" src=\"data:image/png;base64,",
                (long long)s->step);
        ok = put_base64(out, bytes, size, err);
        fputs("\"/>", out);
    } else {
        fputs("<p class=\"note\">", out);
        canvas_svg_text(out, problem.message);
        fputs("</p>", out);
    }
    fprintf(out, "<figcaption>after %lld steps</figcaption></figure>\n", (long long)s->step);
    free(bytes);
    return ok;
}

/* The i-th of `wanted` samples, evenly spaced, the first and the last among them. */
static int64_t pick(const record *r, int64_t wanted, int64_t i)
{
    return wanted < 2 ? r->sample_count - 1 : i * (r->sample_count - 1) / (wanted - 1);
}

/* How many samples fit into `room` bytes as they are written. */
static int64_t fitting(const record *r, int64_t most, double room)
{
    int64_t wanted = r->sample_count < most ? r->sample_count : most;
    for (; wanted > 0; --wanted) {
        double bytes = 0;
        for (int64_t i = 0; i < wanted; ++i)
            bytes += 4.0 / 3.0 * (double)r->samples[pick(r, wanted, i)].bytes + 200;
        if (bytes <= room) break;
    }
    return wanted;
}

bool page_samples(FILE *out, const record *runs, int count, const page_options *o, error *err)
{
    int with = 0;
    for (int i = 0; i < count; ++i) with += runs[i].sample_count > 0;
    if (!with) return true;
    fputs("<h2>Sample grids</h2>\n<p class=\"soft\">Real pictures above, the model's below.</p>\n", out);
    bool ok = true;
    for (int i = 0; ok && i < count; ++i) {
        const record *r = &runs[i];
        if (!r->sample_count) continue;
        int64_t shown = fitting(r, o->grids, o->megabytes * 1e6 / with);
        fputs("<h3>", out);
        page_run_name(out, runs, i);
        fprintf(out, "</h3>\n<p class=\"soft\">%lld of %lld grids%s</p>\n<div class=\"samples\">\n",
                (long long)shown, (long long)r->sample_count,
                shown ? "" : ": not even the last fits into the page; --megabytes gives more room");
        for (int64_t k = 0; ok && k < shown; ++k) ok = put_sample(out, &r->samples[pick(r, shown, k)], err);
        fputs("</div>\n", out);
    }
    return ok;
}

/* ---- Where the time went ---- */

static const struct {
    const char *words;
    int colour;
} parts[TIMES_COUNT] = { { "computing steps", 0 }, { "waiting for data", 4 }, { "validating", 2 },
                         { "drawing samples", 3 }, { "saving", 6 },           { "everything else", 7 } };

static void put_bar(FILE *out, const record *r)
{
    enum { WIDTH = 900, HEIGHT = 22 };
    double all = record_seconds(r), x = 0;
    canvas on = canvas_svg_begin(out, WIDTH, HEIGHT, "where the time went", "class=\"times\"");
    for (int i = 0; i < TIMES_COUNT; ++i) {
        double width = WIDTH * r->part[i] / all;
        char name[100];
        snprintf(name, sizeof name, "%s: %.1f %%", parts[i].words, 100 * r->part[i] / all);
        if (width > 0) on.box(on.self, CANVAS_AREA, parts[i].colour, x, 0, width, HEIGHT, name);
        x += width;
    }
    canvas_svg_end(&on);
}

static void put_time_row(FILE *out, const record *r, int part)
{
    char took[32];
    progress_duration(r->part[part], took);
    fprintf(out,
            "<tr><td><span class=\"key c%d\"></span>%s</td><td class=\"number\">%s</td>"
            "<td class=\"number\">%.2f %%</td></tr>\n",
            parts[part].colour, parts[part].words, took, 100 * r->part[part] / record_seconds(r));
}

void page_times(FILE *out, const record *runs, int count)
{
    fputs("<h2>Where the time went</h2>\n", out);
    for (int i = 0; i < count; ++i) {
        const record *r = &runs[i];
        fputs("<h3>", out);
        page_run_name(out, runs, i);
        fputs("</h3>\n", out);
        if (record_seconds(r) <= 0) {
            fputs("<p class=\"soft\">Not recorded: there is no times.jsonl with a line of it.</p>\n", out);
            continue;
        }
        put_bar(out, r);
        fputs("<table>\n", out);
        for (int k = 0; k < TIMES_COUNT; ++k) put_time_row(out, r, k);
        fputs("</table>\n", out);
        char lost[32];
        progress_duration(r->lost, lost);
        fprintf(out, "<p class=\"soft\">%lld process%s trained it", (long long)r->processes,
                r->processes == 1 ? "" : "es");
        if (r->lost > 0) fprintf(out, "; steps of %s were lost to interruptions and done again", lost);
        fputs(".</p>\n", out);
    }
}

/* ---- Settings ---- */

/* A line "key = value" of a settings file: the length of its key, 0 if it is none. */
static size_t key_length(const char *line)
{
    size_t length = strcspn(line, "=\n");
    if (*line == '#' || line[length] != '=') return 0;
    while (length && line[length - 1] == ' ') --length;
    return length;
}

typedef struct settings {
    FILE *out;
    const record *runs;
    int count;
    bool all; /* those that are the same, too */
    int shown;
} settings;

/* All runs have it, and the same. */
static bool is_same(const settings *s, const char *key)
{
    int first, length;
    const char *value = record_setting(&s->runs[0], key, &first);
    for (int i = 1; value && i < s->count; ++i) {
        const char *other = record_setting(&s->runs[i], key, &length);
        if (!other || length != first || memcmp(value, other, (size_t)length) != 0) return false;
    }
    return value != NULL;
}

static void put_setting(settings *s, const char *key)
{
    if (!s->all && is_same(s, key)) return;
    ++s->shown;
    fputs("<tr><td>", s->out);
    canvas_svg_text(s->out, key);
    fputs("</td>", s->out);
    for (int i = 0; i < s->count; ++i) {
        int length;
        const char *value = record_setting(&s->runs[i], key, &length);
        char text[400];
        snprintf(text, sizeof text, "%.*s", value ? length : 9, value ? value : "(not set)");
        fputs("<td class=\"long\">", s->out);
        canvas_svg_text(s->out, text);
        fputs("</td>", s->out);
    }
    fputs("</tr>\n", s->out);
}

/* Each key that a run has and none before it. */
static void put_each(settings *s)
{
    for (int i = 0; i < s->count; ++i)
        for (const char *line = s->runs[i].config; line && *line;) {
            size_t length = key_length(line), all = strcspn(line, "\n");
            char key[80];
            int none;
            bool known = length == 0;
            snprintf(key, sizeof key, "%.*s", (int)length, line);
            for (int k = 0; k < i && !known; ++k) known = record_setting(&s->runs[k], key, &none) != NULL;
            if (!known) put_setting(s, key);
            line += all + (line[all] == '\n');
        }
}

static void put_settings_table(settings *s, const char *id)
{
    fprintf(s->out, "<div class=\"wide\"><table id=\"%s\"><tr><th>setting</th>", id);
    for (int i = 0; i < s->count; ++i) {
        fputs("<th>", s->out);
        page_run_name(s->out, s->runs, i);
        fputs("</th>", s->out);
    }
    fputs("</tr>\n", s->out);
    put_each(s);
    fputs("</table></div>\n", s->out);
}

void page_settings(FILE *out, const record *runs, int count)
{
    settings differ = { out, runs, count, false, 0 }, all = { out, runs, count, true, 0 };
    fputs("<h2>Settings</h2>\n", out);
    if (count > 1) {
        fputs("<p class=\"soft\">Where the runs differ:</p>\n", out);
        put_settings_table(&differ, "differences");
        if (!differ.shown) fputs("<p class=\"soft\">Nowhere.</p>\n", out);
    }
    fputs("<details><summary>All settings</summary>\n", out);
    put_settings_table(&all, "settings");
    fputs("</details>\n", out);
}

/* ---- Origin ---- */

static bool put_origin(FILE *out, const char *path, const json_t *value, error *err)
{
    const char *key;
    json_t *inner;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, inner)
        {
            char deeper[200];
            snprintf(deeper, sizeof deeper, "%s%s%s", path, *path ? "." : "", key);
            if (!put_origin(out, deeper, inner, err)) return false;
        }
        return true;
    }
    char *text = json_is_string(value)
                     ? strdup(json_string_value(value))
                     : json_tree_text(json_incref((json_t *)(uintptr_t)value), JSON_ENCODE_ANY, path, err);
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for the origin of a run");
    fputs("<tr><td>", out);
    canvas_svg_text(out, path);
    fputs("</td><td class=\"long\">", out);
    canvas_svg_text(out, text);
    fputs("</td></tr>\n", out);
    free(text);
    return true;
}

static void put_word(FILE *out, const char *name, const char *value)
{
    if (!*value) return;
    fprintf(out, "<tr><td>%s</td><td class=\"long\">", name);
    canvas_svg_text(out, value);
    fputs("</td></tr>\n", out);
}

bool page_origin(FILE *out, const record *runs, int count, error *err)
{
    fputs("<h2>Data, program and device</h2>\n", out);
    for (int i = 0; i < count; ++i) {
        fputs("<h3>", out);
        page_run_name(out, runs, i);
        fputs(
            "</h3>\n<div class=\"wide\"><table class=\"origin\">\n<tr><th>what</th><th>run.json</th></tr>\n",
            out);
        put_word(out, "began", runs[i].began);
        put_word(out, "ended", runs[i].ended);
        if (runs[i].info && !put_origin(out, "", runs[i].info, err)) return false;
        fputs("</table></div>\n", out);
    }
    return true;
}
