/* attention.c -- y[b, t, h] = sum_s softmax_s(scale q[b, t, h] . k[b, s, h]) v[b, s, h] over the keys s that the
 * mask shows to query t, without storing scores (arXiv 2205.14135, after arXiv 1805.02867).  Output 1 is
 * each query's log of its sum, by packed place (cl/ops/attention.cl), from which the backward pass makes the
 * weights again:
 *   P = exp(scale q k^T - lse),  dv = P^T dy,  dS = P (dy v^T - dy . y),  dq = scale dS k,  dk = scale dS^T q.
 * Work grows with the keys seen: tiles walk only ranges of keys that some query of theirs sees.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/mask.h"
#include "host/ops/shared.h"

#define ATTENTION_HEAD_MAX 1024

typedef struct attention_attributes {
    mask pattern;
    float scale;
} attention_attributes;

enum { QUERY, KEYS, VALUES, Y, LSE, DY }; /* inputs: the first three forward, all six backward */

static int64_t padded(int64_t length)
{
    return (length + 15) / 16 * 16;
}

/* Whether the image is packed by columns: all of it is there. */
static bool ordered(const mask *m, int64_t length)
{
    return m->kind == MASK_COLUMN && length == m->text + (int64_t)m->side * m->side;
}

/* Floats of one packed operand. */
static int64_t slot_floats(const tensor *q, const device *d)
{
    int64_t vec = device_get_info(d)->vec, row = (q->dim[3] + vec - 1) / vec * vec;
    return q->dim[0] * q->dim[2] * padded(q->dim[1]) * row;
}

/* Of so many products of a query and a key, or as large ones, for each pair that sees the other: what must be done, which
 * is less than what is done. */
static double product_flops(const node *n, int products)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[QUERY];
    int64_t pairs = 0;
    for (int32_t at = 0; at < q->dim[1]; ++at) pairs += mask_seen(&a->pattern, at);
    return 2.0 * products * (double)(q->dim[0] * q->dim[2] * q->dim[3]) * (double)pairs;
}

static double forward_flops(const node *n)
{
    return product_flops(n, 2);
}

static double backward_flops(const node *n)
{
    return product_flops(n, 5);
}

/* ---- Launches ---- */

static void call_stream(kernel_call *c, const node *n)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[QUERY];
    call_int(c, q->dim[0] * q->dim[2]);
    call_int(c, q->dim[2]);
    call_int(c, q->dim[1]);
    call_int(c, (int64_t)a->pattern.kind);
    call_int(c, a->pattern.text);
    call_int(c, a->pattern.side);
    call_int(c, mask_extent(&a->pattern));
    call_int(c, ordered(&a->pattern, q->dim[1]));
}

/* Neighbours a work-item owns.  A CPU's registers hold MR sums of VEC, those of a GPU's work-item one row. */
static int tile_rows(const device *d)
{
    const device_info *info = device_get_info(d);
    return info->lanes > 1 ? 1 : info->vector_width >= 16 ? 8 : 4;
}

static kernel_call begin(binder *b, const node *n, const char *kernel)
{
    kernel_call c = call_begin_in(b, n, "ops/attention", kernel);
    call_define(&c, "HEAD=%lld", (long long)n->in[QUERY]->dim[3]);
    call_define(&c, "MR=%d", tile_rows(binder_device(b)));
    return c;
}

static bool run(kernel_call *c, binder *b, int64_t items)
{
    int64_t lanes = device_get_info(binder_device(b))->lanes;
    return call_rows(c, (items + lanes - 1) / lanes);
}

static bool run_tiles(kernel_call *c, binder *b, const node *n)
{
    const tensor *q = n->in[QUERY];
    int64_t rows = tile_rows(binder_device(b));
    return run(c, b, q->dim[0] * q->dim[2] * ((q->dim[1] + rows - 1) / rows));
}

static bool pack(binder *b, const node *n, const tensor *x, int row_slot, int panel_slot, float factor)
{
    kernel_call c = begin(b, n, "attention_pack");
    call_workspace(&c, "WORK");
    call_tensor(&c, "X", x);
    call_stream(&c, n);
    call_int(&c, row_slot);
    call_int(&c, panel_slot);
    call_float(&c, factor);
    return run(&c, b, x->dim[0] * x->dim[2] * padded(x->dim[1]) / device_get_info(binder_device(b))->vec);
}

/* ---- Forward ---- */

