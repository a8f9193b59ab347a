/* run.c -- see run.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/run.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/train/rotate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool make_paths(run *r, const char *folder, error *err)
{
    *r = (run){ .folder = folder, .lock = -1, .lines = -1 };
    r->config = file_join(folder, "config.cfg");
    r->info = file_join(folder, "run.json");
    r->metrics = file_join(folder, "metrics.jsonl");
    r->checkpoint = file_join(folder, "checkpoint.safetensors");
    r->best = file_join(folder, "best.safetensors");
    r->samples = file_join(folder, "samples");
    if (r->config && r->info && r->metrics && r->checkpoint && r->best && r->samples) return true;
    return error_set(err, ERROR_MEMORY, "out of memory for the paths of run '%s'", folder);
}

static bool lock_folder(run *r, error *err)
{
    r->lock = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->lock < 0)
        return error_set(err, ERROR_IO, "cannot open folder '%s': %s", r->folder, strerror(errno));
    /* File systems without locks are used without. */
    if (flock(r->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return error_set(err, ERROR_USAGE,
                         "another process is training in '%s'; wait for it or choose another --run",
                         r->folder);
    return true;
}

/* A killed process leaves the temporary files of what it was writing. */
static bool remove_leftovers(const char *folder, error *err)
{
    DIR *dir = opendir(folder);
    if (!dir && errno != ENOENT)
        return error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "could not look into '%s': %s",
                         folder, strerror(errno));
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (strstr(e->d_name, ".tmp-") && unlinkat(dirfd(dir), e->d_name, 0) != 0)
            unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
    if (dir) closedir(dir);
    return true;
}

/* JSON strings are UTF-8; drivers promise nothing. */
static json_t *plain_text(const char *text)
{
    char copy[128];
    size_t length = 0;
    for (; text[length] && length + 1 < sizeof copy; ++length)
        copy[length] = (unsigned char)text[length] < 0x80 ? text[length] : '?';
    return json_stringn(copy, length);
}

/* What a resumed run must agree with, besides its settings. */
static json_t *describe(const train_task *task, const train_options *options)
{
    const device_info *d = device_get_info(store_device(task->store));
    char kernels[65], tuning[65];
    if (!gemm_choices_hash(store_device(task->store), tuning, NULL)) return NULL;
    device_kernels_hash(kernels);
    json_t *hardware = json_pack("{s:o, s:o, s:o, s:o, s:i, s:i}", "name", plain_text(d->name), "platform",
                                 plain_text(d->runtime), "version", plain_text(d->version), "driver",
                                 plain_text(d->driver), "lanes", d->lanes, "vec", d->vec);
    json_t *info = json_pack("{s:i, s:s, s:s, s:o, s:s, s:s}", "format", 1, "kind", task->kind, "program",
                             DALLE_CL_VERSION, "device", hardware, "kernels", kernels, "tuning", tuning);
    if (info && options->provenance && json_object_set(info, "data", options->provenance) != 0) {
        json_decref(info);
        return NULL;
    }
    if (options->about) json_tree_put(&info, "about", json_incref(options->about));
    return info;
}

/* A growing list of differences for people, cut when the message is full. */
typedef struct differences {
    char text[700];
    int count;
    bool settled; /* others, which may be */
} differences;

static void differ(differences *d, const char *what, const char *before, const char *now)
{
    size_t used = strlen(d->text), room = sizeof d->text - used;
    const char *separator = d->count ? "; " : "";
    int length = snprintf(d->text + used, room, "%s%s was %s, is %s", separator, what, before, now);
    if (length >= (int)room) d->text[used] = '\0';
    ++d->count;
}

/* Of a hash its first digits: nobody compares more by eye. */
static void shorten_hash(char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length != 66 || strspn(text + 1, "0123456789abcdef") != 64) return;
    memcpy(text + 13, "...\"", 5);
}

static void compare_json(differences *d, const char *path, const json_t *before, const json_t *now)
{
    const char *key;
    const json_t *value;
    if (json_is_object(now)) {
        json_object_foreach((json_t *)now, key, value)
        {
            char deeper[256];
            snprintf(deeper, sizeof deeper, "%s%s%s", path, *path ? "." : "", key);
            if (*path || (strcmp(key, "program") != 0 && strcmp(key, "about") != 0))
                compare_json(d, deeper, json_object_get(before, key), value);
        }
        return;
    }
    if (before && json_equal(before, now)) return;
    char *old = before ? json_tree_text(json_incref((json_t *)(uintptr_t)before), JSON_ENCODE_ANY, path, NULL)
                       : NULL,
         *new = json_tree_text(json_incref((json_t *)(uintptr_t)now), JSON_ENCODE_ANY, path, NULL);
    shorten_hash(old);
    shorten_hash(new);
    bool content = strcmp(path, "data.pictures") == 0;
    differ(d, content ? "what the data holds, pictures or captions," : path,
           old      ? old
           : before ? "?"
                    : "not recorded",
           new ? new : "?");
    free(old);
    free(new);
}

