/* diffusion_step.h -- what a step of a process multiplies by: for training's bound and for sampling.
 * Names: diffusion_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_DIFFUSION_STEP_H
#define DALLE_CL_MODELS_UNCLIP_DIFFUSION_STEP_H

#include "models/unclip/diffusion.h"

/* q(x_{t-1} | x_t, x_0) = N(start x_0 + noised x_t, variance I) (arXiv 2006.11239, eq. 6 and 7). */
typedef struct diffusion_posterior {
    double start, noised, variance;
    double log_variance; /* at the first step, whose variance is 0, that of the second */
    double log_beta;
} diffusion_posterior;
diffusion_posterior diffusion_posterior_at(const diffusion *d, int64_t step);
/* a_t of the step before; 1 before the first. */
double diffusion_before(const diffusion *d, int64_t step);

/* x_0 = noised x_t + output `what the network says`. */
typedef struct diffusion_reading {
    double noised, output;
} diffusion_reading;
diffusion_reading diffusion_read_start(const diffusion *d, int64_t step);

/* A step's next x = start x_0 + noised x_t + deviation z, z standard normal. */
typedef struct diffusion_move {
    double start, noised, deviation;
} diffusion_move;
/* To the step before by DDIM (arXiv 2010.02502, eq. 12 and 16). */
diffusion_move diffusion_ddim(const diffusion *d, int64_t step, double eta);
/* From the step before to this one, by what DDIM without noise would undo, with what the network says of x as
 * if it already were at this step. */
diffusion_move diffusion_ddim_back(const diffusion *d, int64_t step);

#endif
