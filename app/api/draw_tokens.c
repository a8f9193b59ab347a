/* draw_tokens.c -- libdalle draws by tokens: the prior draws them, the dVAE makes them pictures, and where
 * the best of many are wanted the CLIP chooses (rank.c).
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct drawing {
    dalle_model *model;
    const dalle_request *request;
    const plain_locale *locale;
    prior_draw how;
    bool ranks;
    int near, found;              /* near captions that are wanted, and that there are */
    int64_t known[API_MOST_NEAR]; /* which of the model's */
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
    d->near = api_near_wanted(d->model, r, d->ranks);
    d->how.texts = d->near ? API_PHRASES : 1;
    d->how.count = d->ranks ? r->of : r->count;
}

static bool drawing_allocate(drawing *d, error *err)
{
    size_t count = (size_t)d->how.count, all = count * (size_t)d->tokens_each;
    d->text = calloc((size_t)(d->how.texts * d->model->prior->config.text_tokens), sizeof *d->text);
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
           (!(d->ranks || d->near) || api_rank_prepare(m, err)) && prepare_sampler(d, err);
}

/* The tokens of what pictures show in turn. */
static bool read_phrases(drawing *d, error *err)
{
    const dalle_model *m = d->model;
    bool ok = api_near_find(d->model, d->request->caption, d->near, d->known, &d->found, err);
    for (int i = 0; ok && i < d->how.texts; ++i) {
        int cut, near = api_near_of(i, d->found);
        const char *caption = near ? m->known.texts[d->known[near - 1]] : d->request->caption;
        ok = prior_part_tokens(m->prior, caption, d->text + i * m->prior->config.text_tokens, &cut, err);
    }
    return ok;
}

static bool read_start(drawing *d, error *err)
{
    return read_phrases(d, err) &&
           (d->how.given_count == 0 ||
            dvae_codec_encode(d->model->dvae->codec, d->request->start_rgb, 1, d->given, err));
}

static bool draw_tokens(drawing *d, error *err)
{
    api_counter w = { d->request->progress, d->request->context };
    api_watch watch = { .progress = api_counter_tell, .context = &w, .locale = d->locale };
    d->how.progress = w.tell ? api_watch_tell : NULL;
    d->how.context = &watch;
    return prior_sampler_draw(d->model->prior->sampler, &d->how, d->tokens, err);
}

static bool choose(drawing *d, error *err)
{
    api_counter w = { d->request->judging, d->request->context };
    api_watch watch = { .progress = w.tell ? api_counter_tell : NULL,
                        .context = &w,
                        .locale = d->locale,
                        .total = d->how.count };
    for (int i = 0; i < d->request->count; ++i) d->places[i] = i;
    return !d->ranks || (api_rank_scores(d->model, d->request->caption, d->tokens, (int)d->how.count, &watch,
                                         d->scores, err) &&
                         api_rank_order(d->scores, (int)d->how.count, d->request->count, d->places, err));
}

/* ---- The pictures ---- */

/* The sum of a drawing's entropies; those of given tokens are 0. */
static double entropy_of(const drawing *d, int64_t place)
{
    double sum = 0;
    for (int64_t i = 0; i < d->tokens_each; ++i) sum += (double)d->entropy[place * d->tokens_each + i];
    return sum;
}

static int phrase_of(const drawing *d, int64_t place)
{
    return api_near_of(d->request->first + (int)place, d->found);
}

/* How unsure the model was of all it drew of the caption, whatever is given back, and how like it that is. */
static void tell_unsure(const drawing *d, dalle_pictures *out)
{
    const dalle_model_info *info = &d->model->info;
    double all = 0, scores = 0, each = (double)(d->tokens_each - d->how.given_count), own = 0;
    for (int64_t i = 0; i < d->how.count; ++i) {
        if (phrase_of(d, i)) continue;
        own += 1;
        all += entropy_of(d, i);
        if (d->ranks) scores += (double)d->scores[i];
    }
    for (int i = 0; i < out->count; ++i) out->entropy[i] = (float)(entropy_of(d, d->places[i]) / each);
    if (own == 0) return; /* one picture, of a near caption */
    out->mean_entropy = all / (own * each);
    out->mean_score = scores / own;
    out->unsure = (info->entropy_known > 0 && out->mean_entropy > info->entropy_known) ||
                  (d->ranks && out->mean_score < info->similarity_known);
}

/* What was drawn beside the caption. */
static bool tell_near(const drawing *d, dalle_pictures *out, error *err)
{
    if (!d->found) return true;
    out->near = calloc((size_t)d->found, sizeof *out->near);
    out->phrase = calloc((size_t)out->count, sizeof *out->phrase);
    bool ok = out->near && out->phrase;
    if (ok) out->near_count = d->found;
    for (int i = 0; ok && i < d->found; ++i)
        ok = (out->near[i] = strdup(d->model->known.texts[d->known[i]])) != NULL;
    for (int i = 0; ok && i < out->count; ++i) out->phrase[i] = phrase_of(d, d->places[i]);
    return ok || error_set(err, ERROR_MEMORY, "out of memory for near captions");
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
    tell_unsure(d, out);
    if (!tell_near(d, out, err)) return false;
    out->drawn = (int)d->how.count;
    return dvae_codec_decode(d->model->dvae->codec, out->tokens, out->count, out->rgb, err);
}

bool api_draw_tokens(dalle_model *m, const dalle_request *r, const plain_locale *locale, dalle_pictures *out,
                     error *err)
{
    drawing d = { .model = m, .request = r, .locale = locale };
    settle(&d);
    bool ok = drawing_allocate(&d, err) &&
              api_pictures_make(out, r->count, m->info.side, d.tokens_each, d.ranks, err) &&
              prepare(&d, err) && read_start(&d, err) && draw_tokens(&d, err) && choose(&d, err) &&
              give_back(&d, out, err);
    drawing_free(&d);
    return ok;
}
