/* layers.c -- linear, convolution and normalisation layers.
 * SPDX-License-Identifier: MIT */
#include "host/nn/nn.h"

#include "host/graph/split.h"

#include <math.h>

/* `type` is what the weights of such layers are drawn with; where that is F32, training has its say. */
static tensor *weight_of(graph *g, const char *name, dtype type, bool wide, float deviation, int rank,
                         const int64_t *dim)
{
    parameter_spec spec = { .kind = STORE_PARAMETER,
                            .type = wide || type != DTYPE_F32 ? type : store_trained_type(graph_store(g)),
                            .init = deviation > 0 ? STORE_NORMAL : STORE_ZEROS,
                            .deviation = deviation,
                            .decay = true,
                            .wide = wide };
    tensor *w = graph_parameter(g, name, spec, rank, dim);
    return wide || graph_half(g) == DTYPE_F32 ? w : op_cast_weight(w, graph_half(g));
}

tensor *nn_weight(graph *g, const char *name, float deviation, int rank, const int64_t *dim)
{
    return weight_of(g, name, DTYPE_F32, false, deviation, rank, dim);
}

tensor *nn_embedding(graph *g, const char *name, float deviation, int64_t rows, int64_t size)
{
    return weight_of(g, name, DTYPE_F32, true, deviation, 2, (int64_t[]){ rows, size });
}

static tensor *vector_of(graph *g, const char *name, store_init init, int64_t size)
{
    const parameter_spec spec = { .kind = STORE_PARAMETER, .type = DTYPE_F32, .init = init, .wide = true };
    return graph_parameter(g, name, spec, 1, &size);
}

tensor *nn_bias(graph *g, const char *name, int64_t size)
{
    return vector_of(g, name, STORE_ZEROS, size);
}

tensor *nn_gain(graph *g, const char *name, int64_t size)
{
    return vector_of(g, name, STORE_ONES, size);
}

static linear_weights linear_of(graph *g, const char *name, bool wide, int64_t in, int64_t out, bool bias,
                                float deviation)
{
    linear_weights w = { 0 };
    graph_push(g, "%s", name);
    w.weight =
        weight_of(g, "weight", store_weight_type(graph_store(g)), wide, deviation, 2, (int64_t[]){ out, in });
    if (bias) w.bias = nn_bias(g, "bias", out);
    graph_pop(g);
    return w;
}

linear_weights nn_linear_weights(graph *g, const char *name, int64_t in, int64_t out, bool bias,
                                 float deviation)
{
    return linear_of(g, name, false, in, out, bias, deviation);
}

linear_weights nn_unembedding_weights(graph *g, const char *name, int64_t in, int64_t out, float deviation)
{
    return linear_of(g, name, true, in, out, false, deviation);
}

tensor *nn_block_scales(graph *g, int64_t count, float start)
{
    store_entry *e = graph_declare(g, NN_SCALES, STORE_STATE, DTYPE_F32, 2, (int64_t[]){ count, 4 });
    return e ? op_scales(graph_entry(g, e), start) : graph_poison(g);
}

/* ---- What layers give ---- */

static dtype type_of_result(const tensor *x)
{
    dtype half = graph_half(x->graph);
    return half == DTYPE_F32 ? x->type : half;
}

tensor *nn_half(tensor *x)
{
    dtype type = type_of_result(x);
    return x->type == type ? x : op_cast(x, type);
}

tensor *nn_linear(const linear_weights *w, tensor *x)
{
    return op_linear_to(x, split_whole(w->weight), w->bias, ACTIVATION_IDENTITY, type_of_result(x));
}

tensor *nn_linear_wide(const linear_weights *w, tensor *x)
{
    return op_linear_to(x, split_whole(w->weight), w->bias, ACTIVATION_IDENTITY, DTYPE_F32);
}

tensor *nn_linear_add(const linear_weights *w, tensor *x, tensor *residual)
{
    return op_linear_add(x, split_whole(w->weight), w->bias, residual);
}

static conv_weights conv_of(graph *g, const char *name, bool wide, int64_t in, int64_t out, int64_t kernel)
{
    const int64_t dim[4] = { out, kernel, kernel, in };
    const float deviation = 1.0f / sqrtf((float)(in * kernel * kernel));
    conv_weights w;
    graph_push(g, "%s", name);
    w.weight = weight_of(g, "weight", DTYPE_F32, wide, deviation, 4, dim);
    w.bias = nn_bias(g, "bias", out);
    graph_pop(g);
    return w;
}

conv_weights nn_conv_weights(graph *g, const char *name, int64_t in, int64_t out, int64_t kernel)
{
    return conv_of(g, name, false, in, out, kernel);
}

conv_weights nn_wide_conv_weights(graph *g, const char *name, int64_t in, int64_t out, int64_t kernel)
{
    return conv_of(g, name, true, in, out, kernel);
}

tensor *nn_conv(const conv_weights *w, tensor *x)
{
    return op_conv2d_to(x, split_whole(w->weight), w->bias, type_of_result(x));
}

tensor *nn_conv_wide(const conv_weights *w, tensor *x)
{
    return op_conv2d_to(x, split_whole(w->weight), w->bias, DTYPE_F32);
}

tensor *nn_conv_relu(const conv_weights *w, tensor *x)
{
    return op_conv2d_relu(x, split_whole(w->weight), w->bias);
}

tensor *nn_conv_add(const conv_weights *w, tensor *x, float gain, tensor *residual)
{
    return op_conv2d_add(x, split_whole(w->weight), w->bias, gain, residual);
}

norm_weights nn_norm_weights(graph *g, const char *name, int64_t size)
{
    norm_weights w;
    graph_push(g, "%s", name);
    w.gain = nn_gain(g, "gain", size);
    w.bias = nn_bias(g, "bias", size);
    graph_pop(g);
    return w;
}

tensor *nn_norm(const norm_weights *w, tensor *x)
{
    return op_layer_norm(x, w->gain, w->bias, NN_NORM_EPSILON);
}

tensor *nn_linear_step(const linear_weights *w, const norm_weights *norm, tensor *x, activation f,
                       tensor *residual)
{
    linear_rows_terms t = { .weight = { split_whole(w->weight) },
                            .bias = { w->bias },
                            .gain = norm ? norm->gain : NULL,
                            .shift = norm ? norm->bias : NULL,
                            .epsilon = NN_NORM_EPSILON,
                            .activation = f,
                            .residual = residual };
    return op_linear_rows(x, &t);
}
