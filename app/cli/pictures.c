/* pictures.c -- see pictures.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/pictures.h"

#include "data/grid.h"
#include "host/base/json_tree.h"
#include "app/cli/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 };

bool pictures_error(const dalle_error *from, error *err)
{
    return error_set(err, from->status == 2 ? ERROR_USAGE : ERROR_MODEL, "%s", from->message);
}

bool pictures_write_grid(const char *path, const uint8_t *rgb, int count, int side, int columns, error *err)
{
    image *pieces = malloc((size_t)count * sizeof *pieces), grid = { 0 };
    if (!pieces) return error_set(err, ERROR_MEMORY, "out of memory for a grid of %d pictures", count);
    for (int i = 0; i < count; ++i) /* pieces are only read */
        pieces[i] =
            (image){ side, side, (uint8_t *)(uintptr_t)rgb + (size_t)i * (size_t)side * (size_t)side * 3 };
    void *png = NULL;
    size_t size = 0;
    bool ok =
        (count == 1 || grid_make(pieces, count, columns < count ? columns : count, GAP, NULL, &grid, err)) &&
        image_encode_png(count == 1 ? pieces : &grid, &png, &size, err) && output_write(path, png, size, err);
    free(png);
    image_free(&grid);
    free(pieces);
    return ok;
}

static bool read_one(const char *path, int side, uint8_t *to, error *err)
{
    image whole = { 0 }, fitted = { 0 };
    bool ok = image_read(path, &whole, err) && image_fit(&whole, side, &fitted, err);
    if (ok) memcpy(to, fitted.pixels, (size_t)side * (size_t)side * 3);
    image_free(&whole);
    image_free(&fitted);
    return ok;
}

uint8_t *pictures_read(const char *const *paths, int count, int side, error *err)
{
    size_t size = (size_t)side * (size_t)side * 3;
    uint8_t *rgb = malloc((size_t)count * size);
    if (!rgb)
        return error_null(err, ERROR_MEMORY, "out of memory for %d pictures of %d x %d", count, side, side);
    for (int i = 0; i < count; ++i) {
        if (read_one(paths[i], side, rgb + (size_t)i * size, err)) continue;
        free(rgb);
        return NULL;
    }
    return rgb;
}

/* ---- Tokens ------------------------------------------------------------------------------------ */

static json_t *tokens_json(const int32_t *tokens, int count, int side)
{
    json_t *pictures = json_array();
    for (int i = 0; i < count; ++i) {
        json_t *one = json_array();
        for (int j = 0; j < side * side; ++j)
            json_tree_add(&one, json_integer(tokens[(int64_t)i * side * side + j]));
        json_tree_add(&pictures, one);
    }
    return json_pack("{s:i, s:o}", "side", side, "pictures", pictures);
}

bool pictures_write_tokens(const char *path, const int32_t *tokens, int count, int side, error *err)
{
    char *text = json_tree_text(tokens_json(tokens, count, side), JSON_COMPACT, "the pictures' tokens", err);
    if (!text) return false;
    size_t size = strlen(text);
    if (output_is_stdout(path)) text[size++] = '\n'; /* in the place of the NUL */
    bool ok = output_write(path, text, size, err);
    free(text);
    return ok;
}

static bool read_picture_tokens(const json_t *one, const char *path, size_t number, int side, int codes,
                                int32_t *to, error *err)
{
    size_t wanted = (size_t)side * (size_t)side;
    if (json_array_size(one) != wanted)
        return error_set(err, ERROR_FORMAT, "'%s': picture %zu has %zu tokens, the model's have %d x %d",
                         path, number, json_array_size(one), side, side);
    for (size_t i = 0; i < wanted; ++i) {
        const json_t *token = json_array_get(one, i);
        json_int_t value = json_integer_value(token);
        if (!json_is_integer(token) || value < 0 || value >= codes)
            return error_set(err, ERROR_FORMAT,
                             "'%s': picture %zu, token %zu is not a whole number from 0 to %d", path, number,
                             i, codes - 1);
        to[i] = (int32_t)value;
    }
    return true;
}

int32_t *pictures_read_tokens(const char *path, int side, int codes, int *count, error *err)
{
    json_t *all = json_tree_open(path, err), *pictures = json_object_get(all, "pictures");
    if (!all) return NULL;
    size_t number = json_array_size(pictures);
    int32_t *tokens = NULL;
    if (!number || number > 100000)
        error_set(err, ERROR_FORMAT,
                  "'%s' has %zu pictures; it needs 1 to 100,000, as 'dalle-cl encode' writes them", path,
                  number);
    else if (!(tokens = malloc(number * (size_t)side * (size_t)side * sizeof *tokens)))
        error_set(err, ERROR_MEMORY, "out of memory for the tokens of %zu pictures", number);
    for (size_t i = 0; tokens && i < number; ++i) {
        if (read_picture_tokens(json_array_get(pictures, i), path, i, side, codes,
                                tokens + i * (size_t)side * (size_t)side, err))
            continue;
        free(tokens);
        tokens = NULL;
    }
    json_decref(all);
    *count = (int)number;
    return tokens;
}

/* ---- Figures ----------------------------------------------------------------------------------- */

double pictures_psnr(const uint8_t *a, const uint8_t *b, int64_t bytes)
{
    double sum = 0;
    for (int64_t i = 0; i < bytes; ++i) {
        double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return 10.0 * log10(255.0 * 255.0 * (double)bytes / sum);
}

int pictures_code_usage(const int32_t *tokens, int64_t count, int codes, double *entropy, error *err)
{
    int64_t *times = calloc((size_t)codes, sizeof *times);
    *entropy = 0;
    if (!times) {
        error_set(err, ERROR_MEMORY, "out of memory for counting %d codes", codes);
        return -1;
    }
    for (int64_t i = 0; i < count; ++i) ++times[tokens[i]];
    int used = 0;
    for (int i = 0; i < codes; ++i) {
        if (!times[i]) continue;
        double share = (double)times[i] / (double)count;
        *entropy -= share * log2(share);
        ++used;
    }
    free(times);
    return used;
}
