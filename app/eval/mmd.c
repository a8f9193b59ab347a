/* mmd.c -- sums of a kernel over all pairs of two sets, block by block.
 * SPDX-License-Identifier: MIT */
#include "app/eval/mmd.h"

#include "app/eval/finite_rows.h"
#include "app/eval/mersenne.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a block, and the numbers of a row that are multiplied at once: what stays near the processor. */
enum { ROWS = 128, RUN = 256 };

/* A kernel of x.y, |x|^2 and |y|^2. */
typedef double kernel_function(double inner, double xx, double yy, double parameter);

static double gaussian(double inner, double xx, double yy, double gamma)
{
    return exp(-gamma * (xx + yy - 2 * inner));
}

static double polynomial(double inner, double xx, double yy, double scale)
{
    (void)xx;
    (void)yy;
    const double base = inner * scale + 1;
    return base * base * base;
}

typedef struct kernel {
    kernel_function *of;
    double parameter;
} kernel;

/* Of one set, rows of a block by columns, so that a run of them is one matrix: [d][ROWS]. */
typedef struct block {
    double *values, *norms;
    int64_t count;
} block;

typedef struct rooms {
    block x, y;
    double *inner; /* [ROWS][ROWS] */
} rooms;

static bool rooms_open(rooms *r, int64_t d, error *err)
{
    const size_t size = (size_t)d * ROWS * sizeof(double);
    *r = (rooms){ { malloc(size), malloc(ROWS * sizeof(double)), 0 },
                  { malloc(size), malloc(ROWS * sizeof(double)), 0 },
                  malloc(ROWS * ROWS * sizeof(double)) };
    if (r->x.values && r->x.norms && r->y.values && r->y.norms && r->inner) return true;
    return error_set(err, ERROR_MEMORY, "out of memory for comparing features of %lld dimensions",
                     (long long)d);
}

static void rooms_close(rooms *r)
{
    free(r->x.values);
    free(r->x.norms);
    free(r->y.values);
    free(r->y.norms);
    free(r->inner);
}

static void fill(block *to, const float *rows, int64_t first, int64_t count, int64_t d)
{
    to->count = count - first < ROWS ? count - first : ROWS;
    for (int64_t i = 0; i < to->count; ++i) {
        const float *row = rows + (first + i) * d;
        double norm = 0;
        for (int64_t k = 0; k < d; ++k) {
            const double value = (double)row[k];
            to->values[k * ROWS + i] = value;
            norm += value * value;
        }
        to->norms[i] = norm;
    }
}

/* inner[j][i] = x_i . y_j */
static void multiply(const rooms *r, int64_t d)
{
    for (int64_t k = 0; k < d; k += RUN)
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)r->x.count, (int)r->y.count,
                    (int)(d - k < RUN ? d - k : RUN), 1, r->x.values + k * ROWS, ROWS, r->y.values + k * ROWS,
                    ROWS, k ? 1 : 0, r->inner, ROWS);
}

static double block_sum(const rooms *r, kernel f)
{
    double sum = 0;
    for (int64_t j = 0; j < r->y.count; ++j)
        for (int64_t i = 0; i < r->x.count; ++i)
            sum += f.of(r->inner[j * ROWS + i], r->x.norms[i], r->y.norms[j], f.parameter);
    return sum;
}

/* The kernel's sum over all pairs of x and y. */
static double across(rooms *r, const float *x, int64_t nx, const float *y, int64_t ny, int64_t d, kernel f)
{
    double sum = 0;
    for (int64_t i = 0; i < nx; i += ROWS) {
        fill(&r->x, x, i, nx, d);
        for (int64_t j = 0; j < ny; j += ROWS) {
            fill(&r->y, y, j, ny, d);
            multiply(r, d);
            sum += block_sum(r, f);
        }
    }
    return sum;
}

typedef struct sums {
    double apart, alone; /* over all pairs of different rows, either way round; and of rows with themselves */
} sums;

static sums within(rooms *r, const float *x, int64_t n, int64_t d, kernel f)
{
    sums s = { 0 };
    for (int64_t i = 0; i < n; i += ROWS) {
        fill(&r->x, x, i, n, d);
        for (int64_t k = 0; k < r->x.count; ++k)
            s.alone += f.of(r->x.norms[k], r->x.norms[k], r->x.norms[k], f.parameter);
        for (int64_t j = i; j < n; j += ROWS) {
            fill(&r->y, x, j, n, d);
            multiply(r, d);
            if (i == j) /* what stands on the diagonal is left out, not taken off, which would cost digits */
                for (int64_t k = 0; k < r->x.count; ++k)
                    for (int64_t l = 0; l < k; ++l)
                        s.apart +=
                            2 * f.of(r->inner[k * ROWS + l], r->x.norms[l], r->y.norms[k], f.parameter);
            else
                s.apart += 2 * block_sum(r, f);
        }
    }
    return s;
}

