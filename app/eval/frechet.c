/* frechet.c -- sums of features and of their products, and the distance of two normal distributions.
 *
 * The sums are taken about the first row, so that a mean far from 0 costs no digits.  Of the set with fewer
 * samples C = F F^T, the eigenvectors times the roots of their eigenvalues; the eigenvalues of F^T C' F are
 * those of C C', as many as C has rank, so that rounding adds none.
 * SPDX-License-Identifier: MIT */
#include "app/eval/frechet.h"

#include "app/eval/finite_rows.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that are gathered before their products are added. */
enum { ROWS = 256 };

struct frechet_moments {
    int64_t d, count;
    int64_t waiting;  /* rows in `rows` whose products are not yet in `products` */
    double *origin;   /* the first row */
    double *rows;     /* [ROWS][d], less the origin */
    double *sum;      /* of all rows, less the origin each */
    double *products; /* [d][d], the upper triangle by columns */
};

frechet_moments *frechet_moments_create(int64_t dimensions, error *err)
{
    if (dimensions < 1 || dimensions > FRECHET_DIMENSIONS_MAX)
        return error_null(err, ERROR_USAGE, "features of %lld dimensions; from 1 to %d are possible",
                          (long long)dimensions, FRECHET_DIMENSIONS_MAX);
    const size_t d = (size_t)dimensions;
    frechet_moments *m = calloc(1, sizeof *m);
    if (m) {
        m->d = dimensions;
        m->origin = calloc(d, sizeof *m->origin);
        m->rows = calloc(ROWS * d, sizeof *m->rows);
        m->sum = calloc(d, sizeof *m->sum);
        m->products = calloc(d * d, sizeof *m->products);
    }
    if (m && m->origin && m->rows && m->sum && m->products) return m;
    frechet_moments_destroy(m);
    return error_null(err, ERROR_MEMORY, "out of memory for the covariance of %lld dimensions",
                      (long long)dimensions);
}

void frechet_moments_destroy(frechet_moments *m)
{
    if (!m) return;
    free(m->origin);
    free(m->rows);
    free(m->sum);
    free(m->products);
    free(m);
}

int64_t frechet_moments_count(const frechet_moments *m)
{
    return m->count;
}

/* The products of the rows that wait. */
static void add_products(const frechet_moments *m, double *products)
{
    const int d = (int)m->d;
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, d, (int)m->waiting, 1, m->rows, d, 1, products, d);
}

static void add_row(frechet_moments *m, const float *row)
{
    if (m->count == 0)
        for (int64_t i = 0; i < m->d; ++i) m->origin[i] = (double)row[i];
    double *to = m->rows + m->waiting * m->d;
    for (int64_t i = 0; i < m->d; ++i) {
        to[i] = (double)row[i] - m->origin[i];
        m->sum[i] += to[i];
    }
    ++m->count;
    if (++m->waiting < ROWS) return;
    add_products(m, m->products);
    m->waiting = 0;
}

bool frechet_moments_add(frechet_moments *m, const float *features, int64_t count, error *err)
{
    if (!finite_rows(features, count, m->d, m->count, "the features", err)) return false;
    for (int64_t i = 0; i < count; ++i) add_row(m, features + i * m->d);
    return true;
}

/* The covariance, the upper triangle by columns; leaves the sums as they are. */
static void covariance(const frechet_moments *m, double *c)
{
    const int64_t d = m->d;
    memcpy(c, m->products, (size_t)(d * d) * sizeof *c);
    if (m->waiting) add_products(m, c);
    const double n = (double)m->count;
    for (int64_t j = 0; j < d; ++j)
        for (int64_t i = 0; i <= j; ++i) c[j * d + i] = (c[j * d + i] - m->sum[i] * m->sum[j] / n) / (n - 1);
}

static double trace(const double *c, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < d; ++i) sum += c[i * d + i];
    return sum;
}

/* The eigenvalues of a symmetric matrix, ascending, and with job 'V' its eigenvectors in its columns. */
static bool eigen(char job, double *c, int64_t d, double *values, error *err)
{
    const lapack_int n = (lapack_int)d, info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, job, 'U', n, c, n, values);
    if (info == 0) return true;
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return error_set(err, ERROR_MEMORY, "out of memory for the eigenvalues of %lld x %lld numbers",
                         (long long)d, (long long)d);
    return error_set(err, ERROR_MODEL,
                     "LAPACK's dsyevd finds no eigenvalues of %lld x %lld numbers (info %d)", (long long)d,
                     (long long)d, (int)info);
}

