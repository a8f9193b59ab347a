/* ranks.c -- see ranks.h.  A journey is a bucket of tensors: nodes that each take a few of them to the host,
 * a job that sums the bucket over ranks, begun by the last of them, and nodes that bring the means back.
 * SPDX-License-Identifier: MIT */
#include "host/train/ranks.h"

#include "host/base/timing.h"
#include "host/ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* One tensor, from one buffer through the host into another. */
typedef struct passage {
    device_buffer *from, *to;
    int64_t from_bytes, to_bytes; /* where it begins */
    int64_t first, count;         /* in the bucket */
} passage;

struct ranks_journey {
    ranks_traffic *traffic;
    comm *among;
    ranks_journey *next;
    passage *passages;
    node **leaves; /* the nodes that take it away */
    int count, begun;
    bool always; /* of every part */
    bool sum;    /* not the mean, for which it is F32 */
    dtype type;
    void *values;
    int64_t total;
    device_event *gone; /* all has left the device */
    comm_job *job;
    double left, done; /* when */
};

struct ranks_traffic {
    comm *comm;
    int64_t parts, part;
    ranks_journey *first;
    ranks_usage usage;
};

/* The tensors of one node. */
typedef struct some {
    ranks_journey *journey;
    int first, count;
    bool last; /* of the journey */
} some;

ranks_traffic *ranks_traffic_create(graph *g, comm *c, int64_t parts)
{
    ranks_traffic *t = graph_allocate(g, sizeof *t);
    if (t) *t = (ranks_traffic){ .comm = c, .parts = parts, .part = parts - 1 };
    return t;
}

void ranks_begin_part(ranks_traffic *t, int64_t part)
{
    t->part = part;
}

static bool is_due(const ranks_traffic *t, bool always)
{
    return always || t->part == t->parts - 1;
}

/* ---- Leaving ---- */

static int64_t size_of(const ranks_journey *j)
{
    return (int64_t)dtype_bytes(j->type);
}

static void *values_of(const ranks_journey *j, const passage *p)
{
    return (char *)j->values + p->first * size_of(j);
}

/* Scaled first: a sum over ranks is then that over parts. */
static void scale_down(const ranks_journey *j)
{
    const float scale = 1.0f / (float)comm_count(j->among);
    float *values = j->values;
    for (int64_t i = 0; i < j->total; ++i) values[i] *= scale;
}

/* On the comm's thread. */
static bool sum_bucket(void *self, error *err)
{
    ranks_journey *j = self;
    bool ok = device_event_wait(j->gone, err);
    j->left = timing_now();
    if (ok && !j->sum) scale_down(j);
    ok = ok && comm_sum(j->among, j->type, j->values, j->total, err);
    j->done = timing_now();
    return ok;
}

static bool leave(device *d, void *context, error *err)
{
    const some *s = context;
    ranks_journey *j = s->journey;
    if (!is_due(j->traffic, j->always)) return true;
    device_event *made = device_event_record(d, DEVICE_COMPUTE, err);
    bool ok = made != NULL;
    for (int i = s->first; ok && i < s->first + s->count; ++i) {
        const passage *p = &j->passages[i];
        device_event_release(j->gone);
        j->gone = device_read_begin(d, DEVICE_TRANSFER, p->from, p->from_bytes, values_of(j, p),
                                    p->count * size_of(j), made, err);
        ok = j->gone != NULL;
    }
    device_event_release(made);
    if (!ok || !s->last) return ok;
    j->job = comm_begin(j->traffic->comm, sum_bucket, j, err);
    return j->job != NULL;
}

/* For order and for life: who brings the tensors back takes this. */
static bool leave_infer(node *n)
{
    return !node_output(n, DTYPE_F32, 1, (int64_t[]){ 1 })->poison;
}

static bool add_call(const node *n, binder *b, device_call call, const some *s)
{
    some *kept = malloc(sizeof *kept);
    if (!kept) return error_set(binder_error(b), ERROR_MEMORY, "out of memory for what ranks exchange");
    *kept = *s;
    return device_launches_add_call(binder_launches(b), n->def->name, call, kept, binder_error(b));
}

static bool leave_bind(const node *n, binder *b)
{
    const some *s = n->attributes;
    ranks_journey *j = s->journey;
    for (int i = 0; i < s->count; ++i) {
        passage *p = &j->passages[s->first + i];
        int64_t from;
        p->from = binder_buffer(b, n->in[i], &from);
        p->from_bytes = from * size_of(j);
    }
    if (s->last && !j->values) j->values = graph_allocate(n->graph, (size_t)(j->total * size_of(j)));
    if (s->last && !j->values)
        return error_set(binder_error(b), ERROR_MEMORY, "out of memory for %lld values that ranks exchange",
                         (long long)j->total);
    return add_call(n, b, leave, s);
}

static const op_def op_leave = { .name = "ranks_leave", .infer = leave_infer, .bind = leave_bind };

