/* powersgd.c -- see powersgd.h.  Matrices are kept transposed, P [r, n], Q and R [r, m], so that their
 * columns lie in one piece.  Those of one shape go together, some at a time: one message and one series of
 * reflections.
 * SPDX-License-Identifier: MIT */
#include "host/train/powersgd.h"

#include "host/ops/ops.h"
#include "host/train/pieces.h"
#include "host/train/sum_over_ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where sums begin early, what is sent together, as other gradients are (division.c). */
#define POWERSGD_BUCKET ((int64_t)4 << 20)

#define SHIFT 1e-6f /* what the paper adds to the diagonal, so that no column is nearly none */

typedef struct bundle bundle;

typedef struct matrix {
    store_entry *of;
    tensor *error; /* as the parameter */
    tensor *scale; /* of the gradient; NULL: none */
    bundle *bundle;
    int place; /* in the bundle */
} matrix;

/* Matrices of one shape: [count, r, ..]. */
struct bundle {
    matrix *members[NODE_INPUTS_MAX];
    int count;
    int64_t n, m;
    tensor *p, *own, *r; /* P'; E^T P' of this rank, and of all as their mean; F32 at the end */
    tensor *sent;        /* P, and then R, as ranks add them up */
    ranks_journey *journey;
};

struct powersgd {
    graph *graph;
    powersgd_settings settings;
    ranks_traffic *traffic; /* NULL: sums are waited for, each where it begins */
    matrix *matrices, **order;
    bundle *bundles, **ends; /* these as the last of each is made */
    int count, most, bundle_count;
    bool early; /* sums begin while the backward pass is at work */
};

static int64_t rows_of(const store_entry *e)
{
    return e->rank ? e->dim[0] : 1;
}

int64_t powersgd_rank_most(const store_entry *e)
{
    if (e->wide || e->rank < 2) return 0;
    const int64_t n = rows_of(e), m = e->count / n;
    return (n * m - 1) / (n + m);
}

bool powersgd_takes(const powersgd_settings *s, const store_entry *e)
{
    return s->rank > 0 && s->rank <= powersgd_rank_most(e);
}

powersgd *powersgd_create(graph *g, const powersgd_settings *s, int most)
{
    powersgd *p = graph_allocate(g, sizeof *p);
    if (!p) return NULL;
    *p = (powersgd){ .graph = g, .settings = *s, .most = most };
    p->settings.ranks = pieces_across(graph_store(g), s->ranks);
    p->matrices = graph_allocate(g, (size_t)most * sizeof *p->matrices);
    p->order = graph_allocate(g, (size_t)most * sizeof *p->order);
    p->bundles = graph_allocate(g, (size_t)most * sizeof *p->bundles);
    p->ends = graph_allocate(g, (size_t)most * sizeof *p->ends);
    return p->matrices && p->order && p->bundles && p->ends ? p : NULL;
}

int powersgd_add(powersgd *p, store_entry *of, tensor *gradient, tensor *scale, int64_t parts)
{
    CHECK(p->count < p->most, "compressed gradient number %d", p->count + 1);
    store_entry *entry = graph_declare_kin(p->graph, of, STORE_ERROR, p->settings.type);
    tensor *kept = entry ? graph_entry(p->graph, entry) : graph_poison(p->graph);
    kept = op_error_add(kept, gradient, scale, 1.0f / (float)parts);
    graph_update(kept);
    if (!kept->poison) graph_advance(kept);
    p->matrices[p->count] = (matrix){ .of = of, .error = kept, .scale = scale };
    return p->count++;
}

/* ---- Bundles ---- */

/* Of how many matrices: where their sums begin early they do not wait for many. */
static int bundle_size(const powersgd *p, int64_t n, int64_t m)
{
    const int64_t bytes = p->settings.rank * (n + m) * (int64_t)dtype_bytes(p->settings.type),
                  some = (POWERSGD_BUCKET + bytes - 1) / bytes;
    return p->early && some < NODE_INPUTS_MAX ? (int)some : NODE_INPUTS_MAX;
}

static bundle *bundle_for(powersgd *p, int64_t n, int64_t m)
{
    for (int i = 0; i < p->bundle_count; ++i) {
        bundle *b = &p->bundles[i];
        if (b->n == n && b->m == m && b->count < bundle_size(p, n, m)) return b;
    }
    bundle *b = &p->bundles[p->bundle_count++];
    tensor *none = graph_poison(p->graph);
    *b = (bundle){ .n = n, .m = m, .p = none, .own = none, .r = none, .sent = none };
    return b;
}

/* As the device makes them, which is alike on all ranks. */
static int made_at(const matrix *x)
{
    return x->error->from ? x->error->from->index : -1;
}

static int by_making(const void *a, const void *b)
{
    return made_at(*(matrix *const *)a) - made_at(*(matrix *const *)b);
}

