/* attention.c -- y[b, t, h] = sum_s softmax_s(scale q[b, t, h] . k[b, s, h]) v[b, s, h] over the keys s that
 * the mask shows to query t, without storing scores (arXiv 2205.14135, after arXiv 1805.02867).  Output 1 is
 * each query's log of its sum, by packed place (cl/ops/attention.cl), from which the backward pass makes the
 * weights again:
 *   P = exp(scale q k^T - lse), dv = P^T dy, dS = P (dy v^T - dy . y), dq = scale dS k, dk = scale dS^T q.
 * Work grows with the keys seen: tiles walk only ranges of keys that some query of theirs sees.  Short
 * streams go another way on CPUs (attention_short.h), and 16-bit operands where there are matrix units
 * (attention_matrix.h).
 * SPDX-License-Identifier: MIT */
#include "cl/mask.clh"
#include "host/ops/attention_matrix.h"
#include "host/ops/expect.h"

#define ATTENTION_HEAD_MAX 1024

static const mask *attention_mask(const node *n)
{
    const attention_attributes *a = n->attributes;
    return &a->pattern;
}

/* Of so many products of a query and a key, or as large ones, for each pair that sees the other: what must be
 * done, which is less than what is done. */
static double product_flops(const node *n, int products)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[ATTENTION_QUERY];
    const int32_t keys = (int32_t)n->in[ATTENTION_KEYS]->dim[1],
                  first = mask_first_query(&a->pattern, q->dim[1], keys);
    int64_t pairs = 0;
    for (int32_t at = 0; at < q->dim[1]; ++at) pairs += mask_seen(&a->pattern, first + at, keys);
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

/* ---- Packed operands ---- */

static int64_t padded(int64_t length)
{
    return (length + 15) / 16 * 16;
}

/* The geometry of packed places.  An image that is all there is packed by columns under a column mask: what a
 * query sees is then one range of its column. */
static mask_bands packed_bands(const node *n)
{
    const mask *m = attention_mask(n);
    const int64_t queries = n->in[ATTENTION_QUERY]->dim[1], keys = n->in[ATTENTION_KEYS]->dim[1];
    mask_bands b = mask_bands_of(m, keys);
    if (m->kind != MASK_COLUMN || queries != keys || keys != m->text + (int64_t)m->side * m->side) return b;
    b.step = b.bands = 1;
    b.reach = MASK_FAR;
    b.block = m->side;
    return b;
}

/* Floats of one of them, x [B,T,H,D]. */
static int64_t packed_floats(const tensor *x, const device *d)
{
    int64_t vec = device_get_info(d)->vec, row = (x->dim[3] + vec - 1) / vec * vec;
    return x->dim[0] * x->dim[2] * padded(x->dim[1]) * row;
}

/* ---- Launches ---- */

/* Neighbours a work-item owns.  A CPU's registers hold MR sums of VEC, those of a GPU's work-item one row. */
static int tile_rows(const device *d)
{
    const device_info *info = device_get_info(d);
    return info->lanes > 1 ? 1 : info->vector_width >= 16 ? 8 : 4;
}

static kernel_call begin(binder *b, const node *n, const char *kernel)
{
    kernel_call c = call_begin_in(b, n, "ops/attention", kernel);
    call_define(&c, "HEAD=%lld", (long long)n->in[ATTENTION_QUERY]->dim[3]);
    call_define(&c, "MR=%d", tile_rows(binder_device(b)));
    return c;
}

/* The workspace from a float of it on. */
static void call_packed(kernel_call *c, int64_t at)
{
    call_workspace(c, "WORK");
    c->launch.args[c->launch.arg_count - 1].integer += at;
}

static void call_sizes(kernel_call *c, const tensor *x)
{
    call_int(c, x->dim[0] * x->dim[2]);
    call_int(c, x->dim[2]);
    call_int(c, x->dim[1]);
}

static void call_streams(kernel_call *c, const node *n)
{
    const mask_bands bands = packed_bands(n);
    mask_call_valid(c, n->in[ATTENTION_VALID]);
    call_sizes(c, n->in[ATTENTION_QUERY]);
    mask_call(c, &bands);
}

static bool run(kernel_call *c, binder *b, int64_t items)
{
    int64_t lanes = device_get_info(binder_device(b))->lanes;
    return call_rows(c, (items + lanes - 1) / lanes);
}

/* A work-item for each tile of x. */
static bool run_tiles(kernel_call *c, binder *b, const tensor *x)
{
    int64_t rows = tile_rows(binder_device(b));
    return run(c, b, x->dim[0] * x->dim[2] * ((x->dim[1] + rows - 1) / rows));
}

enum { NOT_WANTED = -1 };

