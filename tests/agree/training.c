/* training.c -- three training steps of a tiny dVAE and a tiny prior from a fixed seed, and what to keep
 * of them.  The graphs are those of dvae_train.c and prior_train.c; pictures and captions are made up.
 * SPDX-License-Identifier: MIT */
#include "tests/agree/recording.h"

#include "host/base/philox.h"
#include "host/train/optimizer.h"
#include "models/dvae/dvae.h"
#include "models/request.h"

#include <stdlib.h>
#include <string.h>

enum { SEED = 7, MOST_PARAMETERS = 256 };

/* A model being trained: what every one has. */
typedef struct training {
    recording *recording;
    const char *model; /* name in the recording */
    store *store;
    graph *graph;
    tensor *loss, *random;
    optimizer *optimizer;
    int gradient_count;
    tensor *gradient[MOST_PARAMETERS];
    const store_entry *parameter[MOST_PARAMETERS];
} training;

static bool training_open(training *t, error *err)
{
    t->store = store_create(t->recording->device, err);
    t->graph = t->store ? graph_create(t->store, err) : NULL;
    if (!t->graph) return false;
    t->random = graph_input(t->graph, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    return true;
}

static void training_close(training *t)
{
    graph_destroy(t->graph);
    store_destroy(t->store);
}

/* The backward pass, with every parameter's gradient kept, and the update. */
static void append_update(training *t, const optimizer_settings *settings)
{
    graph *g = t->graph;
    graph_backward(g, t->loss);
    for (int i = 0; i < store_count(t->store); ++i) {
        store_entry *e = store_at(t->store, i);
        if (e->kind != STORE_PARAMETER) continue;
        tensor *gradient = graph_gradient(g, graph_entry(g, e));
        if (!gradient) continue;
        CHECK(t->gradient_count < MOST_PARAMETERS, "%s has over %d parameters", t->model, MOST_PARAMETERS);
        tensor *kept = op_contiguous(op_cast(gradient, DTYPE_F32));
        graph_keep(kept);
        t->parameter[t->gradient_count] = e;
        t->gradient[t->gradient_count++] = kept;
    }
    graph_keep(t->loss);
    t->optimizer = optimizer_append(g, t->loss, settings);
}

static bool keep_gradients(training *t, error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < t->gradient_count; ++i) {
        const store_entry *e = t->parameter[i];
        char *name = arena_printf(t->recording->memory, "gradient.%s", e->name);
        float *values = malloc((size_t)e->count * sizeof *values);
        ok = name && values ? true : error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
        ok = ok && graph_read_f32(t->gradient[i], values, err) &&
             recording_add(t->recording, t->model, name, DTYPE_F32, e->rank, e->dim, values, err);
        free(values);
    }
    return ok;
}

/* Writes a step's inputs. */
typedef bool (*feed)(void *model, int step, error *err);

static bool run_steps(training *t, double rate, feed inputs, void *model, error *err)
{
    float loss[STEPS], norm[STEPS], status[4];
    bool ok = recording_add_store(t->recording, t->model, "before", t->store, err);
    for (int step = 0; ok && step < STEPS; ++step) {
        const int32_t random[4] = { SEED, 0, step, 0 };
        ok = inputs(model, step, err) && graph_write(t->random, random, err) &&
             optimizer_schedule(t->optimizer, step, rate, ema_decay_at(0.9, step), err) &&
             graph_run(t->graph, err) && graph_read_f32(t->loss, &loss[step], err) &&
             graph_read_f32(optimizer_status(t->optimizer), status, err) &&
             (step > 0 || keep_gradients(t, err));
        if (!ok) break;
        norm[step] = status[1];
        printf("%s step %d: loss %.6f, gradient norm %.6f\n", t->model, step, (double)loss[step],
               (double)norm[step]);
    }
    return ok &&
           recording_add(t->recording, t->model, "loss", DTYPE_F32, 1, (int64_t[]){ STEPS }, loss, err) &&
           recording_add(t->recording, t->model, "norm", DTYPE_F32, 1, (int64_t[]){ STEPS }, norm, err) &&
           recording_add_store(t->recording, t->model, "after", t->store, err);
}

