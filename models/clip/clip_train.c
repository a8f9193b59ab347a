/* clip_train.c -- CLIP as a training task: batches of pictures and captions, figures, validation by
 * retrieval, grids.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_train.h"

#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "models/announce.h"
#include "models/clip/clip_known.h"
#include "models/clip/clip_step.h"
#include "models/clip/clip_text.h"
#include "models/clip/clip_workload.h"
#include "models/clip/retrieval.h"
#include "models/clip/start.h"
#include "models/start.h"
#include "models/kinds.h"
#include "models/text.h"
#include "models/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct clip_trainer {
    trainer base;
    clip_config config;
    text_source *text;
    clip_marks marks;
    text_batch batch;
    const uint8_t *pixels; /* the step's batch, of the loader, */
    clip_known known;      /* or what is known of its pictures, */
    const float *chosen;
    int32_t *ids, *ends; /* and its captions: [B,T], [B] */
    clip_step train;
    clip_features *check;
} clip_trainer;

static int64_t picture_bytes(const clip_config *c)
{
    return c->image_size * c->image_size * 3;
}

/* ---- One step ---- */

/* The part of the batch that begins with sample `first`. */
static bool write_part(void *self, int64_t first, error *err)
{
    clip_trainer *t = self;
    const clip_config *c = &t->config;
    bool ok = t->train.known ? graph_write(t->train.features, t->chosen + first * c->embedding, err)
                             : graph_write(t->train.pixels, t->pixels + first * picture_bytes(c), err);
    return ok && graph_write(t->train.text, t->ids + first * c->text_tokens, err) &&
           clip_write_ends(t->train.ends, t->ends + first, c->text_tokens, err);
}

/* The text that text_fill has put at a place of the batch, as the tower reads it. */
static int64_t place(clip_trainer *t, int64_t at, int32_t *ids)
{
    int64_t tokens = t->config.text_tokens;
    return clip_text_place(&t->config, &t->marks, t->batch.ids + at * tokens, tokens, ids);
}

static bool fill_captions(clip_trainer *t, const loader_batch *b, int64_t step, error *err)
{
    int64_t tokens = t->config.text_tokens;
    for (int64_t i = 0; i < b->count; ++i) {
        if (!text_fill(t->text, &t->batch, i, &b->known[i], step, err)) return false;
        t->ends[i] = (int32_t)place(t, i, t->ids + i * tokens);
    }
    return true;
}

static bool read_begin(const clip_losses *l, error *err)
{
    bool ok = graph_read_begin(l->loss, err) && graph_read_begin(l->scale, err);
    for (int i = 0; i < 2; ++i)
        for (int64_t k = 0; ok && k < l->pieces; ++k) ok = graph_read_begin(l->nearest[i][k], err);
    return ok;
}

static bool need_check(clip_trainer *t, error *err)
{
    if (!t->check) t->check = clip_features_create(t->base.store, &t->config, t->config.ema > 0, err);
    return t->check != NULL;
}

/* Where they are known, the features of the batch's pictures; they are made at the first step, when the tower
 * is as it will stay. */
static bool take_pictures(clip_trainer *t, const loader_batch *b, error *err)
{
    const clip_config *c = &t->config;
    t->pixels = b->pixels;
    if (!t->train.known) return true;
    if (!t->known.all &&
        (!need_check(t, err) || !clip_known_make(&t->known, t->check, t->base.data, c->embedding,
                                                 training_batch(&c->training), err)))
        return false;
    t->chosen = clip_known_choose(&t->known, b);
    return true;
}

static bool begin(void *self, int64_t step, error *err)
{
    clip_trainer *t = self;
    const trainer_graph g = { t->train.graph, &t->train.division, t->train.optimizer, write_part };
    const loader_batch *b = training_data_next(t->base.data, step, err);
    if (!b || !fill_captions(t, b, step, err) || !take_pictures(t, b, err)) return false;
    return trainer_step(&t->base, &g, step, trainer_rate(&t->base, step), t, err) &&
           read_begin(&t->train.losses, err);
}

/* The share of samples that are nearest to their own of the other kind. */
static bool read_right(const clip_losses *l, int way, double *share, error *err)
{
    int32_t *nearest = malloc((size_t)l->rows * sizeof *nearest);
    bool ok = nearest ? true : error_set(err, ERROR_MEMORY, "out of memory for a step's figures");
    int64_t right = 0;
    for (int64_t k = 0; ok && k < l->pieces; ++k) {
        ok = graph_read_end(l->nearest[way][k], nearest, err);
        for (int64_t i = 0; ok && i < l->rows; ++i) right += nearest[i] == k * l->rows + i;
    }
    free(nearest);
    *share = (double)right / (double)(l->pieces * l->rows);
    return ok;
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    clip_trainer *t = self;
    const clip_losses *l = &t->train.losses;
    float loss, scale;
    double of_pictures, of_texts;
    if (!graph_read_end(l->loss, &loss, err) || !graph_read_end(l->scale, &scale, err) ||
        !read_right(l, 0, &of_pictures, err) || !read_right(l, 1, &of_texts, err))
        return false;
    train_metrics_add(out, "loss", loss, "%.4f");
    train_metrics_add(out, "caption_found", of_pictures, "%.3f");
    train_metrics_add(out, "picture_found", of_texts, "%.3f");
    train_metrics_add(out, "scale", scale, "%.1f");
    return trainer_figures(t->train.optimizer, trainer_rate(&t->base, step), out, err);
}

