/* gather.c -- see gather.h.  A flight is one array on its way: read from the device on the transfer queue,
 * once the compute queue is where it began; a job on the comm's thread; and written to the device, to memory
 * that is the result's from the beginning on, so that this too is done while the device is at something else.
 * SPDX-License-Identifier: MIT */
#include "host/train/gather.h"

#include "host/graph/split.h"
#include "host/ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* From one buffer through the host into another. */
typedef struct passage {
    gather_group *group;
    bool scatters; /* a gradient to the pieces; otherwise pieces to the whole */
    device_buffer *from, *to;
    int64_t from_at, to_at;
    int64_t bytes, run; /* of the piece; of what of it lies together in the whole */
} passage;

struct gather_flight {
    gather_flight *next;
    passage way;
    device *device;
    device_event *begun, *read, *written;
    comm_job *job;
    bool arrived;
    char *in, *out; /* as it is read, and as it is written */
    int64_t *each;  /* bytes, or values, of every rank's part */
};

/* One node that begins, and the flight that it has begun: the copy that is computed again has its own. */
typedef struct departure {
    struct departure *next;
    const node *from;
    passage way;
    gather_flight *flight;
} departure;

/* The attributes of both nodes. */
typedef struct route {
    gather_group *group;
    int axis;
    bool scatters;
    departure **departures; /* in the graph's arena, for it and its copies */
} route;

/* ---- On the comm's thread ---- */

static int64_t all_bytes(const passage *p)
{
    return p->bytes * p->group->count;
}

/* Parts one behind the other become the whole, whose rows have a run of each; or back. */
static void arrange(const passage *p, char *whole, char *parts, bool back)
{
    const int64_t rows = p->bytes / p->run;
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t r = 0; r < p->group->count; ++r) {
            char *a = whole + (row * p->group->count + r) * p->run, *b = parts + r * p->bytes + row * p->run;
            memcpy(back ? b : a, back ? a : b, (size_t)p->run);
        }
}

static char *room(int64_t bytes, error *err)
{
    char *memory = malloc((size_t)bytes);
    if (!memory)
        return error_null(err, ERROR_MEMORY, "out of memory for %lld bytes of a parameter", (long long)bytes);
    return memory;
}

/* Puts f->in in the other order, where that is another. */
static bool rearrange(gather_flight *f, bool back, error *err)
{
    const passage *p = &f->way;
    if (p->run == p->bytes) return true;
    char *other = room(all_bytes(p), err);
    if (!other) return false;
    arrange(p, back ? f->in : other, back ? other : f->in, back);
    free(f->in);
    f->in = other;
    return true;
}

static bool bring_pieces(void *self, error *err)
{
    gather_flight *f = self;
    const passage *p = &f->way;
    if (!device_event_wait(f->read, err) ||
        !comm_gather(p->group->comm, f->in + p->group->place * p->bytes, f->in, f->each, err) ||
        !rearrange(f, false, err))
        return false;
    f->out = f->in;
    f->in = NULL;
    return true;
}

/* Scaled first, as a sum over parts is. */
static bool bring_gradient(void *self, error *err)
{
    gather_flight *f = self;
    const passage *p = &f->way;
    const float scale = 1.0f / (float)p->group->count;
    if (!device_event_wait(f->read, err) || !rearrange(f, true, err)) return false;
    float *values = (float *)(void *)f->in;
    for (int64_t i = 0, all = all_bytes(p) / (int64_t)sizeof *values; i < all; ++i) values[i] *= scale;
    if (!(f->out = room(p->bytes, err)) ||
        !comm_sum_part(p->group->comm, values, (float *)(void *)f->out, f->each, err))
        return false;
    free(f->in);
    f->in = NULL;
    return true;
}

/* ---- Flights ---- */

static void forget(gather_flight *f)
{
    device_event_release(f->begun);
    device_event_release(f->read);
    device_event_release(f->written);
    device_free_host(f->device, f->in);
    device_free_host(f->device, f->out);
    free(f->each);
    free(f);
}

/* Into the device, as soon as it is there. */
static bool deliver(gather_flight *f, error *err)
{
    const passage *p = &f->way;
    if (f->job) {
        comm_job *job = f->job;
        f->job = NULL;
        if (!comm_end(job, err)) return false;
    }
    if (!f->written)
        f->written = device_write_begin(f->device, DEVICE_TRANSFER, p->to, p->to_at, f->out,
                                        p->scatters ? p->bytes : all_bytes(p), f->begun, err);
    return f->written != NULL;
}

