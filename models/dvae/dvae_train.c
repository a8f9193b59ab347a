/* dvae_train.c -- the first stage as a training task: schedules, figures, validation, sample grids.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_train.h"

#include "host/base/json_tree.h"
#include "host/train/schedule.h"
#include "models/announce.h"
#include "models/data.h"
#include "models/dvae/codec.h"
#include "models/dvae/dvae_step.h"
#include "models/dvae/dvae_workload.h"
#include "models/fit.h"
#include "models/kinds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 16, CODEC_BATCH = 16, MOST_VALIDATED = 512 };

typedef struct dvae_trainer {
    dvae_config config;
    device *device;
    store *store;
    dvae_step step;
    dvae_codec *codec; /* over the averaged parameters; made when first needed */
    training_data *data;
    code_counter *counter;
    int32_t *tokens;
    char warning[256];
    int64_t ended; /* the last step */
} dvae_trainer;

/* ---- One step ---- */

static double learning_rate_at(const dvae_config *c, int64_t step)
{
    int64_t steps = c->learning_rate_steps ? c->learning_rate_steps : c->steps;
    return schedule_cosine(c->learning_rate, c->learning_rate_end, steps, step) *
           schedule_warmup(c->warmup, step);
}

static double kl_weight_at(const dvae_config *c, int64_t step)
{
    return schedule_cosine(0, c->kl_weight, c->kl_steps, step);
}

static double temperature_at(const dvae_config *c, int64_t step)
{
    return schedule_cosine(c->temperature_start, c->temperature_end, c->temperature_steps, step);
}

