/* ar_prior_workload.c -- see ar_prior_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_workload.h"

#include "models/ar_prior/ar_prior_codes.h"
#include "models/ar_prior/ar_prior_sampler.h"
#include "models/ar_prior/ar_prior_step.h"

#include <math.h>
#include <stdlib.h>

typedef struct made_up {
    ar_prior_config config;
    ar_prior_shape shape;
    ar_prior_step step;
    /* Of a drawing: */
    store *store; /* the workload's */
    dtype type;
    ar_prior_sampler *sampler;
    int32_t *text, *buckets; /* [T]; two embeddings' */
    float *caption;          /* [E] */
} made_up;

static made_up *made_up_create(const ar_prior_config *c, const ar_prior_shape *shape, error *err)
{
    if (!ar_prior_config_check(c, shape, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    m->shape = *shape;
    return m;
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
    bool ok = ar_prior_codes_declare(s, &m->config, &m->shape, err) &&
              ar_prior_step_build(&m->step, s, &m->config, &m->shape, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.loss, &m->step.division,
                            AR_PRIOR_STEP_KNOB };
    return ok;
}

/* Components [samples][D], and what is read of them: a token of nearness, then all but the last. */
static void fill_components(const made_up *m, int64_t samples, int32_t *targets, int32_t *read)
{
    int64_t n = m->config.dimensions;
    workload_tokens(targets, samples * n, m->config.buckets, 2);
    for (int64_t i = 0; i < samples * n; ++i)
        read[i] = i % n ? targets[i - 1] : ar_prior_near_token(&m->config, i / n % m->config.near_buckets);
}

static bool fill(void *self, error *err)
{
    const made_up *m = self;
    const ar_prior_step *s = &m->step;
    int64_t text = tensor_count(s->text), samples = s->text->dim[0], n = tensor_count(s->targets);
    const int32_t random[4] = { 1, 0, 0, 0 };
    int32_t *ids = malloc((size_t)(text + 2 * n) * sizeof *ids), *targets = ids + text, *read = targets + n;
    float *captions = malloc((size_t)(samples * m->shape.embedding) * sizeof *captions);
    bool ok = ids && captions
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)(text + 2 * n));
    if (ok) {
        workload_tokens(ids, text, m->config.text_vocabulary, 1);
        fill_components(m, samples, targets, read);
        fill_embeddings(captions, samples, m->shape.embedding);
        ok = graph_write(s->text, ids, err) && graph_write(s->caption, captions, err) &&
             graph_write(s->read, read, err) && graph_write(s->targets, targets, err) &&
             graph_write(s->random, random, err);
    }
    free(ids);
    free(captions);
    return ok;
}

/* ---- A drawing ---- */

static bool take_store(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    (void)out;
    m->store = s;
    store_set_weight_type(s, m->type);
    m->text = malloc((size_t)m->config.text_tokens * sizeof *m->text);
    m->buckets = malloc((size_t)(2 * m->config.dimensions) * sizeof *m->buckets);
    m->caption = malloc((size_t)m->shape.embedding * sizeof *m->caption);
    return (m->text && m->buckets && m->caption) ||
           error_set(err, ERROR_MEMORY, "out of memory for %lld components", (long long)m->config.dimensions);
}

static bool make_sampler(void *self, error *err)
{
    made_up *m = self;
    workload_tokens(m->text, m->config.text_tokens, m->config.text_vocabulary, 1);
    fill_embeddings(m->caption, 1, m->shape.embedding);
    m->sampler = ar_prior_sampler_create(m->store, &m->config, &m->shape, false, err);
    return m->sampler && ar_prior_sampler_prepare(m->sampler, 1, m->config.guidance, err);
}

static bool draw_into(const made_up *m, int32_t *buckets, error *err)
{
    const int32_t near = ar_prior_near_token(&m->config, 0);
    const ar_prior_draw how = { .text = m->text,
                                .caption = m->caption,
                                .near = &near,
                                .seed = 1,
                                .count = 1,
                                .guidance = m->config.guidance };
    return ar_prior_sampler_draw(m->sampler, &how, buckets, err);
}

static bool draw(void *self, error *err)
{
    const made_up *m = self;
    return draw_into(m, m->buckets, err);
}

static bool check(void *self, error *err)
{
    const made_up *m = self;
    int64_t n = m->config.dimensions;
    if (!draw_into(m, m->buckets, err) || !draw_into(m, m->buckets + n, err)) return false;
    for (int64_t i = 0; i < n; ++i)
        if (m->buckets[i] < 0 || m->buckets[i] >= m->config.buckets || m->buckets[i] != m->buckets[n + i])
            return error_set(err, ERROR_DEVICE, "component %lld is %d, then %d, of %lld buckets",
                             (long long)i, (int)m->buckets[i], (int)m->buckets[n + i],
                             (long long)m->config.buckets);
    return true;
}

static void destroy(void *self)
{
    made_up *m = self;
    ar_prior_sampler_destroy(m->sampler);
    free(m->text);
    free(m->buckets);
    free(m->caption);
    free(m);
}

static const workload_type step_type = { .build = build, .fill = fill, .destroy = destroy };
static const workload_type drawing_type = {
    .build = take_store, .fill = make_sampler, .draw = draw, .check = check, .destroy = destroy
};

workload *ar_prior_workload(device *d, const ar_prior_config *c, const ar_prior_shape *shape, error *err)
{
    return workload_create(d, &step_type, made_up_create(c, shape, err), err);
}

workload *ar_prior_workload_drawing(device *d, const ar_prior_config *c, const ar_prior_shape *shape,
                                    dtype type, error *err)
{
    made_up *m = made_up_create(c, shape, err);
    if (m) m->type = type;
    return workload_create(d, &drawing_type, m, err);
}
