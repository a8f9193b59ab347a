/* kind.c -- the upsampler as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/json_tree.h"
#include "models/upsampler/upsampler_part.h"
#include "models/upsampler/upsampler_train.h"
#include "models/upsampler/upsampler_workload.h"

#include <stdio.h>

/* ---- Steps ---- */

static void fit(void *config, int64_t pictures)
{
    upsampler_fit(config, pictures, NULL);
}

static workload *step(device *d, const void *config, const int64_t *given, error *err)
{
    (void)given;
    return upsampler_workload(d, config, err);
}

static workload *drawing(device *d, const void *config, const int64_t *given, dtype type, error *err)
{
    (void)given;
    (void)type; /* it has hardly a matrix */
    return upsampler_workload_drawing(d, config, err);
}

/* The published recipe, and the shipped model's first.  No averages: the others keep none. */
#define EMOJI \
    "size=64", "from=32", "channels=24", "depth=2", "mult=1,2,2,2", "groups=8", "dropout=0", \
        "variance=posterior"
static const kind_case cases[] = {
    { .name = "upsampler:emoji-64-b16", .sets = { EMOJI, "crop=0.5", "batch=16", "ema=0" } },
    { .name = "upsampler:emoji-64-picture", .drawing = true, .sets = { EMOJI }, .weights = DTYPE_F32 },
    { .name = "upsampler:paper-64-b1", .large = true, .sets = { "batch=1", "ema=0" } },
    { .name = NULL },
};
#undef EMOJI

/* ---- A trained part ---- */

static void close_part(void *self)
{
    upsampler_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    int number = part_list_count(beside, &upsampler_kind, folder);
    upsampler_part *p = upsampler_part_open(d, folder, number, err);
    if (p) *out = (model_part){ &upsampler_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

/* ---- What is said of it ---- */

static void tell(const model_part *p, char text[PART_TELL])
{
    const upsampler_config *c = p->config;
    snprintf(text, PART_TELL, "pictures of %lld x %lld become %lld x %lld", (long long)c->from,
             (long long)c->from, (long long)c->size, (long long)c->size);
}

static void describe(const void *config, json_t **to)
{
    const upsampler_config *c = config;
    char key[64];
    snprintf(key, sizeof key, "enlarging %lld to %lld", (long long)c->from, (long long)c->size);
    json_tree_put(to, key,
                  json_pack("{s:s, s:s, s:f}", "steps", c->spacing, "sampler",
                            c->sampler == upsampler_sampler_ddim ? "ddim" : "ddpm", "eta", c->eta));
}

const model_kind upsampler_kind = {
    .name = "upsampler",
    .title = "upsampler",
    .what = "an upsampler",
    .learns = "small pictures to large ones",
    .examples = "dalle-cl train upsampler --preset small --data mine --run runs/up\n"
                "dalle-cl train upsampler --preset emoji-64 --data emoji.tar --run runs/up\n"
                "dalle-cl train upsampler --run runs/up --resume",
    .packing =
        "Two upsamplers may stand in a model, the second of which takes the size that the first makes.",
    .settings = &upsampler_config_table,
    .train = upsampler_train,
    .fit = fit,
    .step = step,
    .drawing = drawing,
    .cases = cases,
    .most = UPSAMPLERS,
    .takes = "from",
    .makes = "size",
    .open = open_part,
    .close = close_part,
    .tell = tell,
    .describe = describe,
};
