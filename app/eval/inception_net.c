/* inception_net.c -- Inception-v3 (arXiv 1512.00567), the variant of the weights of 2015-12-05, block by
 * block in the order and by the names of torchvision's.  [B,Y,X,C] throughout.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception_net.h"

#include "app/eval/inception.h"
#include "host/ops/ops.h"

/* Stride 1, a place for every pixel. */
static window same(int32_t y, int32_t x)
{
    return window_same(y, x);
}

/* Without padding. */
static window inside(int32_t size, int32_t stride)
{
    return (window){ .size = { size, size }, .stride = { stride, stride } };
}

/* relu(norm(conv(x))); the norm's factors are in weight and bias. */
static tensor *conv(inception_net *net, tensor *x, const char *name, int64_t width, window w)
{
    CHECK(net->count < INCEPTION_CONVOLUTIONS, "'%s' is convolution %d", name, net->count);
    graph *g = net->graph;
    const int64_t out = width / net->thinner, in = x->dim[3];
    const parameter_spec spec = { .kind = STORE_PARAMETER, .type = DTYPE_F32 };
    inception_layer *l = &net->layer[net->count++];
    l->name = graph_scoped(g, name);
    graph_push(g, "%s", name);
    l->weight = graph_parameter(g, "weight", spec, 4, (int64_t[]){ out, w.size[0], w.size[1], in });
    l->bias = graph_parameter(g, "bias", spec, 1, &out);
    tensor *y = op_conv2d_window(x, l->weight, l->bias, &w, ACTIVATION_RELU);
    graph_pop(g);
    return y;
}

static tensor *channels(tensor *const *branch, int count)
{
    return op_concat(count, branch, 3);
}

/* A mean over the 3 x 3 pixels around each that there are. */
static tensor *mean_around(tensor *x)
{
    const window w = same(3, 3);
    return op_average_pool(x, &w, false);
}

static tensor *maximum(tensor *x, window w)
{
    return op_max_pool(x, &w);
}

/* 299 x 299 x 3 -> 35 x 35 x 192 */
static tensor *stem(inception_net *net, tensor *x)
{
    x = conv(net, x, "Conv2d_1a_3x3", 32, inside(3, 2));
    x = conv(net, x, "Conv2d_2a_3x3", 32, inside(3, 1));
    x = conv(net, x, "Conv2d_2b_3x3", 64, same(3, 3));
    x = maximum(x, inside(3, 2));
    x = conv(net, x, "Conv2d_3b_1x1", 80, same(1, 1));
    x = conv(net, x, "Conv2d_4a_3x3", 192, inside(3, 1));
    return maximum(x, inside(3, 2));
}

/* 35 x 35, 5 x 5 and twice 3 x 3 beside each other: 224 + pool channels */
static tensor *block_a(inception_net *net, tensor *x, const char *name, int64_t pool)
{
    graph_push(net->graph, "%s", name);
    tensor *one = conv(net, x, "branch1x1", 64, same(1, 1));
    tensor *five = conv(net, x, "branch5x5_1", 48, same(1, 1));
    five = conv(net, five, "branch5x5_2", 64, same(5, 5));
    tensor *three = conv(net, x, "branch3x3dbl_1", 64, same(1, 1));
    three = conv(net, three, "branch3x3dbl_2", 96, same(3, 3));
    three = conv(net, three, "branch3x3dbl_3", 96, same(3, 3));
    tensor *mean = conv(net, mean_around(x), "branch_pool", pool, same(1, 1));
    graph_pop(net->graph);
    return channels((tensor *[]){ one, five, three, mean }, 4);
}

/* 35 x 35 -> 17 x 17 x 768 */
static tensor *block_b(inception_net *net, tensor *x, const char *name)
{
    graph_push(net->graph, "%s", name);
    tensor *three = conv(net, x, "branch3x3", 384, inside(3, 2));
    tensor *twice = conv(net, x, "branch3x3dbl_1", 64, same(1, 1));
    twice = conv(net, twice, "branch3x3dbl_2", 96, same(3, 3));
    twice = conv(net, twice, "branch3x3dbl_3", 96, inside(3, 2));
    graph_pop(net->graph);
    return channels((tensor *[]){ three, twice, maximum(x, inside(3, 2)) }, 3);
}

