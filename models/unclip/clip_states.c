/* clip_states.c -- see clip_states.h.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/clip_states.h"

#include "models/clip/clip_features.h"
#include "models/clip/clip_text.h"

#include <stdlib.h>
#include <string.h>

struct clip_states {
    clip_part *clip;
    clip_marks marks;
    int64_t batch;
    graph *graph;
    tensor *ids, *states; /* [b,T], [b,T,W] */
    int32_t *placed;      /* [b][T] */
    int64_t *ends;        /* [b] */
    float *read;          /* [b][T][W] */
};

static bool build(clip_states *s, error *err)
{
    const clip_config *c = &s->clip->config;
    if (!(s->graph = graph_create(s->clip->store, err))) return false;
    graph_set_trainable(s->graph, false);
    clip_weights w = clip_declare(s->graph, c);
    s->ids = graph_input(s->graph, "text", DTYPE_I32, 2, (int64_t[]){ s->batch, c->text_tokens });
    s->states = clip_text_states(s->graph, c, &w, s->ids);
    graph_keep(s->states);
    return graph_compile(s->graph, (uint64_t)c->seed, "the size of the model", err);
}

static bool allocate(clip_states *s, error *err)
{
    size_t tokens = (size_t)(s->batch * s->clip->config.text_tokens);
    s->placed = calloc(tokens, sizeof *s->placed);
    s->ends = calloc((size_t)s->batch, sizeof *s->ends);
    s->read = calloc(tokens * (size_t)s->clip->config.text_width, sizeof *s->read);
    return (s->placed && s->ends && s->read) ||
           error_set(err, ERROR_MEMORY, "out of memory for a batch of captions");
}

clip_states *clip_states_create(clip_part *clip, error *err)
{
    clip_states *s = calloc(1, sizeof *s);
    if (!s) return error_null(err, ERROR_MEMORY, "out of memory for captions' states");
    s->clip = clip;
    s->marks = clip_marks_of(clip->tokenizer, &clip->config);
    s->batch = clip_features_batch(clip->features);
    if (allocate(s, err) && build(s, err)) return s;
    clip_states_destroy(s);
    return NULL;
}

void clip_states_destroy(clip_states *s)
{
    if (!s) return;
    graph_destroy(s->graph);
    free(s->placed);
    free(s->ends);
    free(s->read);
    free(s);
}

/* At most a batch of them. */
static bool read_batch(clip_states *s, const int32_t *ids, int64_t count, float *states, int32_t *seen,
                       float *embeddings, error *err)
{
    const clip_config *c = &s->clip->config;
    int64_t tokens = c->text_tokens;
    for (int64_t i = 0; i < count; ++i) {
        s->ends[i] = clip_text_place(c, &s->marks, ids + i * tokens, tokens, s->placed + i * tokens);
        seen[i] = (int32_t)s->ends[i] + 1;
    }
    if (!graph_write(s->ids, s->placed, err) || !graph_run(s->graph, err) ||
        !graph_read(s->states, s->read, err))
        return false;
    memcpy(states, s->read, (size_t)(count * tokens * c->text_width) * sizeof *states);
    return clip_features_texts(s->clip->features, s->placed, s->ends, count, embeddings, err);
}

bool clip_states_read(clip_states *s, const int32_t *ids, int64_t count, float *states, int32_t *seen,
                      float *embeddings, error *err)
{
    const clip_config *c = &s->clip->config;
    int64_t row = c->text_tokens * c->text_width;
    for (int64_t done = 0; done < count; done += s->batch) {
        int64_t now = count - done < s->batch ? count - done : s->batch;
        if (!read_batch(s, ids + done * c->text_tokens, now, states + done * row, seen + done,
                        embeddings + done * c->embedding, err))
            return false;
    }
    return true;
}
