/* eval_distances.c -- how far reconstructions and drawings, as sets, are from the set's pictures.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception_score.h"
#include "app/eval/internal.h"
#include "app/eval/mmd.h"

/* Heusel et al. advise at least so many pictures. */
enum { ENOUGH = 10000 };

typedef struct naming {
    const char *name, *title;
} naming;

static const char *const shown[EVAL_SHOWN] = { "pictures", "reconstructions", "drawings" };

static int64_t fewer(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void add_distance(eval_work *w, const naming *n, frechet_moments *real, frechet_moments *made,
                         const frechet_figures *d, int64_t dimensions)
{
    int64_t count = fewer(frechet_moments_count(real), frechet_moments_count(made));
    figure *added =
        figures_add(&w->out->figures, "distance", n->name, n->title, 4, d->distance, count, "pictures");
    added->biased = count < ENOUGH || d->singular;
    if (!added->biased) return;
    figures_note(
        &w->out->figures,
        "%s: of %lld and %lld pictures in %lld dimensions it comes out too high%s; compare it only with that "
        "of as many, and take 10,000 or more for one that stands alone",
        n->title, (long long)frechet_moments_count(real), (long long)frechet_moments_count(made),
        (long long)dimensions, d->singular ? ", by far, for pictures are fewer than dimensions" : "");
}

static bool too_few(eval_work *w, const naming *n, int64_t a, int64_t b)
{
    if (a >= 2 && b >= 2) return false;
    figures_note(&w->out->figures, "%s: needs two pictures of each set at least; there are %lld and %lld",
                 n->title, (long long)a, (long long)b);
    return true;
}

/* ---- CLIP's features ---- */

static bool frechet_of(const features *f, frechet_moments **m, error *err)
{
    return (*m = frechet_moments_create(f->width, err)) != NULL &&
           frechet_moments_add(*m, f->at, f->count, err);
}

static bool judged_frechet(eval_work *w, eval_shown which, const naming *n, error *err)
{
    frechet_moments *real = NULL, *made = NULL;
    frechet_figures d;
    bool ok = frechet_of(&w->seen[EVAL_REAL].judged, &real, err) &&
              frechet_of(&w->seen[which].judged, &made, err) && frechet_distance(real, made, &d, err);
    if (ok) add_distance(w, n, real, made, &d, w->seen[which].judged.width);
    frechet_moments_destroy(real);
    frechet_moments_destroy(made);
    return ok;
}

static bool judged_mmd(eval_work *w, eval_shown which, const naming *n, error *err)
{
    const features *real = &w->seen[EVAL_REAL].judged, *made = &w->seen[which].judged;
    const mmd_sets sets = { real->at, made->at, real->count, made->count, made->width };
    mmd_figures d;
    if (!mmd_gaussian(&sets, MMD_CMMD_SIGMA, &d, err)) return false;
    figures_add(&w->out->figures, "distance", n->name, n->title, 4, MMD_CMMD_SCALE * d.unbiased,
                fewer(real->count, made->count), "pictures");
    return true;
}

static bool judged(eval_work *w, error *err)
{
    static const naming frechet[EVAL_SHOWN] = {
        [EVAL_AGAIN] = { "frechet_reconstructions", "Frechet distance (CLIP) of reconstructions" },
        [EVAL_DRAWN] = { "frechet_drawings", "Frechet distance (CLIP) of drawings" },
    };
    static const naming mmd[EVAL_SHOWN] = {
        [EVAL_AGAIN] = { "mmd_reconstructions", "MMD (CLIP) x 1000 of reconstructions" },
        [EVAL_DRAWN] = { "mmd_drawings", "MMD (CLIP) x 1000 of drawings" },
    };
    for (eval_shown i = EVAL_AGAIN; i < EVAL_SHOWN; ++i) {
        int64_t real = w->seen[EVAL_REAL].judged.count, made = w->seen[i].judged.count;
        if (!made || too_few(w, &frechet[i], real, made)) continue;
        if (!judged_frechet(w, i, &frechet[i], err) || !judged_mmd(w, i, &mmd[i], err)) return false;
    }
    return true;
}

/* ---- Inception's ---- */

static bool network_fid(eval_work *w, eval_shown which, const naming *n, error *err)
{
    frechet_moments *real = w->seen[EVAL_REAL].moments, *made = w->seen[which].moments;
    frechet_figures d;
    int64_t count = frechet_moments_count(made);
    if (!count || too_few(w, n, frechet_moments_count(real), count)) return true;
    if (!frechet_distance(real, made, &d, err)) return false;
    add_distance(w, n, real, made, &d, inception_features(w->network));
    return true;
}

/* What the last line of progress shows, and a long sum can be stopped at. */
static void told(void *context, int64_t done, int64_t all)
{
    eval_tell(context, "subsets for KID", done, all);
}

/* By torch-fidelity's subsets where there are enough for one, else of all pictures once. */
static bool kid_of(eval_work *w, const mmd_sets *sets, figure *to, error *err)
{
    mmd_subsets usual = MMD_SUBSETS_USUAL;
    mmd_figures once;
    usual.tell = told;
    usual.context = w;
    if (fewer(sets->na, sets->nb) >= usual.size) return mmd_kid(sets, &usual, &to->value, &to->error, err);
    if (!mmd_polynomial(sets, &once, err)) return false;
    to->value = once.unbiased;
    return true;
}

static bool network_kid(eval_work *w, eval_shown which, const naming *n, error *err)
{
    const features *real = &w->seen[EVAL_REAL].pooled, *made = &w->seen[which].pooled;
    const mmd_sets sets = { real->at, made->at, real->count, made->count, made->width };
    const mmd_subsets usual = MMD_SUBSETS_USUAL;
    int64_t count = fewer(real->count, made->count);
    if (!made->count || count < 2) return true; /* FID has said so */
    figure *added = figures_add(&w->out->figures, "distance", n->name, n->title, 5, 0, count, "pictures");
    if (!kid_of(w, &sets, added, err)) return false;
    if (count < usual.size)
        figures_note(
            &w->out->figures,
            "%s: of %lld and %lld pictures it is as often too low as too high, and may be below 0, but "
            "far from sure; published figures are means over %lld subsets of %lld pictures, which "
            "there are not",
            n->title, (long long)real->count, (long long)made->count, (long long)usual.count,
            (long long)usual.size);
    return true;
}

static bool network_score(eval_work *w, eval_shown which, const naming *n, error *err)
{
    const features *logits = &w->seen[which].logits;
    const inception_score_settings usual = INCEPTION_SCORE_USUAL;
    double value, deviation;
    if (!logits->count) return true;
    if (logits->count < usual.splits) {
        figures_note(&w->out->figures, "%s: is the mean of %lld parts of a set; there are %lld %s", n->title,
                     (long long)usual.splits, (long long)logits->count, shown[which]);
        return true;
    }
    if (!inception_score(logits->at, logits->count, logits->width, &usual, &value, &deviation, err))
        return false;
    figure *added =
        figures_add(&w->out->figures, "distance", n->name, n->title, 3, value, logits->count, shown[which]);
    added->error = deviation;
    added->biased = logits->count < ENOUGH;
    if (added->biased)
        figures_note(
            &w->out->figures,
            "%s: %lld %s are few for its 1,008 classes, and it comes out too low; compare it only with that "
            "of as many",
            n->title, (long long)logits->count, shown[which]);
    return true;
}

static bool network(eval_work *w, error *err)
{
    static const naming fid[EVAL_SHOWN] = {
        [EVAL_AGAIN] = { "fid_reconstructions", "FID of reconstructions" },
        [EVAL_DRAWN] = { "fid_drawings", "FID of drawings" },
    };
    static const naming kid[EVAL_SHOWN] = {
        [EVAL_AGAIN] = { "kid_reconstructions", "KID of reconstructions" },
        [EVAL_DRAWN] = { "kid_drawings", "KID of drawings" },
    };
    static const naming score[EVAL_SHOWN] = {
        [EVAL_REAL] = { "is_pictures", "Inception score of the pictures" },
        [EVAL_AGAIN] = { "is_reconstructions", "Inception score of reconstructions" },
        [EVAL_DRAWN] = { "is_drawings", "Inception score of drawings" },
    };
    for (eval_shown i = EVAL_AGAIN; i < EVAL_SHOWN; ++i)
        if (!network_fid(w, i, &fid[i], err) || !network_kid(w, i, &kid[i], err)) return false;
    for (eval_shown i = EVAL_REAL; i < EVAL_SHOWN; ++i)
        if (!network_score(w, i, &score[i], err)) return false;
    return true;
}

bool eval_distances(eval_work *w, error *err)
{
    return (!w->judge || judged(w, err)) && (!w->network || network(w, err));
}
