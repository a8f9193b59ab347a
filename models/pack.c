/* pack.c -- writes one folder that drawing needs, from the runs that trained its parts.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool export_part(store *s, const char *folder, const char *name, dtype type,
                        const checkpoint_metadata *metadata, error *err)
{
    char *path = file_join(folder, name);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for the path of '%s'", name);
    bool ok = checkpoint_export(s, path, false, type, metadata->at, metadata->count, err);
    free(path);
    return ok;
}

/* Says how the part was trained: what the run's checkpoint recorded, without the host's own state. */
static bool describe(const checkpoint_metadata *trained, checkpoint_metadata *kept, error *err)
{
    *kept = (checkpoint_metadata){ .at = calloc((size_t)trained->count + 1, sizeof *kept->at) };
    bool ok = kept->at != NULL;
    for (int i = 0; ok && i < trained->count; ++i) {
        const char *key = trained->at[i].key;
        if (strcmp(key, "step") != 0 && strcmp(key, "config") != 0 && strcmp(key, "kind") != 0) continue;
        checkpoint_text *one = &kept->at[kept->count++];
        one->key = strdup(key);
        one->value = strdup(trained->at[i].value);
        ok = one->key && one->value;
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

bool pack_model(device *d, const char *dvae_run, const char *prior_run, const char *out, dtype type,
                error *err)
{
    dvae_part *dvae = dvae_part_open(d, dvae_run, CODEC_BOTH | CODEC_LATER, 1, err);
    if (!dvae) return false;
    prior_part *prior = NULL;
    prior_shape shape = { dvae_tokens_side(&dvae->config), dvae->config.codes };
    checkpoint_metadata of_dvae = { 0 }, of_prior = { 0 };
    bool ok = describe(&dvae->metadata, &of_dvae, err) &&
              (!prior_run || (prior = prior_part_open(d, prior_run, &shape, err)));
    ok = ok && (!prior || describe(&prior->metadata, &of_prior, err)) && file_make_folders(out, err) &&
         export_part(dvae->store, out, "dvae.safetensors", type, &of_dvae, err) &&
         write_config(out, "dvae.cfg", &dvae_config_table, &dvae->config, err);
    if (ok && prior)
        ok = export_part(prior->store, out, "prior.safetensors", type, &of_prior, err) &&
             write_config(out, "prior.cfg", &prior_config_table, &prior->config, err) &&
             write_text_files(prior, out, err);
    ok = ok && write_index(out, dvae, prior, err); /* last: a folder without it was not finished */
    checkpoint_metadata_free(&of_dvae);
    checkpoint_metadata_free(&of_prior);
    prior_part_close(prior);
    dvae_part_close(dvae);
    return ok;
}
