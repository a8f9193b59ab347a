/* One-token attention against a naive sum over mask_visible, at every kind of mask, with the token's own key
 * and value put into the cache or none; with counts of valid keys; and that a picture's result has the same
 * bits alone and in a batch.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static mask case_mask(const op_case *c)
{
    return (mask){ (mask_kind)c->ints[0], (int32_t)c->ints[1], (int32_t)c->ints[2], (int32_t)c->ints[3] };
}

/* in: q, key, value, keys, values, position, valid */
static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    mask m = case_mask(c);
    m.valid = in[6];
    out[0] = op_attention_decode(in[0], in[1], in[2], in[3], in[4], &m, in[5], 0.375f);
}

static bool sees(const mask *m, const op_array *valid, int64_t sample, int at, int key)
{
    if (valid->v && key < m->text && key >= (int)valid->v[sample]) return false;
    return m->kind == MASK_BIDIRECTIONAL || mask_visible(m, at, key);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    mask m = case_mask(c);
    int64_t length = in[3].dim[2], head = in[3].dim[3], pairs = in[3].dim[0] * in[3].dim[1];
    int at = (int)in[5].v[0];
    for (int64_t pair = 0; pair < pairs; ++pair) {
        const double *q = in[0].v + pair * head;
        double *y = out[0].v + pair * head, total = 0.0;
        for (int key = 0; key < length; ++key) {
            if (!sees(&m, &in[6], pair / in[3].dim[1], at, key)) continue;
            const double *k = key == at ? in[1].v + pair * head : in[3].v + (pair * length + key) * head;
            const double *v = key == at ? in[2].v + pair * head : in[4].v + (pair * length + key) * head;
            double dot = 0.0;
            for (int64_t d = 0; d < head; ++d) dot += q[d] * k[d];
            double weight = exp(0.375 * dot);
            total += weight;
            for (int64_t d = 0; d < head; ++d) y[d] += weight * v[d];
        }
        for (int64_t d = 0; d < head && total > 0.0; ++d) y[d] /= total;
    }
}

/* A cache that is read only, from the stream's last place: in: q, keys, values, valid */
static void build_fixed(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    mask m = case_mask(c);
    m.valid = in[3];
    out[0] = op_attention_decode(in[0], NULL, NULL, in[1], in[2], &m, NULL, 0.375f);
}

static void reference_fixed(const op_case *c, const op_array *in, op_array *out)
{
    double at = (double)in[1].dim[2] - 1;
    const op_array position = { 1, { 1 }, 1, 1, 1, &at };
    /* Its own key and value, which the cache has already. */
    int64_t pairs = in[0].rows, head = in[0].last, length = in[1].dim[2];
    op_array own[2] = { in[0], in[0] };
    for (int i = 0; i < 2; ++i) {
        own[i].v = malloc((size_t)own[i].count * sizeof(double));
        for (int64_t j = 0; j < pairs * head; ++j)
            own[i].v[j] = in[1 + i].v[(j / head * length + length - 1) * head + j % head];
    }
    reference(c, (const op_array[]){ in[0], own[0], own[1], in[1], in[2], position, in[3] }, out);
    for (int i = 0; i < 2; ++i) free(own[i].v);
}

#define CASE(title, batch, heads, length, head, at, ...) \
    { \
        .name = title, .in = { { 4, { batch, heads, 1, head }, OP_FIXED }, \
                               { 4, { batch, heads, 1, head }, OP_FIXED }, \
                               { 4, { batch, heads, 1, head }, OP_FIXED }, \
                               { 4, { batch, heads, length, head }, OP_STATE }, \
                               { 4, { batch, heads, length, head }, OP_STATE }, \
                               { 1, { 1 }, OP_INTEGER, at, at } }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }

#define COUNTED(title, batch, heads, length, head, at, counts, ...) \
    { \
        .name = title, .in = { { 4, { batch, heads, 1, head }, OP_FIXED }, \
                               { 4, { batch, heads, 1, head }, OP_FIXED }, \
                               { 4, { batch, heads, 1, head }, OP_FIXED }, \
                               { 4, { batch, heads, length, head }, OP_STATE }, \
                               { 4, { batch, heads, length, head }, OP_STATE }, \
                               { 1, { 1 }, OP_INTEGER, at, at }, \
                               { 1, { batch }, OP_INTEGER, .values = counts } }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }
