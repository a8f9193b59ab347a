/* toy_train.c -- the toy as a training task.
 * SPDX-License-Identifier: MIT */
#include "models/toy/toy.h"

#include "host/base/json_tree.h"
#include "models/data.h"
#include "models/kinds.h"

#include <stdlib.h>

typedef struct toy_trainer {
    toy_config config;
    device *device;
    store *store;
    toy_step step;
    training_data *data;
} toy_trainer;

static bool begin(void *self, int64_t step, error *err)
{
    toy_trainer *t = self;
    const loader_batch *batch = training_data_next(t->data, step, err);
    return batch && graph_write(t->step.pixels, batch->pixels, err) &&
           optimizer_schedule(t->step.optimizer, step, t->config.learning_rate, 1.0, err) &&
           graph_run(t->step.graph, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    toy_trainer *t = self;
    float loss, status[4];
    (void)step;
    if (!graph_read(t->step.loss, &loss, err) ||
        !graph_read(optimizer_status(t->step.optimizer), status, err))
        return false;
    out->finite = status[2] != 0.0f;
    train_metrics_add(out, "loss", loss, "%.5f");
    return true;
}

static bool open_data(toy_trainer *t, const train_request *r, const char *path, error *err)
{
    const toy_config *c = &t->config;
    training_data_options o = { .path = path,
                                .split = "",
                                .size = c->image_size,
                                .batch = c->batch,
                                .augment = "none",
                                .flip = "no",
                                .seed = (uint64_t)c->seed,
                                .threads = 1,
                                .run = r->run,
                                .resume = r->resume };
    return (t->data = training_data_open(&o, err)) != NULL;
}

static bool start_from(toy_trainer *t, const train_request *r, error *err)
{
    part_files from;
    if (!r->init || r->resume) return true;
    if (!part_files_find(r->init, &toy_kind, &from, err)) return false;
    bool ok = checkpoint_import(t->store, from.weights, true, NULL, err);
    part_files_free(&from);
    return ok;
}

static bool build(toy_trainer *t, const train_request *r, error *err)
{
    return (t->device = device_open(r->device, err)) && (t->store = store_create(t->device, err)) &&
           toy_step_build(&t->step, t->store, &t->config, err) &&
           graph_compile(t->step.graph, (uint64_t)t->config.seed, "`batch`", err) && start_from(t, r, err);
}

static bool run(toy_trainer *t, const train_request *r, const char *data, error *err)
{
    json_t *provenance =
        json_pack("{s:o, s:s}", "data", json_tree_string(data), "pictures", training_data_hash(t->data));
    char *text = request_config_text(&toy_config_table, &t->config, err);
    bool ok = text && provenance;
    if (text && !provenance) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
    if (ok && request_note_origin(r, provenance, err)) {
        train_task task = { .kind = "toy", .self = t, .store = t->store, .begin = begin, .end = end };
        train_options o = request_options(r, text, provenance);
        o.steps = t->config.steps;
        o.log_every = t->config.log_every;
        o.save_every = t->config.save_every;
        o.stop_after_bad = 1;
        ok = request_train(r, t->device, &task, &o, err);
    }
    json_decref(provenance);
    free(text);
    return ok;
}

bool toy_train(const train_request *r, error *err)
{
    static const char *const sizes[] = { "image_size", "size", NULL };
    toy_trainer t = { 0 };
    char *data = NULL;
    bool ok = request_config(r, &toy_config_table, &t.config, err) &&
              request_take_sizes(r, &toy_config_table, sizes, &t.config, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) && open_data(&t, r, data, err) &&
              build(&t, r, err) && run(&t, r, data, err);
    graph_destroy(t.step.graph);
    store_destroy(t.store);
    training_data_close(t.data);
    device_close(t.device);
    free(data);
    return ok;
}
