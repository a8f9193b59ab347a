/* decoder_train.c -- the decoder as a training task: batches, figures, validation, grids.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_train.h"

#include "host/base/json_tree.h"
#include "models/announce.h"
#include "models/decoder/decoder_data.h"
#include "models/decoder/decoder_draw.h"
#include "models/decoder/decoder_step.h"
#include "models/decoder/decoder_workload.h"
#include "models/decoder/start.h"
#include "models/kinds.h"
#include "models/start.h"
#include "models/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct decoder_trainer {
    trainer base;
    decoder_config config;
    diffusion process;
    clip_source *clip;
    decoder_shape shape;
    loader_view views[LOADER_VIEWS];
    text_source *text;
    decoder_data data;
    int64_t step;        /* that is being written */
    float *time, *times; /* of a part: [b], [b,8] */
    decoder_step train, check;
    decoder_drawer *drawer;
} decoder_trainer;

/* ---- One step ---- */

static bool write_times(const decoder_trainer *t, const diffusion_inputs *in, uint64_t seed, int64_t step,
                        int64_t first, error *err)
{
    diffusion_draw_times(&t->process, seed, step, first, in->time->dim[0], t->time, t->times);
    return graph_write(in->time, t->time, err) && graph_write(in->coefficients, t->times, err);
}

/* The part of the batch that begins with sample `first`. */
static bool write_part(void *self, int64_t first, error *err)
{
    decoder_trainer *t = self;
    const decoder_step *s = &t->train;
    return decoder_rows_write(s->pixels, t->data.pixels, t->data.values.count, first, err) &&
           decoder_values_write(&t->data.values, &s->condition, first, err) &&
           write_times(t, &s->times, (uint64_t)t->config.seed, t->step, s->division.first + first, err);
}

static bool read_begin(const diffusion_losses *l, error *err)
{
    return graph_read_begin(l->loss, err) &&
           (!l->bound || (graph_read_begin(l->error, err) && graph_read_begin(l->bound, err)));
}

