/* decoder_draw.c -- see decoder_draw.h.  Batches have one size, whatever is asked for, so that a picture is
 * the same bits whatever is drawn beside it: one picture on a CPU, which a single one keeps busy.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_draw.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 4 };

/* What draws without guidance, and with it. */
typedef struct drawing_side {
    struct decoder_drawer *drawer;
    diffusion_sampler *sampler;
    decoder_condition condition;
    bool guided;
} drawing_side;

struct decoder_drawer {
    decoder_config config;
    decoder_shape shape;
    store *store;
    int64_t batch, pixels; /* numbers of a picture */
    bool averages;
    diffusion process;
    drawing_side side[2];
    decoder_values values; /* of a batch, and with guidance as many again without a condition */
    float *start, *known, *known_mask, *drawn; /* [batch][S][S][3] */
};

/* ---- The network ---- */

static tensor *build_network(void *self, graph *g, tensor *x, tensor *time, bool guided)
{
    drawing_side *s = self;
    const decoder_drawer *d = s->drawer;
    (void)guided;
    s->condition = decoder_condition_input(g, &d->config, &d->shape, x->dim[0]);
    decoder_weights w = decoder_declare(g, &d->config, &d->shape);
    return decoder_predict(g, &d->config, &w, &s->condition, x, time, NULL);
}

static bool write_condition(void *self, error *err)
{
    const drawing_side *s = self;
    return decoder_values_write(&s->drawer->values, &s->condition, 0, err);
}

/* ---- Making one ---- */

/* One graph declares the parameters, so that what is read from a file has its place. */
static bool declare(const decoder_drawer *d, error *err)
{
    graph *g = graph_create(d->store, err);
    if (!g) return false;
    graph_set_trainable(g, false);
    decoder_declare(g, &d->config, &d->shape);
    bool ok = graph_sound(g, err) && store_allocate(d->store, (uint64_t)d->config.seed, err);
    graph_destroy(g);
    return ok;
}

static bool allocate(decoder_drawer *d, error *err)
{
    size_t bytes = (size_t)(d->batch * d->pixels) * sizeof(float);
    d->start = malloc(bytes);
    d->known = malloc(bytes);
    d->known_mask = malloc(bytes);
    d->drawn = malloc(bytes);
    if (!d->start || !d->known || !d->known_mask || !d->drawn)
        return error_set(err, ERROR_MEMORY, "out of memory for drawing pictures");
    return decoder_values_make(&d->values, &d->config, &d->shape, 2 * d->batch, err);
}

decoder_drawer *decoder_drawer_create(store *s, const decoder_config *c, const decoder_shape *shape,
                                      bool averages, error *err)
{
    decoder_drawer *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a decoder");
    d->config = *c;
    d->config.recompute = false;
    d->shape = *shape;
    d->store = s;
    d->averages = averages;
    d->pixels = c->size * c->size * 3;
    d->batch = device_get_info(store_device(s))->kind == DEVICE_CPU ? 1 : BATCH;
    for (int i = 0; i < 2; ++i) d->side[i] = (drawing_side){ .drawer = d, .guided = i == 1 };
    if (decoder_process(c, &d->process, err) && declare(d, err) && allocate(d, err)) return d;
    decoder_drawer_destroy(d);
    return NULL;
}

void decoder_drawer_destroy(decoder_drawer *d)
{
    if (!d) return;
    for (int i = 0; i < 2; ++i) diffusion_sampler_destroy(d->side[i].sampler);
    diffusion_free(&d->process);
    decoder_values_free(&d->values);
    free(d->start);
    free(d->known);
    free(d->known_mask);
    free(d->drawn);
    free(d);
}

static drawing_side *side_for(decoder_drawer *d, double guidance)
{
    return &d->side[guidance != 1];
}

static bool need_sampler(drawing_side *s, error *err)
{
    decoder_drawer *d = s->drawer;
    const diffusion_network network = { s, build_network, write_condition };
    const int64_t dim[3] = { d->config.size, d->config.size, 3 };
    if (!s->sampler)
        s->sampler = diffusion_sampler_create(d->store, &d->process, &network, d->batch, 3, dim, s->guided,
                                              d->averages, err);
    return s->sampler != NULL;
}

