/* The EMA codebook against a double reference over several steps, with revived codes and skipped steps.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

enum { CODES = 13, COLUMNS = 19, ROWS = 29, STEPS = 5 };

typedef struct reference_state {
    double codebook[CODES * COLUMNS], usage[CODES], mean[CODES * COLUMNS];
} reference_state;

static void reference_step(reference_state *s, const float *counts, const float *sums, const float *z,
                           uint32_t step, uint32_t stream, double revive, int *revived)
{
    const double d = (double)0.75f, small = 1e-5;
    double whole = 0.0;
    for (int k = 0; k < CODES; ++k) whole += s->usage[k] = d * s->usage[k] + (1.0 - d) * (double)counts[k];
    for (int k = 0; k < CODES; ++k) {
        double smooth = (s->usage[k] + small) / (whole + CODES * small) * whole;
        bool dead = s->usage[k] < revive;
        philox p = { 11 | (uint64_t)12 << 32, step, stream };
        uint32_t row = philox_below(&p, (uint32_t)k, ROWS);
        for (int i = k * COLUMNS; i < (k + 1) * COLUMNS; ++i) {
            s->mean[i] = d * s->mean[i] + (1.0 - d) * (double)sums[i];
            if (counts[k] > 0) s->codebook[i] = s->mean[i] / smooth;
            if (!dead) continue;
            s->codebook[i] = (double)z[row * COLUMNS + (uint32_t)(i % COLUMNS)];
            s->mean[i] = s->codebook[i] * 10.0 * revive;
        }
        if (dead) {
            s->usage[k] = 10.0 * revive;
            ++*revived;
        }
    }
}

static double distance(const float *got, const double *wanted, int count)
{
    double most = 0.0, size = 1e-30;
    for (int i = 0; i < count; ++i) {
        most = fmax(most, fabs((double)got[i] - wanted[i]));
        size = fmax(size, fabs(wanted[i]));
    }
    return most / size;
}

/* `fresh`: usage and means start at zero, as those of a new model do. */
static int check(int shape, double revive, bool fresh)
{
    rig r = rig_open(shape);
    tensor *codebook = rig_state(&r, "codebook", DTYPE_F32, RIG_DIM(CODES, COLUMNS));
    tensor *usage = rig_state(&r, "usage", DTYPE_F32, RIG_DIM(CODES));
    tensor *mean = rig_state(&r, "mean", DTYPE_F32, RIG_DIM(CODES, COLUMNS));
    tensor *counts = rig_input(&r, "counts", DTYPE_F32, RIG_DIM(CODES));
    tensor *sums = rig_input(&r, "sums", DTYPE_F32, RIG_DIM(CODES, COLUMNS));
    tensor *z = rig_input(&r, "z", DTYPE_F32, RIG_DIM(ROWS, COLUMNS));
    tensor *random = rig_input(&r, "random", DTYPE_I32, RIG_DIM(4)),
           *flag = rig_input(&r, "flag", DTYPE_I32, RIG_DIM(1));
    tensor *after =
        op_codebook_update(codebook, usage, mean, counts, sums, z, random, flag, 0.75f, (float)revive);
    graph_update(after);
    rig_compile(&r);
    static reference_state s;
    float start[CODES * COLUMNS], mean_start[CODES * COLUMNS], many[CODES], sum[CODES * COLUMNS],
        rows[ROWS * COLUMNS], ones[CODES];
    rig_fill(start, CODES * COLUMNS, 1, -1.0f, 1.0f);
    rig_write(codebook, start);
    for (int k = 0; k < CODES; ++k) s.usage[k] = (double)(ones[k] = fresh ? 0.0f : 1.0f);
    for (int i = 0; i < CODES * COLUMNS; ++i) {
        s.codebook[i] = (double)start[i];
        s.mean[i] = (double)(mean_start[i] = fresh ? 0.0f : start[i]);
    }
    rig_write(mean, mean_start);
    rig_write(usage, ones);
    int revived = 0, unlike = 0;
    bool ever[CODES] = { false };
    for (int t = 0; t < STEPS; ++t) {
        rig_fill(rows, ROWS * COLUMNS, 20 + (uint32_t)t, -2.0f, 2.0f);
        rig_fill(sum, CODES * COLUMNS, 40 + (uint32_t)t, -3.0f, 3.0f);
        for (int k = 0; k < CODES; ++k) many[k] = (float)((k * 5 + t) % 7 > 3 ? k % 4 : 0);
        rig_write(counts, many);
        rig_write(sums, sum);
        rig_write(z, rows);
        rig_write(random, (int32_t[]){ 11, 12, t, 0 });
        rig_write(flag, &(int32_t){ t != 2 });
        rig_run(&r);
        for (int k = 0; t != 2 && k < CODES; ++k) ever[k] = ever[k] || many[k] > 0;
        if (t != 2)
            reference_step(&s, many, sum, rows, (uint32_t)t, philox_stream(after->from->name), revive,
                           &revived);
    }
    float got[CODES * COLUMNS];
    rig_read(codebook, got);
    double far = distance(got, s.codebook, CODES * COLUMNS);
    for (int i = 0; revive <= 0 && i < CODES * COLUMNS; ++i)
        unlike += !ever[i / COLUMNS] && got[i] != start[i];
    rig_read(mean, got);
    far = fmax(far, distance(got, s.mean, CODES * COLUMNS));
    rig_read(usage, got);
    far = fmax(far, distance(got, s.usage, CODES));
    bool wrong = !(far < 1e-5) || (revived > 0) != (revive > 0) || unlike;
    if (wrong)
        fprintf(stderr, "codebook_update: %g away from the reference, %d codes revived, %d values lost\n",
                far, revived, unlike);
    rig_close(&r);
    return wrong;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] =
        op_codebook_update(in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], (float)c->reals[0], 0.0f);
}

#define STATE(rank, ...) \
    { \
        rank, { __VA_ARGS__ }, OP_STATE, 0.5, 1 \
    }
#define REST \
    { 1, { 4 }, OP_INTEGER, 0, 0 }, \
    { \
        1, { 1 }, OP_INTEGER, 1, 1 \
    }

static const op_case cases[] = {
    { .name = "columns",
      .in = { STATE(2, 4, 3),
              STATE(1, 4),
              STATE(2, 4, 3),
              STATE(1, 4),
              STATE(2, 4, 3),
              { 2, { 9, 5 }, OP_FIXED },
              REST },
      .reals = { 0.5 },
      .fails = "agree in their last axis" },
    { .name = "usage",
      .in = { STATE(2, 4, 3),
              STATE(1, 5),
              STATE(2, 4, 3),
              STATE(1, 4),
              STATE(2, 4, 3),
              { 2, { 9, 3 }, OP_FIXED },
              REST },
      .reals = { 0.5 },
      .fails = "usage must be [4], not [5]" },
    { .name = "decay",
      .in = { STATE(2, 4, 3),
              STATE(1, 4),
              STATE(2, 4, 3),
              STATE(1, 4),
              STATE(2, 4, 3),
              { 2, { 9, 3 }, OP_FIXED },
              REST },
      .reals = { 1.5 },
      .fails = "decay 1.5" },
};

int main(void)
{
    int wrong = 0;
    for (int shape = 0; shape < RIG_SHAPES; ++shape)
        wrong += check(shape, 0.0, false) + check(shape, 0.0, true) + check(shape, 0.5, false);
    int status = op_check_main(&(op_test){ "codebook_update", build, NULL, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