static bool attention_infer(node *n)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[QUERY];
    if (!expect_float(n, QUERY, "q") || !expect_float(n, KEYS, "k") || !expect_float(n, VALUES, "v") ||
        !expect_like(n, KEYS, "k", QUERY, false) || !expect_like(n, VALUES, "v", QUERY, false))
        return false;
    if (q->rank != 4) return graph_fail(n->graph, "attention: q %s must be [B,T,H,D]", tensor_shape_text(q));
    if (q->dim[3] > ATTENTION_HEAD_MAX)
        return graph_fail(n->graph, "attention: head size %lld is above %d", (long long)q->dim[3],
                          ATTENTION_HEAD_MAX);
    if (a->pattern.side < 1 || a->pattern.text < 0 || a->pattern.window < 1)
        return graph_fail(n->graph, "attention: impossible mask (text %d, side %d, window %d)",
                          (int)a->pattern.text, (int)a->pattern.side, (int)a->pattern.window);
    return !node_output(n, q->type, 4, q->dim)->poison &&
           !node_output(n, DTYPE_F32, 2, (int64_t[]){ q->dim[0] * q->dim[2], padded(q->dim[1]) })->poison;
}

static int64_t forward_workspace(const node *n, device *d, error *err)
{
    (void)err;
    return 3 * slot_floats(n->in[QUERY], d) * (int64_t)sizeof(float);
}

static bool forward_bind(const node *n, binder *b)
{
    const attention_attributes *a = n->attributes;
    if (!pack(b, n, n->in[QUERY], 0, -1, a->scale) || !pack(b, n, n->in[KEYS], -1, 1, 1.0f) ||
        !pack(b, n, n->in[VALUES], 2, -1, 1.0f))
        return false;
    kernel_call c = begin(b, n, "attention_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_workspace(&c, "WORK");
    call_stream(&c, n);
    return run_tiles(&c, b, n);
}

/* ---- Backward: dq, dk, dv from q, k, v, y, lse, dy ---- */

static bool backward_infer(node *n)
{
    for (int i = QUERY; i <= VALUES; ++i)
        if (node_output(n, n->in[i]->type, 4, n->in[i]->dim)->poison) return false;
    return true;
}

/* Rows and panels of q, k, v and dy, then delta. */
static int64_t backward_workspace(const node *n, device *d, error *err)
{
    (void)err;
    return (8 * slot_floats(n->in[QUERY], d) + tensor_count(n->in[LSE])) * (int64_t)sizeof(float);
}

static void call_delta(kernel_call *c, binder *b, const node *n)
{
    call_workspace(c, "DELTA");
    c->launch.args[c->launch.arg_count - 1].integer += 8 * slot_floats(n->in[QUERY], binder_device(b));
}

static bool backward_bind(const node *n, binder *b)
{
    const attention_attributes *a = n->attributes;
    if (!pack(b, n, n->in[QUERY], 0, 1, a->scale) || !pack(b, n, n->in[KEYS], 2, 3, 1.0f) ||
        !pack(b, n, n->in[VALUES], 4, 5, 1.0f) || !pack(b, n, n->in[DY], 6, 7, 1.0f))
        return false;
    kernel_call c = begin(b, n, "attention_delta");
    call_delta(&c, b, n);
    call_tensor(&c, "DY", n->in[DY]);
    call_tensor(&c, "Y", n->in[Y]);
    call_stream(&c, n);
    if (!run(&c, b, tensor_count(n->in[LSE]))) return false;

    c = begin(b, n, "attention_backward_q");
    call_tensor(&c, "DQ", n->out[0]);
    call_workspace(&c, "WORK");
    call_tensor(&c, "LSE", n->in[LSE]);
    call_delta(&c, b, n);
    call_stream(&c, n);
    call_float(&c, a->scale);
    if (!run_tiles(&c, b, n)) return false;

    c = begin(b, n, "attention_backward_kv");
    call_tensor(&c, "DK", n->out[1]);
    call_tensor(&c, "DV", n->out[2]);
    call_workspace(&c, "WORK");
    call_tensor(&c, "LSE", n->in[LSE]);
    call_delta(&c, b, n);
    call_stream(&c, n);
    return run_tiles(&c, b, n);
}

static const op_def backward = { .name = "attention_backward",
                                 .infer = backward_infer,
                                 .bind = backward_bind,
                                 .workspace = backward_workspace,
                                 .flops = backward_flops };

static void attention_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->in[QUERY], n->in[KEYS], n->in[VALUES], n->out[0], n->out[1], op_contiguous(dout[0]) };
    const node *all = graph_node(n->graph, &backward, 6, in, n->attributes, sizeof(attention_attributes));
    for (int i = QUERY; all && i <= VALUES; ++i) din[i] = all->out[i];
}

static const op_def attention = { .name = "attention",
                                  .infer = attention_infer,
                                  .bind = forward_bind,
                                  .grad = attention_grad,
                                  .workspace = forward_workspace,
                                  .flops = forward_flops };

tensor *op_attention(tensor *q, tensor *k, tensor *v, const struct mask *pattern, float scale)
{
    attention_attributes a = { *pattern, scale };
    tensor *in[] = { op_contiguous(q), op_contiguous(k), op_contiguous(v) };
    return graph_node1(q->graph, &attention, 3, in, &a, sizeof a);
}
