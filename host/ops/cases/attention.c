/* attention.c -- fused attention against naive sums over mask_visible, at every kind of mask, with streams
 * that end before the image does, and tiles that lie across text and image; with other numbers of queries
 * than of keys, and counts of valid keys, none among them. ints: the mask's kind, text, side, window;
 * reals[0]: the scale, 0: 0.375.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "host/ops/cases/op_case.h"

#include <math.h>

static mask case_mask(const op_case *c)
{
    return (mask){
        (mask_kind)c->ints[0], (int32_t)c->ints[1], (int32_t)c->ints[2], (int32_t)c->ints[3], 0, NULL
    };
}

static double case_scale(const op_case *c)
{
    return c->reals[0] > 0 ? c->reals[0] : 0.375;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    mask m = case_mask(c);
    m.valid = in[3];
    out[0] = op_attention(in[0], in[1], in[2], &m, (float)case_scale(c));
}

static bool sees(const mask *m, const op_array *valid, int64_t b, int64_t place, int64_t key)
{
    if (valid->v && key < m->text && key >= (int64_t)valid->v[b]) return false;
    return m->kind == MASK_BIDIRECTIONAL || mask_visible(m, (int32_t)place, (int32_t)key);
}

static void one_query(const op_case *c, const op_array *in, int64_t b, int64_t t, int64_t h, double *y)
{
    mask m = case_mask(c);
    int64_t queries = in[0].dim[1], length = in[1].dim[1], heads = in[0].dim[2], size = in[0].dim[3];
    const double *q = in[0].v + ((b * queries + t) * heads + h) * size;
    double total = 0.0;
    for (int64_t s = 0; s < length; ++s) {
        if (!sees(&m, &in[3], b, length - queries + t, s)) continue;
        const double *k = in[1].v + ((b * length + s) * heads + h) * size;
        const double *v = in[2].v + ((b * length + s) * heads + h) * size;
        double dot = 0.0;
        for (int64_t d = 0; d < size; ++d) dot += q[d] * k[d];
        double weight = exp(case_scale(c) * dot);
        total += weight;
        for (int64_t d = 0; d < size; ++d) y[d] += weight * v[d];
    }
    for (int64_t d = 0; d < size && total > 0.0; ++d) y[d] /= total;
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const int64_t *dim = in[0].dim;
    for (int64_t r = out[0].from; r < out[0].to; ++r)
        one_query(c, in, r / dim[2] / dim[1], r / dim[2] % dim[1], r % dim[2], out[0].v + r * dim[3]);
}

#define SHAPE(batch, length, heads, head) \
    { \
        4, \
        { \
            batch, length, heads, head \
        } \
    }
#define CASE(title, batch, length, heads, head, ...) \
    { \
        .name = title, \
        .in = { SHAPE(batch, length, heads, head), SHAPE(batch, length, heads, head), \
                SHAPE(batch, length, heads, head) }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }

/* Keys of their own number; and counts of valid ones. */
#define CROSS(title, batch, queries, keys, heads, head, ...) \
    { \
        .name = title, \
        .in = { SHAPE(batch, queries, heads, head), SHAPE(batch, keys, heads, head), \
                SHAPE(batch, keys, heads, head) }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }
#define VALID(title, batch, queries, keys, heads, head, counts, ...) \
    { \
        .name = title, \
        .in = { SHAPE(batch, queries, heads, head), \
                SHAPE(batch, keys, heads, head), \
                SHAPE(batch, keys, heads, head), \
                { 1, { batch }, OP_INTEGER, .values = counts } }, \
        .ints = { \
            __VA_ARGS__ \
        } \
    }

