/* draw_tokens.c -- libdalle draws by tokens: the prior draws them, the dVAE makes them pictures, and where
 * the best of many are wanted the CLIP chooses (rank.c), also among pictures of captions that the model knows
 * and that are near one that it does not (near.c).
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct drawing {
    dalle_model *model;
    const dalle_request *request;
    const plain_locale *locale;
    prior_draw how;
    bool ranks;
    bool near;       /* near captions may be drawn */
    near_list found; /* and those that were */
    int64_t tokens_each;
    int64_t own, all;      /* pictures drawn of the caption, from place 0 on, and in all */
    int32_t *text, *given; /* given: all tokens of the picture to start with */
    int32_t *tokens;       /* [room][tokens_each] */
    float *entropy;        /* the same */
    api_jury *jury;        /* NULL: nobody ranks them */
    float *scores, *sure;  /* [room] */
    int *places;           /* [count]: of those that are given back, among the drawn */
} drawing;

static void drawing_free(drawing *d)
{
    free(d->text);
    free(d->given);
    free(d->tokens);
    free(d->entropy);
    free(d->scores);
    free(d->sure);
    api_jury_close(d->jury);
    free(d->places);
}

/* Whether all drawings of these settings are alike. */
static bool is_certain(const prior_draw *how)
{
    return how->temperature == 0 || how->top_k == 1 || how->top_p == 0;
}

/* Several near captions are read in turn; the caption itself then stands in all of their places, so that the
 * same graphs draw both. */
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
    d->near = d->ranks && d->model->known.count && r->near != 0;
    d->how.texts = d->near && r->near > 0 ? API_MOST_NEAR : 1;
    d->how.count = d->own = d->all = d->ranks ? r->of : r->count;
}

static bool drawing_allocate(drawing *d, error *err)
{
    size_t room = (size_t)d->own * (d->near ? 2 : 1), all = room * (size_t)d->tokens_each;
    d->text = calloc((size_t)(d->how.texts * d->model->prior->config.text_tokens), sizeof *d->text);
    d->given = calloc((size_t)d->tokens_each, sizeof *d->given);
    d->tokens = malloc(all * sizeof *d->tokens);
    d->entropy = malloc(all * sizeof *d->entropy);
    d->scores = malloc(room * sizeof *d->scores);
    d->sure = malloc(room * sizeof *d->sure);
    d->places = malloc(room * sizeof *d->places);
    if (!d->text || !d->given || !d->tokens || !d->entropy || !d->scores || !d->sure || !d->places)
        return error_set(err, ERROR_MEMORY, "out of memory for the tokens of %zu pictures", room);
    d->how.text = d->text;
    d->how.given = d->given;
    return true;
}

/* Few sizes, so that few graphs are built: 1, 4 or 16 pictures at once. */
static int64_t at_once(int64_t count)
{
    return count == 1 ? 1 : count <= 4 ? 4 : API_AT_ONCE;
}

/* As many at once as there is room for. */
static bool prepare_sampler(const drawing *d, error *err)
{
    prior_sampler *s = d->model->prior->sampler;
    int64_t rows = at_once(d->how.count);
    while (!prior_sampler_prepare_for(s, rows, d->how.texts, d->how.guidance, d->how.given_count, err)) {
        if (err->code != ERROR_ROOM) return false;
        if (rows == 1) return api_too_small(err);
        rows = at_once(rows / 4);
    }
    return true;
}

/* All is made ready first: other cores build one part's kernels while this one builds another's. */
static bool prepare(const drawing *d, error *err)
{
    dalle_model *m = d->model;
    bool starts = d->how.given_count > 0;
    return (!starts || api_prepare_codec(m, CODEC_ENCODE, err)) && api_prepare_codec(m, CODEC_DECODE, err) &&
           (!d->ranks || api_rank_prepare(m, err)) && prepare_sampler(d, err);
}

