/* record.c -- see record.h: the two files of lines.
 * SPDX-License-Identifier: MIT */
#include "app/report/record.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Series ---- */

double series_last(const series *s)
{
    return s ? series_recent(s, 1) : NAN;
}

double series_recent(const series *s, int64_t count)
{
    double sum = 0;
    int64_t found = 0;
    for (int64_t i = s->count; i > 0 && found < count; --i) {
        if (!isfinite(s->value[i - 1])) continue;
        sum += s->value[i - 1];
        ++found;
    }
    return found ? sum / (double)found : NAN;
}

const series *record_find(const record *r, record_kind kind, const char *name)
{
    for (int i = 0; i < r->count; ++i)
        if (r->at[i].kind == kind && strcmp(r->at[i].name, name) == 0) return &r->at[i];
    return NULL;
}

static series *need_series(record *r, record_kind kind, const char *name)
{
    const series *found = record_find(r, kind, name);
    if (found) return &r->at[found - r->at];
    if (r->count == r->room) {
        int room = 2 * r->room + 16;
        series *more = realloc(r->at, (size_t)room * sizeof *more);
        if (!more) return NULL;
        r->at = more;
        r->room = room;
    }
    char *copy = strdup(name);
    if (!copy) return NULL;
    r->at[r->count] = (series){ .name = copy, .kind = kind };
    return &r->at[r->count++];
}

static bool append(series *s, double step, double value)
{
    if (s->count == s->room) {
        int64_t room = 2 * s->room + 64;
        double *steps = realloc(s->step, (size_t)room * sizeof *steps);
        if (steps) s->step = steps;
        double *values = steps ? realloc(s->value, (size_t)room * sizeof *values) : NULL;
        if (values) s->value = values;
        if (!values) return false;
        s->room = room;
    }
    s->step[s->count] = step;
    s->value[s->count++] = value;
    return true;
}

/* Forgets what stands behind `step`, and gives the sum of it. */
static double cut(series *s, double step)
{
    double sum = 0;
    for (; s->count && s->step[s->count - 1] > step; --s->count)
        if (isfinite(s->value[s->count - 1])) sum += s->value[s->count - 1];
    return sum;
}

static bool no_memory(const record *r, error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for the figures of run '%s'", r->folder);
}

/* ---- A line ---- */

static bool add_usage(record *r, double step, const json_t *list)
{
    if (r->usage_count == r->usage_room) {
        int64_t room = 2 * r->usage_room + 16;
        record_usage *more = realloc(r->usage, (size_t)room * sizeof *more);
        if (!more) return false;
        r->usage = more;
        r->usage_room = room;
    }
    record_usage u = { .step = step };
    for (size_t i = 0; i < json_array_size(list) && u.count < RECORD_USAGE_MOST; ++i)
        u.of[u.count++] = fmax(0, json_number_value(json_array_get(list, i)));
    r->usage[r->usage_count++] = u;
    return true;
}

static bool add_figures(record *r, record_kind kind, double step, json_t *line)
{
    const char *key;
    json_t *value;
    json_object_foreach(line, key, value)
    {
        if (strcmp(key, "step") == 0 || strcmp(key, "kind") == 0) continue;
        if (strcmp(key, "code_usage") == 0 && json_is_array(value)) {
            if (!add_usage(r, step, value)) return false;
            continue;
        }
        if (!json_is_number(value) && !json_is_null(value)) continue;
        if (kind == RECORD_VALIDATION && !*r->criterion)
            snprintf(r->criterion, sizeof r->criterion, "%s", key);
        series *s = need_series(r, kind, key);
        if (!s || !append(s, step, json_is_null(value) ? NAN : json_number_value(value))) return false;
    }
    return true;
}

static void copy_text(char *to, size_t room, const json_t *from)
{
    const char *text = json_string_value(from);
    snprintf(to, room, "%s", text ? text : "");
}

/* The parts of an earlier process's steps that this one does again are lost. */
static void start_process(record *r, double step, const json_t *line)
{
    for (int i = 0; i < r->count; ++i) {
        series *s = &r->at[i];
        if (s->kind != RECORD_TIME) continue;
        double gone = cut(s, step);
        if (strcmp(s->name, "seconds") == 0) r->lost += gone;
    }
    if (r->processes++ == 0) copy_text(r->began, sizeof r->began, json_object_get(line, "time"));
    copy_text(r->host, sizeof r->host, json_object_get(line, "host"));
    r->pid = json_integer_value(json_object_get(line, "pid"));
    *r->why = *r->ended = '\0';
}

static void end_process(record *r, const json_t *line)
{
    copy_text(r->why, sizeof r->why, json_object_get(line, "why"));
    copy_text(r->ended, sizeof r->ended, json_object_get(line, "time"));
}

/* Kinds of line that are not known are of a newer program. */
static bool take_line(record *r, json_t *line)
{
    double step = json_number_value(json_object_get(line, "step"));
    const char *kind = json_string_value(json_object_get(line, "kind"));
    if (kind && strcmp(kind, "start") == 0) {
        start_process(r, step, line);
    } else if (kind && strcmp(kind, "end") == 0) {
        end_process(r, line);
    } else if (kind && strcmp(kind, "time") == 0) {
        return add_figures(r, RECORD_TIME, step, line);
    } else if (kind && strcmp(kind, "eval") == 0) {
        return add_figures(r, RECORD_VALIDATION, step, line);
    } else if (!kind) {
        if ((int64_t)step > r->step) r->step = (int64_t)step;
        if (json_is_true(json_object_get(line, "skipped"))) ++r->skipped_steps;
        return add_figures(r, RECORD_TRAIN, step, line);
    }
    return true;
}

