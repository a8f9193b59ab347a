/* prior_train.c -- the second stage as a training task: tokens of pictures and captions, schedules,
 * figures, validation, drawings.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior_train.h"

#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/train/schedule.h"
#include "models/announce.h"
#include "models/fit.h"
#include "models/kinds.h"
#include "models/prior/noise.h"
#include "models/prior/origin.h"
#include "models/prior/prior_step.h"
#include "models/prior/prior_workload.h"
#include "models/prior/start.h"
#include "models/prior/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 16, CODEC_BATCH = 16, MOST_VALIDATED = 512 };

typedef struct prior_trainer {
    prior_config config;
    prior_shape shape;
    device *device;
    store *store;
    dvae_part *dvae;
    training_data *data;
    prior_text *text;
    text_batch batch;
    int32_t *image;  /* a batch's tokens */
    int32_t *read;   /* the same with noise */
    int32_t *tokens; /* of every picture of the set when nothing is augmented, else NULL */
    prior_step train, check;
    prior_sampler *sampler;
    schedule_plateau plateau;
    double factor;   /* of the step size, by plateaus */
    char origin[65]; /* fingerprint of the dVAE */
} prior_trainer;

static int64_t image_tokens(const prior_trainer *t)
{
    return t->shape.side * t->shape.side;
}

/* ---- Picture tokens ---- */

/* Without augmentation a picture's tokens never change: they are computed once. */
static bool encode_all(prior_trainer *t, error *err)
{
    const dataset *set = training_data_set(t->data);
    int64_t count = dataset_count(set), n = image_tokens(t), side = t->dvae->config.image_size,
            picture = side * side * 3;
    log_info("turning %lld pictures into %lld tokens each", (long long)count, (long long)n);
    t->tokens = malloc((size_t)(count * n) * sizeof *t->tokens);
    uint8_t *pixels = malloc((size_t)(CODEC_BATCH * picture));
    bool ok =
        t->tokens && pixels
            ? true
            : error_set(err, ERROR_MEMORY, "out of memory for the tokens of %lld pictures", (long long)count);
    bool good; /* tokens of a picture that is not are never asked for */
    for (int64_t done = 0; ok && done < count; done += CODEC_BATCH) {
        int64_t now = count - done < CODEC_BATCH ? count - done : CODEC_BATCH;
        for (int64_t i = 0; ok && i < now; ++i)
            ok = training_data_picture(t->data, done + i, pixels + i * picture, &good, err);
        ok = ok && dvae_codec_encode(t->dvae->codec, pixels, now, t->tokens + done * n, err);
    }
    free(pixels);
    return ok;
}

static bool picture_tokens(prior_trainer *t, const loader_batch *b, error *err)
{
    int64_t n = image_tokens(t);
    if (!t->tokens) return dvae_codec_encode(t->dvae->codec, b->pixels, b->count, t->image, err);
    for (int i = 0; i < b->count; ++i)
        memcpy(t->image + i * n, t->tokens + b->samples[i] * n, (size_t)n * sizeof *t->image);
    return true;
}

/* ---- One step ---- */

static double learning_rate_at(const prior_trainer *t, int64_t step)
{
    const prior_config *c = &t->config;
    double rate = c->learning_rate * schedule_warmup(c->warmup, step);
    if (c->schedule[0] == 'p') return rate * t->factor;
    if (c->schedule[1] == 'o' && c->schedule[2] == 's' && step >= c->warmup)
        return schedule_cosine(c->learning_rate, 0, c->steps - c->warmup, step - c->warmup);
    return rate;
}

static bool write_batch(prior_trainer *t, const prior_step *in, int64_t step, error *err)
{
    if (in->read != in->image) {
        prior_noise(&t->config, &t->shape, step, t->image, t->read);
        if (!graph_write(in->read, t->read, err)) return false;
    }
    return graph_write(in->text, t->batch.ids, err) && graph_write(in->image, t->image, err) &&
           graph_write(in->targets, t->batch.targets, err) && graph_write(in->share, &t->batch.share, err);
}