static bool begin(void *self, int64_t step, error *err)
{
    dvae_trainer *t = self;
    const dvae_config *c = &t->config;
    const float schedule[2] = { (float)temperature_at(c, step), (float)kl_weight_at(c, step) };
    const int32_t random[4] = { (int32_t)(uint32_t)c->seed, (int32_t)(uint32_t)((uint64_t)c->seed >> 32),
                                (int32_t)step, 0 };
    const loader_batch *batch = training_data_next(t->data, step, err);
    return batch && graph_write(t->step.pixels, batch->pixels, err) &&
           graph_write(t->step.schedule, schedule, err) && graph_write(t->step.random, random, err) &&
           optimizer_schedule(t->step.optimizer, step, learning_rate_at(c, step), ema_decay_at(c->ema, step),
                              err) &&
           graph_run(t->step.graph, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    dvae_trainer *t = self;
    const dvae_config *c = &t->config;
    float loss, reconstruction, regulariser, squared_error, status[4];
    if (!graph_read(t->step.losses.loss, &loss, err) ||
        !graph_read(t->step.losses.reconstruction, &reconstruction, err) ||
        !graph_read(t->step.losses.regulariser, &regulariser, err) ||
        !graph_read(t->step.losses.squared_error, &squared_error, err) ||
        !graph_read(t->step.losses.tokens, t->tokens, err) ||
        !graph_read(optimizer_status(t->step.optimizer), status, err))
        return false;
    /* Codes are counted over the steps since the last metric line. */
    t->ended = step;
    if (step % c->log_every == 0) code_counter_clear(t->counter);
    code_counter_add(t->counter, t->tokens, tensor_count(t->step.losses.tokens));
    code_usage usage = code_counter_usage(t->counter);
    out->finite = status[2] != 0.0f;
    train_metrics_add(out, "loss", loss, "%.4f");
    train_metrics_add(out, "reconstruction", reconstruction, NULL);
    train_metrics_add(out, dvae_is_vq(c) ? "commitment" : "kl", regulariser, dvae_is_vq(c) ? "%.4f" : "%.5f");
    train_metrics_add(out, "psnr", psnr_of(squared_error), "%.2f");
    train_metrics_add(out, "codes", (double)usage.used, "%.0f");
    train_metrics_add(out, "entropy", usage.entropy, "%.2f");
    if (!dvae_is_vq(c)) train_metrics_add(out, "temperature", temperature_at(c, step), "%.3f");
    if (!dvae_is_vq(c)) train_metrics_add(out, "kl_weight", kl_weight_at(c, step), NULL);
    train_metrics_add(out, "gradient_norm", status[1], NULL);
    train_metrics_add(out, "learning_rate", learning_rate_at(c, step), NULL);
    return true;
}

/* Codes come and go until the step size has stood for a while: that is no collapse yet. */
static const char *warn(void *self, const train_metrics *m)
{
    dvae_trainer *t = self;
    if (t->ended < 2 * t->config.warmup) return NULL;
    for (int i = 0; i < m->count; ++i) {
        if (strcmp(m->at[i].name, "codes") != 0 || m->at[i].value * 10 >= (double)t->config.codes) continue;
        snprintf(t->warning, sizeof t->warning, "codebook collapse: %.0f of %lld codes in use; try %s",
                 m->at[i].value, (long long)t->config.codes,
                 dvae_is_vq(&t->config)
                     ? "a lower codebook_decay, a higher codebook_revive or a lower learning_rate"
                     : "quantiser=vq, a lower kl_weight or a higher temperature_end");
        return t->warning;
    }
    return NULL;
}

/* ---- Validation and samples: hard tokens and averaged parameters, as the model will be used ---- */

static bool need_codec(dvae_trainer *t, error *err)
{
    if (!t->codec)
        t->codec = dvae_codec_create(t->store, &t->config, CODEC_BOTH, CODEC_BATCH, t->config.ema > 0, err);
    return t->codec != NULL;
}

/* Encodes and decodes pictures; *pixels and *tokens are to be freed. */
static bool reconstruct(dvae_trainer *t, const uint8_t *pixels, int64_t count, uint8_t **out,
                        int32_t **tokens, error *err)
{
    int64_t size = t->config.image_size, side = dvae_tokens_side(&t->config);
    *out = malloc((size_t)(count * size * size * 3));
    *tokens = malloc((size_t)(count * side * side) * sizeof **tokens);
    if (!*out || !*tokens)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld reconstructions", (long long)count);
    return need_codec(t, err) && dvae_codec_encode(t->codec, pixels, count, *tokens, err) &&
           dvae_codec_decode(t->codec, *tokens, count, *out, err);
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    dvae_trainer *t = self;
    int64_t count, size = t->config.image_size, side = dvae_tokens_side(&t->config);
    const uint8_t *real = training_data_validation(t->data, MOST_VALIDATED, &count, err);
    if (!real) return false;
    uint8_t *again = NULL;
    int32_t *tokens = NULL;
    code_counter *counter = code_counter_create(t->config.codes, err);
    bool ok = counter && reconstruct(t, real, count, &again, &tokens, err);
    if (ok) {
        double sum = 0;
        for (int64_t i = 0; i < count * size * size * 3; ++i) {
            double d = ((double)again[i] - (double)real[i]) / 255.0;
            sum += d * d;
        }
        code_counter_add(counter, tokens, count * side * side);
        code_usage usage = code_counter_usage(counter);
        double error_mean = sum / (double)(count * size * size * 3);
        out->finite = isfinite(error_mean);
        train_metrics_add(out, "squared_error", error_mean, NULL);
        train_metrics_add(out, "psnr", psnr_of(error_mean), "%.2f");
        train_metrics_add(out, "codes", (double)usage.used, "%.0f");
        train_metrics_add(out, "entropy", usage.entropy, "%.2f");
    }
    free(again);
    free(tokens);
    code_counter_destroy(counter);
    return ok;
}

/* Originals over reconstructions. */
static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    dvae_trainer *t = self;
    int64_t count, size = t->config.image_size;
    const uint8_t *real = training_data_validation(t->data, SHOWN, &count, err);
    if (!real) return false;
    uint8_t *again = NULL;
    int32_t *tokens = NULL;
    bool ok = reconstruct(t, real, count, &again, &tokens, err);
    ok = ok && training_grid_pairs(path, real, again, count, size, NULL, err);
    free(again);
    free(tokens);
    return ok;
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    dvae_trainer *t = self;
    return code_counter_save(t->counter);
}

static bool load_state(void *self, const json_t *state, error *err)
{
    dvae_trainer *t = self;
    return code_counter_load(t->counter, state, err);
}

/* ---- Setting up ---- */

static bool build(dvae_trainer *t, error *err)
{
    return (t->store = store_create(t->device, err)) &&
           dvae_step_build(&t->step, t->store, &t->config, err) &&
           graph_compile(t->step.graph, (uint64_t)t->config.seed, DVAE_STEP_KNOB, err);
}

