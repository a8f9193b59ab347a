/* evaluation.c -- see evaluation.h: opens what a model has, and leads through the passes.
 * SPDX-License-Identifier: MIT */
#include "app/eval/evaluation.h"

#include "app/eval/internal.h"
#include "models/kinds.h"

#include <math.h>
#include <stdlib.h>

void eval_tell(const eval_work *w, const char *what, int64_t done, int64_t all)
{
    if (w->o->tell) w->o->tell(w->o->context, what, done, all);
}

/* ---- Opening ---- */

bool evaluation_can_judge(const char *folder, error *err)
{
    return part_is_there(folder, &clip_kind, err);
}

bool evaluation_can_measure(const char *folder, error *err)
{
    error own = { 0 };
    part_files files;
    if (part_is_there(folder, &clip_kind, &own) || (!own.code && part_is_there(folder, &dvae_kind, &own)))
        return true;
    if (!own.code && part_files_find(folder, &dvae_kind, &files, &own)) part_files_free(&files);
    if (err) *err = own;
    return false;
}

static bool open_dvae(eval_work *w, error *err)
{
    const char *folder = w->o->model;
    if (!part_is_there(folder, &dvae_kind, err)) {
        figures_note(
            &w->out->figures,
            "'%s' has no dVAE, so there are no reconstructions, no likelihood and no drawings: pack one into "
            "it with 'dalle-cl pack'",
            folder);
        return err->code == ERROR_NONE;
    }
    const codec_parts parts = CODEC_BOTH | CODEC_LATER; /* its decoder is checked, and never built */
    if (!(w->dvae = dvae_part_open(w->device, folder, parts, EVAL_BATCH, err)) ||
        !(w->decoder = reconstructor_create(w->dvae, EVAL_BATCH, err)))
        return false;
    w->side = w->dvae->config.image_size;
    return eval_set_reading(w->set, &w->dvae->config.training, w->side, err);
}

static bool open_prior(eval_work *w, error *err)
{
    const char *folder = w->o->model;
    if (!w->dvae) return true;
    if (!part_is_there(folder, &prior_kind, err)) {
        figures_note(&w->out->figures,
                     "'%s' has no %s, so there is no likelihood and nothing is drawn: train one with "
                     "'dalle-cl train %s', and pack both",
                     folder, prior_kind.title, prior_kind.name);
        return err->code == ERROR_NONE;
    }
    prior_shape shape = { dvae_tokens_side(&w->dvae->config), w->dvae->config.codes };
    return (w->prior = prior_part_open(w->device, folder, &shape, err)) != NULL &&
           (w->likelihood = likelihood_create(w->prior, EVAL_BATCH, err)) != NULL;
}

static bool open_judge(eval_work *w, error *err)
{
    if (!w->o->judge) {
        figures_note(
            &w->out->figures,
            "'%s' has no CLIP, so there is no score, no retrieval and no distance by its features: train one "
            "with 'dalle-cl train %s' and pack it beside, or name a model that has one with --judge",
            w->o->model, clip_kind.name);
        return true;
    }
    if (!(w->judge = clip_part_open(w->device, w->o->judge, err))) return false;
    w->texts.width = w->judge->config.embedding;
    for (int i = 0; i < EVAL_SHOWN; ++i) w->seen[i].judged.width = w->texts.width;
    if (w->dvae) return true;
    w->side = w->judge->config.image_size;
    return eval_set_reading(w->set, &w->judge->config.training, w->side, err);
}

static bool open_network(eval_work *w, error *err)
{
    if (!w->o->inception) {
        figures_note(&w->out->figures,
                     "FID, KID and the Inception score need the published network: --inception FILE, which "
                     "tools/convert_inception.py makes");
        return true;
    }
    if (!(w->network = inception_open(w->device, w->o->inception, NULL, err))) return false;
    for (int i = 0; i < EVAL_SHOWN; ++i) {
        w->seen[i].logits.width = inception_classes(w->network);
        w->seen[i].pooled.width = inception_features(w->network);
        if (!(w->seen[i].moments = frechet_moments_create(inception_features(w->network), err))) return false;
    }
    return true;
}

static bool open_spectrum(eval_work *w, error *err)
{
    const spectrum_settings s = { .side = w->side };
    return !w->dvae || w->side < 2 || (w->out->spectrum = spectrum_create(w->device, &s, err)) != NULL;
}

static void spectrum_figure(eval_work *w, const char *name, const char *title, double value, const char *unit)
{
    if (isnan(value)) return;
    figure *added = figures_add(&w->out->figures, "spectrum", name, title, 2, value,
                                spectrum_pictures(w->out->spectrum), "pictures");
    figures_unit(added, "%s", unit);
}

static void add_spectrum(eval_work *w)
{
    if (!w->out->spectrum) return;
    const spectrum_loss l = spectrum_lost(w->out->spectrum);
    spectrum_figure(w, "kept_low", "kept below half of Nyquist's frequency", l.kept_low, "dB");
    spectrum_figure(w, "kept_high", "kept above", l.kept_high, "dB");
    spectrum_figure(w, "error_low", "error below", l.error_low, "dB");
    spectrum_figure(w, "error_high", "error above", l.error_high, "dB");
    spectrum_figure(w, "lost_3db", "half of the power is lost from", l.lost_3db, "cycles/picture");
    spectrum_figure(w, "drowned", "the error is as strong as the picture from", l.drowned, "cycles/picture");
    if (*spectrum_note(w->out->spectrum))
        figures_note(&w->out->figures, "spectrum: %s", spectrum_note(w->out->spectrum));
}

