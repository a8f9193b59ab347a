/* prior_part.c -- see prior_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior_part.h"

#include "data/safetensors.h"
#include "models/kinds.h"

#include <stdlib.h>

static bool open_text(prior_part *p, const part_files *files, const char *folder, error *err)
{
    const char *model = part_files_role(files, PART_TOKENIZER), *list = part_files_role(files, PART_WORDS);
    if (!model)
        return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer.model, which its prior needs", folder);
    if (!(p->tokenizer = tokenizer_open(model, err))) return false;
    int vocabulary = tokenizer_vocabulary(p->tokenizer);
    if (vocabulary != p->config.text_vocabulary)
        return error_set(
            err, ERROR_MODEL,
            "'%s' has %d tokens, the prior's text_vocabulary is %lld; they were not trained together", model,
            vocabulary, (long long)p->config.text_vocabulary);
    return !list || (p->words = words_open(list, err)) != NULL;
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
    if (!part_files_find(folder, &prior_kind, &files, err)) return NULL;
    prior_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a prior");
    if (ok) p->shape = *shape;
    ok = ok && part_files_config(&files, &p->config, err) && prior_config_check(&p->config, shape, err) &&
         open_text(p, &files, folder, err) && (p->store = part_store_create(d, err)) &&
         read_weight_type(files.weights, &type, err);
    if (ok) store_set_weight_type(p->store, type);
    ok = ok && (p->sampler = prior_sampler_create(p->store, &p->config, &p->shape, 0, false, err));
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
    return prior_sampler_prepare(p->sampler, batch, err);
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

bool prior_part_lost(const prior_part *p, const char *caption, char **lost, error *err)
{
    int32_t *ids = NULL;
    *lost = NULL;
    int count = tokenizer_encode(p->tokenizer, caption, &ids, err);
    if (count < 0) return false;
    int first = (int)p->config.text_tokens;
    bool cut = count > first;
    while (cut && first > 0 && !tokenizer_begins_word(p->tokenizer, ids, first)) --first;
    if (cut) *lost = tokenizer_decode(p->tokenizer, ids + first, count - first, err);
    free(ids);
    return !cut || *lost;
}
