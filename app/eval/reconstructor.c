/* reconstructor.c -- see reconstructor.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/reconstructor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reconstructor {
    int64_t batch, tokens, values; /* a picture's tokens and pixel values */
    graph *graph;
    tensor *codes, *pictures, *stats;
    int32_t *block; /* a batch's tokens */
    float *read;    /* a batch's statistics */
};

static bool build(reconstructor *r, const dvae_part *p, error *err)
{
    int64_t side = dvae_tokens_side(&p->config);
    if (!(r->graph = graph_create(p->store, err))) return false;
    graph_set_trainable(r->graph, false);
    r->codes = graph_input(r->graph, "tokens", DTYPE_I32, 3, (int64_t[]){ r->batch, side, side });
    r->stats = dvae_decode_tokens(r->graph, &p->config, r->codes);
    r->pictures = dvae_reconstruction(&p->config, r->stats);
    graph_keep(r->stats);
    graph_keep(r->pictures);
    return graph_compile(r->graph, (uint64_t)p->config.seed, "the number of pictures decoded at once", err);
}

reconstructor *reconstructor_create(const dvae_part *p, int64_t batch, error *err)
{
    int64_t size = p->config.image_size, side = dvae_tokens_side(&p->config);
    reconstructor *r = calloc(1, sizeof *r);
    if (!r) return error_null(err, ERROR_MEMORY, "out of memory for a decoder");
    *r = (reconstructor){ .batch = batch, .tokens = side * side, .values = size * size * 3 };
    r->block = calloc((size_t)(batch * r->tokens), sizeof *r->block);
    r->read = malloc((size_t)(2 * batch * r->values) * sizeof *r->read);
    bool ok = r->block && r->read ? true
                                  : error_set(err, ERROR_MEMORY, "out of memory for decoding %lld pictures",
                                              (long long)batch);
    if (ok && build(r, p, err)) return r;
    reconstructor_destroy(r);
    return NULL;
}

void reconstructor_destroy(reconstructor *r)
{
    if (!r) return;
    graph_destroy(r->graph);
    free(r->block);
    free(r->read);
    free(r);
}

bool reconstructor_run(reconstructor *r, const int32_t *tokens, int64_t count, uint8_t *pixels, float *stats,
                       error *err)
{
    CHECK(count <= r->batch, "%lld of %lld", (long long)count, (long long)r->batch);
    memcpy(r->block, tokens, (size_t)(count * r->tokens) * sizeof *tokens);
    if (!graph_write(r->codes, r->block, err) || !graph_run(r->graph, err) ||
        !graph_read_f32(r->pictures, r->read, err))
        return false;
    for (int64_t i = 0; i < count * r->values; ++i) {
        if (!isfinite(r->read[i]))
            return error_set(err, ERROR_MODEL, "the decoder gives pixels that are no finite numbers");
        pixels[i] = (uint8_t)lrintf(r->read[i] * 255.0f);
    }
    if (!stats) return true;
    if (!graph_read_f32(r->stats, r->read, err)) return false;
    memcpy(stats, r->read, (size_t)(2 * count * r->values) * sizeof *stats);
    return true;
}
