/* kind.c -- the dVAE as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/json_tree.h"
#include "models/dvae/dvae_part.h"
#include "models/dvae/dvae_train.h"
#include "models/dvae/dvae_workload.h"

#include <stdio.h>

/* ---- Steps ---- */

static void fit(void *config, int64_t pictures)
{
    dvae_fit(config, pictures, NULL);
}

static workload *step(device *d, const void *config, const int64_t *given, error *err)
{
    (void)given;
    return dvae_workload(d, config, err);
}

/* The published recipe, at sizes that PyTorch has been measured at.  No averages: the others keep none. */
static const kind_case cases[] = {
    { .name = "dvae:paper-256-b1", .large = true, .sets = { "batch=1", "ema=0" } },
    { .name = "dvae:hid64-64-b16",
      .sets = { "image_size=64", "channels=64", "groups=3", "codes=1024", "batch=16", "ema=0" } },
    { .name = "dvae:hid64-64-b16-f16",
      .sets = { "image_size=64", "channels=64", "groups=3", "codes=1024", "batch=16", "ema=0",
                "precision=mixed" },
      .weights = DTYPE_F16 },
    { .name = NULL },
};

/* ---- A trained part ---- */

static void close_part(void *self)
{
    dvae_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    (void)beside;
    dvae_part *p = dvae_part_open(d, folder, CODEC_BOTH | CODEC_LATER, 1, err);
    if (p) *out = (model_part){ &dvae_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

static bool encode_pictures(void *self, const uint8_t *pixels, int64_t count, int32_t *tokens, error *err)
{
    dvae_part *p = self;
    return dvae_codec_encode(p->codec, pixels, count, tokens, err);
}

/* With the decoder, which is never built, so that the fingerprint is the one that training takes. */
static bool open_coder(device *d, const char *folder, int64_t at_once, picture_coder *out, error *err)
{
    dvae_part *p = dvae_part_open(d, folder, CODEC_BOTH | CODEC_LATER, at_once, err);
    if (!p) return false;
    *out = (picture_coder){
        p,         p->config.image_size, dvae_tokens_side(&p->config), p->config.codes, "", encode_pictures,
        close_part
    };
    if (checkpoint_fingerprint(p->store, out->origin, err)) return true;
    dvae_part_close(p);
    *out = (picture_coder){ .self = NULL };
    return false;
}

static void figures(const model_part *p, json_t **to)
{
    const dvae_config *c = p ? p->config : NULL;
    json_tree_put(to, "side", json_integer(c ? c->image_size : 0));
    json_tree_put(to, "tokens_side", json_integer(c ? dvae_tokens_side(c) : 0));
    json_tree_put(to, "codes", json_integer(c ? c->codes : 0));
}

static void tell(const model_part *p, char text[PART_TELL])
{
    const dvae_config *c = p->config;
    long long side = c->image_size, tokens = dvae_tokens_side(c);
    snprintf(text, PART_TELL, "pictures of %lld x %lld become %lld x %lld tokens of %lld codes", side, side,
             tokens, tokens, (long long)c->codes);
}

const model_kind dvae_kind = {
    .name = "dvae",
    .title = "dVAE",
    .what = "a discrete VAE",
    .learns = "pictures to tokens and back",
    .examples = "dalle-cl train dvae --preset small --data mine --run runs/dvae\n"
                "dalle-cl train dvae --init models/demo --data mine --run runs/dvae2\n"
                "dalle-cl train dvae --run runs/dvae --resume",
    .packing = "Of a dVAE's run the best checkpoint by validation is taken.",
    .settings = &dvae_config_table,
    .train = dvae_train,
    .fit = fit,
    .step = step,
    .cases = cases,
    .open = open_part,
    .close = close_part,
    .coder = open_coder,
    .is_learnt = dvae_is_codebook,
    .figures = figures,
    .tell = tell,
    .use = { "see what it keeps of pictures with", "reconstruct", "PICTURE..." },
    .without = "it encodes, decodes and reconstructs, and draws nothing from captions",
};
