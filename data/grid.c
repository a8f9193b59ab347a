/* grid.c -- pictures side by side.
 * SPDX-License-Identifier: MIT */
#include "data/grid.h"
#include "data/label.h"
#include <math.h>
#include <stdlib.h>

typedef struct grid {
    const image *pictures;
    const char *const *captions;
    label_font *font;
    int count, columns, rows, padding, width, height;
    int *label; /* height of each row's labels */
} grid;

static void measure(grid *g)
{
    for (int i = 0; i < g->count; ++i) {
        if (g->pictures[i].width > g->width) g->width = g->pictures[i].width;
        if (g->pictures[i].height > g->height) g->height = g->pictures[i].height;
    }
    for (int i = 0; i < g->count && g->captions; ++i) {
        int height = label_height(g->font, g->captions[i], g->width);
        if (height > g->label[i / g->columns]) g->label[i / g->columns] = height;
    }
}

static bool draw(const grid *g, image *out, error *err)
{
    int64_t width = g->padding + (int64_t)g->columns * (g->width + g->padding), height = g->padding;
    for (int row = 0; row < g->rows; ++row) height += g->height + g->label[row] + g->padding;
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return error_set(err, ERROR_USAGE,
                         "a sheet of %d pictures would be %lld x %lld pixels, above %d; show fewer", g->count,
                         (long long)width, (long long)height, IMAGE_MAX_SIDE);
    if (!image_create(out, (int)width, (int)height, err)) return false;
    int y = g->padding;
    for (int row = 0; row < g->rows; ++row) {
        for (int i = row * g->columns; i < g->count && i < (row + 1) * g->columns; ++i) {
            const image *p = &g->pictures[i];
            int x = g->padding + (i - row * g->columns) * (g->width + g->padding);
            image_paste(out, p, x + (g->width - p->width) / 2, y + (g->height - p->height) / 2);
            if (g->captions) label_draw(g->font, g->captions[i], out, x, y + g->height, g->width);
        }
        y += g->height + g->label[row] + g->padding;
    }
    return true;
}

bool grid_make(const image *pictures, int count, int columns, int padding, const char *const *captions,
               image *out, error *err)
{
    *out = (image){ 0 };
    if (count < 1 || columns < 0 || padding < 0 || padding > 1024)
        return error_set(err, ERROR_USAGE, "a sheet of %d pictures in %d columns, %d apart, cannot be made",
                         count, columns, padding);
    grid g = {
        .pictures = pictures, .captions = captions, .count = count, .columns = columns, .padding = padding
    };
    if (columns == 0) g.columns = (int)ceil(sqrt(count));
    if (g.columns > count) g.columns = count;
    g.rows = (count + g.columns - 1) / g.columns;
    g.label = calloc((size_t)g.rows, sizeof *g.label);
    if (!g.label) return error_set(err, ERROR_MEMORY, "no memory for a sheet of %d pictures", count);
    if (captions) g.font = label_font_open(11);
    measure(&g);
    bool done = draw(&g, out, err);
    label_font_close(g.font);
    free(g.label);
    return done;
}
