/* AdamW over 20 steps against a double reference, skipped where the flag says so; parameters and moments of
 * every type, rounded to nearest and at random; and mistakes.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

enum { COUNT = 203, STEPS = 20 };

typedef struct reference_state {
    double parameter[COUNT], mean[COUNT], variance[COUNT];
} reference_state;

static void reference_step(reference_state *s, const float *gradient, const float *schedule,
                           const float *scale)
{
    const double beta1 = (double)0.9f, beta2 = (double)0.96f, epsilon = (double)1e-8f, decay = (double)0.045f;
    if (scale[2] == 0.0f) return;
    for (int i = 0; i < COUNT; ++i) {
        double g = (double)scale[0] * (double)gradient[i];
        s->mean[i] = beta1 * s->mean[i] + (1.0 - beta1) * g;
        s->variance[i] = beta2 * s->variance[i] + (1.0 - beta2) * g * g;
        double step =
            s->mean[i] / (double)schedule[1] / (sqrt(s->variance[i] / (double)schedule[2]) + epsilon);
        s->parameter[i] -= (double)schedule[0] * (step + decay * s->parameter[i]);
    }
}

static double distance(const float *got, const double *wanted)
{
    double most = 0.0, size = 0.0;
    for (int i = 0; i < COUNT; ++i) {
        most = fmax(most, fabs((double)got[i] - wanted[i]));
        size = fmax(size, fabs(wanted[i]));
    }
    return most / size;
}

static int check_steps(int shape)
{
    rig r = rig_open(shape);
    tensor *p = rig_state(&r, "p", DTYPE_F32, RIG_DIM(7, 29)),
           *m = rig_state(&r, "m", DTYPE_F32, RIG_DIM(7, 29));
    tensor *v = rig_state(&r, "v", DTYPE_F32, RIG_DIM(7, 29)),
           *g = rig_input(&r, "g", DTYPE_F32, RIG_DIM(7, 29));
    tensor *schedule = rig_input(&r, "schedule", DTYPE_F32, RIG_DIM(4));
    tensor *scale = rig_input(&r, "scale", DTYPE_F32, RIG_DIM(4));
    const adamw_terms terms = { .beta1 = 0.9f, .beta2 = 0.96f, .epsilon = 1e-8f, .decay = 0.045f };
    graph_update(op_adamw(p, g, m, v, schedule, scale, NULL, &terms));
    rig_compile(&r);
    reference_state s = { 0 };
    float start[COUNT], gradient[COUNT];
    rig_fill(start, COUNT, 1, -1.0f, 1.0f);
    for (int i = 0; i < COUNT; ++i) s.parameter[i] = (double)start[i];
    rig_write(p, start);
    for (int t = 1; t <= STEPS; ++t) {
        float rates[4] = { 1e-2f, (float)(1.0 - pow((double)0.9f, t)), (float)(1.0 - pow((double)0.96f, t)),
                           0 };
        float factors[4] = { t % 3 ? 1.0f : 0.25f, 0, t == 7 ? 0.0f : 1.0f, 0 };
        rig_fill(gradient, COUNT, 100 + (uint32_t)t, -0.1f, 0.1f);
        if (t == 7) gradient[5] = NAN;
        rig_write(g, gradient);
        rig_write(schedule, rates);
        rig_write(scale, factors);
        rig_run(&r);
        reference_step(&s, gradient, rates, factors);
    }
    float got[COUNT];
    rig_read(p, got);
    double far = distance(got, s.parameter);
    rig_read(m, got);
    far = fmax(far, distance(got, s.mean));
    rig_read(v, got);
    far = fmax(far, distance(got, s.variance));
    if (!(far < 2e-6)) fprintf(stderr, "adamw: %g away from the reference after %d steps\n", far, STEPS);
    rig_close(&r);
    return !(far < 2e-6);
}

/* ---- Types ---- */

typedef struct stored_types {
    dtype parameter, mean, variance;
} stored_types;

static const stored_types all_types[] = { { DTYPE_F16, DTYPE_F169, DTYPE_UF610 },
                                          { DTYPE_BF16, DTYPE_BF16, DTYPE_F169 } };
