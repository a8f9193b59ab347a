/* dalle.h -- libdalle: open a model folder, draw pictures from captions, vary, mix, edit and fill in
 * pictures, turn pictures into tokens and back, compare pictures with texts, write pictures as PNG.  Plain
 * C, usable from C++.
 *
 *     dalle_error err;
 *     dalle_model *model = dalle_open("models/demo", NULL, &err);
 *     dalle_request request = DALLE_REQUEST_DEFAULTS;
 *     request.caption = "red apple";
 *     request.count = 4;
 *     dalle_pictures *drawn = model ? dalle_generate(model, &request, &err) : NULL;
 *     if (!drawn || !dalle_write_png("apples.png", drawn->rgb, drawn->count, drawn->side, 0, &err))
 *         fprintf(stderr, "%s\n", err.message);
 *     dalle_pictures_free(drawn);
 *     dalle_close(model);
 *
 * Errors are values; nothing aborts on what a user passes in, and NULL where something is needed is an
 * error too. After a failure there is nothing to free, outputs of fixed size hold nothing of use, and the
 * model is as it was before: the next call may succeed.  Only after DALLE_DEVICE may the driver have lost
 * what it held: close the model and open it again. A model belongs to one thread at a time.  Your locale is
 * not used, and stays as it is.
 *
 * A program built with this header works with later versions of the library: structures that you fill in
 * say their size, those that the library makes only grow at their end, and dalle_error never changes.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_H
#define DALLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DALLE_API __attribute__((visibility("default")))
#else
#define DALLE_API
#endif

typedef enum dalle_kind {
    DALLE_OK,
    DALLE_USAGE,   /* the request itself is wrong */
    DALLE_IO,      /* a file or folder could not be read or written */
    DALLE_FORMAT,  /* a file's content is not what its kind promises */
    DALLE_DEVICE,  /* the device or its driver refused something */
    DALLE_MEMORY,  /* memory, of host or device, is not enough */
    DALLE_MODEL,   /* the parts of a model do not fit together */
    DALLE_STOPPED, /* by the request's progress function */
} dalle_kind;

/* Every `dalle_error *` below may be NULL.  It is written on failure only. */
typedef struct dalle_error {
    int status; /* as a process would exit: 2 = the request was wrong, 1 = it failed */
    dalle_kind kind;
    char message[1024];
} dalle_error;

/* What the library says beside errors: warnings, news such as kernels being built.  By default lines on
 * standard error; with a function of yours, calls of it, from the thread that called the library, in the C
 * locale.  For the whole process: set it before anything else is called.  NULL: standard error again. */
typedef enum dalle_message { DALLE_WARNING, DALLE_NEWS } dalle_message;
typedef void dalle_listener(void *context, dalle_message what, const char *text);
DALLE_API void dalle_listen(dalle_listener *listener, void *context);

typedef struct dalle_model dalle_model;

/* A folder may hold any of the parts of a model: a dVAE alone, which turns pictures into tokens and back;
 * with a prior, which draws (DALL-E); a CLIP, alone or beside them, which compares pictures with texts; and
 * beside a CLIP the parts of DALL-E 2: a decoder, which draws pictures of embeddings, upsamplers, which
 * make those larger, and a prior, which makes a caption an embedding.  Calls that need a part that is not
 * there are errors that say how to add it.
 * `device`: NULL for the default, else an index, "cpu", "gpu", a vendor word or part of a name. NULL with
 * *err filled in on failure. */
DALLE_API dalle_model *dalle_open(const char *folder, const char *device, dalle_error *err);
/* The same, but these parts only, each of which must be there: less to read and less memory. */
enum {
    DALLE_DVAE = 1,
    DALLE_PRIOR = 2, /* with its dVAE */
    DALLE_CLIP = 4,
    /* Of DALL-E 2, each with its CLIP: */
    DALLE_DIFFUSION_PRIOR = 8,
    DALLE_AR_PRIOR = 16,
    DALLE_DECODER = 32 /* and the upsamplers, if there are any */
};
DALLE_API dalle_model *dalle_open_parts(const char *folder, const char *device, unsigned parts,
                                        dalle_error *err);
/* Which of them a folder holds; none where there is no such folder. */
DALLE_API bool dalle_find_parts(const char *folder, unsigned *parts, dalle_error *err);
DALLE_API void dalle_close(dalle_model *model); /* NULL is harmless */

