/* kind.c -- the diffusion prior as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/json_tree.h"
#include "models/diffusion_prior/diffusion_prior_part.h"
#include "models/diffusion_prior/diffusion_prior_train.h"
#include "models/diffusion_prior/diffusion_prior_workload.h"
#include "models/fit.h"
#include "models/unclip/clip_source.h"

#include <stdio.h>
#include <string.h>

static const kind_need needs[] = {
    { .kind = &clip_kind, .help = "run or model folder of the CLIP whose embeddings it learns" },
    { .kind = NULL },
};

/* ---- Steps and drawings ---- */

static void fit(void *config, int64_t pictures)
{
    diffusion_prior_config *c = config;
    diffusion_prior_fit(c, pictures, NULL);
    if (c->text_tokens == 0) c->text_tokens = fit_text_tokens(0);
}

static const kind_given given[] = {
    { "embedding", "1024", 1, 65536, "numbers of an embedding" },
    { .name = NULL },
};

static workload *step(device *d, const void *config, const int64_t *values, error *err)
{
    return diffusion_prior_workload(d, config, values[0], err);
}

static workload *drawing(device *d, const void *config, const int64_t *values, dtype type, error *err)
{
    return diffusion_prior_workload_drawing(d, config, values[0], type, err);
}

#define SIZES_EMOJI \
    "layers=4", "size=160", "heads=5", "text_tokens=24", "text_vocabulary=1536", "ema=0", "dropout=0"

/* No averages: the others keep none. */
static const kind_case cases[] = {
    { .name = "diffusion-prior:emoji-b64",
      .sets = { SIZES_EMOJI, "batch=64", "accumulate=1", "recompute=no" },
      .given = { 128 } },
    { .name = "diffusion-prior:512x6-b32",
      .large = true,
      .sets = { "layers=6", "size=512", "heads=8", "text_tokens=77", "text_vocabulary=8192", "ema=0",
                "batch=32", "accumulate=1", "recompute=no" },
      .given = { 512 } },
    { .name = "embed:emoji", .drawing = true, .sets = { SIZES_EMOJI }, .given = { 128 } },
    { .name = NULL },
};

/* ---- A trained part ---- */

static void close_part(void *self)
{
    diffusion_prior_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    clip_part *clip = part_list_find(beside, &clip_kind)->self;
    diffusion_prior_part *p = diffusion_prior_part_read(d, folder, clip, err);
    if (p) *out = (model_part){ &diffusion_prior_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

static bool belongs(device *d, const model_part *p, const part_list *beside, error *err)
{
    (void)d;
    const model_part *clip = part_list_find(beside, &clip_kind);
    return clip_source_check(clip->self, clip->folder, p->metadata, false, diffusion_prior_kind.title,
                             p->folder, err);
}

static bool is_learnt(const char *name)
{
    return strcmp(name, DIFFUSION_PRIOR_MEAN) == 0 || strcmp(name, DIFFUSION_PRIOR_DEVIATION) == 0;
}

/* ---- What is said of it ---- */

static void tell(const model_part *p, char text[PART_TELL])
{
    const diffusion_prior_config *c = p->config;
    snprintf(text, PART_TELL, "captions become embeddings, the best of %lld in %.40s steps",
             (long long)c->candidates, c->spacing);
}

/* How it draws unless it is told otherwise. */
static void describe(const void *config, json_t **to)
{
    const diffusion_prior_config *c = config;
    bool ddim = c->sampler == diffusion_prior_sampler_ddim;
    json_tree_put(to, "drawing",
                  json_pack("{s:s, s:s, s:f, s:f, s:I}", "spacing", c->spacing, "sampler",
                            ddim ? "ddim" : "ddpm", "eta", c->eta, "guidance", c->guidance, "candidates",
                            (json_int_t)c->candidates));
}

const model_kind diffusion_prior_kind = {
    .name = "diffusion-prior",
    .title = "diffusion prior",
    .what = "a diffusion prior",
    .learns = "captions to embeddings of pictures",
    .examples = "dalle-cl train diffusion-prior --preset small --data mine --clip runs/clip --run runs/embed",
    .packing =
        "A diffusion prior draws embeddings of pictures for captions, and is refused with another CLIP than\n"
        "the one whose embeddings it learned.",
    .settings = &diffusion_prior_config_table,
    .needs = needs,
    .captions = true,
    .train = diffusion_prior_train,
    .fit = fit,
    .given = given,
    .step = step,
    .drawing = drawing,
    .cases = cases,
    .open = open_part,
    .close = close_part,
    .belongs = belongs,
    .is_learnt = is_learnt,
    .tell = tell,
    .describe = describe,
};
