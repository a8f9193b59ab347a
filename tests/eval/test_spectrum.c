/* test_spectrum.c -- power by frequency of pictures against the definition in double precision, on odd and
 * even sides; that all of it adds up to the mean square; waves in their bins; what a smoothed picture has
 * lost.
 * SPDX-License-Identifier: MIT */
#include "app/eval/spectrum.h"
#include "tests/support/device_fixture.h"
#include "tests/support/dft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* ---- Pictures ---- */

/* Random bytes around a slope, so that no two frequencies have the same power. */
static uint8_t *random_pictures(int64_t count, int64_t side, uint32_t seed)
{
    uint8_t *rgb = malloc((size_t)(count * side * side * 3));
    for (int64_t i = 0; i < count * side * side * 3; ++i) {
        seed = seed * 1664525 + 1013904223;
        rgb[i] = (uint8_t)((seed >> 25) + (i / 3 % side) * 127 / side);
    }
    return rgb;
}

/* Grey, a wave of `cycles` along each axis, of amplitude 100 of 255. */
static uint8_t *wave(int64_t side, double across, double down)
{
    uint8_t *rgb = malloc((size_t)(side * side * 3));
    for (int64_t i = 0; i < side * side; ++i) {
        const double turn = (across * (double)(i % side) + down * (double)(i / side)) / (double)side;
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] =
            (uint8_t)lround(127.5 + 100 * cos(2 * acos(-1) * turn + 0.4));
    }
    return rgb;
}

/* The mean of `of` x `of` neighbours, around the edges. */
static uint8_t *smoothed(const uint8_t *rgb, int64_t count, int64_t side, int64_t of)
{
    uint8_t *out = malloc((size_t)(count * side * side * 3));
    for (int64_t i = 0; i < count * side * side * 3; ++i) {
        const int64_t c = i % 3, x = i / 3 % side, y = i / 3 / side % side, n = i / 3 / side / side;
        int64_t sum = 0;
        for (int64_t j = 0; j < of * of; ++j)
            sum += rgb[((n * side + (y + j / of) % side) * side + (x + j % of) % side) * 3 + c];
        out[i] = (uint8_t)((sum + of * of / 2) / (of * of));
    }
    return out;
}

/* ---- The same in double ---- */