/* By what a model draws captions: one by one the tokens of its dVAE, or by diffusion. */
typedef enum dalle_family { DALLE_DRAWS_NOTHING, DALLE_DRAWS_TOKENS, DALLE_DRAWS_BY_DIFFUSION } dalle_family;

typedef struct dalle_model_info {
    int side;        /* pixels a side; 0: the model has no dVAE */
    int tokens_side; /* image tokens a side */
    int codes;       /* image vocabulary */
    int text_tokens; /* text positions; 0: the model has no prior */
    int text_vocabulary;
    int64_t dvae_parameters, prior_parameters;
    const char *device;
    double entropy_known; /* nats a token that drawings of known captions seldom exceed; 0: not measured */
    /* Of the CLIP, all 0 where there is none: pixels a side that it looks at, numbers of an embedding, text
     * positions, parameters, and what similarities are multiplied by to give probabilities. */
    int clip_side, clip_dimensions, clip_text_tokens;
    int64_t clip_parameters;
    double clip_scale;
    /* What dalle_generate does: by which family, DALL-E 2 where both are there, and pictures of how many
     * pixels a side; 0: it draws nothing. */
    dalle_family family;
    int drawn_side;
    /* Of DALL-E 2, 0 where it is not there: pixels a side that the decoder draws, before `upsamplers` make
     * them drawn_side, and parameters; whether the decoder was trained to fill in. */
    int decoder_side, upsamplers;
    int64_t decoder_parameters, upsampler_parameters, diffusion_prior_parameters, ar_prior_parameters;
    bool fills;
    double sureness_known; /* what dalle_pictures.sureness of known captions is seldom less than; 0: not
                            * measured */
    int known_captions;    /* that drawings can be made of beside a request's: see `near` */
} dalle_model_info;
/* Borrowed until the model is closed; NULL for NULL. */
DALLE_API const dalle_model_info *dalle_get_info(const dalle_model *model);

/* How a DALL-E 2 model draws.  NULL and numbers below 0 are the model's own. */
typedef struct dalle_sampling {
    size_t size;       /* of this structure: DALLE_SAMPLING_DEFAULTS or dalle_sampling_init sets it */
    const char *prior; /* "diffusion" or "ar"; NULL: the first of the two that the model has */
    /* Steps of the (diffusion) prior, the decoder and each upsampler: "50", or "10,10,3,2,2", so many of each
     * fifth of the schedule. */
    const char *prior_steps, *steps, *upsampler_steps;
    const char *sampler;   /* of the decoder: "ddim" or "ddpm" */
    double eta;            /* of ddim: how much noise its steps add, 0 none, 1 as much as ddpm's */
    double prior_guidance; /* as a request's guidance, of the prior: 0 to 20 */
} dalle_sampling;
#define DALLE_SAMPLING_DEFAULTS \
    { \
        sizeof(dalle_sampling), 0, 0, 0, 0, 0, -1.0, -1.0 \
    }
DALLE_API void dalle_sampling_init(dalle_sampling *sampling, size_t size);

/* What a DALL-E 2 model is at: step `done` of `total` of the network `name`, for a few pictures at a time,
 * after `ready` of `pictures`; and the share of all the work that is done, 0 to 1, as far as that can be
 * told. */
typedef struct dalle_stage {
    const char *name;
    int64_t done, total;
    int ready, pictures;
    double share;
} dalle_stage;
/* Called after each step; returning false stops with an error (DALLE_STOPPED). */
typedef bool dalle_stages(void *context, const dalle_stage *stage);