/* The caption that a picture of this number is read with, of those in turn. */
static const char *caption_of(const drawing *d, int64_t number)
{
    return d->found.count ? near_caption(d->model, &d->found, near_turn(&d->found, number))
                          : d->request->caption;
}

static bool read_captions(drawing *d, error *err)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < d->how.texts; ++i) {
        int cut;
        ok = prior_part_tokens(d->model->prior, caption_of(d, i),
                               d->text + i * d->model->prior->config.text_tokens, &cut, err);
    }
    return ok;
}

static bool read_start(drawing *d, error *err)
{
    return read_captions(d, err) &&
           (d->how.given_count == 0 ||
            dvae_codec_encode(d->model->dvae->codec, d->request->start_rgb, 1, d->given, err));
}

/* how.count pictures, from place `from` on. */
static bool draw_tokens(drawing *d, int64_t from, error *err)
{
    api_counter w = { d->request->progress, d->request->context };
    api_watch watch = { .progress = api_counter_tell, .context = &w, .locale = d->locale };
    d->how.progress = w.tell ? api_watch_tell : NULL;
    d->how.context = &watch;
    d->how.entropy = d->entropy + from * d->tokens_each;
    return prior_sampler_draw(d->model->prior->sampler, &d->how, d->tokens + from * d->tokens_each, err);
}

/* All are judged by the caption that was asked for. */
static bool judge(drawing *d, int64_t from, error *err)
{
    api_counter w = { d->request->judging, d->request->context };
    api_watch watch = { .progress = w.tell ? api_counter_tell : NULL,
                        .context = &w,
                        .locale = d->locale,
                        .total = d->how.count };
    return !d->ranks || api_rank_scores(d->jury, d->tokens + from * d->tokens_each, (int)d->how.count, &watch,
                                        d->scores + from, d->sure + from, err);
}

static bool seat_jury(drawing *d, error *err)
{
    return !d->ranks || (d->jury = api_jury_open(d->model, d->request->caption, err)) != NULL;
}

static bool choose(drawing *d, error *err)
{
    for (int i = 0; i < d->request->count; ++i) d->places[i] = i;
    return !d->ranks || api_rank_order(d->scores, (int)d->all, d->request->count, d->places, err);
}

/* ---- How sure it is ---- */

/* The sum of a drawing's entropies; those of given tokens are 0. */
static double entropy_of(const drawing *d, int64_t place)
{
    double sum = 0;
    for (int64_t i = 0; i < d->tokens_each; ++i) sum += (double)d->entropy[place * d->tokens_each + i];
    return sum;
}

static double tokens_drawn(const drawing *d)
{
    return (double)(d->tokens_each - d->how.given_count);
}

/* Of all that was drawn of the caption, whatever is given back. */
static double mean_entropy(const drawing *d)
{
    double all = 0;
    for (int64_t i = 0; i < d->own; ++i) all += entropy_of(d, i);
    return all / ((double)d->own * tokens_drawn(d));
}

/* How like the caption that is; 0: nobody looked. */
static double mean_score(const drawing *d)
{
    double all = 0;
    for (int64_t i = 0; d->ranks && i < d->own; ++i) all += (double)d->scores[i];
    return all / (double)d->own;
}

/* Of places from .. to - 1 that of the best. */
static int64_t best_place(const drawing *d, int64_t from, int64_t to)
{
    int64_t best = from;
    for (int64_t i = from + 1; i < to; ++i)
        if (d->scores[i] > d->scores[best]) best = i;
    return best;
}

static double sureness(const drawing *d)
{
    return d->ranks ? (double)d->sure[best_place(d, 0, d->all)] : 0;
}

/* Who looks at the pictures knows better than the entropy that they were drawn with. */
static bool is_unsure(const drawing *d)
{
    const dalle_model_info *info = &d->model->info;
    if (d->ranks && info->sureness_known != 0) return sureness(d) < info->sureness_known;
    return info->entropy_known > 0 && mean_entropy(d) > info->entropy_known;
}

