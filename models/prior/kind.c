/* kind.c -- the prior as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/fit.h"
#include "models/prior/calibrate.h"
#include "models/prior/known.h"
#include "models/prior/origin.h"
#include "models/prior/prior_train.h"
#include "models/prior/prior_workload.h"

#include <stdio.h>
#include <stdlib.h>

static const kind_need needs[] = {
    { .kind = &dvae_kind, .help = "run or model folder of the dVAE whose tokens it learns" },
    { .kind = NULL },
};

/* ---- Steps and drawings ---- */

static void fit(void *config, int64_t pictures)
{
    prior_config *c = config;
    prior_fit(c, pictures, NULL);
    if (c->text_tokens == 0) c->text_tokens = fit_text_tokens(0);
}

static const kind_given given[] = {
    { "side", "32", 1, 4096, "image tokens a side" },
    { "codes", "8192", 2, 1048576, "image vocabulary" },
    { .name = NULL },
};

static prior_shape shape_of(const int64_t *values)
{
    return (prior_shape){ .side = values[0], .codes = values[1] };
}

static workload *step(device *d, const void *config, const int64_t *values, error *err)
{
    prior_shape shape = shape_of(values);
    return prior_workload(d, config, &shape, err);
}

static workload *drawing(device *d, const void *config, const int64_t *values, dtype type, error *err)
{
    prior_shape shape = shape_of(values);
    return prior_workload_drawing(d, config, &shape, type, err);
}

#define SIZES_512x12 "size=512", "layers=12", "heads=8"
#define SIZES_256x8  "size=256", "layers=8", "heads=4", "text_tokens=32", "text_vocabulary=2048"

/* At sizes that PyTorch has been measured at.  No averages: the others keep none. */
static const kind_case cases[] = {
    { .name = "prior:512x12-b2",
      .large = true,
      .sets = { SIZES_512x12, "batch=2", "ema=0", "recompute=no" },
      .given = { 32, 8192 } },
    { .name = "prior:512x12-b2-f16",
      .large = true,
      .sets = { SIZES_512x12, "batch=2", "ema=0", "recompute=no", "precision=mixed" },
      .given = { 32, 8192 },
      .weights = DTYPE_F16 },
    { .name = "prior:256x8-b16",
      .sets = { SIZES_256x8, "batch=16", "ema=0", "recompute=no" },
      .given = { 16, 1024 } },
    { .name = "prior:256x8-b16-f16",
      .sets = { SIZES_256x8, "batch=16", "ema=0", "recompute=no", "precision=mixed" },
      .given = { 16, 1024 },
      .weights = DTYPE_F16 },
    { .name = "sample:512x12",
      .large = true,
      .drawing = true,
      .sets = { SIZES_512x12, "batch=1", "ema=0" },
      .given = { 32, 8192 } },
    { .name = "sample:512x12-f16",
      .large = true,
      .drawing = true,
      .sets = { SIZES_512x12, "batch=1", "ema=0" },
      .given = { 32, 8192 },
      .weights = DTYPE_F16 },
    { .name = "sample:256x8",
      .drawing = true,
      .sets = { SIZES_256x8, "batch=1", "ema=0" },
      .given = { 16, 1024 } },
    { .name = "sample:256x8-f16",
      .drawing = true,
      .sets = { SIZES_256x8, "batch=1", "ema=0" },
      .given = { 16, 1024 },
      .weights = DTYPE_F16 },
    { .name = NULL },
};

/* ---- A trained part ---- */

static const part_role files[] = {
    { PART_TOKENIZER, "tokenizer.model", true, NULL },
    { PART_WORDS, "words.txt", false, NULL },
    { .role = NULL },
};

static void close_part(void *self)
{
    prior_part_close(self);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    const dvae_config *dvae = part_list_find(beside, &dvae_kind)->config;
    prior_shape shape = { dvae_tokens_side(dvae), dvae->codes };
    prior_part *p = prior_part_open(d, folder, &shape, err);
    if (p) *out = (model_part){ &prior_kind, p, folder, &p->config, p->store, &p->metadata };
    return p != NULL;
}

