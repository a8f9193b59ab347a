/* prior_train.c -- the second stage as a training task: tokens of pictures and captions, schedules,
 * figures, validation, drawings.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior_train.h"

#include "data/shard_tokens.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "models/announce.h"
#include "models/fit.h"
#include "models/kinds.h"
#include "models/prior/noise.h"
#include "models/prior/origin.h"
#include "models/prior/prior_step.h"
#include "models/prior/prior_workload.h"
#include "models/prior/start.h"
#include "models/start.h"
#include "models/text.h"
#include "models/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODEC_BATCH = 16 };

typedef struct prior_trainer {
    trainer base;
    prior_config config;
    prior_shape shape;
    dvae_part *dvae;
    text_source *text;
    text_batch batch;
    int32_t *image;       /* a batch's tokens */
    int32_t *read;        /* the same with noise */
    int32_t *tokens;      /* of every picture of the set when nothing is augmented, else NULL */
    shard_tokens *packed; /* those beside the set's shards, or NULL */
    prior_step train, check;
    prior_sampler *sampler;
    char origin[65]; /* fingerprint of the dVAE */
} prior_trainer;

static int64_t image_tokens(const prior_trainer *t)
{
    return t->shape.side * t->shape.side;
}

/* ---- Picture tokens ---- */

/* Without augmentation a picture's tokens never change: they are computed once.  Those of a large set would
 * not fit; each batch's are computed when it comes. */
static bool encode_all(prior_trainer *t, error *err)
{
    const dataset *set = training_data_set(t->base.data);
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
            ok = training_data_picture(t->base.data, done + i, pixels + i * picture, &good, err);
        ok = ok && dvae_codec_encode(t->dvae->codec, pixels, now, t->tokens + done * n, err);
    }
    free(pixels);
    return ok;
}

/* Those that `data pack` has left beside the shards, if it has: made by this dVAE and no other. */
static bool find_packed(prior_trainer *t, const char *dvae, error *err)
{
    if (!shard_tokens_open(training_data_set(t->base.data), &t->packed, err)) return false;
    if (!t->packed) return true;
    const shard_tokens_kind *k = shard_tokens_about(t->packed);
    if (strcmp(k->origin, t->origin) != 0)
        return error_set(
            err, ERROR_MODEL,
            "the tokens in '%s' were made by another dVAE than '%s', whose tokens mean something "
            "else; name that one, or pack the set again with --tokens %s",
            shard_tokens_path(t->packed), dvae, dvae);
    log_info(
        "pictures' tokens are read from beside the shards, %lld of each picture: %s, which stand for the "
        "settings augment and flip",
        (long long)k->copies, k->how);
    return true;
}

/* Which copy a picture shows at each place of each step is drawn, so that a resumed run goes on with it. */
static bool packed_tokens(const prior_trainer *t, const loader_batch *b, error *err)
{
    const philox draw = { (uint64_t)t->config.seed, (uint32_t)b->step, philox_stream("data.tokens") };
    uint32_t copies = (uint32_t)shard_tokens_about(t->packed)->copies;
    for (int i = 0; i < b->count; ++i)
        if (!shard_tokens_read(t->packed, b->samples[i], b->keys[i],
                               philox_below(&draw, (uint32_t)(b->first + i), copies),
                               t->image + i * image_tokens(t), err))
            return false;
    return true;
}

static bool picture_tokens(prior_trainer *t, const loader_batch *b, error *err)
{
    int64_t n = image_tokens(t);
    if (t->packed) return packed_tokens(t, b, err);
    if (!t->tokens) return dvae_codec_encode(t->dvae->codec, b->pixels, b->count, t->image, err);
    for (int i = 0; i < b->count; ++i)
        memcpy(t->image + i * n, t->tokens + b->samples[i] * n, (size_t)n * sizeof *t->image);
    return true;
}

/* ---- One step ---- */

/* The part of the batch that begins with sample `first`; `share` is what a text token's loss counts. */
static bool write_inputs(const prior_trainer *t, const prior_step *in, int64_t first, float share, error *err)
{
    int64_t text = t->config.text_tokens;
    return graph_write(in->text, t->batch.ids + first * text, err) &&
           graph_write(in->image, t->image + first * image_tokens(t), err) &&
           (in->read == in->image || graph_write(in->read, t->read + first * image_tokens(t), err)) &&
           graph_write(in->targets, t->batch.targets + first * (text - 1), err) &&
           graph_write(in->share, &share, err);
}

