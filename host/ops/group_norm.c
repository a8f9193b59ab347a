/* group_norm.c -- y = f((gain (x - mean) rstd + bias) (1 + scale) + shift) of x [B,..,C], with mean and
 * rstd = 1 / sqrt(variance + epsilon) of a sample's groups of neighbouring channels (arXiv 1803.08494).
 * Output 1 is the table [B,4,C] of mean, rstd, factor and offset that each channel's values are made with; it
 * is kept for the gradient beside x, and u is computed again (cl/ops/group_norm.cl has the formulas).
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/shared.h"

typedef struct group_norm_attributes {
    int64_t groups;
    float epsilon;
    activation activation;
    dtype gain, bias; /* of the gradients */
} group_norm_attributes;

enum { X, GAIN, BIAS, SCALE, SHIFT, INPUTS };

/* ---- How the work is divided ---- */

typedef struct norm_split {
    int64_t samples, rows, columns, width;
    int64_t stretch, chunks; /* rows of a stretch, stretches of a sample: the same whatever the batch */
    int vectors;
    bool whole; /* one work-item a sample */
} norm_split;

static norm_split split_of(const device *d, const tensor *x, int64_t groups)
{
    const device_info *info = device_get_info(d);
    const bool cpu = info->kind == DEVICE_CPU;
    norm_split s = { .samples = x->dim[0], .columns = tensor_last(x), .vectors = cpu ? 4 : 1 };
    s.rows = tensor_rows(x) / s.samples;
    s.width = s.columns / groups;
    while (s.vectors > 1 && s.columns % ((int64_t)s.vectors * info->vec) != 0) --s.vectors;
    /* Long enough to be worth writing down, short enough to keep a device busy and the sums' last bits. */
    s.stretch = cpu ? 128 : (s.rows + 63) / 64;
    if (s.stretch < 16) s.stretch = 16;
    s.chunks = (s.rows + s.stretch - 1) / s.stretch;
    const int64_t units = info->compute_units, small = 32768; /* which launches would take longer than */
    s.whole = info->lanes == 1 && /* as CPUs have it, and tests of other devices */
              (s.samples % units == 0 || s.samples >= 4 * units || tensor_count(x) < small);
    return s;
}

static int64_t group_norm_workspace(const node *n, device *d, error *err)
{
    (void)err;
    const group_norm_attributes *a = n->attributes;
    norm_split s = split_of(d, n->in[X], a->groups);
    return s.samples * s.chunks * 2 * s.columns * (int64_t)sizeof(float);
}

/* Launches of the operator's file, with the options that each of its passes knows. */
static void define_activation(kernel_call *c)
{
    const group_norm_attributes *a = c->node->attributes;
    call_define(c, "ACTIVATION=%d", (int)a->activation);
}

static kernel_call sums_call(binder *b, const node *n, const char *kernel, const norm_split *s)
{
    kernel_call c = call_begin_in(b, n, "ops/group_norm", kernel);
    call_define(&c, "VECTORS=%d", s->vectors);
    return c;
}

static kernel_call finish_call(binder *b, const node *n, const char *kernel)
{
    kernel_call c = call_begin_in(b, n, "ops/group_norm", kernel);
    call_define(&c, "SCALED=%d", n->in[SCALE] != NULL);
    return c;
}

static kernel_call values_call(binder *b, const node *n, const char *kernel, const norm_split *s)
{
    kernel_call c = call_begin_in(b, n, "ops/group_norm", kernel);
    define_activation(&c);
    call_define(&c, "WHOLE=%d", s->columns % device_get_info(binder_device(b))->vec == 0);
    return c;
}

static kernel_call whole_call(binder *b, const node *n, const char *kernel, const norm_split *s)
{
    kernel_call c = sums_call(b, n, kernel, s);
    define_activation(&c);
    call_define(&c, "SCALED=%d", n->in[SCALE] != NULL);
    return c;
}

/* Gain and bias; scale and shift, or instead of them a tensor that is there. */
static void call_vectors(kernel_call *c, tensor *const *in, tensor *instead)
{
    call_tensor(c, "GAIN", in[GAIN]);
    call_tensor(c, "BIAS", in[BIAS]);
    call_tensor(c, "SCALE", in[SCALE] ? in[SCALE] : instead);
}

