/* unet.c -- see unet.h.  Blocks that go down push what they give, those that go up take it beside their own
 * input; where a level ends, a block that halves or doubles the picture stands in place of a strided
 * convolution.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/unet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD  10000.0f
#define EPSILON 1e-5f

enum { DEPTH_MOST = 16, KEPT_MOST = UNET_LEVELS * (DEPTH_MOST + 1) + 1 };

typedef enum turn { TURN_NONE, TURN_HALVE, TURN_DOUBLE } turn;

/* A residual block, and the attention behind it if it has some. */
typedef struct unet_block {
    norm_weights norm1, norm2, norm3;
    conv_weights conv1, conv2, skip; /* skip.weight NULL: channels stay as they are */
    linear_weights time;             /* 4 C -> scale and shift of norm2 */
    attention_weights attention;
    bool attends;
    turn turn;
} unet_block;

typedef struct unet_level {
    unet_block *block; /* [count] */
    int64_t count;
    unet_block last; /* that turns, where turns */
    bool turns;
} unet_level;

struct unet {
    linear_weights time1, time2;
    conv_weights in, out;
    unet_level down[UNET_LEVELS], up[UNET_LEVELS];
    unet_block middle[2];
    norm_weights norm;
};

/* ---- Settings ---- */

int unet_list(const char *text, int64_t out[UNET_LEVELS])
{
    int count = 0;
    if (!*text) return 0;
    for (;;) {
        char *end;
        if (count == UNET_LEVELS || *text < '0' || *text > '9') return -1;
        out[count++] = strtoll(text, &end, 10);
        if (!*end) return count;
        if (*end != ',') return -1;
        text = end + 1;
    }
}

static int64_t size_of(const unet_config *c, int level)
{
    return c->size >> level;
}

static int64_t channels_of(const unet_config *c, int level)
{
    return c->mult[level] * c->channels;
}

static bool attends_at(const unet_config *c, int64_t size)
{
    for (int i = 0; i < c->attentions; ++i)
        if (c->attention[i] == size) return true;
    return false;
}

static bool check_levels(const unet_config *c, const char *kind, error *err)
{
    int64_t factor = (int64_t)1 << (c->levels - 1);
    if (c->size % factor || c->size < factor)
        return error_set(err, ERROR_USAGE,
                         "%s: size %lld is not divisible by %lld, as %d levels need; use %lld", kind,
                         (long long)c->size, (long long)factor, c->levels,
                         (long long)((c->size + factor - 1) / factor * factor));
    for (int i = 0; i < c->levels; ++i)
        if (c->mult[i] < 1 || c->mult[i] > 64)
            return error_set(err, ERROR_USAGE, "%s: %lld in mult is no multiple from 1 to 64", kind,
                             (long long)c->mult[i]);
    return true;
}

/* The middle has attention where any level has. */
static bool check_heads(const unet_config *c, const char *kind, error *err)
{
    for (int i = 0; i < c->levels && c->attentions; ++i)
        if ((attends_at(c, size_of(c, i)) || i == c->levels - 1) && channels_of(c, i) % c->head)
            return error_set(err, ERROR_USAGE,
                             "%s: the %lld channels at %lld pixels a side, which has attention, are not "
                             "divisible by head %lld",
                             kind, (long long)channels_of(c, i), (long long)size_of(c, i),
                             (long long)c->head);
    return true;
}

static bool check_attention(const unet_config *c, const char *kind, error *err)
{
    for (int i = 0; i < c->attentions; ++i) {
        bool found = false;
        for (int level = 0; level < c->levels; ++level) found |= size_of(c, level) == c->attention[i];
        if (!found)
            return error_set(
                err, ERROR_USAGE,
                "%s: attention at %lld pixels a side, which no level has: they go from %lld to %lld", kind,
                (long long)c->attention[i], (long long)c->size, (long long)size_of(c, c->levels - 1));
    }
    return check_heads(c, kind, err);
}