static bool write_part(void *self, int64_t first, error *err)
{
    prior_trainer *t = self;
    float share = t->batch.share * (float)division_parts(&t->train.division);
    return write_inputs(t, &t->train, first, share, err);
}

/* What a step tells the host, besides what every kind's does. */
static bool read_begin(const prior_step *s, error *err)
{
    return graph_read_begin(s->losses.loss, err) && graph_read_begin(s->losses.text, err) &&
           graph_read_begin(s->losses.image, err);
}

/* Each token of all ranks' captions counts alike. */
static bool share_of_all(prior_trainer *t, error *err)
{
    float counted = (float)t->batch.counted;
    if (!comm_sum(t->config.training.comm, DTYPE_F32, &counted, 1, err)) return false;
    t->batch.share = counted > 0 ? 1.0f / counted : 0.0f;
    return true;
}

static bool begin(void *self, int64_t step, error *err)
{
    prior_trainer *t = self;
    const trainer_graph g = { t->train.graph, &t->train.division, t->train.optimizer, write_part };
    const loader_batch *b = training_data_next(t->base.data, step, err);
    if (!b || !picture_tokens(t, b, err)) return false;
    for (int i = 0; i < b->count; ++i)
        if (!text_fill(t->text, &t->batch, i, &b->known[i], step, err)) return false;
    text_finish(t->text, &t->batch);
    if (!share_of_all(t, err)) return false;
    if (t->train.read != t->train.image) prior_noise(&t->config, &t->shape, step, t->image, t->read);
    return trainer_step(&t->base, &g, step, trainer_rate(&t->base, step), t, err) &&
           read_begin(&t->train, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    prior_trainer *t = self;
    float loss, of_text, of_image;
    if (!graph_read_end(t->train.losses.loss, &loss, err) ||
        !graph_read_end(t->train.losses.text, &of_text, err) ||
        !graph_read_end(t->train.losses.image, &of_image, err))
        return false;
    train_metrics_add(out, "loss", loss, "%.4f");
    train_metrics_add(out, "text", of_text, "%.3f");
    train_metrics_add(out, "image", of_image, "%.4f");
    return trainer_figures(t->train.optimizer, trainer_rate(&t->base, step), out, err);
}

/* ---- Validation and drawings, with the averaged parameters ---- */

static bool need_check_graph(prior_trainer *t, error *err)
{
    if (t->check.graph) return true;
    return prior_step_build_loss(&t->check, t->base.store, &t->config, &t->shape, err) &&
           graph_compile(t->check.graph, (uint64_t)t->config.seed, "`batch`, or set a higher `accumulate`",
                         err) &&
           prior_write_places(&t->check.places, &t->shape, err);
}

/* Tokens of validation picture i, into `out`. */
static bool validation_tokens(prior_trainer *t, int64_t i, int32_t *out, error *err)
{
    int64_t n = image_tokens(t), index = training_data_validation_index(t->base.data, i);
    if (t->packed)
        return shard_tokens_read(t->packed, index, training_data_validation_sample(t->base.data, i)->key, 0,
                                 out, err);
    if (t->tokens) {
        memcpy(out, t->tokens + index * n, (size_t)n * sizeof *out);
        return true;
    }
    uint8_t *pixels = malloc((size_t)(t->dvae->config.image_size * t->dvae->config.image_size * 3));
    bool ok = pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for a picture");
    bool good;
    ok = ok && training_data_picture(t->base.data, index, pixels, &good, err) &&
         dvae_codec_encode(t->dvae->codec, pixels, 1, out, err);
    free(pixels);
    return ok;
}

/* Nats of validation's text and image tokens, and how many they are. */
typedef struct validated {
    double text, image;
    int64_t text_tokens, image_tokens;
} validated;

/* Validation pictures from number `first` on as a batch.  Where there are no more, those from the start fill
 * it up, with targets that count nothing, so that the figures do not depend on the batch. */
static bool fill_validation(prior_trainer *t, int64_t first, int64_t count, validated *v, error *err)
{
    int64_t n = image_tokens(t), batch = training_batch(&t->config.training),
            targets = t->config.text_tokens - 1;
    for (int64_t i = 0; i < batch; ++i) {
        int64_t which = (first + i) % count;
        const dataset_sample *known = training_data_validation_sample(t->base.data, which);
        if (!text_fill(t->text, &t->batch, i, known, -1, err) ||
            !validation_tokens(t, which, t->read + i * n, err))
            return false;
    }
    text_finish(t->text, &t->batch);
    memcpy(t->image, t->read, (size_t)(batch * n) * sizeof *t->image);
    int64_t fresh = count - first < batch ? count - first : batch;
    for (int64_t i = fresh * n; i < batch * n; ++i) t->image[i] = -1;
    for (int64_t i = fresh * targets; i < batch * targets; ++i) t->batch.targets[i] = -1;
    for (int64_t i = 0; i < fresh * targets; ++i) v->text_tokens += t->batch.targets[i] >= 0;
    v->image_tokens += fresh * n;
    return true;
}

/* Adds the losses of the part that begins with sample `first`. */
static bool add_losses(prior_trainer *t, int64_t first, validated *v, error *err)
{
    const prior_losses *l = &t->check.losses;
    float of_text, of_image;
    if (!write_inputs(t, &t->check, first, 1.0f, err) || !graph_run(t->check.graph, err) ||
        !graph_read(l->text, &of_text, err) || !graph_read(l->image, &of_image, err))
        return false;
    v->text += of_text;
    v->image += (double)of_image * (double)(t->check.division.samples * image_tokens(t));
    return true;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    prior_trainer *t = self;
    int64_t count, batch = training_batch(&t->config.training);
    if (!training_data_validation_count(t->base.data, TRAINER_VALIDATED, &count, err)) return false;
    validated v = { 0 };
    bool ok = need_check_graph(t, err);
    for (int64_t k = 0; ok && k < count; k += batch) {
        ok = fill_validation(t, k, count, &v, err);
        for (int64_t i = 0; ok && i < batch; i += t->check.division.samples) ok = add_losses(t, i, &v, err);
    }
    if (!ok) return false;
    double of_text = v.text_tokens ? v.text / (double)v.text_tokens : 0,
           of_image = v.image / (double)v.image_tokens,
           loss = t->config.text_weight * of_text + (1 - t->config.text_weight) * of_image;
    trainer_observe(&t->base, loss);
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
    if (!text_fill(t->text, &t->batch, 0, training_data_validation_sample(t->base.data, i), -1, err))
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

static void drop_sampler(prior_trainer *t, const trainer_source *from)
{
    prior_sampler_destroy(t->sampler);
    t->sampler = NULL;
    store_destroy(from->store);
}

static bool draw_all(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    (void)real;
    prior_trainer *t = self;
    const int64_t size = t->dvae->config.image_size;
    trainer_source from;
    bool ok = trainer_source_open(&t->base, &from, err);
    if (ok && !t->sampler)
        t->sampler = prior_sampler_create(from.store, &t->config, &t->shape, 1, from.averages, err);
    ok = ok && t->sampler && trainer_source_fill(&t->base, &from, err);
    for (int64_t i = 0; ok && i < count; ++i) ok = draw_one(t, i, made + i * size * size * 3, err);
    if (from.own) drop_sampler(t, &from);
    return ok;
}

/* Real pictures over those drawn from their captions. */
static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    prior_trainer *t = self;
    return trainer_draw(&t->base, path, draw_all, t, err);
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    const prior_trainer *t = self;
    json_t *state = trainer_save(&t->base);
    json_tree_put(&state, ORIGIN_KEY, json_string(t->origin));
    return state;
}

static bool load_state(void *self, const json_t *state, error *err)
{
    prior_trainer *t = self;
    return trainer_load(&t->base, state, err);
}

/* ---- Setting up ---- */

static bool build(prior_trainer *t, error *err)
{
    return trainer_open_store(&t->base, err) &&
           prior_step_build(&t->train, t->base.store, &t->config, &t->shape, err) &&
           trainer_compile(&t->base, t->train.graph, PRIOR_STEP_KNOB, err) &&
           prior_write_places(&t->train.places, &t->shape, err);
}

/* What the settings leave to the set, the tokenizer, and the model that the run starts from. */
static bool fit(prior_trainer *t, const train_request *r, const part_files *from, error *err)
{
    prior_config *c = &t->config;
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    bool chosen;
    prior_fit(c, pictures, &chosen);
    training_data_set_batch(t->base.data, c->batch);
    text_options text = { .request = r,
                          .batch = training_batch(&c->training),
                          .first = training_first(&c->training),
                          .seed = (uint64_t)c->seed };
    if (from->weights) text.from = from;
    if (from->weights && !prior_start_positions(from, &text.least_tokens, err)) return false;
    if (!(t->text = text_open(&c->text, &text, t->base.data, err))) return false;
    if (!prior_config_check(c, &t->shape, err) || !chosen) return prior_config_check(c, &t->shape, err);
    return announce_run(prior_workload(t->base.device, c, &t->shape, err), pictures, NULL, c->steps, c->batch,
                        err);
}

static bool open_parts(prior_trainer *t, const char *data, const char *dvae, error *err)
{
    if (!trainer_open_device(&t->base, err) ||
        !(t->dvae = dvae_part_open(t->base.device, dvae, CODEC_BOTH, CODEC_BATCH, err)) ||
        !checkpoint_fingerprint(t->dvae->store, t->origin, err))
        return false;
    t->shape = (prior_shape){ dvae_tokens_side(&t->dvae->config), t->dvae->config.codes };
    return trainer_open_data(&t->base, data, t->dvae->config.image_size, true, err);
}

static bool make_batch(prior_trainer *t, error *err)
{
    const prior_config *c = &t->config;
    t->image = malloc((size_t)(training_batch(&c->training) * image_tokens(t)) * sizeof *t->image);
    t->read = malloc((size_t)(training_batch(&c->training) * image_tokens(t)) * sizeof *t->read);
    if (!t->image || !t->read) return error_set(err, ERROR_MEMORY, "out of memory for a batch's tokens");
    return text_batch_create(&t->batch, t->text, err);
}

static bool set_up(prior_trainer *t, const train_request *r, const char *data, const char *dvae, error *err)
{
    const prior_config *c = &t->config;
    bool fixed = training_is_fixed(&c->training);
    part_files from;
    bool ok =
        open_parts(t, data, dvae, err) && find_packed(t, dvae, err) && start_find(r, &prior_kind, &from, err);
    if (!ok) return false;
    bool known = fixed && !dataset_is_large(training_data_set(t->base.data)); /* before the first step */
    if (known || t->packed) training_data_blind(t->base.data);
    ok = fit(t, r, &from, err) && (r->resume || text_warn_cut(t->text, err)) && make_batch(t, err) &&
         (!known || t->packed || encode_all(t, err)) && build(t, err) &&
         (!c->codebook_start || prior_start_from_codebook(t->base.store, c, t->dvae, err)) &&
         (!from.weights ||
          prior_start_from_model(t->base.store, &t->shape, &from, text_tokenizer(t->text), err));
    part_files_free(&from);
    return ok;
}

static void clean_up(prior_trainer *t)
{
    prior_sampler_destroy(t->sampler);
    graph_destroy(t->check.graph);
    graph_destroy(t->train.graph);
    text_close(t->text);
    dvae_part_close(t->dvae);
    trainer_close(&t->base);
    text_batch_free(&t->batch);
    free(t->image);
    free(t->read);
    free(t->tokens);
    shard_tokens_close(t->packed);
}

static json_t *parts_origin(const prior_trainer *t, const char *dvae, const train_request *r, error *err)
{
    json_t *parts = json_pack("{s:o, s:s, s:s}", "dvae", json_tree_string(dvae), "dvae_parameters",
                              t->dvae->hash, "tokenizer", tokenizer_hash(text_tokenizer(t->text)));
    char hex[65];
    if (t->packed) {
        shard_tokens_hash(t->packed, hex);
        json_tree_put(&parts, "tokens", json_string(hex));
    }
    if (!parts) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
    return parts;
}

bool prior_train(const train_request *r, error *err)
{
    prior_trainer t = { 0 };
    trainer_init(&t.base, r, &t.config.training, &t.config.pace);
    train_task task = { "prior", &t, NULL, begin, end, evaluate, draw, save_state, load_state, NULL, NULL };
    char *data = NULL, *dvae = NULL;
    json_t *parts = NULL;
    bool ok = request_config(r, &prior_config_table, &t.config, err) &&
              request_take_sizes(r, &prior_config_table, prior_sizes, &t.config, err) &&
              prior_config_check(&t.config, NULL, err) &&
              training_check_shards(&t.config.training, "prior", t.config.size, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) &&
              (dvae = request_path(r, "dvae", request_part(r, &dvae_kind), "--dvae", err)) &&
              set_up(&t, r, data, dvae, err) && (parts = parts_origin(&t, dvae, r, err)) &&
              trainer_run(&t.base, &task, &prior_config_table, &t.config, data, parts, err);
    if (!ok) trainer_advise(&t.base, &prior_kind, &t.config, (int64_t[]){ t.shape.side, t.shape.codes }, err);
    free(data);
    free(dvae);
    clean_up(&t);
    return ok;
}
