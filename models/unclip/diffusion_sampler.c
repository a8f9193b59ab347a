/* diffusion_sampler.c -- sampling: x stays on the device, and a step is one replayed graph, the same for
 * every way back.  Of each step the host writes its time and a row of numbers:
 *
 *     x_0 = clamp(a x + b network(x, time)), known values put in,   x = c x_0 + d x + sigma z
 *
 * with sigma a number, or by the network's second half, or by the analytic estimate (below).  While a step
 * runs the host prepares the next, and reads whether the one before came out as numbers.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/diffusion_step.h"

#include "host/base/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A step's numbers. */
enum {
    READ_NOISED,
    READ_OUTPUT, /* x_0 of x and the output */
    CLAMP_DOWN,
    CLAMP_UP, /* x_0 is divided by the limit, clamped to 1, and multiplied by it */
    TO_START,
    TO_NOISED,
    TO_NOISE, /* the next x of x_0, x, z */
    GUIDANCE,
    SHARE,  /* of the noise: what is learned or estimated of its deviation */
    MIDDLE, /* learned: half of ln variance = middle + spread v */
    SPREAD,
    LOOK_NOISED, /* estimated: y of x and x_0, */
    LOOK_START,
    LEFT, /* w = clamp(left - per_square mean y^2), */
    PER_SQUARE,
    VARIANCE, /* variance + per_left w */
    PER_LEFT,
    NUMBERS
};

struct diffusion_sampler {
    store *store;
    const diffusion *whole;
    diffusion_network network;
    int64_t batch, values; /* of a sample */
    int rank;
    int64_t dim[TENSOR_RANK_MAX]; /* [batch][..] */
    bool guided, averages, ready;
    graph *graph;
    tensor *x, *time, *numbers, *random, *first; /* x [b,..], its place: zeros */
    tensor *known, *mask;
    tensor *odd;   /* [1]: 0, or no number where the output or x has one that is none */
    bool masked;   /* the mask is not all zeros */
    int64_t times; /* of `time`: b, or with guidance 2b */
};

/* ---- The graph of a step ---- */

static tensor *number_at(const diffusion_sampler *s, int which)
{
    return op_slice(s->numbers, 0, which, 1);
}

static tensor *times(const diffusion_sampler *s, tensor *x, int which)
{
    return op_mul(x, number_at(s, which));
}

/* of_a a + of_b b */
static tensor *mix(const diffusion_sampler *s, int of_a, tensor *a, int of_b, tensor *b)
{
    return op_add(times(s, a, of_a), times(s, b, of_b));
}

static void declare_inputs(diffusion_sampler *s)
{
    const int64_t four = 4, numbers = NUMBERS, all = s->times;
    s->x = graph_input(s->graph, "x", DTYPE_F32, s->rank, s->dim);
    s->known = graph_input(s->graph, "known", DTYPE_F32, s->rank, s->dim);
    s->mask = graph_input(s->graph, "known_mask", DTYPE_F32, s->rank, s->dim);
    s->time = graph_input(s->graph, "time", DTYPE_F32, 1, &all);
    s->numbers = graph_input(s->graph, "numbers", DTYPE_F32, 1, &numbers);
    s->random = graph_input(s->graph, "random", DTYPE_I32, 1, &four);
    s->first = graph_input(s->graph, "first", DTYPE_I32, 1, &four); /* zeros, as inputs are at first */
}

/* The first C channels of the output, guided; `learned` receives the others, of the conditioned half. */
static tensor *guide(const diffusion_sampler *s, tensor *output, tensor **learned)
{
    int last = s->rank - 1;
    int64_t channels = s->dim[last];
    tensor *with = s->guided ? op_slice(output, 0, 0, s->batch) : output;
    *learned = NULL;
    if (s->whole->variance == DIFFUSION_LEARNED)
        *learned = op_contiguous(op_slice(with, last, channels, channels));
    with = op_contiguous(op_slice(with, last, 0, channels));
    if (!s->guided) return with;
    tensor *without = op_contiguous(op_slice(op_slice(output, 0, s->batch, s->batch), last, 0, channels));
    return op_add(without, times(s, op_sub(with, without), GUIDANCE));
}

static tensor *start_of(const diffusion_sampler *s, tensor *said)
{
    tensor *start = mix(s, READ_NOISED, s->x, READ_OUTPUT, said);
    start = times(s, op_clamp(times(s, start, CLAMP_DOWN), -1, 1), CLAMP_UP);
    tensor *open = op_affine(s->mask, -1, 1);
    return op_add(op_mul(start, open), op_mul(s->known, s->mask));
}

