/* plan.h -- what `plan` says of a step that many ranks share: shown, as JSON, as a plot.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_PLAN_H
#define DALLE_CL_CLI_PLAN_H

#include "app/cli/stage.h"

#include <jansson.h>

typedef struct plan_job {
    const model_kind *kind;
    const char *preset;
    int64_t batch;
    workload_size size; /* of one rank that holds all of the model */
    scale_step step;
    scale_job job;
    scale_links links;
    double memory; /* GiB of a rank's device */
} plan_job;

/* The job with as many parts of the batch on another number of ranks, in as large groups as these are if
 * they are enough; with more ranks than parts the batch grows to one part a rank. */
scale_job plan_job_with(const plan_job *p, int64_t ranks);
double plan_job_pictures(const plan_job *p, const scale_job *j); /* a step */
/* Of such a job with such a link between groups, bytes a second, as this program trains: sums go on during
 * the last part's backward pass; those of compressed gradients of several parts after it. */
double plan_job_seconds(const plan_job *p, const scale_job *j, double between);

void plan_job_print(const plan_job *p);
json_t *plan_job_json(const plan_job *p);
/* Time a step against link speed, a curve for each of some numbers of ranks up to 4,096, as a PNG. */
bool plan_job_plot(const plan_job *p, const char *path, error *err);

/* "3.2 ms", "0.125 h". */
void plan_duration(double seconds, char text[32]);

#endif
