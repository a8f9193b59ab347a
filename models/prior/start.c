/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/start.h"

#include "host/base/philox.h"

#include <math.h>
#include <stdlib.h>

/* A code's vector: its row of the codebook, or for the Gumbel dVAE its column of the decoder's input
 * convolution, which plays that role (openai/DALL-E#52). */
static float *read_codes(const dvae_part *dvae, int64_t *size, error *err)
{
    bool vq = dvae_is_vq(&dvae->config);
    int64_t k = dvae->config.codes;
    const store_entry *e = store_find(dvae->store, vq ? "codebook" : "decoder.input.weight");
    CHECK(e && e->count % k == 0, "the dVAE of %lld codes has no codebook", (long long)k);
    int64_t d = *size = e->count / k;
    float *values = malloc((size_t)e->count * sizeof *values),
          *rows = malloc((size_t)e->count * sizeof *rows);
    bool ok =
        values && rows ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld codes", (long long)k);
    ok = ok && store_read_f32(dvae->store, e, values, err);
    for (int64_t i = 0; ok && i < k; ++i)
        for (int64_t j = 0; j < d; ++j) rows[i * d + j] = vq ? values[i * d + j] : values[j * k + i];
    free(values);
    if (ok) return rows;
    free(rows);
    return NULL;
}

/* Each component to mean 0 and variance 1 over the codes. */
static void standardise(float *rows, int64_t k, int64_t d)
{
    for (int64_t j = 0; j < d; ++j) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < k; ++i) sum += (double)rows[i * d + j];
        double mean = sum / (double)k;
        for (int64_t i = 0; i < k; ++i)
            squares += ((double)rows[i * d + j] - mean) * ((double)rows[i * d + j] - mean);
        double scale = squares > 0 ? 1.0 / sqrt(squares / (double)k) : 0.0;
        for (int64_t i = 0; i < k; ++i) rows[i * d + j] = (float)(((double)rows[i * d + j] - mean) * scale);
    }
}

static bool write_rows(store *prior, const char *name, const prior_config *c, const float *rows, int64_t k,
                       int64_t d, error *err)
{
    store_entry *e = store_find(prior, name);
    if (!e) return true; /* tied: the embedding serves both ways */
    philox matrix = { (uint64_t)c->seed, 0, philox_stream("codebook projection") },
           noise = { (uint64_t)c->seed, 0, philox_stream(name) };
    float *out = calloc((size_t)e->count, sizeof *out);
    if (!out) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    float scale = 0.05f / sqrtf((float)d);
    for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < d; ++j)
            for (int64_t h = 0; h < c->size; ++h)
                out[i * c->size + h] +=
                    rows[i * d + j] * scale * philox_normal(&matrix, (uint32_t)(j * c->size + h));
    for (int64_t i = 0; i < e->count; ++i) out[i] += 0.01f * philox_normal(&noise, (uint32_t)i);
    bool ok = store_write_f32(prior, e, out, err);
    free(out);
    return ok;
}

bool prior_start_from_codebook(store *prior, const prior_config *c, const dvae_part *dvae, error *err)
{
    int64_t d = 0, k = dvae->config.codes;
    float *rows = read_codes(dvae, &d, err);
    if (!rows) return false;
    standardise(rows, k, d);
    bool ok = write_rows(prior, "image_embedding", c, rows, k, d, err) &&
              write_rows(prior, "image_logits.weight", c, rows, k, d, err);
    free(rows);
    return ok;
}
