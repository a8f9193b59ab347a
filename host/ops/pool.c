/* pool.c -- y[b, i, j, c] = the maximum, or the mean, of what the window at (i, j) sees of x; of padding
 * nothing is seen. Windows may overlap.  Gradients are gathered: each pixel adds, in order, what comes from
 * the windows that see it: dy where it is their first maximum in raster order, or its share of dy.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/windowed.h"

typedef struct pool_attributes {
    window window;
    bool count_padding; /* a mean is over the whole window, of whose padding every value is 0 */
} pool_attributes;

/* Every window must see a pixel. */
static bool padding_fits(const node *n, const window *w)
{
    for (int i = 0; i < 2; ++i) {
        const int32_t least = w->before[i] < w->after[i] ? w->before[i] : w->after[i];
        const int32_t most = w->before[i] > w->after[i] ? w->before[i] : w->after[i];
        if (least >= 0 && most < w->size[i]) continue;
        return graph_fail(n->graph,
                          "%s: padding of %d and %d along %s; from 0 to the window's %d less 1 is possible",
                          n->def->name, w->before[i], w->after[i], i ? "X" : "Y", w->size[i]);
    }
    return true;
}

static bool pool_infer(node *n)
{
    const pool_attributes *at = n->attributes;
    const tensor *x = n->in[0];
    if (!expect_float(n, 0, "x")) return false;
    if (x->rank != 4)
        return graph_fail(n->graph, "%s: x must be [B,Y,X,C], not %s", n->def->name, tensor_shape_text(x));
    if (!windowed_fits(n, x, &at->window) || !padding_fits(n, &at->window)) return false;
    int64_t dim[] = { x->dim[0], window_places(&at->window, 0, x->dim[1]),
                      window_places(&at->window, 1, x->dim[2]), x->dim[3] };
    return !node_output(n, x->type, 4, dim)->poison;
}

static bool max_bind(const node *n, binder *b)
{
    const pool_attributes *at = n->attributes;
    const tensor *y = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/pool", "max_pool_forward");
    call_tensor(&c, "Y", y);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, tensor_count(y));
    windowed_arguments(&c, n->in[0], y, &at->window);
    return call_elements(&c, tensor_count(y));
}

static bool average_bind(const node *n, binder *b)
{
    const pool_attributes *at = n->attributes;
    const tensor *y = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/pool", "average_pool_forward");
    call_define(&c, "COUNT_PADDING=%d", at->count_padding);
    call_tensor(&c, "Y", y);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, tensor_count(y));
    windowed_arguments(&c, n->in[0], y, &at->window);
    return call_elements(&c, tensor_count(y));
}

/* ---- Gradients ---- */

static bool max_backward_infer(node *n)
{
    return !node_output(n, n->in[0]->type, 4, n->in[0]->dim)->poison;
}

static bool max_backward_bind(const node *n, binder *b)
{
    const pool_attributes *at = n->attributes;
    const tensor *x = n->in[0];
    kernel_call c = call_begin_in(b, n, "ops/pool", "max_pool_backward");
    call_tensor(&c, "X", n->out[0]); /* dx and y have x's type */
    call_tensor(&c, "X", x);
    call_tensor(&c, "X", n->in[1]);
    call_tensor(&c, "DY", n->in[2]);
    call_int(&c, tensor_count(x));
    windowed_arguments(&c, x, n->in[1], &at->window);
    return call_elements(&c, tensor_count(x));
}

static const op_def max_backward = { .name = "max_pool_backward",
                                     .infer = max_backward_infer,
                                     .bind = max_backward_bind };

static void max_grad(node *n, tensor *const *dout, tensor **din)
{
    tensor *in[] = { n->in[0], n->out[0], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &max_backward, 3, in, n->attributes, sizeof(pool_attributes));
}

/* Of x the shape alone is of interest, which the node need not keep in memory. */
typedef struct average_attributes {
    pool_attributes pool;
    dtype type;
    int64_t dim[4];
} average_attributes;

static bool average_backward_infer(node *n)
{
    const average_attributes *at = n->attributes;
    return !node_output(n, at->type, 4, at->dim)->poison;
}

static bool average_backward_bind(const node *n, binder *b)
{
    const average_attributes *at = n->attributes;
    const tensor *dx = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/pool", "average_pool_backward");
    call_define(&c, "COUNT_PADDING=%d", at->pool.count_padding);
    call_tensor(&c, "X", dx);
    call_tensor(&c, "DY", n->in[0]);
    call_int(&c, tensor_count(dx));
    windowed_arguments(&c, dx, n->in[0], &at->pool.window);
    return call_elements(&c, tensor_count(dx));
}

static const op_def average_backward = { .name = "average_pool_backward",
                                         .infer = average_backward_infer,
                                         .bind = average_backward_bind };

static void average_grad(node *n, tensor *const *dout, tensor **din)
{
    const pool_attributes *pool = n->attributes;
    const tensor *x = n->in[0];
    average_attributes at = { *pool, x->type, { x->dim[0], x->dim[1], x->dim[2], x->dim[3] } };
    tensor *dy = op_contiguous(dout[0]);
    din[0] = graph_node1(n->graph, &average_backward, 1, &dy, &at, sizeof at);
}

/* ---- The operators ---- */

static const op_def max_pool = {
    .name = "max_pool", .infer = pool_infer, .bind = max_bind, .grad = max_grad
};
static const op_def average_pool = {
    .name = "average_pool", .infer = pool_infer, .bind = average_bind, .grad = average_grad
};

tensor *op_max_pool(tensor *x, const window *w)
{
    pool_attributes at = { *w, false };
    x = op_contiguous(x);
    return graph_node1(x->graph, &max_pool, 1, &x, &at, sizeof at);
}

tensor *op_average_pool(tensor *x, const window *w, bool count_padding)
{
    pool_attributes at = { *w, count_padding };
    x = op_contiguous(x);
    return graph_node1(x->graph, &average_pool, 1, &x, &at, sizeof at);
}
