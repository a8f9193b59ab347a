/* data.c -- see data.h.
 * SPDX-License-Identifier: MIT */
#include "models/data.h"

#include "data/dataset_paths.h"
#include "data/grid.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "host/base/timing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct training_data {
    dataset *set;
    dataset_selection train, validation; /* the second is empty if nothing is kept aside */
    loader_config config;
    loader *loader;
    loader_batch *batch;
    int rank, ranks;
    uint8_t *pixels; /* of validation pictures read so far */
    int64_t read;
    int64_t *shown; /* the validation part's pictures that can be read, as far as it was gone through */
    dataset_sample *known; /* what there is to know of each */
    int64_t shown_count, shown_room, looked_at;
    bool *readable; /* by sample; false where it was not tried; NULL: of a large set */
    skips *skips;
    int64_t reported; /* of them, in the file */
    times_feed feed;
    char *report;
    bool keep; /* the file's lines from before */
    bool captions;
    char hash[65];
};

/* The picture itself, and what else is asked for. */
static void set_views(const training_data_options *o, loader_config *c)
{
    CHECK(o->view_count < LOADER_VIEWS, "%d more views", o->view_count);
    c->views[0] = (loader_view){ .name = "picture",
                                 .size = (int)o->size,
                                 .augment = o->augment,
                                 .flip = o->flip,
                                 .least = o->least,
                                 .resize = o->resize,
                                 .window = (int)o->window };
    for (int i = 0; i < o->view_count; ++i) c->views[1 + i] = o->views[i];
}

/* Three times the largest view keeps what augmentation may cut out, and twice what is merely resized. */
static image_reading reading_of(const training_data_options *o, const loader_config *c)
{
    image_reading how = o->reading ? *o->reading : IMAGE_READING_DEFAULT;
    if (how.enough < 1) return how;
    for (int i = 0; i <= o->view_count; ++i) {
        int enough = c->views[i].size * (c->views[i].augment == AUGMENT_NONE ? 2 : 3);
        if (how.enough < enough) how.enough = enough;
    }
    return how;
}

static int side_of(const training_data *d)
{
    return d->config.views[0].size;
}

/* Leaves out samples without a caption; that none is left is an error of the training part. */
static bool keep_captioned(const training_data_options *o, const training_data *d, dataset_selection *s,
                           const char *part, error *err)
{
    int64_t all = s->count, first;
    int line = (int)strcspn(o->path, "\n");
    dataset_sample of_first;
    if (dataset_keep_captioned(d->set, s, &first) == 0) return true;
    if (!dataset_read(d->set, first, &of_first, err)) return false;
    bool none = s->count == 0 && s == &d->train;
    if (none)
        error_set(err, ERROR_FORMAT,
                  "%.*s: none of %lld %s pictures has a caption, the first is '%s'; put it into '%s.txt'",
                  line, o->path, (long long)all, part, of_first.key, of_first.key);
    else
        log_warn("%.*s: %lld of %lld %s pictures have no caption and are left out, the first is '%s'", line,
                 o->path, (long long)(all - s->count), (long long)all, part, of_first.key);
    dataset_sample_free(&of_first);
    return !none;
}

static bool prepare_skips(training_data *d, const training_data_options *o, error *err)
{
    int64_t count = dataset_count(d->set);
    bool large = dataset_is_large(d->set);
    if (!large) d->readable = calloc((size_t)count + 1, sizeof *d->readable);
    d->report = o->run ? file_join(o->run, "skipped.txt") : NULL;
    d->keep = o->resume;
    d->captions = o->captions;
    if ((!large && !d->readable) || (o->run && !d->report))
        return error_set(err, ERROR_MEMORY, "out of memory for a data set");
    d->config.skips = d->skips = skips_create(d->set, skips_most(count, o->skip_share), err);
    return d->skips != NULL;
}

