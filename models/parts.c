/* parts.c -- finds and opens trained parts; see parts.h.
 * SPDX-License-Identifier: MIT */
#include "models/parts.h"

#include "data/safetensors.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/request.h"

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
    free(f->tokenizer);
    free(f->words);
    *f = (part_files){ 0 };
}

/* A run's folder says in run.json what it trains; one that is no JSON is no run's. */
static bool is_run_of(const char *folder, const char *part, bool *is, error *err)
{
    *is = false;
    char *path;
    error problem = { 0 };
    if (!find_file(folder, "run.json", &path, err)) return false;
    json_t *info = path ? json_tree_open(path, &problem) : NULL;
    const char *kind = json_string_value(json_object_get(info, "kind"));
    *is = kind && strcmp(kind, part) == 0;
    json_decref(info);
    free(path);
    if (problem.code == ERROR_NONE || problem.code == ERROR_FORMAT) return true;
    if (err) *err = problem;
    return false;
}

/* "runs/x/checkpoint.safetensors": that checkpoint of the run in runs/x. */
static bool find_checkpoint(const char *path, const char *part, part_files *out, error *err)
{
    const char *name = strrchr(path, '/'), *end = strrchr(path, '.');
    bool named = end && (!name || end > name) && strcmp(end, ".safetensors") == 0, run = false;
    char *folder = !named ? NULL : name ? strndup(path, (size_t)(name - path)) : strdup(".");
    if (named && !folder) return error_set(err, ERROR_MEMORY, "out of memory for the folder of '%s'", path);
    bool ok = !folder || is_run_of(folder, part, &run, err);
    if (ok && !run)
        ok = error_set(
            err, ERROR_USAGE,
            "'%s' is a file; the folder of a model or run is needed, or a checkpoint in the run of a %s",
            path, part);
    ok = ok && part_files_find(folder, part, out, err);
    if (ok) {
        free(out->weights);
        out->weights = strdup(path);
        ok = out->weights ? true : error_set(err, ERROR_MEMORY, "out of memory for the path '%s'", path);
        if (!ok) part_files_free(out);
    }
    free(folder);
    return ok;
}

/* A dVAE's best checkpoint, by validation, is the one to use.  A prior's drawings go on improving long after its
 * validation loss has turned (docs/demo-model.md), so its last one is. */
static bool find_trained(const char *run, const char *part, char **weights, error *err)
{
    static const char *const names[] = { "checkpoint.safetensors", "best.safetensors",
                                         "checkpoint.safetensors" };
    const char *const *from = strcmp(part, "prior") == 0 ? names : names + 1;
    return find_file(run, from[0], weights, err) && (*weights || find_file(run, from[1], weights, err));
}

/* Fills in what the folder holds of the part. */
static bool look_into(const char *folder, const char *part, const char *config, const char *weights,
                      part_files *out, error *err)
{
    if (!find_file(folder, config, &out->config, err) || !find_file(folder, weights, &out->weights, err))
        return false;
    if (!out->config && !out->weights) {
        if (!is_run_of(folder, part, &out->run, err)) return false;
        if (out->run && (!find_file(folder, "config.cfg", &out->config, err) ||
                         !find_trained(folder, part, &out->weights, err)))
            return false;
    }
    return find_file(folder, "tokenizer.model", &out->tokenizer, err) &&
           find_file(folder, "words.txt", &out->words, err);
}

bool part_files_find(const char *folder, const char *part, part_files *out, error *err)
{
    char config[64], weights[64];
    *out = (part_files){ 0 };
    file_kind kind;
    if (!file_look(folder, &kind, err)) return false;
    if (kind == FILE_ABSENT) return error_set(err, ERROR_USAGE, "there is no folder '%s'", folder);
    if (kind != FILE_FOLDER) return find_checkpoint(folder, part, out, err);
    snprintf(config, sizeof config, "%s.cfg", part);
    snprintf(weights, sizeof weights, "%s.safetensors", part);
    if (!look_into(folder, part, config, weights, out, err)) {
        part_files_free(out);
        return false;
    }
    if (out->config && out->weights) return true;
    bool half = out->config || out->weights;
    part_files_free(out);
    return half ? error_set(err, ERROR_FORMAT, "'%s' holds only half of a %s: it needs %s and %s", folder,
                            part, config, weights)
                : error_set(err, ERROR_USAGE,
                            "'%s' holds no trained %s: neither %s and %s, nor the run of one", folder, part,
                            config, weights);
}

static bool read_config(const part_files *f, const config_table *table, void *config, error *err)
{
    char *text = file_read(f->config, NULL, err);
    if (!text) return false;
    config_defaults(table, config);
    bool ok = config_parse(table, config, text, f->config, err);
    free(text);
    return ok;
}

static store *create_store(device *d, error *err)
{
    store *s = store_create(d, err);
    if (s) store_await_values(s);
    return s;
}

/* ---- dVAE ---- */

