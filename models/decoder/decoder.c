/* decoder.c -- see decoder.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder.h"

#include <math.h>

enum { COLOURS = 3, GIVEN = COLOURS + 1 };

/* ---- The parts' settings ---- */

static int64_t context_width(const decoder_config *c)
{
    return c->clip_text ? c->clip_text_width : c->text_width;
}

unet_config decoder_unet_config(const decoder_config *c)
{
    unet_config u = { .in = COLOURS + (c->inpaint ? GIVEN : 0),
                      .out = c->variance == decoder_variance_learned ? 2 * COLOURS : COLOURS,
                      .size = c->size,
                      .channels = c->channels,
                      .depth = c->depth,
                      .head = c->head,
                      .groups = c->groups,
                      .dropout = c->dropout,
                      .recompute = c->recompute };
    u.levels = unet_list(c->mult, u.mult);
    u.attentions = unet_list(c->attention, u.attention);
    u.context = u.attentions > 0 ? context_width(c) : 0;
    return u;
}

text_encoder_config decoder_text_config(const decoder_config *c)
{
    return (text_encoder_config){ .tokens = c->text_tokens,
                                  .rows = c->text_vocabulary,
                                  .width = c->text_width,
                                  .layers = c->text_layers,
                                  .heads = c->text_heads,
                                  .dropout = c->text_dropout,
                                  .recompute = c->recompute };
}

/* ---- Weights ---- */

static linear_weights declare_linear(graph *g, const char *name, int64_t in, int64_t out)
{
    return nn_linear_weights(g, name, in, out, true, 1.0f / sqrtf((float)in));
}

decoder_weights decoder_declare(graph *g, const decoder_config *c, const decoder_shape *shape)
{
    const unet_config net = decoder_unet_config(c);
    const text_encoder_config text = decoder_text_config(c);
    int64_t wide = 4 * c->channels, size = shape->embedding;
    decoder_weights w = { .unet = unet_declare(g, &net) };
    if (!c->clip_text) w.text = text_encoder_declare(g, &text);
    graph_push(g, "condition");
    if (c->clip_text && net.context) {
        w.states = declare_linear(g, "states", shape->text, net.context);
        w.states_norm = nn_norm_weights(g, "states_norm", net.context);
    }
    w.caption_time = declare_linear(g, "caption_time", c->clip_text ? size : c->text_width, wide);
    w.time = declare_linear(g, "time", size, wide);
    if (net.context && c->embedding_tokens > 0)
        w.tokens = declare_linear(g, "tokens", size, c->embedding_tokens * net.context);
    if (c->nothing == decoder_nothing_learned) w.nothing = nn_bias(g, "nothing", size);
    graph_pop(g);
    return w;
}

/* ---- The network ---- */

decoder_condition decoder_condition_input(graph *g, const decoder_config *c, const decoder_shape *shape,
                                          int64_t samples)
{
    const int64_t size = shape->embedding, tokens = c->text_tokens;
    decoder_condition in = { .given = NULL };
    in.embedding = graph_input(g, "embedding", DTYPE_F32, 2, (int64_t[]){ samples, size });
    in.keep = graph_input(g, "keep", DTYPE_F32, 2, (int64_t[]){ samples, 1 });
    if (c->inpaint)
        in.given = graph_input(g, "given", DTYPE_F32, 4, (int64_t[]){ samples, c->size, c->size, GIVEN });
    if (!c->clip_text) {
        in.ids = graph_input(g, "ids", DTYPE_I32, 2, (int64_t[]){ samples, tokens });
        return in;
    }
    in.states = graph_input(g, "states", DTYPE_F32, 3, (int64_t[]){ samples, tokens, shape->text });
    in.valid = graph_input(g, "valid", DTYPE_I32, 1, &samples);
    in.caption = graph_input(g, "caption", DTYPE_F32, 2, (int64_t[]){ samples, size });
    return in;
}

/* An embedding of length 1 as numbers of deviation 1, which layers take best (ours). */
static tensor *spread(tensor *embedding)
{
    return op_scale(embedding, sqrtf((float)tensor_last(embedding)));
}

/* [B,E]: the embedding, or where it is left out what stands for none. */
static tensor *embedding_of(const decoder_weights *w, const decoder_condition *in)
{
    tensor *x = spread(in->embedding);
    if (!w->nothing) return op_mul(x, in->keep);
    return op_add(op_mul(op_sub(x, w->nothing), in->keep), w->nothing);
}

/* The caption's states [B,T,W], and what is added to the timestep's embedding for it [B,4 C]. */
static tensor *caption_of(graph *g, const decoder_config *c, const decoder_weights *w,
                          const decoder_condition *in, tensor *random, tensor **of_time)
{
    if (c->clip_text) {
        *of_time = nn_linear_wide(&w->caption_time, spread(in->caption));
        return w->states.weight ? nn_norm(&w->states_norm, nn_linear(&w->states, in->states)) : NULL;
    }
    const text_encoder_config text = decoder_text_config(c);
    tensor *states = text_encoder_apply(g, &text, w->text, in->ids, random);
    tensor *last = op_slice(states, 1, c->text_tokens - 1, 1);
    last = op_reshape(last, 2, (int64_t[]){ states->dim[0], c->text_width });
    *of_time = nn_linear_wide(&w->caption_time, last);
    return states;
}

/* The embedding's positions, and then the caption's. */
static tensor *context_of(const decoder_config *c, const decoder_weights *w, tensor *embedding,
                          tensor *states)
{
    if (!w->tokens.weight) return states;
    tensor *own = op_reshape(nn_linear(&w->tokens, embedding), 3,
                             (int64_t[]){ embedding->dim[0], c->embedding_tokens, context_width(c) });
    return op_concat(2, (tensor *[]){ own, states }, 1);
}

tensor *decoder_predict(graph *g, const decoder_config *c, const decoder_weights *w,
                        const decoder_condition *in, tensor *x, tensor *time, tensor *random)
{
    const unet_config net = decoder_unet_config(c);
    unet_context context = { .valid = in->valid };
    tensor *of_time, *states = caption_of(g, c, w, in, random, &of_time);
    tensor *embedding = embedding_of(w, in);
    if (net.context) context.states = context_of(c, w, embedding, states);
    if (in->given) x = op_concat(2, (tensor *[]){ x, in->given }, 3);
    return unet_apply(g, &net, w->unet, x, time, nn_linear_add(&w->time, embedding, of_time),
                      net.context ? &context : NULL, random);
}
