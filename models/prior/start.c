/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/start.h"

#include "host/base/philox.h"
#include "host/graph/split.h"
#include "models/start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    const int64_t count = split_count(prior, e);
    float *out = calloc((size_t)count, sizeof *out);
    if (!out) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    float scale = 0.05f / sqrtf((float)d);
    for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < d; ++j)
            for (int64_t h = 0; h < c->size; ++h)
                out[i * c->size + h] +=
                    rows[i * d + j] * scale * philox_normal(&matrix, (uint32_t)(j * c->size + h));
    for (int64_t i = 0; i < count; ++i) out[i] += 0.01f * philox_normal(&noise, (uint32_t)i);
    bool ok = split_write_f32(prior, e, 0, count, out, err);
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

/* ---- From a model ---- */

bool prior_start_positions(const part_files *files, int64_t *positions, error *err)
{
    start_file o = { .path = files->weights, .file = safetensors_open(files->weights, err) };
    const safetensors_tensor *t = o.file ? start_parameter(&o, "text_position", err) : NULL;
    if (t) *positions = t->rank > 0 ? t->dim[0] : 0;
    safetensors_close(o.file);
    return t != NULL;
}

static bool check_shape(const start_file *o, const prior_shape *shape, error *err)
{
    const safetensors_tensor *codes = start_parameter(o, "image_embedding", err),
                             *rows = codes ? start_parameter(o, "row_embedding", err) : NULL;
    if (!rows) return false;
    if (codes->dim[0] == shape->codes && rows->dim[0] == shape->side) return true;
    return error_set(
        err, ERROR_USAGE,
        "'%s' draws %lld x %lld tokens of %lld codes, the dVAE has %lld x %lld of %lld: start the dVAE "
        "from the same model too (train dvae --init), or leave out --init",
        o->path, (long long)rows->dim[0], (long long)rows->dim[0], (long long)codes->dim[0],
        (long long)shape->side, (long long)shape->side, (long long)shape->codes);
}

static bool is_of_pieces(const char *name)
{
    return strcmp(name, "text_embedding") == 0 || strcmp(name, "text_logits.weight") == 0;
}

/* A model that has learnt its own set by heart is sure of every token, and on other pictures wrong: it starts
 * at 11 nats an image token where an even guess has 5.5, and unlearns for a hundred steps.  With smaller
 * logits it keeps what it prefers without being sure of it. */
static const float CALMER = 0.25f;

static bool is_logits(const char *name)
{
    return strcmp(name, "text_logits.weight") == 0 || strcmp(name, "image_logits.weight") == 0;
}

/* Otherwise these may be the captions that it has learnt: training just goes on. */
static bool meets_new_words(const start_file *o)
{
    return tokenizer_vocabulary(o->grown) > tokenizer_vocabulary(o->old);
}

static bool is_of_positions(const char *name)
{
    return strcmp(name, "text_position") == 0 || strcmp(name, "padding_embedding") == 0;
}

static bool add_rows(const start_file *o, const char *name, float *values, int64_t from, int64_t to,
                     int64_t size, error *err)
{
    for (int64_t row = from; row < to; ++row)
        if (is_of_pieces(name) && !start_piece(o, values, row, size, err))
            return false;
        else if (is_of_positions(name))
            memcpy(values + row * size, values + (from - 1) * size, (size_t)size * sizeof *values);
    return true;
}

/* Whether a file's tensor can become the parameter: it has its shape, or fewer rows of text. */
static bool fits(const safetensors_tensor *t, const store_entry *e, const int64_t *dim)
{
    bool same = t->rank == e->rank, grows = is_of_pieces(e->name) || is_of_positions(e->name);
    for (int i = 0; same && i < e->rank; ++i)
        same = t->dim[i] == dim[i] || (i == 0 && grows && t->dim[i] > 0 && t->dim[i] < dim[i]);
    return same;
}

static bool start_entry(const start_file *o, store *prior, store_entry *e, error *err)
{
    const safetensors_tensor *t = start_parameter(o, e->name, err);
    if (!t) return false;
    int64_t dim[TENSOR_RANK_MAX];
    split_sizes(prior, e, dim);
    if (!fits(t, e, dim))
        return error_set(err, ERROR_FORMAT,
                         "'%s': tensor '%s' has %lld rows, the run's has %lld: they are of other sizes",
                         o->path, e->name, (long long)t->dim[0], (long long)dim[0]);
    int64_t count = split_count(prior, e), size = count / dim[0];
    float *values = calloc((size_t)count, sizeof *values);
    if (!values) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
    dtype_convert(DTYPE_F32, values, t->type, t->data, t->dim[0] * size);
    bool calmer = is_logits(e->name) && meets_new_words(o);
    for (int64_t i = 0; calmer && i < t->dim[0] * size; ++i) values[i] *= CALMER;
    bool ok = add_rows(o, e->name, values, t->dim[0], dim[0], size, err) &&
              split_write_f32(prior, e, 0, count, values, err);
    free(values);
    return ok;
}

bool prior_start_from_model(store *prior, const prior_shape *shape, const part_files *files,
                            const tokenizer *grown, error *err)
{
    start_file o = { .path = files->weights, .grown = grown };
    bool ok = (o.file = safetensors_open_whole(files->weights, NULL, err)) &&
              (o.old = tokenizer_open(part_files_role(files, PART_TOKENIZER), err)) &&
              check_shape(&o, shape, err);
    for (int i = 0; ok && i < store_count(prior); ++i)
        if (store_at(prior, i)->kind == STORE_PARAMETER) ok = start_entry(&o, prior, store_at(prior, i), err);
    tokenizer_close(o.old);
    safetensors_close(o.file);
    return ok;
}
