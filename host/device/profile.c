/* profile.c -- milliseconds by label, as the backend times launches, and a table of them.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/device/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    char *label;
    int64_t launches;
    double milliseconds;
} row;

struct profile {
    row *rows;
    int count, capacity;
    double milliseconds;
};

void profile_destroy(profile *p)
{
    if (!p) return;
    for (int i = 0; i < p->count; ++i) free(p->rows[i].label);
    free(p->rows);
    free(p);
}

/* Timing must not make a run fail: without memory for a new row its time goes into the total only. */
void profile_add(profile *p, const char *label, double milliseconds)
{
    p->milliseconds += milliseconds;
    int i = 0;
    while (i < p->count && strcmp(p->rows[i].label, label) != 0) ++i;
    if (i == p->count) {
        if (p->count == p->capacity) {
            int capacity = p->capacity ? 2 * p->capacity : 64;
            row *rows = realloc(p->rows, (size_t)capacity * sizeof *rows);
            if (!rows) return;
            p->rows = rows;
            p->capacity = capacity;
        }
        p->rows[i] = (row){ .label = strdup(label) };
        if (!p->rows[i].label) return;
        ++p->count;
    }
    p->rows[i].launches += 1;
    p->rows[i].milliseconds += milliseconds;
}

static bool timing(device *d, bool on, error *err)
{
    return !d->backend->timing || d->backend->timing(d, on, err);
}

bool device_profile_start(device *d, error *err)
{
    profile *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for a profile");
    if (!timing(d, true, err)) {
        free(p);
        return false;
    }
    profile_destroy(d->profile);
    d->profile = p;
    return true;
}

static int slower(const void *a, const void *b)
{
    double x = ((const row *)a)->milliseconds, y = ((const row *)b)->milliseconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

char *device_profile_report(device *d, error *err)
{
    CHECK(d->profile, "a profile report without device_profile_start");
    profile *p = d->profile;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return error_null(err, ERROR_MEMORY, "out of memory for a profile's table");
    if (p->count > 0) qsort(p->rows, (size_t)p->count, sizeof *p->rows, slower);
    int width = 5;
    for (int i = 0; i < p->count; ++i) {
        int length = (int)strlen(p->rows[i].label);
        if (length > width) width = length;
    }
    fprintf(out, "%-*s %9s %11s %7s\n", width, "label", "launches", "ms", "share");
    int64_t launches = 0;
    for (int i = 0; i < p->count; ++i) {
        const row *r = &p->rows[i];
        launches += r->launches;
        fprintf(out, "%-*s %9lld %11.3f %6.1f%%\n", width, r->label, (long long)r->launches, r->milliseconds,
                p->milliseconds > 0 ? 100 * r->milliseconds / p->milliseconds : 0.0);
    }
    fprintf(out, "%-*s %9lld %11.3f %6.1f%%\n", width, "total", (long long)launches, p->milliseconds, 100.0);
    text = file_stream_text(out, &text);
    bool ok = text != NULL;
    profile_destroy(p);
    d->profile = NULL;
    if (ok)
        ok = timing(d, false, err);
    else
        error_set(err, ERROR_MEMORY, "out of memory for a profile's table");
    if (ok) return text;
    free(text);
    return NULL;
}