#define READ(title, batch, heads, length, head, role, ...) \
    { \
        .name = title, \
        .in = { { 4, { batch, heads, 1, head }, OP_FIXED }, \
                { 4, { batch, heads, length, head }, role }, \
                { 4, { batch, heads, length, head }, role } }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }
#define READ_COUNTED(title, batch, heads, length, head, counts, ...) \
    { \
        .name = title, \
        .in = { { 4, { batch, heads, 1, head }, OP_FIXED }, \
                { 4, { batch, heads, length, head }, OP_FIXED }, \
                { 4, { batch, heads, length, head }, OP_FIXED }, \
                { 1, { batch }, OP_INTEGER, .values = counts } }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }

static const op_case fixed[] = {
    READ("another stream", 2, 3, 21, 8, OP_FIXED, MASK_BIDIRECTIONAL, 0, 0, 0),
    READ("another stream's cache", 2, 3, 21, 37, OP_STATE, MASK_BIDIRECTIONAL, 0, 0, 0),
    READ("one key", 2, 3, 1, 8, OP_FIXED, MASK_BIDIRECTIONAL, 0, 0, 0),
    READ("own stream", 2, 3, 19, 8, OP_FIXED, MASK_ROW, 5, 4, 3),
    READ_COUNTED("valid keys", 3, 2, 21, 8, ((double[]){ 5, 1, 21 }), MASK_BIDIRECTIONAL, 21, 0, 0),
    READ_COUNTED("no valid key", 2, 2, 21, 8, ((double[]){ 0, 17 }), MASK_BIDIRECTIONAL, 21, 0, 0),
    READ_COUNTED("counts out of range", 2, 2, 21, 8, ((double[]){ -3, 99 }), MASK_BIDIRECTIONAL, 21, 0, 0),
    READ_COUNTED("text before the picture", 3, 2, 21, 8, ((double[]){ 4, 0, 9 }), MASK_BIDIRECTIONAL, 9, 0,
                 0),
    { .name = "counts of another batch",
      .in = { { 4, { 2, 2, 1, 8 }, OP_FIXED },
              { 4, { 2, 2, 9, 8 }, OP_FIXED },
              { 4, { 2, 2, 9, 8 }, OP_FIXED },
              { 1, { 3 }, OP_INTEGER, 1, 4 } },
      .ints = { MASK_BIDIRECTIONAL, 9 },
      .fails = "attention_decode: valid must be [2], not [3]" },
};