/* Names the pictures skipped so far in the run's folder; of many not every one at once. */
static bool report_skips(training_data *d, bool all, error *err)
{
    int64_t count = d->skips ? skips_count(d->skips) : 0;
    if (count == d->reported || !d->report) return true;
    if (!all && count - d->reported < d->reported / 64) return true;
    d->reported = count;
    return skips_write(d->skips, d->report, d->keep, err);
}

static bool open_set(training_data *d, const training_data_options *o, error *err)
{
    dataset_paths p;
    if (!dataset_paths_expand(&o->path, 1, &p, err)) return false;
    dataset_options how = { 0 };
    if (p.weighted)
        how = (dataset_options){ .groups = p.group, .weights = p.weight, .group_count = p.group_count };
    d->set = dataset_open_with((const char *const *)p.path, p.count, &how, err);
    dataset_paths_free(&p);
    return d->set != NULL;
}

static void warn_of_order(const training_data *d, const training_data_options *o)
{
    if (o->neighbours > 1 && dataset_is_large(d->set))
        log_warn("%.*s: neighbours = %d does nothing here: of a set so large each picture is drawn alone",
                 (int)strcspn(o->path, "\n"), o->path, o->neighbours);
}

/* Whoever trains on all parts of a set cannot be told by one of them how good the model is. */
static void warn_of_splits(const training_data *d, const training_data_options *o)
{
    char names[256];
    dataset_name_splits(d->set, names, sizeof names);
    if (*names && o->run && !(o->split && *o->split) && d->rank == 0)
        log_warn(
            "%.*s: all of it is learned from, its splits %s alike: to keep others for measuring, as `eval` "
            "does, name one, as with --set split=train",
            (int)strcspn(o->path, "\n"), o->path, names);
}

static void set_batch(training_data *d, int64_t batch)
{
    int64_t share = d->ranks > 1 ? batch / d->ranks : batch;
    d->config.batch = (int)batch;
    d->config.first = (int)(d->rank * share);
    d->config.share = (int)share;
}

training_data *training_data_open(const training_data_options *o, error *err)
{
    training_data *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a data set");
    d->rank = o->rank;
    d->ranks = o->ranks;
    d->config = (loader_config){
        .seed = o->seed, .threads = o->threads, .shuffle = true, .neighbours = o->neighbours
    };
    set_batch(d, o->batch);
    set_views(o, &d->config);
    bool ok = open_set(d, o, err) &&
              dataset_select(d->set, o->split, o->holdout, o->seed, false, &d->train, err) &&
              (o->holdout <= 0 ||
               dataset_select(d->set, o->split, o->holdout, o->seed, true, &d->validation, err)) &&
              (!o->captions || (keep_captioned(o, d, &d->train, "training", err) &&
                                keep_captioned(o, d, &d->validation, "validation", err)));
    if (ok && prepare_skips(d, o, err)) {
        warn_of_order(d, o);
        warn_of_splits(d, o);
        const image_reading how = reading_of(o, &d->config);
        dataset_set_reading(d->set, &how);
        dataset_hash(d->set, d->hash);
        return d;
    }
    training_data_close(d);
    return NULL;
}

void training_data_close(training_data *d)
{
    if (!d) return;
    loader_close(d->loader);
    bool written = report_skips(d, true, NULL); /* what stopped before a step */
    if (d->reported)
        log_warn("%lld pictures could not be read%s%s", (long long)d->reported,
                 written ? "; they are named in " : "", written ? d->report : "");
    skips_destroy(d->skips);
    for (int64_t i = 0; i < d->shown_count; ++i) dataset_sample_free(&d->known[i]);
    free(d->shown);
    free(d->known);
    free(d->readable);
    free(d->report);
    dataset_selection_free(&d->train);
    dataset_selection_free(&d->validation);
    dataset_close(d->set);
    free(d->pixels);
    free(d);
}

