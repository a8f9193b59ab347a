/* generate.c -- libdalle draws: a request is checked, the prior draws its tokens, the dVAE makes them
 * pictures, and where the best of many are wanted the CLIP chooses (rank.c); see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "host/base/utf8.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PICTURES = 512, MOST_DRAWN = 4096 };

/* ---- The request ---- */

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

static bool check_of(const dalle_model *m, const dalle_request *r, error *err)
{
    if (r->of == 0) return true;
    if (r->of < 0 || r->of > MOST_DRAWN)
        return error_set(err, ERROR_USAGE, "the best of %d pictures; of at most %d", r->of, MOST_DRAWN);
    if (r->of < r->count)
        return error_set(err, ERROR_USAGE,
                         "the best %d of %d pictures are wanted; at least as many must be drawn as are kept",
                         r->count, r->of);
    return m->clip || api_lacks(m, &clip_kind, "chooses the best of many pictures", err);
}

static bool check_start(const dalle_model *m, const dalle_request *r, error *err)
{
    int side = m->info.tokens_side;
    if (r->start_rows == 0) return true;
    if (r->start_rows < 0 || r->start_rows > side)
        return error_set(err, ERROR_USAGE, "%d rows of tokens to start with; a picture has %d", r->start_rows,
                         side);
    if (r->start_rows == side)
        return error_set(err, ERROR_USAGE,
                         "all %d rows of tokens are given, and nothing is left to draw; give %d at most",
                         side, side - 1);
    return r->start_rgb || api_missing("the picture to start with", err);
}

static bool check_numbers(const dalle_request *r, error *err)
{
    if (r->count < 1 || r->count > MOST_PICTURES)
        return error_set(err, ERROR_USAGE, "%d pictures; 1 to %d can be drawn at once", r->count,
                         MOST_PICTURES);
    if (r->first < 0 || r->first > INT_MAX - MOST_DRAWN)
        return error_set(err, ERROR_USAGE, "the first picture's number is %d; it is 0 to %d", r->first,
                         INT_MAX - MOST_DRAWN);
    if (isnan(r->temperature) || r->temperature > 100)
        return error_set(err, ERROR_USAGE, "temperature %g; 0 to 100", r->temperature);
    if (isnan(r->top_p) || r->top_p > 1)
        return error_set(err, ERROR_USAGE, "top-p %g; it is a probability, 0 to 1", r->top_p);
    if (isnan(r->guidance) || r->guidance > 20)
        return error_set(err, ERROR_USAGE, "guidance %g; 0 to 20", r->guidance);
    return true;
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
    return check_numbers(r, err) && check_of(m, r, err) && check_start(m, r, err);
}

/* ---- A drawing ---- */

typedef struct drawing {
    dalle_model *model;
    const dalle_request *request;
    const plain_locale *locale;
    prior_draw how;
    bool ranks;
    int64_t tokens_each;
    int32_t *text, *given; /* given: all tokens of the picture to start with */
    int32_t *tokens;       /* [drawn][tokens_each] */
    float *entropy;        /* the same */
    float *scores;         /* [drawn] */
    int *places;           /* [count]: of those that are given back, among the drawn */
} drawing;

static void drawing_free(drawing *d)
{
    free(d->text);
    free(d->given);
    free(d->tokens);
    free(d->entropy);
    free(d->scores);
    free(d->places);
}

/* Whether all drawings of these settings are alike. */
static bool is_certain(const prior_draw *how)
{
    return how->temperature == 0 || how->top_k == 1 || how->top_p == 0;
}

static void settle(drawing *d)
{
    const dalle_request *r = d->request;
    const prior_config *c = &d->model->prior->config;
    const prior_shape *shape = &d->model->prior->shape;
    d->tokens_each = shape->side * shape->side;
    d->how = (prior_draw){ .given_count = r->start_rows * shape->side,
                           .seed = r->seed,
                           .first = r->first,
                           .temperature = r->temperature < 0 ? c->temperature : r->temperature,
                           .top_k = r->top_k < 0 ? c->top_k : r->top_k,
                           .top_p = r->top_p < 0 ? c->top_p : r->top_p,
                           .guidance = r->guidance < 0 ? c->guidance : r->guidance };
    d->ranks = r->of > 0 && !is_certain(&d->how);
    d->how.count = d->ranks ? r->of : r->count;
}

static bool drawing_allocate(drawing *d, error *err)
{
    size_t count = (size_t)d->how.count, all = count * (size_t)d->tokens_each;
    d->text = calloc((size_t)d->model->prior->config.text_tokens, sizeof *d->text);
    d->given = calloc((size_t)d->tokens_each, sizeof *d->given);
    d->tokens = malloc(all * sizeof *d->tokens);
    d->entropy = malloc(all * sizeof *d->entropy);
    d->scores = malloc(count * sizeof *d->scores);
    d->places = malloc(count * sizeof *d->places);
    if (!d->text || !d->given || !d->tokens || !d->entropy || !d->scores || !d->places)
        return error_set(err, ERROR_MEMORY, "out of memory for the tokens of %zu pictures", count);
    d->how.text = d->text;
    d->how.given = d->given;
    d->how.entropy = d->entropy;
    return true;
}