/* x, times factor, as rows and as panels, to these places of the workspace. */
static bool pack(binder *b, const node *n, const tensor *x, int64_t rows, int64_t panels, float factor)
{
    const mask_bands bands = packed_bands(n);
    kernel_call c = begin(b, n, "attention_pack");
    call_packed(&c, rows == NOT_WANTED ? 0 : rows);
    call_packed(&c, panels == NOT_WANTED ? 0 : panels);
    call_tensor(&c, "X", x);
    call_sizes(&c, x);
    call_int(&c, bands.text);
    call_int(&c, bands.block);
    call_int(&c, rows != NOT_WANTED);
    call_int(&c, panels != NOT_WANTED);
    call_float(&c, factor);
    return run(&c, b, x->dim[0] * x->dim[2] * padded(x->dim[1]) / device_get_info(binder_device(b))->vec);
}

/* ---- Forward ---- */

static bool expect_shapes(const node *n)
{
    const tensor *q = n->in[ATTENTION_QUERY], *k = n->in[ATTENTION_KEYS];
    if (q->rank != 4) return graph_fail(n->graph, "attention: q %s must be [B,T,H,D]", tensor_shape_text(q));
    if (k->rank != 4 || k->dim[0] != q->dim[0] || k->dim[2] != q->dim[2] || k->dim[3] != q->dim[3])
        return graph_fail(n->graph, "attention: k %s must be like q %s but for the number of keys",
                          tensor_shape_text(k), tensor_shape_text(q));
    if (q->dim[3] > ATTENTION_HEAD_MAX)
        return graph_fail(n->graph, "attention: head size %lld is above %d", (long long)q->dim[3],
                          ATTENTION_HEAD_MAX);
    return expect_like(n, ATTENTION_VALUES, "v", ATTENTION_KEYS, false) &&
           (!n->in[ATTENTION_VALID] || expect_control(n, ATTENTION_VALID, "valid", DTYPE_I32, q->dim[0])) &&
           mask_expect(n, attention_mask(n), q->dim[1], k->dim[1]);
}

static bool attention_infer(node *n)
{
    const tensor *q = n->in[ATTENTION_QUERY];
    if (!expect_float(n, ATTENTION_QUERY, "q") || !expect_float(n, ATTENTION_KEYS, "k") ||
        !expect_float(n, ATTENTION_VALUES, "v") || !expect_shapes(n))
        return false;
    return !node_output(n, q->type, 4, q->dim)->poison &&
           !node_output(n, DTYPE_F32, 2, (int64_t[]){ q->dim[0] * q->dim[2], padded(q->dim[1]) })->poison;
}

/* Rows of q, panels of k, rows of v. */
static int64_t forward_workspace(const node *n, device *d, error *err)
{
    (void)err;
    if (attention_matrix_takes(n, d)) return 0;
    if (attention_short_takes(n, d)) return attention_short_bytes(n, d);
    return (packed_floats(n->in[ATTENTION_QUERY], d) + 2 * packed_floats(n->in[ATTENTION_KEYS], d)) *
           (int64_t)sizeof(float);
}

