/* cast.c -- the same values in another storage type, rounded to nearest even.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool cast_infer(node *n)
{
    return !node_output(n, *(const dtype *)n->attributes, n->in[0]->rank, n->in[0]->dim)->poison;
}

static bool cast_bind(const node *n, binder *b)
{
    return copy_record(b, n, n->out[0], n->in[0]);
}

static void cast_grad(node *n, tensor *const *dout, tensor **din)
{
    if (dtype_is_float(n->in[0]->type)) din[0] = cast_as(dout[0], n->in[0]->type);
}

static const op_def cast = { .name = "cast", .infer = cast_infer, .bind = cast_bind, .grad = cast_grad };

tensor *op_cast(tensor *x, dtype type)
{
    if (x->type == type) return op_contiguous(x);
    return graph_node1(x->graph, &cast, 1, &x, &type, sizeof type);
}

/* ---- A parameter as products read it ---- */

static void weight_grad(node *n, tensor *const *dout, tensor **din)
{
    (void)n;
    din[0] = dout[0];
}

static const op_def cast_weight = {
    .name = "cast_weight", .infer = cast_infer, .bind = cast_bind, .grad = weight_grad
};

tensor *op_cast_weight(tensor *parameter, dtype type)
{
    if (parameter->type == type) return parameter;
    return graph_node1(parameter->graph, &cast_weight, 1, &parameter, &type, sizeof type);
}

tensor *cast_as(tensor *x, dtype type)
{
    return x->type == type ? x : op_cast(x, type);
}
