/* upsampler_train.c -- the upsampler as a training task: batches of squares with their small forms, figures,
 * validation, sample grids.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler_train.h"

#include "models/announce.h"
#include "models/kinds.h"
#include "models/trainer.h"
#include "models/upsampler/enlarge.h"
#include "models/upsampler/upsampler_check.h"
#include "models/upsampler/upsampler_step.h"
#include "models/upsampler/upsampler_workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 16 }; /* columns of a sample grid */

typedef struct upsampler_trainer {
    trainer base;
    upsampler_config config;
    degradation degradation;
    loader_view view; /* of the small pictures */
    diffusion process;
    enlarger enlarger;
    upsampler_step step;
    int64_t now;                 /* the step that is begun */
    const uint8_t *pixels, *low; /* its batch */
    float *inputs, *time;   /* of a part: the small ones brought to size; times, coefficients behind them */
    upsampler_check *check; /* made when first needed */
} upsampler_trainer;

/* ---- One step ---- */

static int64_t values_of(int64_t side)
{
    return side * side * 3;
}

static bool write_part(void *self, int64_t first, error *err)
{
    upsampler_trainer *t = self;
    const upsampler_config *c = &t->config;
    const upsampler_step *s = &t->step;
    int64_t samples = s->division.samples, large = values_of(upsampler_window(c)),
            small = values_of(upsampler_low_window(c));
    for (int64_t i = 0; i < samples; ++i)
        enlarge_pixels(&t->enlarger, t->low + (first + i) * small, t->inputs + i * large);
    diffusion_draw_times(&t->process, (uint64_t)c->seed, t->now, s->division.first + first, samples, t->time,
                         t->time + samples);
    return graph_write(s->pixels, t->pixels + first * large, err) && graph_write(s->low, t->inputs, err) &&
           graph_write(s->noise.time, t->time, err) &&
           graph_write(s->noise.coefficients, t->time + samples, err);
}

static bool read_begin(const diffusion_losses *l, error *err)
{
    return graph_read_begin(l->loss, err) && (l->error == l->loss || graph_read_begin(l->error, err)) &&
           (!l->bound || graph_read_begin(l->bound, err));
}

static bool begin(void *self, int64_t step, error *err)
{
    upsampler_trainer *t = self;
    const trainer_graph g = { t->step.graph, &t->step.division, t->step.optimizer, write_part };
    const loader_batch *batch = training_data_next(t->base.data, step, err);
    if (!batch) return false;
    t->now = step;
    t->pixels = batch->pixels;
    t->low = loader_pixels(batch, t->view.name);
    return trainer_step(&t->base, &g, step, trainer_rate(&t->base, step), t, err) &&
           read_begin(&t->step.losses, err);
}

static bool end(void *self, int64_t step, train_metrics *out, error *err)
{
    upsampler_trainer *t = self;
    const diffusion_losses *l = &t->step.losses;
    float loss, mean_error, bound;
    if (!graph_read_end(l->loss, &loss, err)) return false;
    train_metrics_add(out, "loss", loss, "%.4f");
    if (l->bound) {
        if (!graph_read_end(l->error, &mean_error, err) || !graph_read_end(l->bound, &bound, err))
            return false;
        train_metrics_add(out, "error", mean_error, "%.4f");
        train_metrics_add(out, "bound", bound, NULL);
    }
    return trainer_figures(t->step.optimizer, trainer_rate(&t->base, step), out, err);
}

/* ---- Validation and samples, with the averaged parameters ---- */

static bool need_check(upsampler_trainer *t, error *err)
{
    if (!t->check) t->check = upsampler_check_create(t->base.store, &t->config, err);
    return t->check != NULL;
}

/* What is shown of pictures: their small forms, those enlarged plainly, and as they are drawn. */
typedef struct drawn {
    uint8_t *low, *plain, *made;
} drawn;

static void free_drawn(drawn *d)
{
    free(d->low);
    free(d->plain);
    free(d->made);
}

static bool draw_all(upsampler_trainer *t, const uint8_t *real, int64_t count, drawn *d, error *err)
{
    const upsampler_config *c = &t->config;
    size_t small = (size_t)(count * values_of(c->from)), large = (size_t)(count * values_of(c->size));
    *d = (drawn){ malloc(small), malloc(large), malloc(large) };
    if (!d->low || !d->plain || !d->made)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)count);
    return need_check(t, err) && upsampler_check_shrink(c, real, count, d->low, err) &&
           upsampler_check_plain(c, d->low, count, d->plain, err) &&
           upsampler_check_draw(t->check, d->low, count, d->made, err);
}

static bool evaluate_drawn(upsampler_trainer *t, const uint8_t *real, int64_t count, train_metrics *out,
                           error *err)
{
    int64_t size = t->config.size;
    drawn d = { 0 };
    if (count > t->config.eval_drawn) count = t->config.eval_drawn;
    bool ok = count == 0 || draw_all(t, real, count, &d, err);
    if (ok && count > 0) {
        train_metrics_add(out, "psnr", upsampler_check_psnr(d.made, real, count, size), "%.2f");
        train_metrics_add(out, "psnr_plain", upsampler_check_psnr(d.plain, real, count, size), "%.2f");
        train_metrics_add(out, "detail", upsampler_check_detail(d.made, real, count, size), "%.2f");
        train_metrics_add(out, "detail_plain", upsampler_check_detail(d.plain, real, count, size), NULL);
    }
    free_drawn(&d);
    return ok;
}

