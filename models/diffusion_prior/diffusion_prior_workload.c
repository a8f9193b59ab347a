/* diffusion_prior_workload.c -- see diffusion_prior_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_workload.h"

#include "models/diffusion_prior/diffusion_prior_draw.h"
#include "models/diffusion_prior/diffusion_prior_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct made_up {
    diffusion_prior_config config;
    int64_t embedding;
    diffusion process;
    diffusion_prior_step step;
    /* Of a drawing: */
    store *store; /* the workload's */
    dtype type;
    diffusion_prior_drawer *drawer;
    int32_t *tokens;
    float *caption, *drawn; /* [E]; two of them */
} made_up;

static made_up *made_up_create(const diffusion_prior_config *c, int64_t embedding, error *err)
{
    if (!diffusion_prior_config_check(c, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    m->embedding = embedding;
    if (diffusion_prior_process(c, &m->process, err)) return m;
    free(m);
    return NULL;
}

static void destroy(void *self)
{
    made_up *m = self;
    diffusion_prior_drawer_destroy(m->drawer);
    diffusion_free(&m->process);
    free(m->tokens);
    free(m->caption);
    free(m->drawn);
    free(m);
}

/* Embeddings of length 1, in directions of their own. */
static void fill_embeddings(float *x, int64_t count, int64_t size)
{
    for (int64_t i = 0; i < count * size; ++i) {
        int64_t place = i % size, which = i / size;
        x[i] = ((place * 7 + which * 3) % 11 < 5 ? 1.0f : -1.0f) / sqrtf((float)size);
    }
}

/* ---- A training step ---- */

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    bool ok = diffusion_prior_step_build(&m->step, s, &m->config, &m->process, m->embedding, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            DIFFUSION_PRIOR_STEP_KNOB };
    return ok;
}

static bool fill_captions(const made_up *m, int64_t samples, error *err)
{
    int64_t count = samples * m->config.text_tokens;
    int32_t *tokens = malloc((size_t)count * sizeof *tokens);
    if (!tokens) return error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)count);
    workload_tokens(tokens, count, m->config.text_vocabulary, 1);
    bool ok = graph_write(m->step.condition.tokens, tokens, err);
    free(tokens);
    return ok;
}

static bool fill(void *self, error *err)
{
    const made_up *m = self;
    const diffusion_prior_step *s = &m->step;
    int64_t samples = s->embedding->dim[0], size = m->embedding;
    const int32_t random[4] = { 1, 0, 0, 0 };
    float *x = malloc((size_t)(samples * (2 * size + 1 + DIFFUSION_COEFFICIENTS)) * sizeof *x);
    if (!x) return error_set(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)samples);
    float *captions = x + samples * size, *time = captions + samples * size, *numbers = time + samples;
    fill_embeddings(x, 2 * samples, size);
    diffusion_draw_times(&m->process, 1, 0, 0, samples, time, numbers);
    bool ok = fill_captions(m, samples, err) && graph_write(s->embedding, x, err) &&
              graph_write(s->condition.caption, captions, err) && graph_write(s->times.time, time, err) &&
              graph_write(s->times.coefficients, numbers, err) && graph_write(s->random, random, err);
    free(x);
    return ok;
}

/* ---- A drawing ---- */

static bool take_store(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    (void)out;
    m->store = s;
    store_set_weight_type(s, m->type);
    m->tokens = malloc((size_t)m->config.text_tokens * sizeof *m->tokens);
    m->caption = malloc((size_t)m->embedding * sizeof *m->caption);
    m->drawn = malloc((size_t)(2 * m->embedding) * sizeof *m->drawn);
    return (m->tokens && m->caption && m->drawn) ||
           error_set(err, ERROR_MEMORY, "out of memory for an embedding of %lld numbers",
                     (long long)m->embedding);
}

static bool make_drawer(void *self, error *err)
{
    made_up *m = self;
    workload_tokens(m->tokens, m->config.text_tokens, m->config.text_vocabulary, 1);
    fill_embeddings(m->caption, 1, m->embedding);
    m->drawer = diffusion_prior_drawer_create(m->store, &m->config, m->embedding, false, err);
    return m->drawer && diffusion_prior_drawer_prepare(m->drawer, m->config.guidance, err);
}

static bool draw_into(const made_up *m, float *out, error *err)
{
    diffusion_prior_draw how = diffusion_prior_draw_by(&m->config);
    how.count = 1;
    how.seed = 1;
    how.tokens = m->tokens;
    how.captions = m->caption;
    return diffusion_prior_drawer_draw(m->drawer, &how, out, err);
}

static bool draw(void *self, error *err)
{
    const made_up *m = self;
    return draw_into(m, m->drawn, err);
}

static bool check(void *self, error *err)
{
    const made_up *m = self;
    int64_t size = m->embedding;
    if (!draw_into(m, m->drawn, err) || !draw_into(m, m->drawn + size, err)) return false;
    return memcmp(m->drawn, m->drawn + size, (size_t)size * sizeof *m->drawn) == 0 ||
           error_set(err, ERROR_DEVICE, "an embedding that is drawn again is another one");
}

static const workload_type step_type = { .build = build, .fill = fill, .destroy = destroy };
static const workload_type drawing_type = {
    .build = take_store, .fill = make_drawer, .draw = draw, .check = check, .destroy = destroy
};

workload *diffusion_prior_workload(device *d, const diffusion_prior_config *c, int64_t embedding, error *err)
{
    return workload_create(d, &step_type, made_up_create(c, embedding, err), err);
}

workload *diffusion_prior_workload_drawing(device *d, const diffusion_prior_config *c, int64_t embedding,
                                           dtype type, error *err)
{
    made_up *m = made_up_create(c, embedding, err);
    if (m) m->type = type;
    return workload_create(d, &drawing_type, m, err);
}