static const op_case cases[] = {
    CASE("first token", 2, 3, 21, 8, 0, MASK_ROW, 5, 4, 3),
    CASE("text", 2, 3, 21, 8, 3, MASK_COLUMN, 5, 4, 3),
    CASE("causal", 2, 3, 21, 8, 18, MASK_CAUSAL, 5, 4, 3),
    CASE("row", 2, 3, 21, 37, 18, MASK_ROW, 5, 4, 3),
    CASE("column", 2, 3, 21, 8, 20, MASK_COLUMN, 5, 4, 3),
    CASE("conv", 1, 2, 52, 8, 45, MASK_CONV, 3, 7, 5),
    CASE("conv wider than the image", 1, 2, 19, 8, 17, MASK_CONV, 3, 4, 11),
    CASE("no text", 1, 2, 16, 16, 15, MASK_CONV, 0, 4, 3),
    COUNTED("causal, valid text", 3, 2, 21, 8, 18, ((double[]){ 2, 5, 0 }), MASK_CAUSAL, 5, 4, 3),
    COUNTED("text that is not valid", 3, 2, 21, 8, 3, ((double[]){ 2, 5, 0 }), MASK_ROW, 5, 4, 3),
    COUNTED("row, valid text", 2, 2, 41, 8, 33, ((double[]){ 1, 4 }), MASK_ROW, 5, 6, 3),
    COUNTED("column, valid text", 2, 2, 41, 8, 40, ((double[]){ 3, 0 }), MASK_COLUMN, 5, 6, 3),
    COUNTED("conv, valid text", 2, 2, 41, 8, 38, ((double[]){ 2, 0 }), MASK_CONV, 5, 6, 5),
    { .name = "several tiles",
      .in = { { 4, { 1, 2, 1, 8 }, OP_FIXED },
              { 4, { 1, 2, 1, 8 }, OP_FIXED },
              { 4, { 1, 2, 1, 8 }, OP_FIXED },
              { 4, { 1, 2, 600, 8 }, OP_STATE },
              { 4, { 1, 2, 600, 8 }, OP_STATE },
              { 1, { 1 }, OP_INTEGER, 599, 599 } },
      .ints = { MASK_CAUSAL, 24, 24, 3 },
      .large = true },
    { .name = "two queries",
      .in = { { 4, { 1, 2, 2, 16 }, OP_FIXED },
              { 4, { 1, 2, 2, 16 }, OP_FIXED },
              { 4, { 1, 2, 2, 16 }, OP_FIXED },
              { 4, { 1, 2, 9, 16 }, OP_STATE },
              { 4, { 1, 2, 9, 16 }, OP_STATE },
              { 1, { 1 }, OP_INTEGER, 5, 5 } },
      .ints = { MASK_CAUSAL, 5, 2, 3 },
      .fails = "is not one token" },
};

enum { HEADS = 2, LENGTH = 40, HEAD = 24, BATCH = 3 };

static void decode(int shape, int64_t batch, const float *q, const float *k, const float *v, float *y)
{
    rig r = rig_open(shape);
    tensor *query = rig_input(&r, "q", DTYPE_F32, RIG_DIM(batch, HEADS, 1, HEAD));
    tensor *keys = rig_state(&r, "k", DTYPE_F32, RIG_DIM(batch, HEADS, LENGTH, HEAD));
    tensor *values = rig_state(&r, "v", DTYPE_F32, RIG_DIM(batch, HEADS, LENGTH, HEAD));
    tensor *position = rig_input(&r, "position", DTYPE_I32, RIG_DIM(1));
    mask m = { MASK_ROW, 4, 6, 3 };
    tensor *out = op_attention_decode(query, query, query, keys, values, &m, position, 0.2f);
    graph_keep(out);
    rig_compile(&r);
    rig_write(query, q);
    rig_write(keys, k);
    rig_write(values, v);
    rig_write(position, &(int32_t){ 33 });
    rig_run(&r);
    rig_read(out, y);
    rig_close(&r);
}

static int check_batch(int shape)
{
    float q[BATCH * HEADS * HEAD], k[BATCH * HEADS * LENGTH * HEAD], v[BATCH * HEADS * LENGTH * HEAD];
    float together[BATCH * HEADS * HEAD], alone[HEADS * HEAD];
    rig_fill(q, BATCH * HEADS * HEAD, 1, -1, 1);
    rig_fill(k, BATCH * HEADS * LENGTH * HEAD, 2, -1, 1);
    rig_fill(v, BATCH * HEADS * LENGTH * HEAD, 3, -1, 1);
    decode(shape, BATCH, q, k, v, together);
    int at = (BATCH - 1) * HEADS;
    decode(shape, 1, q + at * HEAD, k + at * LENGTH * HEAD, v + at * LENGTH * HEAD, alone);
    if (memcmp(alone, together + at * HEAD, sizeof alone) == 0) return 0;
    fprintf(stderr, "attention_decode: a result depends on the batch it is in\n");
    return 1;
}

int main(void)
{
    int wrong = 0;
    for (int shape = 0; shape < RIG_SHAPES; ++shape) wrong += check_batch(shape);
    int status =
        op_check_all(2, (op_test[]){ { "attention_decode", build, reference, OP_CASES(cases) },
                                     { "attention_decode", build_fixed, reference_fixed, OP_CASES(fixed) } });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
