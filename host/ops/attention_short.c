/* attention_short.c -- see attention_short.h.
 * SPDX-License-Identifier: MIT */
#include "host/ops/attention_short.h"

#include "cl/mask.clh"

#include <string.h>

#define LENGTH_MOST  320
#define SCRATCH_MOST 229376 /* floats: in a second-level cache, most of which is read and written in turn */

static int64_t round_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b * b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Sizes of the kernels, in places and floats. */
typedef struct short_sizes {
    int64_t mr;                 /* rows of a tile */
    int64_t queries, keys, row; /* padded: places of each stream, numbers of a row */
    int64_t chunk;              /* KEYS of the kernels */
    int64_t scratch;            /* of a group */
    int64_t pairs, groups;
} short_sizes;

/* Rows done for nothing cost as much as others; the fewer at once, the more often panels are read. */
static int64_t choose_rows(const device_info *info, int64_t queries, int64_t keys)
{
    const int64_t greatest = info->vector_width >= 16 ? 8 : 6;
    int64_t best = greatest;
    double least = 0.0;
    for (int64_t mr = greatest; mr >= greatest - 3; --mr) {
        double cost = (double)(round_up(queries, mr) + round_up(keys, mr)) * (double)(mr + 1) / (double)mr;
        if (mr < greatest && cost >= least) continue;
        least = cost;
        best = mr;
    }
    return best;
}

static bool is_backward(const node *n)
{
    return n->in_count == ATTENTION_BACKWARD_INPUTS;
}

static short_sizes sizes_of(const node *n, const device *d)
{
    const device_info *info = device_get_info(d);
    const tensor *q = n->in[ATTENTION_QUERY], *k = n->in[ATTENTION_KEYS];
    const int64_t units = most(info->compute_units, 1), vec = info->vec, most_groups = 4 * units;
    short_sizes s = { .mr = choose_rows(info, q->dim[1], k->dim[1]), .pairs = q->dim[0] * q->dim[2] };
    s.queries = most(round_up(q->dim[1], vec), round_up(q->dim[1], s.mr));
    s.keys = most(round_up(k->dim[1], vec), round_up(k->dim[1], s.mr));
    s.row = round_up(q->dim[3], vec);
    s.chunk = round_up(s.keys, 16); /* so that lengths share kernels */
    if (is_backward(n))
        s.scratch = (2 * s.queries + 3 * s.keys + 2 * most(s.queries, s.keys)) * s.row + s.queries +
                    2 * s.queries * s.chunk;
    else
        s.scratch = (s.queries + 3 * s.keys) * s.row + s.mr * s.chunk;
    s.scratch = round_up(s.scratch, 64);
    s.groups = s.pairs < most_groups ? s.pairs : most_groups;
    return s;
}

/* Where a lane has a row to itself, as CPUs have it, and tests of other devices; but not where pairs are too
 * few to share among the cores, nor by Mesa's compiler, which takes minutes for the loops that others unroll
 * at once. */
bool attention_short_takes(const node *n, const device *d)
{
    const device_info *info = device_get_info(d);
    const attention_attributes *a = n->attributes;
    const bool plain = a->pattern.kind == MASK_CAUSAL || a->pattern.kind == MASK_BIDIRECTIONAL;
    const tensor *q = n->in[ATTENTION_QUERY], *k = n->in[ATTENTION_KEYS];
    const bool unrolls = strcmp(info->vendor_word, "mesa") != 0;
    if (info->lanes != 1 || !unrolls || !plain) return false;
    if (q->dim[1] > LENGTH_MOST || k->dim[1] > LENGTH_MOST) return false;
    const short_sizes s = sizes_of(n, d);
    return s.scratch <= SCRATCH_MOST && s.pairs >= 2 * (int64_t)info->compute_units;
}

int64_t attention_short_bytes(const node *n, const device *d)
{
    const short_sizes s = sizes_of(n, d);
    return s.groups * s.scratch * (int64_t)sizeof(float);
}

static kernel_call begin(binder *b, const node *n, const short_sizes *s, const char *kernel)
{
    kernel_call c = call_begin_in(b, n, "ops/attention_short", kernel);
    call_define(&c, "HEAD=%lld", (long long)n->in[ATTENTION_QUERY]->dim[3]);
    call_define(&c, "MR=%lld", (long long)s->mr);
    call_define(&c, "KEYS=%lld", (long long)s->chunk);
    return c;
}

static void call_operands(kernel_call *c, const node *n)
{
    call_tensor(c, "Q", n->in[ATTENTION_QUERY]);
    call_tensor(c, "K", n->in[ATTENTION_KEYS]);
    call_tensor(c, "V", n->in[ATTENTION_VALUES]);
}

static bool run(kernel_call *c, const node *n, const short_sizes *s)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[ATTENTION_QUERY];
    const mask_bands bands = mask_bands_of(&a->pattern, n->in[ATTENTION_KEYS]->dim[1]);
    call_workspace(c, "SCRATCH");
    mask_call_valid(c, n->in[ATTENTION_VALID]);
    call_int(c, s->pairs);
    call_int(c, q->dim[2]);
    call_int(c, q->dim[1]);
    mask_call(c, &bands);
    call_float(c, a->scale);
    call_int(c, s->scratch);
    return call_rows(c, s->groups);
}

bool attention_short_forward(const node *n, binder *b)
{
    const short_sizes s = sizes_of(n, binder_device(b));
    kernel_call c = begin(b, n, &s, "attention_short_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_operands(&c, n);
    return run(&c, n, &s);
}

bool attention_short_backward(const node *n, binder *b)
{
    const short_sizes s = sizes_of(n, binder_device(b));
    kernel_call c = begin(b, n, &s, "attention_short_backward");
    call_tensor(&c, "DQ", n->out[0]);
    call_tensor(&c, "DK", n->out[1]);
    call_tensor(&c, "DV", n->out[2]);
    call_operands(&c, n);
    call_tensor(&c, "Y", n->in[ATTENTION_Y]);
    call_tensor(&c, "DY", n->in[ATTENTION_DY]);
    call_tensor(&c, "LSE", n->in[ATTENTION_LSE]);
    return run(&c, n, &s);
}
