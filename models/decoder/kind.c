/* kind.c -- the decoder as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/json_tree.h"
#include "models/decoder/decoder_part.h"
#include "models/decoder/decoder_train.h"
#include "models/decoder/decoder_workload.h"
#include "models/fit.h"
#include "models/unclip/clip_source.h"

#include <stdio.h>

static bool image_of(const model_part *clip, char hex[65], error *err)
{
    return clip_part_image_fingerprint(clip->self, hex, err);
}

static const kind_need needs[] = {
    { .kind = &clip_kind,
      .help = "run or model folder of the CLIP whose embeddings it makes pictures from",
      .half = CLIP_IMAGE_KEY,
      .half_fingerprint = image_of },
    { .kind = NULL },
};

/* ---- Steps and drawings ---- */

static void fit(void *config, int64_t pictures)
{
    decoder_config *c = config;
    decoder_fit(c, pictures, NULL);
    if (c->text_tokens == 0) c->text_tokens = fit_text_tokens(0);
}

static const kind_given given[] = {
    { "embedding", "1024", 1, 65536, "numbers of an embedding" },
    { "clip-width", "1024", 1, 65536, "width of the CLIP's text tower, for clip_text" },
    { .name = NULL },
};

static decoder_shape shape_of(const int64_t *values)
{
    return (decoder_shape){ .embedding = values[0], .text = values[1] };
}

static workload *step(device *d, const void *config, const int64_t *values, error *err)
{
    const decoder_shape shape = shape_of(values);
    return decoder_workload(d, config, &shape, err);
}

static workload *drawing(device *d, const void *config, const int64_t *values, dtype type, error *err)
{
    const decoder_shape shape = shape_of(values);
    return decoder_workload_drawing(d, config, &shape, type, err);
}

#define TEXT_EMOJI "text_tokens=24", "text_vocabulary=1689", "text_width=128", "text_layers=3", "text_heads=4"
#define NET_EMOJI  "size=32", "channels=48", "depth=2", "mult=1,2,2", "attention=16,8", "head=32", "groups=8"

/* No averages: the others keep none. */
static const kind_case cases[] = {
    { .name = "decoder:emoji-b32",
      .sets = { NET_EMOJI, TEXT_EMOJI, "batch=32", "accumulate=1", "recompute=no", "ema=0", "dropout=0" },
      .given = { 128, 112 } },
    { .name = "decoder:64x192-b4",
      .large = true,
      .sets = { "channels=192", "depth=3", "text_tokens=128", "text_vocabulary=8192", "text_width=512",
                "text_layers=16", "text_heads=8", "batch=4", "accumulate=1", "recompute=no", "ema=0",
                "dropout=0" },
      .given = { 512, 512 } },
    { .name = "picture:emoji-50",
      .drawing = true,
      .sets = { NET_EMOJI, TEXT_EMOJI, "spacing=50", "sampler=ddim", "guidance=3" },
      .given = { 128, 112 } },
    { .name = NULL },
};

/* ---- A trained part ---- */

static void close_part(void *self)
{
    decoder_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    clip_part *clip = part_list_find(beside, &clip_kind)->self;
    decoder_part *p = decoder_part_read(d, folder, clip, err);
    if (p) *out = (model_part){ &decoder_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

static bool belongs(device *d, const model_part *p, const part_list *beside, error *err)
{
    (void)d;
    const model_part *clip = part_list_find(beside, &clip_kind);
    const decoder_part *own = p->self;
    return clip_source_check(clip->self, clip->folder, p->metadata, !own->config.clip_text,
                             decoder_kind.title, p->folder, err);
}

/* ---- What is said of it ---- */

static void figures(const model_part *p, json_t **to)
{
    const decoder_config *c = p ? p->config : NULL;
    json_tree_put(to, "drawn_size", json_integer(c ? c->size : 0));
}

static void tell(const model_part *p, char text[PART_TELL])
{
    const decoder_config *c = p->config;
    snprintf(text, PART_TELL, "embeddings become pictures of %lld x %lld in %.40s steps%s",
             (long long)c->size, (long long)c->size, c->spacing,
             c->inpaint ? ", and fill in what is missing of one" : "");
}

/* How it draws unless it is told otherwise; a prior beside it says the same of embeddings. */
static void describe(const void *config, json_t **to)
{
    const decoder_config *c = config;
    bool ddim = c->sampler == decoder_sampler_ddim;
    json_tree_put(to, "pictures",
                  json_pack("{s:s, s:s, s:f, s:f}", "spacing", c->spacing, "sampler", ddim ? "ddim" : "ddpm",
                            "eta", c->eta, "guidance", c->guidance));
}

const model_kind decoder_kind = {
    .name = "decoder",
    .title = "decoder",
    .what = "a decoder",
    .learns = "embeddings of pictures, with their captions, to pictures",
    .examples = "dalle-cl train decoder --preset small --data mine --clip runs/clip --run runs/decoder\n"
                "dalle-cl train decoder --init models/mine --set inpaint=yes --data mine --clip models/mine "
                "--run runs/fill\n"
                "dalle-cl train decoder --run runs/decoder --resume",
    .packing =
        "A decoder draws pictures from embeddings, and is refused with another CLIP than the one whose\n"
        "embeddings it learned.",
    .settings = &decoder_config_table,
    .needs = needs,
    .captions = true,
    .train = decoder_train,
    .fit = fit,
    .given = given,
    .step = step,
    .drawing = drawing,
    .cases = cases,
    .makes = "size",
    .takes_last = true, /* drawings go on improving after the validation loss has turned */
    .open = open_part,
    .close = close_part,
    .belongs = belongs,
    .figures = figures,
    .tell = tell,
    .describe = describe,
};
