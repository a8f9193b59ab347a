/* diffusion_prior_train.c -- the diffusion prior as a training task: batches of embeddings, figures,
 * validation, grids.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_train.h"

#include "host/base/json_tree.h"
#include "host/train/pieces.h"
#include "models/announce.h"
#include "models/diffusion_prior/diffusion_prior_draw.h"
#include "models/diffusion_prior/diffusion_prior_step.h"
#include "models/diffusion_prior/diffusion_prior_workload.h"
#include "models/diffusion_prior/start.h"
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
    diffusion_prior_config config;
    diffusion process;
    clip_source *clip;
    loader_view view;
    text_source *text;
    embedding_data data;
    int64_t step;        /* that is being written */
    float *time, *times; /* of a part: [b], [b,8] */
    diffusion_prior_step train, check;
    diffusion_prior_drawer *drawer;
    trainer_source from; /* what that is built over */
} embedding_trainer;

/* ---- One step ---- */

static bool write_times(const embedding_trainer *t, const diffusion_inputs *in, uint64_t seed, int64_t step,
                        int64_t first, error *err)
{
    diffusion_draw_times(&t->process, seed, step, first, in->time->dim[0], t->time, t->times);
    return graph_write(in->time, t->time, err) && graph_write(in->coefficients, t->times, err);
}

/* The part of the batch that begins with sample `first`. */
static bool write_part(void *self, int64_t first, error *err)
{
    embedding_trainer *t = self;
    const diffusion_prior_step *s = &t->train;
    const embedding_data *d = &t->data;
    return graph_write(s->embedding, d->embeddings + first * d->size, err) &&
           graph_write(s->condition.tokens, d->batch.ids + first * d->tokens, err) &&
           graph_write(s->condition.caption, d->captions + first * d->size, err) &&
           write_times(t, &s->times, (uint64_t)t->config.seed, t->step, s->division.first + first, err);
}

