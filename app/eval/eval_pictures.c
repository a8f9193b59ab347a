/* eval_pictures.c -- the pass over the set's pictures: tokens and back, how likely they are, what the judges
 * see. Pictures come and go; what stays of each is a few numbers.
 * SPDX-License-Identifier: MIT */
#include "app/eval/internal.h"
#include "app/eval/pixel_bits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A batch on its way. */
typedef struct passing {
    uint8_t *pixels, *again; /* [EVAL_BATCH][side][side][3] */
    int32_t *tokens, *text;  /* image tokens; text positions of those that have a caption */
    int32_t *image;          /* tokens of those that have a caption */
    float *stats;
    pixel_bits tables;
    int64_t count;
} passing;

static bool make_room(passing *p, const eval_work *w, error *err)
{
    int64_t tokens = w->prior ? w->prior->shape.side * w->prior->shape.side : 1;
    if (w->dvae) tokens = dvae_tokens_side(&w->dvae->config) * dvae_tokens_side(&w->dvae->config);
    int64_t positions = w->prior ? w->prior->config.text_tokens : 1;
    p->pixels = malloc((size_t)(EVAL_BATCH * w->values));
    p->again = malloc((size_t)(EVAL_BATCH * w->values));
    p->tokens = malloc((size_t)(EVAL_BATCH * tokens) * sizeof *p->tokens);
    p->image = malloc((size_t)(EVAL_BATCH * tokens) * sizeof *p->image);
    p->text = malloc((size_t)(EVAL_BATCH * positions) * sizeof *p->text);
    p->stats = malloc((size_t)(EVAL_BATCH * 2 * w->values) * sizeof *p->stats);
    return p->pixels && p->again && p->tokens && p->image && p->text && p->stats
               ? true
               : error_set(err, ERROR_MEMORY, "out of memory for %d pictures", EVAL_BATCH);
}

static void forget(passing *p)
{
    free(p->pixels);
    free(p->again);
    free(p->tokens);
    free(p->image);
    free(p->text);
    free(p->stats);
}

/* ---- A batch ---- */

static double mean_absolute(const uint8_t *a, const uint8_t *b, int64_t values)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < values; ++i) sum += abs((int)a[i] - (int)b[i]);
    return (double)sum / (double)values;
}

/* What the pixels cost, given the tokens, of picture i of the batch. */
static void weigh_pixels(eval_work *w, const passing *p, int64_t i)
{
    const uint8_t *real = p->pixels + i * w->values, *again = p->again + i * w->values;
    double *bits = &w->pixel_bits[w->pictures + i], density = 0;
    if (!dvae_codec_scores(&w->dvae->config)) {
        *bits = mean_absolute(real, again, w->values);
        return;
    }
    *bits = 0;
    pixel_bits_sum(&p->tables, p->stats + i * 2 * w->values, real, w->values / 3, bits, &density);
    *bits /= (double)w->values;
    w->density_bits += density / (double)w->values;
}

static bool reconstruct(eval_work *w, passing *p, error *err)
{
    int64_t tokens = dvae_tokens_side(&w->dvae->config) * dvae_tokens_side(&w->dvae->config);
    bool scores = dvae_codec_scores(&w->dvae->config);
    if (!dvae_codec_encode(w->dvae->codec, p->pixels, p->count, p->tokens, err) ||
        !reconstructor_run(w->decoder, p->tokens, p->count, p->again, scores ? p->stats : NULL, err))
        return false;
    for (int64_t i = 0; i < p->count; ++i) {
        if (!quality_add(&w->quality, p->pixels + i * w->values, p->again + i * w->values, w->side))
            return error_set(err, ERROR_MEMORY, "out of memory for comparing pictures");
        weigh_pixels(w, p, i);
    }
    for (int64_t i = 0; i < p->count * tokens; ++i) ++w->code_uses[p->tokens[i]];
    return !w->out->spectrum || spectrum_add(w->out->spectrum, p->pixels, p->again, p->count, err);
}

static void add_pair(eval_work *w, int64_t at, const likelihood_pair *pair, int64_t read)
{
    double tokens = (double)(w->prior->shape.side * w->prior->shape.side), n = (double)pair->text_tokens,
           bit = log(2) * (double)w->values;
    mean_add(&w->image_nats, pair->image / tokens);
    w->text_nats += pair->text;
    w->text_tokens += pair->text_tokens;
    w->text_squares[0] += pair->text * pair->text;
    w->text_squares[1] += pair->text * n;
    w->text_squares[2] += n * n;
    w->token_bits[at] = pair->image / bit;
    /* The first token, which nothing predicts, is taken as one of a vocabulary whose words are all alike. */
    w->text_bits[at] = (pair->text + (read ? log((double)w->prior->config.text_vocabulary) : 0)) / bit;
}

