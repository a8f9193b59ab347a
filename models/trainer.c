/* trainer.c -- see trainer.h.
 * SPDX-License-Identifier: MIT */
#include "models/trainer.h"

#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/graph/split.h"
#include "host/train/pieces.h"
#include "host/train/share.h"
#include "models/alike.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 16 }; /* pairs in a sample grid */

/* ---- Opening ---- */

void trainer_init(trainer *t, const train_request *r, const training_config *c, const schedule_config *pace)
{
    *t = (trainer){ .request = r, .config = c, .pace = pace };
}

bool trainer_open_device(trainer *t, error *err)
{
    return (t->device = device_open(t->request->device, err)) != NULL;
}

static augment_mode mode_of(const training_config *c)
{
    return c->augment == training_augment_listing1   ? AUGMENT_LISTING1
           : c->augment == training_augment_listing2 ? AUGMENT_LISTING2
                                                     : AUGMENT_NONE;
}

static augment_flip flip_of(const training_config *c)
{
    return c->flip == training_flip_yes  ? AUGMENT_FLIP_ON
           : c->flip == training_flip_no ? AUGMENT_FLIP_OFF
                                         : AUGMENT_FLIP_AS_MODE;
}

image_filter trainer_filter(const training_config *c)
{
    static const image_filter filters[] = {
        [training_resize_area] = IMAGE_AREA,       [training_resize_nearest] = IMAGE_NEAREST,
        [training_resize_box] = IMAGE_BOX,         [training_resize_bilinear] = IMAGE_BILINEAR,
        [training_resize_hamming] = IMAGE_HAMMING, [training_resize_bicubic] = IMAGE_BICUBIC,
        [training_resize_lanczos] = IMAGE_LANCZOS,
    };
    return filters[c->resize];
}

bool trainer_reading(const training_config *c, image_reading *how, error *err)
{
    *how = (image_reading){ .ignore_profiles = c->colour_profile == training_colour_profile_ignore,
                            .max_pixels = c->max_pixels,
                            .enough = c->fast_jpeg };
    return image_parse_colour(c->background, how->background, err) || error_prefix(err, "background");
}

bool trainer_open_data(trainer *t, const char *path, int64_t size, bool captions, error *err)
{
    const training_config *c = t->config;
    bool cropped = t->crop > 0 && t->crop < 1;
    image_reading how;
    if (!trainer_reading(c, &how, err)) return false;
    const training_data_options options = { .path = path,
                                            .split = c->split,
                                            .holdout = c->holdout,
                                            .size = size,
                                            .window = t->window,
                                            .batch = c->batch,
                                            .rank = comm_rank(c->comm),
                                            .ranks = comm_count(c->comm),
                                            .augment = cropped ? AUGMENT_CROP : mode_of(c),
                                            .least = t->crop,
                                            .neighbours = (int)t->neighbours,
                                            .flip = flip_of(c),
                                            .resize = trainer_filter(c),
                                            .reading = &how,
                                            .views = t->views,
                                            .view_count = t->view_count,
                                            .seed = (uint64_t)c->seed,
                                            .threads = (int)c->threads,
                                            .captions = captions,
                                            .skip_share = c->skip_share,
                                            .run = comm_rank(c->comm) ? NULL : t->request->run,
                                            .resume = t->request->resume };
    return (t->data = training_data_open(&options, err)) != NULL;
}

static void start_plateau(trainer *t)
{
    const schedule_config *p = t->pace;
    t->plateau = (schedule_plateau){ .threshold = p->plateau_threshold,
                                     .patience = (int)p->plateau_patience,
                                     .most = (int)p->plateau_halvings };
    schedule_plateau_start(&t->plateau);
}

bool trainer_open_store(trainer *t, error *err)
{
    if (t->pace) start_plateau(t);
    t->before = device_allocated_bytes(t->device);
    t->store = store_create(t->device, err);
    if (!t->store) return false;
    store_set_ranks(t->store, comm_count(t->config->comm));
    return pieces_open(t->store, t->config->comm, (int)t->config->shards, err);
}

bool trainer_compile(trainer *t, graph *g, const char *knob, error *err)
{
    const int64_t memory = device_get_info(t->device)->memory_bytes;
    graph_reserve(g, memory - room_without_reserve(memory));
    if (!graph_compile(g, (uint64_t)t->config->seed, knob, err)) return false;
    graph_lend(g);
    return true;
}

/* What a step may take for all to fit.  Where all of it had its memory already, the rest is what asked for
 * too much; and where by its plan it should have fitted, nobody knows how much was missing. */
