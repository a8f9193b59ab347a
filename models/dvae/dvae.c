/* dvae.c -- the dVAE as openai/DALL-E defines it (dall_e/encoder.py, decoder.py), and its loss
 * (2.1, A.2, A.3 of arXiv 2102.12092).
 *
 * Every convolution has stride 1; groups are separated by 2x2 max-pooling in the encoder and nearest
 * upsampling in the decoder.  A block adds to its input a bottleneck branch scaled by 1/(number of
 * blocks)^2, so that the identity dominates at the start.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae.h"

#include <math.h>
#include <string.h>

/* ---- Pixels ---- */

tensor *dvae_map_pixels(const dvae_config *c, tensor *pixels)
{
    float range = 1.0f - 2.0f * (float)c->epsilon;
    return op_affine(op_cast(pixels, DTYPE_F32), range / 255.0f, (float)c->epsilon);
}

tensor *dvae_reconstruction(const dvae_config *c, tensor *stats)
{
    float range = 1.0f - 2.0f * (float)c->epsilon;
    tensor *mean = op_contiguous(op_slice(stats, stats->rank - 1, 0, 3));
    return op_clamp(op_affine(op_sigmoid(mean), 1.0f / range, -(float)c->epsilon / range), 0.0f, 1.0f);
}

/* ---- Blocks ---- */

/* How a block stands: in the encoder, in the decoder, or in the decoder on top of a nearest upsampling. */
typedef enum block_place { IN_ENCODER, IN_DECODER, AFTER_UPSAMPLING } block_place;

/* y = id(x) + gain * res(x); res is four convolutions, each after a ReLU, through a bottleneck of a
 * quarter of the output channels.  The encoder's branch ends with the 1x1, the decoder's begins with it.
 * AFTER_UPSAMPLING, x is still small: ReLU and 1x1 convolutions see one pixel at a time, so the same values
 * come of upsampling after them, for a quarter of the work. */
static tensor *block(graph *g, const dvae_config *c, tensor *x, int64_t out, block_place place)
{
    static const int64_t encoder_kernels[4] = { 3, 3, 3, 1 }, decoder_kernels[4] = { 1, 3, 3, 3 };
    const int64_t *kernels = place == IN_ENCODER ? encoder_kernels : decoder_kernels;
    int64_t in = tensor_last(x), hidden = out / 4;

    tensor *identity = x;
    if (in != out) {
        conv_weights w = nn_conv_weights(g, "identity", in, out, 1);
        identity = nn_conv(&w, x);
    }
    if (place == AFTER_UPSAMPLING) identity = op_upsample2(identity);
    float gain = powf((float)(c->groups * c->blocks), -(float)c->gain_power);
    tensor *h = op_relu(x);
    graph_push(g, "residual");
    for (int i = 0; i < 4; ++i) {
        char name[16] = { 'c', 'o', 'n', 'v', (char)('1' + i), 0 };
        conv_weights w = nn_conv_weights(g, name, i ? hidden : in, i < 3 ? hidden : out, kernels[i]);
        h = i < 3 ? nn_conv_relu(&w, h) : nn_conv_add(&w, h, gain, identity);
        if (place == AFTER_UPSAMPLING && i == 0) h = op_upsample2(h);
    }
    graph_pop(g);
    return h;
}

static tensor *group(graph *g, const dvae_config *c, tensor *x, int64_t number, int64_t out,
                     block_place first)
{
    graph_push(g, "group%lld", (long long)number);
    for (int64_t i = 0; i < c->blocks; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        if (c->recompute) graph_recompute_begin(g);
        x = block(g, c, x, out, i == 0 || first == IN_ENCODER ? first : IN_DECODER);
        if (c->recompute) graph_recompute_end(g);
        graph_pop(g);
    }
    graph_pop(g);
    return x;
}

/* ---- Encoder and decoder ---- */

