/* scaling.c -- see scaling.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/scaling.h"

#include "host/nn/nn.h"
#include "host/train/pieces.h"
#include "host/train/sum_over_ranks.h"

#include <math.h>

enum { LOSS_SCALE_MOST = 24 }; /* doublings of 1 */

bool scaling_is_on(const scaling_settings *s)
{
    return s->loss_scale > 0 || s->block_start > 0;
}

static tensor *state_of(graph *g, const char *name, int64_t groups)
{
    store_entry *e = graph_declare(g, name, STORE_STATE, DTYPE_F32, 2, (int64_t[]){ groups, 4 });
    return e ? graph_entry(g, e) : graph_poison(g);
}

static tensor *loss_state(graph *g)
{
    return state_of(g, "loss_scale", 1);
}

tensor *scaling_of_loss(const scaling_settings *s, graph *g, tensor *loss)
{
    if (s->loss_scale <= 0) return loss;
    return op_mul(loss, op_scales(loss_state(g), log2f(s->loss_scale)));
}

tensor *scaling_scales(const scaling_settings *s, graph *g)
{
    if (s->block_start <= 0) return op_scales(loss_state(g), log2f(s->loss_scale));
    const store_entry *blocks = store_find(graph_store(g), NN_SCALES);
    return op_scales(state_of(g, NN_SCALES, blocks ? blocks->dim[0] : 1), s->block_start);
}

tensor *scaling_scale_of(const scaling_settings *s, tensor *scales, const store_entry *of)
{
    const int group = s->block_start > 0 ? of->block : 1;
    return group > 0 && scaling_is_on(s) ? op_slice(scales, 0, group - 1, 1) : NULL;
}

/* Up 1000 thousandths, a doubling, after so many finite steps, and down as many, between 1 and 2^24. */
static scales_rule rule_of_loss(const scaling_settings *s)
{
    const float start = 1000.0f * log2f(s->loss_scale);
    return (scales_rule){ .grow = 1000,
                          .every = s->loss_scale_every,
                          .shrink = 1000,
                          .low = (int32_t)ceilf(-start),
                          .high = (int32_t)floorf(1000.0f * LOSS_SCALE_MOST - start) };
}

/* Times 2^(1/1000) after each finite update, divided by the root of 2 after one that is not, but not twice
 * within 125 updates, and between 2^7 and 2^24 where it begins with 2^13 (appendix D). */
static const scales_rule rule_of_blocks = {
    .grow = 1, .every = 1, .shrink = 500, .apart = 125, .low = -6000, .high = 11000
};

/* ---- Sums ---- */

typedef tensor *(*summing)(int count, tensor *const *parts);

/* Of the gradients of one group, those of pieces or the others; NULL: it has none. */
static tensor *sum_of(const scaling *s, int group, bool pieces, int count, const store_entry *const *of,
                      tensor *const *gradients, summing sum)
{
    tensor **own = graph_allocate(gradients[0]->graph, (size_t)count * sizeof(tensor *));
    int found = 0;
    for (int i = 0; own && i < count; ++i)
        if ((s->blocks ? of[i]->block : 1) == group && (split_axis(of[i]) >= 0) == pieces)
            own[found++] = gradients[i];
    return found ? sum(found, own) : NULL;
}

/* Of how many numbers, wholes. */
static int64_t elements_of(const store *s, int group, int count, const store_entry *const *of)
{
    int64_t sum = 0;
    for (int i = 0; i < count; ++i)
        if (of[i]->block == group) sum += split_count(s, of[i]);
    return sum;
}

/* parts[0..count-1], [1] each, one after the other. */
static tensor *join(tensor **parts, int64_t count)
{
    while (count > 1) {
        int64_t joined = 0;
        for (int64_t first = 0; first < count; first += NODE_INPUTS_MAX) {
            int64_t size = count - first < NODE_INPUTS_MAX ? count - first : NODE_INPUTS_MAX;
            parts[joined++] = size > 1 ? op_concat((int)size, parts + first, 0) : parts[first];
        }
        count = joined;
    }
    return parts[0];
}