static bool begin(void *self, int64_t step, error *err)
{
    decoder_trainer *t = self;
    const trainer_graph g = { t->train.graph, &t->train.division, t->train.optimizer, write_part };
    const loader_batch *b = training_data_next(t->base.data, step, err);
    if (!b || !decoder_data_fill(&t->data, b, step, err)) return false;
    t->step = step;
    return trainer_step(&t->base, &g, step, trainer_rate(&t->base, step), t, err) &&
           read_begin(&t->train.losses, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    decoder_trainer *t = self;
    const diffusion_losses *l = &t->train.losses;
    float loss, error_of = 0, bound = 0;
    if (!graph_read_end(l->loss, &loss, err)) return false;
    if (l->bound && (!graph_read_end(l->error, &error_of, err) || !graph_read_end(l->bound, &bound, err)))
        return false;
    train_metrics_add(out, "loss", loss, "%.4f");
    if (l->bound) train_metrics_add(out, "error", error_of, "%.4f");
    if (l->bound) train_metrics_add(out, "bound", bound, NULL);
    return trainer_figures(t->train.optimizer, trainer_rate(&t->base, step), out, err);
}

/* ---- Validation, with the averaged parameters ---- */

/* Every picture is seen at so many times. */
enum { PASSES = 4, SEED = 1 };

static bool need_check_graph(decoder_trainer *t, error *err)
{
    if (t->check.graph) return true;
    return decoder_step_build_loss(&t->check, t->base.store, &t->config, &t->shape, &t->process, err) &&
           graph_compile(t->check.graph, (uint64_t)t->config.seed, "`batch`, or set a higher `accumulate`",
                         err);
}

static bool write_validation(const decoder_trainer *t, int64_t pass, int64_t first, error *err)
{
    const decoder_step *s = &t->check;
    const decoder_data *d = &t->data;
    const int32_t random[4] = { SEED, 0, (int32_t)pass, (int32_t)first };
    return decoder_rows_write(s->pixels, d->check_pixels, d->check.count, first, err) &&
           decoder_values_write(&d->check, &s->condition, first, err) &&
           write_times(t, &s->times, SEED, pass, first, err) && graph_write(s->random, random, err);
}

/* Adds an `of`-th of a batch's figures. */
static bool add_losses(const decoder_trainer *t, double of, double sums[3], error *err)
{
    const diffusion_losses *l = &t->check.losses;
    tensor *const figures[3] = { l->loss, l->bound ? l->error : NULL, l->bound };
    for (int i = 0; i < 3; ++i) {
        float value = 0;
        if (figures[i] && !graph_read(figures[i], &value, err)) return false;
        sums[i] += (double)value / of;
    }
    return true;
}

/* The losses at fixed times and noise. */
static bool validation_losses(decoder_trainer *t, double sums[3], error *err)
{
    int64_t rows = training_samples(&t->config.training), parts = (t->data.check.count + rows - 1) / rows;
    bool ok = need_check_graph(t, err);
    for (int64_t pass = 0; ok && pass < PASSES; ++pass) {
        ok = decoder_data_validation_masks(&t->data, pass, err);
        for (int64_t i = 0; ok && i < parts; ++i)
            ok = write_validation(t, pass, i * rows, err) && graph_run(t->check.graph, err) &&
                 add_losses(t, (double)(PASSES * parts), sums, err);
    }
    return ok;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    decoder_trainer *t = self;
    double sums[3] = { 0, 0, 0 };
    if (!decoder_data_validation(&t->data, TRAINER_VALIDATED, err) || !validation_losses(t, sums, err))
        return false;
    trainer_observe(&t->base, sums[0]);
    out->finite = isfinite(sums[0]);
    train_metrics_add(out, "loss", sums[0], "%.4f");
    if (t->check.losses.bound) train_metrics_add(out, "error", sums[1], "%.4f");
    if (t->check.losses.bound) train_metrics_add(out, "bound", sums[2], NULL);
    return true;
}

/* ---- Sample grids ---- */

static bool need_drawer(decoder_trainer *t, error *err)
{
    if (t->drawer) return true;
    t->drawer = decoder_drawer_create(t->base.store, &t->config, &t->shape, t->config.ema > 0, err);
    return t->drawer != NULL;
}

/* A drawing as bytes, at the size that validation pictures have. */
static bool show(const decoder_trainer *t, const float *drawn, uint8_t *made, error *err)
{
    int64_t size = t->config.size, values = size * size * 3;
    uint8_t *pixels = malloc((size_t)values);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for a sample picture");
    for (int64_t i = 0; i < values; ++i)
        pixels[i] = (uint8_t)lrintf(fminf(fmaxf((drawn[i] + 1) * 127.5f, 0), 255));
    const image whole = { .width = (int)size, .height = (int)size, .pixels = pixels };
    bool ok = augment_by(&whole, (int)training_data_size(t->base.data), AUGMENT_NONE, AUGMENT_FLIP_OFF,
                         IMAGE_NEAREST, NULL, made, err);
    free(pixels);
    return ok;
}

static bool show_all(const decoder_trainer *t, const float *drawn, int64_t count, uint8_t *made, error *err)
{
    int64_t size = t->config.size, side = training_data_size(t->base.data);
    for (int64_t i = 0; i < count; ++i)
        if (!show(t, drawn + i * size * size * 3, made + i * side * side * 3, err)) return false;
    return true;
}

/* Pictures from the validation pictures' own embeddings and captions. */
static bool make_drawings(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err)
{
    (void)real;
    decoder_trainer *t = self;
    int64_t size = t->config.size;
    decoder_draw how = decoder_draw_by(&t->config);
    float *drawn = malloc((size_t)(count * size * size * 3) * sizeof *drawn);
    bool ok =
        drawn ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)count);
    how.count = count;
    how.seed = SEED;
    how.values = &t->data.check;
    how.none = &t->data.none;
    how.spacing = t->config.grid_spacing;
    how.ddim = true;
    how.eta = 0;
    ok = ok && need_drawer(t, err) && decoder_data_validation(&t->data, TRAINER_VALIDATED, err) &&
         decoder_data_validation_masks(&t->data, 0, err) &&
         decoder_drawer_draw(t->drawer, &how, drawn, err) && show_all(t, drawn, count, made, err);
    free(drawn);
    return ok;
}

static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    decoder_trainer *t = self;
    return trainer_draw(&t->base, path, make_drawings, t, err);
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    const decoder_trainer *t = self;
    json_t *state = trainer_save(&t->base);
    json_tree_put(&state, CLIP_ORIGIN_KEY, json_string(clip_source_fingerprint(t->clip)));
    json_tree_put(&state, CLIP_IMAGE_KEY, json_string(clip_source_image_fingerprint(t->clip)));
    return state;
}

static bool load_state(void *self, const json_t *state, error *err)
{
    decoder_trainer *t = self;
    return trainer_load(&t->base, state, err);
}

/* ---- Setting up ---- */

