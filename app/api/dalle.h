/* dalle.h -- libdalle: open a model folder, draw pictures from captions, turn pictures into tokens
 * and back.  Plain C, usable from C++.
 *
 *     dalle_error err;
 *     dalle_model *model = dalle_open("models/demo", NULL, &err);
 *     dalle_request request = DALLE_REQUEST_DEFAULTS;
 *     request.caption = "red apple";
 *     dalle_pictures pictures;
 *     if (!model || !dalle_generate(model, &request, &pictures, &err)) fprintf(stderr, "%s\n", err.message);
 *     ... pictures.rgb holds pictures.count pictures of side x side x 3 bytes ...
 *     dalle_pictures_free(&pictures);
 *     dalle_close(model);
 *
 * Errors are values; nothing aborts on what a user passes in.  A model belongs to one thread at a time.
 * Your locale is not used, and stays as it is.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_H
#define DALLE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DALLE_API __attribute__((visibility("default")))
#else
#define DALLE_API
#endif

typedef struct dalle_error {
    int status; /* as a process would exit: 2 = the request was wrong, 1 = it failed */
    char message[1024];
} dalle_error;

typedef struct dalle_model dalle_model;

/* `device`: NULL for the default, else an index, "cpu", "gpu", a vendor word or part of a name.
 * NULL with *err filled in on failure. */
DALLE_API dalle_model *dalle_open(const char *folder, const char *device, dalle_error *err);
DALLE_API void dalle_close(dalle_model *model); /* NULL is harmless */

typedef struct dalle_model_info {
    int side;        /* pixels a side */
    int tokens_side; /* image tokens a side */
    int codes;       /* image vocabulary */
    int text_tokens; /* text positions */
    int text_vocabulary;
    int64_t dvae_parameters, prior_parameters;
    const char *device;   /* borrowed */
    double entropy_known; /* nats a token that drawings of known captions seldom exceed; 0: not measured */
} dalle_model_info;
DALLE_API void dalle_get_info(const dalle_model *model, dalle_model_info *info);

typedef struct dalle_request {
    const char *caption; /* UTF-8 */
    int count;           /* pictures: 1 to 512 */
    int first; /* number of the first picture; picture i depends on (model, caption, seed, i) only */
    uint64_t seed;
    double temperature; /* 0 = always the likeliest token; < 0 = the model's own default */
    int top_k;          /* 0 = all; < 0 = the model's default */
    double top_p;       /* 1 = all; < 0 = the model's default */
    double guidance;    /* how strongly the caption is followed: 1 = as learned; < 0 = the model's default */
    /* Called now and then with the tokens done so far; returning false stops with an error.  May be NULL. */
    bool (*progress)(void *context, int done, int total);
    void *context;
} dalle_request;
#define DALLE_REQUEST_DEFAULTS \
    { \
        0, 1, 0, 1, -1.0, -1, -1.0, -1.0, 0, 0 \
    }

typedef struct dalle_pictures {
    int count, side;
    uint8_t *rgb;    /* [count][side][side][3] */
    int32_t *tokens; /* [count][tokens_side * tokens_side] */
    /* How unsure the model was, given the caption: of each picture [count], and of all of them, the mean over tokens of the
     * entropy that each was drawn from, in nats, at temperature 1 and without guidance.  0 is certain. */
    float *entropy;
    double mean_entropy;
    bool unsure; /* mean_entropy is above the model's entropy_known: expect mush */
} dalle_pictures;
DALLE_API bool dalle_generate(dalle_model *model, const dalle_request *request, dalle_pictures *out,
                              dalle_error *err);
DALLE_API void dalle_pictures_free(dalle_pictures *pictures);

/* Words of the caption that were in no training caption, as "a, b", to be freed with dalle_free; NULL if all are
 * known or the model has no word list. */
DALLE_API char *dalle_unknown_words(const dalle_model *model, const char *caption);
/* The caption's end that the model's text positions have no room for and that is not drawn, in lower case, from the word
 * that the cut falls into, to be freed with dalle_free; NULL if the whole caption is read. */
DALLE_API char *dalle_lost_words(const dalle_model *model, const char *caption);
DALLE_API void dalle_free(void *memory);

/* `count` pictures of side x side x 3 bytes to tokens [count][tokens_side^2], and back. */
DALLE_API bool dalle_encode(dalle_model *model, const uint8_t *rgb, int count, int32_t *tokens,
                            dalle_error *err);
DALLE_API bool dalle_decode(dalle_model *model, const int32_t *tokens, int count, uint8_t *rgb,
                            dalle_error *err);

DALLE_API const char *dalle_version(void);

#ifdef __cplusplus
}
#endif

#endif
