/* SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static void add(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_error_add(in[0], in[1], c->in[2].rank ? in[2] : NULL, (float)c->reals[0]);
}

static void add_reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < out[0].count; ++i)
        out[0].v[i] = in[0].v[i] + c->reals[0] * in[1].v[i] / (c->in[2].rank ? in[2].v[0] : 1);
}

static const op_case add_cases[] = {
    { .name = "odd", .in = { { 2, { 7, 19 }, OP_STATE }, { 2, { 7, 19 }, OP_FIXED } }, .reals = { 0.25 } },
    { .name = "scaled",
      .in = { { 2, { 7, 19 }, OP_STATE }, { 2, { 7, 19 }, OP_FIXED }, { 1, { 1 }, OP_CONTROL, 3, 3.5 } },
      .reals = { 2 } },
    { .name = "one number", .in = { { 1, { 1 }, OP_STATE }, { 1, { 1 }, OP_FIXED } }, .reals = { 1 } },
    { .name = "shapes",
      .in = { { 1, { 33 }, OP_STATE }, { 1, { 3 }, OP_FIXED } },
      .fails = "x must be [33], not [3]" },
    { .name = "integers",
      .in = { { 1, { 3 }, OP_STATE }, { 1, { 3 }, OP_INTEGER, 0, 1 } },
      .fails = "x must be of a floating type, not I32" },
};

static void take(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_error_take(in[0], in[1], in[2]);
}

static void take_reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[0].v[i] - (in[2].v[2] != 0 ? in[1].v[i] : 0);
}

static const double go[] = { 0.5, 3, 1, 0 }, skip[] = { 0, NAN, 0, 0 };
static const op_case take_cases[] = {
    { .name = "sent",
      .in = { { 2, { 7, 19 }, OP_STATE },
              { 2, { 7, 19 }, OP_FIXED },
              { 1, { 4 }, OP_CONTROL, .values = go } } },
    { .name = "not sent",
      .in = { { 2, { 7, 19 }, OP_STATE },
              { 2, { 7, 19 }, OP_FIXED },
              { 1, { 4 }, OP_CONTROL, .values = skip } } },
    { .name = "control",
      .in = { { 1, { 3 }, OP_STATE }, { 1, { 3 }, OP_FIXED }, { 1, { 3 }, OP_CONTROL } },
      .fails = "scale must be [4], not [3]" },
};

/* What is not finite is seen by all that is made of the error, until the step ends without having sent it. */
static int check_not_finite(int shape, dtype type)
{
    enum { COUNT = 37 };
    rig r = rig_open(shape);
    tensor *kept = rig_state(&r, "kept", type, RIG_DIM(COUNT)),
           *x = rig_input(&r, "x", DTYPE_F32, RIG_DIM(COUNT)),
           *scale = rig_input(&r, "scale", DTYPE_F32, RIG_DIM(4));
    tensor *sum = op_error_add(kept, x, NULL, 1);
    graph_update(sum);
    tensor *seen = op_scale(op_cast(sum, DTYPE_F32), 2);
    graph_keep(seen);
    tensor *after = op_error_take(sum, x, scale);
    graph_update(after);
    rig_compile(&r);
    float values[COUNT], got[COUNT];
    const float odd[] = { INFINITY, -INFINITY, NAN };
    int wrong = 0;
    for (int i = 0; i < COUNT; ++i) values[i] = i % 7 == 3 ? odd[i % 3] : 0.5f;
    rig_write(x, values);
    rig_write(scale, (float[]){ 0, NAN, 0, 0 });
    rig_run(&r);
    rig_read(seen, got);
    for (int i = 0; i < COUNT; ++i) wrong += i % 7 == 3 ? !isnan(got[i]) : got[i] != 1.0f;
    error err = { 0 };
    rig_must(store_read_f32(r.store, graph_entry_of(kept), got, &err), &err, "store_read_f32");
    for (int i = 0; i < COUNT; ++i) wrong += got[i] != (i % 7 == 3 ? 0.0f : 0.5f);
    if (wrong) fprintf(stderr, "error_feedback: %d numbers of %s are wrong\n", wrong, dtype_name(type));
    rig_close(&r);
    return wrong;
}

int main(void)
{
    const dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_F169 };
    int wrong = 0;
    for (int i = 0; i < 3; ++i) wrong += check_not_finite(i, types[i]);
    const op_test tests[] = { { "error_add", add, add_reference, OP_CASES(add_cases) },
                              { "error_take", take, take_reference, OP_CASES(take_cases) } };
    int status = op_check_all(2, tests);
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
