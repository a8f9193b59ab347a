/* times.c -- see times.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/times.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/timing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A wait for figures that is shorter, or a small part of the one for the batch before, may be the reading's
 * own time, or that of a processor that others use, too. */
static const double WAITED = 0.001, PART = 0.1;

static const char *const keys[] = {
#define TIMES_KEY(name, key) #key,
    TIMES_PARTS(TIMES_KEY)
#undef TIMES_KEY
};

/* ---- The clock ---- */

void times_enter(times *t, times_part part)
{
    double now = timing_now();
    t->part[t->now] += now - t->at;
    t->at = now;
    t->now = part;
}

void times_begin(times *t, const times_feed *feed)
{
    times_enter(t, TIMES_DEVICE);
    t->began = t->at;
    t->waited = feed ? feed->waited : 0;
}

void times_begun(times *t, const times_feed *feed)
{
    times_enter(t, TIMES_DEVICE);
    double busy = 0;
    t->late = feed ? feed->waited - t->waited : 0;
    /* The device was at the step before for so long: never less than the shortest. */
    if (t->open) busy = fmax(0, t->handed[0] + t->shortest - t->began);
    t->idle = fmax(0, t->late - busy);
    t->handed[1] = t->handed[0];
    t->handed[0] = t->at;
    ++t->open;
}

void times_ended(times *t, double asked)
{
    times_enter(t, TIMES_DEVICE);
    double handed = t->handed[t->open > 1], took = t->at - fmax(handed, t->ended);
    double least = t->open > 1 ? fmax(WAITED, PART * t->late) : WAITED;
    if (t->at - asked > least) {
        if (t->open > 1) t->idle = 0; /* it was still being computed when the next batch had come */
        if (t->shortest == 0 || took < t->shortest) t->shortest = took;
    }
    t->ended = t->at;
    t->part[TIMES_DEVICE] -= t->idle;
    t->part[TIMES_DATA] += t->idle;
    t->idle = 0;
    --t->open;
    ++t->steps;
}

static double sum(const double part[TIMES_COUNT])
{
    double all = 0;
    for (int i = 0; i < TIMES_COUNT; ++i) all += part[i];
    return all;
}

double times_share(const times *t)
{
    double all = sum(t->part);
    return all > 0 ? t->part[TIMES_DATA] / all : 0;
}

double times_rate(const times *t)
{
    double all = sum(t->part);
    return all > 0 ? (double)t->steps / all : 0;
}

/* ---- The file ---- */

/* A line that was not finished is no line: what follows must not become part of it. */
static bool end_line(times *t, error *err)
{
    char last = '\n';
    off_t size = lseek(t->file, 0, SEEK_END);
    bool ok = size <= 0 ||
              (pread(t->file, &last, 1, size - 1) == 1 && (last == '\n' || write(t->file, "\n", 1) == 1));
    return ok || error_set(err, ERROR_IO, "cannot go on with '%s': %s", t->path, strerror(errno));
}

bool times_open(times *t, const char *folder, error *err)
{
    *t = (times){ .at = timing_now(), .now = TIMES_OTHER, .file = -1 };
    t->path = file_join(folder, "times.jsonl");
    if (!t->path) return error_set(err, ERROR_MEMORY, "out of memory for the paths of run '%s'", folder);
    t->file = open(t->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (t->file < 0) return error_set(err, ERROR_IO, "cannot write '%s': %s", t->path, strerror(errno));
    return end_line(t, err);
}

void times_close(times *t)
{
    if (t->path && t->file >= 0) close(t->file);
    free(t->path);
    *t = (times){ .file = -1 };
}

static bool put(const times *t, const char *text, size_t length, error *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t count = write(t->file, text + done, length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_set(err, ERROR_IO, "cannot write '%s': %s", t->path, strerror(errno));
        done += (size_t)count;
    }
    return true;
}

/* "2026-11-27T20:41:30Z" */
static void clock_text(char text[32])
{
    time_t now = time(NULL);
    struct tm parts;
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
}

static bool put_tree(const times *t, json_t *tree, error *err)
{
    char *text = json_tree_text(tree, JSON_COMPACT, t->path, err);
    if (!text) return false;
    size_t length = strlen(text);
    text[length] = '\n'; /* in the place of its end */
    bool ok = put(t, text, length + 1, err);
    free(text);
    return ok;
}

bool times_write_start(times *t, int64_t step, json_t *origin, error *err)
{
    char clock[32], host[80] = "";
    clock_text(clock);
    gethostname(host, sizeof host - 1);
    json_t *line =
        json_pack("{s:I, s:s, s:i, s:s, s:o, s:I}", "step", (json_int_t)step, "kind", "start", "format",
                  TIMES_FORMAT, "time", clock, "host", json_tree_string(host), "pid", (json_int_t)getpid());
    if (origin) json_tree_put(&line, "origin", json_incref(origin));
    return put_tree(t, line, err);
}

bool times_write(times *t, int64_t step, const times_feed *feed, error *err)
{
    times_enter(t, t->now);
    char text[600];
    double all = sum(t->part), rate = times_rate(t);
    int used = snprintf(text, sizeof text, "{\"step\":%lld,\"kind\":\"time\",\"steps\":%lld,\"seconds\":%.6f",
                        (long long)step, (long long)t->steps, all);
    for (int i = 0; i < TIMES_COUNT; ++i)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, ",\"%s\":%.6f", keys[i], fmax(0, t->part[i]));
    if (t->steps)
        used += snprintf(text + used, sizeof text - (size_t)used, ",\"steps_per_second\":%.6g", rate);
    if (t->steps && feed && feed->pictures)
        used += snprintf(text + used, sizeof text - (size_t)used, ",\"pictures_per_second\":%.6g",
                         rate * (double)feed->pictures);
    if (feed)
        used += snprintf(text + used, sizeof text - (size_t)used, ",\"skipped_pictures\":%lld",
                         (long long)feed->skipped);
    used += snprintf(text + used, sizeof text - (size_t)used, "}\n");
    for (int i = 0; i < TIMES_COUNT; ++i) t->part[i] = 0;
    t->steps = 0;
    return put(t, text, (size_t)used, err);
}

bool times_write_end(times *t, int64_t step, const char *why, error *err)
{
    char clock[32];
    clock_text(clock);
    return put_tree(
        t,
        json_pack("{s:I, s:s, s:s, s:s}", "step", (json_int_t)step, "kind", "end", "time", clock, "why", why),
        err);
}