static bool begin(void *self, int64_t step, error *err)
{
    embedding_trainer *t = self;
    const trainer_graph g = { t->train.graph, &t->train.division, t->train.optimizer, write_part };
    const loader_batch *b = training_data_next(t->base.data, step, err);
    if (!b || !embedding_data_fill(&t->data, b, step, err)) return false;
    t->step = step;
    return trainer_step(&t->base, &g, step, trainer_rate(&t->base, step), t, err) &&
           graph_read_begin(t->train.losses.loss, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    embedding_trainer *t = self;
    float loss;
    if (!graph_read_end(t->train.losses.loss, &loss, err)) return false;
    train_metrics_add(out, "loss", loss, "%.5f");
    return trainer_figures(t->train.optimizer, trainer_rate(&t->base, step), out, err);
}

/* ---- Validation, with the averaged parameters ---- */

/* Every picture is seen at so many times; embeddings are drawn for so many captions. */
enum { PASSES = 4, SEED = 1 };

static bool need_check_graph(embedding_trainer *t, error *err)
{
    if (t->check.graph) return true;
    return diffusion_prior_step_build_loss(&t->check, t->base.store, &t->config, &t->process, t->data.size,
                                           err) &&
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

static bool write_validation(const embedding_trainer *t, int64_t pass, int64_t first, error *err)
{
    const diffusion_prior_step *s = &t->check;
    const embedding_data *d = &t->data;
    const int32_t random[4] = { SEED, 0, (int32_t)pass, (int32_t)first };
    int64_t row = d->size * (int64_t)sizeof(float);
    return write_rows(s->embedding, d->pictures, row, first, d->count, err) &&
           write_rows(s->condition.caption, d->texts, row, first, d->count, err) &&
           write_rows(s->condition.tokens, d->ids, d->tokens * (int64_t)sizeof(int32_t), first, d->count,
                      err) &&
           write_times(t, &s->times, SEED, pass, first, err) && graph_write(s->random, random, err);
}

/* The error at fixed times and noise. */
static bool validation_loss(embedding_trainer *t, double *loss, error *err)
{
    int64_t rows = training_samples(&t->config.training), parts = (t->data.count + rows - 1) / rows;
    bool ok = need_check_graph(t, err);
    *loss = 0;
    for (int64_t i = 0; ok && i < PASSES * parts; ++i) {
        float value;
        ok = write_validation(t, i / parts, i % parts * rows, err) && graph_run(t->check.graph, err) &&
             graph_read(t->check.losses.loss, &value, err);
        if (ok) *loss += (double)value / (double)(PASSES * parts);
    }
    return ok;
}

static bool open_drawer(embedding_trainer *t, error *err)
{
    trainer_source *from = &t->from;
    if (!trainer_source_open(&t->base, from, err)) return false;
    if (!t->drawer)
        t->drawer = diffusion_prior_drawer_create(from->store, &t->config, t->data.size, from->averages, err);
    return t->drawer && trainer_source_fill(&t->base, from, err);
}

static void close_drawer(embedding_trainer *t)
{
    if (!t->from.own) return;
    diffusion_prior_drawer_destroy(t->drawer);
    t->drawer = NULL;
    store_destroy(t->from.store);
    t->from.own = false;
}

/* Embeddings [count][E] for the first validation captions. */
static bool draw_validation(void *self, int64_t count, float *out, error *err)
{
    embedding_trainer *t = self;
    diffusion_prior_draw how = diffusion_prior_draw_by(&t->config);
    how.count = count;
    how.seed = SEED;
    how.each = true;
    how.tokens = t->data.ids;
    how.captions = t->data.texts;
    how.candidates = 1;
    return diffusion_prior_drawer_draw(t->drawer, &how, out, err);
}

/* How near what is drawn comes: rank 0's, where others have pieces of what it draws by. */
static bool check_drawn(embedding_trainer *t, train_metrics *out, error *err)
{
    double near, found;
    if (t->base.no_wholes || pieces_serves(t->base.store, t->config.training.comm)) return true;
    bool ok = open_drawer(t, err) && embedding_check(&t->data, draw_validation, t, &near, &found, err);
    close_drawer(t);
    if (!ok) return false;
    train_metrics_add(out, "cosine", near, "%.4f");
    train_metrics_add(out, "picture_found", found, "%.3f");
    return true;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    embedding_trainer *t = self;
    double loss;
    if (!embedding_data_validation(&t->data, err) || !validation_loss(t, &loss, err)) return false;
    trainer_observe(&t->base, loss);
    out->finite = isfinite(loss);
    train_metrics_add(out, "loss", loss, "%.5f");
    return check_drawn(t, out, err);
}

/* Under each picture, the one that is nearest to what its caption draws. */
static bool make_nearest(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    embedding_trainer *t = self;
    bool ok =
        open_drawer(t, err) && embedding_check_show(&t->data, draw_validation, t, real, count, made, err);
    close_drawer(t);
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
    diffusion_prior_config *c = &t->config;
    const clip_part *clip = clip_source_part(t->clip);
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    bool chosen;
    diffusion_prior_fit(c, pictures, &chosen);
    training_data_set_batch(t->base.data, c->batch);
    const text_options text = { .request = r,
                                .shared = clip->tokenizer,
                                .shared_tokens = clip->config.text_tokens,
                                .batch = training_batch(&c->training),
                                .first = training_first(&c->training),
                                .seed = (uint64_t)c->seed };
    if (!(t->text = text_open(&c->text, &text, t->base.data, err)) || !diffusion_prior_config_check(c, err))
        return false;
    if (!chosen) return true;
    return announce_run(diffusion_prior_workload(t->base.device, c, t->data.size, err), pictures, NULL,
                        c->steps, c->batch, err);
}

static bool make_times(embedding_trainer *t, error *err)
{
    size_t samples = (size_t)training_samples(&t->config.training);
    t->time = malloc(samples * sizeof *t->time);
    t->times = malloc(samples * DIFFUSION_COEFFICIENTS * sizeof *t->times);
    return (t->time && t->times) || error_set(err, ERROR_MEMORY, "out of memory for a batch's times");
}

static bool build(embedding_trainer *t, error *err)
{
    return trainer_open_store(&t->base, err) &&
           diffusion_prior_step_build(&t->train, t->base.store, &t->config, &t->process, t->data.size, err) &&
           trainer_compile(&t->base, t->train.graph, DIFFUSION_PRIOR_STEP_KNOB, err);
}

/* A new run's, before its first step; afterwards they are part of the model. */
static bool write_statistics(embedding_trainer *t, error *err)
{
    store *s = t->base.store;
    size_t size = (size_t)t->data.size;
    float *mean = malloc(2 * size * sizeof *mean), *deviation = mean ? mean + size : NULL;
    bool ok = mean ? true : error_set(err, ERROR_MEMORY, "out of memory for the embeddings' statistics");
    ok = ok && embedding_data_statistics(&t->data, mean, deviation, err) &&
         store_write_f32(s, store_find(s, DIFFUSION_PRIOR_MEAN), mean, err) &&
         store_write_f32(s, store_find(s, DIFFUSION_PRIOR_DEVIATION), deviation, err);
    free(mean);
    return ok;
}

/* Batches hold the CLIP's pictures and nothing else. */
static bool open_parts(embedding_trainer *t, const char *data, const char *clip, error *err)
{
    bool fixed = training_is_fixed(&t->config.training);
    if (!trainer_open_device(&t->base, err) ||
        !(t->clip = clip_source_open(t->base.device, clip, false, 0, err)))
        return false;
    int64_t size = clip_source_part(t->clip)->config.image_size;
    t->view = clip_source_view(t->clip, size);
    t->base.views = &t->view;
    t->base.view_count = 1;
    return trainer_open_data(&t->base, data, size, true, err) &&
           embedding_data_open(&t->data, t->base.data, t->clip, fixed, err);
}

static bool set_up(embedding_trainer *t, const train_request *r, const char *data, const char *clip,
                   error *err)
{
    const diffusion_prior_config *c = &t->config;
    part_files from;
    if (!open_parts(t, data, clip, err) || !start_find(r, &diffusion_prior_kind, &from, err)) return false;
    bool ok = fit(t, r, err) && diffusion_prior_process(c, &t->process, err) &&
              (r->resume || text_warn_cut(t->text, err)) &&
              embedding_data_make(&t->data, t->text, training_batch(&c->training), err) &&
              make_times(t, err) && build(t, err);
    if (ok && from.weights)
        ok = diffusion_prior_start_from_model(t->base.store, &from, err);
    else if (ok && c->standardise && !r->resume)
        ok = write_statistics(t, err);
    part_files_free(&from);
    return ok;
}

static void clean_up(embedding_trainer *t)
{
    diffusion_prior_drawer_destroy(t->drawer);
    graph_destroy(t->check.graph);
    graph_destroy(t->train.graph);
    embedding_data_close(&t->data);
    text_close(t->text);
    clip_source_close(t->clip);
    trainer_close(&t->base);
    diffusion_free(&t->process);
    free(t->time);
    free(t->times);
}

static json_t *parts_origin(const embedding_trainer *t, const char *clip, const train_request *r, error *err)
{
    json_t *parts = json_pack("{s:o, s:s}", CLIP_ORIGIN_KEY, json_tree_string(clip), "clip_parameters",
                              clip_source_fingerprint(t->clip));
    if (!parts) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
    return parts;
}

bool diffusion_prior_train(const train_request *r, error *err)
{
    embedding_trainer t = { .step = 0 };
    trainer_init(&t.base, r, &t.config.training, &t.config.pace);
    train_task task = { "diffusion-prior", &t,         NULL, begin, end, evaluate, draw,
                        save_state,        load_state, NULL, NULL };
    char *data = NULL, *clip = NULL;
    json_t *parts = NULL;
    bool ok = request_config(r, &diffusion_prior_config_table, &t.config, err) &&
              request_take_sizes(r, &diffusion_prior_config_table, diffusion_prior_sizes, &t.config, err) &&
              diffusion_prior_config_check(&t.config, err) &&
              training_check_shards(&t.config.training, "diffusion-prior", t.config.size, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) &&
              (clip = request_path(r, CLIP_ORIGIN_KEY, request_part(r, &clip_kind), "--clip", err)) &&
              set_up(&t, r, data, clip, err) && (parts = parts_origin(&t, clip, r, err)) &&
              trainer_run(&t.base, &task, &diffusion_prior_config_table, &t.config, data, parts, err);
    if (!ok) trainer_advise(&t.base, &diffusion_prior_kind, &t.config, &t.data.size, err);
    free(data);
    free(clip);
    clean_up(&t);
    return ok;
}