static bool belongs(device *d, const model_part *p, const part_list *beside, error *err)
{
    const model_part *dvae = part_list_find(beside, &dvae_kind);
    return origin_check(d, dvae->self, dvae->folder, p->self, p->folder, err);
}

/* Of a packed model what it knows; a run has no such file yet. */
static bool copy_known(const char *from, const char *to, error *err)
{
    known_captions known;
    if (!known_captions_read(&known, from, err)) return false;
    bool ok = !known.count || known_captions_write(&known, to, err);
    known_captions_free(&known);
    return ok;
}

static bool save_files(const model_part *p, const char *folder, error *err)
{
    const prior_part *prior = p->self;
    char *path = file_join(folder, "tokenizer.model"), *list = file_join(folder, "words.txt");
    bool ok = path && list ? true : error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    ok = ok && tokenizer_save(prior->tokenizer, path, err) &&
         (!prior->words || words_save(prior->words, list, err)) && copy_known(p->folder, folder, err);
    free(path);
    free(list);
    return ok;
}

/* ---- What is said of it ---- */

static void figures(const model_part *p, json_t **to)
{
    const prior_config *c = p ? p->config : NULL;
    json_tree_put(to, "text_tokens", json_integer(c ? c->text_tokens : 0));
}

static void tell(const model_part *p, char text[PART_TELL])
{
    const prior_config *c = p->config;
    snprintf(text, PART_TELL, "captions have up to %lld tokens", (long long)c->text_tokens);
}

/* How it draws unless it is told otherwise. */
static void describe(const void *config, json_t **to)
{
    const prior_config *c = config;
    json_tree_put(to, "drawing",
                  json_pack("{s:f, s:I, s:f, s:f, s:f, s:f}", "temperature", c->temperature, "top_k",
                            (json_int_t)c->top_k, "top_p", c->top_p, "guidance", c->guidance, "entropy_known",
                            c->entropy_known, "sureness_known", c->sureness_known));
}

static bool calibrate(device *d, const char *run, const char *folder, const char *data, int64_t captions,
                      calibration *out, error *err)
{
    char *found = data ? NULL : calibrate_recorded_data(run, err);
    bool ok = (data || found) && calibrate_model(d, folder, data ? data : found, captions, out, err);
    free(found);
    return ok;
}

const model_kind prior_kind = {
    .name = "prior",
    .title = "prior",
    .what = "a transformer prior",
    .learns = "captions to picture tokens",
    .examples = "dalle-cl train prior --preset small --data mine --dvae runs/dvae --run runs/prior\n"
                "dalle-cl train prior --init models/demo --data mine --dvae runs/dvae2 --run runs/prior2\n"
                "dalle-cl train prior --run runs/prior --resume",
    .packing =
        "Of a prior's run the last one is taken, whose drawings are better than those of lowest loss. "
        "Without\n"
        "a prior, the model can encode, decode and reconstruct. A prior is refused with another dVAE than "
        "the\n"
        "one whose tokens it learned.\n"
        "Then captions that the prior knows are drawn, those kept aside first, to learn how unsure it is of\n"
        "what it draws right: `generate` says when a caption is above that. Beside a CLIP captions of the\n"
        "training part are kept with the model, of which `generate` draws those near one that it does not\n"
        "know.",
    .settings = &prior_config_table,
    .needs = needs,
    .captions = true,
    .train = prior_train,
    .fit = fit,
    .given = given,
    .step = step,
    .drawing = drawing,
    .cases = cases,
    .files = files,
    .takes_last =
        true, /* drawings go on improving long after the validation loss has turned (docs/demo-model.md) */
    .open = open_part,
    .close = close_part,
    .belongs = belongs,
    .save_files = save_files,
    .figures = figures,
    .tell = tell,
    .use = { "draw with", "generate", "\"a caption\"" },
    .describe = describe,
    .calibrate = calibrate,
};
