/* reconstruct_files.c -- puts in the place of pictures what a model's dVAE makes of them, as PNG.
 *     reconstruct_files MODEL PICTURE...
 * A CLIP that is to judge drawings learns from such pictures too (tools/train_demo.sh): drawings are as soft.
 * SPDX-License-Identifier: MIT */
#include "app/api/dalle.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 64 };

typedef struct reconstructor {
    dalle_model *model;
    int side;
    int32_t *tokens;
} reconstructor;

static bool reconstruct(const reconstructor *r, const char *const *paths, int count, dalle_error *err)
{
    const size_t picture = (size_t)r->side * (size_t)r->side * 3;
    uint8_t *rgb = dalle_read_pictures(paths, count, r->side, err);
    bool ok = rgb && dalle_encode(r->model, rgb, count, r->tokens, err) &&
              dalle_decode(r->model, r->tokens, count, rgb, err);
    for (int i = 0; ok && i < count; ++i)
        ok = dalle_write_png(paths[i], rgb + picture * (size_t)i, 1, r->side, 0, err);
    dalle_free(rgb);
    return ok;
}

int main(int argc, char **argv)
{
    dalle_error err = { 0 };
    if (argc < 3) {
        fprintf(stderr, "usage: reconstruct_files MODEL PICTURE...\n");
        return 2;
    }
    reconstructor r = { .model = dalle_open(argv[1], NULL, &err) };
    bool ok = r.model != NULL;
    if (ok) {
        const dalle_model_info *info = dalle_get_info(r.model);
        r.side = info->side;
        r.tokens = malloc((size_t)info->tokens_side * (size_t)info->tokens_side * AT_ONCE * sizeof *r.tokens);
        ok = r.tokens != NULL;
        if (!ok) snprintf(err.message, sizeof err.message, "out of memory for tokens");
    }
    for (int i = 2; ok && i < argc; i += AT_ONCE)
        ok = reconstruct(&r, (const char *const *)argv + i, argc - i < AT_ONCE ? argc - i : AT_ONCE, &err);
    if (!ok) fprintf(stderr, "reconstruct_files: %s\n", err.message);
    free(r.tokens);
    dalle_close(r.model);
    return ok ? 0 : 1;
}
