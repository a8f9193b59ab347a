/* kind.c -- CLIP as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/clip/clip_part.h"
#include "models/clip/clip_train.h"
#include "models/clip/clip_workload.h"
#include "models/fit.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Steps ---- */

static void fit(void *config, int64_t pictures)
{
    clip_config *c = config;
    clip_fit(c, pictures, NULL);
    if (c->text_tokens == 0) c->text_tokens = fit_text_tokens(0);
}

static workload *step(device *d, const void *config, const int64_t *given, error *err)
{
    (void)given;
    return clip_workload(d, config, err);
}

static workload *ranking(device *d, const void *config, const int64_t *pictures, dtype type, error *err)
{
    (void)type; /* its matrices are stored as they are trained */
    return clip_workload_ranking(d, config, *pictures, err);
}

#define SIZES_EMOJI \
    "image_size=64", "patch=8", "image_layers=5", "image_width=160", "image_heads=5", "text_layers=3", \
        "text_width=112", "text_heads=4", "text_tokens=24", "text_vocabulary=1536", "embedding=128"

/* At sizes that PyTorch has been measured at.  No averages: the others keep none. */
static const kind_case cases[] = {
    { .name = "clip:vit-b-32-b16", .large = true, .sets = { "batch=16", "accumulate=1" } },
    { .name = "clip:emoji-b128", .sets = { SIZES_EMOJI, "batch=128", "accumulate=1" } },
    { .name = "rank:vit-b-32-n512", .large = true, .drawing = true, .given = { 512 } },
    { .name = "rank:emoji-n512", .drawing = true, .sets = { SIZES_EMOJI }, .given = { 512 } },
    { .name = NULL },
};

/* ---- A trained part ---- */

/* Beside a prior, whose captions may have been others, it has its own. */
static const part_role files[] = {
    { PART_TOKENIZER, "clip_tokenizer.model", true, "tokenizer.model" },
    { PART_WORDS, "clip_words.txt", false, "words.txt" },
    { .role = NULL },
};

static void close_part(void *self)
{
    clip_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    (void)beside;
    clip_part *p = clip_part_open(d, folder, err);
    if (p) *out = (model_part){ &clip_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

static float *embed(const model_part *p, const uint8_t *rgb, int64_t count, int64_t side, int64_t *size,
                    error *err)
{
    clip_part *clip = p->self;
    *size = clip->config.embedding;
    float *out = malloc((size_t)(count * *size) * sizeof *out);
    if (!out) return error_null(err, ERROR_MEMORY, "out of memory for pictures' embeddings");
    if (clip_part_pictures(clip, rgb, count, side, out, NULL, NULL, err)) return out;
    free(out);
    return NULL;
}

static float *embed_caption(const model_part *p, const char *caption, double *scale, error *err)
{
    clip_part *clip = p->self;
    *scale = (double)clip->scale;
    float *out = malloc((size_t)clip->config.embedding * sizeof *out);
    if (!out) return error_null(err, ERROR_MEMORY, "out of memory for a caption's embedding");
    if (clip_part_texts(clip, &caption, 1, out, NULL, NULL, NULL, err)) return out;
    free(out);
    return NULL;
}

static bool save_files(const model_part *p, const char *folder, error *err)
{
    const clip_part *clip = p->self;
    char *path = file_join(folder, files[0].file), *list = file_join(folder, files[1].file);
    bool ok = path && list ? true : error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    ok = ok && tokenizer_save(clip->tokenizer, path, err) &&
         (!clip->words || words_save(clip->words, list, err));
    free(path);
    free(list);
    return ok;
}

/* ---- What is said of it ---- */

static void figures(const model_part *p, json_t **to)
{
    const clip_config *c = p ? p->config : NULL;
    json_tree_put(to, "embedding", json_integer(c ? c->embedding : 0));
}

static void tell(const model_part *p, char text[PART_TELL])
{
    const clip_config *c = p->config;
    snprintf(text, PART_TELL, "pictures of %lld x %lld and captions become %lld numbers",
             (long long)c->image_size, (long long)c->image_size, (long long)c->embedding);
}

const model_kind clip_kind = {
    .name = "clip",
    .title = "CLIP",
    .what = "a CLIP",
    .learns = "which caption belongs to which picture",
    .examples = "dalle-cl train clip --preset small --data mine --run runs/clip",
    .packing = "A CLIP needs no other part and may stand beside those that draw. Its tokenizer is its own.",
    .settings = &clip_config_table,
    .captions = true,
    .train = clip_train,
    .fit = fit,
    .step = step,
    .drawing = ranking,
    .cases = cases,
    .files = files,
    .open = open_part,
    .close = close_part,
    .embed = embed,
    .embed_caption = embed_caption,
    .save_files = save_files,
    .figures = figures,
    .tell = tell,
};
