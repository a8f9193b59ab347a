/* inception_net.h -- Inception-v3 as a graph, and which of its tensors stand where in the file.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_INCEPTION_NET_H
#define DALLE_CL_EVAL_INCEPTION_NET_H

#include "data/safetensors.h"
#include "host/graph/graph.h"

enum { INCEPTION_CONVOLUTIONS = 94 };

/* A convolution with its batch normalisation, and a rectifier after it. */
typedef struct inception_layer {
    const char *name;      /* in the file, before ".conv.weight": "Mixed_5b.branch1x1" */
    tensor *weight, *bias; /* [Cout,ky,kx,Cin], [Cout] */
} inception_layer;

typedef struct inception_net {
    graph *graph;
    int64_t thinner; /* divides every width */
    inception_layer layer[INCEPTION_CONVOLUTIONS];
    int count;
    tensor *classifier; /* [classes, features] */
    tensor *pixels;     /* the input, F32 [batch,299,299,3] from -1 to 1 */
    tensor *features, *logits;
} inception_net;

/* Appends the network to net->graph; mistakes are latched there. */
void inception_net_build(inception_net *net, int64_t batch);

/* Whether the file has the network's tensors, in their shapes, and no others. */
bool inception_net_check(const inception_net *net, const safetensors *file, const char *path, error *err);
/* Of a file that passed, once the graph is compiled: writes its weights into the store, batch normalisation
 * folded in. */
bool inception_net_load(inception_net *net, const safetensors *file, const char *path, error *err);

#endif
