/* prior_workload.c -- see prior_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior_workload.h"

#include "models/prior/prior_step.h"

#include <stdlib.h>
#include <string.h>

typedef struct made_up {
    prior_config config;
    prior_shape shape;
    prior_step step;
    /* Of a drawing: */
    store *store; /* the workload's */
    dtype type;
    prior_sampler *sampler;
    int32_t *text, *tokens; /* [text_tokens]; two pictures' */
} made_up;

static made_up *made_up_create(const prior_config *c, const prior_shape *shape, error *err)
{
    if (!prior_config_check(c, shape, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    m->shape = *shape;
    return m;
}

/* ---- A training step ---- */

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    bool ok = prior_step_build(&m->step, s, &m->config, &m->shape, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            PRIOR_STEP_KNOB };
    return ok;
}

static bool fill(void *self, error *err)
{
    const made_up *m = self;
    const prior_step *s = &m->step;
    const prior_config *c = &m->config;
    int64_t text = tensor_count(s->text), image = tensor_count(s->image);
    const int32_t random[4] = { 1, 0, 0, 0 };
    float share = 1.0f / (float)tensor_count(s->targets);
    int32_t *ids = malloc((size_t)(2 * text + image) * sizeof *ids), *targets = ids + text;
    if (!ids)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)(2 * text + image));
    workload_tokens(ids, text, c->text_vocabulary, 1);
    workload_tokens(targets + text, image, m->shape.codes, 2);
    for (int64_t b = 0; b < s->text->dim[0]; ++b)
        memcpy(targets + b * (c->text_tokens - 1), ids + b * c->text_tokens + 1,
               (size_t)(c->text_tokens - 1) * sizeof *ids);
    bool ok = prior_write_places(&s->places, &m->shape, err) && graph_write(s->text, ids, err) &&
              graph_write(s->image, targets + text, err) && graph_write(s->read, targets + text, err) &&
              graph_write(s->targets, targets, err) && graph_write(s->share, &share, err) &&
              graph_write(s->random, random, err);
    free(ids);
    return ok;
}

/* ---- A drawing ---- */

static bool take_store(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    int64_t text = m->config.text_tokens, n = m->shape.side * m->shape.side;
    (void)out;
    m->store = s;
    store_set_weight_type(s, m->type);
    m->text = malloc((size_t)text * sizeof *m->text);
    m->tokens = malloc((size_t)(2 * n) * sizeof *m->tokens);
    return (m->text && m->tokens) ||
           error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)(text + 2 * n));
}

static bool make_sampler(void *self, error *err)
{
    made_up *m = self;
    workload_tokens(m->text, m->config.text_tokens, m->config.text_vocabulary, 1);
    m->sampler = prior_sampler_create(m->store, &m->config, &m->shape, 1, false, err);
    return m->sampler != NULL;
}

static bool draw_into(const made_up *m, int32_t *tokens, error *err)
{
    prior_draw draw = { .text = m->text, .seed = 1, .count = 1, .guidance = m->config.guidance };
    return prior_sampler_draw(m->sampler, &draw, tokens, err);
}

static bool draw(void *self, error *err)
{
    made_up *m = self;
    return draw_into(m, m->tokens, err);
}

static bool check(void *self, error *err)
{
    const made_up *m = self;
    int64_t n = m->shape.side * m->shape.side;
    if (!draw_into(m, m->tokens, err) || !draw_into(m, m->tokens + n, err)) return false;
    for (int64_t i = 0; i < n; ++i)
        if (m->tokens[i] < 0 || m->tokens[i] >= m->shape.codes || m->tokens[i] != m->tokens[n + i])
            return error_set(err, ERROR_DEVICE, "token %lld is %d, then %d, of %lld codes", (long long)i,
                             (int)m->tokens[i], (int)m->tokens[n + i], (long long)m->shape.codes);
    return true;
}

static void destroy(void *self)
{
    made_up *m = self;
    prior_sampler_destroy(m->sampler);
    free(m->text);
    free(m->tokens);
    free(m);
}

static const workload_type step_type = { .build = build, .fill = fill, .destroy = destroy };
static const workload_type drawing_type = {
    .build = take_store, .fill = make_sampler, .draw = draw, .check = check, .destroy = destroy
};

workload *prior_workload(device *d, const prior_config *c, const prior_shape *shape, error *err)
{
    return workload_create(d, &step_type, made_up_create(c, shape, err), err);
}

workload *prior_workload_drawing(device *d, const prior_config *c, const prior_shape *shape, dtype type,
                                 error *err)
{
    made_up *m = made_up_create(c, shape, err);
    if (m) m->type = type;
    return workload_create(d, &drawing_type, m, err);
}
