/* request.c -- see request.h.
 * SPDX-License-Identifier: MIT */
#include "models/request.h"

#include "data/dataset_paths.h"
#include "host/base/embedded.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "models/kinds.h"
#include "models/training.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The folder of a kind's presets: that of "diffusion-prior" is "diffusion_prior/presets/". */
static size_t preset_folder(const char *kind, char folder[64])
{
    size_t length = (size_t)snprintf(folder, 64, "%s/presets/", kind);
    for (char *c = folder; (c = strchr(c, '-')) != NULL;) *c = '_';
    return length;
}

/* "dvae/presets/emoji.cfg" -> the 5 of "emoji", or 0 if the file is no preset of `kind`. */
static size_t preset_name_length(const embedded_file *f, const char *kind, const char **name)
{
    char start[64];
    size_t lead = preset_folder(kind, start), size = strlen(f->name);
    if (strncmp(f->name, start, lead) != 0 || size < lead + 5 || strcmp(f->name + size - 4, ".cfg") != 0)
        return 0;
    *name = f->name + lead;
    return size - lead - 4;
}

const char **preset_names(const char *kind)
{
    int count = 0;
    size_t bytes = 0, length;
    const char *name;
    for (const embedded_file *const *f = embedded_files; *f; ++f)
        if ((length = preset_name_length(*f, kind, &name))) {
            ++count;
            bytes += length + 1;
        }
    const char **names = malloc(((size_t)count + 1) * sizeof *names + bytes);
    if (!names) return NULL;
    char *text = (char *)(names + count + 1);
    int at = 0;
    for (const embedded_file *const *f = embedded_files; *f; ++f)
        if ((length = preset_name_length(*f, kind, &name))) {
            memcpy(text, name, length);
            text[length] = 0;
            names[at++] = text;
            text += length + 1;
        }
    names[at] = NULL;
    return names;
}

static bool unknown_preset(const char *kind, const char *name, error *err)
{
    const char **names = preset_names(kind);
    char list[512] = "";
    int count = 0;
    for (; names && names[count]; ++count)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", count ? ", " : "", names[count]);
    const char *near = names ? config_nearest(name, names, count) : NULL;
    if (near)
        error_set(err, ERROR_USAGE,
                  "unknown %s preset '%s'; did you mean '%s'? There are %s, or name a .cfg file", kind, name,
                  near, list);
    else
        error_set(err, ERROR_USAGE, "unknown %s preset '%s'; there are %s, or name a .cfg file", kind, name,
                  list);
    free(names);
    return false;
}

bool preset_read(const config_table *table, const char *name, void *config, error *err)
{
    char folder[64], embedded[256];
    preset_folder(table->name, folder);
    snprintf(embedded, sizeof embedded, "%s%s.cfg", folder, name);
    const embedded_file *f = embedded_find(embedded);
    if (f) return config_parse(table, config, (const char *)f->bytes, embedded, err);
    size_t length = strlen(name);
    bool path = strchr(name, '/') || (length > 4 && strcmp(name + length - 4, ".cfg") == 0);
    if (!path) return unknown_preset(table->name, name, err);
    return config_read(table, config, name, err);
}

const char *request_part(const train_request *r, const model_kind *kind)
{
    for (int i = 0; i < TRAIN_PARTS; ++i)
        if (r->parts[i].kind == kind) return r->parts[i].folder;
    return NULL;
}

static bool read_run_config(const train_request *r, const config_table *table, void *config, error *err)
{
    char *path = file_join(r->run, "config.cfg");
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", r->run);
    file_kind kind;
    if (!file_look(path, &kind, err) ||
        (kind == FILE_ABSENT &&
         !error_set(err, ERROR_USAGE, "'%s' holds no run to resume: there is no '%s'", r->run, path))) {
        free(path);
        return false;
    }
    bool ok = config_read(table, config, path, err);
    free(path);
    return ok;
}

/* Every kind's settings hold those of training. */
static void give_ranks(const train_request *r, const config_table *table, void *config)
{
    const config_field *f = config_find(table, "batch");
    if (f)
        ((training_config *)((char *)config + f->offset - offsetof(training_config, batch)))->comm = r->comm;
}

bool request_config(const train_request *r, const config_table *table, void *config, error *err)
{
    config_defaults(table, config);
    if (r->comm) give_ranks(r, table, config);
    if (r->resume && !r->preset) {
        if (!read_run_config(r, table, config, err)) return false;
    } else {
        const char *preset = r->preset ? r->preset : r->init ? "small" : NULL;
        if (preset && !preset_read(table, preset, config, err)) return false;
    }
    for (int i = 0; i < r->set_count; ++i)
        if (!config_assign(table, config, r->sets[i], "--set", err)) return false;
    if (r->seed < 0) return true;
    char seed[64];
    snprintf(seed, sizeof seed, "seed=%lld", (long long)r->seed);
    return config_assign(table, config, seed, "--seed", err);
}

static bool is_set(const train_request *r, const char *key)
{
    size_t length = strlen(key);
    for (int i = 0; i < r->set_count; ++i) {
        const char *at = r->sets[i] + strspn(r->sets[i], " ");
        if (strncmp(at, key, length) == 0 && at[length + strspn(at + length, " ")] == '=') return true;
    }
    return false;
}

