/* diffusion_prior_draw.c -- see diffusion_prior_draw.h.  Batches have one size, whatever is asked for, so
 * that an embedding is the same bits whatever is drawn beside it.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_draw.h"

#include "host/base/dot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A batch of the larger kind of models takes longer than one embedding should. */
enum { BATCH = 8, LARGE_BATCH = 2, LARGE_PARAMETERS = 16000000 };

/* What draws without guidance, and with it: one graph reads the captions, once a batch; the sampler's has
 * what is left of a step. */
typedef struct drawing_side {
    struct diffusion_prior_drawer *drawer;
    diffusion_sampler *sampler;
    graph *reader;
    store *memory; /* what it leaves of the captions */
    diffusion_prior_condition condition;
    bool guided;
} drawing_side;

struct diffusion_prior_drawer {
    diffusion_prior_config config;
    store *store;
    int64_t embedding, batch;
    bool averages;
    diffusion process;
    drawing_side side[2];
    float *mean, *deviation; /* [E] each */
    int32_t *tokens; /* of a batch, and with guidance as many again without a caption: [2][batch][T] */
    float *captions; /* [2][batch][E] */
    float *drawn;    /* [batch][E] */
};

/* ---- The network ---- */

static bool build_reader(drawing_side *s, error *err)
{
    const diffusion_prior_drawer *d = s->drawer;
    int64_t rows = s->guided ? 2 * d->batch : d->batch;
    graph *g = s->reader = graph_create(d->store, err);
    if (!g) return false;
    graph_set_trainable(g, false);
    graph_set_averages(g, d->averages);
    s->condition = diffusion_prior_condition_input(g, &d->config, rows, d->embedding);
    diffusion_prior_weights w = diffusion_prior_declare(g, &d->config, d->embedding);
    diffusion_prior_read(g, &d->config, &w, &s->condition, s->memory);
    return graph_sound(g, err) && store_allocate(s->memory, 0, err) &&
           graph_compile(g, 0, "the size of the model", err);
}

/* What could not be made is of no use: the next try begins anew. */
static bool need_reader(drawing_side *s, error *err)
{
    if (s->reader) return true;
    if ((s->memory = store_create(store_device(s->drawer->store), err)) && build_reader(s, err)) return true;
    graph_destroy(s->reader);
    store_destroy(s->memory);
    s->reader = NULL;
    s->memory = NULL;
    return false;
}

static tensor *build_network(void *self, graph *g, tensor *x, tensor *time, bool guided)
{
    const drawing_side *s = self;
    const diffusion_prior_drawer *d = s->drawer;
    (void)guided;
    diffusion_prior_weights w = diffusion_prior_declare(g, &d->config, d->embedding);
    return diffusion_prior_say(g, &d->config, &w, s->memory, x, time);
}

static bool read_captions(void *self, error *err)
{
    const drawing_side *s = self;
    return graph_write(s->condition.tokens, s->drawer->tokens, err) &&
           graph_write(s->condition.caption, s->drawer->captions, err) && graph_run(s->reader, err);
}

/* ---- Making one ---- */

/* One graph declares the parameters, so that what is read from a file has its place. */
static bool declare(const diffusion_prior_drawer *d, error *err)
{
    graph *g = graph_create(d->store, err);
    if (!g) return false;
    graph_set_trainable(g, false);
    diffusion_prior_declare(g, &d->config, d->embedding);
    diffusion_prior_scale(g, &d->config,
                          graph_input(g, "embedding", DTYPE_F32, 2, (int64_t[]){ 1, d->embedding }));
    bool ok = graph_sound(g, err) && store_allocate(d->store, (uint64_t)d->config.seed, err);
    graph_destroy(g);
    return ok;
}

