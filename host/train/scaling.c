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

/* Of the gradients of one group: NULL, it has none. */
typedef struct group_sums {
    tensor *squares, *zeros; /* zeros of a residual block alone */
    int64_t elements;
} group_sums;

static tensor *plus(tensor *total, tensor *more)
{
    return total ? op_add(total, more) : more;
}

static void add_some(group_sums *sums, int count, tensor *const *some, bool zeros)
{
    if (!count) return;
    sums->squares = plus(sums->squares, op_sum_squares(count, some));
    if (zeros) sums->zeros = plus(sums->zeros, op_count_zeros(count, some));
}

/* Of pieces, or of the others, as many at a time as a node takes; elements are those of the wholes of all. */
static group_sums sums_of(const scaling *s, const store *st, int group, bool pieces,
                          const scaling_gradients *from)
{
    group_sums sums = { 0 };
    tensor *some[NODE_INPUTS_MAX];
    int found = 0;
    for (int i = 0; i < from->count; ++i) {
        if ((s->blocks ? from->of[i]->block : 1) != group) continue;
        sums.elements += split_count(st, from->of[i]);
        if ((split_axis(from->of[i]) >= 0) != pieces) continue;
        some[found++] = from->make(from->self, i);
        if (found < NODE_INPUTS_MAX) continue;
        add_some(&sums, found, some, s->blocks && group);
        found = 0;
    }
    add_some(&sums, found, some, s->blocks && group);
    return sums;
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

/* Squares of what belongs to no group and of each group; *zeros becomes the share of each block's
 * gradients that is 0. */
static tensor *join_sums(const scaling *s, tensor *rest, bool pieces, const scaling_gradients *from,
                         tensor **zeros)
{
    graph *g = rest->graph;
    tensor **squares = graph_allocate(g, (size_t)(s->groups + 1) * sizeof(tensor *));
    tensor **shares = graph_allocate(g, (size_t)s->groups * sizeof(tensor *));
    if (!squares || !shares) return *zeros = graph_poison(g);
    for (int64_t i = 0; i <= s->groups; ++i) {
        const group_sums sums = sums_of(s, graph_store(g), (int)i, pieces, from);
        squares[i] = sums.squares ? sums.squares : op_scale(rest, 0.0f);
        if (!s->blocks || !i) continue;
        if (!sums.elements) {
            graph_fail(g, "residual block %lld has no parameter that is trained", (long long)i);
            return *zeros = graph_poison(g);
        }
        shares[i - 1] =
            op_scale(sums.zeros ? sums.zeros : rest, sums.zeros ? 1.0f / (float)sums.elements : 0.0f);
    }
    if (!pieces) squares[0] = op_add(squares[0], rest);
    *zeros = s->blocks ? join(shares, s->groups) : NULL;
    return join(squares, s->groups + 1);
}

/* The same of all gradients: those of pieces are added up over the group that has the wholes among it. */
static tensor *join_all(const scaling *s, tensor *rest, const scaling_gradients *from, tensor **zeros)
{
    comm *group = pieces_group(graph_store(rest->graph));
    tensor *squares = join_sums(s, rest, false, from, zeros), *of_pieces[2];
    if (!group) return squares;
    of_pieces[0] = join_sums(s, rest, true, from, &of_pieces[1]);
    sum_over_ranks(group, rest->graph, s->blocks ? 2 : 1, of_pieces);
    if (s->blocks) *zeros = op_add(*zeros, of_pieces[1]);
    return op_add(squares, of_pieces[0]);
}

/* ---- Appending ---- */

scaling scaling_append(const scaling_settings *s, graph *g, tensor *loss, const scaling_gradients *from,
                       float clip)
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
    out.status = op_scales_status(join_all(&out, rest, from, &out.zeros), scales, clip);
    graph_keep(out.status);
    graph_update(op_scales_update(state, out.status, &rule));
    if (out.blocks) graph_keep(out.zeros);
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