void training_data_set_batch(training_data *d, int64_t batch)
{
    CHECK(!d->loader, "a batch of %lld is too late", (long long)batch);
    set_batch(d, batch);
}

void training_data_blind(training_data *d)
{
    CHECK(!d->loader, "a loader of %d pictures looks already", d->config.batch);
    d->config.blind = true;
}

const loader_batch *training_data_next(training_data *d, int64_t step, error *err)
{
    if (!d->loader) {
        if (!d->keep && d->report) unlink(d->report); /* of a run that this one replaces */
        d->config.start_step = step;
        if (!(d->loader = loader_open(d->set, &d->train, &d->config, err))) return NULL;
    }
    if (d->batch) loader_release(d->loader, d->batch);
    d->batch = NULL;
    double asked = timing_now();
    bool done = loader_next(d->loader, &d->batch, err);
    d->feed.waited += timing_now() - asked;
    d->feed.pictures = d->config.batch;
    d->feed.skipped = skips_count(d->skips);
    if (!report_skips(d, !done, done ? err : NULL) || !done) return NULL;
    CHECK(d->batch->step == step, "batch of step %lld came for step %lld", (long long)d->batch->step,
          (long long)step);
    return d->batch;
}

const dataset *training_data_set(const training_data *d)
{
    return d->set;
}

const dataset_selection *training_data_selection(const training_data *d, bool validation)
{
    return validation && d->validation.count ? &d->validation : &d->train;
}

const char *training_data_hash(const training_data *d)
{
    return d->hash;
}

const times_feed *training_data_feed(const training_data *d)
{
    return &d->feed;
}

int64_t training_data_size(const training_data *d)
{
    return side_of(d);
}

bool training_data_captioned(const training_data *d)
{
    return d->captions;
}

static const int64_t KEPT_BYTES = 512 << 20;

bool training_data_keeps(const training_data *d, bool fixed, int64_t size)
{
    return fixed && !dataset_is_large(d->set) &&
           dataset_count(d->set) <= KEPT_BYTES / (size * (int64_t)sizeof(float));
}

bool training_data_picture(training_data *d, int64_t index, uint8_t *pixels, bool *good, error *err)
{
    image picture = { 0 };
    error why = { 0 };
    *good = dataset_read_picture(d->set, index, &picture, &why) &&
            augment_by(&picture, side_of(d), AUGMENT_NONE, AUGMENT_FLIP_OFF, d->config.views[0].resize, NULL,
                       pixels, &why);
    image_free(&picture);
    if (d->readable) d->readable[index] = *good;
    if (*good) return true;
    memset(pixels, 0, (size_t)side_of(d) * (size_t)side_of(d) * 3);
    return skips_add(d->skips, index, &why, err);
}

/* Keeps a picture to be shown. */
static bool add_shown(training_data *d, int64_t index, error *err)
{
    if (d->shown_count == d->shown_room) {
        size_t room = d->shown_room ? 2 * (size_t)d->shown_room : 64;
        int64_t *shown = realloc(d->shown, room * sizeof *shown);
        if (shown) d->shown = shown;
        dataset_sample *known = realloc(d->known, room * sizeof *known);
        if (known) d->known = known;
        if (!shown || !known)
            return error_set(err, ERROR_MEMORY, "out of memory for %zu validation pictures", room);
        d->shown_room = (int64_t)room;
    }
    if (!dataset_read(d->set, index, &d->known[d->shown_count], err)) return false;
    d->shown[d->shown_count++] = index;
    return true;
}

/* Goes on through the validation part until `most` pictures are found that can be read.  A part that is the
 * training's names repeated ones again and again. */