static bool allocate(diffusion_prior_drawer *d, error *err)
{
    size_t rows = (size_t)d->batch, size = (size_t)d->embedding;
    d->tokens = malloc(2 * rows * (size_t)d->config.text_tokens * sizeof *d->tokens);
    d->captions = malloc(2 * rows * size * sizeof *d->captions);
    d->drawn = malloc(rows * size * sizeof *d->drawn);
    d->mean = malloc(size * sizeof *d->mean);
    d->deviation = malloc(size * sizeof *d->deviation);
    return (d->tokens && d->captions && d->drawn && d->mean && d->deviation) ||
           error_set(err, ERROR_MEMORY, "out of memory for drawing embeddings");
}

diffusion_prior_drawer *diffusion_prior_drawer_create(store *s, const diffusion_prior_config *c,
                                                      int64_t embedding, bool averages, error *err)
{
    diffusion_prior_drawer *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a diffusion prior");
    d->config = *c;
    d->config.recompute = false;
    d->store = s;
    d->embedding = embedding;
    d->averages = averages;
    for (int i = 0; i < 2; ++i) d->side[i] = (drawing_side){ .drawer = d, .guided = i == 1 };
    bool ok = diffusion_prior_process(c, &d->process, err) && declare(d, err);
    if (ok) d->batch = store_elements(s, STORE_PARAMETER) > LARGE_PARAMETERS ? LARGE_BATCH : BATCH;
    if (ok && allocate(d, err)) return d;
    diffusion_prior_drawer_destroy(d);
    return NULL;
}

void diffusion_prior_drawer_destroy(diffusion_prior_drawer *d)
{
    if (!d) return;
    for (int i = 0; i < 2; ++i) {
        diffusion_sampler_destroy(d->side[i].sampler);
        graph_destroy(d->side[i].reader);
        store_destroy(d->side[i].memory);
    }
    diffusion_free(&d->process);
    free(d->tokens);
    free(d->captions);
    free(d->drawn);
    free(d->mean);
    free(d->deviation);
    free(d);
}

static drawing_side *side_for(diffusion_prior_drawer *d, double guidance)
{
    return &d->side[guidance != 1];
}

static bool need_sampler(drawing_side *s, error *err)
{
    diffusion_prior_drawer *d = s->drawer;
    const diffusion_network network = { s, build_network, read_captions };
    if (!need_reader(s, err)) return false;
    if (!s->sampler)
        s->sampler = diffusion_sampler_create(d->store, &d->process, &network, d->batch, 1, &d->embedding,
                                              s->guided, d->averages, err);
    return s->sampler != NULL;
}

bool diffusion_prior_drawer_prepare(diffusion_prior_drawer *d, double guidance, error *err)
{
    drawing_side *s = side_for(d, guidance);
    return need_sampler(s, err) && diffusion_sampler_prepare(s->sampler, err);
}

/* ---- Drawing ---- */

diffusion_prior_draw diffusion_prior_draw_by(const diffusion_prior_config *c)
{
    return (diffusion_prior_draw){ .guidance = c->guidance,
                                   .spacing = c->spacing,
                                   .ddim = c->sampler == diffusion_prior_sampler_ddim,
                                   .eta = c->eta,
                                   .candidates = c->candidates };
}

/* What an embedding of the process is made of: mean + deviation x. */
static bool read_statistics(const diffusion_prior_drawer *d, error *err)
{
    const char *const names[2] = { DIFFUSION_PRIOR_MEAN, DIFFUSION_PRIOR_DEVIATION };
    float *const to[2] = { d->mean, d->deviation };
    for (int64_t i = 0; i < d->embedding; ++i) {
        d->mean[i] = 0;
        d->deviation[i] = 1 / (float)d->config.embedding_scale;
    }
    for (int i = 0; d->config.standardise && i < 2; ++i)
        if (!store_read_f32(d->store, store_find(d->store, names[i]), to[i], err)) return false;
    return true;
}

