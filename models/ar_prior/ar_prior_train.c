/* ar_prior_train.c -- the autoregressive prior as a training task: batches of components, figures,
 * validation, grids.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_train.h"

#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/train/pieces.h"
#include "models/announce.h"
#include "models/ar_prior/ar_prior_codes.h"
#include "models/ar_prior/ar_prior_sampler.h"
#include "models/ar_prior/ar_prior_step.h"
#include "models/ar_prior/ar_prior_workload.h"
#include "models/ar_prior/start.h"
#include "models/clip/clip_text.h"
#include "models/kinds.h"
#include "models/start.h"
#include "models/trainer.h"
#include "models/unclip/embedding_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct embedding_trainer {
    trainer base;
    ar_prior_config config;
    ar_prior_shape shape;
    clip_source *clip;
    loader_view view;
    text_source *text;
    embedding_data data;
    ar_prior_codes *codes;
    bool codes_known;        /* as the store has them, which a resumed run reads from its checkpoint */
    int32_t *read, *targets; /* of the batch: [B,D] each (ar_prior.h) */
    ar_prior_step train, check;
    ar_prior_sampler *sampler;
    trainer_source from; /* what that is built over */
} embedding_trainer;

/* ---- Components ---- */

static bool need_codes(embedding_trainer *t, error *err)
{
    if (!t->codes_known) t->codes_known = ar_prior_codes_read(t->codes, t->base.store, err);
    return t->codes_known;
}

/* What is read and predicted of a picture; a caption that is left out says nothing of nearness either. */
static void place_components(const embedding_trainer *t, const float *picture, const float *caption,
                             bool none, int32_t *read, int32_t *targets)
{
    const ar_prior_config *c = &t->config;
    int64_t near =
        ar_prior_codes_near(t->codes, (float)embedding_cosine(picture, caption, t->shape.embedding));
    ar_prior_codes_encode(t->codes, picture, targets);
    read[0] = none ? ar_prior_unsaid_token(c) : ar_prior_near_token(c, near);
    memcpy(read + 1, targets, (size_t)(c->dimensions - 1) * sizeof *read);
}

/* ---- One step ---- */

/* The part of the batch that begins with sample `first`. */
static bool write_part(void *self, int64_t first, error *err)
{
    const embedding_trainer *t = self;
    const ar_prior_step *s = &t->train;
    const embedding_data *d = &t->data;
    int64_t n = t->config.dimensions;
    return graph_write(s->text, d->batch.ids + first * d->tokens, err) &&
           graph_write(s->caption, d->captions + first * d->size, err) &&
           graph_write(s->read, t->read + first * n, err) &&
           graph_write(s->targets, t->targets + first * n, err);
}

static bool fill_batch(embedding_trainer *t, int64_t step, error *err)
{
    const embedding_data *d = &t->data;
    const loader_batch *b = training_data_next(t->base.data, step, err);
    int64_t n = t->config.dimensions;
    if (!b || !need_codes(t, err) || !embedding_data_fill(&t->data, b, step, err)) return false;
    for (int64_t i = 0; i < b->count; ++i)
        place_components(t, d->embeddings + i * d->size, d->captions + i * d->size,
                         d->batch.ids[i * d->tokens] < 0, t->read + i * n, t->targets + i * n);
    return true;
}

