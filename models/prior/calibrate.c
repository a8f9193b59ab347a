/* calibrate.c -- see calibrate.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/calibrate.h"

#include "data/dataset_paths.h"
#include "host/base/dot.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "models/data.h"
#include "models/dvae/dvae_part.h"
#include "models/prior/known.h"
#include "models/prior/prior_part.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nats a token that are certainty: captions known by heart have less. */
#define LEAST_LIMIT 0.01

/* Pictures are compared as THUMB x THUMB means. */
enum { THUMB = 16, THUMB_VALUES = THUMB * THUMB * 3, MOST_OTHERS = 5000, ENOUGH_RIGHT = 20, JUDGED = 4 };

typedef struct calibrator {
    dvae_part *dvae;
    prior_part *prior;
    model_part judge; /* that compares drawings with captions; its kind is NULL: there is none */
    known_captions known;
    training_data *data;
    int64_t others, size; /* pictures compared with; pixels a side */
    float *thumbs;        /* [others][THUMB_VALUES] */
    int64_t *other;       /* which samples they are */
    uint8_t *pixels;      /* one picture */
    int32_t *text, *tokens;
    float *entropy;      /* [JUDGED][N], as tokens */
    double *all, *right; /* mean entropies */
    double *sure, *sure_right;
    int64_t drawn, well; /* how many of each */
} calibrator;

/* ---- The data set ---- */

static char *run_file(const char *prior_run)
{
    if (file_is_folder(prior_run)) return file_join(prior_run, "run.json");
    const char *slash = strrchr(prior_run, '/');
    char *folder = slash ? strndup(prior_run, (size_t)(slash - prior_run)) : strdup(".");
    char *path = folder ? file_join(folder, "run.json") : NULL;
    free(folder);
    return path;
}

char *calibrate_recorded_data(const char *prior_run, error *err)
{
    char *path = run_file(prior_run), *data = NULL;
    if (!path) return error_null(err, ERROR_MEMORY, "out of memory for a path in '%s'", prior_run);
    if (!file_exists(path)) {
        error_set(err, ERROR_USAGE, "'%s' does not say what it was trained on: it is no run", prior_run);
        free(path);
        return NULL;
    }
    json_t *run = json_tree_open(path, err);
    const char *recorded = json_string_value(json_object_get(json_object_get(run, "data"), "data"));
    if (run && !recorded) error_set(err, ERROR_FORMAT, "'%s' does not say what it was trained on", path);
    if (recorded && !dataset_paths_check(&recorded, 1, NULL))
        error_set(err, ERROR_USAGE, "the data set '%s' is no longer there", recorded);
    else if (recorded && !(data = strdup(recorded)))
        error_set(err, ERROR_MEMORY, "out of memory for the path '%s'", recorded);
    json_decref(run);
    free(path);
    return data;
}

static bool open_data(calibrator *k, const char *path, error *err)
{
    const prior_config *c = &k->prior->config;
    training_data_options options = { .path = path,
                                      .split = c->split,
                                      .holdout = c->holdout,
                                      .size = k->size,
                                      .batch = 1,
                                      .augment = AUGMENT_NONE,
                                      .flip = AUGMENT_FLIP_OFF,
                                      .seed = (uint64_t)c->seed,
                                      .threads = 1,
                                      .captions = true,
                                      .skip_share = 1 };
    return (k->data = training_data_open(&options, err)) != NULL;
}

/* Means of the picture's THUMB x THUMB parts; smaller pictures repeat pixels. */
static void make_thumb(const uint8_t *pixels, int64_t size, float *thumb)
{
    for (int y = 0; y < THUMB; ++y)
        for (int x = 0; x < THUMB; ++x) {
            int64_t top = y * size / THUMB, left = x * size / THUMB, bottom = (y + 1) * size / THUMB,
                    right = (x + 1) * size / THUMB;
            if (bottom <= top) bottom = top + 1;
            if (right <= left) right = left + 1;
            for (int c = 0; c < 3; ++c) {
                double sum = 0;
                for (int64_t v = top; v < bottom; ++v)
                    for (int64_t u = left; u < right; ++u) sum += pixels[(v * size + u) * 3 + c];
                thumb[(y * THUMB + x) * 3 + c] = (float)(sum / (double)((bottom - top) * (right - left)));
            }
        }
}