/* The deviation of the best Gaussian step (arXiv 2201.06503, theorem 1): its variance is the posterior's plus
 * the square of the posterior mean's factor of x_0 times what x_0 varies by where x_t is known,
 *     E x_0^2 - E (network's x_0)^2,
 * a value, as far as the sample itself tells.  Where E x_0^2 is not known it is (1 - a) / a times
 * 1 - E (network's noise)^2, and at most 1, as of values within -1 .. 1 (the bound of its theorem 2). */
static tensor *estimate(const diffusion_sampler *s, tensor *start)
{
    int64_t one[TENSOR_RANK_MAX];
    for (int i = 0; i < s->rank; ++i) one[i] = i ? 1 : s->batch;
    tensor *y = mix(s, LOOK_NOISED, s->x, LOOK_START, start);
    tensor *rows = op_reshape(op_square(y), 2, (int64_t[]){ s->batch, s->values });
    tensor *mean = op_scale(op_sum_last(rows), 1.0f / (float)s->values); /* [b,1] */
    tensor *w = op_clamp(op_sub(number_at(s, LEFT), times(s, mean, PER_SQUARE)), 0, 1);
    tensor *variance = op_add(times(s, w, PER_LEFT), number_at(s, VARIANCE));
    return op_reshape(op_exp(op_scale(op_log(variance), 0.5f)), s->rank, one);
}

/* sigma z */
static tensor *noise_of(const diffusion_sampler *s, tensor *start, tensor *learned)
{
    graph_push(s->graph, "diffusion_step"); /* names the random stream: it must not depend on the network */
    tensor *z = op_normal(s->x, s->random), *deviation = NULL;
    graph_pop(s->graph);
    if (learned) deviation = op_exp(op_add(times(s, learned, SPREAD), number_at(s, MIDDLE)));
    if (s->whole->variance == DIFFUSION_ANALYTIC) deviation = estimate(s, start);
    if (!deviation) return times(s, z, TO_NOISE);
    return op_mul(z, op_add(times(s, deviation, SHARE), number_at(s, TO_NOISE)));
}

/* [1]: 0, or no number where one of x is none. */
static tensor *oddness(tensor *x)
{
    return op_sum_all(op_scale(x, 0));
}

static bool build(diffusion_sampler *s, error *err)
{
    if (!(s->graph = graph_create(s->store, err))) return false;
    graph_set_trainable(s->graph, false);
    graph_set_averages(s->graph, s->averages);
    declare_inputs(s);
    tensor *x = s->guided ? op_concat(2, (tensor *[]){ s->x, s->x }, 0) : s->x, *learned;
    tensor *output = s->network.build(s->network.self, s->graph, x, s->time, s->guided);
    tensor *said = guide(s, output, &learned), *start = start_of(s, said);
    tensor *next = op_add(mix(s, TO_START, start, TO_NOISED, s->x), noise_of(s, start, learned));
    /* Clamping may make a number of what is none: what the network says is looked at, too. */
    s->odd = op_add(oddness(next), oddness(said));
    if (learned) s->odd = op_add(s->odd, oddness(learned));
    graph_keep(s->odd);
    graph_update(op_part_put(s->x, next, s->first));
    return graph_compile(s->graph, 0, "the number drawn at once", err);
}

diffusion_sampler *diffusion_sampler_create(store *st, const diffusion *whole,
                                            const diffusion_network *network, int64_t batch, int rank,
                                            const int64_t *dim, bool guided, bool averages, error *err)
{
    diffusion_sampler *s = calloc(1, sizeof *s);
    if (!s) return error_null(err, ERROR_MEMORY, "out of memory for a sampler");
    CHECK(rank >= 1 && rank < TENSOR_RANK_MAX, "samples of %d axes", rank);
    *s = (diffusion_sampler){ .store = st,
                              .whole = whole,
                              .network = *network,
                              .batch = batch,
                              .values = 1,
                              .rank = rank + 1,
                              .guided = guided,
                              .averages = averages,
                              .times = guided ? 2 * batch : batch };
    s->dim[0] = batch;
    for (int i = 0; i < rank; ++i) s->values *= s->dim[i + 1] = dim[i];
    return s;
}

/* What could not be built is of no use: the next try begins anew. */
bool diffusion_sampler_prepare(diffusion_sampler *s, error *err)
{
    if (s->ready) return true;
    s->ready = build(s, err);
    if (!s->ready) graph_destroy(s->graph);
    if (!s->ready) s->graph = NULL;
    return s->ready;
}

