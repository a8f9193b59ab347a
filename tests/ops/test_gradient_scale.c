/* SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_gradient_scale(in[0], (float)c->reals[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    double norm = sqrt(in[0].v[0]), limit = c->reals[0];
    out[0].v[0] = limit > 0 && norm > limit ? limit / norm : 1.0;
    out[0].v[1] = norm;
    out[0].v[2] = 1.0;
}

static const op_case cases[] = {
    { .name = "below", .in = { { 1, { 1 }, OP_CONTROL, 2, 3 } }, .reals = { 4 } },
    { .name = "above", .in = { { 1, { 1 }, OP_CONTROL, 20, 30 } }, .reals = { 4 } },
    { .name = "no limit", .in = { { 1, { 1 }, OP_CONTROL, 20, 30 } }, .reals = { 0 } },
    { .name = "shape", .in = { { 1, { 2 }, OP_CONTROL } }, .fails = "must be [1], not [2]" },
};

static int check_not_finite(void)
{
    int wrong = 0;
    rig r = rig_open(0);
    tensor *sum = rig_input(&r, "sum", DTYPE_F32, RIG_DIM(1)), *scale = op_gradient_scale(sum, 4.0f);
    graph_keep(scale);
    rig_compile(&r);
    const float bad[] = { INFINITY, NAN };
    for (int i = 0; i < 2; ++i) {
        float got[4];
        rig_write(sum, &bad[i]);
        rig_run(&r);
        rig_read(scale, got);
        wrong += got[0] != 0.0f || got[2] != 0.0f || isfinite(got[1]);
    }
    if (wrong) fprintf(stderr, "gradient_scale: a sum that is not finite must give scale and flag 0\n");
    rig_close(&r);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
    int wrong = check_not_finite();
    int status = op_check_main(&(op_test){ "gradient_scale", build, reference, OP_CASES(cases) });
    return status ? status : wrong;
}
