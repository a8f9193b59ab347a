/* ar_prior_codes.c -- see ar_prior_codes.h.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_codes.h"

#include "host/base/philox.h"
#include "models/ar_prior/pca.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tables ---- */

typedef struct table {
    const char *name;
    size_t member;
    int rank;
    int64_t dim[2];
} table;

static void list_tables(const ar_prior_config *c, int64_t embedding, table out[AR_PRIOR_TABLES])
{
    const table all[AR_PRIOR_TABLES] = {
        { "pca.mean", offsetof(ar_prior_codes, mean), 1, { embedding, 1 } },
        { "pca.components", offsetof(ar_prior_codes, components), 2, { c->dimensions, embedding } },
        { "buckets.edges", offsetof(ar_prior_codes, edges), 2, { c->dimensions, c->buckets + 1 } },
        { "buckets.centres", offsetof(ar_prior_codes, centres), 2, { c->dimensions, c->buckets } },
        { "near.edges", offsetof(ar_prior_codes, near_edges), 1, { c->near_buckets + 1, 1 } },
        { "near.shares", offsetof(ar_prior_codes, near_shares), 1, { c->near_buckets, 1 } },
    };
    memcpy(out, all, sizeof all);
}

static float **member(ar_prior_codes *k, const table *t)
{
    return (float **)(void *)((char *)k + t->member);
}

ar_prior_codes *ar_prior_codes_create(const ar_prior_config *c, const ar_prior_shape *shape, error *err)
{
    table tables[AR_PRIOR_TABLES];
    ar_prior_codes *k = calloc(1, sizeof *k);
    if (k) *k = (ar_prior_codes){ .config = *c, .embedding = shape->embedding };
    bool ok = k != NULL;
    list_tables(c, shape->embedding, tables);
    for (int i = 0; ok && i < AR_PRIOR_TABLES; ++i) {
        const table *t = &tables[i];
        ok = (*member(k, t) = calloc((size_t)(t->dim[0] * t->dim[1]), sizeof(float))) != NULL;
    }
    if (ok) return k;
    ar_prior_codes_destroy(k);
    return error_null(err, ERROR_MEMORY, "out of memory for the buckets of %lld components",
                      (long long)c->dimensions);
}

void ar_prior_codes_destroy(ar_prior_codes *k)
{
    table tables[AR_PRIOR_TABLES];
    if (!k) return;
    list_tables(&k->config, k->embedding, tables);
    for (int i = 0; i < AR_PRIOR_TABLES; ++i) free(*member(k, &tables[i]));
    free(k);
}

/* ---- In the store ---- */

bool ar_prior_codes_declare(store *s, const ar_prior_config *c, const ar_prior_shape *shape, error *err)
{
    table tables[AR_PRIOR_TABLES];
    list_tables(c, shape->embedding, tables);
    for (int i = 0; i < AR_PRIOR_TABLES; ++i)
        if (!store_declare(s, tables[i].name, STORE_LEARNT, DTYPE_F32, tables[i].rank, tables[i].dim))
            return error_set(err, ERROR_MEMORY, "out of memory for '%s'", tables[i].name);
    return true;
}

bool ar_prior_codes_has(const char *name)
{
    static const ar_prior_config any = { .dimensions = 1 };
    table tables[AR_PRIOR_TABLES];
    list_tables(&any, 1, tables);
    for (int i = 0; i < AR_PRIOR_TABLES; ++i)
        if (strcmp(tables[i].name, name) == 0) return true;
    return false;
}

bool ar_prior_codes_write(const ar_prior_codes *k, store *s, error *err)
{
    table tables[AR_PRIOR_TABLES];
    bool ok = true;
    list_tables(&k->config, k->embedding, tables);
    for (int i = 0; ok && i < AR_PRIOR_TABLES; ++i) {
        const float *const *values = (const float *const *)(const void *)((const char *)k + tables[i].member);
        ok = store_write_f32(s, store_find(s, tables[i].name), *values, err);
    }
    return ok;
}

bool ar_prior_codes_read(ar_prior_codes *k, store *s, error *err)
{
    table tables[AR_PRIOR_TABLES];
    bool ok = true;
    list_tables(&k->config, k->embedding, tables);
    for (int i = 0; ok && i < AR_PRIOR_TABLES; ++i)
        ok = store_read_f32(s, store_find(s, tables[i].name), *member(k, &tables[i]), err);
    return ok;
}

/* ---- Buckets ---- */

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* edges [count+1] evenly from low to high; where all values are one, around it. */
static void even_edges(float low, float high, int64_t count, float *edges)
{
    double from = (double)low, step = ((double)high - from) / (double)count;
    if (high <= low) {
        step = 1e-6 / (double)count;
        from -= 5e-7;
    }
    for (int64_t b = 0; b <= count; ++b) edges[b] = (float)(from + step * (double)b);
}

/* The value below which a share b / count of sorted ones lie. */
static float quantile(const float *sorted, int64_t values, int64_t b, int64_t count)
{
    double place = (double)b / (double)count * (double)(values - 1);
    int64_t below = (int64_t)place, above = below + 1 < values ? below + 1 : below;
    double share = place - (double)below;
    return (float)((double)sorted[below] * (1 - share) + (double)sorted[above] * share);
}