static bool begin(void *self, int64_t step, error *err)
{
    prior_trainer *t = self;
    const prior_config *c = &t->config;
    const loader_batch *b = training_data_next(t->data, step, err);
    if (!b || !picture_tokens(t, b, err)) return false;
    for (int i = 0; i < b->count; ++i)
        if (!prior_text_fill(t->text, &t->batch, i, b->samples[i], step, err)) return false;
    prior_text_finish(t->text, &t->batch);
    const int32_t random[4] = { (int32_t)(uint32_t)c->seed, (int32_t)(uint32_t)((uint64_t)c->seed >> 32),
                                (int32_t)step, 0 };
    double ema = step % c->ema_every == 0 ? ema_decay_at(c->ema, step / c->ema_every) : 1.0;
    return write_batch(t, &t->train, step, err) && graph_write(t->train.random, random, err) &&
           optimizer_schedule(t->train.optimizer, step, learning_rate_at(t, step), ema, err) &&
           graph_run(t->train.graph, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    prior_trainer *t = self;
    float loss, of_text, of_image, status[4];
    if (!graph_read(t->train.losses.loss, &loss, err) || !graph_read(t->train.losses.text, &of_text, err) ||
        !graph_read(t->train.losses.image, &of_image, err) ||
        !graph_read(optimizer_status(t->train.optimizer), status, err))
        return false;
    out->finite = status[2] != 0.0f;
    train_metrics_add(out, "loss", loss, "%.4f");
    train_metrics_add(out, "text", of_text, "%.3f");
    train_metrics_add(out, "image", of_image, "%.4f");
    train_metrics_add(out, "gradient_norm", status[1], NULL);
    train_metrics_add(out, "learning_rate", learning_rate_at(t, step), NULL);
    return true;
}

/* ---- Validation and drawings, with the averaged parameters ---- */

static bool need_check_graph(prior_trainer *t, error *err)
{
    if (t->check.graph) return true;
    return prior_step_build_loss(&t->check, t->store, &t->config, &t->shape, err) &&
           graph_compile(t->check.graph, (uint64_t)t->config.seed, "`batch`", err) &&
           prior_write_places(&t->check.places, &t->shape, err);
}

/* Tokens of validation picture i, into `out`. */
static bool validation_tokens(prior_trainer *t, int64_t i, int32_t *out, error *err)
{
    int64_t n = image_tokens(t), index = training_data_validation_index(t->data, i);
    if (t->tokens) {
        memcpy(out, t->tokens + index * n, (size_t)n * sizeof *out);
        return true;
    }
    uint8_t *pixels = malloc((size_t)(t->dvae->config.image_size * t->dvae->config.image_size * 3));
    bool ok = pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for a picture");
    bool good;
    ok = ok && training_data_picture(t->data, index, pixels, &good, err) &&
         dvae_codec_encode(t->dvae->codec, pixels, 1, out, err);
    free(pixels);
    return ok;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    prior_trainer *t = self;
    int64_t count, batch = t->config.batch, n = image_tokens(t);
    if (!training_data_validation_count(t->data, MOST_VALIDATED, &count, err)) return false;
    int64_t batches = (count + batch - 1) / batch;
    double loss = 0, of_text = 0, of_image = 0;
    bool ok = need_check_graph(t, err);
    for (int64_t k = 0; ok && k < batches; ++k) {
        for (int64_t i = 0; ok && i < batch; ++i) {
            int64_t which = (k * batch + i) % count;
            ok = prior_text_fill(t->text, &t->batch, i, training_data_validation_index(t->data, which), -1,
                                 err) &&
                 validation_tokens(t, which, t->image + i * n, err);
        }
        prior_text_finish(t->text, &t->batch);
        float values[3];
        ok = ok && write_batch(t, &t->check, step, err) && graph_run(t->check.graph, err) &&
             graph_read(t->check.losses.loss, &values[0], err) &&
             graph_read(t->check.losses.text, &values[1], err) &&
             graph_read(t->check.losses.image, &values[2], err);
        if (!ok) break;
        loss += values[0] / (double)batches;
        of_text += values[1] / (double)batches;
        of_image += values[2] / (double)batches;
    }
    if (!ok) return false;
    t->factor = schedule_plateau_observe(&t->plateau, loss);
    out->finite = isfinite(loss);
    train_metrics_add(out, "loss", loss, "%.4f");
    train_metrics_add(out, "text", of_text, "%.3f");
    train_metrics_add(out, "image", of_image, "%.4f");
    return true;
}

/* Draws the i-th validation caption. */
static bool draw_one(prior_trainer *t, int64_t i, uint8_t *pixels, error *err)
{
    const prior_config *c = &t->config;
    if (!prior_text_fill(t->text, &t->batch, 0, training_data_validation_index(t->data, i), -1, err))
        return false;
    prior_draw d = { .text = t->batch.ids,
                     .seed = 1,
                     .count = 1,
                     .temperature = c->temperature,
                     .top_k = c->top_k,
                     .top_p = c->top_p,
                     .guidance = c->guidance };
    return prior_sampler_draw(t->sampler, &d, t->image, err) &&
           dvae_codec_decode(t->dvae->codec, t->image, 1, pixels, err);
}

/* Real pictures over those drawn from their captions. */
static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    prior_trainer *t = self;
    int64_t count, size = t->dvae->config.image_size, picture = size * size * 3;
    const uint8_t *real = training_data_validation(t->data, SHOWN, &count, err);
    if (!real) return false;
    if (!t->sampler &&
        !(t->sampler = prior_sampler_create(t->store, &t->config, &t->shape, 1, t->config.ema > 0, err)))
        return false;
    uint8_t *drawn = malloc((size_t)(count * picture));
    const char **captions = malloc((size_t)count * sizeof *captions);
    bool ok = drawn && captions
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld drawings", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) {
        captions[i] =
            dataset_at(training_data_set(t->data), training_data_validation_index(t->data, i))->caption;
        ok = draw_one(t, i, drawn + i * picture, err);
    }
    ok = ok && training_grid_pairs(path, real, drawn, count, size, captions, err);
    free(drawn);
    free(captions);
    return ok;
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    const prior_trainer *t = self;
    return json_pack("{s:f, s:f, s:i, s:i, s:s}", "factor", t->factor, "best",
                     isfinite(t->plateau.best) ? t->plateau.best : 1e300, "waited", t->plateau.waited,
                     "halvings", t->plateau.halvings, ORIGIN_KEY, t->origin);
}

