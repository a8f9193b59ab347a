/* test_diffusion_train.c -- noised inputs and losses as parts of a graph, against the formulas on the host:
 * every prediction, with the bound and without; the bound's mean is stopped.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/diffusion_step.h"

#include "host/base/philox.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum {
    BATCH = 6,
    ROWS = 5,
    CHANNELS = 2,
    SAMPLE = ROWS * CHANNELS,
    ALL = BATCH * SAMPLE,
    STEPS = 40,
    SEED = 5,
    AT = 3
};

static device *dev;
static error err;
#define OK(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

typedef struct step {
    store *store;
    graph *graph;
    diffusion process;
    diffusion_inputs in;
    diffusion_losses losses;
    tensor *x0, *random, *noise, *x, *output, *gradient; /* the output is a parameter, so that it has one */
    int64_t channels;                                    /* of the output */
    float time[BATCH], numbers[BATCH * DIFFUSION_COEFFICIENTS], x0_is[ALL], noise_is[ALL], x_is[ALL];
    float output_is[2 * ALL], gradient_is[2 * ALL], loss, error, bound;
} step;

static void build(step *s)
{
    const int64_t four = 4, dim[3] = { BATCH, ROWS, CHANNELS }, out[3] = { BATCH, ROWS, s->channels };
    const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 0.5f, false };
    OK(s->store = store_create(dev, &err));
    OK(s->graph = graph_create(s->store, &err));
    s->x0 = graph_input(s->graph, "x0", DTYPE_F32, 3, dim);
    s->random = graph_input(s->graph, "random", DTYPE_I32, 1, &four);
    s->in = diffusion_inputs_make(s->graph, BATCH);
    s->output = graph_parameter(s->graph, "output", spec, 3, out);
    s->x = diffusion_noise(&s->in, s->x0, s->random, &s->noise);
    s->losses = diffusion_loss(&s->process, &s->in, s->x0, s->noise, s->x, s->output);
    graph_backward(s->graph, s->losses.loss);
    s->gradient = op_contiguous(graph_gradient(s->graph, s->output));
    tensor *kept[] = { s->losses.loss, s->losses.error, s->losses.bound, s->noise, s->x, s->gradient };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; ++i)
        if (kept[i]) graph_keep(kept[i]);
    OK(graph_compile(s->graph, 1, NULL, &err));
}

/* Sample 1 is at the first step, whose term is another: some draw gives its coefficients. */
static void take_first(step *s)
{
    s->time[1] = 1;
    for (uint64_t seed = 0; s->time[1] != 0; ++seed)
        diffusion_draw_times(&s->process, seed, 0, 0, 1, s->time + 1, s->numbers + DIFFUSION_COEFFICIENTS);
}

static void run(step *s)
{
    const int32_t random[4] = { SEED, 0, AT, 0 };
    const philox values = { 1, 0, 2 };
    for (uint32_t i = 0; i < ALL; ++i) s->x0_is[i] = tanhf(philox_normal(&values, i));
    diffusion_draw_times(&s->process, SEED, AT, 0, BATCH, s->time, s->numbers);
    take_first(s);
    OK(graph_write(s->x0, s->x0_is, &err) && graph_write(s->random, random, &err) &&
       graph_write(s->in.time, s->time, &err) && graph_write(s->in.coefficients, s->numbers, &err) &&
       graph_run(s->graph, &err));
    OK(graph_read(s->losses.loss, &s->loss, &err) && graph_read(s->losses.error, &s->error, &err) &&
       graph_read(s->noise, s->noise_is, &err) && graph_read(s->x, s->x_is, &err) &&
       graph_read(s->gradient, s->gradient_is, &err) &&
       store_read_f32(s->store, store_find(s->store, "output"), s->output_is, &err));
    if (s->losses.bound) OK(graph_read(s->losses.bound, &s->bound, &err));
}

static double clip_log(double x)
{
    return log(fmax(x, 1e-12));
}

/* The share of a Gaussian below x. */
static double below(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

/* Nats of a value at step t: x0, x, what is predicted of x0, v. */
static double bound_of(const diffusion *d, int64_t t, double x0, double x, double start, double v)
{
    const diffusion_posterior p = diffusion_posterior_at(d, t);
    double log_variance = (1 + v) / 2 * p.log_beta + (1 - v) / 2 * p.log_variance;
    double mean = p.start * start + p.noised * x, truth = p.start * x0 + p.noised * x, far = truth - mean;
    if (t > 0)
        return 0.5 * (log_variance - p.log_variance - 1 + exp(p.log_variance - log_variance) +
                      far * far * exp(-log_variance));
    double inverse = exp(-0.5 * log_variance), high = below(inverse * (x0 - mean + 1.0 / 255)),
           low = below(inverse * (x0 - mean - 1.0 / 255));
    return -(x0 < -0.999 ? clip_log(high) : x0 > 0.999 ? clip_log(1 - low) : clip_log(high - low));
}

/* Everything that the graph gave, again by the formulas. */
static void check(const step *s)
{
    const diffusion *d = &s->process;
    bool learned = d->variance == DIFFUSION_LEARNED;
    double errors = 0, bounds = 0;
    for (int i = 0; i < ALL; ++i) {
        int64_t t = (int64_t)s->time[i / SAMPLE];
        double a = d->alpha_bar[t], x0 = (double)s->x0_is[i], e = (double)s->noise_is[i],
               x = (double)s->x_is[i];
        assert_true(fabs(x - sqrt(a) * x0 - sqrt(1 - a) * e) < 1e-5);
        int64_t at = i / CHANNELS * s->channels + i % CHANNELS;
        double said = (double)s->output_is[at], targets[] = { e, x0, sqrt(a) * e - sqrt(1 - a) * x0 };
        double far = said - targets[d->predicts];
        errors += far * far / ALL;
        /* Of the mean there is no gradient but the error's. */
        assert_true(fabs((double)s->gradient_is[at] - 2 * far / ALL) < 1e-6);
        const diffusion_reading r = diffusion_read_start(d, t);
        if (learned)
            bounds +=
                bound_of(d, t, x0, x, r.noised * x + r.output * said, (double)s->output_is[at + CHANNELS]) /
                (ALL * log(2.0));
    }
    printf("predicting %d: error %.6g of %.6g, bound %.6g of %.6g\n", (int)d->predicts, (double)s->error,
           errors, (double)s->bound, bounds);
    assert_true(fabs((double)s->error - errors) < 1e-5 * errors);
    if (learned) assert_true(fabs((double)s->bound - bounds) < 1e-3 * fabs(bounds));
    double loss = errors + (learned ? STEPS / 1000.0 * bounds : 0);
    assert_true(fabs((double)s->loss - loss) < 1e-3 * fabs(loss));
}

static void test_losses(void **state)
{
    (void)state;
    for (int predicts = DIFFUSION_NOISE; predicts <= DIFFUSION_VELOCITY; ++predicts)
        for (int learned = 0; learned < 2; ++learned) {
            step s = { .channels = CHANNELS * (1 + learned) };
            OK(diffusion_make(&s.process, DIFFUSION_COSINE, STEPS, (diffusion_predicts)predicts,
                              learned ? DIFFUSION_LEARNED : DIFFUSION_POSTERIOR, &err));
            build(&s);
            assert_true((s.losses.bound != NULL) == learned);
            run(&s);
            check(&s);
            graph_destroy(s.graph);
            store_destroy(s.store);
            diffusion_free(&s.process);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_losses) };
    dev = device_or_skip();
    int failed = cmocka_run_group_tests_name("models_diffusion_train", tests, NULL, NULL);
    device_close(dev);
    return failed;
}
