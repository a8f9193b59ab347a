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
    tensor *p, *own, *r; /* P' F32; E^T P' of this rank, and of all as their mean, F32 */
};

struct powersgd {
    graph *graph;
    powersgd_settings settings;
    matrix *matrices;
    bundle *bundles;
    int count, most, bundle_count;
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
    p->bundles = graph_allocate(g, (size_t)most * sizeof *p->bundles);
    return p->matrices && p->bundles ? p : NULL;
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

static bundle *bundle_for(powersgd *p, int64_t n, int64_t m)
{
    for (int i = 0; i < p->bundle_count; ++i) {
        bundle *b = &p->bundles[i];
        if (b->n == n && b->m == m && b->count < NODE_INPUTS_MAX) return b;
    }
    bundle *b = &p->bundles[p->bundle_count++];
    tensor *none = graph_poison(p->graph);
    *b = (bundle){ .n = n, .m = m, .p = none, .own = none, .r = none };
    return b;
}

static void put_together(powersgd *p)
{
    for (int i = 0; i < p->count; ++i) {
        matrix *x = &p->matrices[i];
        const int64_t n = rows_of(x->of);
        x->bundle = bundle_for(p, n, x->of->count / n);
        x->place = x->bundle->count;
        x->bundle->members[x->bundle->count++] = x;
    }
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

/* All that does not wait for other ranks comes first, so that the device has work while they are waited
 * for. */
void powersgd_exchange(powersgd *p)
{
    comm *ranks = p->settings.ranks;
    const float mean = 1.0f / (float)comm_count(ranks);
    put_together(p);
    tensor **stack = graph_allocate(p->graph, (size_t)(p->bundle_count + 1) * sizeof(tensor *));
    if (!stack) return;
    for (int i = 0; i < p->bundle_count; ++i) stack[i] = project(p, &p->bundles[i]);
    sum_over_ranks(ranks, p->graph, p->bundle_count, stack);
    for (int i = 0; i < p->bundle_count; ++i) {
        bundle *b = &p->bundles[i];
        stack[i] = op_householder(stack[i], mean, SHIFT);
        b->p = op_cast(stack[i], DTYPE_F32);
        b->own = stack[i] = shares(b, stack[i]);
    }
    sum_over_ranks(ranks, p->graph, p->bundle_count, stack);
    for (int i = 0; i < p->bundle_count; ++i) {
        bundle *b = &p->bundles[i];
        b->own = op_cast(b->own, DTYPE_F32);
        b->r = ranks ? op_scale(op_cast(stack[i], DTYPE_F32), mean) : b->own;
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
