/* decoder_workload.c -- see decoder_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_workload.h"

#include "models/decoder/decoder_draw.h"
#include "models/decoder/decoder_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct made_up {
    decoder_config config;
    decoder_shape shape;
    diffusion process;
    decoder_values values;
    decoder_step step;
    /* Of a drawing: */
    store *store; /* the workload's */
    dtype type;
    decoder_drawer *drawer;
    float *drawn; /* two pictures */
} made_up;

static made_up *made_up_create(const decoder_config *c, const decoder_shape *shape, error *err)
{
    if (!decoder_config_check(c, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    m->shape = *shape;
    if (decoder_process(c, &m->process, err)) return m;
    free(m);
    return NULL;
}

static void destroy(void *self)
{
    made_up *m = self;
    decoder_drawer_destroy(m->drawer);
    decoder_values_free(&m->values);
    diffusion_free(&m->process);
    free(m->drawn);
    free(m);
}

/* Embeddings of length 1, in directions of their own; whole captions; a half of each picture is known. */
static bool make_values(made_up *m, int64_t count, error *err)
{
    decoder_values *v = &m->values;
    int64_t size = m->shape.embedding;
    if (!decoder_values_make(v, &m->config, &m->shape, count, err)) return false;
    workload_tokens(v->ids, count * v->ids_size, m->config.text_vocabulary, 1);
    for (int64_t i = 0; i < count * size; ++i) {
        int64_t place = i % size, which = i / size;
        v->embedding[i] = ((place * 7 + which * 3) % 11 < 5 ? 1.0f : -1.0f) / sqrtf((float)size);
        if (v->caption) v->caption[i] = -v->embedding[i];
    }
    for (int64_t i = 0; i < count; ++i) {
        v->keep[i] = i % 8 < 7;
        if (v->valid) v->valid[i] = (int32_t)(m->config.embedding_tokens + m->config.text_tokens);
    }
    for (int64_t i = 0; i < count * v->states_size; ++i) v->states[i] = (float)(i % 7 - 3) / 2;
    for (int64_t i = 3; i < count * v->given_size; i += 4) v->given[i] = i % 8 < 4;
    return true;
}

/* ---- A training step ---- */

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    bool ok = decoder_step_build(&m->step, s, &m->config, &m->shape, &m->process, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            DECODER_STEP_KNOB };
    return ok;
}

static bool fill_pixels(const decoder_step *s, error *err)
{
    int64_t count = tensor_count(s->pixels);
    uint8_t *pixels = malloc((size_t)count);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    workload_pixels(pixels, count);
    bool ok = graph_write(s->pixels, pixels, err);
    free(pixels);
    return ok;
}

static bool fill_times(const made_up *m, error *err)
{
    const diffusion_inputs *in = &m->step.times;
    int64_t samples = in->time->dim[0];
    float *time = malloc((size_t)(samples * (1 + DIFFUSION_COEFFICIENTS)) * sizeof *time);
    if (!time) return error_set(err, ERROR_MEMORY, "out of memory for %lld times", (long long)samples);
    diffusion_draw_times(&m->process, 1, 0, 0, samples, time, time + samples);
    bool ok = graph_write(in->time, time, err) && graph_write(in->coefficients, time + samples, err);
    free(time);
    return ok;
}

static bool fill(void *self, error *err)
{
    made_up *m = self;
    const decoder_step *s = &m->step;
    const int32_t random[4] = { 1, 0, 0, 0 };
    return make_values(m, s->pixels->dim[0], err) &&
           decoder_values_write(&m->values, &s->condition, 0, err) && fill_pixels(s, err) &&
           fill_times(m, err) && graph_write(s->random, random, err);
}

/* ---- A drawing ---- */

static bool take_store(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    int64_t values = m->config.size * m->config.size * 3;
    (void)out;
    m->store = s;
    store_set_weight_type(s, m->type);
    m->drawn = malloc((size_t)(2 * values) * sizeof *m->drawn);
    return m->drawn ||
           error_set(err, ERROR_MEMORY, "out of memory for a picture of %lld numbers", (long long)values);
}

static bool make_drawer(void *self, error *err)
{
    made_up *m = self;
    if (!make_values(m, 1, err)) return false;
    m->drawer = decoder_drawer_create(m->store, &m->config, &m->shape, false, err);
    return m->drawer && decoder_drawer_prepare(m->drawer, m->config.guidance, err);
}

static bool draw_into(const made_up *m, float *out, error *err)
{
    decoder_draw how = decoder_draw_by(&m->config);
    how.count = 1;
    how.seed = 1;
    how.values = how.none = &m->values;
    return decoder_drawer_draw(m->drawer, &how, out, err);
}

static bool draw(void *self, error *err)
{
    const made_up *m = self;
    return draw_into(m, m->drawn, err);
}

static bool check(void *self, error *err)
{
    const made_up *m = self;
    int64_t values = m->config.size * m->config.size * 3;
    if (!draw_into(m, m->drawn, err) || !draw_into(m, m->drawn + values, err)) return false;
    return memcmp(m->drawn, m->drawn + values, (size_t)values * sizeof *m->drawn) == 0 ||
           error_set(err, ERROR_DEVICE, "a picture that is drawn again is another one");
}

static const workload_type step_type = { .build = build, .fill = fill, .destroy = destroy };
static const workload_type drawing_type = {
    .build = take_store, .fill = make_drawer, .draw = draw, .check = check, .destroy = destroy
};

workload *decoder_workload(device *d, const decoder_config *c, const decoder_shape *shape, error *err)
{
    return workload_create(d, &step_type, made_up_create(c, shape, err), err);
}

workload *decoder_workload_drawing(device *d, const decoder_config *c, const decoder_shape *shape, dtype type,
                                   error *err)
{
    made_up *m = made_up_create(c, shape, err);
    if (m) m->type = type;
    return workload_create(d, &drawing_type, m, err);
}
