/* pca.c -- see pca.h.  Products are of float, of a block of rows less the mean; blocks are added up in
 * double.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/pca.h"

#include "host/ops/ops.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1024 };

/* What multiplies a block of rows by itself. */
typedef struct products {
    store *store;
    graph *graph;
    tensor *rows, *made; /* [ROWS,size], [size,size] */
    float *block, *read;
} products;

static void close_products(products *p)
{
    graph_destroy(p->graph);
    store_destroy(p->store);
    free(p->block);
    free(p->read);
}

static bool open_products(products *p, device *d, int64_t size, error *err)
{
    *p = (products){ .store = store_create(d, err) };
    if (!p->store || !(p->graph = graph_create(p->store, err))) return false;
    p->rows = graph_input(p->graph, "rows", DTYPE_F32, 2, (int64_t[]){ ROWS, size });
    p->made = op_matmul_tn(p->rows, p->rows);
    graph_keep(p->made);
    p->block = malloc((size_t)(ROWS * size) * sizeof *p->block);
    p->read = malloc((size_t)(size * size) * sizeof *p->read);
    if (!p->block || !p->read)
        return error_set(err, ERROR_MEMORY, "out of memory for the covariance of %lld numbers",
                         (long long)size);
    return graph_compile(p->graph, 0, "the size of the embeddings", err);
}

static void average(const float *x, int64_t count, int64_t size, double *mean)
{
    memset(mean, 0, (size_t)size * sizeof *mean);
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < size; ++j) mean[j] += (double)x[i * size + j];
    for (int64_t j = 0; j < size; ++j) mean[j] /= (double)count;
}

/* Adds the products of `count` rows, at most ROWS, to `sums`; rows that are wanting count as 0. */
static bool add_block(products *p, const float *x, int64_t count, int64_t size, const double *mean,
                      double *sums, error *err)
{
    memset(p->block, 0, (size_t)(ROWS * size) * sizeof *p->block);
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < size; ++j)
            p->block[i * size + j] = (float)((double)x[i * size + j] - mean[j]);
    if (!graph_write(p->rows, p->block, err) || !graph_run(p->graph, err) ||
        !graph_read(p->made, p->read, err))
        return false;
    for (int64_t i = 0; i < size * size; ++i) sums[i] += (double)p->read[i];
    return true;
}

static bool covariance(device *d, const float *x, int64_t count, int64_t size, const double *mean,
                       double *sums, error *err)
{
    products p;
    bool ok = open_products(&p, d, size, err);
    for (int64_t done = 0; ok && done < count; done += ROWS)
        ok = add_block(&p, x + done * size, count - done < ROWS ? count - done : ROWS, size, mean, sums, err);
    close_products(&p);
    for (int64_t i = 0; i < size * size; ++i) sums[i] /= (double)(count - 1);
    return ok;
}

/* The eigenvalues of a symmetric matrix, ascending, and its eigenvectors as rows of `c`. */
static bool eigenvectors(double *c, int64_t size, double *values, error *err)
{
    const lapack_int n = (lapack_int)size, info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', n, c, n, values);
    if (info == 0) return true;
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return error_set(err, ERROR_MEMORY, "out of memory for the eigenvectors of %lld x %lld numbers",
                         (long long)size, (long long)size);
    return error_set(err, ERROR_MODEL,
                     "LAPACK's dsyevd finds no eigenvectors of the embeddings' covariance, %lld x %lld "
                     "numbers (info %d)",
                     (long long)size, (long long)size, (int)info);
}

/* An eigenvector has no sign of its own: without this it would be the library's. */
static void write_component(const double *v, int64_t size, float *out)
{
    int64_t largest = 0;
    for (int64_t j = 1; j < size; ++j)
        if (fabs(v[j]) > fabs(v[largest])) largest = j;
    double sign = v[largest] < 0 ? -1.0 : 1.0;
    for (int64_t j = 0; j < size; ++j) out[j] = (float)(sign * v[j]);
}

static void write_result(const double *vectors, const double *values, int64_t size, int64_t keep,
                         float *components, double *variances)
{
    for (int64_t i = 0; i < keep; ++i)
        write_component(vectors + (size - 1 - i) * size, size, components + i * size);
    for (int64_t i = 0; variances && i < size; ++i) variances[i] = fmax(values[size - 1 - i], 0);
}

bool pca_fit(device *d, const float *x, int64_t count, int64_t size, int64_t keep, float *mean,
             float *components, double *variances, error *err)
{
    CHECK(keep <= size, "%lld components of %lld numbers", (long long)keep, (long long)size);
    if (size > PCA_SIZE_MOST)
        return error_set(err, ERROR_USAGE, "principal components of %lld numbers; up to %d are possible",
                         (long long)size, PCA_SIZE_MOST);
    if (count < 2)
        return error_set(err, ERROR_USAGE, "principal components need 2 pictures or more, there is %lld",
                         (long long)count);
    double *sums = calloc((size_t)(size * size), sizeof *sums),
           *centre = malloc((size_t)size * sizeof *centre), *values = malloc((size_t)size * sizeof *values);
    bool ok = sums && centre && values;
    if (!ok)
        error_set(err, ERROR_MEMORY, "out of memory for the covariance of %lld numbers", (long long)size);
    if (ok) average(x, count, size, centre);
    ok = ok && covariance(d, x, count, size, centre, sums, err) && eigenvectors(sums, size, values, err);
    if (ok) write_result(sums, values, size, keep, components, variances);
    for (int64_t j = 0; ok && j < size; ++j) mean[j] = (float)centre[j];
    free(sums);
    free(centre);
    free(values);
    return ok;
}

void pca_project(const float *mean, const float *components, int64_t size, int64_t keep, const float *x,
                 float *out)
{
    for (int64_t i = 0; i < keep; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < size; ++j)
            sum += ((double)x[j] - (double)mean[j]) * (double)components[i * size + j];
        out[i] = (float)sum;
    }
}

void pca_restore(const float *mean, const float *components, int64_t size, int64_t keep, const float *x,
                 float *out)
{
    for (int64_t j = 0; j < size; ++j) {
        double sum = (double)mean[j];
        for (int64_t i = 0; i < keep; ++i) sum += (double)x[i] * (double)components[i * size + j];
        out[j] = (float)sum;
    }
}