static void estimate(rooms *r, const mmd_sets *s, kernel f, mmd_figures *out)
{
    const double na = (double)s->na, nb = (double)s->nb;
    const sums a = within(r, s->a, s->na, s->d, f), b = within(r, s->b, s->nb, s->d, f);
    const double between = 2 * across(r, s->a, s->na, s->b, s->nb, s->d, f) / (na * nb);
    out->unbiased = a.apart / (na * (na - 1)) + b.apart / (nb * (nb - 1)) - between;
    out->biased = (a.apart + a.alone) / (na * na) + (b.apart + b.alone) / (nb * nb) - between;
}

static bool usable(const mmd_sets *s, error *err)
{
    CHECK(s->d >= 1, "features of %lld dimensions", (long long)s->d);
    if (s->na < 2 || s->nb < 2)
        return error_set(
            err, ERROR_USAGE,
            "a mean discrepancy needs at least 2 pictures in either set; there are %lld and %lld",
            (long long)s->na, (long long)s->nb);
    return finite_rows(s->a, s->na, s->d, 0, "the first set's features", err) &&
           finite_rows(s->b, s->nb, s->d, 0, "the second set's features", err);
}

static bool discrepancy(const mmd_sets *sets, kernel f, mmd_figures *out, error *err)
{
    rooms r = { 0 };
    const bool ok = usable(sets, err) && rooms_open(&r, sets->d, err);
    if (ok) estimate(&r, sets, f, out);
    rooms_close(&r);
    return ok;
}

bool mmd_gaussian(const mmd_sets *sets, double sigma, mmd_figures *out, error *err)
{
    CHECK(sigma > 0, "sigma %g", sigma);
    return discrepancy(sets, (kernel){ gaussian, 1 / (2 * sigma * sigma) }, out, err);
}

bool mmd_polynomial(const mmd_sets *sets, mmd_figures *out, error *err)
{
    return discrepancy(sets, (kernel){ polynomial, 1 / (double)sets->d }, out, err);
}

/* ---- Over subsets ---- */

typedef struct subset_rooms {
    mersenne random;
    int64_t *order;
    float *rows; /* [2][size][d] */
} subset_rooms;

static void draw(subset_rooms *s, const float *from, int64_t n, int64_t size, int64_t d, float *to)
{
    mersenne_permutation(&s->random, n, s->order);
    for (int64_t i = 0; i < size; ++i) memcpy(to + i * d, from + s->order[i] * d, (size_t)d * sizeof *to);
}

static void over_subsets(subset_rooms *s, rooms *r, const mmd_sets *sets, const mmd_subsets *subsets,
                         double *mean, double *deviation)
{
    const int64_t d = sets->d, size = subsets->size;
    const mmd_sets drawn = { s->rows, s->rows + size * d, size, size, d };
    double sum = 0, squares = 0;
    mersenne_seed(&s->random, subsets->seed);
    for (int64_t i = 0; i < subsets->count; ++i) {
        mmd_figures found;
        draw(s, sets->a, sets->na, size, d, s->rows);
        draw(s, sets->b, sets->nb, size, d, s->rows + size * d);
        estimate(r, &drawn, (kernel){ polynomial, 1 / (double)d }, &found);
        const double above = found.unbiased - sum; /* Welford's update */
        sum += above / (double)(i + 1);
        squares += above * (found.unbiased - sum);
        if (subsets->tell) subsets->tell(subsets->context, i + 1, subsets->count);
    }
    *mean = sum;
    *deviation = sqrt(squares / (double)subsets->count);
}

static bool subsets_fit(const mmd_sets *sets, const mmd_subsets *subsets, error *err)
{
    CHECK(subsets->count >= 1, "%lld subsets", (long long)subsets->count);
    const int64_t least = sets->na < sets->nb ? sets->na : sets->nb;
    if (subsets->size >= 2 && subsets->size <= least) return true;
    return error_set(
        err, ERROR_USAGE,
        "subsets of %lld pictures cannot be drawn from sets of %lld and %lld; from 2 to %lld are possible",
        (long long)subsets->size, (long long)sets->na, (long long)sets->nb, (long long)least);
}

bool mmd_kid(const mmd_sets *sets, const mmd_subsets *subsets, double *mean, double *deviation, error *err)
{
    if (!usable(sets, err) || !subsets_fit(sets, subsets, err)) return false;
    const size_t most = (size_t)(sets->na > sets->nb ? sets->na : sets->nb);
    rooms r = { 0 };
    subset_rooms s = { .order = malloc(most * sizeof *s.order),
                       .rows = malloc((size_t)(2 * subsets->size * sets->d) * sizeof *s.rows) };
    bool ok = s.order && s.rows ? true
                                : error_set(err, ERROR_MEMORY, "out of memory for subsets of %lld pictures",
                                            (long long)subsets->size);
    ok = ok && rooms_open(&r, sets->d, err);
    if (ok) over_subsets(&s, &r, sets, subsets, mean, deviation);
    rooms_close(&r);
    free(s.order);
    free(s.rows);
    return ok;
}
