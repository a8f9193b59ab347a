/* inception_figures.c -- inception_figures WEIGHTS PICTURES OUT centres|corners: features and logits of the
 * pictures "a" and "b" (U8 [n][side][side][3]) of a safetensors file, and the figures of these two sets as
 * JSON, for tools/make_inception.py to compare with others'.
 * SPDX-License-Identifier: MIT */
#include "app/eval/frechet.h"
#include "app/eval/inception.h"
#include "app/eval/inception_score.h"
#include "app/eval/mmd.h"
#include "data/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct set {
    int64_t count;
    float *features, *logits;
} set;

static bool look(inception *n, const safetensors *file, const char *name, set *s, error *err)
{
    const safetensors_tensor *t = safetensors_find(file, name);
    if (!t || t->rank != 4) return error_set(err, ERROR_FORMAT, "no pictures '%s'", name);
    s->count = t->dim[0];
    s->features = malloc((size_t)(s->count * inception_features(n)) * sizeof(float));
    s->logits = malloc((size_t)(s->count * inception_classes(n)) * sizeof(float));
    if (!s->features || !s->logits) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    return inception_run(n, t->data, s->count, t->dim[1], s->features, s->logits, NULL, NULL, err);
}

static bool add(safetensors_writer *w, const char *name, const float *values, int64_t rows, int64_t columns,
                error *err)
{
    return safetensors_add(w, name, DTYPE_F32, 2, (int64_t[]){ rows, columns }, values, rows * columns * 4,
                           err);
}

static bool save(const inception *n, const set *a, const set *b, const char *path, error *err)
{
    safetensors_writer *w = safetensors_writer_create();
    const int64_t features = inception_features(n), classes = inception_classes(n);
    bool ok = w && add(w, "features.a", a->features, a->count, features, err) &&
              add(w, "features.b", b->features, b->count, features, err) &&
              add(w, "logits.a", a->logits, a->count, classes, err) &&
              add(w, "logits.b", b->logits, b->count, classes, err) && safetensors_write(w, path, err);
    safetensors_writer_destroy(w);
    return ok;
}

static bool distance(const set *a, const set *b, int64_t d, frechet_figures *out, error *err)
{
    frechet_moments *m[] = { frechet_moments_create(d, err), frechet_moments_create(d, err) };
    bool ok = m[0] && m[1] && frechet_moments_add(m[0], a->features, a->count, err) &&
              frechet_moments_add(m[1], b->features, b->count, err) && frechet_distance(m[0], m[1], out, err);
    frechet_moments_destroy(m[0]);
    frechet_moments_destroy(m[1]);
    return ok;
}

static bool figures(const inception *n, const set *a, const set *b, error *err)
{
    const int64_t d = inception_features(n);
    const mmd_sets sets = { a->features, b->features, a->count, b->count, d };
    frechet_figures fid;
    double score[2], kid[2];
    if (!distance(a, b, d, &fid, err) ||
        !inception_score(a->logits, a->count, inception_classes(n), &INCEPTION_SCORE_USUAL, &score[0],
                         &score[1], err) ||
        !mmd_kid(&sets, &(mmd_subsets){ .count = 10, .size = 16, .seed = 2020 }, &kid[0], &kid[1], err))
        return false;
    printf("{\"fid\": %.9g, \"score\": [%.9g, %.9g], \"kid\": [%.9g, %.9g]}\n", fid.distance, score[0],
           score[1], kid[0], kid[1]);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: inception_figures WEIGHTS PICTURES OUT centres|corners\n");
        return 2;
    }
    error err = { 0 };
    set a = { 0 }, b = { 0 };
    const inception_options options = { .resize = strcmp(argv[4], "corners") == 0
                                                      ? INCEPTION_RESIZE_CORNERS
                                                      : INCEPTION_RESIZE_CENTRES };
    safetensors *file = safetensors_open(argv[2], &err);
    device *d = file ? device_open(NULL, &err) : NULL;
    inception *n = d ? inception_open(d, argv[1], &options, &err) : NULL;
    bool ok = n && look(n, file, "a", &a, &err) && look(n, file, "b", &b, &err) &&
              save(n, &a, &b, argv[3], &err) && figures(n, &a, &b, &err);
    if (!ok) fprintf(stderr, "inception_figures: %s\n", err.message);
    free(a.features);
    free(a.logits);
    free(b.features);
    free(b.logits);
    inception_close(n);
    device_close(d);
    safetensors_close(file);
    return ok ? 0 : 1;
}
