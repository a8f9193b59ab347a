/* upsampler_part.h -- a trained upsampler, opened from a model, which may hold two of them in a row, or
 * from a run: models/parts.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_PART_H
#define DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_PART_H

#include "models/parts.h"
#include "models/upsampler/upsampler.h"

enum { UPSAMPLERS = 2 }; /* the most in a model */

typedef struct upsampler_part {
    upsampler_config config; /* config.from and config.size: pixels a side of input and output */
    store *store;
    checkpoint_metadata metadata;
    int number;                 /* which of its model's: it names its random numbers, "upsampler.0" */
    struct upsampler_draw *own; /* private */
} upsampler_part;

/* `folder` is a packed model, of which `number` 0 is the first upsampler and 1 the one after it, or a run,
 * whose upsampler is taken whatever the number.  Nothing is compiled yet. */
upsampler_part *upsampler_part_open(device *d, const char *folder, int number, error *err);
void upsampler_part_close(upsampler_part *p); /* NULL is harmless */
/* False without an error: the folder has none of that number. */
bool upsampler_part_is_there(const char *folder, int number, error *err);

/* Makes ready what so many pictures at once need, so that its kernels are built beside others; harmless where
 * it is.  Otherwise the first use does that. */
bool upsampler_part_prepare(upsampler_part *p, int64_t count, error *err);

typedef struct upsampler_request {
    int64_t count, first; /* pictures, and the number of the first */
    uint64_t seed;        /* picture number i depends on (model, its low picture, seed, i) only */
    const char *spacing;  /* NULL: the model's own */
    int ddim;             /* 1, 0, < 0: the model's own */
    double eta;           /* < 0: the model's own */
    diffusion_progress *progress;
    void *context;
} upsampler_request;
/* low [count][from][from][3] in -1..1 -> pictures [count][size][size][3] in -1..1 */
bool upsampler_part_draw(upsampler_part *p, const upsampler_request *r, const float *low, float *pictures,
                         error *err);

#endif
