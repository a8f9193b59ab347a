/* binary.c -- element-wise sums, differences, products and quotients.  b has a's shape, or a suffix of
 * it, or one element, and is repeated along what it lacks; its gradient is summed there.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool fits(const tensor *a, const tensor *b)
{
    return tensor_count(b) == 1 || tensor_is_suffix(b, a);
}

static bool binary_infer(node *n)
{
    const tensor *a = n->in[0], *b = n->in[1];
    if (!dtype_is_float(a->type) || !dtype_is_float(b->type))
        return graph_fail(n->graph, "%s: types %s and %s; floating types are needed", n->def->name,
                          dtype_name(a->type), dtype_name(b->type));
    if (!fits(a, b))
        return graph_fail(n->graph,
                          "%s: %s does not extend to %s; the second must have the first's shape, a "
                          "suffix of it, or one element",
                          n->def->name, tensor_shape_text(b), tensor_shape_text(a));
    return !node_output(n, a->type, a->rank, a->dim)->poison;
}

static bool binary_bind(const node *n, binder *to)
{
    const tensor *a = n->in[0], *b = n->in[1];
    const device_info *d = device_get_info(binder_device(to));
    int64_t count = tensor_count(a), period = tensor_count(b);
    kernel_call c = call_begin_in(to, n, "ops/binary", "binary_forward");
    call_define(&c, "FUNCTION=%s", (const char *)n->attributes);
    const char *repeat = period == count        ? "NONE"
                         : period == 1          ? "ONE"
                         : period % d->vec == 0 ? "VECTORS"
                                                : "ELEMENTS";
    call_define(&c, "REPEAT=REPEAT_%s", repeat);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "A", a);
    call_tensor(&c, "B", b);
    call_int(&c, period);
    call_int(&c, count);
    return call_elements(&c, count);
}

static void add_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = dout[0];
    if (n->in[1]->needs_gradient) din[1] = sum_to(dout[0], n->in[1]);
}

static void sub_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = dout[0];
    if (n->in[1]->needs_gradient) din[1] = op_scale(sum_to(dout[0], n->in[1]), -1.0f);
}

static void mul_grad(node *n, tensor *const *dout, tensor **din)
{
    if (n->in[0]->needs_gradient) din[0] = op_mul(dout[0], n->in[1]);
    if (n->in[1]->needs_gradient) din[1] = sum_to(op_mul(dout[0], n->in[0]), n->in[1]);
}

static void div_grad(node *n, tensor *const *dout, tensor **din)
{
    if (n->in[0]->needs_gradient) din[0] = op_div(dout[0], n->in[1]);
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
