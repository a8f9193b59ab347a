/* dvae_train.c -- the first stage as a training task: schedules, figures, validation, sample grids.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_train.h"

#include "models/announce.h"
#include "models/dvae/codec.h"
#include "models/dvae/dvae_step.h"
#include "models/dvae/dvae_workload.h"
#include "models/fit.h"
#include "models/kinds.h"
#include "models/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODEC_BATCH = 16 };

typedef struct dvae_trainer {
    trainer base;
    dvae_config config;
    dvae_step step;
    const uint8_t *pixels; /* of the step's batch */
    dvae_codec *codec;     /* over the averaged parameters; made when first needed */
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

static bool write_part(void *self, int64_t first, error *err)
{
    dvae_trainer *t = self;
    int64_t size = t->config.image_size;
    return graph_write(t->step.pixels, t->pixels + first * size * size * 3, err);
}

/* What a step tells the host, besides what every kind's does. */
static bool read_begin(const dvae_step *s, error *err)
{
    return graph_read_begin(s->losses.loss, err) && graph_read_begin(s->losses.reconstruction, err) &&
           graph_read_begin(s->losses.regulariser, err) && graph_read_begin(s->losses.squared_error, err) &&
           graph_read_begin(s->losses.tokens, err);
}

static bool begin(void *self, int64_t step, error *err)
{
    dvae_trainer *t = self;
    const dvae_config *c = &t->config;
    const float schedule[2] = { (float)temperature_at(c, step), (float)kl_weight_at(c, step) };
    const trainer_graph g = { t->step.graph, &t->step.division, t->step.optimizer, write_part };
    const loader_batch *batch = training_data_next(t->base.data, step, err);
    if (!batch) return false;
    t->pixels = batch->pixels;
    return graph_write(t->step.schedule, schedule, err) &&
           trainer_step(&t->base, &g, step, learning_rate_at(c, step), t, err) && read_begin(&t->step, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    dvae_trainer *t = self;
    const dvae_config *c = &t->config;
    float loss, reconstruction, regulariser, squared_error;
    if (!graph_read_end(t->step.losses.loss, &loss, err) ||
        !graph_read_end(t->step.losses.reconstruction, &reconstruction, err) ||
        !graph_read_end(t->step.losses.regulariser, &regulariser, err) ||
        !graph_read_end(t->step.losses.squared_error, &squared_error, err) ||
        !graph_read_end(t->step.losses.tokens, t->tokens, err))
        return false;
    /* Codes are counted over the steps since the last metric line. */
    t->ended = step;
    if (step % c->log_every == 0) code_counter_clear(t->counter);
    code_counter_add(t->counter, t->tokens, tensor_count(t->step.losses.tokens));
    code_usage usage = code_counter_usage(t->counter);
    train_metrics_add(out, "loss", loss, "%.4f");
    train_metrics_add(out, "reconstruction", reconstruction, NULL);
    train_metrics_add(out, dvae_is_vq(c) ? "commitment" : "kl", regulariser, dvae_is_vq(c) ? "%.4f" : "%.5f");
    train_metrics_add(out, "psnr", psnr_of(squared_error), "%.2f");
    train_metrics_add(out, "codes", (double)usage.used, "%.0f");
    train_metrics_add(out, "entropy", usage.entropy, "%.2f");
    if (!dvae_is_vq(c)) train_metrics_add(out, "temperature", temperature_at(c, step), "%.3f");
    if (!dvae_is_vq(c)) train_metrics_add(out, "kl_weight", kl_weight_at(c, step), NULL);
    return trainer_figures(t->step.optimizer, learning_rate_at(c, step), out, err);
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
        t->codec = dvae_codec_create(t->base.store, &t->config, CODEC_BOTH | CODEC_SCORE, CODEC_BATCH,
                                     t->config.ema > 0, err);
    return t->codec != NULL;
}

/* Encodes and decodes pictures into `out`; counts their codes, if there is a counter, and says how likely
 * they are, if `nats` is there. */
static bool reconstruct(dvae_trainer *t, const uint8_t *pixels, int64_t count, uint8_t *out,
                        code_counter *counter, double *nats, error *err)
{
    int64_t side = dvae_tokens_side(&t->config), all = count * side * side;
    int32_t *tokens = malloc((size_t)all * sizeof *tokens);
    bool ok = tokens ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)all);
    ok = ok && need_codec(t, err) && dvae_codec_encode(t->codec, pixels, count, tokens, err) &&
         (nats ? dvae_codec_score(t->codec, tokens, pixels, count, out, nats, err)
               : dvae_codec_decode(t->codec, tokens, count, out, err));
    if (ok && counter) code_counter_add(counter, tokens, all);
    free(tokens);
    return ok;
}

/* Mean of the squared differences of pixels in 0..1. */
static double squared_error_of(const uint8_t *a, const uint8_t *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        double d = ((double)a[i] - (double)b[i]) / 255.0;
        sum += d * d;
    }
    return sum / (double)count;
}

static void add_bits(const dvae_config *c, double nats, int64_t count, train_metrics *out)
{
    dvae_bits bits = dvae_codec_bits(c, nats, count);
    train_metrics_add(out, "bits_per_dim", bits.pixels + bits.tokens, NULL);
    train_metrics_add(out, "bits_per_dim_pixels", bits.pixels, NULL);
}

