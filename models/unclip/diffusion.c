/* diffusion.c -- the process: betas, respacing, the coefficients of a step.  See diffusion.h.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/diffusion_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- The whole process ---- */

static const double BETA_MOST = 0.999; /* arXiv 2102.09672, 3.2 */

static bool allocate(diffusion *d, int64_t steps, error *err)
{
    d->steps = steps;
    d->time = malloc((size_t)steps * sizeof *d->time);
    d->beta = malloc((size_t)steps * sizeof *d->beta);
    d->alpha_bar = malloc((size_t)steps * sizeof *d->alpha_bar);
    if (d->time && d->beta && d->alpha_bar) return true;
    diffusion_free(d);
    return error_set(err, ERROR_MEMORY, "out of memory for a process of %lld steps", (long long)steps);
}

void diffusion_free(diffusion *d)
{
    free(d->time);
    free(d->beta);
    free(d->alpha_bar);
    *d = (diffusion){ .time = NULL };
}

/* What is left of x_0's square at a share of the way; s = 0.008 keeps the first steps from being too small
 * (arXiv 2102.09672, eq. 17). */
static double cosine_left(double share)
{
    const double s = 0.008, half = acos(0.0);
    double c = cos((share + s) / (1 + s) * half);
    return c * c;
}

static double cosine_beta(int64_t step, int64_t steps)
{
    double beta =
        1 - cosine_left((double)(step + 1) / (double)steps) / cosine_left((double)step / (double)steps);
    return fmin(beta, BETA_MOST);
}

/* 1e-4 to 0.02 over 1000 steps (arXiv 2006.11239, 4); more of fewer steps. */
static double linear_beta(int64_t step, int64_t steps)
{
    double scale = 1000.0 / (double)steps, first = scale * 1e-4, last = scale * 0.02;
    double beta = steps > 1 ? first + (last - first) * (double)step / (double)(steps - 1) : first;
    return fmin(beta, BETA_MOST);
}

bool diffusion_make(diffusion *d, diffusion_schedule schedule, int64_t steps, diffusion_predicts predicts,
                    diffusion_variance variance, error *err)
{
    *d = (diffusion){ .schedule = schedule, .predicts = predicts, .variance = variance };
    if (steps < 1)
        return error_set(err, ERROR_USAGE, "a diffusion process of %lld steps; at least 1", (long long)steps);
    if (!allocate(d, steps, err)) return false;
    double left = 1;
    for (int64_t i = 0; i < steps; ++i) {
        d->time[i] = i;
        d->beta[i] = schedule == DIFFUSION_COSINE ? cosine_beta(i, steps) : linear_beta(i, steps);
        d->alpha_bar[i] = left *= 1 - d->beta[i];
    }
    return true;
}

/* ---- Respacing ---- */

/* The next number of a list; what follows it is a comma or the end. */
static bool read_count(const char **text, int64_t *count)
{
    const char *at = *text;
    int64_t value = 0;
    if (*at < '0' || *at > '9') return false;
    for (; *at >= '0' && *at <= '9'; ++at) {
        value = value * 10 + (*at - '0');
        if (value > INT32_MAX) value = INT32_MAX;
    }
    if (*at != ',' && *at != '\0') return false;
    if (*at == ',' && at[1] == '\0') return false;
    *text = *at ? at + 1 : at;
    *count = value;
    return true;
}

/* How many parts the list has, and their sum; false: it is none. */
static bool read_list(const char *spacing, int64_t *parts, int64_t *sum)
{
    int64_t count;
    *parts = *sum = 0;
    do {
        if (!read_count(&spacing, &count)) return false;
        *sum += count;
        ++*parts;
    } while (*spacing);
    return *sum > 0;
}

/* Takes the step of the whole process as the next of `out`; what is left of x_0 there stays. */
static void take(const diffusion *whole, int64_t step, diffusion *out)
{
    double before = out->steps ? out->alpha_bar[out->steps - 1] : 1;
    out->time[out->steps] = whole->time[step];
    out->alpha_bar[out->steps] = whole->alpha_bar[step];
    out->beta[out->steps] = 1 - whole->alpha_bar[step] / before;
    ++out->steps;
}

/* `count` of the `size` steps from `start` on: its first, its last, and others evenly between them. */
static void take_part(const diffusion *whole, int64_t start, int64_t size, int64_t count, diffusion *out)
{
    double stride = count > 1 ? (double)(size - 1) / (double)(count - 1) : 1, at = 0;
    for (int64_t i = 0; i < count; ++i, at += stride) take(whole, start + (int64_t)rint(at), out);
}