static void call_sizes(kernel_call *c, const norm_split *s, bool stretch)
{
    call_int(c, s->rows);
    call_int(c, s->columns);
    call_int(c, s->width);
    if (stretch) call_int(c, s->stretch);
    call_int(c, s->chunks);
}

static int64_t sums_items(const norm_split *s, const device *d)
{
    int64_t width = (int64_t)s->vectors * device_get_info(d)->vec;
    return s->samples * s->chunks * ((s->columns + width - 1) / width);
}

/* ---- Forward ---- */

static bool expect_channels(const node *n, int input, const char *what)
{
    return expect_float(n, input, what) &&
           expect_shape(n, input, what, 1, (int64_t[]){ tensor_last(n->in[X]) });
}

static bool expect_modulation(const node *n)
{
    const tensor *x = n->in[X];
    const int64_t dim[] = { x->dim[0], tensor_last(x) };
    if (!n->in[SCALE] != !n->in[SHIFT])
        return graph_fail(n->graph, "group_norm: scale and shift are both needed, or neither");
    return !n->in[SCALE] ||
           (expect_float(n, SCALE, "scale") && expect_float(n, SHIFT, "shift") &&
            expect_shape(n, SCALE, "scale", 2, dim) && expect_shape(n, SHIFT, "shift", 2, dim));
}

static bool group_norm_infer(node *n)
{
    group_norm_attributes *a = n->attributes;
    const tensor *x = n->in[X];
    if (!expect_float(n, X, "x")) return false;
    if (x->rank < 2)
        return graph_fail(n->graph, "group_norm: x must be [B,..,C], not %s", tensor_shape_text(x));
    if (a->groups < 1 || tensor_last(x) % a->groups != 0)
        return graph_fail(n->graph, "group_norm: %lld channels do not fall into %lld groups",
                          (long long)tensor_last(x), (long long)a->groups);
    if (!expect_channels(n, GAIN, "gain") || !expect_channels(n, BIAS, "bias") || !expect_modulation(n))
        return false;
    a->gain = n->in[GAIN]->type;
    a->bias = n->in[BIAS]->type;
    int64_t table[] = { x->dim[0], 4, tensor_last(x) };
    return !node_output(n, x->type, x->rank, x->dim)->poison && !node_output(n, DTYPE_F32, 3, table)->poison;
}

static bool forward_whole(const node *n, binder *b, const norm_split *s)
{
    const group_norm_attributes *a = n->attributes;
    kernel_call c = whole_call(b, n, "group_norm_forward_whole", s);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "TABLE", n->out[1]);
    call_workspace(&c, "PART");
    call_tensor(&c, "X", n->in[X]);
    call_vectors(&c, n->in, n->out[1]);
    call_tensor(&c, "SHIFT", n->in[SHIFT] ? n->in[SHIFT] : n->out[1]);
    call_float(&c, a->epsilon);
    call_sizes(&c, s, true);
    return call_rows(&c, s->samples);
}

static bool forward_sums(const node *n, binder *b, const norm_split *s)
{
    kernel_call c = sums_call(b, n, "group_norm_forward_sums", s);
    call_workspace(&c, "PART");
    call_tensor(&c, "X", n->in[X]);
    call_int(&c, s->samples);
    call_sizes(&c, s, true);
    return call_items(&c, sums_items(s, binder_device(b)));
}

static bool forward_finish(const node *n, binder *b, const norm_split *s)
{
    const group_norm_attributes *a = n->attributes;
    kernel_call c = finish_call(b, n, "group_norm_forward_finish");
    call_tensor(&c, "TABLE", n->out[1]);
    call_workspace(&c, "PART");
    call_tensor(&c, "X", n->in[X]);
    call_vectors(&c, n->in, n->out[1]);
    call_tensor(&c, "SHIFT", n->in[SHIFT] ? n->in[SHIFT] : n->out[1]);
    call_float(&c, a->epsilon);
    call_sizes(&c, s, false);
    return call_rows(&c, s->samples * a->groups);
}