static bool read_settings(const config_table *table, void *config, const char *const *sets, error *err)
{
    config_defaults(table, config);
    bool ok = preset_read(table, "tiny", config, err);
    for (; ok && *sets; ++sets) ok = config_assign(table, config, *sets, "agree_record", err);
    return ok;
}

/* ---- First stage ---- */

typedef struct dvae_training {
    training base;
    dvae_config config;
    tensor *pixels, *schedule;
    dvae_losses losses;
} dvae_training;

/* Discs on plain grounds, other ones in each step. */
static bool dvae_feed(void *model, int step, error *err)
{
    dvae_training *t = model;
    int64_t size = t->config.image_size, count = t->config.batch * size * size;
    uint8_t *pixels = malloc((size_t)count * 3);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    const philox p = { .seed = SEED, .step = (uint32_t)step, .stream = philox_stream("pictures") };
    for (int64_t i = 0; i < count; ++i) {
        uint32_t picture = (uint32_t)(i / (size * size)) * 16;
        double x = (double)(i % size) / (double)size - (double)philox_uniform(&p, picture),
               y = (double)(i / size % size) / (double)size - (double)philox_uniform(&p, picture + 1);
        uint32_t colour = picture + (x * x + y * y < 0.09 ? 2 : 5);
        for (uint32_t c = 0; c < 3; ++c)
            pixels[i * 3 + c] = (uint8_t)(255.0f * philox_uniform(&p, colour + c));
    }
    const float schedule[2] = { 0.9f, 0.5f };
    bool ok = graph_write(t->pixels, pixels, err) && graph_write(t->schedule, schedule, err);
    free(pixels);
    return ok;
}

static bool dvae_build(dvae_training *t, error *err)
{
    const dvae_config *c = &t->config;
    if (!training_open(&t->base, err)) return false;
    graph *g = t->base.graph;
    t->pixels =
        graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ c->batch, c->image_size, c->image_size, 3 });
    t->schedule = graph_input(g, "schedule", DTYPE_F32, 1, (int64_t[]){ 2 });
    dvae_controls controls = { op_slice(t->schedule, 0, 0, 1), op_slice(t->schedule, 0, 1, 1),
                               t->base.random };
    t->losses = dvae_loss(g, c, t->pixels, &controls);
    t->base.loss = t->losses.loss;
    optimizer_settings s = {
        (float)c->beta1, (float)c->beta2, (float)c->adam_epsilon, 0.01f, 1.0f, true, NULL
    };
    append_update(&t->base, &s);
    if (dvae_is_vq(c) && t->base.optimizer) {
        tensor *finite = op_cast(op_slice(optimizer_status(t->base.optimizer), 0, 2, 1), DTYPE_I32);
        dvae_update_codebook(g, c, &t->losses, t->base.random, finite);
    }
    return graph_compile(g, SEED, NULL, err);
}

bool record_dvae(recording *r, const char *quantiser, error *err)
{
    static const char *const none[] = { NULL };
    static const char *const least[] = { "image_size=8",       "channels=4",      "codes=8", "batch=2",
                                         "decoder_channels=8", "code_channels=4", NULL };
    bool vq = quantiser[0] == 'v';
    dvae_training t = { .base = { .recording = r, .model = vq ? "dvae-vq" : "dvae-gumbel" } };
    bool ok = read_settings(&dvae_config_table, &t.config, r->least ? least : none, err) &&
              config_assign(&dvae_config_table, &t.config, vq ? "quantiser=vq" : "quantiser=gumbel",
                            "agree_record", err) &&
              dvae_config_check(&t.config, err) && dvae_build(&t, err) &&
              run_steps(&t.base, 3e-3, dvae_feed, &t, err);
    training_close(&t.base);
    return ok ? true : error_prefix(err, "%s", t.base.model);
}

/* ---- Second stage ---- */

typedef struct prior_training {
    training base;
    prior_config config;
    prior_shape shape;
    tensor *text, *image, *targets, *share;
    prior_places places;
    int32_t *ids, *wanted, *tokens;
} prior_training;