/* Of all groups, one after the other. */
static tensor *join_sums(const scaling *s, bool pieces, tensor *none, int count, const store_entry *const *of,
                         tensor *const *gradients)
{
    graph *g = none->graph;
    tensor **sums = graph_allocate(g, (size_t)(s->groups + 1) * sizeof(tensor *));
    if (!sums) return graph_poison(g);
    for (int64_t i = 0; i <= s->groups; ++i) {
        tensor *sum = sum_of(s, (int)i, pieces, count, of, gradients, op_sum_squares);
        sums[i] = sum ? sum : op_scale(none, 0.0f);
    }
    sums[0] = op_add(sums[0], none);
    return join(sums, s->groups + 1);
}

/* The share of each block's gradients that is 0. */
static tensor *join_zeros(const scaling *s, bool pieces, tensor *none, int count,
                          const store_entry *const *of, tensor *const *gradients)
{
    graph *g = none->graph;
    tensor **shares = graph_allocate(g, (size_t)s->groups * sizeof(tensor *));
    if (!shares) return graph_poison(g);
    for (int i = 0; i < s->groups; ++i) {
        const int64_t elements = elements_of(graph_store(g), i + 1, count, of);
        if (!elements) {
            graph_fail(g, "residual block %d has no parameter that is trained", i + 1);
            return graph_poison(g);
        }
        tensor *zeros = sum_of(s, i + 1, pieces, count, of, gradients, op_count_zeros);
        shares[i] = op_scale(zeros ? zeros : none, zeros ? 1.0f / (float)elements : 0.0f);
    }
    return join(shares, s->groups);
}

typedef tensor *(*joining)(const scaling *s, bool pieces, tensor *none, int count,
                           const store_entry *const *of, tensor *const *gradients);

/* Those of pieces are added up over the group that has the wholes among it. */
static tensor *of_all(const scaling *s, joining join_some, tensor *none, int count,
                      const store_entry *const *of, tensor *const *gradients)
{
    comm *group = pieces_group(graph_store(none->graph));
    tensor *whole = join_some(s, false, none, count, of, gradients);
    if (!group) return whole;
    tensor *pieces = join_some(s, true, none, count, of, gradients);
    sum_over_ranks(group, none->graph, 1, &pieces);
    return op_add(whole, pieces);
}

/* ---- Appending ---- */

scaling scaling_append(const scaling_settings *s, graph *g, tensor *loss, int count,
                       const store_entry *const *of, tensor *const *gradients, float clip)
{
    scaling out = { .groups = 1, .blocks = s->block_start > 0 };
    const store_entry *blocks = out.blocks ? store_find(graph_store(g), NN_SCALES) : NULL;
    if (out.blocks && !blocks) graph_fail(g, "no residual block has a gradient scale");
    if (blocks) out.groups = blocks->dim[0];
    const scales_rule rule = out.blocks ? rule_of_blocks : rule_of_loss(s);
    tensor *state = out.blocks ? state_of(g, NN_SCALES, out.groups) : loss_state(g);
    tensor *scales = op_scales(state, out.blocks ? s->block_start : log2f(s->loss_scale));
    /* A loss that is not finite is so 0 times over, too. */
    tensor *rest = op_scale(op_cast(loss, DTYPE_F32), 0.0f);
    out.status = op_scales_status(of_all(&out, join_sums, rest, count, of, gradients), scales, clip);
    graph_keep(out.status);
    graph_update(op_scales_update(state, out.status, &rule));
    if (out.blocks) graph_keep(out.zeros = of_all(&out, join_zeros, rest, count, of, gradients));
    return out;
}

static tensor *row(const scaling *s, int64_t number)
{
    tensor *flat = op_reshape(s->status, 1, (int64_t[]){ 4 * (s->groups + 1) });
    return op_slice(flat, 0, 4 * number, 4);
}

tensor *scaling_row(const scaling *s, const store_entry *of)
{
    return row(s, s->blocks ? of->block : 1);
}

/* With one group that is its row, which has the scale as well. */
tensor *scaling_whole(const scaling *s)
{
    return row(s, s->blocks ? 0 : 1);
}
