/* contiguous.c -- a row-major copy of a view; and the strided copy that other operators build on.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

/* Axes of size 1 vanish and neighbours that lie one after the other in both tensors become one, so
 * that the innermost loop is as long as it can be. */
typedef struct copy_shape {
    int rank;
    int64_t dim[TENSOR_RANK_MAX], from[TENSOR_RANK_MAX], to[TENSOR_RANK_MAX];
} copy_shape;

static copy_shape simplify(const tensor *y, const tensor *x)
{
    copy_shape s = { .rank = 0 };
    for (int i = 0; i < x->rank; ++i) {
        if (x->dim[i] == 1) continue;
        int last = s.rank - 1;
        if (last >= 0 && s.from[last] == x->stride[i] * x->dim[i] && s.to[last] == y->stride[i] * x->dim[i]) {
            s.dim[last] *= x->dim[i];
            s.from[last] = x->stride[i];
            s.to[last] = y->stride[i];
            continue;
        }
        s.dim[s.rank] = x->dim[i];
        s.from[s.rank] = x->stride[i];
        s.to[s.rank++] = y->stride[i];
    }
    if (s.rank == 0) {
        s.dim[0] = s.from[0] = s.to[0] = 1;
        s.rank = 1;
    }
    return s;
}

static const char *const raw_types[] = { [1] = "uchar", [2] = "ushort", [4] = "uint" };

bool copy_record(binder *b, const node *n, const tensor *y, const tensor *x)
{
    const device_info *d = device_get_info(binder_device(b));
    copy_shape s = simplify(y, x);
    kernel_call c = call_begin_in(b, n, "ops/contiguous", "contiguous_forward");
    if (y->type == x->type) call_define(&c, "RAW=%s", raw_types[dtype_bytes(x->type)]);
    int last = s.rank - 1;
    call_define(&c, "UNIT=%d", s.from[last] == 1 && s.to[last] == 1);
    /* A CPU's work-item copies a long stretch; a GPU's one vector, next to its neighbour's. */
    int64_t stretch = d->kind == DEVICE_CPU ? 4096 : d->vec;
    int64_t chunks = (s.dim[last] + stretch - 1) / stretch, rows = 1;
    for (int i = 0; i < last; ++i) rows *= s.dim[i];
    call_tensor_view(&c, "Y", y);
    call_tensor_view(&c, "X", x);
    call_int(&c, rows * chunks);
    call_int(&c, chunks);
    call_int(&c, stretch);
    for (int i = 0; i < TENSOR_RANK_MAX; ++i) {
        int from = i - (TENSOR_RANK_MAX - s.rank);
        call_int(&c, from < 0 ? 1 : s.dim[from]);
        call_int(&c, from < 0 ? 0 : s.from[from]);
        call_int(&c, from < 0 ? 0 : s.to[from]);
    }
    return call_items(&c, rows * chunks);
}

static bool contiguous_infer(node *n)
{
    return !node_output(n, n->in[0]->type, n->in[0]->rank, n->in[0]->dim)->poison;
}

static bool contiguous_bind(const node *n, binder *b)
{
    return copy_record(b, n, n->out[0], n->in[0]);
}

static void contiguous_grad(node *n, tensor *const *dout, tensor **din)
{
    (void)n;
    din[0] = dout[0];
}

static const op_def contiguous = {
    .name = "contiguous", .infer = contiguous_infer, .bind = contiguous_bind, .grad = contiguous_grad
};

bool tensor_is_plain(const tensor *x)
{
    return tensor_is_contiguous(x) && x->offset % TENSOR_PAD == 0;
}

tensor *op_contiguous(tensor *x)
{
    /* A view that starts amid a vector could be read past the end of its storage. */
    return x->poison || tensor_is_plain(x) ? x : graph_node1(x->graph, &contiguous, 1, &x, NULL, 0);
}