static bool forward_values(const node *n, binder *b, const norm_split *s)
{
    int64_t count = tensor_count(n->in[X]);
    kernel_call c = values_call(b, n, "group_norm_forward_values", s);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[X]);
    call_tensor(&c, "TABLE", n->out[1]);
    call_int(&c, count);
    call_int(&c, s->rows);
    call_int(&c, s->columns);
    return call_elements(&c, count);
}

static bool group_norm_bind(const node *n, binder *b)
{
    const group_norm_attributes *a = n->attributes;
    norm_split s = split_of(binder_device(b), n->in[X], a->groups);
    if (s.whole) return forward_whole(n, b, &s);
    return forward_sums(n, b, &s) && forward_finish(n, b, &s) && forward_values(n, b, &s);
}

/* ---- Gradients: outputs dx, sums of each sample [B,2,C], dscale, dshift ---- */

/* The inputs after those of the forward pass. */
enum { DY = INPUTS, TABLE, ADDED, BACKWARD_INPUTS };
enum { DX, SUMS, DSCALE, DSHIFT };

static bool backward_infer(node *n)
{
    const tensor *x = n->in[X], *scale = n->in[SCALE];
    int64_t sums[] = { x->dim[0], 2, tensor_last(x) };
    n->addend = ADDED;
    node_output(n, x->type, x->rank, x->dim);
    node_output(n, DTYPE_F32, 3, sums);
    if (!scale) return true;
    node_output(n, scale->type, 2, scale->dim);
    node_output(n, n->in[SHIFT]->type, 2, scale->dim);
    return true;
}

/* What the sums of a sample end in. */
static void call_results(kernel_call *c, const node *n)
{
    call_tensor(c, "SUMS", n->out[SUMS]);
    call_tensor(c, "SCALE", n->in[SCALE] ? n->out[DSCALE] : n->out[SUMS]);
    call_tensor(c, "SHIFT", n->in[SCALE] ? n->out[DSHIFT] : n->out[SUMS]);
    call_workspace(c, "PART");
}

static bool backward_whole(const node *n, binder *b, const norm_split *s)
{
    kernel_call c = whole_call(b, n, "group_norm_backward_whole", s);
    const group_norm_attributes *a = n->attributes;
    call_define(&c, "KEPT=%d", a->activation > ACTIVATION_RELU && n->out[DX]->type == DTYPE_F32);
    call_define(&c, "ADDED=%d", n->in[ADDED] != NULL);
    call_tensor(&c, "Y", n->out[DX]);
    call_results(&c, n);
    call_tensor(&c, "DY", n->in[DY]);
    call_tensor(&c, "X", n->in[X]);
    call_tensor(&c, "Y", n->in[ADDED] ? n->in[ADDED] : n->in[X]);
    call_tensor(&c, "TABLE", n->in[TABLE]);
    call_vectors(&c, n->in, n->in[TABLE]);
    call_sizes(&c, s, true);
    return call_rows(&c, s->samples);
}

static bool backward_sums(const node *n, binder *b, const norm_split *s)
{
    kernel_call c = sums_call(b, n, "group_norm_backward_sums", s);
    define_activation(&c);
    call_workspace(&c, "PART");
    call_tensor(&c, "DY", n->in[DY]);
    call_tensor(&c, "X", n->in[X]);
    call_tensor(&c, "TABLE", n->in[TABLE]);
    call_int(&c, s->samples);
    call_int(&c, s->rows);
    call_int(&c, s->columns);
    call_int(&c, s->stretch);
    call_int(&c, s->chunks);
    return call_items(&c, sums_items(s, binder_device(b)));
}

static bool backward_finish(const node *n, binder *b, const norm_split *s)
{
    kernel_call c = finish_call(b, n, "group_norm_backward_finish");
    call_results(&c, n);
    call_tensor(&c, "TABLE", n->in[TABLE]);
    call_vectors(&c, n->in, n->in[TABLE]);
    call_sizes(&c, s, false);
    return call_rows(&c, s->samples * (s->columns / s->width));
}