static bool evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    upsampler_trainer *t = self;
    int64_t count;
    double loss, mean_error;
    const uint8_t *real = training_data_validation(t->base.data, TRAINER_VALIDATED, &count, err);
    if (!real || !need_check(t, err) || !upsampler_check_loss(t->check, real, count, &loss, &mean_error, err))
        return false;
    trainer_observe(&t->base, loss);
    out->finite = isfinite(loss);
    train_metrics_add(out, "loss", loss, "%.4f");
    if (t->step.losses.bound) train_metrics_add(out, "error", mean_error, "%.4f");
    return evaluate_drawn(t, real, count, out, err);
}

/* What is enlarged, as squares of one colour; what becomes of it; the real picture. */
static bool draw(void *self, int64_t step, const char *path, error *err)
{
    (void)step;
    upsampler_trainer *t = self;
    upsampler_config blocks = t->config;
    int64_t count;
    const uint8_t *real = training_data_validation(t->base.data, SHOWN, &count, err);
    if (!real) return false;
    drawn d = { 0 };
    blocks.enlarge = upsampler_enlarge_nearest;
    bool ok = draw_all(t, real, count, &d, err) &&
              upsampler_check_plain(&blocks, d.low, count, d.plain, err) &&
              training_grid_rows(path, (const uint8_t *[]){ d.plain, d.made, real }, 3, count, t->config.size,
                                 NULL, err);
    free_drawn(&d);
    return ok;
}

/* ---- State that must survive a restart ---- */

static json_t *save_state(void *self)
{
    const upsampler_trainer *t = self;
    return trainer_save(&t->base);
}

static bool load_state(void *self, const json_t *state, error *err)
{
    upsampler_trainer *t = self;
    return trainer_load(&t->base, state, err);
}

/* ---- Setting up ---- */

/* What the settings leave to the set; and if that was the number of steps, how long they will take. */
static bool fit(upsampler_trainer *t, error *err)
{
    bool chosen;
    const upsampler_config *c = &t->config;
    int64_t pictures = training_data_selection(t->base.data, false)->count;
    upsampler_fit(&t->config, pictures, &chosen);
    training_data_set_batch(t->base.data, c->batch);
    if (!upsampler_config_check(c, err) || !chosen) return upsampler_config_check(c, err);
    return announce_run(upsampler_workload(t->base.device, c, err), pictures, NULL, c->steps, c->batch, err);
}

static bool make_inputs(upsampler_trainer *t, error *err)
{
    const upsampler_config *c = &t->config;
    int64_t samples = training_samples(&c->training), side = upsampler_window(c);
    t->inputs = malloc((size_t)(samples * values_of(side)) * sizeof *t->inputs);
    t->time = malloc((size_t)(samples * (1 + DIFFUSION_COEFFICIENTS)) * sizeof *t->time);
    if (!t->inputs || !t->time) return error_set(err, ERROR_MEMORY, "out of memory for a batch");
    return upsampler_process(c, &t->process, err) &&
           enlarge_open(&t->enlarger, c, upsampler_low_window(c), side, err);
}

static bool build(upsampler_trainer *t, error *err)
{
    return trainer_open_store(&t->base, err) &&
           upsampler_step_build(&t->step, t->base.store, &t->config, err) &&
           trainer_compile(&t->base, t->step.graph, UPSAMPLER_STEP_KNOB, err);
}

/* The parameters of the model that the run starts from. */
static bool start(upsampler_trainer *t, const train_request *r, error *err)
{
    part_files from;
    if (!r->init || r->resume) return true;
    if (!part_files_find_like(r->init, &upsampler_kind, &t->config, &from, err)) return false;
    bool ok = checkpoint_import(t->base.store, from.weights, true, NULL, err);
    part_files_free(&from);
    return ok;
}

static bool set_up(upsampler_trainer *t, const train_request *r, const char *data, error *err)
{
    const upsampler_config *c = &t->config;
    upsampler_view(c, &t->degradation, &t->view);
    t->base.views = &t->view;
    t->base.view_count = 1;
    t->base.window = upsampler_window(c);
    return trainer_open_data(&t->base, data, c->size, false, err) && trainer_open_device(&t->base, err) &&
           fit(t, err) && make_inputs(t, err) && build(t, err) && start(t, r, err);
}

static void clean_up(upsampler_trainer *t)
{
    upsampler_check_destroy(t->check);
    graph_destroy(t->step.graph);
    trainer_close(&t->base);
    enlarge_close(&t->enlarger);
    diffusion_free(&t->process);
    free(t->inputs);
    free(t->time);
}

bool upsampler_train(const train_request *r, error *err)
{
    upsampler_trainer t = { 0 };
    trainer_init(&t.base, r, &t.config.training, &t.config.pace);
    train_task task = {
        "upsampler", &t, NULL, begin, end, evaluate, draw, save_state, load_state, NULL, NULL
    };
    char *data = NULL;
    bool ok = request_config(r, &upsampler_config_table, &t.config, err) &&
              request_take_sizes(r, &upsampler_config_table, upsampler_sizes, &t.config, err) &&
              upsampler_config_check(&t.config, err) &&
              (data = request_path(r, "data", r->data, "--data", err)) && set_up(&t, r, data, err) &&
              trainer_run(&t.base, &task, &upsampler_config_table, &t.config, data, NULL, err);
    if (!ok) trainer_advise(&t.base, &upsampler_kind, &t.config, NULL, err);
    free(data);
    clean_up(&t);
    return ok;
}