typedef struct dalle_request {
    size_t size;         /* of this structure: DALLE_REQUEST_DEFAULTS or dalle_request_init sets it */
    const char *caption; /* UTF-8 */
    int count;           /* pictures: 1 to 512 */
    int first; /* number of the first picture; picture i depends on (model, caption, seed, i) only */
    uint64_t seed;
    double temperature; /* 0 = always the likeliest token; < 0 = the model's own default */
    int top_k;          /* 0 = all; < 0 = the model's default */
    double top_p;       /* 1 = all; < 0 = the model's default */
    double guidance;    /* how strongly the caption is followed: 1 = as learned; < 0 = the model's default */
    /* Called now and then with the tokens drawn so far, by a DALL-E 2 model with thousandths of the work;
     * returning false stops with an error.  May be NULL. */
    bool (*progress)(void *context, int done, int total);
    void *context;
    /* The best of many: `of` pictures, from number `first` on, are drawn, the model's CLIP scores them, and
     * the `count` nearest to the caption are given back, nearest first.  0: `count` are drawn and given
     * back in their order; otherwise count to 4096.  Where nothing is left to chance (temperature 0, top_k
     * 1, top_p 0) all drawings are alike: then it is as with 0. */
    int of;
    /* Image to image: the first rows of tokens, 1 to tokens_side - 1, are those of this picture,
     * [side][side][3] in the model's size, and the others are drawn.  Rows 0: none.  They are read together
     * with the caption, in another order of sums than when they were drawn, so that a picture's own first
     * rows give, but for rounding, that picture. */
    int start_rows;
    const uint8_t *start_rgb;
    /* As `progress`, with the same context, while drawings are scored: with pictures done so far. */
    bool (*judging)(void *context, int done, int total);
    /* Of a DALL-E 2 model, which has no use for top_k, top_p and start_rows, and for temperature in its "ar"
     * prior only: how it draws, NULL by its own settings; and, with the same context, in the place of
     * `progress`, what it is at. */
    const dalle_sampling *sampling;
    dalle_stages *stages;
    /* Of the best of many, where the model has known captions: so many of these, 1 to 4, those of whose
     * pictures and words its CLIP finds most near to the caption, are drawn too, `of` pictures in turn, for a
     * CLIP understands wordings that the prior was never told.  0: none; < 0: one, where the caption is not
     * itself known and the CLIP finds its words near (0.6), and it is kept if the best of it is by 0.06 liker
     * to what was asked for than the best of its own, and the CLIP as sure of it as sureness_known. */
    int near;
} dalle_request;
#define DALLE_REQUEST_DEFAULTS \
    { \
        sizeof(dalle_request), 0, 1, 0, 1, -1.0, -1, -1.0, -1.0, 0, 0, 0, 0, 0, 0, 0, 0, -1 \
    }
/* The same where a macro cannot be used; `size` is sizeof(dalle_request).  NULL is harmless. */
DALLE_API void dalle_request_init(dalle_request *request, size_t size);

typedef struct dalle_pictures {
    int count, side;
    uint8_t *rgb;    /* [count][side][side][3] */
    int32_t *tokens; /* [count][tokens_side * tokens_side]; NULL, as entropy, of a DALL-E 2 model */
    /* How unsure the model was, given the caption: of each picture [count], and of all that were drawn, the
     * mean over tokens that were drawn of the entropy that each was drawn from, in nats, at temperature 1
     * and without guidance.  0 is certain. */
    float *entropy;
    double mean_entropy;
    /* Expect mush: of pictures that were scored sureness is below the model's sureness_known, where it has
     * one; of others mean_entropy is above its entropy_known. */
    bool unsure;
    int drawn;   /* so many were */
    int *number; /* [count]: each picture's own, by which it can be drawn again (`first`) */
    /* [count]: the similarity of picture and caption by the model's CLIP, the cosine of -1 to 1, highest
     * first, of two alike the lower number; NULL: they were not scored. */
    float *score;
    double mean_score; /* of all that were drawn of the caption; 0: they were not scored */
    /* The near captions that were drawn, nearest first, and [count]: what each picture is of, 0 the caption,
     * else the number of a near one, from 1; NULL where none was drawn.  Its number is among the pictures of
     * what it is of. */
    int near_count;
    char **near;
    int *phrase;
    /* How sure the CLIP is of the best of all that were drawn: a third of its score, and two of the mean of
     * its similarities to the known captions' pictures, each weighed by how probably that one is meant, the
     * softmax of 0.75 clip_scale times its similarity to the caption.  0: they were not scored, or none is
     * known.  (Ours.) */
    double sureness;
} dalle_pictures;
/* To be freed with dalle_pictures_free; NULL with *err filled in on failure. */
DALLE_API dalle_pictures *dalle_generate(dalle_model *model, const dalle_request *request, dalle_error *err);
DALLE_API void dalle_pictures_free(dalle_pictures *pictures); /* NULL is harmless */

/* ---- Pictures made of pictures: DALL-E 2 models (arXiv 2204.06125, 3) ---- */