static bool weigh_pairs(eval_work *w, passing *p, error *err)
{
    int64_t tokens = w->prior->shape.side * w->prior->shape.side, positions = w->prior->config.text_tokens;
    int64_t place[EVAL_BATCH], count = 0;
    likelihood_pair pairs[EVAL_BATCH];
    for (int64_t i = 0; i < p->count; ++i) {
        const char *caption = w->captions[w->pictures + i];
        int cut;
        if (!caption) continue;
        if (!prior_part_tokens(w->prior, caption, p->text + count * positions, &cut, err)) return false;
        w->prior_cut += cut > 0;
        memcpy(p->image + count * tokens, p->tokens + i * tokens, (size_t)tokens * sizeof *p->image);
        place[count++] = i;
    }
    if (count && !likelihood_run(w->likelihood, p->text, p->image, count, pairs, err)) return false;
    for (int64_t i = 0; i < count; ++i)
        add_pair(w, w->pictures + place[i], &pairs[i], p->text[i * positions] >= 0);
    return true;
}

static bool finish_batch(eval_work *w, passing *p, error *err)
{
    if (!p->count) return true;
    if (w->dvae && !reconstruct(w, p, err)) return false;
    if (w->prior && !weigh_pairs(w, p, err)) return false;
    if (!eval_look(w, EVAL_REAL, p->pixels, p->count, p->count, NULL, err) ||
        (w->dvae && !eval_look(w, EVAL_AGAIN, p->again, p->count, p->count, NULL, err)))
        return false;
    w->pictures += p->count;
    p->count = 0;
    return true;
}

static bool take_picture(eval_work *w, passing *p, int64_t index, bool *good, error *err)
{
    if (!eval_set_picture(w->set, index, p->pixels + p->count * w->values, good, err)) return false;
    if (!*good) return true;
    char *caption = eval_set_caption(w->set, index, err);
    if (!caption) return false;
    if (!*caption) {
        free(caption);
        caption = NULL;
    }
    w->captions[w->pictures + p->count++] = caption;
    w->captioned += caption != NULL;
    return p->count < EVAL_BATCH || finish_batch(w, p, err);
}

static bool pass(eval_work *w, passing *p, bool *keep, error *err)
{
    int64_t all = w->set->count;
    for (int64_t i = 0; i < all; ++i) {
        if (!take_picture(w, p, w->set->index[i], &keep[i], err)) return false;
        eval_tell(w, "pictures", i + 1, all);
    }
    if (!finish_batch(w, p, err)) return false;
    eval_set_keep(w->set, keep);
    if (w->pictures) return true;
    return error_set(err, ERROR_FORMAT, "none of the %lld pictures can be read; the first: %s",
                     (long long)all, w->set->named[0]);
}

/* ---- Figures ---- */

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static bool add_codes(eval_work *w, error *err)
{
    int64_t codes = w->dvae->config.codes, used = 0, all = 0;
    double entropy = 0, *share = malloc((size_t)codes * sizeof *share);
    if (!share) return error_set(err, ERROR_MEMORY, "out of memory for %lld codes", (long long)codes);
    for (int64_t i = 0; i < codes; ++i) all += w->code_uses[i];
    for (int64_t i = 0; i < codes; ++i) {
        double p = (double)w->code_uses[i] / (double)all;
        if (p > 0) entropy -= p * log2(p);
        used += p > 0;
        share[i] = p * (double)codes;
    }
    qsort(share, (size_t)codes, sizeof *share, descending);
    w->out->codes = share;
    w->out->code_count = codes;
    figures *f = &w->out->figures;
    bool few = all < 10 * codes;
    figure *added = figures_add(f, "codes", "used", "codes in use", 0, (double)used, all, "tokens");
    figures_unit(added, "of %lld", (long long)codes);
    added->biased = few;
    added = figures_add(f, "codes", "entropy", "entropy of the codes", 3, entropy, all, "tokens");
    figures_unit(added, "bits of %.3g", log2((double)codes));
    added->biased = few;
    added = figures_add(f, "codes", "perplexity", "perplexity", 1, exp2(entropy), all, "tokens");
    figures_unit(added, "codes");
    added->biased = few;
    if (few)
        figures_note(
            f,
            "codes: %lld tokens are few for %lld codes (less than 10 each): use, entropy and perplexity come "
            "out too low",
            (long long)all, (long long)codes);
    return true;
}

static void add_quality(eval_work *w)
{
    figures *f = &w->out->figures;
    const quality *q = &w->quality;
    if (q->psnr.count)
        figures_unit(figures_add_mean(f, "reconstruction", "psnr", "PSNR", 2, &q->psnr, "pictures"), "dB");
    if (q->squared_error.value > 0)
        figures_unit(figures_add(f, "reconstruction", "psnr_pooled", "PSNR of the mean error", 2,
                                 quality_psnr(q->squared_error.value), q->squared_error.count, "pictures"),
                     "dB");
    if (q->equal)
        figures_note(f,
                     "PSNR: %lld of %lld pictures come back without any error, and are left out of its mean",
                     (long long)q->equal, (long long)q->squared_error.count);
    if (q->ssim.count)
        figures_add_mean(f, "reconstruction", "ssim", "SSIM", 4, &q->ssim, "pictures");
    else
        figures_note(f, "SSIM: its windows have %d x %d pixels, the pictures %lld x %lld: there is none",
                     QUALITY_WINDOW, QUALITY_WINDOW, (long long)w->side, (long long)w->side);
}