/* Delivers what has ended; and forgets what has arrived, for which the device need not wait any more: it has
 * later work. */
static bool look_after(gather_group *group, error *err)
{
    for (gather_flight **at = &group->first; *at;) {
        gather_flight *f = *at;
        if (f->arrived) {
            if (!device_event_wait(f->written, err)) return false;
            *at = f->next;
            forget(f);
        } else {
            if (f->job && comm_is_over(f->job) && !deliver(f, err)) return false;
            at = &f->next;
        }
    }
    return true;
}

static bool take_off(gather_flight *f, error *err)
{
    const passage *p = &f->way;
    gather_group *group = p->group;
    const int64_t in = all_bytes(p), own = p->scatters ? 0 : group->place * p->bytes;
    f->in = room(in, err);
    f->each = f->in ? malloc((size_t)group->count * sizeof *f->each) : NULL;
    if (f->in && !f->each) return error_set(err, ERROR_MEMORY, "out of memory for %d ranks", group->count);
    for (int r = 0; f->each && r < group->count; ++r)
        f->each[r] = p->scatters ? p->bytes / (int64_t)sizeof(float) : p->bytes;
    if (!f->in || !(f->begun = device_event_record(f->device, DEVICE_COMPUTE, err)) ||
        !(f->read = device_read_begin(f->device, DEVICE_TRANSFER, p->from, p->from_at, f->in + own,
                                      p->scatters ? in : p->bytes, f->begun, err)))
        return false;
    f->job = comm_begin(group->comm, p->scatters ? bring_gradient : bring_pieces, f, err);
    return f->job != NULL;
}

static bool begin(device *d, void *context, error *err)
{
    departure *from = *(departure **)context;
    if (!look_after(from->way.group, err)) return false;
    gather_flight *f = calloc(1, sizeof *f), **last = &from->way.group->first;
    if (!f) return error_set(err, ERROR_MEMORY, "out of memory for what ranks gather");
    *f = (gather_flight){ .way = from->way, .device = d };
    while (*last) last = &(*last)->next;
    *last = from->flight = f;
    return take_off(f, err);
}

static bool arrive(device *d, void *context, error *err)
{
    departure *from = *(departure **)context;
    gather_flight *f = from->flight;
    if (!look_after(from->way.group, err)) return false;
    from->flight = NULL;
    f->arrived = true;
    return deliver(f, err) && device_queue_wait(d, DEVICE_COMPUTE, f->written, err);
}

void gather_settle(gather_group *group)
{
    device *d = group->first ? group->first->device : NULL;
    for (gather_flight *f = group->first; f; f = f->next) {
        (void)comm_end(f->job, NULL);
        f->job = NULL;
    }
    if (d) (void)device_finish(d, NULL);
    for (gather_flight *f; (f = group->first);) {
        group->first = f->next;
        forget(f);
    }
}

/* ---- Nodes ---- */

