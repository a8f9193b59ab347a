/* decoder_data.c -- see decoder_data.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_data.h"

#include "host/base/philox.h"
#include "models/trainer.h"

#include <stdlib.h>
#include <string.h>

#define VIEW "drawn" /* a smaller picture's than the CLIP's */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int decoder_data_views(const decoder_config *c, const clip_source *clip, int64_t *size,
                       loader_view views[LOADER_VIEWS])
{
    int count = 0;
    *size = larger(c->size, clip_source_part(clip)->config.image_size);
    if (*size > c->size)
        views[count++] = (loader_view){
            .name = VIEW, .size = (int)c->size, .same_as = "picture", .resize = trainer_filter(&c->training)
        };
    views[count++] = clip_source_view(clip, *size);
    return count;
}

static int64_t picture_bytes(const decoder_data *d)
{
    return d->config->size * d->config->size * 3;
}

/* The row without a caption, which guidance needs. */
static bool make_none(decoder_data *d, error *err)
{
    if (!decoder_values_make(&d->none, d->config, &d->shape, 1, err)) return false;
    for (int64_t i = 0; i < d->none.ids_size; ++i) d->none.ids[i] = -1;
    if (!d->config->clip_text) return true;
    return (d->states = clip_states_create(clip_source_part(d->clip), err)) &&
           decoder_values_read(&d->none, d->states, err);
}

bool decoder_data_make(decoder_data *d, const decoder_config *c, const decoder_shape *shape,
                       training_data *set, clip_source *clip, const text_source *text, error *err)
{
    *d = (decoder_data){ .config = c, .shape = *shape, .set = set, .clip = clip, .text = text };
    int64_t batch = training_batch(&c->training);
    d->pixels = malloc((size_t)(batch * picture_bytes(d)));
    if (!d->pixels) return error_set(err, ERROR_MEMORY, "out of memory for a batch's pictures");
    return text_batch_create(&d->batch, text, err) && decoder_values_make(&d->values, c, shape, batch, err) &&
           make_none(d, err);
}

void decoder_data_free(decoder_data *d)
{
    text_batch_free(&d->batch);
    clip_states_destroy(d->states);
    decoder_values_free(&d->values);
    decoder_values_free(&d->none);
    decoder_values_free(&d->check);
    free(d->pixels);
    free(d->check_pixels);
}

/* ---- A batch ---- */

/* Which embeddings are left out. */
static void draw_keep(decoder_data *d, int64_t first, int64_t step)
{
    const philox draw = { (uint64_t)d->config->seed, (uint32_t)step, philox_stream("decoder.embedding") };
    for (int64_t i = 0; i < d->values.count; ++i)
        d->values.keep[i] =
            (double)philox_uniform(&draw, (uint32_t)(first + i)) >= d->config->embedding_dropout;
}

/* Row `at` knows its picture where the mask that is drawn for it, by its place in the batch, is not. */
static void give(const decoder_data *d, decoder_values *v, int64_t at, int64_t place, const uint8_t *pixels,
                 uint64_t seed, int64_t step, float *room)
{
    int64_t values = picture_bytes(d);
    float *picture = room, *holes = room + values;
    for (int64_t i = 0; i < values; ++i) picture[i] = (float)pixels[at * values + i] / 127.5f - 1;
    decoder_mask_draw(d->config, seed, step, place, holes);
    decoder_values_give(v, at, picture, holes);
}

static bool give_all(const decoder_data *d, decoder_values *v, int64_t first, const uint8_t *pixels,
                     uint64_t seed, int64_t step, error *err)
{
    if (!d->config->inpaint) return true;
    float *room = malloc((size_t)(picture_bytes(d) * 2) * sizeof *room);
    if (!room) return error_set(err, ERROR_MEMORY, "out of memory for a picture's mask");
    for (int64_t i = 0; i < v->count; ++i) give(d, v, i, first + i, pixels, seed, step, room);
    free(room);
    return true;
}

bool decoder_data_fill(decoder_data *d, const loader_batch *b, int64_t step, error *err)
{
    bool smaller = training_data_size(d->set) > d->config->size;
    const uint8_t *pixels = smaller ? loader_pixels(b, VIEW) : b->pixels;
    memcpy(d->pixels, pixels, (size_t)(b->count * picture_bytes(d)));
    for (int i = 0; i < b->count; ++i)
        if (!text_fill(d->text, &d->batch, i, &b->known[i], step, err)) return false;
    memcpy(d->values.ids, d->batch.ids,
           (size_t)(d->values.count * d->values.ids_size) * sizeof *d->batch.ids);
    draw_keep(d, b->first, step);
    return clip_source_pictures(d->clip, b, d->values.embedding, err) &&
           decoder_values_read(&d->values, d->states, err) &&
           give_all(d, &d->values, b->first, d->pixels, (uint64_t)d->config->seed, step, err);
}

/* ---- Validation ---- */

static bool shrink(const decoder_data *d, const uint8_t *pixels, int64_t count, error *err)
{
    int64_t side = training_data_size(d->set), size = d->config->size;
    for (int64_t i = 0; i < count; ++i) {
        const image whole = { .width = (int)side,
                              .height = (int)side,
                              .pixels = (uint8_t *)(uintptr_t)(pixels + i * side * side * 3) };
        if (!augment_by(&whole, (int)size, AUGMENT_NONE, AUGMENT_FLIP_OFF,
                        trainer_filter(&d->config->training), NULL, d->check_pixels + i * picture_bytes(d),
                        err))
            return false;
    }
    return true;
}

static bool read_captions(decoder_data *d, error *err)
{
    decoder_values *v = &d->check;
    for (int64_t i = 0; i < v->count; ++i) {
        if (!text_fill(d->text, &d->batch, 0, training_data_validation_sample(d->set, i), -1, err))
            return false;
        memcpy(v->ids + i * v->ids_size, d->batch.ids, (size_t)v->ids_size * sizeof *v->ids);
        v->keep[i] = 1;
    }
    return decoder_values_read(v, d->states, err);
}

bool decoder_data_validation(decoder_data *d, int64_t most, error *err)
{
    int64_t count, side = training_data_size(d->set);
    const uint8_t *pixels = training_data_validation(d->set, most, &count, err);
    if (!pixels) return false;
    if (d->check.count == count) return true;
    decoder_values_free(&d->check);
    free(d->check_pixels);
    d->check_pixels = malloc((size_t)(count * picture_bytes(d)));
    if (!d->check_pixels)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)count);
    return decoder_values_make(&d->check, d->config, &d->shape, count, err) &&
           shrink(d, pixels, count, err) && read_captions(d, err) &&
           clip_part_pictures(clip_source_part(d->clip), pixels, count, side, d->check.embedding, NULL, NULL,
                              err);
}

bool decoder_data_validation_masks(decoder_data *d, int64_t pass, error *err)
{
    enum { SEED = 1 };
    return give_all(d, &d->check, 0, d->check_pixels, SEED, pass, err);
}