/* What the root's trace is computed in. */
typedef struct rooms {
    double *first;  /* a covariance, then its factor */
    double *second; /* the other covariance, then F^T C' F */
    double *product;
    double *values;
} rooms;

static bool rooms_open(rooms *r, int64_t d, error *err)
{
    const size_t square = (size_t)(d * d) * sizeof(double);
    *r = (rooms){ malloc(square), malloc(square), malloc(square), malloc((size_t)d * sizeof(double)) };
    if (r->first && r->second && r->product && r->values) return true;
    return error_set(err, ERROR_MEMORY, "out of memory for the distance of features of %lld dimensions",
                     (long long)d);
}

static void rooms_close(rooms *r)
{
    free(r->first);
    free(r->second);
    free(r->product);
    free(r->values);
}

/* From the covariance in `first` to the last `rank` columns of its factor, whose first column is returned. */
static double *factor(const rooms *r, int64_t d, int64_t rank)
{
    for (int64_t j = d - rank; j < d; ++j)
        cblas_dscal((int)d, r->values[j] > 0 ? sqrt(r->values[j]) : 0, r->first + j * d, 1);
    return r->first + (d - rank) * d;
}

/* trace((C C')^(1/2)) of those in `first`, which has that rank, and `second`. */
static bool root_trace(const rooms *r, int64_t dimensions, int64_t most_rank, double *sum, error *err)
{
    const int d = (int)dimensions, rank = (int)most_rank;
    *sum = 0;
    if (!eigen('V', r->first, d, r->values, err)) return false;
    const double *f = factor(r, d, rank);
    cblas_dsymm(CblasColMajor, CblasLeft, CblasUpper, d, rank, 1, r->second, d, f, d, 0, r->product, d);
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, rank, rank, d, 1, f, d, r->product, d, 0, r->second,
                rank);
    if (!eigen('N', r->second, rank, r->values, err)) return false;
    for (int i = 0; i < rank; ++i) *sum += r->values[i] > 0 ? sqrt(r->values[i]) : 0;
    return true;
}

static double squared_distance(const frechet_moments *a, const frechet_moments *b)
{
    double sum = 0;
    for (int64_t i = 0; i < a->d; ++i) {
        const double between =
            (a->origin[i] - b->origin[i]) + (a->sum[i] / (double)a->count - b->sum[i] / (double)b->count);
        sum += between * between;
    }
    return sum;
}

static bool comparable(const frechet_moments *a, const frechet_moments *b, error *err)
{
    if (a->d != b->d)
        return error_set(err, ERROR_USAGE,
                         "features of %lld dimensions cannot be compared with features of %lld",
                         (long long)a->d, (long long)b->d);
    if (a->count >= 2 && b->count >= 2) return true;
    return error_set(
        err, ERROR_USAGE,
        "a Frechet distance needs at least 2 pictures in either set, better 10 for each dimension; "
        "there are %lld and %lld",
        (long long)a->count, (long long)b->count);
}

bool frechet_distance(const frechet_moments *a, const frechet_moments *b, frechet_figures *out, error *err)
{
    if (!comparable(a, b, err)) return false;
    const frechet_moments *fewer = a->count <= b->count ? a : b, *other = fewer == a ? b : a;
    const int64_t d = a->d, rank = fewer->count - 1 < d ? fewer->count - 1 : d;
    rooms r;
    bool ok = rooms_open(&r, d, err);
    double root = 0;
    if (ok) {
        covariance(fewer, r.first);
        covariance(other, r.second);
        out->spread = trace(r.first, d) + trace(r.second, d);
        ok = root_trace(&r, d, rank, &root, err);
    }
    rooms_close(&r);
    if (!ok) return false;
    out->spread -= 2 * root;
    if (out->spread < 0) out->spread = 0;
    out->means = squared_distance(a, b);
    out->distance = out->means + out->spread;
    out->singular = fewer->count <= d;
    return true;
}
