/* decoder_values.h -- what pictures are made from, on the host: rows of a decoder_condition's inputs, of a
 * training batch, of validation, of drawings.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_VALUES_H
#define DALLE_CL_MODELS_DECODER_DECODER_VALUES_H

#include "models/decoder/decoder.h"
#include "models/unclip/clip_states.h"

typedef struct decoder_values {
    int64_t count; /* rows */
    float *embedding, *keep;
    int32_t *ids;
    float *states, *caption, *given; /* NULL: the settings have none */
    int32_t *valid;
    int64_t embedding_size, ids_size, states_size, given_size; /* of a row */
    int32_t positions;                                         /* of the embedding, before the states */
} decoder_values;
/* Rows of zeros.  To be freed. */
bool decoder_values_make(decoder_values *v, const decoder_config *c, const decoder_shape *shape,
                         int64_t count, error *err);
void decoder_values_free(decoder_values *v);

/* What the CLIP's text tower, if the settings want it (`clip` is NULL otherwise), says of rows' ids. */
bool decoder_values_read(decoder_values *v, clip_states *clip, error *err);

/* Row `to` of v becomes row `row` of `from`; both are of the same settings. */
void decoder_values_copy(decoder_values *v, int64_t to, const decoder_values *from, int64_t row);
/* Its caption only. */
void decoder_values_caption(decoder_values *v, int64_t to, const decoder_values *from, int64_t row);
/* Row `to` without an embedding and with the caption of row 0 of `none`. */
void decoder_values_leave_out(decoder_values *v, int64_t to, const decoder_values *none);
/* inpaint: row `to` knows the picture [S][S][3], in -1..1, where holes [S][S] are not 1. */
void decoder_values_give(decoder_values *v, int64_t to, const float *picture, const float *holes);

/* Writes as many rows from `first` on as the graph has samples; behind the last the first comes again. */
bool decoder_values_write(const decoder_values *v, const decoder_condition *in, int64_t first, error *err);
/* The same of any rows of an input's type and size. */
bool decoder_rows_write(tensor *input, const void *rows, int64_t count, int64_t first, error *err);

/* Where a picture is to be filled in, holes [S][S] 1 else 0, as training draws it for (seed, step, at): all
 * of it, or some rectangles (arXiv 2112.10741, 2.3: random regions). */
void decoder_mask_draw(const decoder_config *c, uint64_t seed, int64_t step, int64_t at, float *holes);

#endif
