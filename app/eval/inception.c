/* inception.c -- opening the network and running it, a batch at a time.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception.h"

#include "app/eval/inception_net.h"
#include "app/eval/inception_pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, PIXELS = INCEPTION_SIDE * INCEPTION_SIDE * 3 };

struct inception {
    store *store;
    inception_net net;
    inception_options options;
    int64_t features, classes;
    float *pixels, *found; /* a batch's, on the host */
};

static bool build(inception *n, device *d, error *err)
{
    n->store = store_create(d, err);
    n->net.graph = n->store ? graph_create(n->store, err) : NULL;
    if (!n->net.graph) return false;
    store_await_values(n->store);
    graph_set_trainable(n->net.graph, false);
    n->net.thinner = n->options.thinner;
    inception_net_build(&n->net, n->options.batch);
    return graph_sound(n->net.graph, err);
}

static bool make_room(inception *n, error *err)
{
    const int64_t batch = n->options.batch;
    n->pixels = calloc((size_t)batch * PIXELS, sizeof *n->pixels);
    n->found = malloc((size_t)(batch * n->features) * sizeof *n->found);
    return (n->pixels && n->found) ||
           error_set(err, ERROR_MEMORY, "out of memory for %lld pictures of Inception-v3", (long long)batch);
}

/* The file is checked before kernels are compiled, which takes a while. */
static bool load(inception *n, const char *path, error *err)
{
    bool stated;
    safetensors *file = safetensors_open_whole(path, &stated, err);
    bool ok = file && inception_net_check(&n->net, file, path, err) &&
              graph_compile(n->net.graph, 0, "the number of pictures computed at once", err) &&
              inception_net_load(&n->net, file, path, err);
    safetensors_close(file);
    return ok;
}

inception *inception_open(device *d, const char *path, const inception_options *options, error *err)
{
    inception *n = calloc(1, sizeof *n);
    if (!n) return error_null(err, ERROR_MEMORY, "out of memory for Inception-v3");
    if (options) n->options = *options;
    if (n->options.batch < 1) n->options.batch = BATCH;
    if (n->options.thinner < 1) n->options.thinner = 1;
    CHECK(16 % n->options.thinner == 0, "widths cannot be divided by %d", n->options.thinner);
    n->features = INCEPTION_FEATURES / n->options.thinner;
    n->classes = INCEPTION_CLASSES / n->options.thinner;
    if (build(n, d, err) && load(n, path, err) && make_room(n, err)) return n;
    inception_close(n);
    return NULL;
}

void inception_close(inception *n)
{
    if (!n) return;
    graph_destroy(n->net.graph);
    store_destroy(n->store);
    free(n->pixels);
    free(n->found);
    free(n);
}

int64_t inception_features(const inception *n)
{
    return n->features;
}

int64_t inception_classes(const inception *n)
{
    return n->classes;
}

static bool check_finite(const float *features, int64_t pictures, int64_t size, int64_t first, error *err)
{
    for (int64_t i = 0; i < pictures * size; ++i)
        if (!isfinite(features[i]))
            return error_set(err, ERROR_MODEL,
                             "Inception-v3: feature %lld of picture %lld is %g; is its file damaged?",
                             (long long)(i % size), (long long)(first + i / size), (double)features[i]);
    return true;
}

/* One batch, whose first `now` pictures are wanted; the others' results are passed over. */
static bool run_batch(inception *n, const uint8_t *rgb, int64_t now, int64_t side, int64_t first,
                      float *features, float *logits, error *err)
{
    for (int64_t i = 0; i < now; ++i)
        inception_pixels(rgb + i * side * side * 3, side, n->options.resize, n->pixels + i * PIXELS);
    if (!graph_write(n->net.pixels, n->pixels, err) || !graph_run(n->net.graph, err) ||
        !graph_read_f32(n->net.features, n->found, err) ||
        !check_finite(n->found, now, n->features, first, err))
        return false;
    if (features) memcpy(features, n->found, (size_t)(now * n->features) * sizeof *features);
    if (!logits) return true;
    if (!graph_read_f32(n->net.logits, n->found, err)) return false;
    memcpy(logits, n->found, (size_t)(now * n->classes) * sizeof *logits);
    return true;
}

bool inception_run(inception *n, const uint8_t *rgb, int64_t count, int64_t side, float *features,
                   float *logits, inception_progress *progress, void *context, error *err)
{
    CHECK(side > 0 && count >= 0, "%lld pictures of side %lld", (long long)count, (long long)side);
    for (int64_t done = 0; done < count;) {
        const int64_t now = count - done < n->options.batch ? count - done : n->options.batch;
        if (!run_batch(n, rgb + done * side * side * 3, now, side, done,
                       features ? features + done * n->features : NULL,
                       logits ? logits + done * n->classes : NULL, err))
            return false;
        done += now;
        if (progress && !progress(context, done, count))
            return error_set(err, ERROR_INTERRUPTED, "stopped after %lld of %lld pictures", (long long)done,
                             (long long)count);
    }
    return true;
}
