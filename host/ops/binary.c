/* binary.c -- element-wise sums, differences, products and quotients.  Axes are matched from the last one;
 * where one operand has size 1, or no axis, it is repeated, and its gradient is summed there.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

/* Sizes of the result, and each operand's step along its axes, 0 where it is repeated.  Axes of size 1 are
 * left out, and neighbours along which both do the same are one. */
typedef struct repeats {
    int rank;
    int64_t dim[TENSOR_RANK_MAX], a[TENSOR_RANK_MAX], b[TENSOR_RANK_MAX];
} repeats;

/* The size of the axis that many before the last. */
static int64_t from_last(const tensor *t, int axis)
{
    return axis < t->rank ? t->dim[t->rank - 1 - axis] : 1;
}

/* The result's shape; false where sizes differ and neither is 1.  A b of one element has no say in it. */
static bool extend(const tensor *a, const tensor *b, int *rank, int64_t dim[TENSOR_RANK_MAX])
{
    *rank = a->rank >= b->rank || tensor_count(b) == 1 ? a->rank : b->rank;
    for (int i = 0; i < *rank; ++i) {
        int64_t x = from_last(a, i), y = from_last(b, i);
        if (x != y && x != 1 && y != 1) return false;
        dim[*rank - 1 - i] = x == 1 ? y : x;
    }
    return true;
}

static repeats repeats_of(const tensor *a, const tensor *b, const tensor *y)
{
    repeats r = { .rank = 0 };
    int last = -1;
    for (int axis = y->rank - 1; axis >= 0; --axis) { /* from the first; steps are 0 or 1 so far */
        int64_t size = from_last(y, axis), in_a = from_last(a, axis) != 1, in_b = from_last(b, axis) != 1;
        if (size == 1) continue;
        if (last < 0 || r.a[last] != in_a || r.b[last] != in_b) {
            last = r.rank++;
            r.dim[last] = 1;
            r.a[last] = in_a;
            r.b[last] = in_b;
        }
        r.dim[last] *= size;
    }
    if (r.rank == 0) return (repeats){ 1, { 1 }, { 1 }, { 1 } };
    for (int64_t i = last, step_a = 1, step_b = 1; i >= 0; --i) {
        int64_t of_a = r.a[i] ? r.dim[i] : 1, of_b = r.b[i] ? r.dim[i] : 1;
        r.a[i] *= step_a;
        r.b[i] *= step_b;
        step_a *= of_a;
        step_b *= of_b;
    }
    return r;
}

static bool binary_infer(node *n)
{
    const tensor *a = n->in[0], *b = n->in[1];
    if (!dtype_is_float(a->type) || !dtype_is_float(b->type))
        return graph_fail(n->graph, "%s: types %s and %s; floating types are needed", n->def->name,
                          dtype_name(a->type), dtype_name(b->type));
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
    if (!extend(a, b, &rank, dim))
        return graph_fail(n->graph,
                          "%s: %s does not extend to %s; counted from the last, axes must have equal sizes, "
                          "or one of them 1",
                          n->def->name, tensor_shape_text(b), tensor_shape_text(a));
    return !node_output(n, a->type, rank, dim)->poison;
}

static kernel_call begin(const node *n, binder *to, const char *kernel, const char *repeat)
{
    kernel_call c = call_begin_in(to, n, "ops/binary", kernel);
    call_define(&c, "FUNCTION=%s", (const char *)n->attributes);
    call_define(&c, "REPEAT=REPEAT_%s", repeat);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "A", n->in[0]);
    call_tensor(&c, "B", n->in[1]);
    return c;
}