static bool open_all(eval_work *w, error *err)
{
    if (!open_dvae(w, err) || !open_prior(w, err) || !open_judge(w, err)) return false;
    if (!w->side) { /* nothing of the model's is there */
        part_files files;
        return part_files_find(w->o->model, &dvae_kind, &files, err);
    }
    w->out->side = w->side;
    w->values = w->side * w->side * 3;
    return open_network(w, err) && open_spectrum(w, err);
}

static void close_all(eval_work *w)
{
    for (int64_t i = 0; w->captions && i < w->room; ++i) free(w->captions[i]);
    for (int i = 0; i < EVAL_SHOWN; ++i) {
        features_free(&w->seen[i].judged);
        features_free(&w->seen[i].logits);
        features_free(&w->seen[i].pooled);
        frechet_moments_destroy(w->seen[i].moments);
    }
    features_free(&w->texts);
    free(w->captions);
    free(w->pixel_bits);
    free(w->token_bits);
    free(w->text_bits);
    free(w->code_uses);
    free(w->place);
    free(w->chosen);
    likelihood_destroy(w->likelihood);
    reconstructor_destroy(w->decoder);
    inception_close(w->network);
    clip_part_close(w->judge);
    prior_part_close(w->prior);
    dvae_part_close(w->dvae);
}

/* ---- The judges ---- */

static bool look_by_clip(eval_work *w, eval_shown which, const uint8_t *pixels, int64_t count, int64_t kept,
                         float *judged, error *err)
{
    features *f = &w->seen[which].judged;
    int64_t before = f->count;
    float *rows = features_add(f, count, err);
    if (!rows || !clip_part_pictures(w->judge, pixels, count, w->side, rows, NULL, NULL, err)) return false;
    for (int64_t i = 0; judged && i < count * f->width; ++i) judged[i] = rows[i];
    f->count = before + kept;
    return true;
}

static bool look_by_network(eval_work *w, eval_shown which, const uint8_t *pixels, int64_t count, error *err)
{
    float *logits = features_add(&w->seen[which].logits, count, err);
    float *pooled = logits ? features_add(&w->seen[which].pooled, count, err) : NULL;
    return pooled && inception_run(w->network, pixels, count, w->side, pooled, logits, NULL, NULL, err) &&
           frechet_moments_add(w->seen[which].moments, pooled, count, err);
}

bool eval_look(eval_work *w, eval_shown which, const uint8_t *pixels, int64_t count, int64_t kept,
               float *judged, error *err)
{
    return (!w->judge || look_by_clip(w, which, pixels, count, kept, judged, err)) &&
           (!w->network || !kept || look_by_network(w, which, pixels, kept, err));
}

/* ---- The captions ---- */

static bool list_captions(eval_work *w, error *err)
{
    w->place = malloc(((size_t)w->captioned + 1) * sizeof *w->place);
    if (!w->place)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)w->captioned);
    int64_t at = 0;
    for (int64_t i = 0; i < w->pictures; ++i)
        if (w->captions[i]) w->place[at++] = i;
    return true;
}

static bool embed_captions(eval_work *w, error *err)
{
    const char **list = malloc(((size_t)w->captioned + 1) * sizeof *list);
    float *rows = list ? features_add(&w->texts, w->captioned, err) : NULL;
    if (!list) error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)w->captioned);
    for (int64_t k = 0; rows && k < w->captioned; ++k) list[k] = w->captions[w->place[k]];
    bool ok = rows && clip_part_texts(w->judge, list, w->captioned, rows, &w->cut, NULL, NULL, err);
    free(list);
    return ok;
}

static void say_captions(eval_work *w)
{
    figures *f = &w->out->figures;
    if (w->captioned < w->pictures && (w->prior || w->judge))
        figures_note(f, "%lld of %lld pictures have no caption%s", (long long)(w->pictures - w->captioned),
                     (long long)w->pictures,
                     w->captioned ? "; they count where none is needed"
                                  : ": nothing of captions is measured");
    if (w->prior_cut)
        figures_note(f, "%lld captions are longer than the %s's %lld tokens, and were cut",
                     (long long)w->prior_cut, prior_kind.title, (long long)w->prior->config.text_tokens);
    if (w->cut) figures_note(f, "%lld captions are longer than CLIP reads, and were cut", (long long)w->cut);
}

/* ---- All ---- */

static bool run(eval_work *w, error *err)
{
    evaluation *e = w->out;
    if (!open_all(w, err) || !eval_pictures(w, err) || !list_captions(w, err)) return false;
    e->pictures = w->pictures;
    e->captioned = w->captioned;
    if (w->judge && w->captioned && !embed_captions(w, err)) return false;
    bool draws = w->prior && w->captioned && (w->judge || w->network);
    if (draws && w->o->captions && !eval_drawings(w, err)) return false;
    if (w->judge && w->captioned && !eval_finding(w, err)) return false;
    say_captions(w);
    add_spectrum(w);
    return eval_distances(w, err);
}

bool evaluation_run(evaluation *e, device *d, eval_set *set, const evaluation_options *o, error *err)
{
    eval_work w = { .o = o, .device = d, .set = set, .out = e };
    *e = (evaluation){ .model = o->model };
    error own = { 0 };
    bool ok = run(&w, &own);
    close_all(&w);
    if (ok && e->figures.lost)
        ok = error_set(&own, ERROR_MEMORY, "out of memory for what is said of the figures");
    if (!ok && err) *err = own;
    return ok;
}

void evaluation_free(evaluation *e)
{
    figures_free(&e->figures);
    free(e->codes);
    spectrum_destroy(e->spectrum);
    *e = (evaluation){ 0 };
}