dvae_part *dvae_part_open(device *d, const char *folder, codec_parts parts, int64_t batch, error *err)
{
    part_files files;
    if (!part_files_find(folder, "dvae", &files, err)) return NULL;
    dvae_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a dVAE");
    ok = ok && read_config(&files, &dvae_config_table, &p->config, err) &&
         dvae_config_check(&p->config, err) && (p->store = create_store(d, err)) &&
         (p->codec = dvae_codec_create(p->store, &p->config, parts, batch, false, err)) &&
         checkpoint_import(p->store, files.weights, files.run || (parts & CODEC_BOTH) != CODEC_BOTH,
                           &p->metadata, err) &&
         request_hash_file(files.weights, p->hash, err);
    part_files_free(&files);
    if (ok) return p;
    dvae_part_close(p);
    return NULL;
}

void dvae_part_close(dvae_part *p)
{
    if (!p) return;
    dvae_codec_destroy(p->codec);
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

/* ---- Prior ---- */

static bool open_text(prior_part *p, const part_files *files, const char *folder, error *err)
{
    if (!files->tokenizer)
        return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer.model, which its prior needs", folder);
    if (!(p->tokenizer = tokenizer_open(files->tokenizer, err))) return false;
    int vocabulary = tokenizer_vocabulary(p->tokenizer);
    if (vocabulary != p->config.text_vocabulary)
        return error_set(
            err, ERROR_MODEL,
            "'%s' has %d tokens, the prior's text_vocabulary is %lld; they were not trained together",
            files->tokenizer, vocabulary, (long long)p->config.text_vocabulary);
    return !files->words || (p->words = words_open(files->words, err)) != NULL;
}

/* How the file stores a layer's matrix; one that is not there is for the import to name. */
static bool read_weight_type(const char *path, dtype *type, error *err)
{
    safetensors *file = safetensors_open(path, err);
    if (!file) return false;
    const safetensors_tensor *t = safetensors_find(file, "block1.up.weight");
    *type = t && t->loadable && dtype_is_float(t->type) ? t->type : DTYPE_F32;
    safetensors_close(file);
    return true;
}

prior_part *prior_part_open(device *d, const char *folder, const prior_shape *shape, error *err)
{
    part_files files;
    dtype type = DTYPE_F32;
    if (!part_files_find(folder, "prior", &files, err)) return NULL;
    prior_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a prior");
    if (ok) p->shape = *shape;
    ok = ok && read_config(&files, &prior_config_table, &p->config, err) &&
         prior_config_check(&p->config, shape, err) && open_text(p, &files, folder, err) &&
         (p->store = create_store(d, err)) && read_weight_type(files.weights, &type, err);
    if (ok) store_set_weight_type(p->store, type);
    ok = ok && prior_part_prepare(p, 1, err);
    if (ok && !checkpoint_import(p->store, files.weights, files.run, &p->metadata, err))
        ok = error_prefix(
            err,
            "the prior does not fit its dVAE of %lld codes and %lld x %lld tokens, or its file is damaged",
            (long long)shape->codes, (long long)shape->side, (long long)shape->side);
    part_files_free(&files);
    if (ok) return p;
    prior_part_close(p);
    return NULL;
}

void prior_part_close(prior_part *p)
{
    if (!p) return;
    prior_sampler_destroy(p->sampler);
    store_destroy(p->store);
    tokenizer_close(p->tokenizer);
    words_destroy(p->words);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

bool prior_part_prepare(prior_part *p, int64_t batch, error *err)
{
    if (p->sampler && p->batch == batch) return true;
    prior_sampler_destroy(p->sampler);
    p->sampler = prior_sampler_create(p->store, &p->config, &p->shape, batch, false, err);
    p->batch = p->sampler ? batch : 0;
    return p->sampler != NULL;
}

void text_positions(const int32_t *ids, int count, int64_t positions, int32_t *out)
{
    for (int64_t i = 0; i < positions; ++i) out[i] = i < count ? ids[i] : -1;
}

bool prior_part_tokens(const prior_part *p, const char *caption, int32_t *ids, int *cut, error *err)
{
    int32_t *found = NULL;
    int count = tokenizer_encode(p->tokenizer, caption, &found, err);
    if (count < 0) return false;
    text_positions(found, count, p->config.text_tokens, ids);
    *cut = count > p->config.text_tokens ? count - (int)p->config.text_tokens : 0;
    free(found);
    return true;
}

/* Pieces that begin a word start with U+2581. */
static bool begins_word(const tokenizer *t, int32_t id)
{
    return strncmp(tokenizer_piece(t, id), "\xe2\x96\x81", 3) == 0;
}

bool prior_part_lost(const prior_part *p, const char *caption, char **lost, error *err)
{
    int32_t *ids = NULL;
    *lost = NULL;
    int count = tokenizer_encode(p->tokenizer, caption, &ids, err);
    if (count < 0) return false;
    int first = (int)p->config.text_tokens;
    bool cut = count > first;
    while (cut && first > 0 && !begins_word(p->tokenizer, ids[first])) --first;
    if (cut) *lost = tokenizer_decode(p->tokenizer, ids + first, count - first, err);
    free(ids);
    return !cut || *lost;
}