static bool begin_infer(node *n)
{
    const route *a = n->attributes;
    const tensor *x = n->in[0];
    int64_t dim[TENSOR_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[a->axis] = a->scatters ? dim[a->axis] / a->group->count : dim[a->axis] * a->group->count;
    return !node_output(n, x->type, x->rank, dim)->poison;
}

/* What a launch keeps, and frees. */
static bool add_call(const node *n, binder *b, device_call call, departure *from)
{
    departure **kept = malloc(sizeof(departure *));
    if (!kept) return error_set(binder_error(b), ERROR_MEMORY, "out of memory for what ranks gather");
    *kept = from;
    return device_launches_add_call(binder_launches(b), n->def->name, call, kept, binder_error(b));
}

static bool begin_bind(const node *n, binder *b)
{
    const route *a = n->attributes;
    const tensor *piece = a->scatters ? n->out[0] : n->in[0];
    const int64_t size = (int64_t)dtype_bytes(piece->type);
    departure *from = graph_allocate(n->graph, sizeof *from);
    if (!from) return error_set(binder_error(b), ERROR_MEMORY, "out of memory for what ranks gather");
    *from = (departure){ .next = *a->departures, .from = n };
    passage *p = &from->way;
    *p = (passage){
        .group = a->group, .scatters = a->scatters, .bytes = tensor_count(piece) * size, .run = size
    };
    for (int i = a->axis; i < piece->rank; ++i) p->run *= piece->dim[i];
    p->from = binder_buffer(b, n->in[0], &p->from_at);
    p->to = binder_buffer(b, n->out[0], &p->to_at);
    p->from_at *= size;
    p->to_at *= size;
    *a->departures = from;
    return add_call(n, b, begin, from);
}

static tensor *append(const route *a, tensor *x);

static void begin_grad(node *n, tensor *const *dout, tensor **din)
{
    route back = *(const route *)n->attributes;
    back.scatters = true;
    din[0] = append(&back, op_contiguous(op_cast(dout[0], DTYPE_F32)));
}

/* What is sent stays in its place until all is there. */
static bool arrive_infer(node *n)
{
    return !node_output_in_place(n, 0)->poison;
}

static bool arrive_bind(const node *n, binder *b)
{
    const route *a = n->attributes;
    departure *from = *a->departures;
    while (from && from->from != n->in[0]->from) from = from->next;
    CHECK(from, "%s arrives before it has begun (%d)", n->name, n->index);
    return add_call(n, b, arrive, from);
}

static void arrive_grad(node *n, tensor *const *dout, tensor **din)
{
    (void)n;
    din[0] = dout[0];
}

static const op_def op_begin = {
    .name = "gather_begin", .infer = begin_infer, .bind = begin_bind, .grad = begin_grad
};
static const op_def op_arrive = {
    .name = "gather_arrive", .infer = arrive_infer, .bind = arrive_bind, .grad = arrive_grad
};

static tensor *append(const route *a, tensor *x)
{
    route own = *a;
    if (x->poison) return x;
    if (!(own.departures = graph_allocate(x->graph, sizeof(departure *)))) return graph_poison(x->graph);
    tensor *result = graph_node1(x->graph, &op_begin, 1, &x, &own, sizeof own);
    return graph_node1(x->graph, &op_arrive, 2, (tensor *[]){ result, x }, &own, sizeof own);
}

tensor *gather_whole(gather_group *group, tensor *x, int axis)
{
    const route a = { .group = group, .axis = axis };
    return append(&a, x);
}

/* ---- Their order ---- */

static bool is_one(const node *n, const op_def *def, bool scatters)
{
    return n->def == def && ((const route *)n->attributes)->scatters == scatters;
}

/* Of the parameter whose whole a node has. */
static const char *name_of(const node *arrives)
{
    const tensor *x = arrives->in[1];
    const store_entry *e = graph_entry_of(x->from ? x->from->in[0] : x);
    return e ? e->name : "";
}

/* The next node behind `at` that has a whole, if it is before `end`; otherwise `at`. */
static const node *next_whole(graph *g, const node *at, const node *end)
{
    for (int i = at->index + 1; i < end->index; ++i)
        if (is_one(graph_node_at(g, i), &op_arrive, false)) return graph_node_at(g, i);
    return at;
}

/* Where of the block before the whole of the same place is wanted: so one comes as another goes. */
static void begin_early(graph *g)
{
    const node *first = NULL, *before = NULL; /* of this block; of the one before, that of the same place */
    const char *name = "";
    for (int i = 0; i < graph_node_count(g); ++i) {
        const node *n = graph_node_at(g, i);
        if (!is_one(n, &op_arrive, false)) continue;
        const bool follows = first && graph_segment_of(g, first->index) == graph_segment_of(g, i);
        if (follows && split_together(name, name_of(n))) {
            before = next_whole(g, before, first);
        } else {
            before = follows ? first : n;
            first = n;
        }
        name = name_of(n);
        node *begins = n->in[0]->from;
        const int least = graph_earliest(begins), to = before->index > least ? before->index : least;
        if (to < begins->index && graph_segment_of(g, to) == graph_segment_of(g, i)) graph_move(begins, to);
    }
}

static bool reads(const node *n, const tensor *x)
{
    for (int k = 0; k < n->in_count; ++k)
        if (n->in[k] && n->in[k]->storage == x->storage) return true;
    return false;
}

static void arrive_late(graph *g)
{
    node *late = NULL;
    for (int i = 0; i < graph_node_count(g); ++i) {
        node *n = graph_node_at(g, i);
        if (late && (reads(n, late->out[0]) || graph_segment_of(g, i) != graph_segment_of(g, late->index))) {
            graph_move(late, i - 1);
            late = NULL;
        } else if (late && is_one(n, &op_begin, true)) {
            graph_move(late, i);
            late = NULL;
        }
        if (is_one(n, &op_arrive, true)) late = n;
    }
    if (late) graph_move(late, graph_node_count(g) - 1);
}

void gather_ahead(graph *g)
{
    begin_early(g);
    arrive_late(g);
}
