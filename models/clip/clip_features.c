/* clip_features.c -- see clip_features.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_features.h"

#include "host/train/gather.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A batch of the larger kind of models takes longer than one caption should. */
enum { SMALL_BATCH = 8, LARGE_BATCH = 32, LARGE_PARAMETERS = 16000000 };

struct clip_features {
    clip_config config;
    store *store;
    bool averages;
    int64_t batch;
    graph *pictures, *texts;
    bool pictures_ready, texts_ready;
    clip_constants constants;
    tensor *pixels, *of_pictures;
    tensor *ids, *ends, *of_texts;
};

static graph *begin(const clip_features *f, clip_weights *w, error *err)
{
    graph *g = graph_create(f->store, err);
    if (!g) return NULL;
    graph_set_trainable(g, false);
    graph_set_averages(g, f->averages);
    *w = clip_declare(g, &f->config);
    return g;
}

static bool build_pictures(clip_features *f, error *err)
{
    clip_weights w;
    if (!(f->pictures = begin(f, &w, err))) return false;
    int64_t size = f->config.image_size;
    f->pixels = graph_input(f->pictures, "pixels", DTYPE_U8, 4, (int64_t[]){ f->batch, size, size, 3 });
    f->constants = clip_constants_input(f->pictures, f->batch);
    f->of_pictures = clip_picture_features(f->pictures, &f->config, &w, &f->constants, f->pixels, NULL);
    gather_ahead(f->pictures);
    graph_keep(f->of_pictures);
    return graph_sound(f->pictures, err);
}

static bool build_texts(clip_features *f, error *err)
{
    clip_weights w;
    if (!(f->texts = begin(f, &w, err))) return false;
    f->ids = graph_input(f->texts, "text", DTYPE_I32, 2, (int64_t[]){ f->batch, f->config.text_tokens });
    f->ends = clip_ends_input(f->texts, f->batch);
    f->of_texts = clip_text_features(f->texts, &f->config, &w, f->ids, f->ends, NULL);
    gather_ahead(f->texts);
    graph_keep(f->of_texts);
    return graph_sound(f->texts, err);
}

/* A graph that could not be built, compiled or given its constants is of no use: the next try begins anew. */
static bool give_up(graph **g)
{
    graph_destroy(*g);
    *g = NULL;
    return false;
}

static bool compile(const clip_features *f, graph *g, error *err)
{
    return graph_compile(g, (uint64_t)f->config.seed, "the size of the model", err);
}

static bool need_pictures(clip_features *f, error *err)
{
    if (f->pictures_ready) return true;
    f->pictures_ready =
        build_pictures(f, err) && compile(f, f->pictures, err) && clip_write_constants(&f->constants, err);
    return f->pictures_ready || give_up(&f->pictures);
}

static bool need_texts(clip_features *f, error *err)
{
    if (f->texts_ready) return true;
    f->texts_ready = build_texts(f, err) && compile(f, f->texts, err);
    return f->texts_ready || give_up(&f->texts);
}

clip_features *clip_features_create(store *s, const clip_config *c, bool averages, error *err)
{
    clip_features *f = calloc(1, sizeof *f);
    if (!f) return error_null(err, ERROR_MEMORY, "out of memory for a CLIP");
    f->config = *c;
    f->config.recompute = false;
    f->store = s;
    f->averages = averages;
    /* One graph declares the parameters, so that what is read from a file has its place. */
    f->batch = 1;
    bool ok = build_pictures(f, err) && store_allocate(s, (uint64_t)c->seed, err);
    graph_destroy(f->pictures);
    f->pictures = NULL;
    f->batch = store_elements(s, STORE_PARAMETER) > LARGE_PARAMETERS ? SMALL_BATCH : LARGE_BATCH;
    if (ok) return f;
    clip_features_destroy(f);
    return NULL;
}

void clip_features_destroy(clip_features *f)
{
    if (!f) return;
    graph_destroy(f->pictures);
    graph_destroy(f->texts);
    free(f);
}

int64_t clip_features_batch(const clip_features *f)
{
    return f->batch;
}

bool clip_features_prepare(clip_features *f, error *err)
{
    return need_texts(f, err) && need_pictures(f, err);
}

/* The first `count` rows of what a run gave. */
static bool read_rows(const clip_features *f, tensor *of, int64_t count, float *out, error *err)
{
    int64_t size = f->config.embedding;
    float *all = malloc((size_t)(f->batch * size) * sizeof *all);
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for %lld features", (long long)f->batch);
    bool ok = graph_read(of, all, err);
    if (ok) memcpy(out, all, (size_t)(count * size) * sizeof *out);
    free(all);
    for (int64_t i = 0; ok && i < count * size; ++i)
        if (!isfinite(out[i]))
            ok = error_set(err, ERROR_MODEL,
                           "feature %lld of %lld is not a number: the CLIP is damaged, or its training "
                           "diverged; use another checkpoint",
                           (long long)(i % size), (long long)size);
    return ok;
}

bool clip_features_pictures(clip_features *f, const uint8_t *pixels, int64_t count, float *out, error *err)
{
    int64_t one = f->config.image_size * f->config.image_size * 3;
    CHECK(count <= f->batch, "%lld pictures at once, of %lld", (long long)count, (long long)f->batch);
    uint8_t *block = calloc((size_t)(f->batch * one), 1);
    if (!block) return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)f->batch);
    memcpy(block, pixels, (size_t)(count * one));
    bool ok = need_pictures(f, err) && graph_write(f->pixels, block, err) && graph_run(f->pictures, err) &&
              read_rows(f, f->of_pictures, count, out, err);
    free(block);
    return ok;
}

bool clip_features_texts(clip_features *f, const int32_t *ids, const int64_t *ends, int64_t count, float *out,
                         error *err)
{
    int64_t tokens = f->config.text_tokens;
    CHECK(count <= f->batch, "%lld captions at once, of %lld", (long long)count, (long long)f->batch);
    int32_t *block = calloc((size_t)(f->batch * (tokens + 1)), sizeof *block),
            *at = block + f->batch * tokens;
    if (!block) return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)f->batch);
    memcpy(block, ids, (size_t)(count * tokens) * sizeof *block);
    for (int64_t i = 0; i < f->batch; ++i) at[i] = i < count ? (int32_t)ends[i] : 0;
    bool ok = need_texts(f, err) && graph_write(f->ids, block, err) &&
              clip_write_ends(f->ends, at, tokens, err) && graph_run(f->texts, err) &&
              read_rows(f, f->of_texts, count, out, err);
    free(block);
    return ok;
}