/* Few sizes, so that few graphs are built: 1, 4 or 16 pictures at once. */
static int64_t at_once(int64_t count)
{
    return count == 1 ? 1 : count <= 4 ? 4 : API_AT_ONCE;
}

/* All is made ready first: other cores build one part's kernels while this one builds another's. */
static bool prepare(const drawing *d, error *err)
{
    dalle_model *m = d->model;
    bool starts = d->how.given_count > 0;
    return (!starts || api_prepare_codec(m, CODEC_ENCODE, err)) && api_prepare_codec(m, CODEC_DECODE, err) &&
           (!d->ranks || api_rank_prepare(m, err)) &&
           prior_sampler_prepare_for(m->prior->sampler, at_once(d->how.count), d->how.guidance,
                                     d->how.given_count, err);
}

static bool read_start(drawing *d, error *err)
{
    int cut = 0;
    return prior_part_tokens(d->model->prior, d->request->caption, d->text, &cut, err) &&
           (d->how.given_count == 0 ||
            dvae_codec_encode(d->model->dvae->codec, d->request->start_rgb, 1, d->given, err));
}

/* The request's two functions count in int. */
typedef struct watched {
    bool (*tell)(void *context, int done, int total);
    void *context;
} watched;

static bool tell_watched(void *context, int64_t done, int64_t total)
{
    const watched *w = context;
    return w->tell(w->context, (int)done, (int)total);
}

static bool draw_tokens(drawing *d, error *err)
{
    watched w = { d->request->progress, d->request->context };
    api_watch watch = { .progress = tell_watched, .context = &w, .locale = d->locale };
    d->how.progress = w.tell ? api_watch_tell : NULL;
    d->how.context = &watch;
    return prior_sampler_draw(d->model->prior->sampler, &d->how, d->tokens, err);
}

static bool choose(drawing *d, error *err)
{
    watched w = { d->request->judging, d->request->context };
    api_watch watch = {
        .progress = w.tell ? tell_watched : NULL, .context = &w, .locale = d->locale, .total = d->how.count
    };
    for (int i = 0; i < d->request->count; ++i) d->places[i] = i;
    return !d->ranks || (api_rank_scores(d->model, d->request->caption, d->tokens, (int)d->how.count, &watch,
                                         d->scores, err) &&
                         api_rank_order(d->scores, (int)d->how.count, d->request->count, d->places, err));
}

/* ---- The pictures ---- */

static bool pictures_allocate(const drawing *d, dalle_pictures *out, error *err)
{
    size_t count = (size_t)d->request->count, side = (size_t)d->model->info.side;
    *out = (dalle_pictures){ .count = d->request->count,
                             .side = d->model->info.side,
                             .drawn = (int)d->how.count };
    out->rgb = malloc(count * side * side * 3);
    out->tokens = malloc(count * (size_t)d->tokens_each * sizeof *out->tokens);
    out->entropy = malloc(count * sizeof *out->entropy);
    out->number = malloc(count * sizeof *out->number);
    out->score = d->ranks ? malloc(count * sizeof *out->score) : NULL;
    return (out->rgb && out->tokens && out->entropy && out->number && (out->score || !d->ranks)) ||
           error_set(err, ERROR_MEMORY, "out of memory for %zu pictures", count);
}

/* The sum of a drawing's entropies; those of given tokens are 0. */
static double entropy_of(const drawing *d, int64_t place)
{
    double sum = 0;
    for (int64_t i = 0; i < d->tokens_each; ++i) sum += (double)d->entropy[place * d->tokens_each + i];
    return sum;
}

/* How unsure the model was of all it drew, whatever is given back. */
static void tell_entropy(const drawing *d, dalle_pictures *out)
{
    double all = 0, each = (double)(d->tokens_each - d->how.given_count),
           known = d->model->prior->config.entropy_known;
    for (int64_t i = 0; i < d->how.count; ++i) all += entropy_of(d, i);
    for (int i = 0; i < out->count; ++i) out->entropy[i] = (float)(entropy_of(d, d->places[i]) / each);
    out->mean_entropy = all / ((double)d->how.count * each);
    out->unsure = known > 0 && out->mean_entropy > known;
}

static bool give_back(const drawing *d, dalle_pictures *out, error *err)
{
    int64_t n = d->tokens_each;
    for (int64_t i = 0; i < out->count; ++i) {
        int place = d->places[i];
        memcpy(out->tokens + i * n, d->tokens + place * n, (size_t)n * sizeof *out->tokens);
        out->number[i] = d->request->first + place;
        if (out->score) out->score[i] = d->scores[place];
    }
    tell_entropy(d, out);
    return dvae_codec_decode(d->model->dvae->codec, out->tokens, out->count, out->rgb, err);
}

static bool draw(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                 error *err)
{
    drawing d = { .model = m, .request = r, .locale = locale };
    settle(&d);
    bool ok = drawing_allocate(&d, err) && pictures_allocate(&d, out, err) && prepare(&d, err) &&
              read_start(&d, err) && draw_tokens(&d, err) && choose(&d, err) && give_back(&d, out, err);
    drawing_free(&d);
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
    free(p->number);
    free(p->score);
    free(p);
}