static int64_t room_for_step(const trainer *t, int64_t step)
{
    const int64_t memory = device_get_info(t->device)->memory_bytes, held = device_allocated_bytes(t->device),
                  had = held + device_free_bytes(t->device), before = t->store ? t->before : held,
                  beside = held - before > step ? held - before - step : 0;
    int64_t room = room_without_reserve(had < memory ? had : memory) - before;
    if (held - before >= step) room -= beside + device_refused_bytes(t->device);
    return step > room ? room : step - step / 4;
}

void trainer_advise(const trainer *t, const model_kind *k, const void *config, const int64_t *given,
                    error *err)
{
    /* A smaller batch is no answer to a host's lack of memory. */
    if (!err || err->code != ERROR_ROOM || !t->device) return;
    if (t->config->shards > 1) return; /* all ranks together build such a step */
    const room_step step = { k, t->device, config, given, comm_count(t->config->comm) };
    const int64_t bytes = room_bytes(&step);
    if (bytes > 0) room_advise(&step, room_for_step(t, bytes), err);
}

void trainer_close(trainer *t)
{
    store_destroy(t->store);
    training_data_close(t->data);
    device_close(t->device);
}

/* ---- A step ---- */

double trainer_rate(const trainer *t, int64_t step)
{
    const schedule_config *p = t->pace;
    double rate = p->learning_rate * schedule_warmup(p->warmup, step);
    switch (p->schedule) {
    case training_schedule_plateau:
        return rate * schedule_plateau_factor(&t->plateau);
    case training_schedule_cosine:
        if (step < p->warmup) return rate;
        return schedule_cosine(p->learning_rate, 0, t->config->steps - p->warmup, step - p->warmup);
    case training_schedule_constant:
        break;
    }
    return rate;
}

static double ema_at(const trainer *t, int64_t step)
{
    int64_t every = t->pace ? t->pace->ema_every : 1;
    return step % every == 0 ? ema_decay_at(t->config->ema, step / every) : 1.0;
}

typedef struct part_writer {
    const trainer *trainer;
    const trainer_graph *graph;
    int64_t step;
    void *self;
} part_writer;

static bool write_part(void *context, int64_t first, error *err)
{
    const part_writer *w = context;
    const uint64_t seed = (uint64_t)w->trainer->config->seed;
    const division *d = w->graph->division;
    int32_t state[4] = { (int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32), (int32_t)w->step,
                         (int32_t)first };
    if (d->part != d->random && !graph_write(d->part, state, err)) return false;
    state[3] += (int32_t)d->first;
    return graph_write(d->random, state, err) && w->graph->write(w->self, first, err);
}

/* The figures of blocks' gradient scales, where there are some. */
static bool begin_blocks(const optimizer *o, error *err)
{
    tensor *blocks = optimizer_blocks(o), *zeros = optimizer_zeros(o);
    return (!blocks || graph_read_begin(blocks, err)) && (!zeros || graph_read_begin(zeros, err));
}

bool trainer_step(trainer *t, const trainer_graph *g, int64_t step, double rate, void *self, error *err)
{
    part_writer w = { t, g, step, self };
    t->traffic = g->division->traffic;
    return optimizer_schedule(g->optimizer, step, rate, ema_at(t, step), err) &&
           division_run(g->division, g->graph, write_part, &w, err) &&
           graph_read_begin(optimizer_status(g->optimizer), err) && begin_blocks(g->optimizer, err);
}

/* `rows` begins with one for all; `zeros` has one number less. */
static void sum_up_blocks(const float *rows, const float *zeros, int64_t count, train_metrics *out)
{
    float least = INFINITY, most = 0, worst = 0, sum = 0;
    int64_t skipped = 0;
    for (int64_t i = 0; i < count; ++i) {
        const float *row = rows + 4 * (i + 1);
        least = fminf(least, row[3]);
        most = fmaxf(most, row[3]);
        worst = fmaxf(worst, zeros[i]);
        sum += zeros[i];
        skipped += row[2] == 0.0f;
    }
    train_metrics_add(out, "scale_least", least, NULL);
    train_metrics_add(out, "scale_most", most, NULL);
    train_metrics_add(out, "blocks_skipped", (double)skipped, NULL);
    train_metrics_add(out, "zeros", sum / (float)count, NULL);
    train_metrics_add(out, "zeros_most", worst, NULL);
}

