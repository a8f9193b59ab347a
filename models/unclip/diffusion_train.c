/* diffusion_train.c -- training's part of diffusion.h: times, noised inputs, the loss.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/diffusion_step.h"

#include "host/base/philox.h"

#include <math.h>

/* Places among the coefficients: the first five are op_variational_bound's. */
enum { OF_START, OF_NOISED, LOG_VARIANCE, LOG_BETA, FIRST_STEP, SIGNAL, NOISE, INVERSE_SIGNAL };

diffusion_inputs diffusion_inputs_make(graph *g, int64_t samples)
{
    return (diffusion_inputs){ graph_input(g, "time", DTYPE_F32, 1, &samples),
                               graph_input(g, "coefficients", DTYPE_F32, 2,
                                           (int64_t[]){ samples, DIFFUSION_COEFFICIENTS }) };
}

static void write_coefficients(const diffusion *d, int64_t step, float out[DIFFUSION_COEFFICIENTS])
{
    const diffusion_posterior p = diffusion_posterior_at(d, step);
    double a = d->alpha_bar[step];
    out[OF_START] = (float)p.start;
    out[OF_NOISED] = (float)p.noised;
    out[LOG_VARIANCE] = (float)p.log_variance;
    out[LOG_BETA] = (float)p.log_beta;
    out[FIRST_STEP] = step == 0;
    out[SIGNAL] = (float)sqrt(a);
    out[NOISE] = (float)sqrt(1 - a);
    out[INVERSE_SIGNAL] = (float)(1 / sqrt(a));
}

void diffusion_draw_times(const diffusion *d, uint64_t seed, int64_t step, int64_t first, int64_t count,
                          float *time, float *coefficients)
{
    const philox draw = { seed, (uint32_t)step, philox_stream("diffusion.time") };
    for (int64_t i = 0; i < count; ++i) {
        int64_t t = philox_below(&draw, (uint32_t)(first + i), (uint32_t)d->steps);
        time[i] = (float)d->time[t];
        write_coefficients(d, t, coefficients + i * DIFFUSION_COEFFICIENTS);
    }
}

/* One of the coefficients, [b,1,..], as a factor of what is shaped as `like`. */
static tensor *coefficient(const diffusion_inputs *in, int which, const tensor *like)
{
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < like->rank; ++i) dim[i] = i ? 1 : like->dim[0];
    return op_reshape(op_slice(in->coefficients, 1, which, 1), like->rank, dim);
}

/* of_a a + of_b b */
static tensor *mix(const diffusion_inputs *in, int of_a, tensor *a, int of_b, tensor *b)
{
    return op_add(op_mul(a, coefficient(in, of_a, a)), op_mul(b, coefficient(in, of_b, b)));
}

tensor *diffusion_noise(const diffusion_inputs *in, tensor *x0, tensor *random, tensor **noise)
{
    *noise = op_normal(x0, random);
    return mix(in, SIGNAL, x0, NOISE, *noise);
}

static tensor *target_of(const diffusion *d, const diffusion_inputs *in, tensor *x0, tensor *noise)
{
    switch (d->predicts) {
    case DIFFUSION_NOISE:
        return noise;
    case DIFFUSION_VELOCITY:
        return op_sub(op_mul(noise, coefficient(in, SIGNAL, noise)), op_mul(x0, coefficient(in, NOISE, x0)));
    case DIFFUSION_START:
        break;
    }
    return x0;
}

/* x_0 by what the network says of x_t. */
static tensor *start_of(const diffusion *d, const diffusion_inputs *in, tensor *x_t, tensor *said)
{
    switch (d->predicts) {
    case DIFFUSION_NOISE:
        return op_mul(op_sub(x_t, op_mul(said, coefficient(in, NOISE, said))),
                      coefficient(in, INVERSE_SIGNAL, said));
    case DIFFUSION_VELOCITY:
        return op_sub(op_mul(x_t, coefficient(in, SIGNAL, x_t)), op_mul(said, coefficient(in, NOISE, said)));
    case DIFFUSION_START:
        break;
    }
    return said;
}

/* L_hybrid of arXiv 2102.09672, 3.1: what the bound says of the mean trains nothing. */
diffusion_losses diffusion_loss(const diffusion *d, const diffusion_inputs *in, tensor *x0, tensor *noise,
                                tensor *x_t, tensor *output)
{
    diffusion_losses l = { .bound = NULL };
    bool learned = d->variance == DIFFUSION_LEARNED;
    int last = output->rank - 1;
    int64_t channels = tensor_last(x0);
    tensor *said = learned ? op_slice(output, last, 0, channels) : output;
    l.loss = l.error = op_mean_all(op_square(op_sub(said, target_of(d, in, x0, noise))));
    if (!learned) return l;
    tensor *v = op_slice(output, last, channels, channels),
           *start = start_of(d, in, x_t, op_stop_gradient(said)),
           *nats = op_variational_bound(x0, x_t, start, op_contiguous(v), in->coefficients);
    l.bound = op_scale(op_mean_all(nats), (float)(1 / log(2.0)));
    l.loss = op_add(l.error, op_scale(l.bound, (float)d->steps / 1000));
    return l;
}
