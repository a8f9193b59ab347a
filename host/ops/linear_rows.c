/* linear_rows.c -- y[p, b] = act(norm(x[b]) W_p^T + bias_p) + residual[b]: a linear layer of few rows, as in
 * decoding, with the normalisation before it, up to three weights of one size (queries, keys, values), an
 * activation and the residual sum.  The same bits for a row however many there are.  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/shared.h"

typedef struct rows_attributes {
    int parts;
    activation activation;
    float epsilon;
} rows_attributes;

/* Inputs; what is absent is NULL. */
enum {
    X,
    GAIN,
    SHIFT,
    RESIDUAL,
    WEIGHT,
    BIAS = WEIGHT + LINEAR_ROWS_PARTS,
    INPUTS = BIAS + LINEAR_ROWS_PARTS
};

static bool fits(node *n, int at, const char *what, int rank, int64_t rows, int64_t columns)
{
    const tensor *t = n->in[at];
    if (!t) return true;
    bool right = t->rank == rank && t->dim[rank - 1] == columns && (rank == 1 || t->dim[0] == rows);
    if (right && dtype_is_float(t->type)) return true;
    return graph_fail(n->graph, "linear_rows: %s %s %s does not fit x %s and weight %s", what,
                      dtype_name(t->type), tensor_shape_text(t), tensor_shape_text(n->in[X]),
                      tensor_shape_text(n->in[WEIGHT]));
}

static bool linear_rows_infer(node *n)
{
    const rows_attributes *a = n->attributes;
    const tensor *x = n->in[X], *w = n->in[WEIGHT], *residual = n->in[RESIDUAL];
    if (!expect_float(n, X, "x")) return false;
    if (x->rank < 2 || w->rank != 2 || tensor_last(x) != w->dim[1])
        return graph_fail(n->graph,
                          "linear_rows: input %s does not fit weight %s; the last sizes must be equal",
                          tensor_shape_text(x), tensor_shape_text(w));
    int64_t out = w->dim[0], in = w->dim[1];
    if (!fits(n, GAIN, "gain", 1, 0, in) || !fits(n, SHIFT, "shift", 1, 0, in)) return false;
    if (!n->in[GAIN] != !n->in[SHIFT] || (n->in[GAIN] && n->in[GAIN]->type != n->in[SHIFT]->type))
        return graph_fail(n->graph, "linear_rows: gain and shift go together, in one type");
    for (int p = 0; p < a->parts; ++p) {
        if (!fits(n, WEIGHT + p, "weight", 2, out, in) || !fits(n, BIAS + p, "bias", 1, 0, out)) return false;
        if (n->in[WEIGHT + p]->type != w->type || !n->in[BIAS + p] != !n->in[BIAS] ||
            (n->in[BIAS] && n->in[BIAS + p]->type != n->in[BIAS]->type))
            return graph_fail(n->graph, "linear_rows: weights must have one type, and all or none a bias");
    }
    int64_t dim[TENSOR_RANK_MAX] = { a->parts };
    int lead = a->parts > 1;
    if (x->rank + lead > TENSOR_RANK_MAX)
        return graph_fail(n->graph, "linear_rows: %s has too many axes", tensor_shape_text(x));
    for (int i = 0; i < x->rank; ++i) dim[i + lead] = i == x->rank - 1 ? out : x->dim[i];
    tensor *y = node_output(n, x->type, x->rank + lead, dim);
    if (y->poison) return false;
    if (residual && (a->parts > 1 || !tensor_same_shape(residual, y) || !dtype_is_float(residual->type)))
        return graph_fail(n->graph, "linear_rows: residual %s does not fit result %s",
                          tensor_shape_text(residual), tensor_shape_text(y));
    return true;
}

typedef struct block {
    int rows, columns, depth;
} block;

/* What one work-item sums together: as much as registers hold.  A CPU reads its weights as one stream, which
 * is what its prefetcher follows best. */
static block choose_block(const device_info *info, int64_t m)
{
    if (info->lanes > 1) return (block){ m >= 4 ? 4 : m >= 2 ? 2 : 1, 2, 1 };
    return (block){ m >= 2 ? 2 : 1, 1, 2 };
}