static bool end_blocks(const optimizer *o, train_metrics *out, error *err)
{
    tensor *blocks = optimizer_blocks(o), *zeros = optimizer_zeros(o);
    if (!blocks || !zeros) return true;
    int64_t count = tensor_count(zeros);
    float *rows = malloc((size_t)(4 * (count + 1) + count) * sizeof *rows), *shares = rows + 4 * (count + 1);
    if (!rows)
        return error_set(err, ERROR_MEMORY, "out of memory for figures of %lld blocks", (long long)count);
    bool ok = graph_read_end(blocks, rows, err) && graph_read_end(zeros, shares, err);
    if (ok) sum_up_blocks(rows, shares, count, out);
    free(rows);
    return ok;
}

bool trainer_figures(const optimizer *o, double rate, train_metrics *out, error *err)
{
    float status[4];
    if (!graph_read_end(optimizer_status(o), status, err)) return false;
    out->finite = status[2] != 0.0f;
    train_metrics_add(out, "gradient_norm", status[1], NULL);
    train_metrics_add(out, "learning_rate", rate, NULL);
    if (status[3] > 0) train_metrics_add(out, "loss_scale", status[3], NULL);
    out->scale = status[3];
    return end_blocks(o, out, err);
}

void trainer_observe(trainer *t, double figure)
{
    if (t->pace) schedule_plateau_observe(&t->plateau, figure);
}

/* ---- Sample grids ---- */

static void find_captions(const trainer *t, int64_t count, const char **captions)
{
    for (int64_t i = 0; i < count; ++i) captions[i] = training_data_validation_sample(t->data, i)->caption;
}

bool trainer_draw(trainer *t, const char *path, trainer_make make, void *self, error *err)
{
    int64_t count, size = training_data_size(t->data);
    const uint8_t *real = training_data_validation(t->data, SHOWN, &count, err);
    if (!real) return false;
    uint8_t *made = malloc((size_t)(count * size * size * 3));
    const char *captions[SHOWN];
    bool captioned = training_data_captioned(t->data);
    if (captioned) find_captions(t, count, captions);
    bool ok = made ? true
                   : error_set(err, ERROR_MEMORY, "out of memory for %lld sample pictures", (long long)count);
    ok = ok && make(self, real, count, made, err) &&
         training_grid_pairs(path, real, made, count, size, captioned ? captions : NULL, err);
    free(made);
    return ok;
}

bool trainer_source_open(const trainer *t, trainer_source *s, error *err)
{
    const bool averages = t->config->ema > 0;
    *s = (trainer_source){ t->store, averages, false };
    if (!store_split(t->store)) return true;
    *s = (trainer_source){ store_create(t->device, err), false, true };
    if (!s->store) return false;
    store_await_values(s->store);
    if (!averages) store_set_trained_type(s->store, training_stored_type(t->config));
    return true;
}

bool trainer_source_fill(const trainer *t, const trainer_source *s, error *err)
{
    return !s->own || pieces_copy(t->store, t->config->ema > 0, s->store, err);
}

/* Wholes stand beside this rank's pieces while samples are drawn, with a quarter more for what they are drawn
 * with: all ranks draw, or none. */
static bool settle_samples(trainer *t, int64_t *every, error *err)
{
    const int64_t left = device_get_info(t->device)->memory_bytes - device_allocated_bytes(t->device);
    int64_t bytes = 0;
    if (!store_split(t->store)) return true;
    for (int i = 0; i < store_count(t->store); ++i) {
        const store_entry *e = store_at(t->store, i);
        if (e->kind == STORE_PARAMETER || e->kind == STORE_LEARNT)
            bytes += split_count(t->store, e) * (int64_t)sizeof(float);
    }
    if (bytes + bytes / 4 > left) {
        t->no_wholes = true;
        *every = 0;
        if (!comm_rank(t->request->comm))
            log_warn("no samples are drawn: whole the parameters take %.1f MiB, and %.1f of the device are "
                     "free; draw from a checkpoint",
                     (double)bytes / (1 << 20), (double)left / (1 << 20));
    }
    return share_numbers(t->request->comm, every, 1, err);
}

/* ---- What must survive a restart ---- */

json_t *trainer_save(const trainer *t)
{
    return t->pace ? json_pack("{s:o}", "plateau", schedule_plateau_save(&t->plateau)) : json_object();
}

/* Checkpoints written before held the plateau's state beside the kind's own, and 1e300 for no figure yet. */
bool trainer_load(trainer *t, const json_t *state, error *err)
{
    if (!t->pace) return true;
    const json_t *plateau = json_object_get(state, "plateau");
    if (!schedule_plateau_load(&t->plateau, plateau ? plateau : state, err)) return false;
    if (t->plateau.best >= 1e300) t->plateau.best = INFINITY;
    return true;
}

/* ---- The run ---- */

