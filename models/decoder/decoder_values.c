/* decoder_values.c -- see decoder_values.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_values.h"

#include "host/base/philox.h"

#include <stdlib.h>
#include <string.h>

/* ---- Rows ---- */

static void *zeros(int64_t count, int64_t row, size_t bytes, bool *ok)
{
    void *made = calloc((size_t)(count * row) + 1, bytes);
    *ok = *ok && made;
    return made;
}

bool decoder_values_make(decoder_values *v, const decoder_config *c, const decoder_shape *shape,
                         int64_t count, error *err)
{
    bool ok = true;
    *v = (decoder_values){ .count = count, .embedding_size = shape->embedding, .ids_size = c->text_tokens };
    v->embedding = zeros(count, v->embedding_size, sizeof *v->embedding, &ok);
    v->keep = zeros(count, 1, sizeof *v->keep, &ok);
    v->ids = zeros(count, v->ids_size, sizeof *v->ids, &ok);
    if (c->clip_text) {
        v->positions = (int32_t)c->embedding_tokens;
        v->states_size = c->text_tokens * shape->text;
        v->states = zeros(count, v->states_size, sizeof *v->states, &ok);
        v->caption = zeros(count, v->embedding_size, sizeof *v->caption, &ok);
        v->valid = zeros(count, 1, sizeof *v->valid, &ok);
    }
    if (c->inpaint) {
        v->given_size = c->size * c->size * 4;
        v->given = zeros(count, v->given_size, sizeof *v->given, &ok);
    }
    if (ok) return true;
    decoder_values_free(v);
    return error_set(err, ERROR_MEMORY, "out of memory for what %lld pictures are made from",
                     (long long)count);
}

void decoder_values_free(decoder_values *v)
{
    free(v->embedding);
    free(v->keep);
    free(v->ids);
    free(v->states);
    free(v->caption);
    free(v->given);
    free(v->valid);
    *v = (decoder_values){ .count = 0 };
}

bool decoder_values_read(decoder_values *v, clip_states *clip, error *err)
{
    if (!v->states) return true;
    if (!clip_states_read(clip, v->ids, v->count, v->states, v->valid, v->caption, err)) return false;
    for (int64_t i = 0; i < v->count; ++i) v->valid[i] += v->positions;
    return true;
}

static void copy_floats(float *to, int64_t at, const float *from, int64_t row, int64_t size)
{
    if (to) memcpy(to + at * size, from + row * size, (size_t)size * sizeof *to);
}

static void copy_ints(int32_t *to, int64_t at, const int32_t *from, int64_t row, int64_t size)
{
    if (to) memcpy(to + at * size, from + row * size, (size_t)size * sizeof *to);
}

void decoder_values_caption(decoder_values *v, int64_t to, const decoder_values *from, int64_t row)
{
    copy_ints(v->ids, to, from->ids, row, v->ids_size);
    copy_floats(v->states, to, from->states, row, v->states_size);
    copy_floats(v->caption, to, from->caption, row, v->embedding_size);
    copy_ints(v->valid, to, from->valid, row, 1);
}

void decoder_values_copy(decoder_values *v, int64_t to, const decoder_values *from, int64_t row)
{
    copy_floats(v->embedding, to, from->embedding, row, v->embedding_size);
    v->keep[to] = from->keep[row];
    copy_floats(v->given, to, from->given, row, v->given_size);
    decoder_values_caption(v, to, from, row);
}

void decoder_values_leave_out(decoder_values *v, int64_t to, const decoder_values *none)
{
    v->keep[to] = 0;
    decoder_values_caption(v, to, none, 0);
}

void decoder_values_give(decoder_values *v, int64_t to, const float *picture, const float *holes)
{
    float *out = v->given + to * v->given_size;
    for (int64_t i = 0; i < v->given_size / 4; ++i) {
        bool open = holes[i] == 1;
        for (int c = 0; c < 3; ++c) out[4 * i + c] = open ? 0 : picture[3 * i + c];
        out[4 * i + 3] = open ? 1 : 0;
    }
}

/* ---- Into a graph ---- */

bool decoder_rows_write(tensor *input, const void *rows, int64_t count, int64_t first, error *err)
{
    int64_t samples = input->dim[0];
    size_t row = (size_t)(tensor_count(input) / samples) * dtype_bytes(input->type);
    if (first + samples <= count) return graph_write(input, (const char *)rows + (size_t)first * row, err);
    char *all = malloc((size_t)samples * row);
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for %lld rows", (long long)samples);
    for (int64_t i = 0; i < samples; ++i)
        memcpy(all + (size_t)i * row, (const char *)rows + (size_t)((first + i) % count) * row, row);
    bool ok = graph_write(input, all, err);
    free(all);
    return ok;
}

/* An input that the settings have not is none of the condition's either. */
static bool write_one(tensor *input, const void *rows, const decoder_values *v, int64_t first, error *err)
{
    return !input || decoder_rows_write(input, rows, v->count, first, err);
}

bool decoder_values_write(const decoder_values *v, const decoder_condition *in, int64_t first, error *err)
{
    return write_one(in->embedding, v->embedding, v, first, err) &&
           write_one(in->keep, v->keep, v, first, err) && write_one(in->ids, v->ids, v, first, err) &&
           write_one(in->states, v->states, v, first, err) && write_one(in->valid, v->valid, v, first, err) &&
           write_one(in->caption, v->caption, v, first, err) && write_one(in->given, v->given, v, first, err);
}

/* ---- What is filled in ---- */

enum { RECTANGLES = 4, DRAWS = 2 + 4 * RECTANGLES };

/* A rectangle of an eighth to three quarters of the picture a side. */
static void fill_rectangle(int64_t size, const philox *draw, uint32_t element, float *holes)
{
    int64_t least = (size + 7) / 8, most = (3 * size + 3) / 4, side[2], from[2];
    for (uint32_t i = 0; i < 2; ++i) {
        side[i] = least + philox_below(draw, element + i, (uint32_t)(most - least + 1));
        from[i] = philox_below(draw, element + 2 + i, (uint32_t)(size - side[i] + 1));
    }
    for (int64_t y = from[0]; y < from[0] + side[0]; ++y)
        for (int64_t x = from[1]; x < from[1] + side[1]; ++x) holes[y * size + x] = 1;
}

void decoder_mask_draw(const decoder_config *c, uint64_t seed, int64_t step, int64_t at, float *holes)
{
    const philox draw = { seed, (uint32_t)step, philox_stream("decoder.mask") };
    const uint32_t first = (uint32_t)at * DRAWS;
    bool all = (double)philox_uniform(&draw, first) < c->inpaint_all;
    for (int64_t i = 0; i < c->size * c->size; ++i) holes[i] = all ? 1 : 0;
    uint32_t count = all ? 0 : 1 + philox_below(&draw, first + 1, RECTANGLES);
    for (uint32_t i = 0; i < count; ++i) fill_rectangle(c->size, &draw, first + 2 + 4 * i, holes);
}
