/* data.c -- see data.h.
 * SPDX-License-Identifier: MIT */
#include "models/data.h"

#include "data/grid.h"

#include <stdlib.h>
#include <string.h>

struct training_data {
    dataset *set;
    dataset_selection train, validation; /* the second is empty if nothing is kept aside */
    loader_config config;
    loader *loader;
    loader_batch *batch;
    uint8_t *pixels; /* of validation pictures read so far */
    int64_t read;
    char hash[65];
};

static bool parse_modes(const training_data_options *o, loader_config *c, error *err)
{
    const char *flip = strcmp(o->flip, "yes") == 0 ? "on" : strcmp(o->flip, "no") == 0 ? "off" : "auto";
    return augment_mode_parse(o->augment, &c->augment, err) && augment_flip_parse(flip, &c->flip, err);
}

training_data *training_data_open(const training_data_options *o, error *err)
{
    training_data *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a data set");
    d->config = (loader_config){
        .batch = (int)o->batch, .size = (int)o->size, .seed = o->seed, .threads = o->threads, .shuffle = true
    };
    bool ok =
        parse_modes(o, &d->config, err) && (d->set = dataset_open(&o->path, 1, o->captions, err)) &&
        dataset_select(d->set, o->split, o->holdout, o->seed, false, &d->train, err) &&
        (o->holdout <= 0 || dataset_select(d->set, o->split, o->holdout, o->seed, true, &d->validation, err));
    if (ok) {
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
    dataset_selection_free(&d->train);
    dataset_selection_free(&d->validation);
    dataset_close(d->set);
    free(d->pixels);
    free(d);
}

void training_data_set_batch(training_data *d, int64_t batch)
{
    CHECK(!d->loader, "a batch of %lld is too late", (long long)batch);
    d->config.batch = (int)batch;
}

const loader_batch *training_data_next(training_data *d, int64_t step, error *err)
{
    if (!d->loader) {
        d->config.start_step = step;
        if (!(d->loader = loader_open(d->set, &d->train, &d->config, err))) return NULL;
    }
    if (d->batch) loader_release(d->loader, d->batch);
    d->batch = NULL;
    if (!loader_next(d->loader, &d->batch, err)) return NULL;
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

bool training_data_picture(const training_data *d, int64_t index, uint8_t *pixels, error *err)
{
    image picture = { 0 };
    bool ok = dataset_read_picture(d->set, index, &picture, err) &&
              augment(&picture, d->config.size, AUGMENT_NONE, AUGMENT_FLIP_OFF, 0, 0, 0, pixels, err);
    image_free(&picture);
    return ok;
}

int64_t training_data_validation_index(const training_data *d, int64_t i)
{
    return training_data_selection(d, true)->index[i];
}

const uint8_t *training_data_validation(training_data *d, int64_t most, int64_t *count, error *err)
{
    const dataset_selection *from = training_data_selection(d, true);
    size_t picture = (size_t)d->config.size * (size_t)d->config.size * 3;
    *count = from->count < most ? from->count : most;
    if (d->read >= *count) return d->pixels;
    uint8_t *pixels = realloc(d->pixels, (size_t)*count * picture);
    if (!pixels)
        return error_null(err, ERROR_MEMORY, "out of memory for %lld validation pictures", (long long)*count);
    d->pixels = pixels;
    for (; d->read < *count; ++d->read)
        if (!training_data_picture(d, from->index[d->read], pixels + (size_t)d->read * picture, err))
            return NULL;
    return d->pixels;
}

bool training_grid_pairs(const char *path, const uint8_t *upper, const uint8_t *lower, int64_t count,
                         int64_t size, const char *const *captions, error *err)
{
    enum { GAP = 2, PADDING = 4, COLUMNS = 8 };
    int side = (int)size;
    image *pairs = calloc((size_t)count, sizeof *pairs), sheet = { 0 };
    bool ok =
        pairs ? true
              : error_set(err, ERROR_MEMORY, "out of memory for a grid of %lld pictures", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) {
        size_t at = (size_t)i * (size_t)side * (size_t)side * 3;
        image top = { side, side, (uint8_t *)(uintptr_t)(upper + at) },
              bottom = { side, side, (uint8_t *)(uintptr_t)(lower + at) };
        if (!(ok = image_create(&pairs[i], side, 2 * side + GAP, err))) break;
        image_paste(&pairs[i], &top, 0, 0);
        image_paste(&pairs[i], &bottom, 0, side + GAP);
    }
    ok = ok &&
         grid_make(pairs, (int)count, count < COLUMNS ? (int)count : COLUMNS, PADDING, captions, &sheet,
                   err) &&
         image_write_png(&sheet, path, err);
    for (int64_t i = 0; pairs && i < count; ++i) image_free(&pairs[i]);
    free(pairs);
    image_free(&sheet);
    return ok;
}
