/* scenarios_eval.c -- measuring a model as a scenario: see scenarios.h.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/scenarios.h"

#include "app/eval/evaluation.h"

#include <stdio.h>

bool scenario_eval(error *err)
{
    char model[400];
    snprintf(model, sizeof model, "%s", walk_path("model"));
    eval_set set = { 0 };
    evaluation e = { 0 };
    const eval_set_options how = { .paths = walk_path("data.tar"), .split = "val", .most = 9 };
    const evaluation_options o = {
        .model = model, .judge = model, .captions = 1, .of = 2, .most = 9, .temperature = -1
    };
    device *d = device_open(NULL, err);
    bool ok = d && eval_set_open(&set, &how, err) && evaluation_run(&e, d, &set, &o, err);
    evaluation_free(&e);
    eval_set_close(&set);
    device_close(d);
    return ok;
}
