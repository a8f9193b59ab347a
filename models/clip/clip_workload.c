/* clip_workload.c -- see clip_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_workload.h"

#include "models/clip/clip_step.h"

#include <stdlib.h>

typedef struct made_up {
    clip_config config;
    clip_step step;
    store *store; /* the workload's */
} made_up;

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    m->store = s;
    bool ok = clip_step_build(&m->step, s, &m->config, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            CLIP_STEP_KNOB };
    return ok;
}

/* Captions of different lengths, each over all of the vocabulary. */
static bool fill_text(const made_up *m, error *err)
{
    const clip_step *s = &m->step;
    int64_t samples = s->text->dim[0], tokens = m->config.text_tokens;
    int32_t *ids = malloc((size_t)(samples * (tokens + 1)) * sizeof *ids), *ends = ids + samples * tokens;
    if (!ids) return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)samples);
    workload_tokens(ids, samples * tokens, clip_rows(&m->config), 1);
    for (int64_t i = 0; i < samples; ++i) ends[i] = (int32_t)(tokens - 1 - i % (tokens - 1));
    bool ok = graph_write(s->text, ids, err) && clip_write_ends(s->ends, ends, tokens, err);
    free(ids);
    return ok;
}

static bool fill_pixels(const clip_step *s, error *err)
{
    int64_t count = tensor_count(s->pixels);
    uint8_t *pixels = malloc((size_t)count);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    workload_pixels(pixels, count);
    bool ok = graph_write(s->pixels, pixels, err);
    free(pixels);
    return ok;
}

static bool fill(void *self, error *err)
{
    const made_up *m = self;
    const int32_t random[4] = { 1, 0, 0, 0 };
    return clip_step_ready(&m->step, err) && clip_start_scale(m->store, err) && fill_text(m, err) &&
           fill_pixels(&m->step, err) && graph_write(m->step.random, random, err);
}

static const workload_type type = { .build = build, .fill = fill, .destroy = free };

workload *clip_workload(device *d, const clip_config *c, error *err)
{
    if (!clip_config_check(c, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    return workload_create(d, &type, m, err);
}