static const op_case cases[] = {
    CASE("causal", 2, 21, 2, 8, MASK_CAUSAL, 5, 4, 3),
    CASE("row", 1, 41, 2, 8, MASK_ROW, 5, 6, 3),
    CASE("column", 1, 41, 2, 8, MASK_COLUMN, 5, 6, 3),
    CASE("conv", 1, 52, 1, 8, MASK_CONV, 3, 7, 5),
    CASE("column, the last token missing", 1, 40, 1, 8, MASK_COLUMN, 5, 6, 3),
    CASE("conv wider than the image", 1, 19, 1, 8, MASK_CONV, 3, 4, 11),
    { .name = "no text, odd head",
      .in = { SHAPE(1, 16, 1, 5), SHAPE(1, 16, 1, 5), SHAPE(1, 16, 1, 5) },
      .ints = { MASK_ROW, 0, 4, 3 },
      .f32_only = true },
    { .name = "one token",
      .in = { SHAPE(1, 1, 1, 8), SHAPE(1, 1, 1, 8), SHAPE(1, 1, 1, 8) },
      .ints = { MASK_CAUSAL, 1, 1, 1 },
      .no_gradient = true }, /* those of q and k are 0, of which no share can be wrong */
    { .name = "several chunks of keys",
      .in = { SHAPE(1, 276, 1, 8), SHAPE(1, 276, 1, 8), SHAPE(1, 276, 1, 8) },
      .ints = { MASK_ROW, 20, 16, 3 },
      .large = true },
    { .name = "columns after a long text",
      .in = { SHAPE(1, 164, 1, 8), SHAPE(1, 164, 1, 8), SHAPE(1, 164, 1, 8) },
      .ints = { MASK_COLUMN, 100, 8, 3 },
      .large = true },
    { .name = "scores far apart",
      .in = { { 4, { 1, 21, 1, 8 }, .low = -12, .high = 12 },
              { 4, { 1, 21, 1, 8 }, .low = -12, .high = 12 },
              SHAPE(1, 21, 1, 8) },
      .ints = { MASK_CAUSAL, 5, 4, 3 },
      .no_gradient = true },
    CASE("causal, text alone", 1, 19, 1, 8, MASK_CAUSAL, 19, 0, 0),
    CASE("causal, of no text", 1, 19, 1, 8, MASK_CAUSAL, 0, 0, 0),
    CASE("bidirectional", 2, 21, 2, 8, MASK_BIDIRECTIONAL, 0, 0, 0),
    CROSS("fewer queries than keys", 2, 7, 21, 2, 8, MASK_BIDIRECTIONAL, 0, 0, 0),
    CROSS("more queries than keys", 1, 37, 5, 2, 8, MASK_BIDIRECTIONAL, 0, 0, 0),
    { .name = "one key",
      .in = { SHAPE(2, 5, 2, 8), SHAPE(2, 1, 2, 8), SHAPE(2, 1, 2, 8) },
      .ints = { MASK_BIDIRECTIONAL, 0, 0, 0 },
      .no_gradient = true }, /* as with one token */
    VALID("valid keys", 3, 6, 21, 2, 8, ((double[]){ 5, 1, 21 }), MASK_BIDIRECTIONAL, 21, 0, 0),
    VALID("no valid key", 2, 5, 21, 1, 8, ((double[]){ 0, 17 }), MASK_BIDIRECTIONAL, 21, 0, 0),
    VALID("counts out of range", 2, 5, 19, 1, 8, ((double[]){ -3, 99 }), MASK_BIDIRECTIONAL, 19, 0, 0),
    VALID("text before the picture", 3, 12, 21, 1, 8, ((double[]){ 4, 0, 9 }), MASK_BIDIRECTIONAL, 9, 0, 0),
    VALID("causal, valid text", 3, 21, 21, 1, 8, ((double[]){ 2, 5, 0 }), MASK_CAUSAL, 5, 4, 3),
    VALID("row, valid text", 2, 57, 57, 1, 8, ((double[]){ 1, 18 }), MASK_ROW, 21, 6, 3),
    VALID("column, valid text", 2, 57, 57, 1, 8, ((double[]){ 3, 0 }), MASK_COLUMN, 21, 6, 3),
    VALID("conv, valid text", 2, 57, 57, 1, 8, ((double[]){ 20, 7 }), MASK_CONV, 21, 6, 5),
    CROSS("last queries, causal", 2, 5, 21, 2, 8, MASK_CAUSAL, 5, 4, 3),
    CROSS("last queries, row", 1, 19, 41, 1, 8, MASK_ROW, 5, 6, 3),
    CROSS("last queries, column", 1, 7, 41, 1, 8, MASK_COLUMN, 5, 6, 3),
    CROSS("last queries, conv", 1, 50, 52, 1, 8, MASK_CONV, 3, 7, 5),
    VALID("last query, valid text", 2, 1, 25, 2, 8, ((double[]){ 3, 9 }), MASK_ROW, 9, 4, 3),
    { .name = "several chunks of valid keys",
      .in = { SHAPE(2, 37, 1, 8),
              SHAPE(2, 300, 1, 8),
              SHAPE(2, 300, 1, 8),
              { 1, { 2 }, OP_INTEGER, .values = (double[]){ 131, 7 } } },
      .ints = { MASK_BIDIRECTIONAL, 260, 0, 0 },
      .large = true },
    /* So many pairs that a CPU of eight cores takes them whole (attention_short.h). */
    CASE("many pairs", 4, 21, 4, 8, MASK_BIDIRECTIONAL, 0, 0, 0),
    CASE("many pairs, causal", 4, 21, 4, 8, MASK_CAUSAL, 5, 4, 3),
    { .name = "many pairs, odd head, several blocks of keys",
      .in = { SHAPE(4, 35, 4, 20), SHAPE(4, 35, 4, 20), SHAPE(4, 35, 4, 20) },
      .ints = { MASK_BIDIRECTIONAL, 0, 0, 0 },
      .f32_only = true },
    { .name = "many pairs, one query, valid keys",
      .in = { SHAPE(4, 1, 4, 8),
              SHAPE(4, 19, 4, 8),
              SHAPE(4, 19, 4, 8),
              { 1, { 4 }, OP_INTEGER, .values = (double[]){ 5, 1, 19, 0 } } },
      .ints = { MASK_BIDIRECTIONAL, 19, 0, 0 },
      .f32_only = true },
    { .name = "many pairs of longer streams",
      .in = { SHAPE(1, 33, 4, 8), SHAPE(1, 150, 4, 8), SHAPE(1, 150, 4, 8) },
      .ints = { MASK_BIDIRECTIONAL, 0, 0, 0 },
      .f32_only = true,
      .large = true },
    CROSS("many pairs, last queries", 4, 9, 26, 4, 8, MASK_CAUSAL, 26, 0, 0),
    CROSS("many pairs, few keys", 4, 21, 3, 4, 8, MASK_BIDIRECTIONAL, 0, 0, 0),
    { .name = "fewer keys than a causal mask needs",
      .in = { SHAPE(1, 9, 1, 8), SHAPE(1, 8, 1, 8), SHAPE(1, 8, 1, 8) },
      .ints = { MASK_CAUSAL, 5, 2, 3 },
      .fails = "attention: k has 8 keys, fewer than the 9 queries" },
    { .name = "keys of other heads",
      .in = { SHAPE(1, 9, 2, 8), SHAPE(1, 9, 1, 8), SHAPE(1, 9, 1, 8) },
      .ints = { MASK_BIDIRECTIONAL },
      .fails = "attention: k [1,9,1,8] must be like q [1,9,2,8] but for the number of keys" },
    { .name = "values of another length",
      .in = { SHAPE(1, 9, 1, 8), SHAPE(1, 8, 1, 8), SHAPE(1, 9, 1, 8) },
      .ints = { MASK_BIDIRECTIONAL },
      .fails = "attention: v" },
    { .name = "counts of another batch",
      .in = { SHAPE(2, 9, 1, 8), SHAPE(2, 9, 1, 8), SHAPE(2, 9, 1, 8), { 1, { 3 }, OP_INTEGER, 1, 4 } },
      .ints = { MASK_BIDIRECTIONAL, 9 },
      .fails = "attention: valid must be [2], not [3]" },
    { .name = "counts that are none",
      .in = { SHAPE(2, 9, 1, 8), SHAPE(2, 9, 1, 8), SHAPE(2, 9, 1, 8), { 1, { 2 }, OP_CONTROL } },
      .ints = { MASK_BIDIRECTIONAL, 9 },
      .fails = "attention: valid must be I32, not F32" },
    { .name = "three axes",
      .in = { { 3, { 1, 9, 8 } }, { 3, { 1, 9, 8 } }, { 3, { 1, 9, 8 } } },
      .ints = { MASK_CAUSAL, 5, 2, 3 },
      .fails = "must be [B,T,H,D]" },
    { .name = "impossible mask",
      .in = { SHAPE(1, 9, 1, 8), SHAPE(1, 9, 1, 8), SHAPE(1, 9, 1, 8) },
      .ints = { MASK_CONV, 5, 0, 3 },
      .fails = "impossible mask" },
};

/* size: the mask's kind, batch, text, side, heads, head size. */
static void make(op_case *c, const int64_t *size)
{
    const int64_t length = size[2] + size[3] * size[3];
    for (int i = 0; i < 3; ++i) c->in[i] = op_case_in(4, (int64_t[]){ size[1], length, size[4], size[5] });
    c->ints[0] = size[0];
    c->ints[1] = size[2];
    c->ints[2] = size[3];
    c->ints[3] = 11;
    c->reals[0] = 1.0 / sqrt((double)size[5]);
}

static const op_timed timed[] = {
    { .name = "attention", .make = make },
    { 0 },
};

const op_test attention_tests[] = {
    { "attention", build, reference, OP_CASES(cases), timed },
    { 0 },
};