static json_t *provenance_of(const trainer *t, const char *path, json_t *origin, error *err)
{
    json_t *all =
        json_pack("{s:o, s:s}", "data", json_tree_string(path), "pictures", training_data_hash(t->data));
    bool ok = all && (!origin || json_object_update(all, origin) == 0);
    json_decref(origin);
    if (ok && request_note_origin(t->request, all, err)) return all;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", t->request->run);
    json_decref(all);
    return NULL;
}

/* How often and how much is saved, how many load, and how much may be broken. */
static const char *const may_change[] = { "save_every", "keep", "threads", "skip_share", "shards", NULL };

/* What else run.json tells, which a resumed run may have otherwise. */
static json_t *about_of(const trainer *t, error *err)
{
    const device_info *d = device_get_info(t->device);
    int64_t train = training_data_selection(t->data, false)->count,
            kept = training_data_selection(t->data, true)->count;
    if (training_data_selection(t->data, true) == training_data_selection(t->data, false)) kept = 0;
    json_t *about =
        json_pack("{s:i, s:I, s:I, s:I, s:i, s:I, s:i}", "metrics", TIMES_FORMAT, "samples",
                  (json_int_t)dataset_count(training_data_set(t->data)), "epoch", (json_int_t)train,
                  "validation", (json_int_t)kept, "compute_units", d->compute_units, "device_memory",
                  (json_int_t)d->memory_bytes, "ranks", comm_count(t->config->comm));
    if (t->request->commit) json_tree_put(&about, "commit", json_tree_string(t->request->commit));
    if (!about) error_set(err, ERROR_MEMORY, "out of memory for the origin of run '%s'", t->request->run);
    return about;
}

static train_options options_of(const trainer *t, const char *text, json_t *provenance)
{
    const training_config *c = t->config;
    train_options o = request_options(t->request, text, provenance);
    o.steps = c->steps;
    o.log_every = c->log_every;
    o.save_every = c->save_every;
    o.keep = c->keep;
    o.may_change = may_change;
    o.eval_every = c->eval_every;
    o.sample_every = c->sample_every;
    o.stop_after_bad = c->stop_after_bad;
    o.patience = c->patience;
    return o;
}

/* What a run that says nothing of a setting had. */
static char *defaults_text(const config_table *table, error *err)
{
    void *config = malloc(table->size);
    if (!config)
        return error_null(err, ERROR_MEMORY, "out of memory for the settings of the %s", table->name);
    config_defaults(table, config);
    char *text = request_config_text(table, config, err);
    free(config);
    return text;
}

static void say_compression(const store *s)
{
    const powersgd_size size = powersgd_measure(s);
    if (!size.matrices) return;
    log_info("gradients of %d matrices are compressed: %.1f %% less is sent of them", size.matrices,
             100 - 100 * (double)size.sent / (double)size.whole);
}

/* What ranks have exchanged, and how much of the time for it cost nothing. */
static void report_traffic(const trainer *t)
{
    const ranks_usage u = ranks_traffic_usage(t->traffic);
    const comm *c = t->request->comm;
    if (comm_rank(c) || !u.sums) return;
    fprintf(stderr,
            "rank 0 of %d: %lld sums of %.3f million values each in the mean took %.3f s, of which %.3f s "
            "(%.0f %%) "
            "while the device was still at the step's gradients; %.3f MB sent\n",
            comm_count(c), (long long)u.sums, (double)u.values / (double)u.sums * 1e-6, u.seconds, u.hidden,
            100 * u.hidden / fmax(u.seconds, 1e-9), (double)comm_bytes_sent(c) * 1e-6);
}

bool trainer_run(trainer *t, train_task *task, const config_table *table, const void *config,
                 const char *path, json_t *origin, error *err)
{
    json_t *provenance = provenance_of(t, path, origin, err), *about = provenance ? about_of(t, err) : NULL;
    char *text = about ? request_config_text(table, config, err) : NULL,
         *defaults = text ? defaults_text(table, err) : NULL;
    bool ok = defaults && alike_check(t->request->comm, t->request->commit, text, provenance, err);
    if (ok) {
        train_options options = options_of(t, text, provenance);
        options.config_defaults = defaults;
        options.about = about;
        task->store = t->store;
        say_compression(t->store);
        task->feed = training_data_feed(t->data);
        ok = settle_samples(t, &options.sample_every, err) &&
             request_train(t->request, t->device, task, &options, err);
        if (t->request->profile && t->traffic) report_traffic(t);
    }
    json_decref(provenance);
    json_decref(about);
    free(defaults);
    free(text);
    return ok;
}
