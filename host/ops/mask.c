/* mask.c -- attention masks, and scores with unseen keys at -inf.
 * Gradient: passes where the key is visible, 0 elsewhere.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

#include <math.h>

int32_t mask_extent(const mask *m)
{
    return m->kind != MASK_ROW ? m->window : m->reach ? m->reach : m->side;
}

bool mask_visible(const mask *m, int32_t query, int32_t key)
{
    if (key < 0 || key > query) return false;
    if (key < m->text) return true;
    int32_t distance = query - key, half = m->window / 2;
    switch (m->kind) {
    case MASK_FULL:
        return true;
    case MASK_ROW:
        return distance <= mask_extent(m);
    case MASK_COLUMN:
        return distance % m->side == 0;
    case MASK_CONV:
        break;
    }
    /* The row dy in 0..half whose tap dx = 0 is nearest: below the distance, or the next one. */
    int32_t row = distance / m->side < half ? distance / m->side : half;
    return distance - row * m->side <= half || (row < half && (row + 1) * m->side - distance <= half);
}

int32_t mask_seen(const mask *m, int32_t query)
{
    if (query < m->text) return query + 1;
    int32_t seen = m->text;
    for (int32_t key = m->text; key <= query; ++key) seen += mask_visible(m, query, key);
    return seen;
}

const char *mask_kind_name(mask_kind kind)
{
    static const char *const names[] = { "full", "row", "column", "conv" };
    return names[kind];
}

/* Queries of one (batch, head) times this many are done per work-group, so that visibility, which is
 * the same for all of them, is worked out once. */
#define MASK_SHARED 8

typedef struct mask_attributes {
    mask pattern;
    float fill; /* what a key that is not seen gets: -inf, or 0 in the backward pass */
} mask_attributes;

static bool mask_infer(node *n)
{
    const mask_attributes *a = n->attributes;
    const tensor *x = n->in[0];
    if (!expect_float(n, 0, "scores")) return false;
    if (x->rank < 2)
        return graph_fail(n->graph, "mask: scores %s have no query and key axes", tensor_shape_text(x));
    if (a->pattern.side < 1 || a->pattern.text < 0 || a->pattern.window < 1 || (int)a->pattern.kind < 0 ||
        a->pattern.kind > MASK_CONV)
        return graph_fail(n->graph, "mask: impossible pattern (kind %d, text %d, side %d, window %d)",
                          (int)a->pattern.kind, (int)a->pattern.text, (int)a->pattern.side,
                          (int)a->pattern.window);
    if (n->in_count > 1 && n->in[1] && !expect_control(n, 1, "position", DTYPE_I32, 1)) return false;
    node_output(n, x->type, x->rank, x->dim);
    return true;
}

static bool mask_bind(const node *n, binder *b)
{
    const mask_attributes *a = n->attributes;
    const tensor *x = n->in[0], *position = n->in_count > 1 ? n->in[1] : NULL;
    int64_t queries = x->dim[x->rank - 2], keys = x->dim[x->rank - 1];
    int64_t batches = tensor_rows(x) / queries;
    kernel_call c = call_begin(b, n, "mask_forward");
    call_define(&c, "SHARED=%d", MASK_SHARED);
    call_define(&c, "HAVE_POSITION=%d", position ? 1 : 0);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    if (position) call_tensor(&c, "POSITION", position);
    call_int(&c, batches);
    call_int(&c, queries);
    call_int(&c, keys);
    call_int(&c, (int64_t)a->pattern.kind);
    call_int(&c, a->pattern.text);
    call_int(&c, a->pattern.side);
    call_int(&c, mask_extent(&a->pattern));
    call_float(&c, a->fill);
    return call_rows(&c, queries * ((batches + MASK_SHARED - 1) / MASK_SHARED));
}

static const op_def mask_backward = { .name = "mask", .infer = mask_infer, .bind = mask_bind };

static void mask_grad(node *n, tensor *const *dout, tensor **din)
{
    mask_attributes a = *(const mask_attributes *)n->attributes;
    a.fill = 0.0f;
    if (!dout[0]) return;
    tensor *in[] = { op_contiguous(dout[0]), n->in[1] };
    din[0] = graph_node1(n->graph, &mask_backward, 2, in, &a, sizeof a);
}

static const op_def mask_forward = {
    .name = "mask", .infer = mask_infer, .bind = mask_bind, .grad = mask_grad
};

tensor *op_mask(tensor *scores, const struct mask *pattern, tensor *position)
{
    mask_attributes a = { *pattern, -INFINITY };
    tensor *in[] = { op_contiguous(scores), position };
    return graph_node1(scores->graph, &mask_forward, 2, in, &a, sizeof a);
}