static bool read_others(calibrator *k, error *err)
{
    int64_t count = dataset_count(training_data_set(k->data));
    k->others = count < MOST_OTHERS ? count : MOST_OTHERS;
    k->thumbs = malloc((size_t)k->others * THUMB_VALUES * sizeof *k->thumbs);
    k->other = malloc((size_t)k->others * sizeof *k->other);
    if (!k->thumbs || !k->other)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)k->others);
    int64_t kept = 0;
    for (int64_t i = 0; i < k->others; ++i) {
        bool good;
        k->other[kept] = i * count / k->others;
        if (!training_data_picture(k->data, k->other[kept], k->pixels, &good, err)) return false;
        if (good) make_thumb(k->pixels, k->size, k->thumbs + kept++ * THUMB_VALUES);
    }
    k->others = kept;
    return true;
}

/* ---- Drawing ---- */

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < THUMB_VALUES; ++i)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

/* Whether no other picture is nearer to the drawing in `pixels` than sample `index`, which is then read
 * there; never if that cannot be read. */
static bool is_right(calibrator *k, int64_t index, bool *right, error *err)
{
    float drawn[THUMB_VALUES], own[THUMB_VALUES];
    make_thumb(k->pixels, k->size, drawn);
    if (!training_data_picture(k->data, index, k->pixels, right, err)) return false;
    make_thumb(k->pixels, k->size, own);
    double mine = distance(drawn, own);
    for (int64_t i = 0; *right && i < k->others; ++i)
        *right = k->other[i] == index || distance(drawn, k->thumbs + i * THUMB_VALUES) >= mine;
    return true;
}

/* As `generate` draws: several where they are compared with the caption. */
static int drawings(const calibrator *k)
{
    return k->judge.kind ? JUDGED : 1;
}

static bool decode(calibrator *k, int drawing, error *err)
{
    int64_t n = k->prior->shape.side * k->prior->shape.side;
    return dvae_codec_decode(k->dvae->codec, k->tokens + drawing * n, 1, k->pixels, err);
}

/* How like the caption the drawing in `pixels` is, and how like what it could mean. */
static bool compare(const calibrator *k, const float *caption, const float *meant, double *alike,
                    double *sure, error *err)
{
    int64_t size;
    float *drawn = k->judge.kind->embed(&k->judge, k->pixels, 1, k->size, &size, err);
    if (!drawn) return false;
    *alike = dot(drawn, caption, size);
    *sure = dot(drawn, meant, size);
    free(drawn);
    return true;
}

/* Leaves the drawing in `pixels` that is most like the caption; *sure says how sure the judge is of it. */
static bool choose_judged(calibrator *k, const char *caption, double *sure, error *err)
{
    int best = 0;
    double most = -2, alike, surely, scale;
    float *asked = k->judge.kind->embed_caption(&k->judge, caption, &scale, err);
    float *meant = malloc((size_t)k->known.size * sizeof *meant + 1);
    bool ok = asked && (meant || error_set(err, ERROR_MEMORY, "out of memory for an embedding"));
    if (ok) known_captions_meant(&k->known, asked, scale, meant);
    for (int i = 0; ok && i < JUDGED; ++i) {
        ok = decode(k, i, err) && compare(k, asked, meant, &alike, &surely, err);
        if (ok && alike > most) best = i, most = alike, *sure = surely;
    }
    free(asked);
    free(meant);
    return ok && decode(k, best, err);
}

static bool choose(calibrator *k, const char *caption, double *sure, error *err)
{
    *sure = 0;
    return k->judge.kind ? choose_judged(k, caption, sure, err) : decode(k, 0, err);
}