bool unet_check(const unet_config *c, const char *kind, error *err)
{
    if (c->levels < 1 || c->levels > UNET_LEVELS)
        return error_set(err, ERROR_USAGE,
                         "%s: mult is no list of 1 to %d whole numbers, such as 1,2,3,4, one a level", kind,
                         UNET_LEVELS);
    if (c->attentions < 0)
        return error_set(err, ERROR_USAGE, "%s: attention is no list of up to %d sizes, such as 32,16,8",
                         kind, UNET_LEVELS);
    if (c->channels % c->groups || c->channels % 2)
        return error_set(err, ERROR_USAGE,
                         "%s: %lld channels are not even, or not divisible by %lld groups; use %lld", kind,
                         (long long)c->channels, (long long)c->groups,
                         (long long)((c->channels / (2 * c->groups) + 1) * 2 * c->groups));
    return check_levels(c, kind, err) && check_attention(c, kind, err);
}

/* ---- Weights ---- */

/* A layer that gives 0 at the start, so that its block begins as what it adds to. */
static conv_weights zero_conv(graph *g, const char *name, int64_t in, int64_t out)
{
    conv_weights w;
    graph_push(g, "%s", name);
    w.weight = nn_weight(g, "weight", 0, 4, (int64_t[]){ out, 3, 3, in });
    w.bias = nn_bias(g, "bias", out);
    graph_pop(g);
    return w;
}

static float deviation_of(int64_t in)
{
    return 1.0f / sqrtf((float)in);
}

static void declare_attention(graph *g, const unet_config *c, int64_t size, unet_block *w)
{
    int64_t heads = size / c->head;
    w->norm3 = nn_norm_weights(g, "norm3", size);
    w->attention = c->context ? nn_cross_attention_weights(g, "attention", size, c->context, heads, true,
                                                           deviation_of(size), 0)
                              : nn_attention_weights(g, "attention", size, heads, deviation_of(size), 0);
}

/* In the scope that is open. */
static unet_block declare_block(graph *g, const unet_config *c, int64_t in, int64_t out, turn t, bool attends)
{
    unet_block w = { .attends = attends, .turn = t };
    w.norm1 = nn_norm_weights(g, "norm1", in);
    w.conv1 = nn_conv_weights(g, "conv1", in, out, 3);
    w.time = nn_linear_weights(g, "time", 4 * c->channels, 2 * out, true, deviation_of(4 * c->channels));
    w.norm2 = nn_norm_weights(g, "norm2", out);
    w.conv2 = zero_conv(g, "conv2", out, out);
    if (in != out) w.skip = nn_conv_weights(g, "skip", in, out, 1);
    if (attends) declare_attention(g, c, out, &w);
    return w;
}

static unet_block declare_named(graph *g, const unet_config *c, const char *name, int64_t in, int64_t out,
                                turn t, bool attends)
{
    graph_push(g, "%s", name);
    unet_block w = declare_block(g, c, in, out, t, attends);
    graph_pop(g);
    return w;
}

static unet_block *allocate_blocks(graph *g, unet_level *w, int64_t count)
{
    w->block = graph_allocate(g, (size_t)count * sizeof *w->block);
    w->count = w->block ? count : 0;
    return w->block;
}

/* Channels that were put aside on the way down, of which the last is taken first. */
typedef struct kept_channels {
    int64_t at[KEPT_MOST];
    int count;
} kept_channels;

static int64_t declare_down(graph *g, const unet_config *c, int level, int64_t in, kept_channels *kept,
                            unet_level *w)
{
    int64_t out = channels_of(c, level);
    bool attends = attends_at(c, size_of(c, level));
    graph_push(g, "down%d", level + 1);
    allocate_blocks(g, w, c->depth);
    for (int64_t i = 0; i < w->count; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        w->block[i] = declare_block(g, c, in, out, TURN_NONE, attends);
        graph_pop(g);
        kept->at[kept->count++] = in = out;
    }
    if ((w->turns = level + 1 < c->levels)) {
        w->last = declare_named(g, c, "halve", out, out, TURN_HALVE, false);
        kept->at[kept->count++] = out;
    }
    graph_pop(g);
    return out;
}