/* 17 x 17, 7 x 7 by rows and columns, once and twice: 768 channels */
static tensor *block_c(inception_net *net, tensor *x, const char *name, int64_t width)
{
    graph_push(net->graph, "%s", name);
    tensor *one = conv(net, x, "branch1x1", 192, same(1, 1));
    tensor *once = conv(net, x, "branch7x7_1", width, same(1, 1));
    once = conv(net, once, "branch7x7_2", width, same(1, 7));
    once = conv(net, once, "branch7x7_3", 192, same(7, 1));
    tensor *twice = conv(net, x, "branch7x7dbl_1", width, same(1, 1));
    twice = conv(net, twice, "branch7x7dbl_2", width, same(7, 1));
    twice = conv(net, twice, "branch7x7dbl_3", width, same(1, 7));
    twice = conv(net, twice, "branch7x7dbl_4", width, same(7, 1));
    twice = conv(net, twice, "branch7x7dbl_5", 192, same(1, 7));
    tensor *mean = conv(net, mean_around(x), "branch_pool", 192, same(1, 1));
    graph_pop(net->graph);
    return channels((tensor *[]){ one, once, twice, mean }, 4);
}

/* 17 x 17 -> 8 x 8 x 1280 */
static tensor *block_d(inception_net *net, tensor *x, const char *name)
{
    graph_push(net->graph, "%s", name);
    tensor *three = conv(net, x, "branch3x3_1", 192, same(1, 1));
    three = conv(net, three, "branch3x3_2", 320, inside(3, 2));
    tensor *seven = conv(net, x, "branch7x7x3_1", 192, same(1, 1));
    seven = conv(net, seven, "branch7x7x3_2", 192, same(1, 7));
    seven = conv(net, seven, "branch7x7x3_3", 192, same(7, 1));
    seven = conv(net, seven, "branch7x7x3_4", 192, inside(3, 2));
    graph_pop(net->graph);
    return channels((tensor *[]){ three, seven, maximum(x, inside(3, 2)) }, 3);
}

/* 8 x 8 x 2048.  The last of them pools by maximum, which may have been an oversight, and is how the weights
 * of 2015-12-05 were trained. */
static tensor *block_e(inception_net *net, tensor *x, const char *name, bool last)
{
    graph_push(net->graph, "%s", name);
    tensor *part[6];
    part[0] = conv(net, x, "branch1x1", 320, same(1, 1));
    tensor *three = conv(net, x, "branch3x3_1", 384, same(1, 1));
    part[1] = conv(net, three, "branch3x3_2a", 384, same(1, 3));
    part[2] = conv(net, three, "branch3x3_2b", 384, same(3, 1));
    tensor *twice = conv(net, x, "branch3x3dbl_1", 448, same(1, 1));
    twice = conv(net, twice, "branch3x3dbl_2", 384, same(3, 3));
    part[3] = conv(net, twice, "branch3x3dbl_3a", 384, same(1, 3));
    part[4] = conv(net, twice, "branch3x3dbl_3b", 384, same(3, 1));
    part[5] = conv(net, last ? maximum(x, same(3, 3)) : mean_around(x), "branch_pool", 192, same(1, 1));
    graph_pop(net->graph);
    return channels(part, 6);
}

void inception_net_build(inception_net *net, int64_t batch)
{
    graph *g = net->graph;
    net->pixels =
        graph_input(g, "pixels", DTYPE_F32, 4, (int64_t[]){ batch, INCEPTION_SIDE, INCEPTION_SIDE, 3 });
    tensor *x = stem(net, net->pixels);
    x = block_a(net, x, "Mixed_5b", 32);
    x = block_a(net, x, "Mixed_5c", 64);
    x = block_a(net, x, "Mixed_5d", 64);
    x = block_b(net, x, "Mixed_6a");
    x = block_c(net, x, "Mixed_6b", 128);
    x = block_c(net, x, "Mixed_6c", 160);
    x = block_c(net, x, "Mixed_6d", 160);
    x = block_c(net, x, "Mixed_6e", 192);
    x = block_d(net, x, "Mixed_7a");
    x = block_e(net, x, "Mixed_7b", false);
    x = block_e(net, x, "Mixed_7c", true);
    const window all = inside(8, 1);
    const int64_t features = INCEPTION_FEATURES / net->thinner, classes = INCEPTION_CLASSES / net->thinner;
    net->features = op_reshape(op_average_pool(x, &all, false), 2, (int64_t[]){ batch, features });
    const parameter_spec spec = { .kind = STORE_PARAMETER, .type = DTYPE_F32 };
    net->classifier = graph_parameter(g, "fc.weight", spec, 2, (int64_t[]){ classes, features });
    net->logits = op_linear(net->features, net->classifier, NULL);
    graph_keep(net->features);
    graph_keep(net->logits);
}
