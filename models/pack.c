/* pack.c -- writes one folder that drawing needs, from the runs that trained its parts.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/origin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool export_part(store *s, const char *folder, const char *name, dtype type,
                        const checkpoint_metadata *metadata, error *err)
{
    char *path = file_join(folder, name);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for the path of '%s'", name);
    bool ok = checkpoint_export(s, path, false, type, metadata->at, metadata->count, err);
    free(path);
    return ok;
}

static bool add_text(checkpoint_metadata *to, const char *key, const char *value)
{
    checkpoint_text *one = &to->at[to->count++];
    one->key = strdup(key);
    one->value = strdup(value);
    return one->key && one->value;
}

/* Says how the part was trained: what the run's checkpoint recorded, without the host's own state; and of a prior on
 * which dVAE's tokens. */
static bool describe(const checkpoint_metadata *trained, const char *dvae, checkpoint_metadata *kept,
                     error *err)
{
    *kept = (checkpoint_metadata){ .at = calloc((size_t)trained->count + 2, sizeof *kept->at) };
    bool ok = kept->at && (!dvae || add_text(kept, ORIGIN_KEY, dvae));
    for (int i = 0; ok && i < trained->count; ++i) {
        const char *key = trained->at[i].key;
        if (strcmp(key, "step") != 0 && strcmp(key, "config") != 0 && strcmp(key, "kind") != 0) continue;
        ok = add_text(kept, key, trained->at[i].value);
    }
    return ok || error_set(err, ERROR_MEMORY, "out of memory for what a checkpoint says of its training");
}

static bool write_config(const char *folder, const char *name, const config_table *table, const void *config,
                         error *err)
{
    char *text = config_format(table, config), *path = file_join(folder, name);
    bool ok = text && path ? file_write(path, text, strlen(text), err)
                           : error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    free(text);
    free(path);
    return ok;
}

static bool write_text_files(const prior_part *p, const char *folder, error *err)
{
    char *path = file_join(folder, "tokenizer.model"), *list = file_join(folder, "words.txt");
    bool ok = path && list ? true : error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    ok = ok && tokenizer_save(p->tokenizer, path, err) && (!p->words || words_save(p->words, list, err));
    free(path);
    free(list);
    return ok;
}

static bool write_index(const char *folder, const dvae_part *dvae, const prior_part *prior, error *err)
{
    json_t *index = json_pack("{s:s, s:i, s:{s:s, s:s, s:I}}", "format", "dalle-cl model", "version", 1,
                              "dvae", "config", "dvae.cfg", "weights", "dvae.safetensors", "parameters",
                              (json_int_t)store_elements(dvae->store, STORE_PARAMETER));
    if (prior)
        json_tree_put(&index, "prior",
                      json_pack("{s:s, s:s, s:s, s:I}", "config", "prior.cfg", "weights", "prior.safetensors",
                                "tokenizer", "tokenizer.model", "parameters",
                                (json_int_t)store_elements(prior->store, STORE_PARAMETER)));
    char *text = json_tree_text(index, JSON_INDENT(2), "model.json", err),
         *path = file_join(folder, "model.json");
    bool ok = text && path ? file_write(path, text, strlen(text), err)
                           : error_set(err, ERROR_MEMORY, "out of memory for model.json");
    free(text);
    free(path);
    return ok;
}

/* Files that an earlier pack left and this one does not write would be taken for this one's. */
static bool remove_stale(const char *folder, const prior_part *prior, error *err)
{
    static const char *const files[] = { "model.json", "words.txt", "tokenizer.model", "prior.cfg",
                                         "prior.safetensors" };
    int count = prior ? prior->words ? 1 : 2 : (int)(sizeof files / sizeof *files);
    for (int i = 0; i < count; ++i) {
        char *path = file_join(folder, files[i]);
        if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
        bool gone = unlink(path) == 0 || errno == ENOENT;
        if (!gone) error_set(err, ERROR_IO, "cannot remove '%s': %s", path, strerror(errno));
        free(path);
        if (!gone) return false;
    }
    return true;
}

static bool write_parts(const pack_request *r, const dvae_part *dvae, const prior_part *prior, error *err)
{
    checkpoint_metadata of_dvae = { 0 }, of_prior = { 0 };
    char hex[65];
    bool ok = checkpoint_fingerprint(dvae->store, hex, err) &&
              describe(&dvae->metadata, NULL, &of_dvae, err) &&
              (!prior || describe(&prior->metadata, hex, &of_prior, err)) && file_make_folders(r->out, err) &&
              remove_stale(r->out, prior, err) &&
              export_part(dvae->store, r->out, "dvae.safetensors", r->type, &of_dvae, err) &&
              write_config(r->out, "dvae.cfg", &dvae_config_table, &dvae->config, err);
    if (ok && prior)
        ok = export_part(prior->store, r->out, "prior.safetensors", r->type, &of_prior, err) &&
             write_config(r->out, "prior.cfg", &prior_config_table, &prior->config, err) &&
             write_text_files(prior, r->out, err);
    ok = ok && write_index(r->out, dvae, prior, err); /* last: a folder without it was not finished */
    checkpoint_metadata_free(&of_dvae);
    checkpoint_metadata_free(&of_prior);
    return ok;
}

static bool count_bytes(const char *folder, int64_t *bytes, error *err)
{
    static const char *const files[] = { "model.json", "dvae.cfg",          "dvae.safetensors", "prior.cfg",
                                         "words.txt",  "prior.safetensors", "tokenizer.model" };
    *bytes = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        struct stat info;
        char *path = file_join(folder, files[i]);
        if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
        if (stat(path, &info) == 0) *bytes += info.st_size;
        free(path);
    }
    return true;
}

static bool report(const pack_request *r, const dvae_part *dvae, const prior_part *prior, pack_report *made,
                   error *err)
{
    *made = (pack_report){ .dvae_parameters = store_elements(dvae->store, STORE_PARAMETER),
                           .side = dvae->config.image_size,
                           .tokens_side = dvae_tokens_side(&dvae->config),
                           .codes = dvae->config.codes };
    if (prior) {
        made->prior_parameters = store_elements(prior->store, STORE_PARAMETER);
        made->text_tokens = prior->config.text_tokens;
    }
    return count_bytes(r->out, &made->bytes, err);
}

bool pack_parts(device *d, const pack_request *r, pack_report *made, error *err)
{
    dvae_part *dvae = dvae_part_open(d, r->dvae_run, CODEC_BOTH | CODEC_LATER, 1, err);
    if (!dvae) return false;
    prior_part *prior = NULL;
    prior_shape shape = { dvae_tokens_side(&dvae->config), dvae->config.codes };
    bool ok = !r->prior_run || (prior = prior_part_open(d, r->prior_run, &shape, err)) != NULL;
    if (ok && prior && !r->force) ok = origin_check(d, dvae, r->dvae_run, prior, r->prior_run, err);
    ok = ok && write_parts(r, dvae, prior, err) && report(r, dvae, prior, made, err);
    prior_part_close(prior);
    dvae_part_close(dvae);
    return ok;
}

bool pack_model(device *d, const char *dvae_run, const char *prior_run, const char *out, dtype type,
                error *err)
{
    pack_report made;
    return pack_parts(d, &(pack_request){ dvae_run, prior_run, out, type, false }, &made, err);
}