static bool draw_known(calibrator *k, int64_t index, error *err)
{
    const prior_config *c = &k->prior->config;
    int64_t numbers = k->prior->shape.side * k->prior->shape.side * drawings(k);
    int cut;
    bool right;
    dataset_sample known;
    if (!dataset_read(training_data_set(k->data), index, &known, err)) return false;
    prior_draw how = { .text = k->text,
                       .seed = 1,
                       .count = drawings(k),
                       .temperature = c->temperature,
                       .top_k = c->top_k,
                       .top_p = c->top_p,
                       .guidance = c->guidance,
                       .entropy = k->entropy };
    double mean = 0, sure;
    bool ok = prior_part_tokens(k->prior, known.caption, k->text, &cut, err) &&
              prior_sampler_draw(k->prior->sampler, &how, k->tokens, err) &&
              choose(k, known.caption, &sure, err);
    dataset_sample_free(&known);
    if (!ok || !is_right(k, index, &right, err)) return false;
    for (int64_t i = 0; i < numbers; ++i) mean += (double)k->entropy[i] / (double)numbers;
    k->sure[k->drawn] = sure;
    k->all[k->drawn++] = mean;
    if (right) k->sure_right[k->well] = sure;
    if (right) k->right[k->well++] = mean;
    return true;
}