static ranks_journey *new_journey(const ranks_journey *like, graph *g)
{
    ranks_journey *j = graph_allocate(g, sizeof *j);
    if (!j) return NULL;
    *j = *like;
    const size_t count = (size_t)j->count;
    j->next = j->traffic->first;
    j->passages = graph_allocate(g, count * sizeof *j->passages);
    j->leaves = graph_allocate(g, count * sizeof *j->leaves);
    if (!j->passages || !j->leaves) return NULL;
    return j->traffic->first = j;
}

/* What was made last goes where its own inputs are made. */
static tensor *plain_of(graph *g, tensor *x, dtype type)
{
    int before = graph_node_count(g);
    tensor *plain = op_contiguous(op_cast(x, type));
    for (int i = before; i < graph_node_count(g); ++i)
        if (graph_node_count(g) == before + 1) graph_advance(graph_node_at(g, i)->out[0]);
    return plain;
}

static ranks_journey *send(const ranks_journey *like, graph *g, tensor **x)
{
    ranks_journey *j = new_journey(like, g);
    const int count = like->count;
    for (int i = 0; j && i < count; ++i) {
        x[i] = plain_of(g, x[i], j->type);
        if (x[i]->poison) return NULL;
        j->passages[i].first = j->total;
        j->passages[i].count = tensor_count(x[i]);
        j->total += tensor_count(x[i]);
    }
    for (int first = 0; j && first < count; first += NODE_OUTPUTS_MAX) {
        int size = count - first < NODE_OUTPUTS_MAX ? count - first : NODE_OUTPUTS_MAX;
        some s = { j, first, size, first + size == count };
        node *n = graph_node(g, &op_leave, size, x + first, &s, sizeof s);
        if (!n) return NULL;
        if (!j->always) graph_advance(n->out[0]);
        j->leaves[first / NODE_OUTPUTS_MAX] = n;
    }
    return j;
}

ranks_journey *ranks_leave(ranks_traffic *t, graph *g, comm *among, int count, tensor **x)
{
    const ranks_journey like = { .traffic = t, .among = among, .count = count, .type = DTYPE_F32 };
    return send(&like, g, x);
}

ranks_journey *ranks_leave_sum(ranks_traffic *t, graph *g, comm *among, int count, tensor **x)
{
    const ranks_journey like = {
        .traffic = t, .among = among, .count = count, .sum = true, .type = x[0]->type
    };
    return x[0]->poison ? NULL : send(&like, g, x);
}

/* ---- Arriving ---- */

static void count_up(const ranks_journey *j)
{
    ranks_usage *u = &j->traffic->usage;
    double last = 0;
    for (const ranks_journey *k = j->traffic->first; k; k = k->next)
        if (!k->sum && k->left > last) last = k->left; /* what is summed may follow from gradients */
    ++u->sums;
    u->values += j->total;
    u->seconds += j->done - j->left;
    if (last > j->left) u->hidden += (last < j->done ? last : j->done) - j->left;
}

static bool join_job(ranks_journey *j, error *err)
{
    if (!j->job) return true;
    comm_job *job = j->job;
    j->job = NULL;
    if (!comm_end(job, err)) return false;
    device_event_release(j->gone);
    j->gone = NULL;
    count_up(j);
    return true;
}

static bool arrive(device *d, void *context, error *err)
{
    const some *s = context;
    ranks_journey *j = s->journey;
    if (!is_due(j->traffic, j->always)) return true;
    if (!join_job(j, err)) return false;
    /* Until then the memory may be something else's. */
    device_event *free_now = device_event_record(d, DEVICE_COMPUTE, err), *there = NULL;
    bool ok = free_now != NULL;
    for (int i = s->first; ok && i < s->first + s->count; ++i) {
        const passage *p = &j->passages[i];
        device_event_release(there);
        there = device_write_begin(d, DEVICE_TRANSFER, p->to, p->to_bytes, values_of(j, p),
                                   p->count * size_of(j), free_now, err);
        ok = there != NULL;
    }
    ok = ok && device_queue_wait(d, DEVICE_COMPUTE, there, err);
    device_event_release(free_now);
    device_event_release(there);
    return ok;
}

/* Not in place: what two parameters have in common is one tensor, and passes once for each. */
static bool arrive_infer(node *n)
{
    for (int i = 1; i < n->in_count; ++i)
        if (node_output(n, n->in[i]->type, n->in[i]->rank, n->in[i]->dim)->poison) return false;
    return true;
}

static bool arrive_bind(const node *n, binder *b)
{
    const some *s = n->attributes;
    for (int i = 0; i < s->count; ++i) {
        passage *p = &s->journey->passages[s->first + i];
        int64_t to;
        p->to = binder_buffer(b, n->out[i], &to);
        p->to_bytes = to * size_of(s->journey);
    }
    return add_call(n, b, arrive, s);
}

static void arrive_grad(node *n, tensor *const *dout, tensor **din)
{
    for (int i = 1; i < n->in_count; ++i) din[i] = dout[i - 1];
}

