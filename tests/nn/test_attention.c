/* Attention modules against double precision, with gradients of inputs and weights: a stream's attention to
 * another one, with its own keys after that one's and without, and with counts of valid keys; one token of it
 * against kept keys; a stream's attention to itself under no mask; and the names that weights have in a
 * checkpoint.
 * SPDX-License-Identifier: MIT */
#include "host/nn/nn.h"
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

/* Inputs: x, context, then weights [out, in] without bias, and valid.  ints: heads. */
enum { X, CONTEXT, QUERY, CONTEXT_KEY, CONTEXT_VALUE, VALID, KEY, VALUE };

static attention_weights weights_of(const op_case *c, tensor *const *in)
{
    return (attention_weights){ .query.weight = in[QUERY],
                                .key.weight = in[KEY],
                                .value.weight = in[VALUE],
                                .context_key.weight = in[CONTEXT_KEY],
                                .context_value.weight = in[CONTEXT_VALUE],
                                .heads = c->ints[0],
                                .head_size = in[X]->dim[2] / c->ints[0] };
}

static void build_cross(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    attention_weights w = weights_of(c, in);
    out[0] = nn_cross_attention(&w, in[X], in[CONTEXT], in[VALID], NULL);
}

/* Element i of x's row b, t times weight^T. */
static double project(const op_array *x, const op_array *weight, int64_t b, int64_t t, int64_t i)
{
    double sum = 0.0;
    for (int64_t j = 0; j < x->last; ++j)
        sum += x->v[(b * x->dim[1] + t) * x->last + j] * weight->v[i * x->last + j];
    return sum;
}

/* Adds head h of what one query sees, unnormalised, and returns the sum of the weights.  Keys of `from`, the
 * first `count`. */
static double add_stream(const op_array *q, const op_array *from, const op_array *key, const op_array *value,
                         int64_t count, const int64_t at[3], int64_t size, double *y)
{
    const int64_t b = at[0], h = at[2];
    double total = 0.0;
    for (int64_t s = 0; s < count && s < from->dim[1]; ++s) {
        double dot = 0.0;
        for (int64_t d = 0; d < size; ++d) dot += q->v[d] * project(from, key, b, s, h * size + d);
        const double weight = exp(dot / sqrt((double)size));
        total += weight;
        for (int64_t d = 0; d < size; ++d) y[d] += weight * project(from, value, b, s, h * size + d);
    }
    return total;
}

static void one_head(const op_case *c, const op_array *in, const int64_t at[3], double *y)
{
    double asked[64];
    const int64_t size = in[X].last / c->ints[0], b = at[0], t = at[1], h = at[2];
    const op_array q = { .v = asked };
    for (int64_t d = 0; d < size; ++d) asked[d] = project(&in[X], &in[QUERY], b, t, h * size + d);
    const int64_t valid = in[VALID].v ? (int64_t)in[VALID].v[b] : in[CONTEXT].dim[1];
    double total = add_stream(&q, &in[CONTEXT], &in[CONTEXT_KEY], &in[CONTEXT_VALUE], valid, at, size, y);
    if (in[KEY].v) total += add_stream(&q, &in[X], &in[KEY], &in[VALUE], in[X].dim[1], at, size, y);
    for (int64_t d = 0; d < size && total > 0.0; ++d) y[d] /= total;
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const int64_t *dim = in[X].dim, heads = c->ints[0], size = dim[2] / heads;
    for (int64_t i = 0; i < dim[0] * dim[1] * heads; ++i) {
        const int64_t at[3] = { i / heads / dim[1], i / heads % dim[1], i % heads };
        one_head(c, in, at, out[0].v + i * size);
    }
}

/* A stream's attention to itself is cross-attention to itself. */
static void build_self(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    attention_weights w = weights_of(c, in);
    w.key = w.context_key;
    w.value = w.context_value;
    const mask open = { .kind = MASK_BIDIRECTIONAL, .text = (int32_t)in[X]->dim[1], .valid = in[VALID] };
    out[0] = nn_attention(&w, in[X], &open, NULL);
}

static void reference_self(const op_case *c, const op_array *in, op_array *out)
{
    op_array all[OP_CASE_IN];
    memcpy(all, in, sizeof all);
    all[CONTEXT] = in[X];
    reference(c, all, out);
}

/* role: that of the context, of which self-attention knows nothing. */
#define CASE(title, role, batch, queries, size, keys, width, heads, counts, ...) \
    { \
        .name = title, \
        .in = { { 3, { batch, queries, size } }, \
                { 3, { batch, keys, width }, role }, \
                { 2, { size, size } }, \
                { 2, { size, width } }, \
                { 2, { size, width } }, \
                { 1, { batch }, OP_INTEGER, .values = counts }, \
                __VA_ARGS__ }, \
        .ints = { heads }, .tol = 3e-5, .tol16 = 4 \
    }