static bool begin(void *self, int64_t step, error *err)
{
    embedding_trainer *t = self;
    const trainer_graph g = { t->train.graph, &t->train.division, t->train.optimizer, write_part };
    return fill_batch(t, step, err) &&
           trainer_step(&t->base, &g, step, trainer_rate(&t->base, step), t, err) &&
           graph_read_begin(t->train.loss, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    embedding_trainer *t = self;
    float loss;
    if (!graph_read_end(t->train.loss, &loss, err)) return false;
    train_metrics_add(out, "loss", loss, "%.4f");
    return trainer_figures(t->train.optimizer, trainer_rate(&t->base, step), out, err);
}

/* ---- Validation, with the averaged parameters ---- */

/* Embeddings are drawn for so many captions. */
enum { SEED = 1 };

static bool need_check_graph(embedding_trainer *t, error *err)
{
    if (t->check.graph) return true;
    return ar_prior_step_build_loss(&t->check, t->base.store, &t->config, &t->shape, err) &&
           graph_compile(t->check.graph, (uint64_t)t->config.seed, "`batch`, or set a higher `accumulate`",
                         err);
}

/* The rows of x from number `first` on, and again from the start, as an input. */
static bool write_rows(tensor *input, const void *x, int64_t row_bytes, int64_t first, int64_t count,
                       error *err)
{
    int64_t rows = input->dim[0];
    char *all = malloc((size_t)(rows * row_bytes));
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for a validation batch");
    for (int64_t i = 0; i < rows; ++i)
        memcpy(all + i * row_bytes, (const char *)x + (first + i) % count * row_bytes, (size_t)row_bytes);
    bool ok = graph_write(input, all, err);
    free(all);
    return ok;
}

static bool write_validation(const embedding_trainer *t, int64_t first, const int32_t *read,
                             const int32_t *targets, error *err)
{
    const ar_prior_step *s = &t->check;
    const embedding_data *d = &t->data;
    int64_t numbers = t->config.dimensions * (int64_t)sizeof *read;
    return write_rows(s->caption, d->texts, d->size * (int64_t)sizeof(float), first, d->count, err) &&
           write_rows(s->text, d->ids, d->tokens * (int64_t)sizeof *read, first, d->count, err) &&
           write_rows(s->read, read, numbers, first, d->count, err) &&
           write_rows(s->targets, targets, numbers, first, d->count, err);
}

/* Nats a component, of batches that go round where the last one is not full. */
static bool run_validation(embedding_trainer *t, const int32_t *read, const int32_t *targets, double *loss,
                           error *err)
{
    int64_t rows = training_samples(&t->config.training), parts = (t->data.count + rows - 1) / rows;
    bool ok = true;
    *loss = 0;
    for (int64_t i = 0; ok && i < parts; ++i) {
        float value;
        ok = write_validation(t, i * rows, read, targets, err) && graph_run(t->check.graph, err) &&
             graph_read(t->check.loss, &value, err);
        if (ok) *loss += (double)value / (double)parts;
    }
    return ok;
}

static bool validation_loss(embedding_trainer *t, double *loss, error *err)
{
    const embedding_data *d = &t->data;
    int64_t n = t->config.dimensions;
    int32_t *read = malloc((size_t)(2 * d->count * n) * sizeof *read), *targets = read + d->count * n;
    if (!read) return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)d->count);
    for (int64_t i = 0; i < d->count; ++i)
        place_components(t, d->pictures + i * d->size, d->texts + i * d->size, d->ids[i * d->tokens] < 0,
                         read + i * n, targets + i * n);
    bool ok = need_check_graph(t, err) && run_validation(t, read, targets, loss, err);
    free(read);
    return ok;
}

static bool open_sampler(embedding_trainer *t, error *err)
{
    trainer_source *from = &t->from;
    if (!trainer_source_open(&t->base, from, err)) return false;
    if (!t->sampler)
        t->sampler = ar_prior_sampler_create(from->store, &t->config, &t->shape, from->averages, err);
    return t->sampler && trainer_source_fill(&t->base, from, err);
}

static void close_sampler(embedding_trainer *t)
{
    if (!t->from.own) return;
    ar_prior_sampler_destroy(t->sampler);
    t->sampler = NULL;
    store_destroy(t->from.store);
    t->from.own = false;
}

/* Components for the first `count` validation captions, in `buckets` [count][D]; `near` [count] is room. */
static bool draw_components(embedding_trainer *t, int64_t count, int32_t *near, int32_t *buckets, error *err)
{
    const ar_prior_config *c = &t->config;
    for (int64_t i = 0; i < count; ++i)
        near[i] = ar_prior_near_token(c, ar_prior_codes_draw_near(t->codes, c->near_share, SEED, i));
    const ar_prior_draw how = { .each = true,
                                .text = t->data.ids,
                                .caption = t->data.texts,
                                .near = near,
                                .seed = SEED,
                                .count = count,
                                .temperature = c->temperature,
                                .guidance = c->guidance };
    return need_codes(t, err) && ar_prior_sampler_draw(t->sampler, &how, buckets, err);
}

/* Embeddings [count][E] for the first validation captions. */
static bool draw_validation(void *self, int64_t count, float *out, error *err)
{
    embedding_trainer *t = self;
    int64_t n = t->config.dimensions;
    int32_t *near = malloc((size_t)(count * (n + 1)) * sizeof *near);
    bool ok =
        near ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)count);
    ok = ok && need_codes(t, err) && draw_components(t, count, near, near + count, err);
    for (int64_t i = 0; ok && i < count; ++i)
        ar_prior_codes_decode(t->codes, near + count + i * n, out + i * t->shape.embedding);
    free(near);
    return ok;
}

