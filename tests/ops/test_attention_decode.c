/* One-token attention against a naive sum over mask_visible, at every kind of mask, with the token's own key and value
 * put into the cache; and that a picture's result has the same bits alone and in a batch.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static mask case_mask(const op_case *c)
{
    return (mask){ (mask_kind)c->ints[0], (int32_t)c->ints[1], (int32_t)c->ints[2], (int32_t)c->ints[3] };
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    mask m = case_mask(c);
    out[0] = op_attention_decode(in[0], in[1], in[2], in[3], in[4], &m, in[5], 0.375f);
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
            if (!mask_visible(&m, at, key)) continue;
            const double *k = key == at ? in[1].v + pair * head : in[3].v + (pair * length + key) * head;
            const double *v = key == at ? in[2].v + pair * head : in[4].v + (pair * length + key) * head;
            double dot = 0.0;
            for (int64_t d = 0; d < head; ++d) dot += q[d] * k[d];
            double weight = exp(0.375 * dot);
            total += weight;
            for (int64_t d = 0; d < head; ++d) y[d] += weight * v[d];
        }
        for (int64_t d = 0; d < head; ++d) y[d] /= total;
    }
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

static const op_case cases[] = {
    CASE("first token", 2, 3, 21, 8, 0, MASK_ROW, 5, 4, 3),
    CASE("text", 2, 3, 21, 8, 3, MASK_COLUMN, 5, 4, 3),
    CASE("full", 2, 3, 21, 8, 18, MASK_FULL, 5, 4, 3),
    CASE("row", 2, 3, 21, 37, 18, MASK_ROW, 5, 4, 3),
    CASE("column", 2, 3, 21, 8, 20, MASK_COLUMN, 5, 4, 3),
    CASE("conv", 1, 2, 52, 8, 45, MASK_CONV, 3, 7, 5),
    CASE("conv wider than the image", 1, 2, 19, 8, 17, MASK_CONV, 3, 4, 11),
    CASE("no text", 1, 2, 16, 16, 15, MASK_CONV, 0, 4, 3),
    { .name = "several tiles",
      .in = { { 4, { 1, 2, 1, 8 }, OP_FIXED },
              { 4, { 1, 2, 1, 8 }, OP_FIXED },
              { 4, { 1, 2, 1, 8 }, OP_FIXED },
              { 4, { 1, 2, 600, 8 }, OP_STATE },
              { 4, { 1, 2, 600, 8 }, OP_STATE },
              { 1, { 1 }, OP_INTEGER, 599, 599 } },
      .ints = { MASK_FULL, 24, 24, 3 },
      .large = true },
    { .name = "two queries",
      .in = { { 4, { 1, 2, 2, 16 }, OP_FIXED },
              { 4, { 1, 2, 2, 16 }, OP_FIXED },
              { 4, { 1, 2, 2, 16 }, OP_FIXED },
              { 4, { 1, 2, 9, 16 }, OP_STATE },
              { 4, { 1, 2, 9, 16 }, OP_STATE },
              { 1, { 1 }, OP_INTEGER, 5, 5 } },
      .ints = { MASK_FULL, 5, 2, 3 },
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
    int status = op_check_main(&(op_test){ "attention_decode", build, reference, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