enum { TYPES = sizeof all_types / sizeof *all_types, TYPED_STEPS = 6, STREAM = 77 };
static const float limit = 1.5e-4f, rate = 1e-2f;

/* Parameter, mean and variance in their types, with room for padding. */
typedef struct stored_state {
    unsigned char at[3][4 * COUNT];
} stored_state;

static dtype type_at(const stored_types *t, int which)
{
    return which == 0 ? t->parameter : which == 1 ? t->mean : t->variance;
}

/* What a step makes of the element's stored values, in doubles. */
static void exact_step(const stored_types *t, const stored_state *s, int i, double g, int step, double out[3])
{
    const double beta1 = (double)0.9f, beta2 = (double)0.96f,
                 p = (double)dtype_load(t->parameter, s->at[0], i);
    out[1] = beta1 * (double)dtype_load(t->mean, s->at[1], i) + (1 - beta1) * g;
    out[2] = beta2 * (double)dtype_load(t->variance, s->at[2], i) + (1 - beta2) * g * g;
    out[2] = fmin(out[2], (double)limit);
    const double moved =
        out[1] / (1 - pow(beta1, step)) / (sqrt(out[2] / (1 - pow(beta2, step))) + (double)1e-8f);
    out[0] = p - (double)rate * (moved + (double)0.045f * p);
}

static uint32_t code_of(const unsigned char *at, int i)
{
    return ((const uint16_t *)(const void *)at)[i];
}

/* How many elements of `got` are not what the rounding of `exact` gives: those where single precision and
 * double lie on either side of an edge.  -1: one is farther away than that. */
static int count_wrong(const stored_types *t, const stored_state *before, const stored_state *got,
                       const float *gradient, int step, bool random, int *clipped)
{
    int wrong = 0;
    for (int i = 0; i < COUNT; ++i) {
        double exact[3];
        uint32_t words[4];
        exact_step(t, before, i, (double)gradient[i], step, exact);
        philox4x32_10((uint32_t[]){ (uint32_t)i, (uint32_t)step, STREAM, 0 }, (uint32_t[]){ 9, 1 }, words);
        *clipped += exact[2] == (double)limit;
        for (int k = 0; k < 3; ++k) {
            dtype type = type_at(t, k);
            uint16_t wanted[2] = { 0 };
            if (random)
                dtype_store_random(type, wanted, 0, (float)exact[k], words[k]);
            else
                dtype_store(type, wanted, 0, (float)exact[k]);
            int difference = (int)code_of(got->at[k], i) - (int)wanted[0];
            if (difference < -1 || difference > 1) return -1;
            wrong += difference != 0;
        }
    }
    return wrong;
}

static void start_state(const stored_types *t, stored_state *s)
{
    float start[COUNT];
    memset(s, 0, sizeof *s);
    rig_fill(start, COUNT, 1, -1.0f, 1.0f);
    dtype_convert(t->parameter, s->at[0], DTYPE_F32, start, COUNT);
}