/* Each call below uses some of it, and takes no notice of the rest. */
typedef struct dalle_change {
    size_t size; /* of this structure: DALLE_CHANGE_DEFAULTS or dalle_change_init sets it */
    /* The picture, [side][side][3], of any side, brought to the sizes that the model's parts look at; what
     * mixing leads to; and what is to be filled in, where 128 or more stands. */
    const uint8_t *rgb, *other_rgb, *mask;
    int side, other_side, mask_side;
    /* Filling in: what the whole picture shows.  Editing: what it is to show, and what it shows. */
    const char *caption, *from;
    double strength; /* of editing: where on the way to the difference it ends, 0 to 1; < 0: 0.4 */
    int fresh;       /* of mixing: not 0: the noise is drawn, one for all, instead of found for both ends */
    int count;       /* pictures: 1 to 512 */
    int first;       /* number of the first, as a request's */
    uint64_t seed;
    /* Of the decoder.  < 0: the model's own, or 1, as learned, where noise that was found for a picture is
     * drawn without further noise. */
    double guidance;
    /* May be NULL.  An eta below 0 is 1 where pictures are varied, and 0 where they are mixed or edited. */
    const dalle_sampling *sampling;
    dalle_stages *stages; /* may be NULL */
    void *context;
} dalle_change;
#define DALLE_CHANGE_DEFAULTS \
    { \
        sizeof(dalle_change), 0, 0, 0, 0, 0, 0, 0, 0, -1.0, 0, 1, 0, 1, -1.0, 0, 0, 0 \
    }
DALLE_API void dalle_change_init(dalle_change *change, size_t size);

/* Variations (3.1): the decoder draws the picture's embedding again, from the noise of which, with eta 0,
 * it draws that picture; eta is how far it strays.  With eta 0 all are alike but for the
 * upsamplers' noise. */
DALLE_API dalle_pictures *dalle_vary(dalle_model *model, const dalle_change *change, dalle_error *err);
/* From one picture to another (3.2): embedding and noise on the great circles between the two's, at 0,
 * 1/(n-1) .. 1, a single one at the half. */
DALLE_API dalle_pictures *dalle_mix(dalle_model *model, const dalle_change *change, dalle_error *err);
/* A text's difference (3.3): the embedding goes from the picture's towards the difference of the two
 * texts', up to `strength` of the way (0.25 to 0.5 in the paper), in `count` steps from the picture itself,
 * a single one at the end; the noise stays the picture's. */
DALLE_API dalle_pictures *dalle_edit(dalle_model *model, const dalle_change *change, dalle_error *err);
/* What the mask covers is drawn anew, as the caption says, around what it leaves, which stays as it is.
 * Needs a prior.  A decoder that was not trained for it (fills) is shown the rest with its noise at each
 * step. */
DALLE_API dalle_pictures *dalle_inpaint(dalle_model *model, const dalle_change *change, dalle_error *err);

/* Words of the caption that were in no training caption, as "a, b", to be freed with dalle_free; NULL if all
 * are known or the model has no word list. */
DALLE_API char *dalle_unknown_words(const dalle_model *model, const char *caption);
/* The caption's end that the model's text positions have no room for and that is not drawn, in lower case,
 * from the word that the cut falls into, to be freed with dalle_free; NULL if the whole caption is read. */
DALLE_API char *dalle_lost_words(const dalle_model *model, const char *caption);
DALLE_API void dalle_free(void *memory);

/* `count` pictures of side x side x 3 bytes to tokens [count][tokens_side^2], and back; at most 1,000,000. */
DALLE_API bool dalle_encode(dalle_model *model, const uint8_t *rgb, int count, int32_t *tokens,
                            dalle_error *err);
DALLE_API bool dalle_decode(dalle_model *model, const int32_t *tokens, int count, uint8_t *rgb,
                            dalle_error *err);

/* Picture files (PNG, JPEG or WebP), each scaled to `side` by its short side and cut to the centre square:
 * [count][side][side][3], to be freed with dalle_free; NULL with *err filled in on failure. */
DALLE_API uint8_t *dalle_read_pictures(const char *const *paths, int count, int side, dalle_error *err);
/* `count` pictures of side x side x 3 bytes as a PNG: one as it is, more in a grid, left to right, then down,
 * a few pixels apart on white; columns 0: about as wide as high.  A file is written whole or not at all.  The
 * bytes are to be freed with dalle_free. */
