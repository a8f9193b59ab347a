/* diffusion.h -- the Gaussian diffusion process, in double precision on the host: schedules, respacing, what
 * a step of sampling multiplies by; and, as parts of a graph, noised inputs, losses and steps.
 *
 * q(x_t | x_0) = N(sqrt(a_t) x_0, (1 - a_t) I), t = 0 .. T-1, a_t the product of 1 - beta up to t
 * (arXiv 2006.11239; the cosine schedule and learned variances: 2102.09672; DDIM: 2010.02502; the velocity
 * sqrt(a) e - sqrt(1-a) x_0: 2202.00512; the analytic variance: 2201.06503).
 * b samples, ".." what a sample consists of, its last axis C channels.
 * Names: diffusion_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_DIFFUSION_H
#define DALLE_CL_MODELS_UNCLIP_DIFFUSION_H

#include "host/ops/ops.h"

typedef enum diffusion_schedule { DIFFUSION_COSINE, DIFFUSION_LINEAR } diffusion_schedule;
/* What a network says of x_t: the noise in it, x_0, or the velocity. */
typedef enum diffusion_predicts { DIFFUSION_NOISE, DIFFUSION_START, DIFFUSION_VELOCITY } diffusion_predicts;
/* Of a step back: the posterior's, beta, between the two by the network's second C channels, or the analytic
 * estimate. */
typedef enum diffusion_variance {
    DIFFUSION_POSTERIOR,
    DIFFUSION_BETA,
    DIFFUSION_LEARNED,
    DIFFUSION_ANALYTIC
} diffusion_variance;

typedef struct diffusion {
    diffusion_schedule schedule;
    diffusion_predicts predicts;
    diffusion_variance variance;
    int64_t steps;     /* of this process */
    int64_t *time;     /* [steps]: which step of the process that was trained each is */
    double *beta;      /* [steps] */
    double *alpha_bar; /* [steps]: a_t */
} diffusion;
/* The whole process.  To be freed. */
bool diffusion_make(diffusion *d, diffusion_schedule schedule, int64_t steps, diffusion_predicts predicts,
                    diffusion_variance variance, error *err);
/* Fewer steps of it: "50" spread evenly, "10,10,3,2,2" so many of each fifth (arXiv 2112.10741's notebooks).
 * More steps than there are, or a text that is no list of numbers, is an error.  To be freed. */
bool diffusion_respace(const diffusion *whole, const char *spacing, diffusion *out, error *err);
void diffusion_free(diffusion *d);

/* ---- Training: a part of a step's graph ---- */

enum { DIFFUSION_COEFFICIENTS = 8 };
typedef struct diffusion_inputs {
    tensor *time;         /* F32 [b]: t */
    tensor *coefficients; /* F32 [b,8]: what x_t, targets and bound are made with */
} diffusion_inputs;
diffusion_inputs diffusion_inputs_make(graph *g, int64_t samples);
/* Their values for samples `first` .. of step `step`: t is uniform, drawn by (seed, step, sample). */
void diffusion_draw_times(const diffusion *d, uint64_t seed, int64_t step, int64_t first, int64_t count,
                          float *time, float *coefficients);

/* x_t of x0 [b,..] and noise drawn by `random` (ops.h), which is given back. */
tensor *diffusion_noise(const diffusion_inputs *in, tensor *x0, tensor *random, tensor **noise);
typedef struct diffusion_losses {
    tensor *loss;  /* [1]: what is trained: the error, with learned variances plus T/1000 of the bound */
    tensor *error; /* [1]: mean squared error of what is predicted */
    tensor *bound; /* [1]: the term of the variational bound in bits a value, or NULL */
} diffusion_losses;
/* `output` [b,.., C, or with learned variances 2C] is the network's of x_t; the bound's mean is stopped. */
diffusion_losses diffusion_loss(const diffusion *d, const diffusion_inputs *in, tensor *x0, tensor *noise,
                                tensor *x_t, tensor *output);

/* ---- Sampling ---- */

/* A network with all it is conditioned on. */
typedef struct diffusion_network {
    void *self;
    /* Declares parameters and its own inputs in `g` and gives its output for x [b,..] and time F32 [b].
     * With guidance b is twice the batch: samples 0 .. n-1 conditioned, then the same n unconditioned. */
    tensor *(*build)(void *self, graph *g, tensor *x, tensor *time, bool guided);
    /* Writes those inputs, after the graph is compiled, before each run. */
    bool (*write)(void *self, error *err);
} diffusion_network;

typedef struct diffusion_sampler diffusion_sampler;
/* Samples have `rank` axes of `dim`, the last C.  All is borrowed but the sampler.  Nothing is compiled
 * before the first run or diffusion_sampler_prepare. */
diffusion_sampler *diffusion_sampler_create(store *s, const diffusion *whole,
                                            const diffusion_network *network, int64_t batch, int rank,
                                            const int64_t *dim, bool guided, bool averages, error *err);
bool diffusion_sampler_prepare(diffusion_sampler *s, error *err);
void diffusion_sampler_destroy(diffusion_sampler *s);

typedef bool diffusion_progress(void *context, int64_t done, int64_t total);
typedef struct diffusion_run {
    const char *spacing; /* NULL: all steps */
    bool ddim;           /* else DDPM */
    double eta;          /* DDIM: 0 = no noise, 1 = as DDPM */
    double guidance;     /* without + guidance (with - without); ignored by a sampler that is not guided */
    double clamp;        /* x_0 is kept within +-clamp; 0 = not */
    double temperature;  /* noise is multiplied by it; 0 means 1 */
    uint64_t seed;       /* picture number `first` + i draws by (seed, its number, step): nothing else */
    int64_t first;
    const char *stream; /* that names these random numbers, so that two networks draw other ones */
    const float *start; /* x_T [batch][..], or NULL: drawn */
    /* Filling in: values of x_0 [batch][..], known where known_mask (the same shape) is 1; NULL: none */
    const float *known, *known_mask;
    double variance_scale; /* of DIFFUSION_ANALYTIC: the data's own, mean of squares a value; 0: not known */
    diffusion_progress *progress; /* may be NULL; false stops with ERROR_INTERRUPTED */
    void *context;
} diffusion_run;
/* x_0 [batch][..].  A value that is no number is an error that says which step. */
bool diffusion_sample(diffusion_sampler *s, const diffusion_run *how, float *out, error *err);
/* x_T of x0 [batch][..] by DDIM run forward (arXiv 2105.05233, F): diffusion_sample with it as `start`, ddim
 * and eta 0 gives x0 back but for the steps' error. */
bool diffusion_invert(diffusion_sampler *s, const diffusion_run *how, const float *x0, float *out,
                      error *err);

#endif
