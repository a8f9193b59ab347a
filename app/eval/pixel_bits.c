/* pixel_bits.c -- see pixel_bits.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/pixel_bits.h"

#include <math.h>

static double logit(double x)
{
    return x <= 0 ? -INFINITY : x >= 1 ? INFINITY : log(x) - log1p(-x);
}

pixel_bits pixel_bits_tables(double epsilon)
{
    pixel_bits t = { .step = (1 - 2 * epsilon) / 255 };
    for (int v = 0; v < 256; ++v) {
        t.mapped[v] = epsilon + v * t.step;
        t.middle[v] = logit(t.mapped[v]);
        t.upper[v] = v < 255 ? logit(t.mapped[v] + t.step / 2) : INFINITY;
    }
    return t;
}

/* -ln of the mass that a Laplace distribution of scale 1 around 0 has between low and high. */
static double laplace_nats(double low, double high)
{
    if (low < 0 && high > 0) return -log1p(-0.5 * exp(low) - 0.5 * exp(-high));
    double near =
        low >= 0 ? low : -high; /* both on one side: the nearer end, and how far it is to the other */
    return log(2) + near - log(-expm1(low - high));
}

double pixel_bits_of(const pixel_bits *t, uint8_t value, double mean, double log_scale)
{
    double scale = exp(-log_scale), low = value ? t->upper[value - 1] : -INFINITY;
    return laplace_nats((low - mean) * scale, (t->upper[value] - mean) * scale) / log(2);
}

double pixel_bits_density(const pixel_bits *t, uint8_t value, double mean, double log_scale)
{
    double x = t->mapped[value];
    double nats = log(2) + log_scale + log(x) + log1p(-x) + fabs(t->middle[value] - mean) * exp(-log_scale);
    return (nats - log(t->step)) / log(2);
}

void pixel_bits_sum(const pixel_bits *t, const float *stats, const uint8_t *bytes, int64_t pixels,
                    double *bits, double *density)
{
    for (int64_t i = 0; i < pixels; ++i)
        for (int64_t c = 0; c < 3; ++c) {
            double mean = (double)stats[6 * i + c], log_scale = (double)stats[6 * i + 3 + c];
            *bits += pixel_bits_of(t, bytes[3 * i + c], mean, log_scale);
            *density += pixel_bits_density(t, bytes[3 * i + c], mean, log_scale);
        }
}

double pixel_bits_geometric(double mean, double of_set)
{
    double m = of_set;
    if (m <= 0) return mean > 0 ? INFINITY : 0;
    double t = m / (1 + sqrt(1 + m * m)); /* (sqrt(1 + m^2) - 1) / m, without the difference */
    return -(log1p(-t) - log1p(t) + mean * log(t)) / log(2);
}
