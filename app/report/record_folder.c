/* record_folder.c -- see record.h: run.json, config.cfg, samples, and whether a process is at it.
 * SPDX-License-Identifier: MIT */
#include "app/report/record.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool no_memory(const record *r, error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for what is in run '%s'", r->folder);
}

/* Notes what cannot be read: the rest still can. */
static bool note(record *r, const error *what, error *err)
{
    if (what->code == ERROR_MEMORY) {
        *err = *what;
        return false;
    }
    if (!r->problem && !(r->problem = strdup(what->message))) return no_memory(r, err);
    return true;
}

const char *record_model(const record *r)
{
    const char *kind = json_string_value(json_object_get(r->info, "kind"));
    return kind ? kind : "?";
}

/* Behind "KEY = " in a line of its own. */
const char *record_setting(const record *r, const char *key, int *length)
{
    size_t name = strlen(key);
    *length = 0;
    for (const char *line = r->config; line && *line;) {
        size_t all = strcspn(line, "\n"), at = name;
        if (strncmp(line, key, name) == 0) {
            at += strspn(line + at, " ");
            if (line[at] == '=') {
                at += 1 + strspn(line + at + 1, " ");
                *length = at < all ? (int)(all - at) : 0;
                return line + (at < all ? at : all);
            }
        }
        line += all + (line[all] == '\n');
    }
    return NULL;
}

static bool read_info(record *r, error *err)
{
    error problem = { 0 };
    char *path = file_join(r->folder, "run.json");
    if (!path) return no_memory(r, err);
    r->info = json_tree_open(path, &problem);
    free(path);
    return r->info || note(r, &problem, err);
}

static bool read_config(record *r, error *err)
{
    error problem = { 0 };
    char *path = file_join(r->folder, "config.cfg");
    if (!path) return no_memory(r, err);
    r->config = file_read(path, NULL, &problem);
    free(path);
    if (!r->config) return note(r, &problem, err);
    int length;
    const char *steps = record_setting(r, "steps", &length);
    if (steps) r->steps = strtoll(steps, NULL, 10);
    return true;
}

bool record_read_folder(record *r, error *err)
{
    if (!file_is_folder(r->folder))
        return error_set(err, ERROR_USAGE, "'%s' is no folder; name a run's, as --run did", r->folder);
    if (!read_info(r, err) || !read_config(r, err)) return false;
    if (r->info || r->config || file_exists(r->metrics.path)) return true;
    return error_set(err, ERROR_USAGE, "'%s' holds no run: there is neither run.json nor metrics.jsonl",
                     r->folder);
}

/* ---- Samples ---- */

void record_forget_samples(record *r)
{
    for (int64_t i = 0; i < r->sample_count; ++i) free(r->samples[i].path);
    free(r->samples);
    r->samples = NULL;
    r->sample_count = 0;
}

/* "step-000500.png" */
static int64_t step_of(const char *name)
{
    if (strncmp(name, "step-", 5) != 0) return -1;
    char *end;
    int64_t step = strtoll(name + 5, &end, 10);
    return end > name + 5 && strcmp(end, ".png") == 0 ? step : -1;
}

static bool add_sample(record *r, const char *folder, const char *name)
{
    struct stat s;
    record_sample *more = realloc(r->samples, (size_t)(r->sample_count + 1) * sizeof *more);
    if (!more) return false;
    r->samples = more;
    char *path = file_join(folder, name);
    if (!path) return false;
    r->samples[r->sample_count++] =
        (record_sample){ step_of(name), path, stat(path, &s) == 0 ? (int64_t)s.st_size : 0 };
    return true;
}

static int by_step(const void *a, const void *b)
{
    const record_sample *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

bool record_list_samples(record *r, error *err)
{
    record_forget_samples(r);
    char *folder = file_join(r->folder, "samples");
    DIR *dir = folder ? opendir(folder) : NULL;
    bool ok = folder && (dir || errno != ENOMEM); /* a run may have none */
    for (struct dirent *e; ok && dir && (e = readdir(dir)) != NULL;)
        if (step_of(e->d_name) >= 0) ok = add_sample(r, folder, e->d_name);
    if (dir) closedir(dir);
    free(folder);
    if (!ok) return no_memory(r, err);
    if (r->sample_count) qsort(r->samples, (size_t)r->sample_count, sizeof *r->samples, by_step);
    return true;
}

/* ---- Its process ---- */

void record_look(record *r)
{
    char here[sizeof r->host] = "";
    gethostname(here, sizeof here - 1);
    bool same = *r->host && strcmp(here, r->host) == 0 && r->pid > 0;
    if (*r->why)
        r->state = RECORD_ENDED;
    else if (!r->processes || !same)
        r->state = RECORD_UNKNOWN;
    else
        r->state = kill((pid_t)r->pid, 0) == 0 || errno != ESRCH ? RECORD_RUNNING : RECORD_INTERRUPTED;
}
