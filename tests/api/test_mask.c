/* test_mask.c -- what of a picture is drawn anew, at the sizes of a model's networks (app/api/mask.h).
 * SPDX-License-Identifier: MIT */
#include "app/api/mask.h"
#include "tests/data/fixtures.h"

enum { SIDE = 8 };

static uint8_t mask[SIDE * SIDE];

static void clear(void)
{
    memset(mask, 0, sizeof mask);
}

static void cover(int x, int y, uint8_t level)
{
    mask[y * SIDE + x] = level;
}

/* Those that are 1, as "y*to+x" in order; ends with -1. */
static void covered_are(int to, const int *places)
{
    float out[32 * 32];
    mask_fit(mask, SIDE, to, out);
    for (int i = 0; i < to * to; ++i) {
        bool listed = *places == i;
        if (listed) ++places;
        if (out[i] != (listed ? 1.0f : 0.0f))
            fail_msg("of %d x %d, pixel %d is %g", to, to, i, (double)out[i]);
    }
    assert_int_equal(*places, -1);
}

static void test_same_size(void **state)
{
    (void)state;
    clear();
    cover(1, 0, 255);
    cover(2, 0, 127); /* just not */
    cover(3, 0, 128);
    cover(7, 7, 200);
    covered_are(SIDE, (const int[]){ 1, 3, 63, -1 });
}

/* One pixel of a cell covers it. */
static void test_smaller(void **state)
{
    (void)state;
    clear();
    cover(3, 5, 255);
    covered_are(4, (const int[]){ 9, -1 });
    covered_are(2, (const int[]){ 2, -1 });
    covered_are(1, (const int[]){ 0, -1 });
    covered_are(3, (const int[]){ 4, 7, -1 }); /* a cell is 2 2/3 wide: 5 lies in the second and the third */
    covered_are(5, (const int[]){ 16, 17, -1 } /* 3 in 1.6 to 3.2, and in 3.2 to 4.8; 5 in 4.8 to 6.4 */);
}

static void test_larger(void **state)
{
    (void)state;
    clear();
    cover(1, 0, 255);
    covered_are(16, (const int[]){ 2, 3, 18, 19, -1 });
    covered_are(12, (const int[]){ 1, 2, 13, 14, -1 }); /* a pixel is 1.5 wide */
}

static void refused(int size, const char *says)
{
    error err = { 0 };
    assert_false(mask_check(mask, SIDE, size, &err));
    print_message("%s\n", err.message);
    assert_int_equal(err.code, ERROR_USAGE);
    if (!strstr(err.message, says)) fail_msg("'%s' does not say '%s'", err.message, says);
}

static void test_check(void **state)
{
    (void)state;
    clear();
    refused(4, "covers nothing");
    cover(0, 0, 127);
    refused(4, "covers nothing");
    cover(0, 0, 255);
    assert_true(mask_check(mask, SIDE, 4, NULL));
    assert_true(mask_check(mask, SIDE, SIDE, NULL));
    for (int y = 0; y < SIDE; y += 2)
        for (int x = 0; x < SIDE; x += 2) cover(x, y, 255);
    assert_true(mask_check(mask, SIDE, SIDE, NULL));
    refused(4, "each of the 4 x 4 pixels");
    memset(mask, 255, sizeof mask);
    refused(4, "the whole picture");
    refused(SIDE, "the whole picture");
    cover(7, 7, 0);
    assert_true(mask_check(mask, SIDE, SIDE, NULL));
}

static void test_keep(void **state)
{
    (void)state;
    float fitted[4] = { 0, 1, 1, 0 };
    uint8_t kept[12], drawing[12];
    for (int i = 0; i < 12; ++i) kept[i] = (uint8_t)i, drawing[i] = (uint8_t)(100 + i);
    mask_keep(fitted, kept, 2, drawing);
    const uint8_t want[12] = { 0, 1, 2, 103, 104, 105, 106, 107, 108, 9, 10, 11 };
    assert_memory_equal(drawing, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_size), cmocka_unit_test(test_smaller), cmocka_unit_test(test_larger),
        cmocka_unit_test(test_check),     cmocka_unit_test(test_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
