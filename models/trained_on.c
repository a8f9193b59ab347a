/* trained_on.c -- see trained_on.h.
 * SPDX-License-Identifier: MIT */
#include "models/trained_on.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"

#include <stdlib.h>
#include <string.h>

void trained_on_free(trained_on *t)
{
    free(t->name);
    json_decref(t->data);
    *t = (trained_on){ .name = NULL };
}

void trained_on_keep(char to[65], const char *hex)
{
    if (hex && strlen(hex) == 64) memcpy(to, hex, 65);
}

static bool no_memory(const char *folder, error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for the origin of '%s'", folder);
}

/* The run's own state in a checkpoint, where training leaves the fingerprint. */
static bool read_state(char hex[65], const char *state, const char *key, error *err)
{
    json_tree_problem problem;
    json_t *all = json_tree_read(state, strlen(state), true, &problem);
    if (!all && problem.memory) return error_set(err, ERROR_MEMORY, "out of memory for a checkpoint's state");
    trained_on_keep(hex, json_string_value(json_object_get(json_object_get(all, "task"), key)));
    json_decref(all);
    return true;
}

/* A checkpoint's file stands for its folder.  To be freed. */
static char *run_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (file_is_folder(path)) return strdup(path);
    return slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

/* run.json's "data"; *data is NULL if the folder is no run's. */
static bool read_run(const char *folder, json_t **data, error *err)
{
    file_kind kind;
    *data = NULL;
    char *path = file_join(folder, "run.json");
    if (!path) return no_memory(folder, err);
    bool ok = file_look(path, &kind, err);
    json_t *info = ok && kind != FILE_ABSENT ? json_tree_open(path, err) : NULL;
    if (ok && kind != FILE_ABSENT) ok = info != NULL;
    *data = json_incref(json_object_get(info, "data"));
    json_decref(info);
    free(path);
    return ok;
}

bool trained_on_find(const checkpoint_metadata *metadata, const char *folder, const char *key,
                     trained_on *out, error *err)
{
    const char *state = checkpoint_metadata_get(metadata, "state");
    *out = (trained_on){ .name = NULL };
    trained_on_keep(out->hex, checkpoint_metadata_get(metadata, key));
    if (state && !read_state(out->hex, state, key, err)) return false;
    char *run = run_folder(folder);
    bool ok = run ? read_run(run, &out->data, err) : no_memory(folder, err);
    const char *place = out->data ? json_string_value(json_object_get(out->data, key)) : run;
    if (ok && place) ok = (out->name = strdup(place)) != NULL || no_memory(folder, err);
    free(run);
    if (!ok) trained_on_free(out);
    return ok;
}
