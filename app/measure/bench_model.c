/* bench_model.c -- whole training steps and drawings as cases of `dalle-cl bench`.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "host/base/config.h"
#include "models/request.h"
#include "models/workload.h"

#include <string.h>

typedef struct model_case {
    const char *name;
    char kind; /* d, p or s */
    const char *sets[12];
    prior_shape shape;
    dtype weights; /* s: how the layers' matrices are stored */
} model_case;

/* The published recipes, at sizes that PyTorch has been measured at.  No averages: the others keep none. */
static const model_case cases[] = {
    { "dvae:paper-256-b1", 'd', { "batch=1", "ema=0" }, { 0, 0 }, DTYPE_F32 },
    { "dvae:hid64-64-b16",
      'd',
      { "image_size=64", "channels=64", "groups=3", "codes=1024", "batch=16", "ema=0" },
      { 0, 0 },
      DTYPE_F32 },
    { "prior:512x12-b2",
      'p',
      { "size=512", "layers=12", "heads=8", "batch=2", "ema=0", "recompute=no" },
      { 32, 8192 },
      DTYPE_F32 },
    { "prior:256x8-b16",
      'p',
      { "size=256", "layers=8", "heads=4", "text_tokens=32", "text_vocabulary=2048", "batch=16", "ema=0",
        "recompute=no" },
      { 16, 1024 },
      DTYPE_F32 },
    { "sample:512x12",
      's',
      { "size=512", "layers=12", "heads=8", "batch=1", "ema=0" },
      { 32, 8192 },
      DTYPE_F32 },
    { "sample:512x12-f16",
      's',
      { "size=512", "layers=12", "heads=8", "batch=1", "ema=0" },
      { 32, 8192 },
      DTYPE_F16 },
    { "sample:256x8",
      's',
      { "size=256", "layers=8", "heads=4", "text_tokens=32", "text_vocabulary=2048", "batch=1", "ema=0" },
      { 16, 1024 },
      DTYPE_F32 },
    { "sample:256x8-f16",
      's',
      { "size=256", "layers=8", "heads=4", "text_tokens=32", "text_vocabulary=2048", "batch=1", "ema=0" },
      { 16, 1024 },
      DTYPE_F16 },
};

enum { CASES = sizeof cases / sizeof *cases };

const char *const bench_models[] = { "dvae:hid64-64-b16",
                                     "prior:256x8-b16",
                                     "sample:256x8",
                                     "sample:256x8-f16",
                                     "sample:512x12",
                                     "sample:512x12-f16",
                                     "prior:512x12-b2",
                                     "dvae:paper-256-b1",
                                     "start",
                                     NULL };

static bool settings(const model_case *m, const config_table *table, void *config, error *err)
{
    train_request r = { .preset = "paper", .sets = m->sets };
    while (r.set_count < (int)(sizeof m->sets / sizeof *m->sets) && m->sets[r.set_count]) ++r.set_count;
    r.seed = -1;
    return request_config(&r, table, config, err);
}

static workload *open_workload(const model_case *m, device *d, error *err)
{
    dvae_config dvae;
    prior_config prior;
    if (m->kind == 'd')
        return settings(m, &dvae_config_table, &dvae, err) ? workload_dvae(d, &dvae, err) : NULL;
    if (!settings(m, &prior_config_table, &prior, err)) return NULL;
    return m->kind == 'p' ? workload_prior(d, &prior, &m->shape, err)
                          : workload_draw(d, &prior, &m->shape, m->weights, err);
}

static bool run(void *self, error *err)
{
    return workload_run(self, err);
}

static void close_workload(void *self)
{
    workload_destroy(self);
}

bool bench_open_model(bench_case *c, const char *name, const bench_options *o, error *err)
{
    const model_case *m = NULL;
    for (int i = 0; i < CASES; ++i)
        if (strcmp(cases[i].name, name) == 0) m = &cases[i];
    if (!m)
        return error_set(err, ERROR_USAGE, "bench: no case '%s'; `dalle-cl bench --list` names them", name);
    workload *w = open_workload(m, o->device, err);
    workload_size size = { 0 };
    bool ok = w && (m->kind == 's' || workload_plan(w, &size, err)) && workload_ready(w, err) &&
              workload_check(w, err);
    *c = (bench_case){ .self = w,
                       .run = run,
                       .close = close_workload,
                       .flops = size.flops,
                       .wrong = -1,
                       .provider = "",
                       .storage = dtype_name(m->weights) };
    if (ok) return true;
    workload_destroy(w);
    return error_prefix(err, "%s", name);
}
