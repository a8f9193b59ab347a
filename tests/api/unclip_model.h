/* unclip_model.h -- a DALL-E 2 trained for seconds on eight pictures of 16 x 16, which tests share: a CLIP,
 * a diffusion prior, a decoder of 8 x 8 and an upsampler from there to 16 x 16.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_API_UNCLIP_MODEL_H
#define DALLE_CL_TESTS_API_UNCLIP_MODEL_H

#include "app/api/dalle.h"
#include "tests/models/drawings.h"

enum { UNCLIP_SIDE = 16, UNCLIP_SMALL = 8 };

static UNUSED bool train_with(const char *kind, const char *data, const char *clip, const char *run,
                              const char *const *sets, error *err)
{
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .data = data,
                        .parts = { { clip ? &clip_kind : NULL, clip } },
                        .run = run,
                        .seed = -1,
                        .quiet = true };
    while (sets && sets[r.set_count]) ++r.set_count;
    return kinds_find(kind)->train(&r, err);
}

/* Two pictures of a mixture between two drawings, which are put into rgb. */
static UNUSED dalle_change two_mixed(uint8_t rgb[2][DRAWING_BYTES])
{
    dalle_change c = DALLE_CHANGE_DEFAULTS;
    for (int i = 0; i < 2; ++i) drawing_pixels(5 * i, rgb[i]);
    c.rgb = rgb[0];
    c.other_rgb = rgb[1];
    c.side = c.other_side = DRAWING_SIDE;
    c.count = 2;
    return c;
}

/* base/data.tar, the runs base/clip, base/embed, base/decoder, base/up, and base/model of all, base/bare
 * without upsampler. */
static UNUSED bool make_unclip(device *d, const room *base, const char *steps, error *err)
{
    const char *const text[] = { steps, "text_vocabulary=288", "sample_every=0", NULL },
                      *const network[] = { steps,         "text_vocabulary=288", "size=8",
                                           "attention=4", "sample_every=0",      NULL },
                      *const up[] = { steps, "sample_every=0", "eval_every=0", NULL };
    char path[6][100];
    static const char *const names[] = { "data.tar", "clip", "embed", "decoder", "up", "model" };
    for (int i = 0; i < 6; ++i) snprintf(path[i], sizeof path[i], "%s/%s", base->path, names[i]);
    drawings_tar(path[0], DRAWINGS);
    char bare[100];
    snprintf(bare, sizeof bare, "%s/bare", base->path);
    return train_with("clip", path[0], NULL, path[1], text, err) &&
           train_with("diffusion-prior", path[0], path[1], path[2], text, err) &&
           train_with("decoder", path[0], path[1], path[3], network, err) &&
           train_with("upsampler", path[0], NULL, path[4], up, err) &&
           pack_model(d, (const char *const[]){ path[1], path[2], path[3], path[4], NULL }, path[5],
                      DTYPE_F16, err) &&
           pack_model(d, (const char *const[]){ path[1], path[2], path[3], NULL }, bare, DTYPE_F16, err);
}

#endif
