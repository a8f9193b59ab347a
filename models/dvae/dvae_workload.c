/* dvae_workload.c -- see dvae_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_workload.h"

#include "models/dvae/dvae_step.h"

#include <stdlib.h>

typedef struct made_up {
    dvae_config config;
    dvae_step step;
} made_up;

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    bool ok = dvae_step_build(&m->step, s, &m->config, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            DVAE_STEP_KNOB };
    return ok;
}

static bool fill(void *self, error *err)
{
    const dvae_step *s = &((made_up *)self)->step;
    int64_t count = tensor_count(s->pixels);
    const float schedule[2] = { 1.0f, 0.0f };
    const int32_t random[4] = { 1, 0, 0, 0 };
    uint8_t *pixels = malloc((size_t)count);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    workload_pixels(pixels, count);
    bool ok = graph_write(s->pixels, pixels, err) && graph_write(s->schedule, schedule, err) &&
              graph_write(s->random, random, err);
    free(pixels);
    return ok;
}

static const workload_type type = { .build = build, .fill = fill, .destroy = free };

workload *dvae_workload(device *d, const dvae_config *c, error *err)
{
    if (!dvae_config_check(c, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    return workload_create(d, &type, m, err);
}
