/* parts.c -- finds and opens trained parts; see parts.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "data/safetensors.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Finding ---- */

/* *path = the file's, to be freed, or NULL if the folder has none of this name. */
static bool find_file(const char *folder, const char *name, char **path, error *err)
{
    *path = file_join(folder, name);
    if (!*path)
        return error_set(err, ERROR_MEMORY, "out of memory for the path of '%s' in '%s'", name, folder);
    file_kind kind;
    bool ok = file_look(*path, &kind, err);
    if (ok && kind != FILE_ABSENT) return true;
    free(*path);
    *path = NULL;
    return ok;
}

void part_files_free(part_files *f)
{
    free(f->config);
    free(f->weights);
    for (int i = 0; i < PART_FURTHER; ++i) free(f->further[i]);
    *f = (part_files){ 0 };
}

/* A run's folder says in run.json what it trains; one that is no JSON is no run's. */
static bool is_run_of(const char *folder, const model_kind *k, bool *is, error *err)
{
    *is = false;
    char *path;
    error problem = { 0 };
    if (!find_file(folder, "run.json", &path, err)) return false;
    json_t *info = path ? json_tree_open(path, &problem) : NULL;
    const char *kind = json_string_value(json_object_get(info, "kind"));
    *is = kind && strcmp(kind, k->name) == 0;
    json_decref(info);
    free(path);
    if (problem.code == ERROR_NONE || problem.code == ERROR_FORMAT) return true;
    if (err) *err = problem;
    return false;
}

/* The folder that a checkpoint's path names, to be freed.  NULL without an error: it ends otherwise. */
static char *folder_of(const char *path, error *err)
{
    const char *name = strrchr(path, '/'), *end = strrchr(path, '.');
    if (!end || (name && end < name) || strcmp(end, ".safetensors") != 0) return NULL;
    char *folder = name ? strndup(path, (size_t)(name - path)) : strdup(".");
    if (!folder) error_set(err, ERROR_MEMORY, "out of memory for the folder of '%s'", path);
    return folder;
}

static bool find_in_folder(const char *folder, const model_kind *k, int number, part_files *out, error *err);

/* Which of its kind a packed model's file is by its name, or -1. */
static int packed_number(const char *path, const model_kind *k)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    char name[PART_NAME];
    for (int n = 0; n < kinds_most(k); ++n) {
        const size_t length = strlen(part_name(k, n, name));
        if (strncmp(file, name, length) == 0 && strcmp(file + length, ".safetensors") == 0) return n;
    }
    return -1;
}

/* "runs/x/checkpoint.safetensors": that checkpoint of the run in runs/x. */
static bool find_checkpoint(const char *path, const char *folder, const model_kind *k, part_files *out,
                            error *err)
{
    bool run = false;
    if (folder && !is_run_of(folder, k, &run, err)) return false;
    if (!run)
        return error_set(err, ERROR_USAGE,
                         "'%s' is a file; the folder of a model or run is needed, or a checkpoint in the run "
                         "of a %s, or its .safetensors in a model",
                         path, k->title);
    if (!find_in_folder(folder, k, 0, out, err)) return false;
    free(out->weights);
    out->weights = strdup(path);
    if (out->weights) return true;
    part_files_free(out);
    return error_set(err, ERROR_MEMORY, "out of memory for the path '%s'", path);
}

/* A file stands for what is in its folder: "models/x/dvae.safetensors" for the dVAE of the model there. */
static bool find_by_file(const char *path, const model_kind *k, part_files *out, error *err)
{
    error problem = { 0 };
    char *folder = folder_of(path, &problem);
    if (problem.code != ERROR_NONE) {
        if (err) *err = problem;
        return false;
    }
    const int number = packed_number(path, k);
    const bool ok = folder && number >= 0 ? find_in_folder(folder, k, number, out, err)
                                          : find_checkpoint(path, folder, k, out, err);
    free(folder);
    return ok;
}

/* The best checkpoint, by validation, is the one to use, unless the kind says that its last one is. */
static bool find_trained(const char *run, const model_kind *k, char **weights, error *err)
{
    static const char *const names[] = { "checkpoint.safetensors", "best.safetensors",
                                         "checkpoint.safetensors" };
    const char *const *from = k->takes_last ? names : names + 1;
    return find_file(run, from[0], weights, err) && (*weights || find_file(run, from[1], weights, err));
}

static bool find_further(const char *folder, const model_kind *k, part_files *out, error *err)
{
    for (int i = 0; k->files && k->files[i].role; ++i) {
        CHECK(i < PART_FURTHER, "a %s has more than %d further files", k->name, PART_FURTHER);
        const part_role *f = &k->files[i];
        const char *name = out->run && f->in_run ? f->in_run : f->file;
        if (!find_file(folder, name, &out->further[i], err)) return false;
    }
    return true;
}

/* Fills in what the folder holds of the part. */
static bool look_into(const char *folder, const char *config, const char *weights, part_files *out,
                      error *err)
{
    const model_kind *k = out->kind;
    if (!find_file(folder, config, &out->config, err) || !find_file(folder, weights, &out->weights, err))
        return false;
    if (!out->config && !out->weights) {
        if (!is_run_of(folder, k, &out->run, err)) return false;
        if (out->run && (!find_file(folder, "config.cfg", &out->config, err) ||
                         !find_trained(folder, k, &out->weights, err)))
            return false;
    }
    return find_further(folder, k, out, err);
}

const char *part_name(const model_kind *kind, int number, char name[PART_NAME])
{
    snprintf(name, PART_NAME, number ? "%s-%d" : "%s", kind->name, number + 1);
    return name;
}