/* Captions of several lengths, -1 behind their ends, and what follows each token. */
static int make_captions(const prior_training *t, int step)
{
    const prior_config *c = &t->config;
    const philox p = { .seed = SEED, .step = (uint32_t)step, .stream = philox_stream("captions") };
    int known = 0;
    for (int64_t b = 0; b < c->batch; ++b) {
        int64_t length = 2 + (b + step) % (c->text_tokens - 1);
        int32_t *ids = t->ids + b * c->text_tokens, *wanted = t->wanted + b * (c->text_tokens - 1);
        for (int64_t i = 0; i < c->text_tokens; ++i) {
            uint32_t id = philox_below(&p, (uint32_t)(b * 64 + i), (uint32_t)c->text_vocabulary);
            ids[i] = i < length ? (int32_t)id : -1;
            if (i > 0) known += (wanted[i - 1] = ids[i]) >= 0;
        }
    }
    return known;
}

static bool prior_feed(void *model, int step, error *err)
{
    prior_training *t = model;
    const philox p = { .seed = SEED, .step = (uint32_t)step, .stream = philox_stream("tokens") };
    float share = 1.0f / (float)make_captions(t, step);
    for (int64_t i = 0; i < tensor_count(t->image); ++i)
        t->tokens[i] = (int32_t)philox_below(&p, (uint32_t)i, (uint32_t)t->shape.codes);
    return graph_write(t->text, t->ids, err) && graph_write(t->image, t->tokens, err) &&
           graph_write(t->targets, t->wanted, err) && graph_write(t->share, &share, err);
}

static bool prior_build(prior_training *t, error *err)
{
    const prior_config *c = &t->config;
    int64_t n = t->shape.side * t->shape.side;
    if (!training_open(&t->base, err)) return false;
    graph *g = t->base.graph;
    t->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ c->batch, c->text_tokens });
    t->image = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ c->batch, n });
    t->targets = graph_input(g, "targets", DTYPE_I32, 2, (int64_t[]){ c->batch, c->text_tokens - 1 });
    t->share = graph_input(g, "share", DTYPE_F32, 1, (int64_t[]){ 1 });
    t->places = prior_places_input(g, &t->shape);
    t->base.loss = prior_loss(g, c, &t->shape, t->text, t->image, t->image, t->targets, t->share, &t->places,
                              t->base.random)
                       .loss;
    optimizer_settings s = {
        (float)c->beta1, (float)c->beta2, (float)c->adam_epsilon, 0.01f, 4.0f, true, NULL
    };
    append_update(&t->base, &s);
    arena *a = t->base.recording->memory;
    t->ids = arena_alloc(a, (size_t)(c->batch * c->text_tokens) * sizeof *t->ids);
    t->wanted = arena_alloc(a, (size_t)(c->batch * c->text_tokens) * sizeof *t->wanted);
    t->tokens = arena_alloc(a, (size_t)(c->batch * n) * sizeof *t->tokens);
    if (!t->ids || !t->wanted || !t->tokens) return error_set(err, ERROR_MEMORY, "out of memory for a batch");
    return graph_compile(g, SEED, NULL, err) && prior_write_places(&t->places, &t->shape, err);
}

bool record_prior(recording *r, error *err)
{
    static const char *const full[] = { "dropout=0.1", NULL };
    static const char *const least[] = { "text_tokens=3", "text_vocabulary=260", "size=8", "heads=2",
                                         "batch=2",       "dropout=0.1",         NULL };
    prior_training t = { .base = { .recording = r, .model = "prior" },
                         .shape = { r->least ? 2 : 8, r->least ? 8 : 32 } };
    bool ok = read_settings(&prior_config_table, &t.config, r->least ? least : full, err) &&
              prior_config_check(&t.config, &t.shape, err) && prior_build(&t, err) &&
              run_steps(&t.base, 3e-3, prior_feed, &t, err);
    prior_sampler *p = ok ? prior_sampler_create(t.base.store, &t.config, &t.shape, 1, false, err) : NULL;
    ok = p && record_tokens(r, "prior", p, &t.shape, 1, t.ids, t.config.text_tokens, err);
    prior_sampler_destroy(p);
    training_close(&t.base);
    return ok ? true : error_prefix(err, "prior");
}