static bool load_state(void *self, const json_t *state, error *err)
{
    prior_trainer *t = self;
    double factor = json_number_value(json_object_get(state, "factor")),
           best = json_number_value(json_object_get(state, "best"));
    if (factor <= 0)
        return error_set(err, ERROR_FORMAT,
                         "the checkpoint does not say how far the step size has been halved");
    t->factor = factor;
    t->plateau.best = best >= 1e300 ? (double)INFINITY : best;
    t->plateau.waited = (int)json_integer_value(json_object_get(state, "waited"));
    t->plateau.halvings = (int)json_integer_value(json_object_get(state, "halvings"));
    return true;
}

/* ---- Setting up ---- */

static bool build(prior_trainer *t, error *err)
{
    return (t->store = store_create(t->device, err)) &&
           prior_step_build(&t->train, t->store, &t->config, &t->shape, err) &&
           graph_compile(t->train.graph, (uint64_t)t->config.seed, PRIOR_STEP_KNOB, err) &&
           prior_write_places(&t->train.places, &t->shape, err);
}

/* Where a new run's tokenizer and parameters come from: `from` is empty unless --init says. */
static bool find_origin(const train_request *r, part_files *from, error *err)
{
    *from = (part_files){ 0 };
    if (!r->init || r->resume) return true;
    if (!part_files_find(r->init, &prior_kind, from, err)) return false;
    if (part_files_role(from, PART_TOKENIZER)) return true;
    part_files_free(from);
    return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer.model, which its prior needs", r->init);
}

/* What the settings leave to the set, the tokenizer, and the model that the run starts from. */
static bool fit(prior_trainer *t, const train_request *r, const part_files *from, error *err)
{
    prior_config *c = &t->config;
    int64_t pictures = training_data_selection(t->data, false)->count;
    char what[128];
    bool chosen;
    fit_prior(c, pictures, &chosen);
    training_data_set_batch(t->data, c->batch);
    t->text = prior_text_open(c, r, from->weights ? from : NULL, t->data, err);
    if (!t->text) return false;
    if (!prior_config_check(c, &t->shape, err) || !chosen) return prior_config_check(c, &t->shape, err);
    snprintf(what, sizeof what, "%lld picture%s, %lld steps of %lld", (long long)pictures,
             pictures == 1 ? "" : "s", (long long)c->steps, (long long)c->batch);
    return announce_run(prior_workload(t->device, c, &t->shape, err), c->steps, what, err);
}