/* One setting from the model `from`; what a named preset had instead is added to `list`. */
static bool take_size(const train_request *r, const config_field *f, bool yields, void *config,
                      const void *from, FILE *list, error *err)
{
    bool set = is_set(r, f->key);
    if (config_same(f, config, from) || (set && yields)) return true;
    char *is = config_value(f, from), *was = config_value(f, config);
    bool ok = is && was ? true : error_set(err, ERROR_MEMORY, "out of memory for the sizes of '%s'", r->init);
    if (ok && set)
        ok = error_set(err, ERROR_USAGE,
                       "'%s' has %s = %s: a run that starts from it cannot have %s; leave out --set %s",
                       r->init, f->key, is, was, f->key);
    else if (ok && r->preset && strcmp(was, "0") != 0)
        fprintf(list, "%s%s = %s (not %s)", ftell(list) > 0 ? ", " : "", f->key, is, was);
    if (ok) config_copy(f, config, from);
    free(is);
    free(was);
    return ok;
}

bool request_take_sizes(const train_request *r, const config_table *table, const char *const *sizes,
                        void *config, error *err)
{
    if (!r->init || r->resume) return true;
    part_files files;
    if (!part_files_find_like(r->init, kinds_find(table->name), config, &files, err)) return false;
    char *differences = NULL;
    void *from = calloc(1, table->size);
    size_t size;
    FILE *list = open_memstream(&differences, &size);
    bool ok = from && list, yields = false;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for the sizes of '%s'", r->init);
    if (ok) config_defaults(table, from);
    ok = ok && config_read(table, from, files.config, err);
    for (; ok && *sizes; ++sizes) {
        if (!**sizes)
            yields = true;
        else
            ok = take_size(r, config_find(table, *sizes), yields, config, from, list, err);
    }
    bool listed = list && !ferror(list);
    listed = list && fclose(list) == 0 && listed && differences;
    if (ok && !listed) ok = error_set(err, ERROR_MEMORY, "out of memory for the sizes of '%s'", r->init);
    if (ok && *differences) log_info("sizes are those of '%s': %s", r->init, differences);
    free(differences);
    free(from);
    part_files_free(&files);
    return ok;
}

char *request_config_text(const config_table *table, const void *config, error *err)
{
    char *text = config_format(table, config);
    return text ? text
                : error_null(err, ERROR_MEMORY, "out of memory for the settings of the %s", table->name);
}

char *request_path(const train_request *r, const char *key, const char *given, const char *option, error *err)
{
    char full[PATH_MAX];
    if (given) {
        /* The run may be resumed from another folder. */
        char *found = realpath(given, full), *kept;
        kept =
            found || strcmp(key, "data") != 0 ? strdup(found ? found : given) : dataset_paths_absolute(given);
        if (!kept) error_set(err, ERROR_MEMORY, "out of memory for the path '%s'", given);
        return kept;
    }
    if (!r->resume) return error_null(err, ERROR_USAGE, "%s is missing: training needs it", option);
    char *path = file_join(r->run, "run.json");
    if (!path) return error_null(err, ERROR_MEMORY, "out of memory for a path in '%s'", r->run);
    json_t *info = json_tree_open(path, err);
    const char *recorded = json_string_value(json_object_get(json_object_get(info, "data"), key));
    char *kept = recorded ? strdup(recorded) : NULL;
    if (recorded && !kept)
        error_set(err, ERROR_MEMORY, "out of memory for the path '%s'", recorded);
    else if (info && !kept)
        error_set(err, ERROR_FORMAT, "'%s' does not say which %s the run used; name it with %s", path, key,
                  option);
    json_decref(info);
    free(path);
    return kept;
}

bool request_note_origin(const train_request *r, json_t *provenance, error *err)
{
    if (!r->init || r->resume) return true;
    return json_object_set_new(provenance, "init", json_tree_string(r->init)) == 0 ||
           error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
}

train_options request_options(const train_request *r, const char *config_text, json_t *provenance)
{
    return (train_options){ .comm = r->comm,
                            .folder = r->run,
                            .resume = r->resume,
                            .force = r->force,
                            .config_text = config_text,
                            .provenance = provenance,
                            .minutes = r->minutes,
                            .quiet = r->quiet,
                            .json = r->json,
                            .tensorboard = r->tensorboard,
                            .interrupted = r->interrupted,
                            .reached = r->reached };
}

double ema_decay_at(double ema, int64_t step)
{
    double rising = (double)step / ((double)step + 10.0);
    return rising < ema ? rising : ema;
}

bool request_train(const train_request *r, device *d, const train_task *task, const train_options *options,
                   error *err)
{
    if (!r->profile || comm_rank(r->comm)) return train_run(task, options, err);
    if (!device_profile_start(d, err)) return false;
    bool ok = train_run(task, options, err);
    char *table = device_profile_report(d, NULL);
    if (table) fprintf(stderr, "%s", table);
    free(table);
    return ok;
}

bool request_hash_file(const char *path, char hex[65], error *err)
{
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    hash h;
    hash_start(&h);
    hash_bytes(&h, bytes, size);
    hash_finish(&h, hex);
    free(bytes);
    return true;
}
