/* test_scales.c -- the values of gradient scales, what a step's sums of squares make of gradients, and how
 * scales move over many steps, beside the same in plain C.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"

enum { GROUPS = 3, STEPS = 600 };

typedef struct fixture {
    rig rig;
    tensor *state, *sums, *scales, *status;
} fixture;

static fixture open(int shape, float start, float limit, const scales_rule *rule)
{
    fixture f = { .rig = rig_open(shape) };
    f.state = rig_state(&f.rig, "state", DTYPE_F32, RIG_DIM(GROUPS, 4));
    f.sums = rig_input(&f.rig, "sums", DTYPE_F32, RIG_DIM(GROUPS + 1));
    f.scales = op_scales(f.state, start);
    f.status = op_scales_status(f.sums, f.scales, limit);
    graph_keep(f.scales);
    graph_keep(f.status);
    graph_update(op_scales_update(f.state, f.status, rule));
    rig_compile(&f.rig);
    return f;
}

static int complain(const char *what, int step, int group, double got, double wanted)
{
    fprintf(stderr, "scales: %s of group %d in step %d is %.9g, not %.9g\n", what, group, step, got, wanted);
    return 1;
}

/* The rule as it is written down, in whole numbers. */
typedef struct model {
    int e, run, falls, last_fall;
} model;

static void move(model *m, const scales_rule *r, int step, bool finite)
{
    if (finite) {
        if (++m->run < r->every) return;
        m->run = 0;
        m->e = m->e + r->grow > r->high ? r->high : m->e + r->grow;
        return;
    }
    m->run = 0;
    if (m->falls && step - m->last_fall < r->apart) return;
    m->e = m->e - r->shrink < r->low ? r->low : m->e - r->shrink;
    m->last_fall = step;
    ++m->falls;
}

/* Group 0 never fails, 1 in bursts, 2 often; e and the falls must be the model's in every step. */
static bool fails(int group, int step)
{
    return group == 1 ? step % 100 < 7 : group == 2 && step % 9 == 4;
}

static int check_course(int shape, float start, const scales_rule *rule)
{
    int wrong = 0;
    fixture f = open(shape, start, 0.0f, rule);
    model m[GROUPS] = { { 0 } };
    for (int step = 0; step < STEPS && !wrong; ++step) {
        float sums[GROUPS + 1] = { 1.0f }, scales[GROUPS], state[GROUPS][4];
        for (int i = 0; i < GROUPS; ++i) sums[i + 1] = fails(i, step) ? (step & 1 ? INFINITY : NAN) : 4.0f;
        rig_write(f.sums, sums);
        rig_run(&f.rig);
        rig_read(f.scales, scales);
        rig_read(f.state, state);
        for (int i = 0; i < GROUPS; ++i) {
            double scale = exp2((double)start + m[i].e / 1000.0);
            if (fabs(scales[i] - scale) > 2e-6 * scale) wrong += complain("scale", step, i, scales[i], scale);
            if (m[i].e % 1000 == 0 && start == floorf(start) && (double)scales[i] != scale)
                wrong += complain("power of two", step, i, scales[i], scale);
            move(&m[i], rule, step, !fails(i, step));
            if (state[i][0] != (float)m[i].e) wrong += complain("exponent", step, i, state[i][0], m[i].e);
            if (state[i][3] != (float)m[i].falls)
                wrong += complain("falls", step, i, state[i][3], m[i].falls);
        }
    }
    rig_close(&f.rig);
    return wrong;
}

/* Scales are 2^13; sums of squares are those of scaled gradients. */
static int check_status(int shape)
{
    const scales_rule rule = { 1, 1, 500, 125, -6000, 11000 };
    const double s = 8192;
    static const struct {
        double sums[GROUPS + 1], limit, rows[GROUPS + 1][3];
    } cases[] = {
        { { 9, 16 * 8192.0 * 8192, 0, 0 }, 0, { { 1, 5, 1 }, { 1, 4, 1 }, { 1, 0, 1 }, { 1, 0, 1 } } },
        { { 9, 16 * 8192.0 * 8192, 0, 0 },
          2.5,
          { { 0.5, 5, 1 }, { 0.5, 4, 1 }, { 0.5, 0, 1 }, { 0.5, 0, 1 } } },
        { { 9, INFINITY, 16 * 8192.0 * 8192, 0 },
          2.5,
          { { 0.5, 5, 1 }, { 0, INFINITY, 0 }, { 0.5, 4, 1 }, { 0.5, 0, 1 } } },
        { { NAN, 1, 1, 1 },
          0,
          { { 0, NAN, 0 }, { 0, 1 / 8192.0, 0 }, { 0, 1 / 8192.0, 0 }, { 0, 1 / 8192.0, 0 } } },
        { { 9, NAN, NAN, INFINITY }, 0, { { 0, 3, 0 }, { 0, NAN, 0 }, { 0, NAN, 0 }, { 0, INFINITY, 0 } } },
    };
    int wrong = 0;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; ++k) {
        fixture f = open(shape, 13.0f, (float)cases[k].limit, &rule);
        float sums[GROUPS + 1], got[GROUPS + 1][4];
        for (int i = 0; i <= GROUPS; ++i) sums[i] = (float)cases[k].sums[i];
        rig_write(f.sums, sums);
        rig_run(&f.rig);
        rig_read(f.status, got);
        for (int i = 0; i <= GROUPS; ++i) {
            const double *row = cases[k].rows[i], factor = i ? row[0] / s : row[0];
            if (fabs(got[i][0] - factor) > 1e-6 * factor)
                wrong += complain("factor", (int)k, i, got[i][0], factor);
            if (got[i][2] != (float)row[2]) wrong += complain("go", (int)k, i, got[i][2], row[2]);
            if (isfinite(row[1]) != isfinite(got[i][1]) ||
                (isfinite(row[1]) && fabs(got[i][1] - row[1]) > 1e-6 * row[1]))
                wrong += complain("norm", (int)k, i, got[i][1], row[1]);
            if (got[i][3] != (i ? 8192.0f : 0.0f)) wrong += complain("scale", (int)k, i, got[i][3], s);
        }
        rig_close(&f.rig);
    }
    return wrong;
}

int main(void)
{
    const scales_rule mixed = { 1000, 20, 1000, 0, -16000, 8000 }, /* one scale: doubled and halved */
        paper = { 1, 1, 500, 125, -6000, 11000 }, narrow = { 700, 1, 900, 3, -2000, 1500 };
    int wrong = 0;
    for (int shape = 0; shape < RIG_SHAPES; ++shape) wrong += check_status(shape);
    wrong +=
        check_course(0, 16.0f, &mixed) + check_course(0, 13.0f, &paper) + check_course(1, 13.5f, &narrow);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