static size_t line_length(const char *text)
{
    return strcspn(text, "\n");
}

/* The line of `text` that sets the same key as `line`, or NULL. */
static const char *same_key(const char *text, const char *line)
{
    size_t key = strcspn(line, "=\n");
    for (; *text; text += line_length(text), text += *text == '\n')
        if (strncmp(text, line, key) == 0 && text[key] == '=') return text;
    return NULL;
}

static bool same_line(const char *a, const char *b)
{
    return a && line_length(a) == line_length(b) && strncmp(a, b, line_length(b)) == 0;
}

/* Whether `key` is one of the names. */
static bool is_among(const char *const *names, const char *key)
{
    for (; names && *names; ++names)
        if (strcmp(*names, key) == 0) return true;
    return false;
}

/* A setting that the run does not know, because it is newer, had its default's value. */
static void compare_config(differences *d, const char *before, const train_options *options)
{
    const char *now = options->config_text, *defaults = options->config_defaults;
    for (const char *line = now; *line; line += line_length(line), line += *line == '\n') {
        size_t length = line_length(line), key = strcspn(line, "=\n");
        if (length == 0 || *line == '#' || line[key] != '=') continue;
        const char *old = same_key(before, line);
        if (same_line(old, line)) continue;
        if (!old && defaults && same_line(same_key(defaults, line), line)) continue;
        char name[128], was[160], is[160];
        size_t name_length = key;
        while (name_length && line[name_length - 1] == ' ') --name_length;
        snprintf(name, sizeof name, "%.*s", (int)name_length, line);
        if (is_among(options->may_change, name)) {
            d->settled = true;
            continue;
        }
        snprintf(is, sizeof is, "%.*s", (int)(length - key - 1), line + key + 1);
        if (old)
            snprintf(was, sizeof was, "%.*s", (int)(line_length(old) - key - 1), old + key + 1);
        else
            snprintf(was, sizeof was, "not set");
        differ(d, name, *was == ' ' ? was + 1 : was, *is == ' ' ? is + 1 : is);
    }
}

/* A run that began with another model's parameters has them in its checkpoints alone. */
static bool check_origin(const run *r, const json_t *before, error *err)
{
    const char *from = json_string_value(json_object_get(json_object_get(before, "data"), "init"));
    if (!from || !r->fresh) return true;
    return error_set(
        err, ERROR_USAGE,
        "run '%s' ended before its first checkpoint, and what it had from '%s' is gone; remove the "
        "folder and start the run again",
        r->folder, from);
}

static bool check_same(run *r, const json_t *now, const train_options *options, error *err)
{
    json_t *before = json_tree_open(r->info, err);
    if (!before && err->code == ERROR_FORMAT)
        return error_set(err, ERROR_FORMAT, "%s; --force goes on without comparing", err->message);
    if (!before) return false;
    if (!check_origin(r, before, err)) {
        json_decref(before);
        return false;
    }
    char *config = file_read(r->config, NULL, err);
    bool ok = config != NULL;
    differences d = { .count = 0 };
    if (ok) {
        compare_json(&d, "", before, now);
        compare_config(&d, config, options);
    }
    if (ok && d.count)
        ok = error_set(
            err, ERROR_USAGE,
            "run '%s' was made with something else: %s.  Restore %s, or add --force to go on all the same "
            "(the run is then no longer repeatable)",
            r->folder, d.text, d.count > 1 ? "these" : "it");
    json_decref(before);
    free(config);
    return ok &&
           (!d.settled || file_write(r->config, options->config_text, strlen(options->config_text), err));
}

static bool write_description(run *r, json_t *info, const train_options *options, error *err)
{
    char *text = json_tree_text(json_incref(info), JSON_INDENT(2), r->info, err);
    if (!text) return false;
    bool ok = file_make_folders(r->samples, err) &&
              file_write(r->config, options->config_text, strlen(options->config_text), err) &&
              file_write(r->info, text, strlen(text), err);
    free(text);
    return ok;
}

static bool is_there(const char *path, bool *there, error *err)
{
    file_kind kind;
    if (!file_look(path, &kind, err)) return false;
    *there = kind != FILE_ABSENT;
    return true;
}

static bool check_place(const run *r, bool resume, error *err)
{
    bool info, checkpoint;
    if (!is_there(r->info, &info, err) || !is_there(r->checkpoint, &checkpoint, err)) return false;
    bool exists = info || checkpoint;
    if (exists && !resume)
        return error_set(err, ERROR_USAGE,
                         "'%s' already holds a run; add --resume to go on with it, or choose another --run",
                         r->folder);
    if (!exists && resume)
        return error_set(
            err, ERROR_USAGE,
            "'%s' holds no run to resume (there is no run.json in it); leave out --resume to start one",
            r->folder);
    return file_check_folder(r->folder, err);
}