/* Up to `most` captions of a part, evenly spaced. */
static bool draw_part(calibrator *k, const dataset_selection *part, int64_t most, error *err)
{
    int64_t count = part->count < most ? part->count : most;
    for (int64_t i = 0; i < count; ++i)
        if (!draw_known(k, dataset_selected(part, i * part->count / count), err)) return false;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Which of `count` sorted values one in twenty is above. */
static int64_t place_of(int64_t count)
{
    return (count * 19 + 19) / 20 - 1;
}

/* What one in twenty is above, rounded up. */
static double limit_of(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return fmax(ceil(1e4 * values[place_of(count)]) / 1e4, LEAST_LIMIT);
}

/* What one in twenty is below, rounded down. */
static double floor_of(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return floor(1e4 * values[count - 1 - place_of(count)]) / 1e4;
}

/* Of `drawn` drawings, of which `well` are right: whether those are enough to go by them alone. */
static bool are_enough(int64_t well, int64_t drawn)
{
    return well >= ENOUGH_RIGHT || 2 * well >= drawn;
}

/* The entropy's limit is of captions kept aside, for others are known by heart; how sure one can be of
 * a right picture is seen in both parts. */
static bool measure(calibrator *k, int64_t most, calibration *out, error *err)
{
    const dataset_selection *aside = training_data_selection(k->data, true),
                            *learnt =
                                training_data_selection(k->data, false); /* the same if none is kept aside */
    if (!draw_part(k, aside, most, err)) return false;
    int64_t drawn = k->drawn, well = k->well;
    bool few = well < ENOUGH_RIGHT;
    if (learnt != aside && (few || k->judge.kind) && !draw_part(k, learnt, most, err)) return false;
    if (k->drawn == 0) return error_set(err, ERROR_USAGE, "the data set has no captions to draw");
    if (few) drawn = k->drawn, well = k->well;
    *out = (calibration){ .drawn = k->drawn, .right = k->well };
    out->limit = are_enough(well, drawn) ? limit_of(k->right, well) : limit_of(k->all, drawn);
    if (k->judge.kind)
        out->sure =
            are_enough(k->well, k->drawn) ? floor_of(k->sure_right, k->well) : floor_of(k->sure, k->drawn);
    return isfinite(out->limit) ? true
                                : error_set(err, ERROR_MODEL, "the model's logits are not finite numbers");
}

/* ---- The model ---- */

/* The first part of the model that compares pictures and captions. */
static bool open_judge(calibrator *k, device *d, const char *folder, error *err)
{
    const part_list none = { 0 };
    for (int i = 0; model_kinds[i]; ++i) {
        error why = { 0 };
        if (!model_kinds[i]->embed_caption) continue;
        if (part_is_there(folder, model_kinds[i], &why))
            return model_kinds[i]->open(d, folder, &none, &k->judge, err);
        if (why.code) {
            *err = why;
            return false;
        }
    }
    return true;
}

static bool open_model(calibrator *k, device *d, const char *folder, error *err)
{
    if (!(k->dvae = dvae_part_open(d, folder, CODEC_BOTH, 1, err))) return false;
    prior_shape shape = { dvae_tokens_side(&k->dvae->config), k->dvae->config.codes };
    k->size = k->dvae->config.image_size;
    return (k->prior = prior_part_open(d, folder, &shape, err)) != NULL && open_judge(k, d, folder, err);
}

static bool make_room(calibrator *k, int64_t most, error *err)
{
    int64_t n = k->prior->shape.side * k->prior->shape.side;
    k->pixels = malloc((size_t)(k->size * k->size * 3));
    k->text = malloc((size_t)k->prior->config.text_tokens * sizeof *k->text);
    k->tokens = malloc((size_t)(JUDGED * n) * sizeof *k->tokens);
    k->entropy = malloc((size_t)(JUDGED * n) * sizeof *k->entropy);
    k->all = malloc((size_t)(2 * most) * sizeof *k->all);
    k->right = malloc((size_t)(2 * most) * sizeof *k->right);
    k->sure = malloc((size_t)(2 * most) * sizeof *k->sure);
    k->sure_right = malloc((size_t)(2 * most) * sizeof *k->sure_right);
    if (k->pixels && k->text && k->tokens && k->entropy && k->all && k->right && k->sure && k->sure_right)
        return true;
    return error_set(err, ERROR_MEMORY, "out of memory for %lld drawings", (long long)most);
}

static void clean_up(calibrator *k)
{
    training_data_close(k->data);
    known_captions_free(&k->known);
    if (k->judge.kind) part_close(&k->judge);
    prior_part_close(k->prior);
    dvae_part_close(k->dvae);
    free(k->thumbs);
    free(k->other);
    free(k->pixels);
    free(k->text);
    free(k->tokens);
    free(k->entropy);
    free(k->all);
    free(k->right);
    free(k->sure);
    free(k->sure_right);
}

static bool hash_of_judge(const calibrator *k, const char *folder, char hex[65], error *err)
{
    part_files files = { 0 };
    bool ok = part_files_find(folder, k->judge.kind, &files, err) && part_files_hash(&files, hex, err);
    part_files_free(&files);
    return ok;
}

/* What the prior knows, for who can compare pictures and captions. */
static bool collect_known(calibrator *k, const char *folder, error *err)
{
    return !k->judge.kind || (known_captions_collect(&k->known, k->data, &k->judge, err) &&
                              hash_of_judge(k, folder, k->known.clip, err));
}

static bool write_known(const char *folder, const calibrator *k, calibration *out, error *err)
{
    if (!k->judge.kind) return true;
    out->known = k->known.count;
    out->bytes = known_captions_bytes(&k->known);
    return known_captions_write(&k->known, folder, err);
}

static bool write_limits(const char *folder, const calibrator *k, calibration *found, error *err)
{
    prior_config *c = &k->prior->config;
    if (!write_known(folder, k, found, err)) return false;
    c->entropy_known = found->limit;
    c->sureness_known = found->sure;
    snprintf(c->sureness_by, sizeof c->sureness_by, "%s", k->known.clip);
    char *text = config_format(&prior_config_table, c), *path = file_join(folder, "prior.cfg");
    bool ok = text && path ? file_write(path, text, strlen(text), err)
                           : error_set(err, ERROR_MEMORY, "out of memory for the settings of '%s'", folder);
    free(text);
    free(path);
    return ok;
}

bool calibrate_model(device *d, const char *folder, const char *data, int64_t captions, calibration *out,
                     error *err)
{
    calibrator k = { 0 };
    bool ok = open_model(&k, d, folder, err) && open_data(&k, data, err) && make_room(&k, captions, err);
    if (ok)
        log_info("drawing known captions, up to %lld, to tell an unsure one from them", (long long)captions);
    ok = ok && read_others(&k, err) && collect_known(&k, folder, err) && measure(&k, captions, out, err) &&
         write_limits(folder, &k, out, err);
    clean_up(&k);
    return ok;
}