bool part_files_find(const char *folder, const model_kind *k, part_files *out, error *err)
{
    return part_files_find_number(folder, k, 0, out, err);
}

static bool find_in_folder(const char *folder, const model_kind *k, int number, part_files *out, error *err)
{
    char name[PART_NAME], config[PART_NAME + 16], weights[PART_NAME + 16];
    part_name(k, number, name);
    snprintf(config, sizeof config, "%s.cfg", name);
    snprintf(weights, sizeof weights, "%s.safetensors", name);
    if (!look_into(folder, config, weights, out, err)) {
        part_files_free(out);
        return false;
    }
    if (out->config && out->weights) return true;
    bool half = out->config || out->weights;
    part_files_free(out);
    return half ? error_set(err, ERROR_FORMAT, "'%s' holds only half of a %s: it needs %s and %s", folder,
                            k->title, config, weights)
                : error_set(err, ERROR_USAGE,
                            "'%s' holds no trained %s: neither %s and %s, nor the run of one", folder,
                            k->title, config, weights);
}

bool part_files_find_number(const char *folder, const model_kind *k, int number, part_files *out, error *err)
{
    *out = (part_files){ .kind = k };
    file_kind kind;
    if (!file_look(folder, &kind, err)) return false;
    if (kind == FILE_ABSENT) return error_set(err, ERROR_USAGE, "there is no folder '%s'", folder);
    return kind == FILE_FOLDER ? find_in_folder(folder, k, number, out, err)
                               : find_by_file(folder, k, out, err);
}

bool part_is_there(const char *folder, const model_kind *kind, error *err)
{
    return part_is_there_number(folder, kind, 0, err);
}

bool part_is_there_number(const char *folder, const model_kind *kind, int number, error *err)
{
    part_files files;
    error none = { 0 };
    if (part_files_find_number(folder, kind, number, &files, &none)) {
        bool one_of_one = files.run && number > 0;
        part_files_free(&files);
        return !one_of_one;
    }
    if (none.code != ERROR_USAGE && err) *err = none;
    return false;
}

const char *part_files_role(const part_files *f, const char *role)
{
    const part_role *roles = f->kind ? f->kind->files : NULL;
    for (int i = 0; roles && roles[i].role; ++i)
        if (strcmp(roles[i].role, role) == 0) return f->further[i];
    return NULL;
}

bool part_files_hash(const part_files *files, char hex[65], error *err)
{
    safetensors *file = safetensors_open(files->weights, err);
    const char *stated = file ? safetensors_metadata(file, SAFETENSORS_SUM) : NULL;
    bool known = stated && strlen(stated) == 64;
    if (known) memcpy(hex, stated, 65);
    safetensors_close(file);
    return file && (known || request_hash_file(files->weights, hex, err));
}

bool part_files_config(const part_files *f, void *config, error *err)
{
    config_defaults(f->kind->settings, config);
    return config_read(f->kind->settings, config, f->config, err);
}

/* Whether the part's settings say the same size of what it makes. */
static bool makes_alike(const part_files *f, const void *config, bool *alike, error *err)
{
    const model_kind *k = f->kind;
    void *own = malloc(k->settings->size);
    if (!own) return error_set(err, ERROR_MEMORY, "out of memory for the settings of a %s", k->name);
    bool ok = part_files_config(f, own, err);
    *alike = ok && kinds_setting(k, own, k->makes) == kinds_setting(k, config, k->makes);
    free(own);
    return ok;
}

bool part_files_find_like(const char *folder, const model_kind *kind, const void *config, part_files *out,
                          error *err)
{
    for (int n = 1; kind->makes && n < kinds_most(kind); ++n) {
        error problem = { 0 };
        bool alike = false;
        if (!part_is_there_number(folder, kind, n, &problem)) {
            if (problem.code == ERROR_NONE) break;
            if (err) *err = problem;
            return false;
        }
        if (!part_files_find_number(folder, kind, n, out, err)) return false;
        bool ok = makes_alike(out, config, &alike, err);
        if (ok && alike) return true;
        part_files_free(out);
        if (!ok) return false;
    }
    return part_files_find(folder, kind, out, err);
}

/* ---- Opened ---- */

store *part_store_create(device *d, error *err)
{
    store *s = store_create(d, err);
    if (s) store_await_values(s);
    return s;
}

void part_close(model_part *p)
{
    if (p->self) p->kind->close(p->self);
    *p = (model_part){ 0 };
}

const model_part *part_list_find(const part_list *list, const model_kind *kind)
{
    for (int i = 0; i < list->count; ++i)
        if (list->at[i].kind == kind) return &list->at[i];
    return NULL;
}

const model_part *part_list_number(const part_list *list, const model_kind *kind, int number)
{
    for (int i = 0; i < list->count; ++i)
        if (list->at[i].kind == kind && number-- == 0) return &list->at[i];
    return NULL;
}

int part_list_count(const part_list *list, const model_kind *kind, const char *folder)
{
    int count = 0;
    for (int i = 0; i < list->count; ++i)
        count += list->at[i].kind == kind && (!folder || strcmp(list->at[i].folder, folder) == 0);
    return count;
}

/* The last first: it may lean on those before it. */
void part_list_close(part_list *list)
{
    while (list->count > 0) part_close(&list->at[--list->count]);
}

void text_positions(const int32_t *ids, int count, int64_t positions, int32_t *out)
{
    for (int64_t i = 0; i < positions; ++i) out[i] = i < count ? ids[i] : -1;
}