/* ---- Validation and grids, with the averaged parameters ---- */

/* The features of validation captions first .. first + count - 1. */
static bool caption_features(clip_trainer *t, int64_t first, int64_t count, float *out, error *err)
{
    int64_t tokens = t->config.text_tokens;
    int32_t *ids = malloc((size_t)(count * tokens) * sizeof *ids);
    int64_t *ends = malloc((size_t)count * sizeof *ends);
    bool ok = ids && ends ? true : error_set(err, ERROR_MEMORY, "out of memory for captions");
    for (int64_t i = 0; ok && i < count; ++i) {
        const dataset_sample *known = training_data_validation_sample(t->base.data, first + i);
        ok = text_fill(t->text, &t->batch, 0, known, -1, err);
        if (ok) ends[i] = place(t, 0, ids + i * tokens);
    }
    ok = ok && clip_features_texts(t->check, ids, ends, count, out, err);
    free(ids);
    free(ends);
    return ok;
}

/* Of validation pictures and captions 0 .. count - 1: [count][E] each. */
static bool validation_features(clip_trainer *t, const uint8_t *pixels, int64_t count, float *pictures,
                                float *texts, error *err)
{
    int64_t size = t->config.embedding, batch = clip_features_batch(t->check);
    bool ok = true;
    for (int64_t done = 0; ok && done < count; done += batch) {
        int64_t now = count - done < batch ? count - done : batch;
        ok = clip_features_pictures(t->check, pixels + done * picture_bytes(&t->config), now,
                                    pictures + done * size, err) &&
             caption_features(t, done, now, texts + done * size, err);
    }
    return ok;
}

/* Both kinds' features, pictures' first; to be freed. */
static float *compare_validation(clip_trainer *t, const uint8_t *pixels, int64_t count, error *err)
{
    int64_t numbers = count * t->config.embedding;
    float *features = malloc((size_t)(2 * numbers) * sizeof *features);
    if (!features)
        return error_null(err, ERROR_MEMORY, "out of memory for the features of %lld pictures",
                          (long long)count);
    if (need_check(t, err) && validation_features(t, pixels, count, features, features + numbers, err))
        return features;
    free(features);
    return NULL;
}

static bool learned_scale(const clip_trainer *t, double *scale, error *err)
{
    const store_entry *e = store_find(t->base.store, "log_scale");
    float log_scale;
    if (!store_read_f32(t->base.store, e, &log_scale, err)) return false;
    *scale = exp((double)log_scale);
    return true;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    clip_trainer *t = self;
    int64_t count;
    double scale;
    const uint8_t *pixels = training_data_validation(t->base.data, TRAINER_VALIDATED, &count, err);
    float *features = pixels ? compare_validation(t, pixels, count, err) : NULL;
    if (!features) return false;
    retrieval found;
    bool ok = learned_scale(t, &scale, err) && retrieval_of(features, features + count * t->config.embedding,
                                                            count, t->config.embedding, scale, &found, err);
    free(features);
    if (!ok) return false;
    trainer_observe(&t->base, found.loss);
    out->finite = isfinite(found.loss);
    train_metrics_add(out, "loss", found.loss, "%.4f");
    train_metrics_add(out, "caption_found", found.captions, "%.3f");
    train_metrics_add(out, "picture_found", found.pictures, "%.3f");
    return true;
}

static bool show_nearest(clip_trainer *t, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    int64_t size = t->config.embedding, one = picture_bytes(&t->config);
    float *features = compare_validation(t, real, count, err);
    if (!features) return false;
    for (int64_t i = 0; i < count; ++i) {
        int64_t which = retrieval_nearest(features, count, features + (count + i) * size, size);
        memcpy(made + i * one, real + which * one, (size_t)one);
    }
    free(features);
    return true;
}

/* Under each picture, the one that is nearest to its caption. */
static bool make_nearest(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    clip_trainer *t = self;
    clip_features *of_pieces = t->check;
    trainer_source from;
    if (!trainer_source_open(&t->base, &from, err)) return false;
    if (!from.own) return show_nearest(t, real, count, made, err);
    t->check = clip_features_create(from.store, &t->config, from.averages, err);
    bool ok =
        t->check && trainer_source_fill(&t->base, &from, err) && show_nearest(t, real, count, made, err);
    clip_features_destroy(t->check);
    t->check = of_pieces;
    store_destroy(from.store);
    return ok;
}

static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    clip_trainer *t = self;
    return trainer_draw(&t->base, path, make_nearest, t, err);
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    const clip_trainer *t = self;
    return trainer_save(&t->base);
}

static bool load_state(void *self, const json_t *state, error *err)
{
    clip_trainer *t = self;
    return trainer_load(&t->base, state, err);
}

