/* inception.h -- the Inception-v3 network (arXiv 1512.00567) by which FID and the Inception score are
 * computed: the variant of the published "2015-12-05" weights, which takes means over the pixels there are
 * (not over padding), and in its last block a maximum instead of a mean.
 *
 * The weights are a safetensors file with the tensors of PyPI pytorch-fid's network, which
 * tools/convert_inception.py makes from the published file.  Batch normalisation (epsilon 1e-3) is folded
 * into the convolutions when the file is read.  Not for several threads at once.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_INCEPTION_H
#define DALLE_CL_EVAL_INCEPTION_H

#include "host/device/device.h"

enum { INCEPTION_SIDE = 299, INCEPTION_FEATURES = 2048, INCEPTION_CLASSES = 1008 };

/* How pictures are brought to 299 x 299: bilinear either way, and without smoothing, as everyone does.
 *   CENTRES  by pixels' centres (torch's align_corners=False), then x / 127.5 - 1: pytorch-fid's figures
 *   CORNERS  by pixels' first corners (TensorFlow 1), then (x - 128) / 128: torch-fidelity's figures */
typedef enum inception_resize { INCEPTION_RESIZE_CENTRES, INCEPTION_RESIZE_CORNERS } inception_resize;

/* Zeros are the usual. */
typedef struct inception_options {
    inception_resize resize;
    int batch;   /* pictures computed at once, which changes no figure; 0: 8, some 200 MB */
    int thinner; /* every width is divided by this, for tests; 0: 1; a divisor of 16 */
} inception_options;

typedef struct inception inception;

/* `options` may be NULL.  A tensor that is missing, superfluous, or of another shape than the network's is an
 * error that names it, and the file. */
inception *inception_open(device *d, const char *path, const inception_options *options, error *err);
void inception_close(inception *n);             /* NULL is harmless */
int64_t inception_features(const inception *n); /* INCEPTION_FEATURES, unless thinner */
int64_t inception_classes(const inception *n);

/* Called between batches with what is done so far; false stops with ERROR_INTERRUPTED.  May be NULL. */
typedef bool inception_progress(void *context, int64_t done, int64_t total);

/* Pictures [count][side][side][3] -> features [count][INCEPTION_FEATURES] and logits
 * [count][INCEPTION_CLASSES], these without the last layer's bias, as the Inception score has always been
 * computed; either may be NULL.  The same bits for a picture whatever is computed beside it.  Features that
 * are no finite numbers are an error that names the picture. */
bool inception_run(inception *n, const uint8_t *rgb, int64_t count, int64_t side, float *features,
                   float *logits, inception_progress *progress, void *context, error *err);

#endif
