/* cmd_codec.c -- `dalle-cl encode`, `decode` and `reconstruct`: pictures to tokens and back.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/output.h"
#include "app/cli/pictures.h"
#include "app/api/dalle.h"
#include "host/base/json_tree.h"

#include <math.h>
#include <stdlib.h>

typedef struct work {
    dalle_model *model;
    const dalle_model_info *info;
    int64_t picture, tokens; /* bytes and tokens of one picture */
} work;

static bool open_work(const cli_call *call, work *w, error *err)
{
    if (!cli_require(call, "model", err)) return false;
    dalle_error failure;
    w->model = dalle_open_parts(cli_text(call, "model"), cli_text(call, "device"), DALLE_DVAE, &failure);
    if (!w->model) return pictures_error(&failure, err);
    w->info = dalle_get_info(w->model);
    w->picture = 3 * (int64_t)w->info->side * w->info->side;
    w->tokens = (int64_t)w->info->tokens_side * w->info->tokens_side;
    return true;
}

/* The arguments' pictures, which are the command's input, and their tokens. */
typedef struct encoded {
    int count;
    uint8_t *rgb;
    int32_t *tokens;
} encoded;

static void encoded_free(encoded *e)
{
    free(e->rgb);
    free(e->tokens);
}

static bool encode_arguments(const cli_call *call, const work *w, encoded *out, error *err)
{
    dalle_error failure;
    *out = (encoded){ .count = cli_argument_count(call) };
    const char **paths = malloc((size_t)out->count * sizeof *paths);
    out->tokens = malloc((size_t)(out->count * w->tokens) * sizeof *out->tokens);
    bool ok = paths && out->tokens;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %d pictures", out->count);
    for (int i = 0; ok && i < out->count; ++i) paths[i] = cli_argument(call, i);
    if (ok) ok = (out->rgb = pictures_read(paths, out->count, w->info->side, err)) != NULL;
    if (ok && !dalle_encode(w->model, out->rgb, out->count, out->tokens, &failure))
        ok = pictures_error(&failure, err);
    free(paths);
    return ok;
}

static bool run_encode(const cli_call *call, error *err)
{
    work w = { 0 };
    encoded e = { 0 };
    bool ok = open_work(call, &w, err) && encode_arguments(call, &w, &e, err) &&
              pictures_write_tokens(cli_text(call, "output"), e.tokens, e.count, w.info->tokens_side, err);
    encoded_free(&e);
    dalle_close(w.model);
    return ok;
}

static bool decode_file(const cli_call *call, const work *w, error *err)
{
    int count = 0;
    dalle_error failure;
    const char *out = cli_text(call, "output");
    int32_t *tokens =
        pictures_read_tokens(cli_argument(call, 0), w->info->tokens_side, w->info->codes, &count, err);
    if (!tokens) return false;
    uint8_t *rgb = malloc((size_t)(count * w->picture));
    bool ok = rgb != NULL;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %d pictures", count);
    if (ok && !dalle_decode(w->model, tokens, count, rgb, &failure)) ok = pictures_error(&failure, err);
    ok = ok && pictures_write_grid(out, rgb, count, w->info->side, 0, NULL, 0, err);
    if (ok && cli_flag(call, "json"))
        printf("{\"pictures\": %d, \"side\": %d}\n", count, w->info->side);
    else if (ok && !cli_flag(call, "quiet"))
        fprintf(output_talk(out), "%s: %d picture%s of %d x %d\n", output_name(out), count,
                count == 1 ? "" : "s", w->info->side, w->info->side);
    free(tokens);
    free(rgb);
    return ok;
}

static bool run_decode(const cli_call *call, error *err)
{
    work w = { 0 };
    bool ok = open_work(call, &w, err) && decode_file(call, &w, err);
    dalle_close(w.model);
    return ok;
}

/* Rows of originals, each over its row of reconstructions. */
static uint8_t *interleave(const work *w, const encoded *e, const uint8_t *again, int columns, int *cells)
{
    int rows = (e->count + columns - 1) / columns;
    *cells = 2 * rows * columns;
    size_t size = (size_t)w->picture;
    uint8_t *all = malloc((size_t)*cells * size);
    for (size_t i = 0; all && i < (size_t)*cells * size; ++i) all[i] = 255;
    for (int i = 0; all && i < e->count; ++i) {
        int first = i / columns * 2 * columns + i % columns;
        for (size_t j = 0; j < size; ++j) {
            all[(size_t)first * size + j] = e->rgb[(size_t)i * size + j];
            all[(size_t)(first + columns) * size + j] = again[(size_t)i * size + j];
        }
    }
    return all;
}