tensor *dvae_encoder(graph *g, const dvae_config *c, tensor *x)
{
    graph_push(g, "encoder");
    conv_weights input = nn_conv_weights(g, "input", 3, c->channels, 7);
    tensor *h = nn_conv(&input, x); /* [B,Y,X,C] */
    for (int64_t i = 0; i < c->groups; ++i) {
        h = group(g, c, h, i + 1, c->channels << i, IN_ENCODER);
        if (i + 1 < c->groups) h = op_max_pool2(h);
    }
    conv_weights output =
        nn_wide_conv_weights(g, "output", tensor_last(h), dvae_is_vq(c) ? c->code_channels : c->codes, 1);
    h = nn_conv_wide(&output, op_relu(h));
    graph_pop(g);
    return h;
}

/* The decoder after its input convolution: h [B,y,x,decoder_channels]. */
static tensor *decode_features(graph *g, const dvae_config *c, tensor *h)
{
    for (int64_t i = 0; i < c->groups; ++i) {
        h = group(g, c, h, i + 1, c->channels << (c->groups - 1 - i), i == 0 ? IN_DECODER : AFTER_UPSAMPLING);
    }
    conv_weights output = nn_conv_weights(g, "output", c->channels, 6, 1);
    return nn_conv_wide(&output, op_relu(h));
}

tensor *dvae_decoder(graph *g, const dvae_config *c, tensor *z)
{
    graph_push(g, "decoder");
    conv_weights input = nn_wide_conv_weights(g, "input", tensor_last(z), c->decoder_channels, 1);
    tensor *stats = decode_features(g, c, nn_conv(&input, z));
    graph_pop(g);
    return stats;
}

static const char codebook_name[] = "codebook";

bool dvae_is_codebook(const char *name)
{
    return strcmp(name, codebook_name) == 0;
}

static tensor *codebook_of(graph *g, const dvae_config *c)
{
    parameter_spec spec = {
        .kind = STORE_LEARNT, .type = DTYPE_F32, .init = STORE_NORMAL, .deviation = 1.0f
    };
    return graph_parameter(g, codebook_name, spec, 2, (int64_t[]){ c->codes, c->code_channels });
}

tensor *dvae_tokens(graph *g, const dvae_config *c, tensor *encoded)
{
    return dvae_is_vq(c) ? op_nearest_code(encoded, codebook_of(g, c)) : op_argmax_last(encoded);
}

/* One-hot codes times the input convolution's 1x1 weight [C,1,1,K] picks its column for the code. */
tensor *dvae_decode_tokens(graph *g, const dvae_config *c, tensor *tokens)
{
    if (dvae_is_vq(c)) return dvae_decoder(g, c, op_embedding(codebook_of(g, c), tokens));
    graph_push(g, "decoder");
    conv_weights input = nn_wide_conv_weights(g, "input", c->codes, c->decoder_channels, 1);
    tensor *matrix = op_reshape(input.weight, 2, (int64_t[]){ c->decoder_channels, c->codes });
    tensor *table = op_contiguous(op_permute(matrix, (int[]){ 1, 0 })); /* [K,C] */
    tensor *stats = decode_features(g, c, op_add(op_embedding(table, tokens), input.bias));
    graph_pop(g);
    return stats;
}

/* ---- Loss ---- */

/* Nearest codes with a straight-through gradient (arXiv 1711.00937, 3.2). */
static tensor *quantise(graph *g, const dvae_config *c, tensor *encoded, dvae_losses *l)
{
    tensor *codebook = codebook_of(g, c);
    l->tokens = op_nearest_code(encoded, codebook);
    tensor *hard = op_embedding(codebook, l->tokens);
    tensor *distance = op_mean_all(op_square(op_sub(encoded, op_stop_gradient(hard))));
    l->regulariser = op_scale(distance, (float)c->commitment);
    return op_straight_through(hard, encoded);
}