void diffusion_sampler_destroy(diffusion_sampler *s)
{
    if (!s) return;
    graph_destroy(s->graph);
    free(s);
}

/* ---- A step's numbers ---- */

/* A limit that no number reaches: a power of two, by which dividing and multiplying is exact. */
static const double NO_CLAMP = 0x1p64;

static void put(float numbers[NUMBERS], int which, double value)
{
    numbers[which] = (float)value;
}

static void put_move(float n[NUMBERS], const diffusion_move *m, double temperature)
{
    put(n, TO_START, m->start);
    put(n, TO_NOISED, m->noised);
    put(n, TO_NOISE, m->deviation * temperature);
}

static void put_learned(float n[NUMBERS], const diffusion_posterior *p, double temperature)
{
    put(n, SHARE, temperature);
    put(n, MIDDLE, (p->log_beta + p->log_variance) / 4);
    put(n, SPREAD, (p->log_beta - p->log_variance) / 4);
}

static void put_analytic(float n[NUMBERS], const diffusion_posterior *p, double a, double scale,
                         double temperature)
{
    double reach = scale > 0 ? 1 : (1 - a) / a;
    put(n, SHARE, temperature);
    put(n, LOOK_NOISED, scale > 0 ? 0 : 1 / sqrt(1 - a));
    put(n, LOOK_START, scale > 0 ? 1 / sqrt(scale) : -sqrt(a / (1 - a)));
    put(n, LEFT, reach);
    put(n, PER_SQUARE, reach);
    put(n, VARIANCE, p->variance);
    put(n, PER_LEFT, p->start * p->start * (scale > 0 ? scale : 1));
}

/* The last step adds no noise. */
static void put_ddpm(float n[NUMBERS], const diffusion *d, int64_t step, const diffusion_run *how,
                     double temperature)
{
    const diffusion_posterior p = diffusion_posterior_at(d, step);
    diffusion_move m = { p.start, p.noised, 0 };
    if (step > 0 && d->variance == DIFFUSION_POSTERIOR) m.deviation = sqrt(p.variance);
    if (step > 0 && d->variance == DIFFUSION_BETA) m.deviation = sqrt(d->beta[step]);
    put_move(n, &m, temperature);
    if (step > 0 && d->variance == DIFFUSION_LEARNED) put_learned(n, &p, temperature);
    if (step > 0 && d->variance == DIFFUSION_ANALYTIC)
        put_analytic(n, &p, d->alpha_bar[step], how->variance_scale, temperature);
}

/* Down to the step before, or, of an inversion, up from it. */
static void step_numbers(const diffusion *d, int64_t step, const diffusion_run *how, bool up,
                         float n[NUMBERS])
{
    const diffusion_reading r = diffusion_read_start(d, step);
    double clamp = how->clamp > 0 ? how->clamp : NO_CLAMP, temperature = how->temperature;
    memset(n, 0, NUMBERS * sizeof *n);
    put(n, READ_NOISED, r.noised);
    put(n, READ_OUTPUT, r.output);
    put(n, CLAMP_DOWN, 1 / clamp);
    put(n, CLAMP_UP, clamp);
    put(n, GUIDANCE, how->guidance);
    put(n, VARIANCE, 1); /* whose logarithm is taken even where nothing is made of it */
    if (temperature == 0) temperature = 1;
    const diffusion_move m = up ? diffusion_ddim_back(d, step) : diffusion_ddim(d, step, how->eta);
    if (up || how->ddim)
        put_move(n, &m, temperature);
    else
        put_ddpm(n, d, step, how, temperature);
}

/* ---- A run ---- */

/* Two networks draw other numbers by the same seed. */
static uint64_t seed_of(const diffusion_run *how)
{
    return how->seed ^ (how->stream ? philox_stream(how->stream) : 0);
}

static bool write_start(const diffusion_sampler *s, const diffusion_run *how, error *err)
{
    if (how->start) return graph_write(s->x, how->start, err);
    float *x = malloc((size_t)(s->batch * s->values) * sizeof *x);
    if (!x) return error_set(err, ERROR_MEMORY, "out of memory for %lld samples", (long long)s->batch);
    float temperature = how->temperature == 0 ? 1 : (float)how->temperature;
    for (int64_t b = 0; b < s->batch; ++b) {
        const philox draw = { seed_of(how), UINT32_MAX,
                              philox_stream("diffusion.start") + (uint32_t)(how->first + b) };
        for (int64_t i = 0; i < s->values; ++i)
            x[b * s->values + i] = temperature * philox_normal(&draw, (uint32_t)i);
    }
    bool ok = graph_write(s->x, x, err);
    free(x);
    return ok;
}

