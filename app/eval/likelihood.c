/* likelihood.c -- see likelihood.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/likelihood.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct likelihood {
    int64_t batch, positions, tokens; /* text positions and image tokens of a pair */
    graph *graph;
    tensor *text, *image, *targets; /* inputs */
    tensor *text_nats, *image_nats; /* F32 [batch, T-1] and [batch, N] */
    int32_t *ids, *codes, *next;
    float *read;
};

static bool build(likelihood *l, const prior_part *p, error *err)
{
    const prior_config *c = &p->config;
    graph *g = l->graph = graph_create(p->store, err);
    if (!g) return false;
    graph_set_trainable(g, false);
    l->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ l->batch, l->positions });
    l->image = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ l->batch, l->tokens });
    prior_places places = prior_places_input(g, &p->shape);
    prior_weights w = prior_declare(g, c, &p->shape);
    tensor *states = prior_states(g, c, &p->shape, &w, &places, l->text, l->image, NULL);
    l->image_nats = op_cross_entropy(prior_image_logits(c, &w, states), l->image);
    graph_keep(l->image_nats);
    if (l->positions > 1) {
        l->targets = graph_input(g, "targets", DTYPE_I32, 2, (int64_t[]){ l->batch, l->positions - 1 });
        l->text_nats = op_cross_entropy(prior_text_logits(c, &w, states), l->targets);
        graph_keep(l->text_nats);
    }
    return graph_compile(g, (uint64_t)c->seed, "the number of pairs looked at once", err) &&
           prior_write_places(&places, &p->shape, err);
}

likelihood *likelihood_create(const prior_part *p, int64_t batch, error *err)
{
    likelihood *l = calloc(1, sizeof *l);
    if (!l) return error_null(err, ERROR_MEMORY, "out of memory for measuring likelihood");
    *l = (likelihood){ .batch = batch,
                       .positions = p->config.text_tokens,
                       .tokens = p->shape.side * p->shape.side };
    int64_t widest = l->positions > l->tokens ? l->positions : l->tokens;
    l->ids = calloc((size_t)(batch * l->positions), sizeof *l->ids);
    l->codes = calloc((size_t)(batch * l->tokens), sizeof *l->codes);
    l->next = calloc((size_t)(batch * l->positions), sizeof *l->next);
    l->read = malloc((size_t)(batch * widest) * sizeof *l->read);
    bool ok = l->ids && l->codes && l->next && l->read
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)batch);
    if (ok && build(l, p, err)) return l;
    likelihood_destroy(l);
    return NULL;
}

void likelihood_destroy(likelihood *l)
{
    if (!l) return;
    graph_destroy(l->graph);
    free(l->ids);
    free(l->codes);
    free(l->next);
    free(l->read);
    free(l);
}

/* The text that each position has to predict, -1 where none is. */
static void write_targets(likelihood *l, int64_t count, likelihood_pair *out)
{
    int64_t last = l->positions - 1;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < last; ++j) {
            int32_t next = l->ids[i * l->positions + j + 1];
            l->next[i * last + j] = next;
            out[i].text_tokens += next >= 0;
        }
}

static double sum_of(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += (double)values[i];
    return sum;
}

static bool read_nats(likelihood *l, int64_t count, likelihood_pair *out, error *err)
{
    int64_t last = l->positions - 1;
    if (!graph_read_f32(l->image_nats, l->read, err)) return false;
    for (int64_t i = 0; i < count; ++i) out[i].image = sum_of(l->read + i * l->tokens, l->tokens);
    if (l->text_nats && !graph_read_f32(l->text_nats, l->read, err)) return false;
    for (int64_t i = 0; l->text_nats && i < count; ++i) out[i].text = sum_of(l->read + i * last, last);
    for (int64_t i = 0; i < count; ++i)
        if (!isfinite(out[i].image) || !isfinite(out[i].text))
            return error_set(err, ERROR_MODEL, "the logits of tokens are no finite numbers");
    return true;
}

bool likelihood_run(likelihood *l, const int32_t *text, const int32_t *image, int64_t count,
                    likelihood_pair *out, error *err)
{
    CHECK(count <= l->batch, "%lld of %lld", (long long)count, (long long)l->batch);
    memcpy(l->ids, text, (size_t)(count * l->positions) * sizeof *text);
    memcpy(l->codes, image, (size_t)(count * l->tokens) * sizeof *image);
    memset(out, 0, (size_t)count * sizeof *out);
    write_targets(l, count, out);
    return graph_write(l->text, l->ids, err) && graph_write(l->image, l->codes, err) &&
           (!l->targets || graph_write(l->targets, l->next, err)) && graph_run(l->graph, err) &&
           read_nats(l, count, out, err);
}