void dvae_update_codebook(graph *g, const dvae_config *c, const dvae_losses *l, tensor *random,
                          tensor *finite)
{
    int64_t k = c->codes, d = c->code_channels;
    parameter_spec state = { .kind = STORE_STATE, .type = DTYPE_F32, .init = STORE_ZEROS };
    tensor *usage = graph_parameter(g, "codebook_usage", state, 1, &k);
    tensor *mean = graph_parameter(g, "codebook_mean", state, 2, (int64_t[]){ k, d });

    tensor *rows = op_reshape(l->encoded, 2, (int64_t[]){ -1, d }), *counts, *sums;
    op_code_statistics(op_reshape(l->tokens, 1, (int64_t[]){ -1 }), rows, k, &counts, &sums);
    float share = (float)tensor_rows(rows) / (float)k; /* each code's count if all were used alike */
    graph_update(op_codebook_update(codebook_of(g, c), usage, mean, counts, sums, rows, random, finite,
                                    (float)c->codebook_decay, (float)c->codebook_revive * share));
}

/* Where a background is exactly flat, the logit-Laplace scale b shrinks without end and its likelihood
 * outweighs every other pixel; this loss has no scale to shrink.  ln b is left untrained. */
static tensor *pixel_error(const dvae_config *c, tensor *stats, tensor *target)
{
    float range = 1.0f - 2.0f * (float)c->epsilon;
    tensor *mean = op_contiguous(op_slice(stats, stats->rank - 1, 0, 3));
    tensor *pixels = op_affine(op_sigmoid(mean), 1.0f / range, -(float)c->epsilon / range);
    tensor *off = op_sub(pixels, target);
    tensor *absolute = op_add(op_relu(off), op_relu(op_scale(off, -1.0f)));
    return op_add(op_mean_all(absolute), op_scale(op_mean_all(op_square(off)), 5.0f));
}

/* KL(mean posterior || uniform) in nats.  The paper's KL flattens each token's posterior and leaves it
 * open whether all tokens share the same few codes; this one asks only that codes share the work.  The
 * mean is over what is computed at once, on all ranks: where `accumulate` divides a batch, a part's, which is
 * the one thing that then differs. */
static tensor *imbalance(tensor *logits, const division *ranks)
{
    int64_t k = tensor_last(logits);
    tensor *rows = op_softmax(op_reshape(logits, 2, (int64_t[]){ -1, k }));
    tensor *mean = op_affine(op_sum_rows(rows), 1.0f / (float)tensor_rows(rows), 1e-9f); /* [K] */
    mean = division_mean_of_ranks(ranks, mean);
    return op_sum_all(op_mul(mean, op_log(op_scale(mean, (float)k))));
}

dvae_losses dvae_loss(graph *g, const dvae_config *c, tensor *pixels, const dvae_controls *controls)
{
    dvae_losses l = { 0 };
    tensor *x = dvae_map_pixels(c, pixels);  /* [B,Y,X,3] */
    tensor *encoded = dvae_encoder(g, c, x); /* [B,y,x,K] or [B,y,x,D] */
    l.encoded = encoded;
    float values = (float)tensor_count(x); /* the whole loss is divided by the pixel values (A.2) */

    tensor *z;
    if (dvae_is_vq(c)) {
        z = quantise(g, c, encoded, &l);
    } else {
        l.tokens = op_argmax_last(encoded);
        z = op_gumbel_softmax_to(encoded, controls->temperature, controls->random, graph_half(g));
        /* The logits are taken for a categorical distribution even while tau > 0 (openai/DALL-E#26). */
        l.regulariser = op_scale(op_sum_all(op_categorical_kl(encoded)), 1.0f / values);
    }
    tensor *stats = dvae_decoder(g, c, z); /* [B,Y,X,6] */
    tensor *target = op_scale(op_cast(pixels, DTYPE_F32), 1.0f / 255.0f);
    l.reconstruction = c->reconstruction == dvae_measure_pixels
                           ? pixel_error(c, stats, target)
                           : op_scale(op_sum_all(op_logit_laplace(x, stats)), 1.0f / values);

    tensor *weighted = dvae_is_vq(c) ? l.regulariser : op_mul(l.regulariser, controls->kl_weight);
    l.loss = op_add(l.reconstruction, weighted);
    if (!dvae_is_vq(c) && c->code_balance > 0)
        l.loss = op_add(l.loss, op_scale(imbalance(encoded, controls->ranks), (float)c->code_balance));
    l.squared_error = op_mean_all(op_square(op_sub(op_stop_gradient(dvae_reconstruction(c, stats)), target)));
    return l;
}