/* What the settings leave to the set, and to the CLIP. */
static bool fit(decoder_trainer *t, const train_request *r, error *err)
{
    decoder_config *c = &t->config;
    const clip_part *clip = clip_source_part(t->clip);
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    bool chosen;
    decoder_fit(c, pictures, &chosen);
    training_data_set_batch(t->base.data, c->batch);
    const text_options text = { .request = r,
                                .shared = clip->tokenizer,
                                .shared_tokens = clip->config.text_tokens,
                                .batch = training_batch(&c->training),
                                .first = training_first(&c->training),
                                .seed = (uint64_t)c->seed };
    if (!(t->text = text_open(&c->text, &text, t->base.data, err)) || !decoder_config_check(c, err))
        return false;
    if (!chosen) return true;
    return announce_run(decoder_workload(t->base.device, c, &t->shape, err), pictures, NULL, c->steps,
                        c->batch, err);
}

static bool make_times(decoder_trainer *t, error *err)
{
    size_t samples = (size_t)training_samples(&t->config.training);
    t->time = malloc(samples * sizeof *t->time);
    t->times = malloc(samples * DIFFUSION_COEFFICIENTS * sizeof *t->times);
    return (t->time && t->times) || error_set(err, ERROR_MEMORY, "out of memory for a batch's times");
}

static bool build(decoder_trainer *t, error *err)
{
    return trainer_open_store(&t->base, err) &&
           decoder_step_build(&t->train, t->base.store, &t->config, &t->shape, &t->process, err) &&
           trainer_compile(&t->base, t->train.graph, DECODER_STEP_KNOB, err);
}

/* Of so many of the set's first pictures embeddings are kept: the set is opened after the CLIP, whose size
 * says how its pictures are read. */
enum { KEPT = 1 << 16 };

static bool open_parts(decoder_trainer *t, const char *data, const char *clip, error *err)
{
    bool fixed = training_is_fixed(&t->config.training);
    int64_t size;
    if (!trainer_open_device(&t->base, err) ||
        !(t->clip = clip_source_open(t->base.device, clip, fixed, KEPT, err)))
        return false;
    const clip_config *of = &clip_source_part(t->clip)->config;
    t->shape = (decoder_shape){ .embedding = of->embedding, .text = of->text_width };
    t->base.views = t->views;
    t->base.view_count = decoder_data_views(&t->config, t->clip, &size, t->views);
    return trainer_open_data(&t->base, data, size, true, err);
}

static bool set_up(decoder_trainer *t, const train_request *r, const char *data, const char *clip, error *err)
{
    const decoder_config *c = &t->config;
    part_files from;
    if (!open_parts(t, data, clip, err) || !start_find(r, &decoder_kind, &from, err)) return false;
    bool ok = fit(t, r, err) && decoder_process(c, &t->process, err) &&
              (r->resume || text_warn_cut(t->text, err)) &&
              decoder_data_make(&t->data, c, &t->shape, t->base.data, t->clip, t->text, err) &&
              make_times(t, err) && build(t, err) &&
              (!from.weights || decoder_start_from_model(t->base.store, &from, err));
    part_files_free(&from);
    return ok;
}

static void clean_up(decoder_trainer *t)
{
    decoder_drawer_destroy(t->drawer);
    graph_destroy(t->check.graph);
    graph_destroy(t->train.graph);
    decoder_data_free(&t->data);
    text_close(t->text);
    clip_source_close(t->clip);
    trainer_close(&t->base);
    diffusion_free(&t->process);
    free(t->time);
    free(t->times);
}

static json_t *parts_origin(const decoder_trainer *t, const char *clip, const train_request *r, error *err)
{
    json_t *parts = json_pack("{s:o, s:s}", CLIP_ORIGIN_KEY, json_tree_string(clip), "clip_parameters",
                              clip_source_fingerprint(t->clip));
    if (!parts) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", r->run);
    return parts;
}

bool decoder_train(const train_request *r, error *err)
{
    decoder_trainer t = { .step = 0 };
    trainer_init(&t.base, r, &t.config.training, &t.config.pace);
    train_task task = { "decoder", &t, NULL, begin, end, evaluate, draw, save_state, load_state, NULL, NULL };
    char *data = NULL, *clip = NULL;
    json_t *parts = NULL;
    bool ok = request_config(r, &decoder_config_table, &t.config, err) &&
              request_take_sizes(r, &decoder_config_table, decoder_sizes, &t.config, err) &&
              decoder_config_check(&t.config, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) &&
              (clip = request_path(r, CLIP_ORIGIN_KEY, request_part(r, &clip_kind), "--clip", err)) &&
              set_up(&t, r, data, clip, err) && (parts = parts_origin(&t, clip, r, err)) &&
              trainer_run(&t.base, &task, &decoder_config_table, &t.config, data, parts, err);
    if (!ok)
        trainer_advise(&t.base, &decoder_kind, &t.config, (int64_t[]){ t.shape.embedding, t.shape.text },
                       err);
    free(data);
    free(clip);
    clean_up(&t);
    return ok;
}