static bool too_many(const diffusion *whole, const char *spacing, int64_t count, int64_t size, error *err)
{
    if (size == whole->steps)
        return error_set(err, ERROR_USAGE, "'%s' are more steps than the process has, %lld", spacing,
                         (long long)size);
    return error_set(err, ERROR_USAGE,
                     "'%s' takes %lld steps of a part of %lld, of the process's %lld; ask for fewer there",
                     spacing, (long long)count, (long long)size, (long long)whole->steps);
}

/* The parts are as long as one another, but for the rest, of which the first ones have one each. */
static bool take_parts(const diffusion *whole, const char *spacing, int64_t parts, diffusion *out, error *err)
{
    const char *at = spacing;
    int64_t start = 0, size, count;
    for (int64_t i = 0; i < parts && read_count(&at, &count); ++i, start += size) {
        size = whole->steps / parts + (i < whole->steps % parts);
        if (count > size) return too_many(whole, spacing, count, size, err);
        take_part(whole, start, size, count, out);
    }
    return true;
}

bool diffusion_respace(const diffusion *whole, const char *spacing, diffusion *out, error *err)
{
    int64_t parts, sum;
    *out = (diffusion){ .time = NULL };
    if (!read_list(spacing, &parts, &sum))
        return error_set(
            err, ERROR_USAGE,
            "'%.60s' is no number of steps, nor a list such as 10,10,3,2,2, so many of each part", spacing);
    if (sum > whole->steps) return too_many(whole, spacing, sum, whole->steps, err);
    *out =
        (diffusion){ .schedule = whole->schedule, .predicts = whole->predicts, .variance = whole->variance };
    if (!allocate(out, sum, err)) return false;
    out->steps = 0;
    if (take_parts(whole, spacing, parts, out, err)) return true;
    diffusion_free(out);
    return false;
}

/* ---- A step ---- */

double diffusion_before(const diffusion *d, int64_t step)
{
    return step > 0 ? d->alpha_bar[step - 1] : 1;
}

static double posterior_variance(const diffusion *d, int64_t step)
{
    return d->beta[step] * (1 - diffusion_before(d, step)) / (1 - d->alpha_bar[step]);
}

diffusion_posterior diffusion_posterior_at(const diffusion *d, int64_t step)
{
    double a = d->alpha_bar[step], before = diffusion_before(d, step), beta = d->beta[step];
    double clipped = step > 0 ? posterior_variance(d, step) : d->steps > 1 ? posterior_variance(d, 1) : beta;
    return (diffusion_posterior){ .start = beta * sqrt(before) / (1 - a),
                                  .noised = (1 - before) * sqrt(1 - beta) / (1 - a),
                                  .variance = posterior_variance(d, step),
                                  .log_variance = log(clipped),
                                  .log_beta = log(beta) };
}

diffusion_reading diffusion_read_start(const diffusion *d, int64_t step)
{
    double a = d->alpha_bar[step];
    switch (d->predicts) {
    case DIFFUSION_NOISE:
        return (diffusion_reading){ 1 / sqrt(a), -sqrt(1 / a - 1) };
    case DIFFUSION_VELOCITY:
        return (diffusion_reading){ sqrt(a), -sqrt(1 - a) };
    case DIFFUSION_START:
        break;
    }
    return (diffusion_reading){ 0, 1 };
}

/* With e = (x_t - sqrt(a) x_0) / sqrt(1 - a) the noise in x_t: sqrt(a') x_0 + sqrt(1 - a' - s^2) e + s z. */
diffusion_move diffusion_ddim(const diffusion *d, int64_t step, double eta)
{
    double a = d->alpha_bar[step], before = diffusion_before(d, step);
    double deviation = eta * sqrt((1 - before) / (1 - a)) * sqrt(1 - a / before);
    double of_noise = sqrt(fmax(1 - before - deviation * deviation, 0)) / sqrt(1 - a);
    return (diffusion_move){ sqrt(before) - of_noise * sqrt(a), of_noise, deviation };
}

/* That solved for x_t, where s = 0: sqrt(a / a') (x - sqrt(1 - a') e) + sqrt(1 - a) e. */
diffusion_move diffusion_ddim_back(const diffusion *d, int64_t step)
{
    double a = d->alpha_bar[step], before = diffusion_before(d, step), ratio = sqrt(a / before);
    double of_noise = (sqrt(1 - a) - ratio * sqrt(1 - before)) / sqrt(1 - a);
    return (diffusion_move){ -of_noise * sqrt(a), ratio + of_noise, 0 };
}
