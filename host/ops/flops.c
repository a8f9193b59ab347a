/* flops.c -- what a node's products cost, from its shapes: two operations a multiply-add, none for the rest.
 * Masks are counted by the keys each query sees, so that the figure is what must be done, not what is done.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "host/ops/shared.h"

#include <string.h>

/* Pairs of a query and a key it sees. */
static double seen_pairs(const mask *m, int64_t queries, int64_t keys)
{
    int64_t pairs = 0;
    const int32_t first = mask_first_query(m, queries, keys);
    for (int32_t q = 0; q < queries; ++q) pairs += mask_seen(m, first + q, (int32_t)keys);
    return (double)pairs;
}

static double attention_flops(const node *n, int products)
{
    const tensor *q = n->in[0];
    return 2.0 * products * (double)(q->dim[0] * q->dim[2] * q->dim[3]) *
           seen_pairs(attention_mask(n), q->dim[1], n->in[1]->dim[1]);
}

/* Of one query at the end of the stream: the most that a step of drawing costs. */
static double decode_flops(const node *n)
{
    const tensor *keys = n->in[3];
    const int32_t length = (int32_t)keys->dim[2];
    return 4.0 * (double)(keys->dim[0] * keys->dim[1] * keys->dim[3]) *
           (double)mask_seen(attention_decode_mask(n), length - 1, length);
}

double op_flops(const node *n)
{
    const char *name = n->def->name;
    const tensor *y = n->out_count ? n->out[0] : NULL, *a = n->in[0], *b = n->in[1];
    double outputs = y ? (double)tensor_count(y) : 0;
    if (strcmp(name, "matmul") == 0 || strcmp(name, "matmul_nt") == 0)
        return 2.0 * outputs * (double)tensor_last(a);
    if (strcmp(name, "matmul_tn") == 0 || strcmp(name, "matmul_tt") == 0)
        return 2.0 * outputs * (double)a->dim[a->rank - 2];
    if (strncmp(name, "linear", 6) == 0) return 2.0 * outputs * (double)tensor_last(a);
    if (strcmp(name, "conv2d") == 0 || strcmp(name, "conv2d_relu") == 0 || strcmp(name, "conv2d_add") == 0)
        return 2.0 * outputs * (double)(b->dim[1] * b->dim[2] * b->dim[3]);
    if (strcmp(name, "conv2d_weight_gradient") == 0) return 2.0 * outputs * (double)tensor_rows(a);
    if (strcmp(name, "nearest_code") == 0) return 2.0 * (double)tensor_count(a) * (double)b->dim[0];
    if (strcmp(name, "attention") == 0) return attention_flops(n, 2);
    if (strcmp(name, "attention_backward") == 0) return attention_flops(n, 5);
    if (strcmp(name, "attention_decode") == 0) return decode_flops(n);
    return 0;
}