static bool print_figures(const cli_call *call, const work *w, const encoded *e, const uint8_t *again,
                          error *err)
{
    double entropy, psnr = pictures_psnr(e->rgb, again, e->count * w->picture);
    int used = pictures_code_usage(e->tokens, e->count * w->tokens, w->info->codes, &entropy, err);
    if (used < 0) return false;
    if (cli_flag(call, "json")) {
        json_t *o = json_pack("{s:i, s:i, s:i, s:f}", "pictures", e->count, "codes", w->info->codes,
                              "codes_used", used, "entropy_bits", entropy);
        json_tree_put(&o, "psnr", isfinite(psnr) ? json_real(psnr) : json_null());
        char *text = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "the figures as JSON", err);
        if (!text) return false;
        puts(text);
        free(text);
    } else if (!cli_flag(call, "quiet")) {
        const char *out = cli_text(call, "output");
        fprintf(output_talk(out), "%s: %d picture%s, %.2f dB; %d of %d codes in use, %.2f bits a token\n",
                output_name(out), e->count, e->count == 1 ? "" : "s", psnr, used, w->info->codes, entropy);
    }
    return true;
}

static bool reconstruct(const cli_call *call, const work *w, encoded *e, error *err)
{
    dalle_error failure;
    if (!encode_arguments(call, w, e, err)) return false;
    int columns = e->count < 8 ? e->count : 8, cells = 0;
    uint8_t *again = malloc((size_t)(e->count * w->picture)), *grid = NULL;
    bool ok = again != NULL;
    if (ok && !dalle_decode(w->model, e->tokens, e->count, again, &failure)) {
        free(again);
        return pictures_error(&failure, err);
    }
    if (ok) ok = (grid = interleave(w, e, again, columns, &cells)) != NULL;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %d pictures", e->count);
    ok = ok &&
         pictures_write_grid(cli_text(call, "output"), grid, cells, w->info->side, columns, NULL, 0, err);
    ok = ok && print_figures(call, w, e, again, err);
    free(grid);
    free(again);
    return ok;
}

static bool run_reconstruct(const cli_call *call, error *err)
{
    work w = { 0 };
    encoded e = { 0 };
    bool ok = open_work(call, &w, err) && reconstruct(call, &w, &e, err);
    encoded_free(&e);
    dalle_close(w.model);
    return ok;
}

#define MODEL_OPTION \
    { \
        "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "a packed model, or the run of a dVAE" \
    }

static const cli_option encode_options[] = {
    MODEL_OPTION,
    { "output", 'o', CLI_TOKENS, "FILE", "-", 0, 0, "where the tokens go, as JSON; - is standard output" },
};
static const cli_option decode_options[] = {
    MODEL_OPTION,
    { "output", 'o', CLI_PICTURE, "FILE", "picture.png", 0, 0,
      "PNG to write: one picture, or a grid of them; - is standard output" },
};
static const cli_option reconstruct_options[] = {
    MODEL_OPTION,
    { "output", 'o', CLI_PICTURE, "FILE", "reconstruction.png", 0, 0,
      "PNG to write: originals over reconstructions; - is standard output" },
};

const cli_command cmd_encode = {
    .name = "encode",
    .summary = "turn pictures into tokens",
    .arguments = "PICTURE...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl encode -m models/demo cat.png -o tokens.json",
    .text = "Pictures (PNG, JPEG or WebP) are scaled to the model's size by their short side and cut to the "
            "centre "
            "square.",
    .options = encode_options,
    .option_count = (int)(sizeof encode_options / sizeof *encode_options),
    .run = run_encode,
};

const cli_command cmd_decode = {
    .name = "decode",
    .summary = "turn tokens into pictures",
    .arguments = "TOKENS.json",
    .least = 1,
    .most = 1,
    .example = "dalle-cl decode -m models/demo tokens.json -o cat.png",
    .options = decode_options,
    .option_count = (int)(sizeof decode_options / sizeof *decode_options),
    .run = run_decode,
};

const cli_command cmd_reconstruct = {
    .name = "reconstruct",
    .summary = "show what a dVAE keeps of pictures, with its error and its use of the codebook",
    .arguments = "PICTURE...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl reconstruct -m models/demo *.png -o both.png",
    .options = reconstruct_options,
    .option_count = (int)(sizeof reconstruct_options / sizeof *reconstruct_options),
    .run = run_reconstruct,
};