/* The last bucket whose lower edge is not above the value; values beyond the ends are in the outermost. */
static int64_t bucket_of(const float *edges, int64_t count, float value)
{
    int64_t low = 0, high = count - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (edges[middle] <= value)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void even_centres(const float *edges, int64_t count, float *centres)
{
    for (int64_t b = 0; b < count; ++b) centres[b] = 0.5f * (edges[b] + edges[b + 1]);
}

/* Outer ones are wide: what a bucket stands for is the mean of what is in it, if anything is. */
static void mean_centres(const float *edges, int64_t count, const float *values, int64_t value_count,
                         float *centres)
{
    even_centres(edges, count, centres);
    for (int64_t i = 0; i < value_count;) {
        int64_t bucket = bucket_of(edges, count, values[i]), first = i;
        double sum = 0;
        for (; i < value_count && bucket_of(edges, count, values[i]) == bucket; ++i) sum += (double)values[i];
        centres[bucket] = (float)(sum / (double)(i - first));
    }
}

/* Of one component, from its values, which are sorted here. */
static void make_buckets(const ar_prior_codes *k, int64_t which, float *values, int64_t count)
{
    int64_t buckets = k->config.buckets;
    float *edges = k->edges + which * (buckets + 1), *centres = k->centres + which * buckets;
    qsort(values, (size_t)count, sizeof *values, ascending);
    if (k->config.edges == ar_prior_edges_uniform) {
        even_edges(values[0], values[count - 1], buckets, edges);
        even_centres(edges, buckets, centres);
        return;
    }
    for (int64_t b = 0; b <= buckets; ++b) edges[b] = quantile(values, count, b, buckets);
    mean_centres(edges, buckets, values, count, centres);
}

static void make_near(const ar_prior_codes *k, const float *near, int64_t count)
{
    int64_t buckets = k->config.near_buckets;
    float low = near[0], high = near[0];
    for (int64_t i = 1; i < count; ++i) {
        low = near[i] < low ? near[i] : low;
        high = near[i] > high ? near[i] : high;
    }
    even_edges(low, high, buckets, k->near_edges);
    memset(k->near_shares, 0, (size_t)buckets * sizeof *k->near_shares);
    for (int64_t i = 0; i < count; ++i) k->near_shares[bucket_of(k->near_edges, buckets, near[i])] += 1;
    for (int64_t b = 0; b < buckets; ++b) k->near_shares[b] /= (float)count;
}

static void make_components(const ar_prior_codes *k, const float *pictures, int64_t count, float *values)
{
    int64_t dimensions = k->config.dimensions, size = k->embedding;
    for (int64_t i = 0; i < dimensions; ++i) {
        for (int64_t p = 0; p < count; ++p)
            pca_project(k->mean, k->components + i * size, size, 1, pictures + p * size, values + p);
        make_buckets(k, i, values, count);
    }
}

bool ar_prior_codes_fit(ar_prior_codes *k, device *d, const float *pictures, const float *near, int64_t count,
                        error *err)
{
    int64_t size = k->embedding;
    float *values = malloc((size_t)(count + 1) * sizeof *values);
    double *variances = malloc((size_t)size * sizeof *variances), all = 0, kept = 0;
    bool ok = values && variances;
    if (!ok)
        error_set(err, ERROR_MEMORY, "out of memory for the components of %lld pictures", (long long)count);
    ok =
        ok && pca_fit(d, pictures, count, size, k->config.dimensions, k->mean, k->components, variances, err);
    if (ok) {
        for (int64_t i = 0; i < size; ++i) {
            all += variances[i];
            if (i < k->config.dimensions) kept += variances[i];
        }
        k->variance_kept = all > 0 ? kept / all : 1;
        make_components(k, pictures, count, values);
        make_near(k, near, count);
    }
    free(values);
    free(variances);
    return ok;
}

/* ---- There and back ---- */

void ar_prior_codes_encode(const ar_prior_codes *k, const float *embedding, int32_t *buckets)
{
    int64_t count = k->config.buckets, size = k->embedding;
    for (int64_t i = 0; i < k->config.dimensions; ++i) {
        float value;
        pca_project(k->mean, k->components + i * size, size, 1, embedding, &value);
        buckets[i] = (int32_t)bucket_of(k->edges + i * (count + 1), count, value);
    }
}

void ar_prior_codes_decode(const ar_prior_codes *k, const int32_t *buckets, float *embedding)
{
    int64_t size = k->embedding;
    double squares = 0;
    memcpy(embedding, k->mean, (size_t)size * sizeof *embedding);
    for (int64_t i = 0; i < k->config.dimensions; ++i) {
        float value = k->centres[i * k->config.buckets + buckets[i]];
        pca_restore(embedding, k->components + i * size, size, 1, &value, embedding);
    }
    for (int64_t j = 0; j < size; ++j) squares += (double)embedding[j] * (double)embedding[j];
    double scale = squares > 0 ? 1.0 / sqrt(squares) : 0.0;
    for (int64_t j = 0; j < size; ++j) embedding[j] = (float)((double)embedding[j] * scale);
}

int64_t ar_prior_codes_near(const ar_prior_codes *k, float near)
{
    return bucket_of(k->near_edges, k->config.near_buckets, near);
}

int64_t ar_prior_codes_draw_near(const ar_prior_codes *k, double share, uint64_t seed, int64_t number)
{
    const philox draw = { seed, 0, philox_stream("ar_prior.near") + (uint32_t)number };
    double total = 0, sum = 0;
    int64_t bucket = k->config.near_buckets, last = bucket - 1;
    for (int64_t b = 0; b < k->config.near_buckets; ++b) total += (double)k->near_shares[b];
    double wanted = share * (double)philox_uniform(&draw, 0) * total;
    while (bucket-- > 0) {
        if (k->near_shares[bucket] <= 0) continue;
        last = bucket;
        if ((sum += (double)k->near_shares[bucket]) > wanted) break;
    }
    return last;
}