static int64_t declare_up(graph *g, const unet_config *c, int level, int64_t in, kept_channels *kept,
                          unet_level *w)
{
    int64_t out = channels_of(c, level);
    bool attends = attends_at(c, size_of(c, level));
    graph_push(g, "up%d", level + 1);
    allocate_blocks(g, w, c->depth + 1);
    for (int64_t i = 0; i < w->count; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        w->block[i] = declare_block(g, c, in + kept->at[--kept->count], out, TURN_NONE, attends);
        graph_pop(g);
        in = out;
    }
    if ((w->turns = level > 0)) w->last = declare_named(g, c, "double", out, out, TURN_DOUBLE, false);
    graph_pop(g);
    return out;
}

unet *unet_declare(graph *g, const unet_config *c)
{
    unet *w = graph_allocate(g, sizeof *w);
    if (!w) return NULL;
    int64_t wide = 4 * c->channels, now = c->channels;
    kept_channels kept = { .at = { now }, .count = 1 };
    graph_push(g, "unet");
    w->time1 = nn_linear_weights(g, "time1", now, wide, true, deviation_of(now));
    w->time2 = nn_linear_weights(g, "time2", wide, wide, true, deviation_of(wide));
    w->in = nn_conv_weights(g, "in", c->in, now, 3);
    for (int i = 0; i < c->levels; ++i) now = declare_down(g, c, i, now, &kept, &w->down[i]);
    w->middle[0] = declare_named(g, c, "middle1", now, now, TURN_NONE, c->attentions > 0);
    w->middle[1] = declare_named(g, c, "middle2", now, now, TURN_NONE, false);
    for (int i = c->levels - 1; i >= 0; --i) now = declare_up(g, c, i, now, &kept, &w->up[i]);
    w->norm = nn_norm_weights(g, "norm", now);
    w->out = zero_conv(g, "out", now, c->out);
    graph_pop(g);
    return w;
}

/* ---- The network ---- */

/* What all blocks are given. */
typedef struct unet_inputs {
    graph *graph;
    const unet_config *config;
    tensor *time; /* [B,4 C], after SiLU */
    const unet_context *context;
    tensor *random;
} unet_inputs;

static tensor *norm_silu(const unet_inputs *in, const norm_weights *w, tensor *x, tensor *scale,
                         tensor *shift)
{
    return op_group_norm(x, in->config->groups, w->gain, w->bias, scale, shift, EPSILON, ACTIVATION_SILU);
}

static tensor *turned(tensor *x, turn t)
{
    const window halves = { { 2, 2 }, { 2, 2 }, { 0, 0 }, { 0, 0 } };
    if (t == TURN_HALVE) return op_average_pool(x, &halves, false);
    return t == TURN_DOUBLE ? op_upsample2(x) : x;
}

static tensor *residual(const unet_inputs *in, const unet_block *w, tensor *x)
{
    double dropout = in->random ? in->config->dropout : 0;
    tensor *h = nn_conv(&w->conv1, turned(norm_silu(in, &w->norm1, x, NULL, NULL), w->turn));
    int64_t channels = tensor_last(h);
    tensor *both = nn_linear_wide(&w->time, in->time), /* [B,2 channels] */
        *scale = op_contiguous(op_slice(both, 1, 0, channels)),
           *shift = op_contiguous(op_slice(both, 1, channels, channels));
    h = norm_silu(in, &w->norm2, h, scale, shift);
    if (dropout > 0) h = op_dropout(h, (float)dropout, in->random);
    x = turned(x, w->turn);
    return nn_conv_add(&w->conv2, h, 1.0f, w->skip.weight ? nn_conv(&w->skip, x) : x);
}

