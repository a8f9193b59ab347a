/* origin.c -- see origin.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/origin.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"

#include <stdlib.h>
#include <string.h>

void origin_free(origin *o)
{
    free(o->name);
    *o = (origin){ .name = NULL };
}

static bool no_memory(const char *folder, error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for the origin of the prior in '%s'", folder);
}

static void keep_hex(char to[65], const char *hex)
{
    if (hex && strlen(hex) == 64) memcpy(to, hex, 65);
}

/* The run's own state in a checkpoint, where training leaves the fingerprint. */
static bool read_state(origin *o, const char *state, error *err)
{
    json_tree_problem problem;
    json_t *all = json_tree_read(state, strlen(state), true, &problem);
    if (!all && problem.memory) return error_set(err, ERROR_MEMORY, "out of memory for a checkpoint's state");
    keep_hex(o->hex, json_string_value(json_object_get(json_object_get(all, "task"), ORIGIN_KEY)));
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

/* run.json's "data": where the dVAE was, and the hash of its file.  *data is NULL if the folder is no
 * run's. */
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

/* Before fingerprints were recorded: the dVAE that was used, if its file is still the one.  That it cannot be
 * opened is no error: then nothing is known. */
static bool ask_dvae(device *d, const char *folder, bool packed, origin *o, error *err)
{
    error problem = { 0 };
    dvae_part *p = dvae_part_open(d, folder, CODEC_BOTH, 1, &problem);
    bool ok = p || problem.code != ERROR_MEMORY;
    if (!ok && err) *err = problem;
    if (p && (packed || strcmp(p->hash, o->file) == 0)) ok = checkpoint_fingerprint(p->store, o->hex, err);
    dvae_part_close(p);
    return ok;
}

bool origin_of(device *d, const prior_part *prior, const char *folder, origin *out, error *err)
{
    const char *state = checkpoint_metadata_get(&prior->metadata, "state");
    json_t *data = NULL;
    *out = (origin){ .name = NULL };
    keep_hex(out->hex, checkpoint_metadata_get(&prior->metadata, ORIGIN_KEY));
    if (state && !read_state(out, state, err)) return false;
    char *run = run_folder(folder);
    bool ok = run ? read_run(run, &data, err) : no_memory(folder, err);
    const char *place = json_string_value(json_object_get(data, "dvae"));
    keep_hex(out->file, json_string_value(json_object_get(data, "dvae_parameters")));
    if (ok && !data) place = run; /* packed: beside it */
    if (ok && place) ok = (out->name = strdup(place)) != NULL || no_memory(folder, err);
    if (ok && place && !out->hex[0]) ok = ask_dvae(d, place, !data, out, err);
    json_decref(data);
    free(run);
    if (!ok) origin_free(out);
    return ok;
}

bool origin_check(device *d, const dvae_part *dvae, const char *dvae_folder, const prior_part *prior,
                  const char *prior_folder, error *err)
{
    origin o;
    char hex[65];
    if (!checkpoint_fingerprint(dvae->store, hex, err) || !origin_of(d, prior, prior_folder, &o, err))
        return false;
    bool ok = strcmp(o.hex[0] ? o.hex : o.file, o.hex[0] ? hex : dvae->hash) == 0;
    const char *name = o.name ? o.name : "another dVAE";
    if (!ok && !o.hex[0])
        error_set(
            err, ERROR_MODEL,
            "it cannot be said that the prior '%s' learned the tokens of the dVAE '%s': the one that it was "
            "trained on, '%s', is no longer as it was.  If they belong together, add --force",
            prior_folder, dvae_folder, name);
    else if (!ok)
        error_set(
            err, ERROR_MODEL,
            "the prior '%s' learned the tokens of another dVAE than '%s', whose tokens mean something else: "
            "of "
            "'%s' as it was when that training began.  Name that one, or train a prior on this one; --force "
            "packs them all the same",
            prior_folder, dvae_folder, name);
    origin_free(&o);
    return ok;
}
