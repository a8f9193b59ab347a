/* activation.h -- functions of one element that stand between layers, in one list: operators apply them,
 * products end their elements with them, layers name them.  What a kernel computes, and the derivative, is in
 * cl/activation.clh.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_ACTIVATION_H
#define DALLE_CL_BASE_ACTIVATION_H

#include <stdbool.h>

/* identity x; relu max(x, 0); gelu x Phi(x), by erf; gelu_tanh, the same by tanh (arXiv 1606.08415);
 * quick_gelu x sigmoid(1.702 x); silu x sigmoid(x).  A place in the list is the number that kernels know one
 * by. */
#define ACTIVATIONS(X) \
    X(IDENTITY, identity) \
    X(RELU, relu) \
    X(GELU, gelu) \
    X(GELU_TANH, gelu_tanh) \
    X(QUICK_GELU, quick_gelu) \
    X(SILU, silu)

typedef enum activation {
#define ACTIVATION_ENUM(name, word) ACTIVATION_##name,
    ACTIVATIONS(ACTIVATION_ENUM)
#undef ACTIVATION_ENUM
        ACTIVATION_COUNT
} activation;

const char *activation_name(activation f);                  /* "gelu_tanh" */
bool activation_from_name(const char *name, activation *f); /* false: there is none of that name */
/* Whether the derivative is the same of what the function gives as of what it was given, which then need not
 * be kept. */
bool activation_from_result(activation f);
/* The function and its derivative in double precision: what tests and benchmarks hold kernels to. */
double activation_value(activation f, double x);
double activation_slope(activation f, double x);

#endif