static bool backward_values(const node *n, binder *b, const norm_split *s)
{
    int64_t count = tensor_count(n->in[X]);
    kernel_call c = values_call(b, n, "group_norm_backward_values", s);
    call_define(&c, "ADDED=%d", n->in[ADDED] != NULL);
    call_tensor(&c, "Y", n->out[DX]);
    call_tensor(&c, "DY", n->in[DY]);
    call_tensor(&c, "X", n->in[X]);
    call_tensor(&c, "Y", n->in[ADDED] ? n->in[ADDED] : n->in[X]);
    call_tensor(&c, "TABLE", n->in[TABLE]);
    call_workspace(&c, "PART");
    call_int(&c, count);
    call_int(&c, s->rows);
    call_int(&c, s->columns);
    call_int(&c, s->chunks);
    return call_elements(&c, count);
}

static bool backward_bind(const node *n, binder *b)
{
    const group_norm_attributes *a = n->attributes;
    norm_split s = split_of(binder_device(b), n->in[X], a->groups);
    if (s.whole) return backward_whole(n, b, &s);
    return backward_sums(n, b, &s) && backward_finish(n, b, &s) && backward_values(n, b, &s);
}

static const op_def backward = { .name = "group_norm_backward",
                                 .infer = backward_infer,
                                 .bind = backward_bind,
                                 .workspace = group_norm_workspace };

/* ---- Gradients of gain and bias: inputs sums, scale or NULL ---- */

static bool vectors_infer(node *n)
{
    const group_norm_attributes *a = n->attributes;
    int64_t columns = tensor_last(n->in[0]);
    return !node_output(n, a->gain, 1, &columns)->poison && !node_output(n, a->bias, 1, &columns)->poison;
}

static bool vectors_bind(const node *n, binder *b)
{
    const tensor *sums = n->in[0], *scale = n->in[1];
    kernel_call c = call_begin_in(b, n, "ops/group_norm", "group_norm_vectors");
    call_define(&c, "SCALED=%d", scale != NULL);
    call_tensor(&c, "GAIN", n->out[0]);
    call_tensor(&c, "BIAS", n->out[1]);
    call_tensor(&c, "SUMS", sums);
    call_tensor(&c, "SCALE", scale ? scale : sums);
    call_int(&c, sums->dim[0]);
    call_int(&c, tensor_last(sums));
    return call_items(&c, tensor_last(sums));
}

static const op_def vectors = { .name = "group_norm_vectors", .infer = vectors_infer, .bind = vectors_bind };

static void group_norm_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[BACKWARD_INPUTS] = { [DY] = op_contiguous(dout[0]), [TABLE] = n->out[1] };
    for (int k = 0; k < INPUTS; ++k) in[k] = n->in[k];
    const node *all =
        graph_node(n->graph, &backward, BACKWARD_INPUTS, in, n->attributes, sizeof(group_norm_attributes));
    if (!all) return;
    if (n->in[X]->needs_gradient) din[X] = all->out[DX];
    if (n->in[SCALE]) {
        din[SCALE] = all->out[DSCALE];
        din[SHIFT] = all->out[DSHIFT];
    }
    if (!n->in[GAIN]->needs_gradient && !n->in[BIAS]->needs_gradient) return;
    tensor *sums[] = { all->out[SUMS], n->in[SCALE] };
    const node *both = graph_node(n->graph, &vectors, 2, sums, n->attributes, sizeof(group_norm_attributes));
    din[GAIN] = both ? both->out[0] : NULL;
    din[BIAS] = both ? both->out[1] : NULL;
}

static const op_def group_norm = { .name = "group_norm",
                                   .infer = group_norm_infer,
                                   .bind = group_norm_bind,
                                   .grad = group_norm_grad,
                                   .workspace = group_norm_workspace };

tensor *op_group_norm(tensor *x, int64_t groups, tensor *gain, tensor *bias, tensor *scale, tensor *shift,
                      float epsilon, activation f)
{
    group_norm_attributes a = { .groups = groups, .epsilon = epsilon, .activation = f };
    tensor *in[INPUTS] = { op_contiguous(x), op_contiguous(gain), op_contiguous(bias),
                           scale ? op_contiguous(scale) : NULL, shift ? op_contiguous(shift) : NULL };
    return graph_node1(x->graph, &group_norm, INPUTS, in, &a, sizeof a);
}