static int by_end(const void *a, const void *b)
{
    const bundle *first = *(bundle *const *)a, *second = *(bundle *const *)b;
    return made_at(first->members[first->count - 1]) - made_at(second->members[second->count - 1]);
}

static void put_together(powersgd *p)
{
    for (int i = 0; i < p->count; ++i) p->order[i] = &p->matrices[i];
    if (p->count) qsort(p->order, (size_t)p->count, sizeof *p->order, by_making);
    for (int i = 0; i < p->count; ++i) {
        matrix *x = p->order[i];
        const int64_t n = rows_of(x->of);
        x->bundle = bundle_for(p, n, x->of->count / n);
        x->place = x->bundle->count;
        x->bundle->members[x->bundle->count++] = x;
    }
    for (int i = 0; i < p->bundle_count; ++i) p->ends[i] = &p->bundles[i];
    if (p->bundle_count) qsort(p->ends, (size_t)p->bundle_count, sizeof *p->ends, by_end);
}

static tensor *error_matrix(const matrix *x)
{
    return op_reshape(x->error, 2, (int64_t[]){ x->bundle->n, x->bundle->m });
}

/* [1, rows, columns] of each member, one behind the other. */
static tensor *stacked(const bundle *b, tensor *const *of)
{
    tensor *layer[NODE_INPUTS_MAX];
    for (int i = 0; i < b->count; ++i)
        layer[i] = op_reshape(of[i], 3, (int64_t[]){ 1, -1, tensor_last(of[i]) });
    return b->count == 1 ? layer[0] : op_concat(b->count, layer, 0);
}

static tensor *layer_of(tensor *stack, int place)
{
    if (stack->poison) return stack;
    return op_reshape(op_slice(stack, 0, place, 1), 2, (int64_t[]){ stack->dim[1], stack->dim[2] });
}

/* ---- What is sent ---- */

enum { PROJECTION_NAME_MAX = STORE_NAME_MAX + 16 };

static void projection_name(const store_entry *of, char name[PROJECTION_NAME_MAX])
{
    snprintf(name, PROJECTION_NAME_MAX, "powersgd.q.%s", of->name);
}

/* Q^T, which depends on the seed and the parameter's name alone: every rank has the same. */
static tensor *projection(const powersgd *p, const matrix *x)
{
    char name[PROJECTION_NAME_MAX];
    projection_name(x->of, name);
    const int64_t dim[] = { p->settings.rank, x->bundle->m };
    store_entry *e = graph_declare(p->graph, name, STORE_FIXED, p->settings.type, 2, dim);
    if (!e) return graph_poison(p->graph);
    e->init = STORE_NORMAL;
    e->deviation = 1;
    return graph_entry(p->graph, e);
}

static tensor *project(const powersgd *p, const bundle *b)
{
    tensor *of[NODE_INPUTS_MAX];
    for (int i = 0; i < b->count; ++i)
        of[i] = op_matmul_nt(projection(p, b->members[i]), error_matrix(b->members[i]));
    return stacked(b, of);
}

static tensor *shares(const bundle *b, tensor *orthonormal)
{
    tensor *of[NODE_INPUTS_MAX];
    for (int i = 0; i < b->count; ++i)
        of[i] = op_matmul(layer_of(orthonormal, i), error_matrix(b->members[i]));
    return stacked(b, of);
}

static void send(powersgd *p, bundle *b, tensor *what)
{
    b->sent = what;
    if (p->traffic) b->journey = ranks_leave_sum(p->traffic, p->graph, p->settings.ranks, 1, &b->sent);
}

/* From the sum of P to this rank's R, which leaves at once. */
static void answer(powersgd *p, bundle *b)
{
    if (b->journey) ranks_arrive(b->journey, p->graph, &b->sent);
    b->p = op_householder(b->sent, 1.0f / (float)comm_count(p->settings.ranks), SHIFT);
    b->own = shares(b, b->p);
    send(p, b, b->own);
}

/* Nodes from number `first` on go where what they read is made, and not in front of `least`. */
static void advance_from(graph *g, int first, int least)
{
    for (int i = first; i < graph_node_count(g); ++i) {
        node *n = graph_node_at(g, i);
        const int earliest = graph_earliest(n), to = earliest > least ? earliest : least;
        if (to < i) graph_move(n, to);
    }
}

/* Each P leaves when the last of its bundle is made; behind where the next one leaves, the device turns its
 * sum into R, which leaves, too. */
static void leave_early(powersgd *p)
{
    graph *g = p->graph;
    for (int i = 0; i < p->bundle_count; ++i) {
        bundle *b = p->ends[i];
        int first = graph_node_count(g);
        send(p, b, op_contiguous(project(p, b)));
        if (b->sent->poison) return;
        advance_from(g, first, 0);
        first = graph_node_count(g);
        if (i > 0) answer(p, p->ends[i - 1]);
        advance_from(g, first, b->sent->from->index + 2);
    }
}