/* How near what is drawn comes: rank 0's, where others have pieces of what it draws by. */
static bool check_drawn(embedding_trainer *t, train_metrics *out, error *err)
{
    double near, found;
    if (t->base.no_wholes || pieces_serves(t->base.store, t->config.training.comm)) return true;
    bool ok = open_sampler(t, err) && embedding_check(&t->data, draw_validation, t, &near, &found, err);
    close_sampler(t);
    if (!ok) return false;
    train_metrics_add(out, "cosine", near, "%.4f");
    train_metrics_add(out, "picture_found", found, "%.3f");
    return true;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    embedding_trainer *t = self;
    double loss = 0;
    if (!need_codes(t, err) || !embedding_data_validation(&t->data, err) || !validation_loss(t, &loss, err))
        return false;
    trainer_observe(&t->base, loss);
    out->finite = isfinite(loss);
    train_metrics_add(out, "loss", loss, "%.4f");
    return check_drawn(t, out, err);
}

/* Under each picture, the one that is nearest to what its caption draws. */
static bool make_nearest(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    embedding_trainer *t = self;
    bool ok =
        open_sampler(t, err) && embedding_check_show(&t->data, draw_validation, t, real, count, made, err);
    close_sampler(t);
    return ok;
}

static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    embedding_trainer *t = self;
    return trainer_draw(&t->base, path, make_nearest, t, err);
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    const embedding_trainer *t = self;
    json_t *state = trainer_save(&t->base);
    json_tree_put(&state, CLIP_ORIGIN_KEY, json_string(clip_source_fingerprint(t->clip)));
    return state;
}

static bool load_state(void *self, const json_t *state, error *err)
{
    embedding_trainer *t = self;
    return trainer_load(&t->base, state, err);
}

/* ---- Setting up ---- */

/* What the settings leave to the set, and to the CLIP. */
static bool fit(embedding_trainer *t, const train_request *r, error *err)
{
    ar_prior_config *c = &t->config;
    const clip_part *clip = clip_source_part(t->clip);
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    bool chosen;
    ar_prior_fit(c, pictures, &chosen);
    training_data_set_batch(t->base.data, c->batch);
    const text_options text = { .request = r,
                                .marks = clip_text_marks,
                                .shared = clip->tokenizer,
                                .shared_tokens = clip->config.text_tokens,
                                .batch = training_batch(&c->training),
                                .first = training_first(&c->training),
                                .seed = (uint64_t)c->seed };
    if (!(t->text = text_open(&c->text, &text, t->base.data, err)) ||
        !ar_prior_config_check(c, &t->shape, err))
        return false;
    if (!chosen) return true;
    return announce_run(ar_prior_workload(t->base.device, c, &t->shape, err), pictures, NULL, c->steps,
                        c->batch, err);
}

/* Components and buckets, which a run keeps from its first step on. */
static bool make_codes(embedding_trainer *t, error *err)
{
    const ar_prior_config *c = &t->config;
    float *pictures, *texts, *near = NULL;
    int64_t count, size = t->shape.embedding;
    if (!embedding_data_training(&t->data, c->pca_pictures, &pictures, &texts, &count, err)) return false;
    bool ok = (near = malloc((size_t)(count + 1) * sizeof *near)) != NULL ||
              error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i)
        near[i] = (float)embedding_cosine(pictures + i * size, texts + i * size, size);
    ok = ok && ar_prior_codes_fit(t->codes, t->base.device, pictures, near, count, err) &&
         ar_prior_codes_write(t->codes, t->base.store, err);
    if (ok)
        log_info("%lld components of %lld pictures' embeddings hold %.2f %% of their variance",
                 (long long)c->dimensions, (long long)count, 100 * t->codes->variance_kept);
    free(pictures);
    free(texts);
    free(near);
    return ok;
}

static bool make_batch(embedding_trainer *t, error *err)
{
    size_t count = (size_t)(t->config.batch * t->config.dimensions);
    t->read = malloc(count * sizeof *t->read);
    t->targets = malloc(count * sizeof *t->targets);
    t->codes = ar_prior_codes_create(&t->config, &t->shape, err);
    return t->codes && ((t->read && t->targets) ||
                        error_set(err, ERROR_MEMORY, "out of memory for a batch's components"));
}

