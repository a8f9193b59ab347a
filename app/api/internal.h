/* internal.h -- what the files of libdalle share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_API_INTERNAL_H
#define DALLE_CL_API_INTERNAL_H

#include "app/api/dalle.h"
#include "host/base/error.h"
#include "host/base/plain_locale.h"
#include "models/ar_prior/ar_prior_part.h"
#include "models/clip/clip_part.h"
#include "models/decoder/decoder_part.h"
#include "models/diffusion_prior/diffusion_prior_part.h"
#include "models/dvae/dvae_part.h"
#include "models/kinds.h"
#include "models/prior/known.h"
#include "models/prior/prior_part.h"
#include "models/upsampler/upsampler_part.h"

enum {
    API_AT_ONCE = 16, /* pictures that the dVAE turns at once, and that are drawn */
    API_MOST_PICTURES = 512,
    API_MOST_DRAWN = 4096
};

/* Of the parts those that the folder holds and that were wanted; the others are NULL. */
struct dalle_model {
    char *folder;
    unsigned parts; /* that were wanted; 0: all */
    device *device;
    dvae_part *dvae;
    prior_part *prior; /* only beside a dVAE */
    clip_part *clip;
    known_captions known; /* only beside both, and seen by that CLIP */
    /* Of DALL-E 2, only beside a CLIP, and upsamplers only behind a decoder. */
    diffusion_prior_part *diffusion;
    ar_prior_part *ar;
    decoder_part *decoder;
    upsampler_part *upsampler[UPSAMPLERS];
    int upsamplers;
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
/* Not even one picture at a time has room: adds what to do; returns false. */
bool api_too_small(error *err);

/* The program's progress function between a part's batches: calls it in the program's own locale. */
typedef struct api_watch {
    dalle_progress *progress; /* NULL: nobody wants to know */
    void *context;
    const plain_locale *locale;
    int64_t before, total; /* done before this part of the work, and in all; total 0: the part's own */
    int64_t done;          /* of this part, as far as is known */
} api_watch;
bool api_watch_tell(void *watch, int64_t done, int64_t total);

/* The request's two functions, which count in int, as an api_watch's. */
typedef struct api_counter {
    bool (*tell)(void *context, int done, int total);
    void *context;
} api_counter;
bool api_counter_tell(void *counter, int64_t done, int64_t total);

/* ---- request.c: what is asked for, of either family of models ---- */

bool api_request_take(const dalle_request *given, dalle_request *r, error *err);
bool api_request_check(const dalle_model *m, const dalle_request *r, error *err);
/* Also that the model's processes have the steps.  NULL: all by default. */
bool api_sampling_take(const dalle_model *m, const dalle_sampling *given, dalle_sampling *s, error *err);
bool api_change_take(const dalle_change *given, dalle_change *c, error *err);
/* What of a change every call has: the model's parts, numbers, a picture. */
bool api_change_check(const dalle_model *m, const dalle_change *c, error *err);
/* "the caption", or what it is called: UTF-8 that is not blank. */
bool api_check_text(const char *text, const char *what, error *err);

/* ---- generate.c ---- */

/* Room for pictures; tokens_each 0: they have none. */
bool api_pictures_make(dalle_pictures *out, int count, int side, int64_t tokens_each, bool scored,
                       error *err);

/* ---- draw_tokens.c: a checked request of a model that draws tokens ---- */

bool api_draw_tokens(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                     error *err);

/* ---- near.c: captions that the model knows ---- */

enum { API_MOST_NEAR = 4 };
typedef struct near_list {
    int count;
    int64_t known[API_MOST_NEAR]; /* which of the model's known captions, nearest first */
} near_list;
/* Reads those that the model knows, where its CLIP is the one that saw their pictures. */
bool near_open(dalle_model *m, error *err);
/* Those `most` of them of which the CLIP finds picture and words nearest, or, below 0, the nearest one if its
 * words are near enough; the caption, of which `embedding` is the CLIP's, is none itself. */
bool near_find(dalle_model *m, const char *caption, const float *embedding, int most, near_list *out,
               error *err);
/* Which of them the picture with this number is of. */
int near_turn(const near_list *l, int64_t number);
const char *near_caption(const dalle_model *m, const near_list *l, int which);

/* ---- rank.c: the best of many drawings ---- */

/* Makes the CLIP ready, as api_prepare_codec does. */
bool api_rank_prepare(dalle_model *m, error *err);
/* SHA-256 of the CLIP's file of parameters, as it states it. */
bool api_clip_hash(const dalle_model *m, char hex[65], error *err);

/* Who says how near the CLIP finds pictures to a caption, and, unless `sureness` is NULL, how sure it is of
 * each (dalle.h's); 0 without known captions. */
typedef struct api_jury api_jury;
api_jury *api_jury_open(dalle_model *m, const char *caption, error *err);
const float *api_jury_caption(const api_jury *j); /* its embedding */
bool api_jury_scores(api_jury *j, const uint8_t *rgb, int count, int64_t side, api_watch *watch,
                     float *scores, float *sureness, error *err);
void api_jury_close(api_jury *j); /* NULL is harmless */

/* Tokens [count][N] of drawings, decoded a few at a time -> how near the CLIP finds each to the caption.  The
 * progress is in pictures. */
bool api_rank_scores(api_jury *j, const int32_t *tokens, int count, api_watch *watch, float *scores,
                     float *sureness, error *err);
/* The places of the `best` highest of `count` scores, highest first; of two alike the first. */
bool api_rank_order(const float *scores, int count, int best, int *places, error *err);
/* Puts a picture into its place among the `kept` best so far of out->count, which are in that order; they
 * come in the order of their numbers.  Returns how many are kept now. */
int api_rank_keep(dalle_pictures *out, int kept, const uint8_t *rgb, float score, int number);

#endif
