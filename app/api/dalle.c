/* dalle.c -- libdalle over the models; see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "host/base/log.h"
#include "host/base/utf8.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PICTURES = 512, MOST_CODED = 1000000 };

/* ---- Errors and messages ---- */

static dalle_kind kind_of(error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return DALLE_OK;
    case ERROR_USAGE:
        return DALLE_USAGE;
    case ERROR_IO:
        return DALLE_IO;
    case ERROR_FORMAT:
        return DALLE_FORMAT;
    case ERROR_DEVICE:
        return DALLE_DEVICE;
    case ERROR_MEMORY:
        return DALLE_MEMORY;
    case ERROR_INTERRUPTED:
        return DALLE_STOPPED;
    case ERROR_MODEL:
    case ERROR_DIVERGED:
        break;
    }
    return DALLE_MODEL;
}

bool api_report(dalle_error *out, const error *err)
{
    if (!out) return false;
    out->status = error_exit_status(err);
    out->kind = kind_of(err->code);
    snprintf(out->message, sizeof out->message, "%s", err->message);
    return false;
}

bool api_missing(const char *what, error *err)
{
    return error_set(err, ERROR_USAGE, "%s is NULL", what);
}

typedef struct ear {
    dalle_listener *listener;
    void *context;
} ear;

static void hear(void *context, log_level level, const char *line)
{
    const ear *e = context;
    e->listener(e->context, level == LOG_WARNINGS ? DALLE_WARNING : DALLE_NEWS, line);
}

void dalle_listen(dalle_listener *listener, void *context)
{
    static ear e; /* of the process, like the log that it hears */
    e = (ear){ listener, context };
    log_set_sink(listener ? hear : NULL, &e);
}

const char *dalle_version(void)
{
    return DALLE_CL_VERSION;
}

/* ---- Drawing ---- */

void dalle_request_init(dalle_request *request, size_t size)
{
    const dalle_request defaults = DALLE_REQUEST_DEFAULTS;
    if (!request) return;
    memset(request, 0, size);
    memcpy(request, &defaults, size < sizeof defaults ? size : sizeof defaults);
    if (size >= sizeof request->size) request->size = size;
}

/* An older program's request is shorter: what it does not know is zero, which asks for nothing.  A newer
 * one's is longer, and all right as long as it asks for nothing that is not known here. */
static bool take_request(const dalle_request *given, dalle_request *r, error *err)
{
    const size_t first = offsetof(dalle_request, context) + sizeof r->context, most = 65536;
    if (!given) return api_missing("the request", err);
    if (given->size < first || given->size > most)
        return error_set(err, ERROR_USAGE,
                         "the request says that it has %zu bytes, it has %zu at least: start it from "
                         "DALLE_REQUEST_DEFAULTS or dalle_request_init",
                         given->size, first);
    for (size_t i = sizeof *r; i < given->size; ++i)
        if (((const char *)given)[i])
            return error_set(err, ERROR_USAGE,
                             "the request asks for something that libdalle %s does not know",
                             DALLE_CL_VERSION);
    *r = (dalle_request){ 0 };
    memcpy(r, given, given->size < sizeof *r ? given->size : sizeof *r);
    return true;
}

typedef struct progress_adapter {
    const dalle_request *request;
    const plain_locale *locale;
} progress_adapter;

static bool forward_progress(void *context, int64_t done, int64_t total)
{
    const progress_adapter *a = context;
    plain_locale_suspend(a->locale);
    bool go_on = a->request->progress(a->request->context, (int)done, (int)total);
    plain_locale_resume(a->locale);
    return go_on;
}

static bool check_request(const dalle_model *m, const dalle_request *r, error *err)
{
    if (!m) return api_missing("the model", err);
    if (!m->prior && !m->dvae) return api_lacks(m, &prior_kind, "draws captions", err);
    if (!m->prior)
        return error_set(err, ERROR_USAGE,
                         "the model has no %s: it encodes and decodes, but draws nothing from captions",
                         prior_kind.name);
    if (!r->caption || (utf8_check(r->caption) < 0 && utf8_is_blank(r->caption)))
        return error_set(err, ERROR_USAGE, "the caption is empty");
    if (r->count < 1 || r->count > MOST_PICTURES)
        return error_set(err, ERROR_USAGE, "%d pictures; 1 to %d can be drawn at once", r->count,
                         MOST_PICTURES);
    if (r->first < 0)
        return error_set(err, ERROR_USAGE, "the first picture's number is %d; it starts at 0", r->first);
    if (isnan(r->temperature) || r->temperature > 100)
        return error_set(err, ERROR_USAGE, "temperature %g; 0 to 100", r->temperature);
    if (isnan(r->top_p) || r->top_p > 1)
        return error_set(err, ERROR_USAGE, "top-p %g; it is a probability, 0 to 1", r->top_p);
    if (isnan(r->guidance) || r->guidance > 20)
        return error_set(err, ERROR_USAGE, "guidance %g; 0 to 20", r->guidance);
    return true;
}

/* Few sizes, so that few graphs are built: 1, 4 or 16 pictures at once. */
static int64_t at_once(int count)
{
    return count == 1 ? 1 : count <= 4 ? 4 : API_AT_ONCE;
}

/* How unsure the model was, from its tokens' entropies [count][n]. */
static void judge(const prior_config *c, const float *entropy, int64_t n, dalle_pictures *out)
{
    double all = 0;
    for (int64_t i = 0; i < out->count; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += (double)entropy[i * n + j];
        out->entropy[i] = (float)(sum / (double)n);
        all += sum;
    }
    out->mean_entropy = all / (double)(out->count * n);
    out->unsure = c->entropy_known > 0 && out->mean_entropy > c->entropy_known;
}

