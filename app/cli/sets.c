/* sets.c -- see sets.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/sets.h"

#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/base/timing.h"
#include "host/train/progress.h"

#include <stdlib.h>
#include <string.h>

const char **sets_paths(const cli_call *call, error *err)
{
    int count = cli_argument_count(call);
    const char **paths = malloc((size_t)count * sizeof *paths);
    if (!paths) return error_null(err, ERROR_MEMORY, "out of memory for %d paths", count);
    for (int i = 0; i < count; ++i) paths[i] = cli_argument(call, i);
    return paths;
}

char *sets_lines(const cli_call *call, error *err)
{
    size_t size = 1;
    int count = cli_argument_count(call);
    for (int i = 0; i < count; ++i) size += strlen(cli_argument(call, i)) + 1;
    char *lines = calloc(1, size);
    if (!lines) return error_null(err, ERROR_MEMORY, "out of memory for %d paths", count);
    for (int i = 0; i < count; ++i) {
        if (i) strcat(lines, "\n");
        strcat(lines, cli_argument(call, i));
    }
    return lines;
}

dataset *sets_open(const cli_call *call, bool need_captions, error *err)
{
    const char **paths = sets_paths(call, err);
    dataset *d = paths ? dataset_paths_open(paths, cli_argument_count(call), need_captions, err) : NULL;
    free(paths);
    return d;
}

sets_meter sets_meter_start(const char *what, const char *unit)
{
    return (sets_meter){ what, unit, timing_now() };
}

void sets_meter_show(const sets_meter *m, int64_t count, int64_t done, int64_t all, const char *more)
{
    char number[32], left[32] = "?";
    double spent = timing_now() - m->began;
    cli_grouped(count, number);
    if (done > 0 && all >= done) progress_duration(spent / (double)done * (double)(all - done), left);
    log_progress("%s: %s %s, %.0f/s%s, %s left", m->what, number, m->unit,
                 spent > 0 ? (double)count / spent : 0.0, more, left);
}

void sets_meter_tell(void *meter, int64_t done, int64_t all)
{
    sets_meter_show(meter, done, done, all, "");
}

void sets_bytes(int64_t bytes, char text[32])
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
    snprintf(text, 32, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

bool sets_print(json_t *tree, size_t flags, error *err)
{
    char *text = json_tree_text(tree, flags, "the results as JSON", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}
