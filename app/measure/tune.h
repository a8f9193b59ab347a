/* tune.h -- which way of doing each matrix product of a step is fastest on a device.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MEASURE_TUNE_H
#define DALLE_CL_MEASURE_TUNE_H

#include "models/workload.h"

/* Each product of a step once, those with most arithmetic first. */
typedef struct tune_products {
    gemm_desc *list; /* the caller's to free, also after a failure */
    int count, room;
    bool failed; /* while they were collected: out of memory */
} tune_products;
/* Of the workload's plan, on its device; nothing is run. */
bool tune_collect(tune_products *p, workload *w, device *d, error *err);

typedef struct tune_result {
    int ways;     /* below two there is nothing to choose, and the rest is not set */
    bool changed; /* whether another way is clearly faster than the rules' */
    char best[GEMM_WAY_SIZE], rules[GEMM_WAY_SIZE];
    double best_seconds, rules_seconds; /* of one run, medians */
} tune_result;
/* Measures all ways of one product, within about `seconds` and the building of kernels.  A way that is wrong
 * is logged and left out.  What is found is not kept: gemm_choose does that. */
bool tune_product(device *d, const gemm_desc *desc, double seconds, tune_result *r, error *err);

#endif