static double value(const uint8_t *rgb, int channel, bool channels)
{
    if (channels) return rgb[channel] / 255.0;
    return (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255.0;
}

/* Adds a picture's power, or a difference's, to sums by radius, over the whole plane. */
static void reference(const uint8_t *a, const uint8_t *minus, const spectrum_settings *set, double *sum)
{
    const int64_t side = set->side, pixels = side * side;
    double *in = malloc((size_t)pixels * sizeof *in), *out = malloc((size_t)pixels * 2 * sizeof *out);
    for (int c = 0; c < (set->channels ? 3 : 1); ++c) {
        double weights = 0;
        for (int64_t i = 0; i < pixels; ++i) {
            const double turn = 2 * acos(-1) / (double)side;
            const double w = set->unwindowed ? 1
                                             : (1 - cos(turn * ((double)(i % side) + 0.5))) *
                                                   (1 - cos(turn * ((double)(i / side) + 0.5))) / 4;
            in[i] = w * (value(a + 3 * i, c, set->channels) -
                         (minus ? value(minus + 3 * i, c, set->channels) : 0));
            weights += w * w;
        }
        dft_2d(in, side, side, side, out);
        for (int64_t i = 0; i < pixels; ++i) {
            const double k = (double)(i / side > side / 2 ? side - i / side : i / side),
                         l = (double)(i % side > side / 2 ? side - i % side : i % side);
            const double power = (out[2 * i] * out[2 * i] + out[2 * i + 1] * out[2 * i + 1]) /
                                 ((double)pixels * weights * (set->channels ? 3 : 1));
            sum[lround(hypot(k, l))] += power;
        }
    }
    free(in);
    free(out);
}

static spectrum *create(const spectrum_settings *set)
{
    error err = { 0 };
    spectrum *s = spectrum_create(d, set, &err);
    if (!s) fail_msg("%s", err.message);
    return s;
}

static void add(spectrum *s, const uint8_t *original, const uint8_t *reconstruction, int64_t count)
{
    error err = { 0 };
    if (!spectrum_add(s, original, reconstruction, count, &err)) fail_msg("%s", err.message);
}

static void compare(const spectrum *s, spectrum_of which, const double *sum, int64_t count)
{
    double most = 0;
    for (int64_t r = 0; r < spectrum_radii(s); ++r) most = fmax(most, sum[r] / (double)count);
    for (int64_t r = 0; r < spectrum_radii(s); ++r) {
        const double got = spectrum_between(s, which, (double)r, (double)r + 1),
                     want = sum[r] / (double)count;
        if (!(fabs(got - want) <= 1e-5 * want + 1e-10 * most))
            fail_msg("%s, signal %d, radius %d: %.9g, not %.9g", spectrum_provider(s), (int)which, (int)r,
                     got, want);
        assert_true(fabs(spectrum_power(s, which, r) * (double)spectrum_frequencies(s, r) - got) <=
                    1e-12 * most);
    }
}

enum { PICTURES = 5 };

static void check_pictures(const spectrum_settings *set)
{
    const int64_t bytes = set->side * set->side * 3;
    uint8_t *a = random_pictures(PICTURES, set->side, 1), *b = smoothed(a, PICTURES, set->side, 2);
    spectrum *s = create(set);
    double sum[SPECTRUM_SIGNALS][128] = { { 0 } };
    assert_true(spectrum_radii(s) < 128);
    /* In pieces that fit no batch. */
    add(s, a, set->alone ? NULL : b, 3);
    add(s, a + 3 * bytes, set->alone ? NULL : b + 3 * bytes, 2);
    assert_int_equal(spectrum_pictures(s), PICTURES);
    for (int64_t i = 0; i < PICTURES; ++i) {
        reference(a + i * bytes, NULL, set, sum[SPECTRUM_ORIGINAL]);
        if (set->alone) continue;
        reference(b + i * bytes, NULL, set, sum[SPECTRUM_RECONSTRUCTION]);
        reference(b + i * bytes, a + i * bytes, set, sum[SPECTRUM_DIFFERENCE]);
    }
    for (int i = 0; i < (set->alone ? 1 : SPECTRUM_SIGNALS); ++i)
        compare(s, (spectrum_of)i, sum[i], PICTURES);
    spectrum_destroy(s);
    free(a);
    free(b);
}

static void power_is_that_of_the_definition(void **state)
{
    (void)state;
    /* A library makes kernels for each side; two are enough. */
    const spectrum_settings all[] = {
        { .side = 31, .batch = 2 },
        { .side = 32 },
        { .side = 32, .provider = "products", .batch = 1 },
        { .side = 48, .channels = true, .unwindowed = true, .batch = 2 },
        { .side = 64, .alone = true, .batch = 4, .provider = "products" },
        { .side = 65, .unwindowed = true, .provider = "products" },
        { .side = 2, .unwindowed = true, .provider = "products" },
        { .side = 3, .channels = true, .provider = "products" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) check_pictures(&all[i]);
}

/* The library's and the products' to 1e-5, where there is a library that works. */
static void providers_agree(void **state)
{
    (void)state;
    const spectrum_settings best = { .side = 48 }, plain = { .side = 48, .provider = "products" };
    uint8_t *a = random_pictures(9, 48, 5), *b = smoothed(a, 9, 48, 3);
    spectrum *s = create(&best), *t = create(&plain);
    add(s, a, b, 9);
    add(t, a, b, 9);
    printf("48 pixels a side by %s %s\n", spectrum_provider(s), spectrum_note(s));
    for (int i = 0; i < SPECTRUM_SIGNALS; ++i)
        for (int64_t r = 0; r < spectrum_radii(s); ++r) {
            const double one = spectrum_power(s, (spectrum_of)i, r),
                         other = spectrum_power(t, (spectrum_of)i, r);
            assert_true(fabs(one - other) <= 1e-5 * other);
        }
    spectrum_destroy(s);
    spectrum_destroy(t);
    free(a);
    free(b);
}

/* Parseval: all powers make up the mean square of values, here without a window. */
static void all_powers_make_up_the_mean_square(void **state)
{
    (void)state;
    for (int64_t side = 31; side <= 32; ++side) {
        const spectrum_settings set = { .side = side, .unwindowed = true, .channels = true, .alone = true };
        uint8_t *a = random_pictures(1, side, 9);
        double square = 0, frequencies = 0;
        for (int64_t i = 0; i < side * side * 3; ++i) square += a[i] / 255.0 * a[i] / 255.0;
        square /= (double)(side * side * 3);
        spectrum *s = create(&set);
        assert_true(spectrum_between(s, SPECTRUM_ORIGINAL, 0, 1e9) == 0);
        add(s, a, NULL, 1);
        assert_true(fabs(spectrum_between(s, SPECTRUM_ORIGINAL, 0, 1e9) - square) < 1e-6 * square);
        for (int64_t r = 0; r < spectrum_radii(s); ++r) frequencies += (double)spectrum_frequencies(s, r);
        assert_true(frequencies == (double)(side * side));
        spectrum_destroy(s);
        free(a);
    }
}

static void check_wave(int64_t side, double across, double down, bool unwindowed)
{
    const spectrum_settings set = {
        .side = side, .unwindowed = unwindowed, .alone = true, .provider = "products"
    };
    const int64_t radius = lround(hypot(across, down)), reach = unwindowed ? 0 : 2;
    uint8_t *a = wave(side, across, down);
    spectrum *s = create(&set);
    add(s, a, NULL, 1);
    const double first = (double)spectrum_first(s), all = spectrum_between(s, SPECTRUM_ORIGINAL, first, 1e9),
                 there = spectrum_between(s, SPECTRUM_ORIGINAL, (double)(radius - reach),
                                          (double)(radius + reach + 1));
    assert_true(there > 0.999 * all);
    /* Half the square of the amplitude. */
    assert_true(fabs(there / (0.5 * 100 * 100 / 255 / 255) - 1) < 0.01);
    spectrum_destroy(s);
    free(a);
}

static void a_wave_is_in_its_bin(void **state)
{
    (void)state;
    for (int windowed = 0; windowed < 2; ++windowed) {
        check_wave(64, 9, 0, !windowed);
        check_wave(64, 0, 20, !windowed);
        check_wave(64, 9, -12, !windowed);
        check_wave(65, 12, 16, !windowed);
    }
}

/* What does not wrap around looks like detail without the window: 9.5 cycles leave their place. */
static void the_window_keeps_edges_out(void **state)
{
    (void)state;
    double far[2];
    uint8_t *a = wave(64, 9.5, 0);
    for (int windowed = 0; windowed < 2; ++windowed) {
        const spectrum_settings set = {
            .side = 64, .unwindowed = !windowed, .alone = true, .provider = "products"
        };
        spectrum *s = create(&set);
        add(s, a, NULL, 1);
        far[windowed] =
            spectrum_between(s, SPECTRUM_ORIGINAL, 20, 1e9) / spectrum_between(s, SPECTRUM_ORIGINAL, 5, 15);
        spectrum_destroy(s);
    }
    free(a);
    assert_true(far[0] > 1e-2 && far[1] < 1e-4);
}

/* A mean of 3 x 3 keeps the square of (1 + 2 cos t) / 3, t = 2 pi k / side, along each axis: half of the
 * power at k of 9.9 along an axis.  It is also a shift by one pixel, so that the difference has the
 * original's power where cos t is 1/4, at 13.4, sooner than it would without. */
static void what_a_mean_loses(void **state)
{
    (void)state;
    const spectrum_settings set = { .side = 64, .unwindowed = true, .provider = "products" };
    uint8_t *a = random_pictures(16, 64, 3), *b = smoothed(a, 16, 64, 3);
    spectrum *s = create(&set);
    add(s, a, b, 16);
    const spectrum_loss l = spectrum_lost(s);
    printf("kept %.2f and %.2f dB, error %.2f and %.2f dB, lost at %.2f, drowned at %.2f\n", l.kept_low,
           l.kept_high, l.error_low, l.error_high, l.lost_3db, l.drowned);
    assert_true(l.kept_low < -0.2 && l.kept_low > -1);
    assert_true(l.kept_high < -10 && l.kept_high > -25);
    assert_true(l.error_low < -5 && fabs(l.error_high) < 1);
    assert_true(l.lost_3db > 9 && l.lost_3db < 11);
    assert_true(l.drowned > 12 && l.drowned < 15.5);
    /* The figure is where the curve of power crosses. */
    const int64_t r = (int64_t)floor(l.lost_3db);
    const double before =
        spectrum_db(spectrum_power(s, SPECTRUM_RECONSTRUCTION, r), spectrum_power(s, SPECTRUM_ORIGINAL, r));
    const double after = spectrum_db(spectrum_power(s, SPECTRUM_RECONSTRUCTION, r + 1),
                                     spectrum_power(s, SPECTRUM_ORIGINAL, r + 1));
    assert_true(before >= -3 && after <= -3);
    spectrum_destroy(s);
    free(a);
    free(b);
}

static void nothing_lost_and_all_lost(void **state)
{
    (void)state;
    const spectrum_settings set = { .side = 32 };
    uint8_t *a = random_pictures(3, 32, 8), *grey = calloc(3, 32 * 32 * 3);
    spectrum *same = create(&set), *none = create(&set), *empty = create(&set);
    add(same, a, a, 3);
    add(none, a, grey, 3);
    const spectrum_loss kept = spectrum_lost(same), lost = spectrum_lost(none),
                        nothing = spectrum_lost(empty);
    assert_true(fabs(kept.kept_low) < 1e-3 && fabs(kept.kept_high) < 1e-3);
    assert_true(kept.error_high < -80 && isnan(kept.lost_3db) && isnan(kept.drowned));
    assert_true(isinf(lost.kept_high) && fabs(lost.error_high) < 1e-3);
    assert_true(lost.lost_3db == 2 && lost.drowned == 2);
    assert_true(isnan(nothing.kept_low) && isnan(nothing.lost_3db));
    spectrum_destroy(same);
    spectrum_destroy(none);
    spectrum_destroy(empty);
    free(a);
    free(grey);
}

static void json_holds_it_all(void **state)
{
    (void)state;
    const spectrum_settings set = { .side = 33, .provider = "products" };
    uint8_t *a = random_pictures(2, 33, 8), *b = smoothed(a, 2, 33, 2);
    spectrum *s = create(&set);
    add(s, a, b, 2);
    json_t *root = spectrum_json(s);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "pictures")), 2);
    assert_int_equal(json_integer_value(json_object_get(root, "nyquist")), 16);
    assert_string_equal(json_string_value(json_object_get(root, "window")), "hann");
    assert_string_equal(json_string_value(json_object_get(root, "transforms")), spectrum_provider(s));
    const json_t *powers = json_object_get(root, "difference");
    assert_int_equal(json_array_size(powers), 17);
    assert_true(json_real_value(json_array_get(powers, 9)) == spectrum_power(s, SPECTRUM_DIFFERENCE, 9));
    assert_true(json_real_value(json_object_get(root, "kept_high_db")) == spectrum_lost(s).kept_high);
    json_decref(root);
    spectrum_destroy(s);
    free(a);
    free(b);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    const spectrum_settings bad[] = {
        { .side = 1 }, { .side = 4097 }, { .side = 8, .batch = -1 }, { .side = 8, .provider = "magic" }
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        error err = { 0 };
        assert_null(spectrum_create(d, &bad[i], &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_non_null(strstr(err.message, "spectrum: "));
    }
    spectrum_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_is_that_of_the_definition),    cmocka_unit_test(providers_agree),
        cmocka_unit_test(all_powers_make_up_the_mean_square), cmocka_unit_test(a_wave_is_in_its_bin),
        cmocka_unit_test(the_window_keeps_edges_out),         cmocka_unit_test(what_a_mean_loses),
        cmocka_unit_test(nothing_lost_and_all_lost),          cmocka_unit_test(json_holds_it_all),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
