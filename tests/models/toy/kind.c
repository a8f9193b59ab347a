/* kind.c -- the toy as a kind of model: models/kinds.h.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"

#include "host/base/json_tree.h"
#include "models/toy/toy.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- A step on made-up pictures ---- */

static void fit(void *config, int64_t pictures)
{
    toy_fit(config, pictures);
}

typedef struct made_up {
    toy_config config;
    toy_step step;
} made_up;

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    bool ok = toy_step_build(&m->step, s, &m->config, err);
    *out =
        (workload_step){ m->step.graph, m->step.optimizer, m->step.loss, &m->step.division, TRAINING_KNOB };
    return ok;
}

static bool fill(void *self, error *err)
{
    const toy_step *s = &((made_up *)self)->step;
    const int32_t random[4] = { 0 };
    int64_t count = tensor_count(s->pixels);
    uint8_t *pixels = malloc((size_t)count);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    workload_pixels(pixels, count);
    bool ok = graph_write(s->pixels, pixels, err) && graph_write(s->random, random, err);
    free(pixels);
    return ok;
}

static const workload_type type = { .build = build, .fill = fill, .destroy = free };

static workload *step(device *d, const void *config, const int64_t *given, error *err)
{
    (void)given;
    if (!toy_config_check(config, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *(const toy_config *)config;
    return workload_create(d, &type, m, err);
}

static const kind_case cases[] = {
    { .name = "toy:64-b8", .sets = { "batch=8" } },
    { .name = NULL },
};

/* ---- A trained part ---- */

typedef struct toy_part {
    toy_config config;
    store *store;
    checkpoint_metadata metadata;
} toy_part;

static void close_part(void *self)
{
    toy_part *p = self;
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

static bool open_part(device *d, const char *folder, const part_list *beside, model_part *out, error *err)
{
    part_files files;
    (void)beside;
    if (!part_files_find(folder, &toy_kind, &files, err)) return false;
    toy_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a toy");
    ok = ok && part_files_config(&files, &p->config, err) && (p->store = part_store_create(d, err)) &&
         toy_declare(p->store, &p->config, err) &&
         checkpoint_import(p->store, files.weights, files.run, &p->metadata, err);
    part_files_free(&files);
    if (ok)
        *out = (model_part){ &toy_kind, p, folder, &p->config, p->store, &p->metadata };
    else if (p)
        close_part(p);
    return ok;
}

/* ---- What is said of it ---- */

static void figures(const model_part *p, json_t **to)
{
    const toy_config *c = p ? p->config : NULL;
    json_tree_put(to, "numbers", json_integer(c ? c->size : 0));
}

static void tell(const model_part *p, char text[PART_TELL])
{
    const toy_config *c = p->config;
    long long side = c->image_size;
    snprintf(text, PART_TELL, "pictures of %lld x %lld become %lld numbers", side, side, (long long)c->size);
}

static void describe(const void *config, json_t **to)
{
    const toy_config *c = config;
    json_tree_put(to, "squeezing",
                  json_pack("{s:I, s:I}", "values", (json_int_t)(3 * c->image_size * c->image_size),
                            "numbers", (json_int_t)c->size));
}

const model_kind toy_kind = {
    .name = "toy",
    .title = "toy",
    .what = "a linear autoencoder",
    .learns = "pictures to a few numbers and back",
    .examples = "dalle-cl train toy --preset small --data mine --run runs/toy",
    .settings = &toy_config_table,
    .train = toy_train,
    .fit = fit,
    .step = step,
    .cases = cases,
    .open = open_part,
    .close = close_part,
    .figures = figures,
    .tell = tell,
    .describe = describe,
};