/* Either operand is repeated along any axes. */
static bool bind_axes(const node *n, binder *to, const repeats *r)
{
    const int vec = device_get_info(binder_device(to))->vec;
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = begin(n, to, "binary_axes", r->dim[r->rank - 1] % vec == 0 ? "VECTORS" : "ELEMENTS");
    call_int(&c, count);
    for (int i = 0; i < TENSOR_RANK_MAX; ++i) {
        int axis = i - (TENSOR_RANK_MAX - r->rank);
        call_int(&c, axis < 0 ? 1 : r->dim[axis]);
        call_int(&c, axis < 0 ? 0 : r->a[axis]);
        call_int(&c, axis < 0 ? 0 : r->b[axis]);
    }
    return call_elements(&c, count);
}

static bool binary_bind(const node *n, binder *to)
{
    const repeats r = repeats_of(n->in[0], n->in[1], n->out[0]);
    const device_info *d = device_get_info(binder_device(to));
    int64_t count = tensor_count(n->out[0]), period = tensor_count(n->in[1]);
    /* a is whole, and b too, or repeated as a whole. */
    bool whole = r.rank == 1 ? r.a[0] == 1 : r.rank == 2 && r.a[0] && r.a[1] && r.b[0] == 0 && r.b[1] == 1;
    if (!whole) return bind_axes(n, to, &r);
    kernel_call c = begin(n, to, "binary_forward",
                          period == count        ? "NONE"
                          : period == 1          ? "ONE"
                          : period % d->vec == 0 ? "VECTORS"
                                                 : "ELEMENTS");
    call_int(&c, period);
    call_int(&c, count);
    return call_elements(&c, count);
}

static void add_grad(node *n, tensor *const *dout, tensor **din)
{
    if (n->in[0]->needs_gradient) din[0] = sum_to(dout[0], n->in[0]);
    if (n->in[1]->needs_gradient) din[1] = sum_to(dout[0], n->in[1]);
}

static void sub_grad(node *n, tensor *const *dout, tensor **din)
{
    if (n->in[0]->needs_gradient) din[0] = sum_to(dout[0], n->in[0]);
    if (n->in[1]->needs_gradient) din[1] = op_scale(sum_to(dout[0], n->in[1]), -1.0f);
}

static void mul_grad(node *n, tensor *const *dout, tensor **din)
{
    if (n->in[0]->needs_gradient) din[0] = sum_to(op_mul(dout[0], n->in[1]), n->in[0]);
    if (n->in[1]->needs_gradient) din[1] = sum_to(op_mul(dout[0], n->in[0]), n->in[1]);
}

static void div_grad(node *n, tensor *const *dout, tensor **din)
{
    if (n->in[0]->needs_gradient) din[0] = sum_to(op_div(dout[0], n->in[1]), n->in[0]);
    if (!n->in[1]->needs_gradient) return;
    tensor *product = sum_to(op_mul(dout[0], n->out[0]), n->in[1]); /* dy a / b */
    din[1] = op_scale(op_div(product, n->in[1]), -1.0f);
}

static const op_def add = { .name = "add", .infer = binary_infer, .bind = binary_bind, .grad = add_grad };
static const op_def sub = { .name = "sub", .infer = binary_infer, .bind = binary_bind, .grad = sub_grad };
static const op_def mul = { .name = "mul", .infer = binary_infer, .bind = binary_bind, .grad = mul_grad };
static const op_def divide = { .name = "div", .infer = binary_infer, .bind = binary_bind, .grad = div_grad };

static tensor *binary(const op_def *def, tensor *a, tensor *b, const char function[4])
{
    tensor *in[2] = { op_contiguous(a), op_contiguous(b) };
    return graph_node1(a->graph, def, 2, in, function, 4);
}

tensor *op_add(tensor *a, tensor *b)
{
    return binary(&add, a, b, "ADD");
}

tensor *op_sub(tensor *a, tensor *b)
{
    return binary(&sub, a, b, "SUB");
}

tensor *op_mul(tensor *a, tensor *b)
{
    return binary(&mul, a, b, "MUL");
}

tensor *op_div(tensor *a, tensor *b)
{
    return binary(&divide, a, b, "DIV");
}
