/* upsampler_draw.c -- see upsampler_draw.h.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler_draw.h"

#include "models/upsampler/enlarge.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 16, PIXELS = 16 * 64 * 64 }; /* pictures at once; of so many pixels together, or one */

struct upsampler_draw {
    upsampler_config config;
    store *store;
    bool averages;
    diffusion process;
    enlarger enlarger;
    diffusion_network network;
    diffusion_sampler *sampler; /* of `batch` pictures, or NULL */
    int64_t batch;
    tensor *low;   /* its input, [batch,S,S,3] */
    float *inputs; /* what is written there */
    float *made;   /* [batch][S][S][3] */
};

static int64_t values_of(const upsampler_draw *d)
{
    return d->config.size * d->config.size * 3;
}

/* ---- The network ---- */

static tensor *build(void *self, graph *g, tensor *x, tensor *time, bool guided)
{
    upsampler_draw *d = self;
    (void)guided;
    d->low = graph_input(g, "low", DTYPE_F32, x->rank, x->dim);
    return upsampler_apply(g, &d->config, d->config.size, x, d->low, time, NULL);
}

static bool write(void *self, error *err)
{
    upsampler_draw *d = self;
    return graph_write(d->low, d->inputs, err);
}

/* ---- Making one ---- */

static bool open(upsampler_draw *d, error *err)
{
    const upsampler_config *c = &d->config;
    if (!upsampler_process(c, &d->process, err)) return false;
    return enlarge_open(&d->enlarger, c, c->from, c->size, err);
}

/* Parameters have their names and places before anything is compiled, for what is read from a file. */
static bool declare(store *s, const upsampler_config *c, error *err)
{
    graph *g = graph_create(s, err);
    if (!g) return false;
    const int64_t dim[4] = { 1, c->size, c->size, 3 }, one = 1;
    tensor *x = graph_input(g, "x", DTYPE_F32, 4, dim), *low = graph_input(g, "low", DTYPE_F32, 4, dim),
           *time = graph_input(g, "time", DTYPE_F32, 1, &one);
    graph_set_trainable(g, false);
    upsampler_apply(g, c, c->size, x, low, time, NULL);
    bool ok = graph_sound(g, err) && store_allocate(s, (uint64_t)c->seed, err);
    graph_destroy(g);
    return ok;
}

upsampler_draw *upsampler_draw_create(store *s, const upsampler_config *c, bool averages, error *err)
{
    upsampler_draw *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for an upsampler");
    d->config = *c;
    d->config.recompute = false;
    d->store = s;
    d->averages = averages;
    d->network = (diffusion_network){ d, build, write };
    if (open(d, err) && declare(s, &d->config, err)) return d;
    upsampler_draw_destroy(d);
    return NULL;
}

static void forget(upsampler_draw *d)
{
    diffusion_sampler_destroy(d->sampler);
    free(d->inputs);
    free(d->made);
    d->sampler = NULL;
    d->inputs = d->made = NULL;
}

void upsampler_draw_destroy(upsampler_draw *d)
{
    if (!d) return;
    forget(d);
    enlarge_close(&d->enlarger);
    diffusion_free(&d->process);
    free(d);
}

/* ---- Drawing ---- */

static int64_t at_once(const upsampler_draw *d, int64_t count)
{
    int64_t most = PIXELS / (d->config.size * d->config.size);
    if (most > MOST) most = MOST;
    if (most < 1) most = 1;
    return count < most ? count : most;
}

static bool make(upsampler_draw *d, int64_t batch, error *err)
{
    const int64_t dim[3] = { d->config.size, d->config.size, 3 };
    size_t values = (size_t)(batch * values_of(d));
    d->batch = batch;
    d->inputs = calloc(values, sizeof *d->inputs);
    d->made = malloc(values * sizeof *d->made);
    if (!d->inputs || !d->made)
        return error_set(err, ERROR_MEMORY, "out of memory for enlarging %lld pictures", (long long)batch);
    d->sampler =
        diffusion_sampler_create(d->store, &d->process, &d->network, batch, 3, dim, false, d->averages, err);
    return d->sampler && diffusion_sampler_prepare(d->sampler, err);
}

bool upsampler_draw_prepare(upsampler_draw *d, int64_t count, error *err)
{
    int64_t batch = at_once(d, count);
    if (d->sampler && d->batch >= batch) return true;
    forget(d);
    if (make(d, batch, err)) return true;
    forget(d);
    return false;
}

diffusion_run upsampler_draw_how(const upsampler_config *c)
{
    return (diffusion_run){ .spacing = c->spacing,
                            .ddim = c->sampler == upsampler_sampler_ddim,
                            .eta = c->eta,
                            .guidance = 1,
                            .clamp = c->clamp };
}

/* A batch's progress as that of all. */
typedef struct share {
    const diffusion_run *of;
    int64_t done, batches; /* batches */
} share;

static bool report(void *context, int64_t done, int64_t total)
{
    const share *s = context;
    return s->of->progress(s->of->context, s->done * total + done, s->batches * total);
}

bool upsampler_draw_run(upsampler_draw *d, const diffusion_run *how, const float *low, int64_t count,
                        float *out, error *err)
{
    int64_t from = d->config.from * d->config.from * 3, to = values_of(d);
    if (!upsampler_draw_prepare(d, count, err)) return false;
    share s = { how, 0, (count + d->batch - 1) / d->batch };
    for (int64_t done = 0; done < count; done += d->batch, ++s.done) {
        int64_t now = count - done < d->batch ? count - done : d->batch;
        diffusion_run run = *how;
        run.first = how->first + done;
        if (how->progress) {
            run.progress = report;
            run.context = &s;
        }
        for (int64_t i = 0; i < now; ++i)
            enlarge_values(&d->enlarger, low + (done + i) * from, d->inputs + i * to);
        if (!diffusion_sample(d->sampler, &run, d->made, err)) return false;
        memcpy(out + done * to, d->made, (size_t)(now * to) * sizeof *out);
    }
    return true;
}
