/* augment.c -- the paper's Listings 1 and 2, and CLIP's random square.
 * SPDX-License-Identifier: MIT */
#include "data/augment.h"
#include <math.h>
#include <string.h>

/* The draws of one sample, by their number. */
enum { DRAW_LEFT, DRAW_TOP, DRAW_TARGET, DRAW_CROP_X, DRAW_CROP_Y, DRAW_FLIP, DRAWS };

typedef struct draws {
    philox random;
    uint32_t first;
} draws;

static draws draws_from(const augment_dice *dice)
{
    if (!dice) return (draws){ 0 };
    const char *stream = dice->stream ? dice->stream : "data.augment";
    return (draws){ { dice->seed, dice->epoch, philox_stream(stream) }, dice->sample * (uint32_t)DRAWS };
}

/* Uniform over low..high, both included; low if the range is empty. */
static int between(const draws *d, uint32_t draw, int low, int high)
{
    return high <= low ? low
                       : low + (int)philox_below(&d->random, d->first + draw, (uint32_t)(high - low) + 1);
}

static int scaled(int size, int part)
{
    return (int)lrint((double)size * part / 256.0);
}

/* The offset of the square along an axis with `rest` pixels to spare. */
static int square_offset(const draws *d, uint32_t draw, augment_mode mode, int rest)
{
    if (mode == AUGMENT_NONE) return rest / 2;
    if (mode == AUGMENT_LISTING1 || mode == AUGMENT_CROP) return between(d, draw, 0, rest);
    int low = 3 * rest / 8, high = 5 * rest / 8;
    return between(d, draw, low, high);
}

/* The side of the square that is cut out. */
static int square_side(const draws *d, augment_mode mode, const augment_dice *dice, const image *in)
{
    int side = in->width < in->height ? in->width : in->height;
    if (mode != AUGMENT_CROP) return side;
    double share = dice->least + (1 - dice->least) * philox_uniform(&d->random, d->first + DRAW_TARGET);
    int drawn = (int)lrint(side * sqrt(share));
    return drawn < 1 ? 1 : drawn;
}

/* The side the square is resized to, at least `size`. */
static int target_side(const draws *d, augment_mode mode, int side, int size)
{
    int small = scaled(size, 288), large = scaled(size, 384);
    if (mode == AUGMENT_NONE || mode == AUGMENT_CROP || side <= size) return size;
    if (mode == AUGMENT_LISTING2) return between(d, DRAW_TARGET, size, side < small ? side : small);
    return between(d, DRAW_TARGET, side < small ? side : small, side < large ? side : large);
}

bool augment(const image *in, int size, augment_mode mode, augment_flip flip, const augment_dice *dice,
             uint8_t *out, error *err)
{
    return augment_by(in, size, mode, flip, IMAGE_AREA, dice, out, err);
}

static bool resize(const image *square, int target, augment_mode mode, image_filter filter, image *out,
                   error *err)
{
    bool listing = mode == AUGMENT_LISTING1 || mode == AUGMENT_LISTING2; /* whose corners are aligned */
    return filter == IMAGE_AREA ? image_resize_area(square, target, target, listing, out, err)
                                : image_resize(square, filter, target, target, out, err);
}

bool augment_by(const image *in, int size, augment_mode mode, augment_flip flip, image_filter filter,
                const augment_dice *dice, uint8_t *out, error *err)
{
    draws d = draws_from(dice);
    image square = { 0 }, resized = { 0 }, final = { 0 };
    int side = square_side(&d, mode, dice, in);
    int target = target_side(&d, mode, side, size);
    int x = square_offset(&d, DRAW_LEFT, mode, in->width - side);
    int y = square_offset(&d, DRAW_TOP, mode, in->height - side);
    int crop_x = between(&d, DRAW_CROP_X, 0, target - size),
        crop_y = between(&d, DRAW_CROP_Y, 0, target - size);
    bool flipped = flip == AUGMENT_FLIP_ON || (flip == AUGMENT_FLIP_AS_MODE && mode == AUGMENT_LISTING1);

    bool done = image_crop(in, x, y, side, side, &square, err) &&
                (target == side || resize(&square, target, mode, filter, &resized, err)) &&
                image_crop(target == side ? &square : &resized, crop_x, crop_y, size, size, &final, err);
    if (done) {
        if (flipped && between(&d, DRAW_FLIP, 0, 1) == 1) image_flip(&final);
        memcpy(out, final.pixels, (size_t)size * (size_t)size * 3);
    }
    image_free(&square);
    image_free(&resized);
    image_free(&final);
    return done;
}

void augment_window(const uint8_t *in, int size, int window, const augment_dice *dice, uint8_t *out)
{
    const char *stream = dice->stream ? dice->stream : "data.augment";
    const philox d = { dice->seed, dice->epoch, philox_stream(stream) ^ philox_stream(".window") };
    uint32_t spare = (uint32_t)(size - window) + 1;
    size_t x = philox_below(&d, 2 * dice->sample, spare), y = philox_below(&d, 2 * dice->sample + 1, spare);
    size_t row = (size_t)window * 3, step = (size_t)size * 3;
    for (size_t i = 0; i < (size_t)window; ++i) memcpy(out + i * row, in + (y + i) * step + x * 3, row);
}
