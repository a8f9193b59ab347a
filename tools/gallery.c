/* gallery.c -- which real picture a drawing comes nearest to; see gallery.h.
 * SPDX-License-Identifier: MIT */
#include "tools/gallery.h"
#include <stdlib.h>
#include <string.h>

/* Box i of 16 holds the pixels from box_edge(i) to box_edge(i + 1). */
static int box_edge(int i, int size)
{
    return (int)((double)i * size / THUMB_SIDE + 0.5);
}

/* The rounded mean of `count` values, `stride` bytes apart. */
static uint8_t box_mean(const uint8_t *first, int count, size_t stride)
{
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += first[(size_t)i * stride];
    return (uint8_t)((2 * sum + count) / (2 * count));
}

bool thumb_make(const image *picture, thumb *out, error *err)
{
    int width = picture->width, height = picture->height;
    if (width < THUMB_SIDE || height < THUMB_SIDE)
        return error_set(err, ERROR_FORMAT, "a picture of %d x %d pixels; comparing needs %d x %d", width,
                         height, THUMB_SIDE, THUMB_SIDE);
    size_t row = (size_t)THUMB_SIDE * 3;
    uint8_t *narrow = malloc((size_t)height * row);
    if (!narrow)
        return error_set(err, ERROR_MEMORY, "no memory for a thumbnail of %d x %d pixels", width, height);
    for (int y = 0; y < height; ++y)
        for (int i = 0; i < THUMB_SIDE * 3; ++i) {
            int from = box_edge(i / 3, width), to = box_edge(i / 3 + 1, width);
            const uint8_t *line = picture->pixels + (size_t)y * (size_t)width * 3;
            narrow[(size_t)y * row + (size_t)i] = box_mean(line + 3 * from + i % 3, to - from, 3);
        }
    for (int i = 0; i < THUMB_VALUES; ++i) {
        int y = i / (THUMB_SIDE * 3), from = box_edge(y, height), to = box_edge(y + 1, height);
        out->value[i] = box_mean(narrow + (size_t)from * row + (size_t)i % row, to - from, row);
    }
    free(narrow);
    return true;
}

int64_t thumb_difference(const thumb *a, const thumb *b)
{
    int64_t sum = 0;
    for (int i = 0; i < THUMB_VALUES; ++i) {
        int difference = a->value[i] - b->value[i];
        sum += difference * difference;
    }
    return sum;
}

bool gallery_is_real(const dataset_sample *sample)
{
    return strstr(sample->key, "-hue-") == NULL;
}

static bool gallery_add(gallery *g, const dataset *set, int64_t index, error *err)
{
    image picture = { 0 };
    bool ok =
        dataset_read_picture(set, index, &picture, err) && thumb_make(&picture, &g->thumbs[g->count], err);
    if (!ok) error_prefix(err, "picture '%s'", dataset_at(set, index)->key);
    image_free(&picture);
    g->index[g->count++] = index;
    return ok;
}

bool gallery_open(gallery *g, const dataset *set, error *err)
{
    int64_t count = dataset_count(set);
    *g = (gallery){ .thumbs = calloc((size_t)count + 1, sizeof *g->thumbs),
                    .index = calloc((size_t)count + 1, sizeof *g->index) };
    bool ok = g->thumbs && g->index;
    if (!ok) error_set(err, ERROR_MEMORY, "no memory for %lld thumbnails", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i)
        if (gallery_is_real(dataset_at(set, i))) ok = gallery_add(g, set, i, err);
    if (!ok) gallery_close(g);
    return ok;
}

void gallery_close(gallery *g)
{
    free(g->thumbs);
    free(g->index);
    *g = (gallery){ 0 };
}

int64_t gallery_rank(const gallery *g, const thumb *drawn, int64_t right, int64_t *nearest)
{
    int64_t least = INT64_MAX, wanted = -1, nearer = 0;
    for (int64_t i = 0; i < g->count; ++i)
        if (g->index[i] == right) wanted = thumb_difference(drawn, &g->thumbs[i]);
    for (int64_t i = 0; i < g->count; ++i) {
        int64_t difference = thumb_difference(drawn, &g->thumbs[i]);
        if (difference < least) {
            least = difference;
            *nearest = g->index[i];
        }
        nearer += difference < wanted;
    }
    return wanted < 0 ? -1 : nearer;
}