DALLE_API bool dalle_write_png(const char *path, const uint8_t *rgb, int count, int side, int columns,
                               dalle_error *err);
DALLE_API void *dalle_encode_png(const uint8_t *rgb, int count, int side, int columns, size_t *bytes,
                                 dalle_error *err);
/* The same with texts about it in the file (tEXt, or iTXt where one is not ASCII): a keyword has 1 to 79
 * letters, digits and single spaces, such as PNG's own "Description" and "Software"; a text is UTF-8. */
typedef struct dalle_png_text {
    const char *keyword, *text;
} dalle_png_text;
DALLE_API void *dalle_encode_png_texts(const uint8_t *rgb, int count, int side, int columns,
                                       const dalle_png_text *texts, int text_count, size_t *bytes,
                                       dalle_error *err);

/* ---- Comparing pictures with texts: models with a CLIP ---- */

/* Called between batches with what is done so far; returning false stops with an error (DALLE_STOPPED).  May
 * be NULL wherever it is an argument. */
typedef bool dalle_progress(void *context, int64_t done, int64_t total);

/* A picture of width x height x 3 bytes, or files of pictures, as the CLIP looks at them: the centre square,
 * brought to clip_side as in training: [clip_side][clip_side][3], of files [count] of them, to be freed with
 * dalle_free, NULL with *err filled in on failure.  The first may be called by any number of threads at
 * once. */
DALLE_API bool dalle_fit_picture(const dalle_model *model, const uint8_t *rgb, int width, int height,
                                 uint8_t *fitted, dalle_error *err);
DALLE_API uint8_t *dalle_read_fitted(const dalle_model *model, const char *const *paths, int count,
                                     dalle_error *err);

/* `count` pictures of side x side x 3 bytes, of any side, resized as the CLIP was trained, or `count` texts
 * (UTF-8; their end is cut where they are too long: dalle_lost_clip_words) as embeddings
 * [count][clip_dimensions], each of length 1.  An embedding depends on its picture or text only, bit for bit.
 * One that is no number is an error, which says whose it is.  At most 1,000,000. */
DALLE_API bool dalle_embed_pictures(dalle_model *model, const uint8_t *rgb, int count, int side,
                                    dalle_progress *progress, void *context, float *embeddings,
                                    dalle_error *err);
DALLE_API bool dalle_embed_texts(dalle_model *model, const char *const *texts, int count,
                                 dalle_progress *progress, void *context, float *embeddings,
                                 dalle_error *err);
/* Embeddings' similarities, the cosine of -1 to 1, and for each picture the probabilities of the texts, as
 * the CLIP sees it: the softmax of clip_scale times the similarities.  Both are [pictures][texts]; either may
 * be NULL. */
DALLE_API bool dalle_compare(const dalle_model *model, const float *pictures, int picture_count,
                             const float *texts, int text_count, float *similarities, float *probabilities,
                             dalle_error *err);
/* The three in one. */
DALLE_API bool dalle_score(dalle_model *model, const uint8_t *rgb, int picture_count, int side,
                           const char *const *texts, int text_count, dalle_progress *progress, void *context,
                           float *similarities, float *probabilities, dalle_error *err);
/* The nearest to an embedding among any number of others, which may come in parts: `found` (0 at first) of at
 * most `most` are known so far, nearest first, in `places` and `similarities`, and more of them are put
 * there.  `embeddings` [count][dimensions] are those of the places from `first` on; all zeros are none.  Of
 * two alike the one that came first is nearer.  Returns how many are known now. */
DALLE_API int dalle_nearest(const float *embedding, const float *embeddings, int64_t count, int dimensions,
                            int64_t first, int most, int found, int64_t *places, float *similarities);
/* As dalle_lost_words: a text's end that the CLIP's text positions have no room for. */
DALLE_API char *dalle_lost_clip_words(const dalle_model *model, const char *text);
/* A fingerprint of the CLIP's file of parameters, 64 hexadecimal digits: embeddings of CLIPs with different
 * ones are not to be compared. */
DALLE_API bool dalle_clip_hash(const dalle_model *model, char hex[65], dalle_error *err);

DALLE_API const char *dalle_version(void);

#ifdef __cplusplus
}
#endif

#endif