static bool open_data(prior_trainer *t, const train_request *r, const char *data, const char *dvae,
                      error *err)
{
    const prior_config *c = &t->config;
    if (!(t->device = device_open(r->device, err)) ||
        !(t->dvae = dvae_part_open(t->device, dvae, CODEC_BOTH, CODEC_BATCH, err)) ||
        !checkpoint_fingerprint(t->dvae->store, t->origin, err))
        return false;
    t->shape = (prior_shape){ dvae_tokens_side(&t->dvae->config), t->dvae->config.codes };
    training_data_options options = { .path = data,
                                      .split = c->split,
                                      .holdout = c->holdout,
                                      .size = t->dvae->config.image_size,
                                      .batch = c->batch,
                                      .augment = c->augment,
                                      .flip = c->flip,
                                      .seed = (uint64_t)c->seed,
                                      .threads = (int)c->threads,
                                      .captions = true,
                                      .skip_share = c->skip_share,
                                      .run = r->run,
                                      .resume = r->resume };
    return (t->data = training_data_open(&options, err)) != NULL;
}

static bool make_batch(prior_trainer *t, error *err)
{
    const prior_config *c = &t->config;
    t->image = malloc((size_t)(c->batch * image_tokens(t)) * sizeof *t->image);
    t->read = malloc((size_t)(c->batch * image_tokens(t)) * sizeof *t->read);
    if (!t->image || !t->read) return error_set(err, ERROR_MEMORY, "out of memory for a batch's tokens");
    return text_batch_create(&t->batch, c, err);
}

static void start_schedule(prior_trainer *t)
{
    const prior_config *c = &t->config;
    t->factor = 1;
    t->plateau = (schedule_plateau){ .threshold = c->plateau_threshold,
                                     .patience = (int)c->plateau_patience,
                                     .most = (int)c->plateau_halvings };
    schedule_plateau_start(&t->plateau);
}

static bool set_up(prior_trainer *t, const train_request *r, const char *data, const char *dvae, error *err)
{
    const prior_config *c = &t->config;
    bool fixed = strcmp(c->augment, "none") == 0 && strcmp(c->flip, "yes") != 0;
    part_files from;
    bool ok = open_data(t, r, data, dvae, err) && find_origin(r, &from, err);
    if (!ok) return false;
    ok = fit(t, r, &from, err) && (r->resume || prior_text_warn_cut(t->text, err)) && make_batch(t, err) &&
         (!fixed || encode_all(t, err)) && build(t, err) &&
         (!c->codebook_start || prior_start_from_codebook(t->store, c, t->dvae, err)) &&
         (!from.weights ||
          prior_start_from_model(t->store, &t->shape, &from, prior_text_tokenizer(t->text), err));
    start_schedule(t);
    part_files_free(&from);
    return ok;
}

static void clean_up(prior_trainer *t)
{
    prior_sampler_destroy(t->sampler);
    graph_destroy(t->check.graph);
    graph_destroy(t->train.graph);
    store_destroy(t->store);
    prior_text_close(t->text);
    training_data_close(t->data);
    dvae_part_close(t->dvae);
    device_close(t->device);
    text_batch_free(&t->batch);
    free(t->image);
    free(t->read);
    free(t->tokens);
}

bool prior_train(const train_request *r, error *err)
{
    prior_trainer t = { 0 };
    char *data = NULL, *dvae = NULL, *text = NULL;
    json_t *provenance = NULL;
    bool ok = request_config(r, &prior_config_table, &t.config, err) &&
              request_take_sizes(r, &prior_config_table, prior_sizes, &t.config, err) &&
              prior_config_check(&t.config, NULL, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) &&
              (dvae = request_path(r, "dvae", request_part(r, &dvae_kind), "--dvae", err)) &&
              set_up(&t, r, data, dvae, err) &&
              (text = request_config_text(&prior_config_table, &t.config, err));
    if (ok) {
        provenance = json_pack("{s:o, s:s, s:o, s:s, s:s}", "data", json_tree_string(data), "pictures",
                               training_data_hash(t.data), "dvae", json_tree_string(dvae), "dvae_parameters",
                               t.dvae->hash, "tokenizer", tokenizer_hash(prior_text_tokenizer(t.text)));
        ok = provenance ? true
                        : error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
        ok = ok && request_note_origin(r, provenance, err);
    }
    if (ok) {
        const prior_config *c = &t.config;
        train_task task = { "prior", &t, t.store, begin, end, evaluate, draw, save_state, load_state, NULL };
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
    free(dvae);
    clean_up(&t);
    return ok;
}
