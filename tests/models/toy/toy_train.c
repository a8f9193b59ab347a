/* toy_train.c -- the toy as a training task.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"
#include "models/toy/toy.h"
#include "models/trainer.h"

#include <stdlib.h>

typedef struct toy_trainer {
    trainer base;
    toy_config config;
    toy_step step;
    const uint8_t *pixels; /* of the step's batch */
} toy_trainer;

static bool write_part(void *self, int64_t first, error *err)
{
    toy_trainer *t = self;
    int64_t size = t->config.image_size;
    return graph_write(t->step.pixels, t->pixels + first * size * size * 3, err);
}

static bool begin(void *self, int64_t step, error *err)
{
    toy_trainer *t = self;
    const trainer_graph g = { t->step.graph, &t->step.division, t->step.optimizer, write_part };
    const loader_batch *batch = training_data_next(t->base.data, step, err);
    if (batch) t->pixels = batch->pixels;
    return batch && trainer_step(&t->base, &g, step, t->config.learning_rate, t, err) &&
           graph_read_begin(t->step.loss, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    toy_trainer *t = self;
    float loss;
    (void)step;
    if (!graph_read_end(t->step.loss, &loss, err)) return false;
    train_metrics_add(out, "loss", loss, "%.5f");
    return trainer_figures(t->step.optimizer, t->config.learning_rate, out, err);
}

static bool open_data(toy_trainer *t, const char *path, error *err)
{
    if (!trainer_open_data(&t->base, path, t->config.image_size, false, err)) return false;
    toy_fit(&t->config, training_data_selection(t->base.data, false)->count);
    training_data_set_batch(t->base.data, t->config.batch);
    return toy_config_check(&t->config, err);
}

static bool start_from(toy_trainer *t, const train_request *r, error *err)
{
    part_files from;
    if (!r->init || r->resume) return true;
    if (!part_files_find(r->init, &toy_kind, &from, err)) return false;
    bool ok = checkpoint_import(t->base.store, from.weights, true, NULL, err);
    part_files_free(&from);
    return ok;
}

static bool build(toy_trainer *t, const train_request *r, error *err)
{
    return trainer_open_device(&t->base, err) && trainer_open_store(&t->base, err) &&
           toy_step_build(&t->step, t->base.store, &t->config, err) &&
           graph_compile(t->step.graph, (uint64_t)t->config.seed, TRAINING_KNOB, err) &&
           start_from(t, r, err);
}

bool toy_train(const train_request *r, error *err)
{
    static const char *const sizes[] = { "image_size", "size", NULL };
    toy_trainer t = { .config = { 0 } };
    train_task task = { .kind = "toy", .self = &t, .begin = begin, .end = end };
    char *data = NULL;
    trainer_init(&t.base, r, &t.config.training, NULL);
    bool ok = request_config(r, &toy_config_table, &t.config, err) &&
              request_take_sizes(r, &toy_config_table, sizes, &t.config, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) && open_data(&t, data, err) &&
              build(&t, r, err) && trainer_run(&t.base, &task, &toy_config_table, &t.config, data, NULL, err);
    graph_destroy(t.step.graph);
    trainer_close(&t.base);
    free(data);
    return ok;
}
