/* kind.c -- the autoregressive prior as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/json_tree.h"
#include "models/ar_prior/ar_prior_codes.h"
#include "models/ar_prior/ar_prior_part.h"
#include "models/ar_prior/ar_prior_train.h"
#include "models/ar_prior/ar_prior_workload.h"
#include "models/fit.h"
#include "models/unclip/clip_source.h"

#include <stdio.h>

static const kind_need needs[] = {
    { .kind = &clip_kind, .help = "run or model folder of the CLIP whose embeddings it learns" },
    { .kind = NULL },
};

/* ---- Steps and drawings ---- */

static void fit(void *config, int64_t pictures)
{
    ar_prior_config *c = config;
    ar_prior_fit(c, pictures, NULL);
    if (c->text_tokens == 0) c->text_tokens = fit_text_tokens(0);
}

static const kind_given given[] = {
    { "embedding", "1024", 1, 65536, "numbers of an embedding" },
    { .name = NULL },
};

static workload *step(device *d, const void *config, const int64_t *values, error *err)
{
    const ar_prior_shape shape = { .embedding = values[0] };
    return ar_prior_workload(d, config, &shape, err);
}

static workload *drawing(device *d, const void *config, const int64_t *values, dtype type, error *err)
{
    const ar_prior_shape shape = { .embedding = values[0] };
    return ar_prior_workload_drawing(d, config, &shape, type, err);
}

#define SIZES_EMOJI \
    "layers=4", "size=128", "heads=4", "text_layers=2", "text_width=96", "text_heads=3", "text_tokens=24", \
        "text_vocabulary=1536", "dimensions=64", "buckets=256", "near_buckets=64", "ema=0"
#define SIZES_512x6 \
    "layers=6", "size=512", "heads=8", "text_layers=4", "text_width=512", "text_heads=8", "text_tokens=77", \
        "text_vocabulary=8192", "dimensions=160", "ema=0"

/* No averages: the others keep none. */
static const kind_case cases[] = {
    { .name = "ar-prior:emoji-b32",
      .sets = { SIZES_EMOJI, "batch=32", "accumulate=1", "recompute=no" },
      .given = { 128 } },
    { .name = "ar-prior:512x6-b8",
      .large = true,
      .sets = { SIZES_512x6, "batch=8", "accumulate=1", "recompute=no" },
      .given = { 512 } },
    { .name = "components:emoji", .drawing = true, .sets = { SIZES_EMOJI }, .given = { 128 } },
    { .name = "components:512x6", .large = true, .drawing = true, .sets = { SIZES_512x6 }, .given = { 512 } },
    { .name = NULL },
};

/* ---- A trained part ---- */

static void close_part(void *self)
{
    ar_prior_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    clip_part *clip = part_list_find(beside, &clip_kind)->self;
    ar_prior_part *p = ar_prior_part_read(d, folder, clip, err);
    if (p) *out = (model_part){ &ar_prior_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

static bool belongs(device *d, const model_part *p, const part_list *beside, error *err)
{
    (void)d;
    const model_part *clip = part_list_find(beside, &clip_kind);
    return clip_source_check(clip->self, clip->folder, p->metadata, false, ar_prior_kind.title, p->folder,
                             err);
}

/* ---- What is said of it ---- */

static void figures(const model_part *p, json_t **to)
{
    const ar_prior_config *c = p ? p->config : NULL;
    json_tree_put(to, "components", json_integer(c ? c->dimensions : 0));
}

static void tell(const model_part *p, char text[PART_TELL])
{
    const ar_prior_config *c = p->config;
    snprintf(text, PART_TELL, "captions become embeddings, of %lld components in %lld buckets each",
             (long long)c->dimensions, (long long)c->buckets);
}

/* How it draws unless it is told otherwise. */
static void describe(const void *config, json_t **to)
{
    const ar_prior_config *c = config;
    json_tree_put(to, "drawing",
                  json_pack("{s:f, s:f, s:f}", "temperature", c->temperature, "guidance", c->guidance,
                            "near_share", c->near_share));
}

const model_kind ar_prior_kind = {
    .name = "ar-prior",
    .title = "AR prior",
    .what = "an autoregressive prior",
    .learns = "captions to embeddings of pictures, number by number",
    .examples = "dalle-cl train ar-prior --preset small --data mine --clip runs/clip --run runs/numbers\n"
                "dalle-cl train ar-prior --run runs/numbers --resume",
    .packing = "An AR prior draws embeddings of pictures, and is refused with another CLIP than the "
               "one whose\n"
               "embeddings it learned.",
    .settings = &ar_prior_config_table,
    .needs = needs,
    .captions = true,
    .train = ar_prior_train,
    .fit = fit,
    .given = given,
    .step = step,
    .drawing = drawing,
    .cases = cases,
    .open = open_part,
    .close = close_part,
    .belongs = belongs,
    .is_learnt = ar_prior_codes_has,
    .figures = figures,
    .tell = tell,
    .describe = describe,
};