/* The captions of the drawings from number `done` on; behind the last it stands again. */
static void fill_batch(const diffusion_prior_drawer *d, const diffusion_prior_draw *how, int64_t done)
{
    int64_t tokens = d->config.text_tokens, size = d->embedding, rows = d->batch;
    for (int64_t i = 0; i < rows; ++i) {
        int64_t which = (done + i) / how->candidates;
        if (which >= how->count) which = how->count - 1;
        if (!how->each) which = 0;
        memcpy(d->tokens + i * tokens, how->tokens + which * tokens, (size_t)tokens * sizeof *d->tokens);
        memcpy(d->captions + i * size, how->captions + which * size, (size_t)size * sizeof *d->captions);
    }
    for (int64_t i = 0; i < rows * tokens; ++i) d->tokens[rows * tokens + i] = -1;
    memset(d->captions + rows * size, 0, (size_t)(rows * size) * sizeof *d->captions);
}

/* Makes a drawing an embedding of length 1. */
static bool finish(const diffusion_prior_drawer *d, float *x, error *err)
{
    for (int64_t i = 0; i < d->embedding; ++i) x[i] = d->mean[i] + d->deviation[i] * x[i];
    double length = sqrt(dot(x, x, d->embedding));
    if (!(length > 0) || !isfinite(length))
        return error_set(
            err, ERROR_MODEL,
            "the diffusion prior drew an embedding of length %g: its parameters are damaged, or its "
            "training diverged",
            length);
    for (int64_t i = 0; i < d->embedding; ++i) x[i] = (float)((double)x[i] / length);
    return true;
}

/* Takes drawing number `number` into its embedding's place if it is the best of the candidates so far. */
static bool take(const diffusion_prior_drawer *d, const diffusion_prior_draw *how, int64_t number, float *x,
                 double *best, float *out, error *err)
{
    int64_t which = number / how->candidates, size = d->embedding;
    if (!finish(d, x, err)) return false;
    double near = dot(x, how->captions + (how->each ? which * size : 0), size);
    if (number % how->candidates > 0 && near <= *best) return true;
    *best = near;
    memcpy(out + which * size, x, (size_t)size * sizeof *x);
    return true;
}

/* The steps of all batches together. */
typedef struct drawing_progress {
    const diffusion_prior_draw *how;
    int64_t batch, batches;
} drawing_progress;

static bool tell_progress(void *context, int64_t done, int64_t total)
{
    const drawing_progress *p = context;
    return p->how->progress(p->how->context, p->batch * total + done, p->batches * total);
}

static diffusion_run run_of(const diffusion_prior_drawer *d, const diffusion_prior_draw *how, int64_t done)
{
    const diffusion_prior_config *c = &d->config;
    double square = c->embedding_scale * c->embedding_scale / (double)d->embedding;
    return (diffusion_run){ .spacing = how->spacing,
                            .ddim = how->ddim,
                            .eta = how->eta,
                            .guidance = how->guidance,
                            .clamp = c->clamp,
                            .seed = how->seed,
                            .first = how->first * how->candidates + done,
                            .stream = "diffusion prior",
                            .variance_scale = c->standardise ? 1 : square };
}

bool diffusion_prior_drawer_draw(diffusion_prior_drawer *d, const diffusion_prior_draw *how, float *out,
                                 error *err)
{
    drawing_side *s = side_for(d, how->guidance);
    int64_t total = how->count * how->candidates;
    drawing_progress p = { how, 0, (total + d->batch - 1) / d->batch };
    double best = 0;
    bool ok = need_sampler(s, err) && read_statistics(d, err);
    for (; ok && p.batch < p.batches; ++p.batch) {
        int64_t done = p.batch * d->batch;
        diffusion_run run = run_of(d, how, done);
        if (how->progress) run.progress = tell_progress;
        run.context = &p;
        fill_batch(d, how, done);
        ok = diffusion_sample(s->sampler, &run, d->drawn, err);
        for (int64_t i = 0; ok && i < d->batch && done + i < total; ++i)
            ok = take(d, how, done + i, d->drawn + i * d->embedding, &best, out, err);
    }
    return ok;
}
