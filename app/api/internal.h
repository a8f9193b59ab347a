/* internal.h -- what the files of libdalle share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_API_INTERNAL_H
#define DALLE_CL_API_INTERNAL_H

#include "app/api/dalle.h"
#include "host/base/error.h"
#include "host/base/plain_locale.h"
#include "models/clip/clip_part.h"
#include "models/dvae/dvae_part.h"
#include "models/kinds.h"
#include "models/prior/prior_part.h"

enum { API_AT_ONCE = 16 }; /* pictures that the dVAE turns at once, and the prior draws */

/* Of the parts those that the folder holds and that were wanted; the others are NULL. */
struct dalle_model {
    char *folder;
    unsigned parts; /* that were wanted; 0: all */
    device *device;
    dvae_part *dvae;
    prior_part *prior; /* only beside a dVAE */
    clip_part *clip;
    dalle_model_info info;
};

/* Passes an error on to the program, which may not want it; returns false. */
bool api_report(dalle_error *out, const error *err);
/* An argument that is needed was left out; returns false. */
bool api_missing(const char *what, error *err);

/* A part that a call needs is not there: says how to add it; returns false.  `does`: "scores pictures". */
bool api_lacks(const dalle_model *m, const model_kind *part, const char *does, error *err);

/* Makes parts of the dVAE ready; where memory does not suffice, the graphs that the prior keeps give way. */
bool api_prepare_codec(dalle_model *m, codec_parts parts, error *err);

/* The program's progress function between a part's batches: calls it in the program's own locale. */
typedef struct api_watch {
    dalle_progress *progress; /* NULL: nobody wants to know */
    void *context;
    const plain_locale *locale;
    int64_t before, total; /* done before this part of the work, and in all; total 0: the part's own */
    int64_t done;          /* of this part, as far as is known */
} api_watch;
bool api_watch_tell(void *watch, int64_t done, int64_t total);

/* ---- rank.c: the best of many drawings ---- */

/* Makes the CLIP ready, as api_prepare_codec does. */
bool api_rank_prepare(dalle_model *m, error *err);
/* Tokens [count][N] of drawings, decoded a few at a time -> how near the CLIP finds each to the caption.  The
 * progress is in pictures. */
bool api_rank_scores(dalle_model *m, const char *caption, const int32_t *tokens, int count, api_watch *watch,
                     float *scores, error *err);
/* The places of the `best` highest of `count` scores, highest first; of two alike the first. */
bool api_rank_order(const float *scores, int count, int best, int *places, error *err);

#endif