static bool find_shown(training_data *d, int64_t most, error *err)
{
    const dataset_selection *from = training_data_selection(d, true);
    uint8_t *pixels = malloc((size_t)side_of(d) * (size_t)side_of(d) * 3);
    bool ok = pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for a picture");
    for (; ok && d->looked_at < from->count && d->shown_count < most; ++d->looked_at) {
        int64_t i = d->looked_at, index = dataset_selected(from, i);
        if (i > 0 && dataset_selected(from, i - 1) == index) continue;
        bool good = d->readable && d->readable[index];
        if (!good && !skips_has(d->skips, index)) ok = training_data_picture(d, index, pixels, &good, err);
        if (ok && good) ok = add_shown(d, index, err);
    }
    free(pixels);
    if (ok && d->shown_count == 0)
        ok = error_set(err, ERROR_FORMAT, "none of the pictures kept for validation can be read");
    return ok;
}

bool training_data_validation_count(training_data *d, int64_t most, int64_t *count, error *err)
{
    bool ok = d->shown_count >= most || find_shown(d, most, err);
    *count = d->shown_count < most ? d->shown_count : most;
    return ok;
}

int64_t training_data_validation_index(const training_data *d, int64_t i)
{
    CHECK(i >= 0 && i < d->shown_count, "validation picture %lld of %lld", (long long)i,
          (long long)d->shown_count);
    return d->shown[i];
}

const dataset_sample *training_data_validation_sample(const training_data *d, int64_t i)
{
    CHECK(i >= 0 && i < d->shown_count, "validation picture %lld of %lld", (long long)i,
          (long long)d->shown_count);
    return &d->known[i];
}

const uint8_t *training_data_validation(training_data *d, int64_t most, int64_t *count, error *err)
{
    size_t picture = (size_t)side_of(d) * (size_t)side_of(d) * 3;
    if (!training_data_validation_count(d, most, count, err)) return NULL;
    if (d->read >= *count) return d->pixels;
    uint8_t *pixels = realloc(d->pixels, (size_t)*count * picture);
    if (!pixels)
        return error_null(err, ERROR_MEMORY, "out of memory for %lld validation pictures", (long long)*count);
    d->pixels = pixels;
    bool good;
    for (; d->read < *count; ++d->read)
        if (!training_data_picture(d, d->shown[d->read], pixels + (size_t)d->read * picture, &good, err))
            return NULL;
    return d->pixels;
}

/* One picture above the other, a gap between them. */
static bool stack(const uint8_t *const *rows, int row_count, int64_t i, int side, image *out, error *err)
{
    enum { GAP = 2 };
    if (!image_create(out, side, row_count * side + (row_count - 1) * GAP, err)) return false;
    for (int k = 0; k < row_count; ++k) {
        const uint8_t *pixels = rows[k] + (size_t)i * (size_t)side * (size_t)side * 3;
        image one = { side, side, (uint8_t *)(uintptr_t)pixels };
        image_paste(out, &one, 0, k * (side + GAP));
    }
    return true;
}

bool training_grid_rows(const char *path, const uint8_t *const *rows, int row_count, int64_t count,
                        int64_t size, const char *const *captions, error *err)
{
    enum { PADDING = 4, COLUMNS = 8 };
    image *cells = calloc((size_t)count, sizeof *cells), sheet = { 0 };
    bool ok =
        cells ? true
              : error_set(err, ERROR_MEMORY, "out of memory for a grid of %lld pictures", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) ok = stack(rows, row_count, i, (int)size, &cells[i], err);
    ok = ok &&
         grid_make(cells, (int)count, count < COLUMNS ? (int)count : COLUMNS, PADDING, captions, &sheet,
                   err) &&
         image_write_png(&sheet, path, err);
    for (int64_t i = 0; cells && i < count; ++i) image_free(&cells[i]);
    free(cells);
    image_free(&sheet);
    return ok;
}

bool training_grid_pairs(const char *path, const uint8_t *upper, const uint8_t *lower, int64_t count,
                         int64_t size, const char *const *captions, error *err)
{
    return training_grid_rows(path, (const uint8_t *[]){ upper, lower }, 2, count, size, captions, err);
}