static const op_def op_arrive = {
    .name = "ranks_arrive", .infer = arrive_infer, .bind = arrive_bind, .grad = arrive_grad
};

/* What left stays in its place until it is back: nothing else is written over what is being sent. */
void ranks_arrive(ranks_journey *j, graph *g, tensor **x)
{
    for (int first = 0; j && first < j->count; first += NODE_OUTPUTS_MAX) {
        int size = j->count - first < NODE_OUTPUTS_MAX ? j->count - first : NODE_OUTPUTS_MAX;
        some s = { j, first, size, false };
        tensor *in[NODE_INPUTS_MAX] = { j->leaves[first / NODE_OUTPUTS_MAX]->out[0] };
        memcpy(in + 1, x + first, (size_t)size * sizeof *in);
        node *n = graph_node(g, &op_arrive, size + 1, in, &s, sizeof s);
        for (int i = 0; i < size; ++i) x[first + i] = n ? n->out[i] : graph_poison(g);
    }
}

tensor *ranks_mean(ranks_traffic *t, tensor *x)
{
    if (x->poison) return x;
    const ranks_journey like = {
        .traffic = t, .among = t->comm, .count = 1, .always = true, .type = DTYPE_F32
    };
    ranks_journey *j = send(&like, x->graph, &x);
    if (!j) return graph_poison(x->graph);
    ranks_arrive(j, x->graph, &x);
    return x;
}

/* ---- Gathering ---- */

typedef struct gathering {
    ranks_traffic *traffic;
    bool always;
    device_buffer *buffer;
    int64_t at, bytes; /* of one rank's part */
    char *host;
    const int64_t *each;
} gathering;

static bool read_own(device *d, const gathering *a, error *err)
{
    int64_t mine = comm_rank(a->traffic->comm) * a->bytes;
    device_event *made = device_event_record(d, DEVICE_COMPUTE, err),
                 *there = made ? device_read_begin(d, DEVICE_TRANSFER, a->buffer, a->at + mine,
                                                   a->host + mine, a->bytes, made, err)
                               : NULL;
    bool ok = there && device_event_wait(there, err);
    device_event_release(made);
    device_event_release(there);
    return ok;
}

static bool gather(device *d, void *context, error *err)
{
    const gathering *a = context;
    comm *c = a->traffic->comm;
    if (!is_due(a->traffic, a->always)) return true;
    if (!read_own(d, a, err) || !comm_gather(c, a->host + comm_rank(c) * a->bytes, a->host, a->each, err))
        return false;
    device_event *there = device_write_begin(d, DEVICE_TRANSFER, a->buffer, a->at, a->host,
                                             a->bytes * comm_count(c), NULL, err);
    bool ok = there && device_queue_wait(d, DEVICE_COMPUTE, there, err);
    device_event_release(there);
    return ok;
}

static bool gather_infer(node *n)
{
    return !node_output_in_place(n, 0)->poison;
}

static bool gather_bind(const node *n, binder *b)
{
    const tensor *x = n->in[0];
    const int count = comm_count(((const gathering *)n->attributes)->traffic->comm);
    const int64_t size = (int64_t)dtype_bytes(x->type);
    gathering *a = malloc(sizeof *a);
    int64_t *each = graph_allocate(n->graph, (size_t)count * sizeof *each), at;
    if (!a) return error_set(binder_error(b), ERROR_MEMORY, "out of memory for what ranks gather");
    *a = *(const gathering *)n->attributes;
    a->buffer = binder_buffer(b, n->out[0], &at);
    a->at = at * size;
    a->bytes = tensor_count(x) * size / count;
    a->host = graph_allocate(n->graph, (size_t)(a->bytes * count));
    a->each = each;
    if (!each || !a->host) {
        free(a);
        return error_set(binder_error(b), ERROR_MEMORY, "out of memory for what ranks gather");
    }
    for (int r = 0; r < count; ++r) each[r] = a->bytes;
    return device_launches_add_call(binder_launches(b), n->def->name, gather, a, binder_error(b));
}

static void gather_grad(node *n, tensor *const *dout, tensor **din)
{
    (void)n;
    din[0] = dout[0];
}

static const op_def op_gather = {
    .name = "ranks_gather", .infer = gather_infer, .bind = gather_bind, .grad = gather_grad
};

tensor *ranks_gather(ranks_traffic *t, tensor *whole, bool always)
{
    gathering a = { .traffic = t, .always = always };
    return graph_node1(whole->graph, &op_gather, 1, &whole, &a, sizeof a);
}

/* ---- Failures, figures ---- */

void ranks_settle(ranks_traffic *t, graph *g)
{
    for (ranks_journey *j = t->first; j; j = j->next) {
        (void)comm_end(j->job, NULL);
        j->job = NULL;
    }
    (void)device_finish(graph_device(g), NULL);
    for (ranks_journey *j = t->first; j; j = j->next) {
        device_event_release(j->gone);
        j->gone = NULL;
    }
}

ranks_usage ranks_traffic_usage(const ranks_traffic *t)
{
    return t->usage;
}
