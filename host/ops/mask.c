/* mask.c -- attention masks, and scores with unseen keys at -inf.
 * Gradient: passes where the key is visible, 0 elsewhere.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "cl/mask.clh"
#include "host/ops/expect.h"
#include "host/ops/shared.h"

#include <math.h>

mask_bands mask_bands_of(const mask *m, int64_t keys)
{
    mask_bands b = { .length = keys > MASK_FAR ? MASK_FAR : (int)keys,
                     .text = m->text,
                     .valid = m->text,
                     .causal = m->kind != MASK_BIDIRECTIONAL,
                     .step = 1,
                     .bands = 1,
                     .reach = MASK_FAR };
    switch (m->kind) {
    case MASK_CAUSAL:
    case MASK_BIDIRECTIONAL:
        break;
    case MASK_ROW:
        b.reach = mask_least(m->reach ? m->reach : m->side, MASK_FAR);
        break;
    case MASK_COLUMN:
        b.step = b.bands = m->side;
        b.reach = 0;
        break;
    case MASK_CONV:
        b.step = m->side;
        b.reach = m->window / 2;
        b.bands = b.reach + 1;
        break;
    }
    return b;
}

bool mask_visible(const mask *m, int32_t query, int32_t key)
{
    return mask_sees(mask_bands_of(m, MASK_FAR), query, key) != 0;
}

int32_t mask_seen(const mask *m, int32_t query, int32_t keys)
{
    if (m->kind == MASK_BIDIRECTIONAL) return keys;
    if (query < m->text) return query + 1;
    const mask_bands b = mask_bands_of(m, keys);
    int32_t seen = m->text;
    for (int32_t key = m->text; key <= query; ++key) seen += mask_sees(b, query, key);
    return seen;
}

int32_t mask_first_query(const mask *m, int64_t queries, int64_t keys)
{
    return m->kind == MASK_BIDIRECTIONAL ? 0 : (int32_t)(keys - queries);
}

const char *mask_kind_name(mask_kind kind)
{
    static const char *const names[] = { "causal", "row", "column", "conv", "bidirectional" };
    return names[kind];
}

/* ---- What operators with a mask share ---- */

bool mask_expect(const node *n, const mask *m, int64_t queries, int64_t keys)
{
    const bool shaped = m->kind != MASK_CAUSAL && m->kind != MASK_BIDIRECTIONAL;
    if ((int)m->kind < 0 || m->kind >= MASK_KINDS || m->text < 0 ||
        (shaped && (m->side < 1 || m->window < 1 || m->reach < 0)))
        return graph_fail(n->graph, "%s: impossible mask (kind %d, text %d, side %d, window %d)",
                          n->def->name, (int)m->kind, (int)m->text, (int)m->side, (int)m->window);
    if (m->kind != MASK_BIDIRECTIONAL && queries > keys)
        return graph_fail(n->graph,
                          "%s: k has %lld keys, fewer than the %lld queries that a causal mask "
                          "takes for the last of them",
                          n->def->name, (long long)keys, (long long)queries);
    return true;
}

void mask_call(kernel_call *c, const mask_bands *b)
{
    call_int(c, b->length);
    call_int(c, b->text);
    call_int(c, b->causal);
    call_int(c, b->step);
    call_int(c, b->bands);
    call_int(c, b->reach);
    call_int(c, b->block);
}

void mask_call_valid(kernel_call *c, const tensor *valid)
{
    if (!valid) return;
    call_define(c, "HAVE_VALID=1");
    call_tensor(c, "VALID", valid);
}

/* ---- The operator ---- */

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
    const bool placed = n->in[1] != NULL;
    if (!mask_expect(n, &a->pattern, placed ? 1 : x->dim[x->rank - 2], placed ? 1 : tensor_last(x)))
        return false;
    if (placed && !expect_control(n, 1, "position", DTYPE_I32, 1)) return false;
    node_output(n, x->type, x->rank, x->dim);
    return true;
}

static bool mask_bind(const node *n, binder *b)
{
    const mask_attributes *a = n->attributes;
    const tensor *x = n->in[0], *position = n->in[1];
    const int64_t queries = x->dim[x->rank - 2], keys = tensor_last(x);
    const int64_t batches = tensor_rows(x) / queries;
    const mask_bands bands = mask_bands_of(&a->pattern, keys);
    kernel_call c = call_begin(b, n, "mask_forward");
    call_define(&c, "SHARED=%d", MASK_SHARED);
    call_define(&c, "HAVE_POSITION=%d", position ? 1 : 0);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    if (position) call_tensor(&c, "POSITION", position);
    call_int(&c, batches);
    call_int(&c, queries);
    call_int(&c, position ? 0 : mask_first_query(&a->pattern, queries, keys));
    mask_call(&c, &bands);
    call_float(&c, a->fill);
    return call_rows(&c, queries * ((batches + MASK_SHARED - 1) / MASK_SHARED));
}

static const op_def mask_backward = { "mask", mask_infer, mask_bind, NULL, NULL };

static void mask_grad(node *n, tensor *const *dout, tensor **din)
{
    mask_attributes a = *(const mask_attributes *)n->attributes;
    a.fill = 0.0f;
    if (!dout[0]) return;
    tensor *in[] = { op_contiguous(dout[0]), n->in[1] };
    din[0] = graph_node1(n->graph, &mask_backward, 2, in, &a, sizeof a);
}

static const op_def mask_forward = { "mask", mask_infer, mask_bind, mask_grad, NULL };

tensor *op_mask(tensor *scores, const struct mask *pattern, tensor *position)
{
    mask_attributes a = { *pattern, -INFINITY };
    tensor *in[] = { op_contiguous(scores), position };
    return graph_node1(scores->graph, &mask_forward, 2, in, &a, sizeof a);
}
