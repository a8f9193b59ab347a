/* score_sheet.c -- a sheet of real and drawn pictures; see score_sheet.h.
 * SPDX-License-Identifier: MIT */
#include "tools/score_sheet.h"
#include "data/grid.h"
#include <stdlib.h>

enum { FRAME = 3, COLUMNS = 10, PADDING = 8, NARROWEST = 92 }; /* so wide that captions take few lines */

bool score_sheet_open(score_sheet *s, int64_t room, error *err)
{
    *s = (score_sheet){ .pairs = calloc((size_t)room + 1, sizeof *s->pairs),
                        .captions = calloc((size_t)room + 1, sizeof *s->captions),
                        .room = room };
    if (s->pairs && s->captions) return true;
    score_sheet_close(s);
    return error_set(err, ERROR_MEMORY, "no memory for a sheet of %lld pictures", (long long)room);
}

void score_sheet_close(score_sheet *s)
{
    for (int64_t i = 0; s->pairs && i < s->count; ++i) image_free(&s->pairs[i]);
    free(s->pairs);
    free(s->captions);
    *s = (score_sheet){ 0 };
}

static void fill(image *onto, int left, int top, int side, const uint8_t colour[3])
{
    for (int y = top; y < top + side; ++y)
        for (int x = left; x < left + side; ++x)
            for (int c = 0; c < 3; ++c)
                onto->pixels[((size_t)y * (size_t)onto->width + (size_t)x) * 3 + (size_t)c] = colour[c];
}

static const uint8_t *frame_colour(int64_t rank)
{
    static const uint8_t white[3] = { 255, 255, 255 }, yellow[3] = { 240, 190, 0 }, red[3] = { 215, 30, 30 },
                         grey[3] = { 150, 150, 150 };
    return rank < 0 ? grey : rank == 0 ? white : rank < 5 ? yellow : red;
}

bool score_sheet_add(score_sheet *s, const image *real, const image *drawn, int64_t rank, const char *caption,
                     error *err)
{
    int side = drawn->width, width = side + 2 * FRAME < NARROWEST ? NARROWEST : side + 2 * FRAME;
    int left = (width - side) / 2, top = real->pixels ? side + FRAME : 0;
    image fitted = { 0 }, *pair = &s->pairs[s->count];
    bool ok = image_create(pair, width, top + side + 2 * FRAME, err);
    if (ok && real->pixels) ok = image_resize_area(real, side, side, false, &fitted, err);
    if (ok) {
        if (fitted.pixels) image_paste(pair, &fitted, left, 0);
        fill(pair, left - FRAME, top, side + 2 * FRAME, frame_colour(rank));
        image_paste(pair, drawn, left, top + FRAME);
        s->captions[s->count++] = caption;
    } else {
        image_free(pair);
    }
    image_free(&fitted);
    return ok;
}

bool score_sheet_write(const score_sheet *s, const char *path, error *err)
{
    image sheet = { 0 };
    bool ok = grid_make(s->pairs, (int)s->count, COLUMNS, PADDING, s->captions, &sheet, err) &&
              image_write_png(&sheet, path, err);
    image_free(&sheet);
    return ok;
}
