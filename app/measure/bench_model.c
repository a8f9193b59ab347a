/* bench_model.c -- whole training steps and drawings, which the kinds of model name, as cases of `dalle-cl bench`.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "models/kinds.h"

#include <stdlib.h>
#include <string.h>

enum { CASES_MOST = 96 };

/* Small ones first; then those that take long, and what draws with a model on disk. */
const char *const *bench_models(void)
{
    static const char *names[CASES_MOST + 2];
    int count = 0;
    for (int large = 0; large < 2; ++large)
        for (int i = 0; model_kinds[i]; ++i)
            for (const kind_case *m = model_kinds[i]->cases; m && m->name; ++m) {
                CHECK(count < CASES_MOST, "more than %d cases of models", CASES_MOST);
                if (m->large == large) names[count++] = m->name;
            }
    names[count++] = "start";
    names[count] = NULL;
    return names;
}

static const kind_case *find_case(const char *name, const model_kind **kind)
{
    for (int i = 0; model_kinds[i]; ++i)
        for (const kind_case *m = model_kinds[i]->cases; m && m->name; ++m)
            if (strcmp(m->name, name) == 0) return *kind = model_kinds[i], m;
    return NULL;
}

static bool settings(const model_kind *k, const kind_case *m, void *config, error *err)
{
    train_request r = { .preset = "paper", .sets = m->sets, .seed = -1 };
    while (r.set_count < KIND_CASE_SETS && m->sets[r.set_count]) ++r.set_count;
    return request_config(&r, k->settings, config, err);
}

static workload *open_workload(const model_kind *k, const kind_case *m, device *d, error *err)
{
    workload *w = NULL;
    void *config = calloc(1, k->settings->size);
    if (!config) return error_null(err, ERROR_MEMORY, "out of memory for the settings of '%s'", m->name);
    if (settings(k, m, config, err))
        w = m->drawing ? k->drawing(d, config, m->given, m->weights, err) : k->step(d, config, m->given, err);
    free(config);
    return w;
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
    const model_kind *k = NULL;
    const kind_case *m = find_case(name, &k);
    if (!m)
        return error_set(err, ERROR_USAGE, "bench: no case '%s'; `dalle-cl bench --list` names them", name);
    workload *w = open_workload(k, m, o->device, err);
    workload_size size = { 0 };
    bool ok = w && workload_plan(w, &size, err) && workload_ready(w, err) && workload_check(w, err);
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
