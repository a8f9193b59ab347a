/* quality.c -- PSNR and SSIM.  A window's means are two passes of one row of weights, along rows and then
 * columns, of the five planes a, b, aa, bb, ab.
 * SPDX-License-Identifier: MIT */
#include "app/eval/quality.h"

#include <math.h>
#include <stdlib.h>

enum { PLANES = 5 };

static const double SIGMA = 1.5;

double quality_squared_error(const uint8_t *a, const uint8_t *b, int64_t side)
{
    int64_t count = side * side * 3, sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        int64_t difference = (int64_t)a[i] - (int64_t)b[i];
        sum += difference * difference;
    }
    return (double)sum / (double)count;
}

double quality_psnr(double squared_error)
{
    return 10 * log10(255.0 * 255.0 / squared_error);
}

static void window_weights(double *weights)
{
    double sum = 0;
    for (int i = 0; i < QUALITY_WINDOW; ++i) {
        double x = i - QUALITY_WINDOW / 2;
        weights[i] = exp(-x * x / (2 * SIGMA * SIGMA));
        sum += weights[i];
    }
    for (int i = 0; i < QUALITY_WINDOW; ++i) weights[i] /= sum;
}

/* Row y of the five planes, its windows' means along x: rows[plane][side - 10]. */
static void filter_row(const uint8_t *a, const uint8_t *b, int64_t side, const double *weights, double *rows)
{
    int64_t kept = side - QUALITY_WINDOW + 1;
    for (int64_t x = 0; x < kept; ++x) {
        double sums[PLANES] = { 0 };
        for (int64_t i = 0; i < QUALITY_WINDOW; ++i) {
            double w = weights[i], p = a[3 * (x + i)], q = b[3 * (x + i)];
            sums[0] += w * p;
            sums[1] += w * q;
            sums[2] += w * p * p;
            sums[3] += w * q * q;
            sums[4] += w * p * q;
        }
        for (int64_t plane = 0; plane < PLANES; ++plane) rows[plane * kept + x] = sums[plane];
    }
}

static double window_ssim(const double means[PLANES])
{
    double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
    double a = means[0], b = means[1];
    double aa = means[2] - a * a, bb = means[3] - b * b, ab = means[4] - a * b;
    return (2 * a * b + c1) * (2 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2));
}

/* The sum over the windows whose filtered rows begin at `rows`, stride doubles apart. */
static double row_of_windows(const double *rows, int64_t stride, int64_t kept, const double *weights)
{
    double sum = 0;
    for (int64_t x = 0; x < kept; ++x) {
        double means[PLANES] = { 0 };
        for (int64_t i = 0; i < QUALITY_WINDOW; ++i)
            for (int64_t plane = 0; plane < PLANES; ++plane)
                means[plane] += weights[i] * rows[i * stride + plane * kept + x];
        sum += window_ssim(means);
    }
    return sum;
}

double quality_ssim(const uint8_t *a, const uint8_t *b, int64_t side)
{
    if (side < QUALITY_WINDOW) return NAN;
    int64_t kept = side - QUALITY_WINDOW + 1, stride = PLANES * kept;
    double *rows = malloc((size_t)(side * stride) * sizeof *rows), weights[QUALITY_WINDOW], sum = 0;
    if (!rows) return NAN;
    window_weights(weights);
    for (int64_t channel = 0; channel < 3; ++channel) {
        for (int64_t y = 0; y < side; ++y)
            filter_row(a + 3 * side * y + channel, b + 3 * side * y + channel, side, weights,
                       rows + y * stride);
        for (int64_t y = 0; y < kept; ++y) sum += row_of_windows(rows + y * stride, stride, kept, weights);
    }
    free(rows);
    return sum / (double)(3 * kept * kept);
}

bool quality_add(quality *q, const uint8_t *a, const uint8_t *b, int64_t side)
{
    double error = quality_squared_error(a, b, side);
    if (side >= QUALITY_WINDOW) {
        double ssim = quality_ssim(a, b, side);
        if (isnan(ssim)) return false;
        mean_add(&q->ssim, ssim);
    }
    mean_add(&q->squared_error, error);
    if (error > 0)
        mean_add(&q->psnr, quality_psnr(error));
    else
        ++q->equal;
    return true;
}