static void add_usage(const code_counter *counter, train_metrics *out)
{
    code_usage usage = code_counter_usage(counter);
    double classes[CODE_CLASSES];
    code_counter_classes(counter, classes);
    train_metrics_add(out, "codes", (double)usage.used, "%.0f");
    train_metrics_add(out, "entropy", usage.entropy, "%.2f");
    train_metrics_list(out, "code_usage", classes, CODE_CLASSES);
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    dvae_trainer *t = self;
    int64_t count, size = t->config.image_size;
    const uint8_t *real = training_data_validation(t->base.data, TRAINER_VALIDATED, &count, err);
    if (!real) return false;
    int64_t values = count * size * size * 3;
    uint8_t *again = malloc((size_t)values);
    code_counter *counter = code_counter_create(t->config.codes, err);
    bool ok = counter != NULL;
    if (ok && !again)
        ok = error_set(err, ERROR_MEMORY, "out of memory for %lld reconstructions", (long long)count);
    double nats;
    bool scored = dvae_codec_scores(&t->config);
    ok = ok && reconstruct(t, real, count, again, counter, scored ? &nats : NULL, err);
    if (ok) {
        double error_mean = squared_error_of(again, real, values);
        out->finite = isfinite(error_mean);
        train_metrics_add(out, "squared_error", error_mean, NULL);
        train_metrics_add(out, "psnr", psnr_of(error_mean), "%.2f");
        add_usage(counter, out);
        if (scored) add_bits(&t->config, nats, count, out);
    }
    free(again);
    code_counter_destroy(counter);
    return ok;
}

static bool make_again(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    return reconstruct(self, real, count, made, NULL, NULL, err);
}

/* Originals over reconstructions. */
static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    dvae_trainer *t = self;
    return trainer_draw(&t->base, path, make_again, t, err);
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
    return trainer_open_store(&t->base, err) && dvae_step_build(&t->step, t->base.store, &t->config, err) &&
           trainer_compile(&t->base, t->step.graph, DVAE_STEP_KNOB, err);
}

/* What the settings leave to the set; and if that was the number of steps, how long they will take. */
static bool fit(dvae_trainer *t, error *err)
{
    char codes[32];
    bool chosen;
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    dvae_fit(&t->config, pictures, &chosen);
    training_data_set_batch(t->base.data, t->config.batch);
    if (!dvae_config_check(&t->config, err) || !chosen) return dvae_config_check(&t->config, err);
    snprintf(codes, sizeof codes, "%lld codes", (long long)t->config.codes);
    return announce_run(dvae_workload(t->base.device, &t->config, err), pictures, codes, t->config.steps,
                        t->config.batch, err);
}

/* A model's file has the codes but not how they were used: as if all had been alike, so that none is replaced
 * at once. */
static bool start_codebook(dvae_trainer *t, error *err)
{
    store_entry *codes = store_find(t->base.store, "codebook"),
                *usage = store_find(t->base.store, "codebook_usage"),
                *mean = store_find(t->base.store, "codebook_mean");
    if (!codes || !usage || !mean) return true;
    float share = (float)tensor_count(t->step.losses.tokens) / (float)usage->count;
    float *values = malloc((size_t)codes->count * sizeof *values),
          *even = malloc((size_t)usage->count * sizeof *even);
    bool ok = values && even ? true : error_set(err, ERROR_MEMORY, "out of memory for a codebook");
    ok = ok && store_read_f32(t->base.store, codes, values, err);
    for (int64_t i = 0; ok && i < codes->count; ++i) values[i] *= share;
    for (int64_t i = 0; ok && i < usage->count; ++i) even[i] = share;
    ok = ok && store_write_f32(t->base.store, mean, values, err) &&
         store_write_f32(t->base.store, usage, even, err);
    free(values);
    free(even);
    return ok;
}

static bool set_up(dvae_trainer *t, const train_request *r, const char *data, error *err)
{
    const dvae_config *c = &t->config;
    if (!trainer_open_data(&t->base, data, c->image_size, false, err) ||
        !trainer_open_device(&t->base, err) || !fit(t, err) || !build(t, err))
        return false;
    t->tokens = malloc((size_t)tensor_count(t->step.losses.tokens) * sizeof *t->tokens);
    if (!t->tokens) return error_set(err, ERROR_MEMORY, "out of memory for a batch's tokens");
    if (!(t->counter = code_counter_create(c->codes, err))) return false;
    if (!r->init || r->resume) return true;
    part_files from;
    if (!part_files_find(r->init, &dvae_kind, &from, err)) return false;
    bool ok = checkpoint_import(t->base.store, from.weights, true, NULL, err) && start_codebook(t, err);
    part_files_free(&from);
    return ok;
}

static void clean_up(dvae_trainer *t)
{
    dvae_codec_destroy(t->codec);
    graph_destroy(t->step.graph);
    trainer_close(&t->base);
    code_counter_destroy(t->counter);
    free(t->tokens);
}

bool dvae_train(const train_request *r, error *err)
{
    dvae_trainer t = { 0 };
    trainer_init(&t.base, r, &t.config.training, NULL);
    train_task task = { "dvae", &t, NULL, begin, end, evaluate, draw, save_state, load_state, warn, NULL };
    char *data = NULL;
    bool ok = request_config(r, &dvae_config_table, &t.config, err) &&
              request_take_sizes(r, &dvae_config_table, dvae_sizes, &t.config, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) && set_up(&t, r, data, err) &&
              trainer_run(&t.base, &task, &dvae_config_table, &t.config, data, NULL, err);
    if (!ok) trainer_advise(&t.base, &dvae_kind, &t.config, NULL, err);
    free(data);
    clean_up(&t);
    return ok;
}