static tensor *attention(const unet_inputs *in, const unet_block *w, tensor *x)
{
    const mask all = { .kind = MASK_BIDIRECTIONAL };
    const unet_context *from = in->context;
    tensor *rows = op_reshape(x, 3, (int64_t[]){ x->dim[0], x->dim[1] * x->dim[2], x->dim[3] });
    tensor *h = op_group_norm(x, in->config->groups, w->norm3.gain, w->norm3.bias, NULL, NULL, EPSILON,
                              ACTIVATION_IDENTITY);
    h = op_reshape(h, rows->rank, rows->dim);
    h = from ? nn_cross_attention(&w->attention, h, from->states, from->valid, NULL)
             : nn_attention(&w->attention, h, &all, NULL);
    return op_reshape(nn_linear_add(&w->attention.output, h, rows), x->rank, x->dim);
}

static tensor *block(const unet_inputs *in, const unet_block *w, tensor *x)
{
    if (in->config->recompute) graph_recompute_begin(in->graph);
    x = residual(in, w, x);
    if (w->attends) x = attention(in, w, x);
    if (in->config->recompute) graph_recompute_end(in->graph);
    return x;
}

static tensor *named_block(const unet_inputs *in, const char *name, const unet_block *w, tensor *x)
{
    graph_push(in->graph, "%s", name);
    x = block(in, w, x);
    graph_pop(in->graph);
    return x;
}

typedef struct kept_tensors {
    tensor *at[KEPT_MOST];
    int count;
} kept_tensors;

static tensor *go_down(const unet_inputs *in, int level, const unet_level *w, tensor *x, kept_tensors *kept)
{
    graph_push(in->graph, "down%d", level + 1);
    for (int64_t i = 0; i < w->count; ++i) {
        graph_push(in->graph, "block%lld", (long long)i + 1);
        kept->at[kept->count++] = x = block(in, &w->block[i], x);
        graph_pop(in->graph);
    }
    if (w->turns) kept->at[kept->count++] = x = named_block(in, "halve", &w->last, x);
    graph_pop(in->graph);
    return x;
}

static tensor *go_up(const unet_inputs *in, int level, const unet_level *w, tensor *x, kept_tensors *kept)
{
    graph_push(in->graph, "up%d", level + 1);
    for (int64_t i = 0; i < w->count; ++i) {
        graph_push(in->graph, "block%lld", (long long)i + 1);
        x = op_concat(2, (tensor *[]){ x, kept->at[--kept->count] }, 3);
        x = block(in, &w->block[i], x);
        graph_pop(in->graph);
    }
    if (w->turns) x = named_block(in, "double", &w->last, x);
    graph_pop(in->graph);
    return x;
}

/* F32: one row a picture. */
static tensor *time_embedding(const unet_config *c, const unet *w, tensor *time, tensor *embedding)
{
    tensor *h = op_timestep_embedding(time, c->channels, PERIOD);
    h = op_linear_activation(h, w->time1.weight, w->time1.bias, ACTIVATION_SILU);
    h = embedding ? nn_linear_add(&w->time2, h, embedding) : nn_linear_wide(&w->time2, h);
    return op_activation(h, ACTIVATION_SILU);
}

tensor *unet_apply(graph *g, const unet_config *c, const unet *w, tensor *x, tensor *time, tensor *embedding,
                   const unet_context *context, tensor *random)
{
    if (!w) return graph_poison(g);
    graph_push(g, "unet");
    const unet_inputs in = { g, c, time_embedding(c, w, time, embedding), context, random };
    kept_tensors kept = { .count = 0 };
    kept.at[kept.count++] = x = nn_conv(&w->in, x);
    for (int i = 0; i < c->levels; ++i) x = go_down(&in, i, &w->down[i], x, &kept);
    x = named_block(&in, "middle1", &w->middle[0], x);
    x = named_block(&in, "middle2", &w->middle[1], x);
    for (int i = c->levels - 1; i >= 0; --i) x = go_up(&in, i, &w->up[i], x, &kept);
    x = nn_conv_wide(&w->out, norm_silu(&in, &w->norm, x, NULL, NULL));
    graph_pop(g);
    return x;
}
