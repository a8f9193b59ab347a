/* activation.c -- the activations' names, and what each is in double precision.
 * SPDX-License-Identifier: MIT */
#include "host/base/activation.h"

#include <math.h>
#include <string.h>

#define TANH_SCALE 0.79788456080286536 /* sqrt(2 / pi) */
#define TANH_CUBE  0.044715
#define QUICK      1.702

static const char *const names[] = {
#define ACTIVATION_NAME(name, word) #word,
    ACTIVATIONS(ACTIVATION_NAME)
#undef ACTIVATION_NAME
};

const char *activation_name(activation f)
{
    return names[f];
}

bool activation_from_name(const char *name, activation *f)
{
    for (int i = 0; i < ACTIVATION_COUNT; ++i) {
        if (strcmp(names[i], name) != 0) continue;
        *f = (activation)i;
        return true;
    }
    return false;
}

bool activation_from_result(activation f)
{
    return f == ACTIVATION_IDENTITY || f == ACTIVATION_RELU;
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double relu_slope(double x)
{
    return x > 0 ? 1 : 0;
}

static double normal_below(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752);
}

static double gelu_slope(double x)
{
    return normal_below(x) + x * 0.39894228040143268 * exp(-0.5 * x * x);
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(TANH_SCALE * (x + TANH_CUBE * x * x * x)));
}

static double gelu_tanh_slope(double x)
{
    double t = tanh(TANH_SCALE * (x + TANH_CUBE * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * TANH_SCALE * (1 + 3 * TANH_CUBE * x * x);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Of x sigmoid(factor x). */
static double gated_slope(double x, double factor)
{
    double s = sigmoid(factor * x);
    return s + factor * x * s * (1 - s);
}

double activation_value(activation f, double x)
{
    const double values[ACTIVATION_COUNT] = {
        x, relu(x), x * normal_below(x), gelu_tanh(x), x * sigmoid(QUICK * x), x * sigmoid(x)
    };
    return values[f];
}

double activation_slope(activation f, double x)
{
    const double slopes[ACTIVATION_COUNT] = {
        1, relu_slope(x), gelu_slope(x), gelu_tanh_slope(x), gated_slope(x, QUICK), gated_slope(x, 1)
    };
    return slopes[f];
}
