/* degrade_sheet.c -- what training shows an upsampler in place of small pictures: a sheet, and figures.
 *     degrade_sheet SET SIZE FROM KIND BLURS NOISE_MOST JPEG_LEAST SHEET.png
 * KIND is blur or bsr.  Each column is a picture of SIZE pixels a side, what is the mean of areas of FROM,
 * and four draws of the corrupted one, enlarged by squares.  The figures are over 200 pictures: how far the
 * corrupted ones are from the others, in dB of 255 levels, and how much of the squares of neighbours'
 * differences they have.
 * SPDX-License-Identifier: MIT */
#include "data/dataset.h"
#include "data/degrade.h"
#include "data/grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 8, ROWS = 6, COUNTED = 200, GAP = 2 };

typedef struct sums {
    double apart, values, of_low, of_clean;
} sums;

static double differences(const uint8_t *p, int side)
{
    double sum = 0;
    for (int i = 0; i < side * side * 3; ++i) {
        double right = i / 3 % side < side - 1 ? p[i + 3] - p[i] : 0;
        double below = i / 3 / side < side - 1 ? p[i + 3 * side] - p[i] : 0;
        sum += right * right + below * below;
    }
    return sum;
}

static void add(sums *s, const uint8_t *low, const uint8_t *clean, int side)
{
    for (int i = 0; i < side * side * 3; ++i) s->apart += (low[i] - clean[i]) * (low[i] - clean[i]);
    s->values += side * side * 3;
    s->of_low += differences(low, side);
    s->of_clean += differences(clean, side);
}

/* Enlarges a small picture into its place of a column. */
static bool put(image *column, int row, const uint8_t *low, int from, int size, error *err)
{
    const image small = { from, from, (uint8_t *)(uintptr_t)low };
    image large;
    if (!image_resize(&small, IMAGE_NEAREST, size, size, &large, err)) return false;
    image_paste(column, &large, 0, row * (size + GAP));
    image_free(&large);
    return true;
}

static bool show(const image *real, int from, const degradation *how, uint32_t number, image *column,
                 uint8_t *low, error *err)
{
    const degradation none = { .kind = DEGRADE_NONE };
    const augment_dice first = { 1, 0, number, NULL, 0 };
    int size = real->width;
    if (!image_create(column, size, ROWS * size + (ROWS - 1) * GAP, err)) return false;
    image_paste(column, real, 0, 0);
    bool ok = degrade(real, from, &none, &first, low, err) && put(column, 1, low, from, size, err);
    for (int row = 2; ok && row < ROWS; ++row) {
        const augment_dice dice = { 1, (uint32_t)row, number, NULL, 0 };
        ok = degrade(real, from, how, &dice, low, err) && put(column, row, low, from, size, err);
    }
    return ok;
}

static bool count(const image *real, int from, const degradation *how, uint32_t number, sums *s, error *err)
{
    const degradation none = { .kind = DEGRADE_NONE };
    const augment_dice dice = { 1, 0, number, NULL, 0 };
    size_t bytes = (size_t)from * (size_t)from * 3;
    uint8_t *low = malloc(2 * bytes);
    bool ok = low && degrade(real, from, how, &dice, low, err) &&
              degrade(real, from, &none, &dice, low + bytes, err);
    if (ok) add(s, low, low + bytes, from);
    free(low);
    return ok;
}

static bool run(const dataset *d, int size, int from, const degradation *how, const char *path, error *err)
{
    image columns[COLUMNS] = { 0 }, sheet = { 0 };
    sums s = { 0 };
    uint8_t *low = malloc((size_t)from * (size_t)from * 3);
    int64_t step = dataset_count(d) / COUNTED;
    bool ok = low && step > 0;
    if (!ok) error_set(err, ERROR_USAGE, "the set needs %d pictures", COUNTED);
    for (int i = 0; ok && i < COUNTED; ++i) {
        image whole = { 0 }, real = { 0 };
        ok = dataset_read_picture(d, i * step, &whole, err) && image_create(&real, size, size, err) &&
             augment(&whole, size, AUGMENT_NONE, AUGMENT_FLIP_OFF, NULL, real.pixels, err) &&
             count(&real, from, how, (uint32_t)i, &s, err) &&
             (i % (COUNTED / COLUMNS) ||
              show(&real, from, how, (uint32_t)i, &columns[i / (COUNTED / COLUMNS)], low, err));
        image_free(&whole);
        image_free(&real);
    }
    ok = ok && grid_make(columns, COLUMNS, COLUMNS, 4, NULL, &sheet, err) &&
         image_write_png(&sheet, path, err);
    if (ok)
        printf("%.2f dB from the mean of areas; detail %+.2f dB\n",
               10 * log10(255 * 255 * s.values / s.apart), 10 * log10(s.of_low / s.of_clean));
    for (int i = 0; i < COLUMNS; ++i) image_free(&columns[i]);
    image_free(&sheet);
    free(low);
    return ok;
}

int main(int argc, char **argv)
{
    error err = { 0 };
    if (argc != 9) {
        fprintf(stderr,
                "usage: degrade_sheet SET SIZE FROM blur|bsr BLURS NOISE_MOST JPEG_LEAST SHEET.png\n");
        return 2;
    }
    int size = atoi(argv[2]), from = atoi(argv[3]);
    const degradation how = { strcmp(argv[4], "blur") == 0 ? DEGRADE_BLUR : DEGRADE_BSR,
                              1,
                              0.6,
                              0.6,
                              atof(argv[5]),
                              1,
                              atof(argv[6]),
                              atoi(argv[7]),
                              95 };
    dataset *d = size > 0 && from > 0 && size % from == 0
                     ? dataset_open((const char *const[]){ argv[1] }, 1, false, &err)
                     : NULL;
    bool ok = d && run(d, size, from, &how, argv[8], &err);
    if (!ok)
        fprintf(stderr, "degrade_sheet: %s\n", err.code ? err.message : "SIZE must be a multiple of FROM");
    dataset_close(d);
    return ok ? 0 : 1;
}