bool run_check(const char *folder, bool resume, error *err)
{
    run r;
    bool ok = make_paths(&r, folder, err) && check_place(&r, resume, err);
    run_close(&r);
    return ok;
}

bool run_open(run *r, const train_task *task, const train_options *options, error *err)
{
    if (!make_paths(r, options->folder, err)) return false;
    if (!check_place(r, options->resume, err)) return false;
    if (!file_make_folders(r->folder, err) || !lock_folder(r, err)) return false;
    if (!remove_leftovers(r->folder, err) || !remove_leftovers(r->samples, err)) return false;
    rotate_list saved;
    if (!rotate_find(r, &saved, err)) return false;
    r->fresh = saved.count == 0;
    rotate_free(&saved);
    json_t *info = describe(task, options);
    if (!info) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", r->info);
    bool ok = true;
    error different = { 0 };
    if (options->resume && !check_same(r, info, options, &different)) {
        /* What could not be compared for want of memory is not the same either, but another matter. */
        ok = options->force && different.code != ERROR_MEMORY;
        if (ok)
            log_warn("%s", different.message);
        else if (err)
            *err = different;
    }
    if (ok && (!options->resume || options->force)) ok = write_description(r, info, options, err);
    json_decref(info);
    return ok;
}

void run_close(run *r)
{
    if (r->lines >= 0) close(r->lines);
    if (r->lock >= 0) close(r->lock);
    free(r->config);
    free(r->info);
    free(r->metrics);
    free(r->checkpoint);
    free(r->best);
    free(r->samples);
    *r = (run){ .lock = -1, .lines = -1 };
}

/* ---- Metrics ---------------------------------------------------------------------------------- */

/* Bytes of whole lines that belong to the first `step` steps.  Only a line that is wrong ends them. */
static bool lines_until(const run *r, const char *text, int64_t step, size_t *keep, error *err)
{
    const char *line = text;
    json_tree_problem problem;
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *object = json_tree_read(line, (size_t)(end - line), true, &problem);
        if (!object && problem.memory)
            return error_set(err, ERROR_MEMORY, "out of memory for a line of '%s'", r->metrics);
        const json_t *at = json_object_get(object, "step");
        bool early = json_is_integer(at) && json_integer_value(at) <= step;
        json_decref(object);
        if (!early) break;
    }
    *keep = (size_t)(line - text);
    return true;
}

bool run_metrics_open(run *r, int64_t step, error *err)
{
    size_t keep = 0;
    bool there;
    if (!is_there(r->metrics, &there, err)) return false;
    if (there) {
        char *text = file_read(r->metrics, NULL, err);
        if (!text) return false;
        bool read = lines_until(r, text, step, &keep, err);
        free(text);
        if (!read) return false;
    }
    r->lines = open(r->metrics, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (r->lines < 0 || ftruncate(r->lines, (off_t)keep) != 0)
        return error_set(err, ERROR_IO, "cannot write '%s': %s", r->metrics, strerror(errno));
    return true;
}

bool run_metrics_write(run *r, const char *line, error *err)
{
    size_t length = strlen(line);
    for (size_t done = 0; done < length;) {
        ssize_t count = write(r->lines, line + done, length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_set(err, ERROR_IO, "cannot write '%s': %s", r->metrics, strerror(errno));
        done += (size_t)count;
    }
    return true;
}

bool run_metrics_sync(run *r, error *err)
{
    /* EINVAL: the place cannot be flushed (a pipe). */
    if (fsync(r->lines) == 0 || errno == EINVAL || errno == EROFS) return true;
    return error_set(err, ERROR_IO, "cannot write '%s': %s", r->metrics, strerror(errno));
}

char *run_metrics_line(const char *kind, int64_t step, const train_metrics *m)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "{\"step\":%lld", (long long)step);
    if (kind) fprintf(out, ",\"kind\":\"%s\"", kind);
    for (int i = 0; i < m->count; ++i) {
        fprintf(out, ",\"%s\":", m->at[i].name);
        if (isfinite(m->at[i].value))
            fprintf(out, "%.9g", m->at[i].value);
        else
            fputs("null", out);
    }
    for (int i = 0; i < m->listed; ++i) {
        if (i == 0) fprintf(out, ",\"%s\":", m->list);
        fprintf(out, "%c%.9g%s", i ? ',' : '[', m->values[i], i + 1 == m->listed ? "]" : "");
    }
    if (!m->finite) fputs(",\"skipped\":true", out);
    fputs("}\n", out);
    return file_stream_text(out, &text);
}