static bool write_known(diffusion_sampler *s, const diffusion_run *how, error *err)
{
    if (how->known) {
        s->masked = true;
        return graph_write(s->known, how->known, err) && graph_write(s->mask, how->known_mask, err);
    }
    if (!s->masked) return true;
    float *zeros = calloc((size_t)(s->batch * s->values), sizeof *zeros);
    bool ok = zeros ? true : error_set(err, ERROR_MEMORY, "out of memory for a mask");
    ok = ok && graph_write(s->known, zeros, err) && graph_write(s->mask, zeros, err);
    free(zeros);
    s->masked = !ok;
    return ok;
}

/* The steps of a run, and how many figures have been asked for and read. */
typedef struct walk {
    const diffusion_sampler *s;
    const diffusion *d;
    const diffusion_run *how;
    bool up;
    float *time; /* as many as the network has samples */
    int64_t begun, read;
} walk;

static bool write_step(const walk *w, int64_t step, error *err)
{
    const diffusion_sampler *s = w->s;
    uint64_t seed = seed_of(w->how);
    const int32_t random[4] = { (int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32), (int32_t)step,
                                (int32_t)w->how->first };
    float n[NUMBERS];
    step_numbers(w->d, step, w->how, w->up, n);
    for (int64_t i = 0; i < s->times; ++i) w->time[i] = (float)w->d->time[step];
    return graph_write(s->numbers, n, err) && graph_write(s->time, w->time, err) &&
           graph_write(s->random, random, err);
}

static bool begin_step(walk *w, error *err)
{
    int64_t step = w->up ? w->begun : w->d->steps - 1 - w->begun;
    if (!write_step(w, step, err) || !graph_run(w->s->graph, err) || !graph_read_begin(w->s->odd, err))
        return false;
    ++w->begun;
    return true;
}

/* Whether the oldest step that was not looked at yet left numbers, and whether to go on. */
static bool end_step(walk *w, error *err)
{
    const diffusion_run *how = w->how;
    const char *part = how->stream ? how->stream : "diffusion"; /* of several alike "upsampler.0" */
    long long done = ++w->read, all = w->d->steps;
    float odd;
    if (!graph_read_end(w->s->odd, &odd, err)) return false;
    if (!isfinite(odd))
        return error_set(err, ERROR_MODEL,
                         "step %lld of %lld of the %.*s gave values that are no numbers: its parameters are "
                         "damaged, its training diverged, or a guidance of %g is too much",
                         done, all, (int)strcspn(part, "."), part, how->guidance);
    return !how->progress || how->progress(how->context, done, all) ||
           error_set(err, ERROR_INTERRUPTED, "stopped after %lld of %lld steps", done, all);
}

static bool run_steps(walk *w, error *err)
{
    bool ok = begin_step(w, err);
    while (ok && w->begun < w->d->steps) ok = begin_step(w, err) && end_step(w, err);
    ok = ok && end_step(w, err);
    for (float odd; w->read < w->begun; ++w->read) (void)graph_read_end(w->s->odd, &odd, NULL);
    return ok;
}

static bool run(diffusion_sampler *s, const diffusion_run *how, bool up, float *out, error *err)
{
    diffusion respaced = { .steps = 0 };
    if (how->spacing && !diffusion_respace(s->whole, how->spacing, &respaced, err)) return false;
    walk w = { s, how->spacing ? &respaced : s->whole, how, up, malloc((size_t)s->times * sizeof *w.time), 0,
               0 };
    bool ok = w.time ? true : error_set(err, ERROR_MEMORY, "out of memory for a step's times");
    ok = ok && diffusion_sampler_prepare(s, err) && write_start(s, how, err) && write_known(s, how, err) &&
         (!s->network.write || s->network.write(s->network.self, err)) && run_steps(&w, err) &&
         graph_read(s->x, out, err);
    free(w.time);
    diffusion_free(&respaced);
    return ok;
}

bool diffusion_sample(diffusion_sampler *s, const diffusion_run *how, float *out, error *err)
{
    return run(s, how, false, out, err);
}

bool diffusion_invert(diffusion_sampler *s, const diffusion_run *how, const float *x0, float *out, error *err)
{
    diffusion_run back = *how;
    back.start = x0;
    back.known = back.known_mask = NULL;
    return run(s, &back, true, out, err);
}