static bool read_lines(record *r, record_file *f, const char *text, size_t size, size_t *done, error *err)
{
    const char *line = text, *end;
    while ((end = memchr(line, '\n', size - (size_t)(line - text))) != NULL) {
        json_tree_problem problem;
        json_t *object = json_tree_read(line, (size_t)(end - line), true, &problem);
        bool memory = !object && problem.memory,
             good = object && json_is_number(json_object_get(object, "step"));
        ++f->lines;
        if (!good && !f->broken++) f->first_broken = f->lines;
        if (good && !take_line(r, object)) memory = true;
        json_decref(object);
        if (memory) return no_memory(r, err);
        line = end + 1;
    }
    *done = (size_t)(line - text);
    return true;
}

/* ---- The files ---- */

static void forget_figures(record *r)
{
    for (int i = 0; i < r->count; ++i) {
        free(r->at[i].name);
        free(r->at[i].step);
        free(r->at[i].value);
    }
    r->count = 0;
    r->usage_count = r->step = r->skipped_steps = r->processes = 0;
    r->lost = 0;
    *r->criterion = '\0';
    record_file *const files[] = { &r->metrics, &r->times };
    for (int i = 0; i < 2; ++i) *files[i] = (record_file){ .path = files[i]->path };
}

/* The size, -1 where there is no file. */
static off_t size_of(const record_file *f)
{
    struct stat s;
    return stat(f->path, &s) == 0 ? s.st_size : -1;
}

static bool read_bytes(const record_file *f, int file, char *bytes, size_t size, size_t *got, error *err)
{
    for (*got = 0; *got < size;) {
        ssize_t count = pread(file, bytes + *got, size - *got, f->read + (off_t)*got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_set(err, ERROR_IO, "cannot read '%s': %s", f->path, strerror(errno));
        if (count == 0) break;
        *got += (size_t)count;
    }
    return true;
}

/* Reads what the file has more than was read, whole lines; in pieces, for it may be large. */
static bool read_more(record *r, record_file *f, bool *news, error *err)
{
    enum { PIECE = 1 << 20 };
    int file = open(f->path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) return true;
    if (file < 0) return error_set(err, ERROR_IO, "cannot read '%s': %s", f->path, strerror(errno));
    f->there = true;
    char *bytes = malloc(PIECE);
    bool ok = bytes ? true : no_memory(r, err), more = true;
    while (ok && more) {
        size_t got, done = 0;
        ok = read_bytes(f, file, bytes, PIECE, &got, err) && read_lines(r, f, bytes, got, &done, err);
        if (ok && done == 0 && got == PIECE)
            ok = error_set(err, ERROR_FORMAT,
                           "%s:%lld: a line longer than %d bytes: this is no file of metrics", f->path,
                           (long long)f->lines + 1, PIECE);
        f->read += (off_t)done;
        more = got == PIECE;
        *news |= done > 0;
    }
    free(bytes);
    close(file);
    return ok;
}

static void sum_parts(record *r)
{
    static const char *const keys[] = {
#define RECORD_KEY(name, key) #key,
        TIMES_PARTS(RECORD_KEY)
#undef RECORD_KEY
    };
    for (int i = 0; i < TIMES_COUNT; ++i) {
        const series *s = record_find(r, RECORD_TIME, keys[i]);
        r->part[i] = 0;
        for (int64_t j = 0; s && j < s->count; ++j)
            if (isfinite(s->value[j])) r->part[i] += s->value[j];
    }
}

bool record_update(record *r, bool *news, error *err)
{
    *news = false;
    /* A run that was resumed has cut its file. */
    if (size_of(&r->metrics) < r->metrics.read || size_of(&r->times) < r->times.read) {
        forget_figures(r);
        *news = true;
    }
    if (!read_more(r, &r->metrics, news, err) || !read_more(r, &r->times, news, err)) return false;
    sum_parts(r);
    const series *skipped = record_find(r, RECORD_TIME, "skipped_pictures");
    if (skipped && skipped->count) r->skipped_pictures = (int64_t)fmax(0, series_last(skipped));
    record_state before = r->state;
    record_look(r);
    *news |= before != r->state;
    return !*news || record_list_samples(r, err);
}

bool record_open(record *r, const char *folder, error *err)
{
    *r = (record){ .folder = folder };
    r->metrics.path = file_join(folder, "metrics.jsonl");
    r->times.path = file_join(folder, "times.jsonl");
    bool news, ok = r->metrics.path && r->times.path ? true : no_memory(r, err);
    ok = ok && record_read_folder(r, err) && record_update(r, &news, err);
    if (!ok) record_close(r);
    return ok;
}

void record_close(record *r)
{
    forget_figures(r);
    record_forget_samples(r);
    json_decref(r->info);
    free(r->config);
    free(r->problem);
    free(r->usage);
    free(r->at);
    free(r->metrics.path);
    free(r->times.path);
    *r = (record){ 0 };
}

/* ---- What is asked of it ---- */

double record_seconds(const record *r)
{
    double all = 0;
    for (int i = 0; i < TIMES_COUNT; ++i) all += r->part[i];
    return all;
}

bool record_best(const record *r, double *value, double *step)
{
    const series *s = *r->criterion ? record_find(r, RECORD_VALIDATION, r->criterion) : NULL;
    int64_t best = -1;
    for (int64_t i = 0; s && i < s->count; ++i)
        if (isfinite(s->value[i]) && (best < 0 || s->value[i] < s->value[best])) best = i;
    if (best < 0) return false;
    *value = s->value[best];
    *step = s->step[best];
    return true;
}