bool decoder_drawer_prepare(decoder_drawer *d, double guidance, error *err)
{
    drawing_side *s = side_for(d, guidance);
    return need_sampler(s, err) && diffusion_sampler_prepare(s->sampler, err);
}

/* ---- Drawing ---- */

decoder_draw decoder_draw_by(const decoder_config *c)
{
    return (decoder_draw){ .guidance = c->guidance,
                           .spacing = c->spacing,
                           .ddim = c->sampler == decoder_sampler_ddim,
                           .eta = c->eta };
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The rows of the pictures from number `done` on; behind the last it stands again. */
static void fill_batch(decoder_drawer *d, const decoder_draw *how, int64_t done)
{
    for (int64_t i = 0; i < d->batch; ++i) {
        int64_t which = smaller(done + i, how->count - 1);
        decoder_values_copy(&d->values, i, how->values, which);
        decoder_values_copy(&d->values, d->batch + i, how->values, which);
        decoder_values_leave_out(&d->values, d->batch + i, how->none);
    }
}

/* Pictures from number `done` on, likewise. */
static void copy_pictures(const decoder_drawer *d, const float *from, int64_t count, int64_t done, float *to)
{
    for (int64_t i = 0; i < d->batch; ++i)
        memcpy(to + i * d->pixels, from + smaller(done + i, count - 1) * d->pixels,
               (size_t)d->pixels * sizeof *to);
}

/* What the sampler puts into x_0 in every step. */
static void fill_known(const decoder_drawer *d, const decoder_draw *how)
{
    for (int64_t i = 0; i < d->batch * d->pixels; ++i) {
        int64_t at = i % d->pixels;
        d->known_mask[i] = how->mask[at / 3] == 1 ? 0 : 1;
        d->known[i] = d->known_mask[i] == 1 ? how->known[at] : 0;
    }
}

/* The steps of all batches together. */
typedef struct drawing_progress {
    const decoder_draw *how;
    int64_t batch, batches;
} drawing_progress;

static bool tell_progress(void *context, int64_t done, int64_t total)
{
    const drawing_progress *p = context;
    return p->how->progress(p->how->context, p->batch * total + done, p->batches * total);
}

static diffusion_run run_of(const decoder_draw *how, int64_t done)
{
    return (diffusion_run){ .spacing = how->spacing,
                            .ddim = how->ddim,
                            .eta = how->eta,
                            .guidance = how->guidance,
                            .clamp = 1,
                            .seed = how->seed,
                            .first = how->first + done,
                            .stream = "decoder" };
}

static void take(const decoder_drawer *d, int64_t count, int64_t done, float *out)
{
    memcpy(out + done * d->pixels, d->drawn,
           (size_t)(smaller(d->batch, count - done) * d->pixels) * sizeof *out);
}

/* Draws, or where `pictures` is there inverts them. */
static bool run_all(decoder_drawer *d, const decoder_draw *how, const float *pictures, float *out, error *err)
{
    drawing_side *s = side_for(d, how->guidance);
    drawing_progress p = { how, 0, (how->count + d->batch - 1) / d->batch };
    const float *given = pictures ? pictures : how->start;
    bool ok = need_sampler(s, err);
    if (how->known && !pictures) fill_known(d, how);
    for (; ok && p.batch < p.batches; ++p.batch) {
        int64_t done = p.batch * d->batch;
        diffusion_run run = run_of(how, done);
        if (how->progress) run.progress = tell_progress;
        run.context = &p;
        if (how->known && !pictures) run.known = d->known, run.known_mask = d->known_mask;
        if (given) copy_pictures(d, given, how->count, done, d->start);
        if (how->start && !pictures) run.start = d->start;
        fill_batch(d, how, done);
        ok = pictures ? diffusion_invert(s->sampler, &run, d->start, d->drawn, err)
                      : diffusion_sample(s->sampler, &run, d->drawn, err);
        if (ok) take(d, how->count, done, out);
    }
    return ok;
}

bool decoder_drawer_draw(decoder_drawer *d, const decoder_draw *how, float *out, error *err)
{
    return run_all(d, how, NULL, out, err);
}

bool decoder_drawer_invert(decoder_drawer *d, const decoder_draw *how, const float *pictures, float *out,
                           error *err)
{
    decoder_draw back = *how;
    back.guidance = 1;
    back.ddim = true;
    back.eta = 0;
    return run_all(d, &back, pictures, out, err);
}
