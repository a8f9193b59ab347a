/* test_augment.c -- Listings 1 and 2: what may be drawn, and from what.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/augment.h"

#define SIZE 16

/* x in red, y in green: tells where a pixel came from. */
static image ramp(int width, int height)
{
    image made;
    assert_true(image_create(&made, width, height, NULL));
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            uint8_t *pixel = made.pixels + (y * width + x) * 3;
            pixel[0] = (uint8_t)x;
            pixel[1] = (uint8_t)y;
        }
    return made;
}

static void repeatable_and_different(void **state)
{
    (void)state;
    image in = noise(50, 40, 1);
    uint8_t a[SIZE * SIZE * 3], b[SIZE * SIZE * 3];
    for (int mode = AUGMENT_LISTING1; mode <= AUGMENT_LISTING2; ++mode) {
        assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_AS_MODE,
                            &(augment_dice){ .seed = 7, .epoch = 3, .sample = 5 }, a, NULL));
        assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_AS_MODE,
                            &(augment_dice){ .seed = 7, .epoch = 3, .sample = 5 }, b, NULL));
        assert_memory_equal(a, b, sizeof a);
        assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_AS_MODE,
                            &(augment_dice){ .seed = 7, .epoch = 4, .sample = 5 }, b, NULL));
        assert_memory_not_equal(a, b, sizeof a);
        assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_AS_MODE,
                            &(augment_dice){ .seed = 8, .epoch = 3, .sample = 5 }, b, NULL));
        assert_memory_not_equal(a, b, sizeof a);
    }
    image_free(&in);
}

/* Scale of the drawn window along x, in source pixels per pixel; negative when flipped. */
static double step_of(const uint8_t *pixels)
{
    return (pixels[(SIZE - 1) * 3] - pixels[0]) / (double)(SIZE - 1);
}

static void windows_are_as_listed(void **state)
{
    (void)state;
    image in = ramp(250, 100);
    uint8_t out[SIZE * SIZE * 3];
    for (int mode = AUGMENT_LISTING1; mode <= AUGMENT_LISTING2; ++mode) {
        int flipped = 0;
        double least = 1e9, most = 0;
        int left = 999, right = -1;
        for (uint32_t sample = 0; sample < 400; ++sample) {
            assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_AS_MODE,
                                &(augment_dice){ .seed = 1, .epoch = 0, .sample = sample }, out, NULL));
            double step = step_of(out);
            flipped += step < 0;
            step = fabs(step);
            if (step < least) least = step;
            if (step > most) most = step;
            int low = out[0] < out[(SIZE - 1) * 3] ? out[0] : out[(SIZE - 1) * 3];
            int high = out[0] < out[(SIZE - 1) * 3] ? out[(SIZE - 1) * 3] : out[0];
            if (low < left) left = low;
            if (high > right) right = high;
        }
        if (mode == AUGMENT_LISTING1) { /* t in 18..24: steps 99/17 to 99/23 */
            assert_in_range(flipped, 150, 250);
            assert_true(most <= 99.0 / 17 + 0.4 && least >= 99.0 / 23 - 0.4 && most - least > 1);
            assert_true(left < 15 && right > 235);
        } else { /* t in 16..18; offsets 56..93 of the 150 that are left over */
            assert_int_equal(flipped, 0);
            assert_true(most <= 99.0 / 15 + 0.4 && least >= 99.0 / 17 - 0.4 && most - least > 0.5);
            assert_true(left >= 56 && right <= 93 + 99);
        }
    }
    image_free(&in);
}

static void exact_size_is_untouched(void **state)
{
    (void)state;
    image in = noise(SIZE, SIZE, 9);
    uint8_t out[SIZE * SIZE * 3];
    for (int mode = AUGMENT_NONE; mode <= AUGMENT_LISTING2; ++mode) {
        assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_OFF,
                            &(augment_dice){ .seed = 1, .epoch = 2, .sample = 3 }, out, NULL));
        assert_memory_equal(out, in.pixels, sizeof out);
    }
    int flips = 0;
    for (uint32_t sample = 0; sample < 100; ++sample) {
        assert_true(augment(&in, SIZE, AUGMENT_NONE, AUGMENT_FLIP_ON,
                            &(augment_dice){ .seed = 1, .epoch = 2, .sample = sample }, out, NULL));
        flips += memcmp(out, in.pixels, sizeof out) != 0;
    }
    assert_in_range(flips, 30, 70);
    image_free(&in);
}

static void small_pictures_are_enlarged(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 3, 40 }, { 40, 3 }, { 15, 15 } };
    uint8_t out[SIZE * SIZE * 3];
    for (size_t i = 0; i < 4; ++i)
        for (int mode = AUGMENT_NONE; mode <= AUGMENT_LISTING2; ++mode) {
            image in;
            assert_true(image_create(&in, sizes[i][0], sizes[i][1], NULL));
            memset(in.pixels, 33, (size_t)in.width * (size_t)in.height * 3);
            assert_true(augment(&in, SIZE, (augment_mode)mode, AUGMENT_FLIP_AS_MODE,
                                &(augment_dice){ .seed = 1, .epoch = 2, .sample = 3 }, out, NULL));
            for (size_t p = 0; p < sizeof out; ++p) assert_int_equal(out[p], 33);
            image_free(&in);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeatable_and_different),
        cmocka_unit_test(windows_are_as_listed),
        cmocka_unit_test(exact_size_is_untouched),
        cmocka_unit_test(small_pictures_are_enlarged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