static const op_case cross[] = {
    CASE("another stream", OP_VALUE, 2, 5, 8, 7, 6, 2, ((double[]){ 7, 7 }), { 0 }),
    CASE("valid keys", OP_VALUE, 3, 3, 8, 7, 6, 1, ((double[]){ 4, 1, 0 }), { 0 }),
    CASE("own keys after the text's", OP_VALUE, 2, 9, 8, 5, 6, 2, ((double[]){ 5, 3 }), { 2, { 8, 8 } },
         { 2, { 8, 8 } }),
    CASE("own keys alone are left", OP_VALUE, 2, 4, 8, 5, 6, 2, ((double[]){ 0, 0 }), { 2, { 8, 8 } },
         { 2, { 8, 8 } }),
};
static const op_case self[] = {
    CASE("no mask", OP_FIXED, 2, 9, 8, 1, 8, 2, ((double[]){ 9, 9 }), { 0 }),
    CASE("valid text", OP_FIXED, 2, 9, 8, 1, 8, 2, ((double[]){ 4, 1 }), { 0 }),
};

/* ---- One token of it ---- */

enum { BATCH = 3, KEYS = 7, SIZE = 16, WIDTH = 12, HEADS = 2 };

/* nn_cross_attention_step is x plus the output layer of nn_cross_attention of norm(x), for one query. */
static int check_step(int shape)
{
    rig r = rig_open(shape);
    graph *g = r.graph;
    attention_weights w = nn_cross_attention_weights(g, "cross", SIZE, WIDTH, HEADS, false, 0.5f, 0.5f);
    norm_weights norm = nn_norm_weights(g, "norm", SIZE);
    tensor *x = rig_input(&r, "x", DTYPE_F32, RIG_DIM(BATCH, 1, SIZE));
    tensor *context = rig_input(&r, "context", DTYPE_F32, RIG_DIM(BATCH, KEYS, WIDTH));
    tensor *valid = rig_input(&r, "valid", DTYPE_I32, RIG_DIM(BATCH));
    attention_fill kept;
    tensor *whole = nn_cross_attention(&w, nn_norm(&norm, x), context, valid, &kept);
    whole = nn_linear_add(&w.output, whole, x);
    tensor *step = nn_cross_attention_step(&w, &norm, x, &kept, valid);
    graph_keep(whole);
    graph_keep(step);
    error err = { 0 };
    rig_must(store_allocate(r.store, 5, &err), &err, "store_allocate");
    rig_compile(&r);
    float values[BATCH * KEYS * WIDTH], got[2][BATCH * SIZE];
    rig_fill(values, BATCH * SIZE, 1, -1, 1);
    rig_write(x, values);
    rig_fill(values, BATCH * KEYS * WIDTH, 2, -1, 1);
    rig_write(context, values);
    rig_write(valid, (int32_t[]){ 7, 1, 0 });
    rig_run(&r);
    rig_read(whole, got[0]);
    rig_read(step, got[1]);
    rig_close(&r);
    for (int i = 0; i < BATCH * SIZE; ++i) {
        if (fabsf(got[0][i] - got[1][i]) <= 1e-5f) continue;
        fprintf(stderr, "nn_cross_attention_step: %d is %g, not %g\n", i, (double)got[1][i],
                (double)got[0][i]);
        return 1;
    }
    return 0;
}

/* ---- Names ---- */

static int expect_names(store *s, const char *layer, bool own)
{
    static const char *const names[] = { "query", "context_key", "context_value", "output", "key", "value" };
    int wrong = 0;
    for (int i = 0; i < 6; ++i) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s.weight", layer, names[i]);
        if ((store_find(s, name) != NULL) == (i < 4 || own)) continue;
        fprintf(stderr, "%s %s\n", name, i < 4 || own ? "is missing" : "should not be there");
        ++wrong;
    }
    return wrong;
}

static int check_names(void)
{
    rig r = rig_open(0);
    nn_cross_attention_weights(r.graph, "alone", SIZE, WIDTH, HEADS, false, 0.1f, 0.1f);
    nn_cross_attention_weights(r.graph, "both", SIZE, WIDTH, HEADS, true, 0.1f, 0.1f);
    int wrong = expect_names(r.store, "alone", false) + expect_names(r.store, "both", true);
    rig_close(&r);
    return wrong;
}

int main(void)
{
    int wrong = check_names();
    for (int shape = 0; shape < RIG_SHAPES; ++shape) wrong += check_step(shape);
    int status =
        op_check_all(2, (op_test[]){ { "nn_cross_attention", build_cross, reference, OP_CASES(cross) },
                                     { "nn_attention", build_self, reference_self, OP_CASES(self) } });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
