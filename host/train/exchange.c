/* exchange.c -- see exchange.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/exchange.h"

#include "host/ops/ops.h"

#include <stdlib.h>

/* The tensors of one node, which are on their way at the same time. */
typedef struct group {
    exchange exchange;
    const store_entry *of[NODE_OUTPUTS_MAX];
} group;

/* One tensor, from one buffer through the host into another. */
typedef struct passage {
    device_buffer *from, *to;
    int64_t from_bytes, to_bytes; /* where it begins */
    dtype type;
    int64_t count;
    void *values;
    device_event *arrived, *left;
} passage;

typedef struct trip {
    group group;
    int count;
    passage passages[NODE_OUTPUTS_MAX];
} trip;

static int64_t bytes_of(const passage *p)
{
    return p->count * (int64_t)dtype_bytes(p->type);
}

/* Once the compute queue has made it. */
static bool fetch(device *d, passage *p, device_event *made, const store_entry *of, error *err)
{
    p->values = malloc((size_t)bytes_of(p));
    if (!p->values)
        return error_set(err, ERROR_MEMORY, "out of memory for what passes through the host%s%s",
                         of ? " of " : "", of ? of->name : "");
    p->arrived =
        device_read_begin(d, DEVICE_TRANSFER, p->from, p->from_bytes, p->values, bytes_of(p), made, err);
    return p->arrived != NULL;
}

static bool change(device *d, passage *p, const trip *t, const store_entry *of, error *err)
{
    if (!device_event_wait(p->arrived, err) ||
        !t->group.exchange.change(t->group.exchange.self, of, p->type, p->values, p->count, err))
        return false;
    p->left = device_write_begin(d, DEVICE_TRANSFER, p->to, p->to_bytes, p->values, bytes_of(p), NULL, err);
    return p->left && device_queue_wait(d, DEVICE_COMPUTE, p->left, err);
}

/* Nothing may be under way to or from memory that is given back. */
static bool land(device *d, passage *p, error *err)
{
    bool ok =
        (!p->arrived || device_event_wait(p->arrived, err)) && (!p->left || device_event_wait(p->left, err));
    device_event_release(p->arrived);
    device_event_release(p->left);
    device_free_host(d, p->values);
    p->values = NULL;
    p->arrived = p->left = NULL;
    return ok;
}

static bool travel(device *d, void *context, error *err)
{
    trip *t = context;
    device_event *made = device_event_record(d, DEVICE_COMPUTE, err);
    bool ok = made != NULL;
    for (int i = 0; ok && i < t->count; ++i) ok = fetch(d, &t->passages[i], made, t->group.of[i], err);
    for (int i = 0; ok && i < t->count; ++i) ok = change(d, &t->passages[i], t, t->group.of[i], err);
    for (int i = 0; i < t->count; ++i) ok = land(d, &t->passages[i], ok ? err : NULL) && ok;
    device_event_release(made);
    return ok;
}

/* Not in place: what two parameters have in common is one tensor, and passes once for each; and what a rank
 * has sent may still be wanted. */
static bool infer(node *n)
{
    for (int i = 0; i < n->in_count; ++i)
        if (node_output(n, n->in[i]->type, n->in[i]->rank, n->in[i]->dim)->poison) return false;
    return true;
}

static bool bind(const node *n, binder *b)
{
    trip *t = calloc(1, sizeof *t);
    if (!t) return error_set(binder_error(b), ERROR_MEMORY, "out of memory for what passes through the host");
    t->group = *(const group *)n->attributes;
    t->count = n->in_count;
    for (int i = 0; i < n->in_count; ++i) {
        passage *p = &t->passages[i];
        const int64_t bytes = (int64_t)dtype_bytes(n->in[i]->type);
        int64_t from, to;
        p->from = binder_buffer(b, n->in[i], &from);
        p->to = binder_buffer(b, n->out[i], &to);
        p->from_bytes = from * bytes;
        p->to_bytes = to * bytes;
        p->type = n->in[i]->type;
        p->count = tensor_count(n->in[i]);
    }
    return device_launches_add_call(binder_launches(b), n->name, travel, t, binder_error(b));
}

static const op_def op_exchange = { .name = "exchange", .infer = infer, .bind = bind };

void exchange_append(const exchange *x, graph *g, int count, const store_entry *const *of, tensor **tensors)
{
    for (int first = 0; first < count; first += NODE_OUTPUTS_MAX) {
        group together = { .exchange = *x };
        tensor *in[NODE_OUTPUTS_MAX];
        int size = count - first < NODE_OUTPUTS_MAX ? count - first : NODE_OUTPUTS_MAX;
        for (int i = 0; i < size; ++i) {
            in[i] = op_contiguous(tensors[first + i]);
            together.of[i] = of ? of[first + i] : NULL;
        }
        node *n = graph_node(g, &op_exchange, size, in, &together, sizeof together);
        for (int i = 0; i < size; ++i) tensors[first + i] = n ? n->out[i] : graph_poison(g);
    }
}
