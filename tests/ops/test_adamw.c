/* AdamW over 20 steps against a double reference, skipped where the flag says so; and mistakes.
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
    graph_update(op_adamw(p, g, m, v, schedule, scale, 0.9f, 0.96f, 1e-8f, 0.045f));
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

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_adamw(in[0], in[1], in[2], in[3], in[4], in[5], 0.5f, 0.75f, (float)c->reals[0], 0.125f);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < out[0].count; ++i) {
        double g = in[5].v[0] * in[1].v[i], mean = 0.5 * in[2].v[i] + 0.5 * g;
        double variance = 0.75 * in[3].v[i] + 0.25 * g * g, p = in[0].v[i];
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
    for (int shape = 0; shape < RIG_SHAPES; ++shape) wrong += check_steps(shape);
    int status = op_check_main(&(op_test){ "adamw", build, reference, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