static bool build(embedding_trainer *t, error *err)
{
    return trainer_open_store(&t->base, err) &&
           ar_prior_codes_declare(t->base.store, &t->config, &t->shape, err) &&
           ar_prior_step_build(&t->train, t->base.store, &t->config, &t->shape, err) &&
           trainer_compile(&t->base, t->train.graph, AR_PRIOR_STEP_KNOB, err);
}

/* Batches hold the CLIP's pictures and nothing else. */
static bool open_parts(embedding_trainer *t, const char *data, const char *clip, error *err)
{
    bool fixed = training_is_fixed(&t->config.training);
    if (!trainer_open_device(&t->base, err) ||
        !(t->clip = clip_source_open(t->base.device, clip, false, 0, err)))
        return false;
    const clip_config *of = &clip_source_part(t->clip)->config;
    t->shape.embedding = of->embedding;
    t->view = clip_source_view(t->clip, of->image_size);
    t->base.views = &t->view;
    t->base.view_count = 1;
    return trainer_open_data(&t->base, data, of->image_size, true, err) &&
           embedding_data_open(&t->data, t->base.data, t->clip, fixed, err);
}

/* A model's components are what its parameters are about: its CLIP must be this one. */
static bool start_from(embedding_trainer *t, const part_files *from, const char *init, const char *clip,
                       error *err)
{
    return ar_prior_start_from_model(t->base.store, from, clip_source_part(t->clip), clip, init, err);
}

static bool set_up(embedding_trainer *t, const train_request *r, const char *data, const char *clip,
                   error *err)
{
    part_files from;
    if (!open_parts(t, data, clip, err) || !start_find(r, &ar_prior_kind, &from, err)) return false;
    bool ok = fit(t, r, err) && (r->resume || text_warn_cut(t->text, err)) &&
              embedding_data_make(&t->data, t->text, training_batch(&t->config.training), err) &&
              make_batch(t, err) && build(t, err);
    ok = ok && (from.weights ? start_from(t, &from, r->init, clip, err) : make_codes(t, err));
    part_files_free(&from);
    return ok;
}

static void clean_up(embedding_trainer *t)
{
    ar_prior_sampler_destroy(t->sampler);
    graph_destroy(t->check.graph);
    graph_destroy(t->train.graph);
    ar_prior_codes_destroy(t->codes);
    embedding_data_close(&t->data);
    text_close(t->text);
    clip_source_close(t->clip);
    trainer_close(&t->base);
    free(t->read);
    free(t->targets);
}

static json_t *parts_origin(const embedding_trainer *t, const char *clip, const train_request *r, error *err)
{
    json_t *parts = json_pack("{s:o, s:s}", CLIP_ORIGIN_KEY, json_tree_string(clip), "clip_parameters",
                              clip_source_fingerprint(t->clip));
    if (!parts) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
    return parts;
}

bool ar_prior_train(const train_request *r, error *err)
{
    embedding_trainer t = { .codes = NULL };
    trainer_init(&t.base, r, &t.config.training, &t.config.pace);
    train_task task = {
        "ar-prior", &t, NULL, begin, end, evaluate, draw, save_state, load_state, NULL, NULL
    };
    char *data = NULL, *clip = NULL;
    json_t *parts = NULL;
    bool ok = request_config(r, &ar_prior_config_table, &t.config, err) &&
              request_take_sizes(r, &ar_prior_config_table, ar_prior_sizes, &t.config, err) &&
              ar_prior_config_check(&t.config, NULL, err) &&
              training_check_shards(&t.config.training, "ar-prior", t.config.size, err) &&
              training_check_shards(&t.config.training, "ar-prior", t.config.text_width, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) &&
              (clip = request_path(r, CLIP_ORIGIN_KEY, request_part(r, &clip_kind), "--clip", err)) &&
              set_up(&t, r, data, clip, err) && (parts = parts_origin(&t, clip, r, err)) &&
              trainer_run(&t.base, &task, &ar_prior_config_table, &t.config, data, parts, err);
    if (!ok) trainer_advise(&t.base, &ar_prior_kind, &t.config, &t.shape.embedding, err);
    free(data);
    free(clip);
    clean_up(&t);
    return ok;
}