static int check_types(int shape, const stored_types *t, bool random)
{
    rig r = rig_open(shape);
    tensor *g = rig_input(&r, "g", DTYPE_F32, RIG_DIM(COUNT)), *state[3];
    tensor *schedule = rig_input(&r, "schedule", DTYPE_F32, RIG_DIM(4)),
           *scale = rig_input(&r, "scale", DTYPE_F32, RIG_DIM(4)),
           *control = random ? rig_input(&r, "random", DTYPE_I32, RIG_DIM(4)) : NULL;
    for (int k = 0; k < 3; ++k)
        state[k] = rig_state(&r, (const char *[]){ "p", "m", "v" }[k], type_at(t, k), RIG_DIM(COUNT));
    const adamw_terms terms = { 0.9f, 0.96f, 1e-8f, 0.045f, limit, STREAM };
    graph_update(op_adamw(state[0], g, state[1], state[2], schedule, scale, control, &terms));
    rig_compile(&r);
    stored_state before, after;
    start_state(t, &before);
    for (int k = 0; k < 3; ++k) rig_write(state[k], before.at[k]);
    int wrong = 0, clipped = 0;
    for (int step = 1; step <= TYPED_STEPS && wrong >= 0; ++step) {
        float gradient[COUNT],
            rates[4] = { rate, (float)(1.0 - pow((double)0.9f, step)),
                         (float)(1.0 - pow((double)0.96f, step)) },
            factors[4] = { 1, 0, 1, 0 };
        rig_fill(gradient, COUNT, 100 + (uint32_t)step, -0.1f, 0.1f);
        rig_write(g, gradient);
        rig_write(schedule, rates);
        rig_write(scale, factors);
        if (control) rig_write(control, (int32_t[]){ 9, 1, step, 0 });
        rig_run(&r);
        for (int k = 0; k < 3; ++k) rig_read(state[k], after.at[k]);
        int now = count_wrong(t, &before, &after, gradient, step, random, &clipped);
        wrong = now < 0 ? -1 : wrong + now;
        before = after;
    }
    rig_close(&r);
    bool bad = wrong < 0 || wrong > 3 * COUNT * TYPED_STEPS / 100 || clipped == 0;
    if (bad)
        fprintf(stderr, "adamw of %s, %s, %s%s: %d wrong, %d clipped\n", dtype_name(t->parameter),
                dtype_name(t->mean), dtype_name(t->variance), random ? ", at random" : "", wrong, clipped);
    return bad;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    const adamw_terms terms = { 0.5f, 0.75f, (float)c->reals[0], 0.125f, (float)c->reals[1], 0 };
    out[0] = op_adamw(in[0], in[1], in[2], in[3], in[4], in[5], NULL, &terms);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < out[0].count; ++i) {
        double g = in[5].v[0] * in[1].v[i], mean = 0.5 * in[2].v[i] + 0.5 * g;
        double variance = 0.75 * in[3].v[i] + 0.25 * g * g, p = in[0].v[i];
        if (c->reals[1] > 0) variance = fmin(variance, c->reals[1]);
        double step = mean / in[4].v[1] / (sqrt(variance / in[4].v[2]) + c->reals[0]);
        out[0].v[i] = p - in[4].v[0] * (step + 0.125 * p);
    }
}

static const double schedule[] = { 0.01, 0.75, 0.5, 0 }, scale[] = { 0.5, 0, 1, 0 };
#define CONTROLS \
    { 1, { 4 }, OP_CONTROL, .values = schedule }, \
    { \
        1, { 4 }, OP_CONTROL, .values = scale \
    }

static const op_case cases[] = {
    { .name = "gradient of any type",
      .in = { { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_FIXED },
              { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_STATE, 0, 1 },
              CONTROLS },
      .reals = { 1e-8 } },
    { .name = "variance clipped",
      .in = { { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_FIXED },
              { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_STATE, 0, 1 },
              CONTROLS },
      .reals = { 1e-8, 0.25 } },
    { .name = "limit",
      .in = { { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_FIXED },
              { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_STATE, 0, 1 },
              CONTROLS },
      .reals = { 1e-8, -1 },
      .fails = "the variance's limit is -1" },
    { .name = "shapes",
      .in = { { 2, { 5, 13 }, OP_STATE },
              { 1, { 13 }, OP_FIXED },
              { 2, { 5, 13 }, OP_STATE },
              { 2, { 5, 13 }, OP_STATE, 0, 1 },
              CONTROLS },
      .fails = "gradient must be [5,13], not [13]" },
};

int main(void)
{
    int wrong = 0;
    for (int shape = 0; shape < RIG_SHAPES; ++shape) {
        wrong += check_steps(shape);
        for (int t = 0; t < TYPES;
             ++t) /* each is a kernel to build: few of them, with the widest vectors and the least */
            for (int random = 0; random < 2; ++random)
                if (shape == 0 || (t == 0 && shape == 2) || (t == 0 && random && shape == 1))
                    wrong += check_types(shape, &all_types[t], random);
    }
    int status = op_check_main(&(op_test){ "adamw", build, reference, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