/* What the settings leave to the set; and if that was the number of steps, how long they will take. */
static bool fit(dvae_trainer *t, error *err)
{
    char what[128];
    bool chosen;
    int64_t pictures = training_data_selection(t->data, false)->count;
    fit_dvae(&t->config, pictures, &chosen);
    training_data_set_batch(t->data, t->config.batch);
    if (!dvae_config_check(&t->config, err) || !chosen) return dvae_config_check(&t->config, err);
    snprintf(what, sizeof what, "%lld picture%s, %lld codes, %lld steps of %lld", (long long)pictures,
             pictures == 1 ? "" : "s", (long long)t->config.codes, (long long)t->config.steps,
             (long long)t->config.batch);
    return announce_run(dvae_workload(t->device, &t->config, err), t->config.steps, what, err);
}

/* A model's file has the codes but not how they were used: as if all had been alike, so that none is replaced at once. */
static bool start_codebook(dvae_trainer *t, error *err)
{
    store_entry *codes = store_find(t->store, "codebook"), *usage = store_find(t->store, "codebook_usage"),
                *mean = store_find(t->store, "codebook_mean");
    if (!codes || !usage || !mean) return true;
    float share = (float)tensor_count(t->step.losses.tokens) / (float)usage->count;
    float *values = malloc((size_t)codes->count * sizeof *values),
          *even = malloc((size_t)usage->count * sizeof *even);
    bool ok = values && even ? true : error_set(err, ERROR_MEMORY, "out of memory for a codebook");
    ok = ok && store_read_f32(t->store, codes, values, err);
    for (int64_t i = 0; ok && i < codes->count; ++i) values[i] *= share;
    for (int64_t i = 0; ok && i < usage->count; ++i) even[i] = share;
    ok = ok && store_write_f32(t->store, mean, values, err) && store_write_f32(t->store, usage, even, err);
    free(values);
    free(even);
    return ok;
}

static bool set_up(dvae_trainer *t, const train_request *r, const char *data, error *err)
{
    const dvae_config *c = &t->config;
    training_data_options options = { .path = data,
                                      .split = c->split,
                                      .holdout = c->holdout,
                                      .size = c->image_size,
                                      .batch = c->batch,
                                      .augment = c->augment,
                                      .flip = c->flip,
                                      .seed = (uint64_t)c->seed,
                                      .threads = (int)c->threads,
                                      .skip_share = c->skip_share,
                                      .run = r->run,
                                      .resume = r->resume };
    if (!(t->data = training_data_open(&options, err)) || !(t->device = device_open(r->device, err)) ||
        !fit(t, err) || !build(t, err))
        return false;
    t->tokens = malloc((size_t)tensor_count(t->step.losses.tokens) * sizeof *t->tokens);
    if (!t->tokens) return error_set(err, ERROR_MEMORY, "out of memory for a batch's tokens");
    if (!(t->counter = code_counter_create(c->codes, err))) return false;
    if (!r->init || r->resume) return true;
    part_files from;
    if (!part_files_find(r->init, &dvae_kind, &from, err)) return false;
    bool ok = checkpoint_import(t->store, from.weights, true, NULL, err) && start_codebook(t, err);
    part_files_free(&from);
    return ok;
}

static void clean_up(dvae_trainer *t)
{
    dvae_codec_destroy(t->codec);
    graph_destroy(t->step.graph);
    store_destroy(t->store);
    training_data_close(t->data);
    device_close(t->device);
    code_counter_destroy(t->counter);
    free(t->tokens);
}

bool dvae_train(const train_request *r, error *err)
{
    dvae_trainer t = { 0 };
    char *data = NULL, *text = NULL;
    json_t *provenance = NULL;
    bool ok = request_config(r, &dvae_config_table, &t.config, err) &&
              request_take_sizes(r, &dvae_config_table, dvae_sizes, &t.config, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) && set_up(&t, r, data, err) &&
              (text = request_config_text(&dvae_config_table, &t.config, err));
    if (ok) {
        provenance =
            json_pack("{s:o, s:s}", "data", json_tree_string(data), "pictures", training_data_hash(t.data));
        ok = provenance ? true
                        : error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
        ok = ok && request_note_origin(r, provenance, err);
    }
    if (ok) {
        const dvae_config *c = &t.config;
        train_task task = { "dvae", &t, t.store, begin, end, evaluate, draw, save_state, load_state, warn };
        train_options options = request_options(r, text, provenance);
        options.steps = c->steps;
        options.log_every = c->log_every;
        options.save_every = c->save_every;
        options.eval_every = c->eval_every;
        options.sample_every = c->sample_every;
        options.stop_after_bad = c->stop_after_bad;
        options.patience = c->patience;
        ok = request_train(r, t.device, &task, &options, err);
    }
    json_decref(provenance);
    free(text);
    free(data);
    clean_up(&t);
    return ok;
}