/* Without being asked, pictures of near captions are shown only where the CLIP is as sure of them as of known
 * captions, and they are clearly liker: what the prior knows by heart looks cleaner than a right picture that
 * it never saw. */
#define CLEARLY_LIKER 0.06

static void keep_or_drop(drawing *d)
{
    if (d->request->near >= 0) return;
    int64_t own = best_place(d, 0, d->own), near = best_place(d, d->own, d->all);
    double limit = d->model->info.sureness_known;
    bool sure = limit == 0 || (double)d->sure[near] >= limit;
    if (sure && (double)d->scores[near] >= (double)d->scores[own] + CLEARLY_LIKER) return;
    d->all = d->own;
    d->found.count = 0;
}

/* As many pictures again, of near captions: where the caption itself is known only if that is asked for. */
static bool draw_near(drawing *d, error *err)
{
    if (!d->near || (d->request->near < 0 && known_captions_has(&d->model->known, d->request->caption)))
        return true;
    if (!near_find(d->model, d->request->caption, api_jury_caption(d->jury), d->request->near, &d->found,
                   err))
        return false;
    if (!d->found.count) return true;
    d->all = d->own + d->how.count;
    if (!read_captions(d, err) || !draw_tokens(d, d->own, err) || !judge(d, d->own, err)) return false;
    keep_or_drop(d);
    return true;
}

/* ---- The pictures ---- */

static void tell_unsure(const drawing *d, dalle_pictures *out)
{
    for (int i = 0; i < out->count; ++i)
        out->entropy[i] = (float)(entropy_of(d, d->places[i]) / tokens_drawn(d));
    out->mean_entropy = mean_entropy(d);
    out->mean_score = mean_score(d);
    out->sureness = sureness(d);
    out->unsure = is_unsure(d);
}

/* What was drawn beside the caption. */
static bool tell_near(const drawing *d, dalle_pictures *out, error *err)
{
    if (!d->found.count) return true;
    out->near = calloc((size_t)d->found.count, sizeof *out->near);
    out->phrase = calloc((size_t)out->count, sizeof *out->phrase);
    bool ok = out->near && out->phrase;
    if (ok) out->near_count = d->found.count;
    for (int k = 0; ok && k < d->found.count; ++k)
        ok = (out->near[k] = strdup(near_caption(d->model, &d->found, k))) != NULL;
    for (int i = 0; ok && i < out->count; ++i)
        if (d->places[i] >= d->own) out->phrase[i] = 1 + near_turn(&d->found, out->number[i]);
    return ok || error_set(err, ERROR_MEMORY, "out of memory for near captions");
}

static bool give_back(const drawing *d, dalle_pictures *out, error *err)
{
    int64_t n = d->tokens_each;
    for (int64_t i = 0; i < out->count; ++i) {
        int place = d->places[i];
        memcpy(out->tokens + i * n, d->tokens + place * n, (size_t)n * sizeof *out->tokens);
        out->number[i] = d->request->first + place % (int)d->own;
        if (out->score) out->score[i] = d->scores[place];
    }
    tell_unsure(d, out);
    out->drawn = (int)d->all;
    return tell_near(d, out, err) &&
           dvae_codec_decode(d->model->dvae->codec, out->tokens, out->count, out->rgb, err);
}

bool api_draw_tokens(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                     error *err)
{
    drawing d = { .model = m, .request = r, .locale = locale };
    settle(&d);
    bool ok = drawing_allocate(&d, err) &&
              api_pictures_make(out, r->count, m->info.side, d.tokens_each, d.ranks, err) &&
              prepare(&d, err) && read_start(&d, err) && seat_jury(&d, err) && draw_tokens(&d, 0, err) &&
              judge(&d, 0, err) && draw_near(&d, err) && choose(&d, err) && give_back(&d, out, err);
    drawing_free(&d);
    return ok;
}
