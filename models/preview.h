/* preview.h -- what training sees: the very pictures and captions of a step's batch.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PREVIEW_H
#define DALLE_CL_MODELS_PREVIEW_H

#include "data/image.h"
#include "models/request.h"

typedef struct preview_request {
    const train_request *train; /* preset, settings, data and seed, as training takes them */
    const model_kind *kind;     /* whose training */
    int64_t size;               /* pixels a side; 0: as its settings say, an error where they do not */
    int64_t step;               /* from 0 */
    int64_t most;               /* pictures to show; 0: the whole batch */
} preview_request;

typedef struct preview_report {
    int64_t shown, batch, size, epoch;
    int64_t pictures; /* of the training part */
} preview_report;

/* The batch as a sheet with captions below; `sheet` is to be freed. */
bool preview_make(const preview_request *r, image *sheet, preview_report *out, error *err);

#endif