static bool forward_bind(const node *n, binder *b)
{
    if (attention_matrix_takes(n, binder_device(b))) {
        const mask_bands bands = packed_bands(n);
        return attention_matrix_forward(n, b, &bands);
    }
    if (attention_short_takes(n, binder_device(b))) return attention_short_forward(n, b);
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[ATTENTION_QUERY], *k = n->in[ATTENTION_KEYS];
    const int64_t keys = packed_floats(q, binder_device(b)),
                  values = keys + packed_floats(k, binder_device(b));
    if (!pack(b, n, q, 0, NOT_WANTED, a->scale) || !pack(b, n, k, NOT_WANTED, keys, 1.0f) ||
        !pack(b, n, n->in[ATTENTION_VALUES], values, NOT_WANTED, 1.0f))
        return false;
    kernel_call c = begin(b, n, "attention_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_packed(&c, 0);
    call_packed(&c, keys);
    call_packed(&c, values);
    call_streams(&c, n);
    return run_tiles(&c, b, q);
}

/* ---- Backward: dq, dk, dv from q, k, v, y, lse, dy ---- */

static bool attention_backward_infer(node *n)
{
    for (int i = ATTENTION_QUERY; i <= ATTENTION_VALUES; ++i)
        if (node_output(n, n->in[i]->type, 4, n->in[i]->dim)->poison) return false;
    return true;
}

/* Rows and panels of each operand, and delta: where they are in the workspace. */
typedef struct backward_places {
    int64_t q_rows, q, dy_rows, dy, k_rows, k, v_rows, v, delta, end;
} backward_places;

static backward_places places_of(const node *n, const device *d)
{
    const int64_t query = packed_floats(n->in[ATTENTION_QUERY], d),
                  key = packed_floats(n->in[ATTENTION_KEYS], d);
    backward_places p = { .q = query, .dy_rows = 2 * query, .dy = 3 * query, .k_rows = 4 * query };
    p.k = p.k_rows + key;
    p.v_rows = p.k + key;
    p.v = p.v_rows + key;
    p.delta = p.v + key;
    p.end = p.delta + tensor_count(n->in[ATTENTION_LSE]);
    return p;
}

static int64_t backward_workspace(const node *n, device *d, error *err)
{
    (void)err;
    if (attention_matrix_takes_gradient(n, d))
        return tensor_count(n->in[ATTENTION_LSE]) * (int64_t)sizeof(float);
    if (attention_short_takes(n, d)) return attention_short_bytes(n, d);
    return places_of(n, d).end * (int64_t)sizeof(float);
}

static bool bind_delta(const node *n, binder *b, int64_t delta)
{
    const mask_bands bands = packed_bands(n);
    kernel_call c = begin(b, n, "attention_delta");
    call_packed(&c, delta);
    call_tensor(&c, "DY", n->in[ATTENTION_DY]);
    call_tensor(&c, "Y", n->in[ATTENTION_Y]);
    call_sizes(&c, n->in[ATTENTION_QUERY]);
    call_int(&c, bands.text);
    call_int(&c, bands.block);
    return run(&c, b, tensor_count(n->in[ATTENTION_LSE]));
}

static bool bind_queries(const node *n, binder *b, const backward_places *p)
{
    const attention_attributes *a = n->attributes;
    kernel_call c = begin(b, n, "attention_backward_q");
    call_tensor(&c, "DQ", n->out[0]);
    call_packed(&c, p->q_rows);
    call_packed(&c, p->dy_rows);
    call_packed(&c, p->k_rows);
    call_packed(&c, p->k);
    call_packed(&c, p->v);
    call_tensor(&c, "LSE", n->in[ATTENTION_LSE]);
    call_packed(&c, p->delta);
    call_streams(&c, n);
    call_float(&c, a->scale);
    return run_tiles(&c, b, n->in[ATTENTION_QUERY]);
}

static bool bind_keys(const node *n, binder *b, const backward_places *p)
{
    kernel_call c = begin(b, n, "attention_backward_kv");
    call_tensor(&c, "DK", n->out[1]);
    call_tensor(&c, "DV", n->out[2]);
    call_packed(&c, p->q_rows);
    call_packed(&c, p->q);
    call_packed(&c, p->dy_rows);
    call_packed(&c, p->dy);
    call_packed(&c, p->k_rows);
    call_packed(&c, p->v_rows);
    call_tensor(&c, "LSE", n->in[ATTENTION_LSE]);
    call_packed(&c, p->delta);
    call_streams(&c, n);
    return run_tiles(&c, b, n->in[ATTENTION_KEYS]);
}

static bool attention_backward_bind(const node *n, binder *b)
{
    if (attention_matrix_takes_gradient(n, binder_device(b))) {
        const mask_bands bands = packed_bands(n);
        return bind_delta(n, b, 0) && attention_matrix_gradient(n, b, &bands);
    }
    if (attention_short_takes(n, binder_device(b))) return attention_short_backward(n, b);
    const attention_attributes *a = n->attributes;
    const backward_places p = places_of(n, binder_device(b));
    return pack(b, n, n->in[ATTENTION_QUERY], p.q_rows, p.q, a->scale) &&
           pack(b, n, n->in[ATTENTION_KEYS], p.k_rows, p.k, 1.0f) &&
           pack(b, n, n->in[ATTENTION_VALUES], p.v_rows, p.v, 1.0f) &&
           pack(b, n, n->in[ATTENTION_DY], p.dy_rows, p.dy, 1.0f) && bind_delta(n, b, p.delta) &&
           bind_queries(n, b, &p) && bind_keys(n, b, &p);
}

static const op_def backward = { .name = "attention_backward",
                                 .infer = attention_backward_infer,
                                 .bind = attention_backward_bind,
                                 .workspace = backward_workspace,
                                 .flops = backward_flops };

static void attention_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->in[ATTENTION_QUERY],
                     n->in[ATTENTION_KEYS],
                     n->in[ATTENTION_VALUES],
                     n->in[ATTENTION_VALID],
                     n->out[0],
                     n->out[1],
                     op_contiguous(dout[0]) };
    const node *all = graph_node(n->graph, &backward, ATTENTION_BACKWARD_INPUTS, in, n->attributes,
                                 sizeof(attention_attributes));
    for (int i = ATTENTION_QUERY; all && i <= ATTENTION_VALUES; ++i) din[i] = all->out[i];
}

static const op_def attention = { .name = "attention",
                                  .infer = attention_infer,
                                  .bind = forward_bind,
                                  .grad = attention_grad,
                                  .workspace = forward_workspace,
                                  .flops = forward_flops };

tensor *attention_matrix_played(tensor *q, tensor *k, tensor *v, const mask *pattern, float scale,
                                device_matrix unit)
{
    attention_attributes a = { *pattern, scale, unit };
    a.pattern.valid = NULL;
    tensor *in[] = { op_contiguous(q), op_contiguous(k), op_contiguous(v),
                     pattern->valid ? op_contiguous(pattern->valid) : NULL };
    return graph_node1(q->graph, &attention, ATTENTION_FORWARD_INPUTS, in, &a, sizeof a);
}

tensor *op_attention(tensor *q, tensor *k, tensor *v, const struct mask *pattern, float scale)
{
    return attention_matrix_played(q, k, v, pattern, scale, DEVICE_MATRIX_NONE);
}