void powersgd_leave(powersgd *p, ranks_traffic *traffic, int64_t parts)
{
    p->traffic = p->settings.ranks ? traffic : NULL;
    p->early = p->traffic && parts <= 1;
    put_together(p);
    if (p->early) leave_early(p);
}

/* What is sent of all bundles becomes its sum over ranks, where that does not go by itself. */
static void wait_for_sums(powersgd *p)
{
    tensor **sent = graph_allocate(p->graph, (size_t)(p->bundle_count + 1) * sizeof(tensor *));
    if (!sent || p->traffic) return;
    for (int i = 0; i < p->bundle_count; ++i) sent[i] = p->bundles[i].sent;
    sum_over_ranks(p->settings.ranks, p->graph, p->bundle_count, sent);
    for (int i = 0; i < p->bundle_count; ++i) p->bundles[i].sent = sent[i];
}

/* All that does not wait for other ranks comes first, so that the device has work while they are waited
 * for. */
void powersgd_exchange(powersgd *p)
{
    comm *ranks = p->settings.ranks;
    const float mean = 1.0f / (float)comm_count(ranks);
    for (int i = 0; !p->early && i < p->bundle_count; ++i) send(p, p->ends[i], project(p, p->ends[i]));
    wait_for_sums(p);
    for (int i = p->early ? p->bundle_count - 1 : 0; i < p->bundle_count; ++i) answer(p, p->ends[i]);
    wait_for_sums(p);
    for (int i = 0; i < p->bundle_count; ++i) {
        bundle *b = p->ends[i];
        if (b->journey) ranks_arrive(b->journey, p->graph, &b->sent);
        b->p = op_cast(b->p, DTYPE_F32);
        b->own = op_cast(b->own, DTYPE_F32);
        b->r = ranks ? op_scale(op_cast(b->sent, DTYPE_F32), mean) : b->own;
    }
}

/* ---- What comes of it ---- */

/* P' of the matrix times the transposed R, times a scale if there is one, in the parameter's shape. */
static tensor *product(const matrix *x, tensor *r, tensor *scale)
{
    tensor *own = layer_of(r, x->place);
    tensor *whole = op_matmul_tn(layer_of(x->bundle->p, x->place), scale ? op_mul(own, scale) : own);
    return op_reshape(whole, x->of->rank, x->of->dim);
}

tensor *powersgd_gradient(const powersgd *p, int number)
{
    const matrix *x = &p->matrices[number];
    return product(x, x->bundle->r, x->scale);
}

void powersgd_keep(powersgd *p, int number, tensor *scale)
{
    const matrix *x = &p->matrices[number];
    graph_update(op_error_take(x->error, product(x, x->bundle->own, NULL), scale));
}

powersgd_size powersgd_measure(const store *s)
{
    powersgd_size size = { 0 };
    for (int i = 0; i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i);
        char name[PROJECTION_NAME_MAX];
        if (e->kind != STORE_ERROR) continue;
        projection_name(e->of, name);
        const store_entry *q = store_find(s, name);
        if (!q) continue;
        ++size.matrices;
        size.whole += e->count;
        size.sent += q->dim[0] * (rows_of(e) + q->dim[1]);
    }
    return size;
}

/* ---- Checkpoints ---- */

/* A rank's share of a sum, short of as many bits as make the shares' sum exact again. */
static float share_of(float sum, int ranks)
{
    float share = sum / (float)ranks;
    uint32_t bits, less = 1;
    while (less < (uint32_t)ranks) less *= 2;
    memcpy(&bits, &share, sizeof bits);
    if ((bits & 0x7f800000u) != 0x7f800000u) bits &= ~(less - 1);
    memcpy(&share, &bits, sizeof share);
    return share;
}

static bool settle_entry(store *s, store_entry *e, comm *ranks, float *values, error *err)
{
    for (int64_t first = 0, now; first < e->count; first += now) {
        now = e->count - first < STORE_PIECE ? e->count - first : STORE_PIECE;
        if (!store_read_part_f32(s, e, first, now, values, err) ||
            !comm_sum(ranks, DTYPE_F32, values, now, err))
            return false;
        for (int64_t i = 0; i < now; ++i) values[i] = share_of(values[i], comm_count(ranks));
        if (!store_write_part_f32(s, e, first, now, values, err)) return false;
    }
    return true;
}

bool powersgd_settle(store *s, comm *all, error *err)
{
    if (comm_count(all) == 1) return true;
    float *values = malloc(STORE_PIECE * sizeof *values);
    bool ok = values ? true : error_set(err, ERROR_MEMORY, "out of memory for the errors of gradients");
    for (int i = 0; ok && i < store_count(s); ++i) {
        store_entry *e = store_at(s, i);
        comm *ranks = pieces_alike(s, e, all);
        if (ranks && e->kind == STORE_ERROR) ok = settle_entry(s, e, ranks, values, err);
    }
    free(values);
    return ok;
}