/* How many rows are summed for one reading of the weights, and, on a CPU, how many elements of them a group
 * keeps once they are normalised: what fits the nearer caches.  A GPU's groups have few columns each, to
 * which the room is worth more. */
static void define_slab(kernel_call *c, const device_info *info, int64_t m, int64_t k, int rows, bool norm)
{
    enum { SLAB = 32, FLOATS = 16384 };
    int64_t slab = SLAB;
    while (slab > rows && (slab * k > FLOATS || slab / 2 >= m)) slab /= 2;
    const bool keep = norm && info->lanes == 1 && slab * k <= FLOATS;
    call_define(c, "SLAB=%d", keep ? (int)slab : SLAB);
    call_define(c, "KEPT=%d", keep ? (int)(slab * k) : 0);
}

static bool linear_rows_bind(const node *n, binder *b)
{
    const rows_attributes *a = n->attributes;
    const device_info *info = device_get_info(binder_device(b));
    const tensor *x = n->in[X], *w = n->in[WEIGHT], *bias = n->in[BIAS] ? n->in[BIAS] : w;
    const tensor *gain = n->in[GAIN] ? n->in[GAIN] : x, *shift = n->in[SHIFT] ? n->in[SHIFT] : x;
    int64_t m = tensor_rows(x), out = w->dim[0];
    const block tile = choose_block(info, m);
    const int columns = tile.columns;
    kernel_call c = call_begin(b, n, "linear_rows");
    call_define(&c, "ROWS=%d", tile.rows);
    call_define(&c, "COLUMNS=%d", tile.columns);
    call_define(&c, "DEPTH=%d", tile.depth);
    call_define(&c, "NORM=%d", n->in[GAIN] != NULL);
    define_slab(&c, info, m, w->dim[1], tile.rows, n->in[GAIN] != NULL);
    call_define(&c, "BIAS=%d", n->in[BIAS] != NULL);
    call_define(&c, "RESIDUAL=%d", n->in[RESIDUAL] != NULL);
    call_define(&c, "ACTIVATION=%d", (int)a->activation);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    for (int p = 0; p < LINEAR_ROWS_PARTS; ++p) call_tensor(&c, "W", p < a->parts ? n->in[WEIGHT + p] : w);
    for (int p = 0; p < LINEAR_ROWS_PARTS; ++p)
        call_tensor(&c, "B", p < a->parts && n->in[BIAS] ? n->in[BIAS + p] : bias);
    call_tensor(&c, "GAIN", gain);
    call_tensor(&c, "GAIN", shift);
    call_tensor(&c, "RESIDUAL", n->in[RESIDUAL] ? n->in[RESIDUAL] : x);
    call_int(&c, m);
    call_int(&c, out);
    call_int(&c, w->dim[1]);
    /* A CPU's groups walk long stretches, a few for every core; a GPU has one for each block. */
    int64_t blocks = a->parts * ((out + columns - 1) / columns), groups = blocks;
    if (info->lanes == 1 && groups > 4 * (int64_t)info->compute_units)
        groups = 4 * (int64_t)info->compute_units;
    int64_t each = (blocks + groups - 1) / groups;
    call_int(&c, blocks);
    call_int(&c, each);
    call_float(&c, a->epsilon);
    return call_rows(&c, (blocks + each - 1) / each);
}

static double linear_rows_flops(const node *n)
{
    return 2.0 * (double)tensor_count(n->out[0]) * (double)tensor_last(n->in[0]);
}

static const op_def linear_rows = {
    .name = "linear_rows", .infer = linear_rows_infer, .bind = linear_rows_bind, .flops = linear_rows_flops
};

tensor *op_linear_rows(tensor *x, const linear_rows_terms *t)
{
    rows_attributes a = { 0, t->activation, t->epsilon };
    tensor *in[INPUTS] = { op_contiguous(x), t->gain, t->shift,
                           t->residual ? op_contiguous(t->residual) : NULL };
    for (; a.parts < LINEAR_ROWS_PARTS && t->weight[a.parts]; ++a.parts) {
        in[WEIGHT + a.parts] = t->weight[a.parts];
        in[BIAS + a.parts] = t->bias[a.parts];
    }
    return graph_node1(x->graph, &linear_rows, INPUTS, in, &a, sizeof a);
}