/* ---- Setting up ---- */

/* What the settings leave to the set, the tokenizer, and the model that the run starts from. */
static bool fit(clip_trainer *t, const train_request *r, const part_files *from, error *err)
{
    clip_config *c = &t->config;
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    bool chosen;
    clip_fit(c, pictures, &chosen);
    training_data_set_batch(t->base.data, c->batch);
    text_options text = { .request = r,
                          .batch = training_batch(&c->training),
                          .first = training_first(&c->training),
                          .seed = (uint64_t)c->seed };
    if (from->weights) text.from = from;
    if (from->weights && !clip_start_positions(from, &text.least_tokens, err)) return false;
    text.marks = clip_text_marks;
    if (!(t->text = text_open(&c->text, &text, t->base.data, err))) return false;
    t->marks = clip_marks_of(text_tokenizer(t->text), c);
    if (!clip_config_check(c, err) || !chosen) return clip_config_check(c, err);
    return announce_run(clip_workload(t->base.device, c, err), pictures, NULL, c->steps, c->batch, err);
}

/* A batch of one would have nothing to tell its picture from. */
static bool batch_is_enough(const clip_config *c, error *err)
{
    return c->batch > 1 || error_set(err, ERROR_USAGE,
                                     "clip: a batch of 1 has no other pictures to tell its own from; use "
                                     "at least 2");
}

static bool has_what_is_locked(const clip_config *c, const train_request *r, const part_files *from,
                               error *err)
{
    return !c->locked_image || r->resume || from->weights ||
           error_set(
               err, ERROR_USAGE,
               "clip: locked_image=yes keeps the image tower that --init gives; from nothing it would never "
               "learn to see: name a model with --init, or leave locked_image at no");
}

static bool make_batch(clip_trainer *t, error *err)
{
    const clip_config *c = &t->config;
    t->ids = malloc((size_t)(c->batch * c->text_tokens) * sizeof *t->ids);
    t->ends = malloc((size_t)c->batch * sizeof *t->ends);
    if (!t->ids || !t->ends) return error_set(err, ERROR_MEMORY, "out of memory for a batch's captions");
    return text_batch_create(&t->batch, t->text, err);
}

static bool build(clip_trainer *t, error *err)
{
    t->train.known = clip_known_can(&t->config, t->base.data);
    if (t->train.known) training_data_blind(t->base.data);
    return trainer_open_store(&t->base, err) && clip_step_build(&t->train, t->base.store, &t->config, err) &&
           trainer_compile(&t->base, t->train.graph, CLIP_STEP_KNOB, err) &&
           clip_step_ready(&t->train, err) && clip_start_scale(t->base.store, err);
}

static bool set_up(clip_trainer *t, const train_request *r, const char *data, error *err)
{
    const clip_config *c = &t->config;
    part_files from;
    t->base.crop = c->crop;
    t->base.neighbours = c->neighbours;
    if (!trainer_open_device(&t->base, err) || !trainer_open_data(&t->base, data, c->image_size, true, err) ||
        !start_find(r, &clip_kind, &from, err))
        return false;
    bool ok = has_what_is_locked(c, r, &from, err) && fit(t, r, &from, err) && batch_is_enough(c, err) &&
              (r->resume || text_warn_cut(t->text, err)) && make_batch(t, err) && build(t, err) &&
              (!from.weights || clip_start_from_model(t->base.store, &from, text_tokenizer(t->text), err));
    part_files_free(&from);
    return ok;
}

static void clean_up(clip_trainer *t)
{
    clip_features_destroy(t->check);
    clip_known_free(&t->known);
    graph_destroy(t->train.graph);
    text_close(t->text);
    trainer_close(&t->base);
    text_batch_free(&t->batch);
    free(t->ids);
    free(t->ends);
}

static json_t *parts_origin(const clip_trainer *t, const train_request *r, error *err)
{
    json_t *parts = json_pack("{s:s}", "tokenizer", tokenizer_hash(text_tokenizer(t->text)));
    if (!parts) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
    return parts;
}

bool clip_train(const train_request *r, error *err)
{
    clip_trainer t = { 0 };
    trainer_init(&t.base, r, &t.config.training, &t.config.pace);
    train_task task = { "clip", &t, NULL, begin, end, evaluate, draw, save_state, load_state, NULL, NULL };
    char *data = NULL;
    json_t *parts = NULL;
    bool ok = request_config(r, &clip_config_table, &t.config, err) &&
              request_take_sizes(r, &clip_config_table, clip_sizes, &t.config, err) &&
              clip_config_check(&t.config, err) &&
              training_check_shards(&t.config.training, "clip", t.config.image_width, err) &&
              training_check_shards(&t.config.training, "clip", t.config.text_width, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) && set_up(&t, r, data, err) &&
              (parts = parts_origin(&t, r, err)) &&
              trainer_run(&t.base, &task, &clip_config_table, &t.config, data, parts, err);
    if (!ok) trainer_advise(&t.base, &clip_kind, &t.config, NULL, err);
    free(data);
    clean_up(&t);
    return ok;
}