static void add_likelihood(eval_work *w)
{
    figures *f = &w->out->figures;
    double n = (double)w->text_tokens, pairs = (double)w->image_nats.count;
    figure *added =
        figures_add_mean(f, "likelihood", "image", "image token", 4, &w->image_nats, "captioned pictures");
    figures_unit(added, "nats");
    if (n <= 0) return;
    double r = w->text_nats / n,
           rest = w->text_squares[0] - 2 * r * w->text_squares[1] + r * r * w->text_squares[2];
    added = figures_add(f, "likelihood", "text", "text token", 4, r, w->image_nats.count, "captions");
    figures_unit(added, "nats");
    if (pairs > 1) added->error = sqrt(fmax(rest, 0) * pairs / (pairs - 1)) / n;
}

/* Where the dVAE gives no density, the differences' distribution is fitted to what has been seen. */
static void settle_pixels(eval_work *w)
{
    double sum = 0;
    if (dvae_codec_scores(&w->dvae->config)) return;
    for (int64_t i = 0; i < w->pictures; ++i) sum += w->pixel_bits[i];
    for (int64_t i = 0; i < w->pictures; ++i)
        w->pixel_bits[i] = pixel_bits_geometric(w->pixel_bits[i], sum / (double)w->pictures);
    figures_note(
        &w->out->figures,
        "bits: the dVAE was trained by pixel loss, which gives no density; its pixels' bits are those of a "
        "two-sided geometric distribution fitted to the differences");
}

static void bits_figure(eval_work *w, const char *name, const char *title, const mean *m)
{
    figures_unit(figures_add_mean(&w->out->figures, "bits", name, title, 4, m, "pictures"), "bits/value");
}

static void add_bits(eval_work *w)
{
    double side = (double)dvae_tokens_side(&w->dvae->config);
    double even = side * side * log2((double)w->dvae->config.codes) / (double)w->values;
    mean pixels = { 0 }, plain = { 0 }, tokens = { 0 }, picture = { 0 }, pair = { 0 };
    settle_pixels(w);
    for (int64_t i = 0; i < w->pictures; ++i) {
        mean_add(&pixels, w->pixel_bits[i]);
        mean_add(&plain, w->pixel_bits[i] + even);
        if (!w->prior || !w->captions[i]) continue;
        mean_add(&tokens, w->token_bits[i]);
        mean_add(&picture, w->pixel_bits[i] + w->token_bits[i]);
        mean_add(&pair, w->pixel_bits[i] + w->token_bits[i] + w->text_bits[i]);
    }
    bits_figure(w, "pixels", "pixels, given the tokens", &pixels);
    bits_figure(w, "even", "picture, codes all alike", &plain);
    if (dvae_codec_scores(&w->dvae->config))
        figures_unit(figures_add(&w->out->figures, "bits", "density", "the same as training says it", 4,
                                 w->density_bits / (double)w->pictures + even, w->pictures, "pictures"),
                     "bits/value");
    if (!picture.count) return;
    bits_figure(w, "tokens", "tokens, given the caption", &tokens);
    bits_figure(w, "picture", "picture, given the caption", &picture);
    bits_figure(w, "pair", "picture and caption", &pair);
}

static bool start(eval_work *w, passing *p, error *err)
{
    int64_t count = w->set->count;
    w->room = count;
    w->captions = calloc((size_t)count + 1, sizeof *w->captions);
    w->pixel_bits = calloc((size_t)count + 1, sizeof *w->pixel_bits);
    w->token_bits = calloc((size_t)count + 1, sizeof *w->token_bits);
    w->text_bits = calloc((size_t)count + 1, sizeof *w->text_bits);
    if (w->dvae) w->code_uses = calloc((size_t)w->dvae->config.codes, sizeof *w->code_uses);
    if (!w->captions || !w->pixel_bits || !w->token_bits || !w->text_bits || (w->dvae && !w->code_uses))
        return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)count);
    if (w->dvae) p->tables = pixel_bits_tables(w->dvae->config.epsilon);
    return make_room(p, w, err);
}

bool eval_pictures(eval_work *w, error *err)
{
    passing p = { 0 };
    bool *keep = calloc((size_t)w->set->count + 1, sizeof *keep);
    bool ok = keep ? true : error_set(err, ERROR_MEMORY, "out of memory for a list of pictures");
    ok = ok && start(w, &p, err) && pass(w, &p, keep, err);
    if (ok && w->dvae) {
        add_quality(w);
        ok = add_codes(w, err);
        if (ok && w->image_nats.count) add_likelihood(w);
        if (ok) add_bits(w);
    }
    forget(&p);
    free(keep);
    return ok;
}