/* Where memory does not suffice for a part of the dVAE, the graphs that the prior keeps give way. */
static bool prepare_codec(dalle_model *m, codec_parts parts, error *err)
{
    if (dvae_codec_prepare(m->dvae->codec, parts, err)) return true;
    if (err->code != ERROR_MEMORY || !m->prior) return false;
    prior_sampler_drop(m->prior->sampler);
    return dvae_codec_prepare(m->dvae->codec, parts, err);
}

static bool draw(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                 error *err)
{
    const prior_config *c = &m->prior->config;
    int64_t side = m->dvae->config.image_size, n = m->prior->shape.side * m->prior->shape.side;
    int cut = 0;
    int32_t *text = calloc((size_t)c->text_tokens, sizeof *text);
    float *entropy = malloc((size_t)(r->count * n) * sizeof *entropy);
    out->rgb = malloc((size_t)(r->count * side * side * 3));
    out->tokens = malloc((size_t)(r->count * n) * sizeof *out->tokens);
    out->entropy = malloc((size_t)r->count * sizeof *out->entropy);
    out->count = r->count;
    out->side = (int)side;
    bool ok = text && entropy && out->rgb && out->tokens && out->entropy
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %d pictures", r->count);
    /* All is made ready first: other cores build one part's kernels while this one builds another's. */
    ok = ok && prior_part_tokens(m->prior, r->caption, text, &cut, err) &&
         prepare_codec(m, CODEC_DECODE, err) && prior_part_prepare(m->prior, at_once(r->count), err);
    progress_adapter adapter = { r, locale };
    prior_draw d = { .text = text,
                     .seed = r->seed,
                     .first = r->first,
                     .count = r->count,
                     .temperature = r->temperature < 0 ? c->temperature : r->temperature,
                     .top_k = r->top_k < 0 ? c->top_k : r->top_k,
                     .top_p = r->top_p < 0 ? c->top_p : r->top_p,
                     .guidance = r->guidance < 0 ? c->guidance : r->guidance,
                     .entropy = entropy,
                     .progress = r->progress ? forward_progress : NULL,
                     .context = &adapter };
    ok = ok && prior_sampler_draw(m->prior->sampler, &d, out->tokens, err) &&
         dvae_codec_decode(m->dvae->codec, out->tokens, r->count, out->rgb, err);
    if (ok) judge(c, entropy, n, out);
    free(entropy);
    free(text);
    return ok;
}

dalle_pictures *dalle_generate(dalle_model *m, const dalle_request *given, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    dalle_request r;
    dalle_pictures *out = calloc(1, sizeof *out);
    if (!out) error_set(&err, ERROR_MEMORY, "out of memory for pictures");
    if (out && take_request(given, &r, &err) && check_request(m, &r, &err) && draw(m, &r, &plain, out, &err))
        return out;
    dalle_pictures_free(out);
    api_report(failure, &err);
    return NULL;
}

void dalle_pictures_free(dalle_pictures *p)
{
    if (!p) return;
    free(p->rgb);
    free(p->tokens);
    free(p->entropy);
    free(p);
}

char *dalle_unknown_words(const dalle_model *m, const char *caption)
{
    PLAIN_LOCALE;
    if (!m || !m->prior || !m->prior->words || !caption) return NULL;
    char **unseen = NULL;
    int count = words_unseen(m->prior->words, caption, &unseen, NULL);
    size_t room = 1;
    for (int i = 0; i < count; ++i) room += strlen(unseen[i]) + 2;
    char *text = count > 0 ? calloc(room, 1) : NULL;
    for (int i = 0; text && i < count; ++i) {
        if (i) strcat(text, ", ");
        strcat(text, unseen[i]);
    }
    if (count >= 0) free(unseen);
    return text;
}

char *dalle_lost_words(const dalle_model *m, const char *caption)
{
    PLAIN_LOCALE;
    char *lost = NULL;
    if (!m || !m->prior || !caption || !prior_part_lost(m->prior, caption, &lost, NULL)) return NULL;
    return lost;
}

void dalle_free(void *memory)
{
    free(memory);
}

/* ---- Tokens ---- */

static bool check_coding(const dalle_model *m, const void *from, const void *to, int count, error *err)
{
    if (!m) return api_missing("the model", err);
    if (!m->dvae) return api_lacks(m, &dvae_kind, "turns pictures into tokens and back", err);
    if (count < 0 || count > MOST_CODED)
        return error_set(err, ERROR_USAGE, "%d pictures; 0 to %d can be turned at once", count, MOST_CODED);
    return count == 0 || (from && to) ||
           api_missing(from ? "where the result goes" : "what is to be turned", err);
}

bool dalle_encode(dalle_model *m, const uint8_t *rgb, int count, int32_t *tokens, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_coding(m, rgb, tokens, count, &err) &&
            (count == 0 || prepare_codec(m, CODEC_ENCODE, &err)) &&
            dvae_codec_encode(m->dvae->codec, rgb, count, tokens, &err)) ||
           api_report(failure, &err);
}

bool dalle_decode(dalle_model *m, const int32_t *tokens, int count, uint8_t *rgb, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_coding(m, tokens, rgb, count, &err) &&
            (count == 0 || prepare_codec(m, CODEC_DECODE, &err)) &&
            dvae_codec_decode(m->dvae->codec, tokens, count, rgb, &err)) ||
           api_report(failure, &err);
}
