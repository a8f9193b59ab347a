/* pictures.c -- see pictures.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/pictures.h"

#include "app/cli/output.h"
#include "data/image.h"
#include "host/base/json_tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool pictures_error(const dalle_error *from, error *err)
{
    static const error_code codes[] = {
        [DALLE_USAGE] = ERROR_USAGE,        [DALLE_IO] = ERROR_IO,         [DALLE_FORMAT] = ERROR_FORMAT,
        [DALLE_DEVICE] = ERROR_DEVICE,      [DALLE_MEMORY] = ERROR_MEMORY, [DALLE_MODEL] = ERROR_MODEL,
        [DALLE_STOPPED] = ERROR_INTERRUPTED
    };
    return error_set(err, codes[from->kind], "%s", from->message);
}

bool pictures_write_grid(const char *path, const uint8_t *rgb, int count, int side, int columns,
                         const dalle_png_text *texts, int text_count, error *err)
{
    dalle_error failure;
    size_t size;
    void *png = dalle_encode_png_texts(rgb, count, side, columns, texts, text_count, &size, &failure);
    bool ok = png ? output_write(path, png, size, err) : pictures_error(&failure, err);
    dalle_free(png);
    return ok;
}

uint8_t *pictures_read(const char *const *paths, int count, int side, error *err)
{
    dalle_error failure;
    uint8_t *rgb = dalle_read_pictures(paths, count, side, &failure);
    if (!rgb) pictures_error(&failure, err);
    return rgb;
}

uint8_t *pictures_read_one(const char *path, int side, int *width, int *height, error *err)
{
    image whole = { 0 }, fitted = { 0 };
    bool ok = image_read(path, &whole, err) && image_fit(&whole, side, &fitted, err);
    *width = whole.width;
    *height = whole.height;
    image_free(&whole);
    if (!ok) image_free(&fitted);
    return fitted.pixels;
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
