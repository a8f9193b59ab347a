/* test_degrade.c -- low pictures: each step beside a plain reference, blur beside numpy's numbers, all of
 * it the same for the same dice and for any number of threads.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/degrade_bsr.h"

static const double pi = 3.14159265358979323846;

static field noise_field(int width, int height, uint32_t seed)
{
    image made = noise(width, height, seed);
    field f;
    assert_true(field_read(&f, &made, NULL));
    image_free(&made);
    return f;
}

static double pixel(const field *f, int x, int y, int c)
{
    return (double)f->at[((size_t)y * (size_t)f->width + (size_t)x) * 3 + (size_t)c];
}

/* ---- Blurs ---- */

/* d c b | a b c d | c b a, step by step. */
static int reflect(int i, int size)
{
    while (size > 1 && (i < 0 || i >= size)) i = i < 0 ? -i : 2 * (size - 1) - i;
    return size > 1 ? i : 0;
}

static void assert_convolved(const field *in, const field_kernel *k, const field *out)
{
    for (int y = 0; y < in->height; ++y)
        for (int x = 0; x < in->width; ++x)
            for (int c = 0; c < 3; ++c) {
                double sum = 0;
                for (int j = 0; j < k->side; ++j)
                    for (int i = 0; i < k->side; ++i)
                        sum += (double)k->weight[j * k->side + i] *
                               pixel(in, reflect(x + i - k->side / 2, in->width),
                                     reflect(y + j - k->side / 2, in->height), c);
                if (fabs(sum - pixel(out, x, y, c)) > 2e-3)
                    fail_msg("(%d, %d) of %d x %d: %g, not %g", x, y, in->width, in->height,
                             pixel(out, x, y, c), sum);
            }
}

static void blurs_as_a_plain_sum(void **state)
{
    (void)state;
    static const int sizes[][3] = { { 9, 7, 3 }, { 16, 16, 25 }, { 1, 5, 7 }, { 4, 3, 25 }, { 1, 1, 3 } };
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; ++n) {
        field in = noise_field(sizes[n][0], sizes[n][1], (uint32_t)n),
              f = noise_field(sizes[n][0], sizes[n][1], (uint32_t)n);
        field_kernel k;
        field_kernel_gaussian(&k, sizes[n][2], 0.5, -1, 4.5, 0.7, 0.6);
        assert_true(field_convolve(&f, &k, NULL));
        assert_convolved(&in, &k, &f);
        field_free(&in);
        field_free(&f);
    }
}

/* The density of a Gaussian by its covariance matrix, which is turned by the angle. */
static void kernels_are_gaussians(void **state)
{
    (void)state;
    enum { SIDE = 11 };
    const double x = 0.3, y = -0.8, along = 5.0, across = 1.2, angle = 0.7;
    field_kernel k;
    field_kernel_gaussian(&k, SIDE, x, y, along, across, angle);
    double c = cos(angle), s = sin(angle), xx = along * c * c + across * s * s,
           yy = along * s * s + across * c * c, xy = (along - across) * c * s, det = xx * yy - xy * xy,
           sum = 0, want[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; ++i) {
        double dx = i % SIDE - SIDE / 2 - x, dy = i / SIDE - SIDE / 2 - y;
        want[i] = exp(-0.5 * (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / det) / (2 * pi * sqrt(det));
        sum += want[i];
    }
    for (int i = 0; i < SIDE * SIDE; ++i) assert_true(fabs(want[i] / sum - (double)k.weight[i]) < 1e-7);
}

/* A Gaussian that is narrower than a pixel leaves it alone, however narrow. */
static void narrow_kernels_are_the_pixel(void **state)
{
    (void)state;
    field_kernel k;
    field_kernel_gaussian(&k, 7, 0, 0, 1e-12, 1e-12, 0);
    for (int i = 0; i < 49; ++i) assert_true(k.weight[i] == (i == 24 ? 1.0f : 0.0f));
}

/* PyTorch and numpy, which agree: x = (37 i^2 + 11 i) mod 256 in 5 x 4 pixels, padded by mode "reflect", and
 * conv2d by the outer product of exp(-[1,0,1] / 0.72) over its sum, as torchvision's gaussian_blur(x, 3,
 * 0.6) does; red of each pixel. */
static void blur_is_pytorchs(void **state)
{
    (void)state;
    static const double red[20] = { 50.800522,  107.670701, 116.336215, 65.594628,  80.450975,
                                    80.932571,  138.693177, 148.693177, 99.286076,  115.032850,
                                    119.424999, 157.186821, 169.186821, 143.112990, 145.947523,
                                    116.907799, 91.338553,  104.673039, 144.155188, 104.991922 };
    image in;
    assert_true(image_create(&in, 5, 4, NULL));
    for (int i = 0; i < 60; ++i) in.pixels[i] = (uint8_t)((37 * i * i + 11 * i) % 256);
    field f;
    field_kernel k;
    assert_true(field_read(&f, &in, NULL));
    field_kernel_gaussian(&k, 3, 0, 0, 0.36, 0.36, 0);
    assert_true(field_convolve(&f, &k, NULL));
    for (int i = 0; i < 20; ++i)
        if (fabs(red[i] - (double)f.at[3 * i]) > 1e-3)
            fail_msg("pixel %d: %g, not %g", i, (double)f.at[3 * i], red[i]);
    field_free(&f);
    image_free(&in);
}

/* ---- Resizing ---- */

static double cubic(double a, double x)
{
    x = fabs(x);
    if (x < 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

/* Along one axis: the weight of input pixel j in output pixel i, before what lies outside is moved or left
 * out. */
static double weight_of(field_filter filter, int in, int out, int i, int j)
{
    double scale = (double)in / out, centre = (i + 0.5) * scale - 0.5, low = i * scale, high = low + scale;
    switch (filter) {
    case FIELD_CUBIC:
        return cubic(-0.75, j - centre);
    case FIELD_SMOOTH:
        return cubic(-0.5, (j - centre) / fmax(scale, 1)) / fmax(scale, 1);
    case FIELD_AREA:
        if (out <= in) return fmax(0, fmin(high, j + 1) - fmax(low, j)) / scale;
        break;
    case FIELD_LINEAR:
        break;
    }
    return fmax(0, 1 - fabs(j - centre));
}

static void axis_weights(field_filter filter, int in, int out, int i, double *weight)
{
    enum { FAR = 64 };
    double sum = 0;
    for (int j = 0; j < in; ++j) weight[j] = 0;
    for (int j = -FAR; j < in + FAR; ++j) {
        bool outside = j < 0 || j >= in;
        if (outside && filter == FIELD_SMOOTH) continue;
        weight[j < 0 ? 0 : j >= in ? in - 1 : j] += weight_of(filter, in, out, i, j);
    }
    for (int j = 0; j < in; ++j) sum += weight[j];
    for (int j = 0; j < in; ++j) weight[j] /= sum;
}

static void assert_resized(const field *in, const field *out, field_filter filter)
{
    double across[64], down[64];
    for (int y = 0; y < out->height; ++y)
        for (int x = 0; x < out->width; ++x) {
            double sum = 0;
            axis_weights(filter, in->width, out->width, x, across);
            axis_weights(filter, in->height, out->height, y, down);
            for (int j = 0; j < in->height; ++j)
                for (int i = 0; i < in->width; ++i) sum += across[i] * down[j] * pixel(in, i, j, 1);
            if (fabs(sum - pixel(out, x, y, 1)) > 2e-3)
                fail_msg("filter %d, %d to %d, (%d, %d): %g, not %g", (int)filter, in->width, out->width, x,
                         y, pixel(out, x, y, 1), sum);
        }
}

static void resizes_as_a_plain_sum(void **state)
{
    (void)state;
    static const int sizes[][4] = { { 16, 12, 7, 5 }, { 7, 9, 16, 16 }, { 8, 8, 8, 8 },
                                    { 5, 5, 1, 1 },   { 1, 1, 4, 3 },   { 2, 30, 9, 3 } };
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; ++n)
        for (int filter = FIELD_LINEAR; filter <= FIELD_SMOOTH; ++filter) {
            field in = noise_field(sizes[n][0], sizes[n][1], (uint32_t)n),
                  f = noise_field(sizes[n][0], sizes[n][1], (uint32_t)n);
            assert_true(field_resize(&f, (field_filter)filter, sizes[n][2], sizes[n][3], NULL));
            assert_int_equal(f.width, sizes[n][2]);
            assert_resized(&in, &f, (field_filter)filter);
            field_free(&in);
            field_free(&f);
        }
}

static void thinning_keeps_every_other_pixel(void **state)
{
    (void)state;
    field in = noise_field(7, 6, 1), f = noise_field(7, 6, 1);
    field_thin(&f, 3);
    assert_int_equal(f.width, 3);
    assert_int_equal(f.height, 2);
    for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 3; ++x) assert_true(pixel(&f, x, y, 2) == pixel(&in, 3 * x, 3 * y, 2));
    field_free(&in);
    field_free(&f);
}

/* ---- Steps ---- */

/* Of 6000 orders each step is first as often as any, but for the second resizing, which never is before the
 * first. */
static void orders_are_drawn(void **state)
{
    (void)state;
    enum { DRAWN = 6000 };
    int first[DEGRADE_STEPS] = { 0 };
    for (uint32_t sample = 0; sample < DRAWN; ++sample) {
        const philox d = { 7, 0, sample };
        degrade_step order[DEGRADE_STEPS];
        unsigned seen = 0;
        int shrink = 0, resize = 0;
        degrade_order(&d, order);
        for (int i = 0; i < DEGRADE_STEPS; ++i) {
            seen |= 1u << order[i];
            if (order[i] == DEGRADE_SHRINK) shrink = i;
            if (order[i] == DEGRADE_RESIZE) resize = i;
        }
        assert_int_equal(seen, (1u << DEGRADE_STEPS) - 1);
        assert_true(shrink < resize);
        ++first[order[0]];
    }
    for (int i = 0; i < DEGRADE_STEPS; ++i) {
        int want = i == DEGRADE_RESIZE ? 0 : i == DEGRADE_SHRINK ? DRAWN / 3 : DRAWN / 6;
        if (abs(first[i] - want) > DRAWN / 40)
            fail_msg("step %d is first %d times of %d", i, first[i], DRAWN);
    }
}

/* Sizes and widths lie where BSRGAN draws them, and both kinds of blur come. */
static void blur_kernels_are_drawn(void **state)
{
    (void)state;
    int least = 99, most = 0, even = 0;
    for (uint32_t sample = 0; sample < 400; ++sample) {
        const philox d = { 7, 0, sample };
        field_kernel k, other;
        double sum = 0;
        degrade_blur_kernel(&d, 0, 2, 1, &k);
        degrade_blur_kernel(&d, 1, 2, 1, &other);
        for (int i = 0; i < k.side * k.side; ++i) sum += (double)k.weight[i];
        assert_true(fabs(sum - 1) < 1e-5);
        if (k.side < least) least = k.side;
        if (k.side > most) most = k.side;
        int middle = k.side / 2; /* alike along both axes: the plain Gaussian */
        even += k.weight[middle * k.side + middle + 1] == k.weight[(middle + 1) * k.side + middle];
        assert_false(k.side == other.side &&
                     memcmp(k.weight, other.weight, sizeof(float) * (size_t)(k.side * k.side)) == 0 &&
                     k.weight[middle * k.side + middle] < 0.99f);
    }
    assert_int_equal(least, 7);
    assert_int_equal(most, 25);
    assert_in_range(even, 150, 280);
}

/* A kernel that is half as wide has a quarter of the variance. */
static void widths_are_multiplied(void **state)
{
    (void)state;
    for (uint32_t sample = 0; sample < 40; ++sample) {
        const philox d = { 9, 0, sample };
        double variance[2] = { 0 };
        for (int half = 0; half < 2; ++half) {
            field_kernel k;
            degrade_blur_kernel(&d, 0, 2, half ? 0.5 : 1, &k);
            if (k.side < 19) continue; /* the tails are there */
            for (int i = 0; i < k.side * k.side; ++i) {
                double x = i % k.side - k.side / 2, y = i / k.side - k.side / 2;
                variance[half] += (x * x + y * y) * (double)k.weight[i];
            }
        }
        if (variance[1] > 1.2) assert_true(fabs(variance[0] / variance[1] - 4) < 0.4);
    }
}

/* Shrunk by a shifted kernel, a slope stays where it was. */
static void shrinking_stays_in_place(void **state)
{
    (void)state;
    enum { SIDE = 40 };
    int thinned = 0, resized = 0;
    for (uint32_t sample = 0; sample < 60; ++sample) {
        const philox d = { 3, 0, sample };
        field f;
        assert_true(field_create(&f, SIDE, SIDE, NULL));
        for (int i = 0; i < SIDE * SIDE * 3; ++i) f.at[i] = (float)(i / 3 % SIDE) * 5; /* level: 5 x */
        assert_true(degrade_shrink(&f, 2, &d, NULL));
        double scale = (double)SIDE / f.width;
        for (int x = f.width / 3; x < f.width * 2 / 3; ++x) {
            double want = ((x + 0.5) * scale - 0.5) * 5;
            if (fabs(pixel(&f, x, f.height / 2, 0) - want) > 0.6)
                fail_msg("sample %u, %d of %d: %g, not %g", sample, x, f.width, pixel(&f, x, f.height / 2, 0),
                         want);
        }
        bool half = f.width == SIDE / 2;
        thinned += half;
        resized += !half;
        assert_in_range(f.width, SIDE / 4, SIDE);
        field_free(&f);
    }
    assert_true(thinned > 5 && resized > 30);
}

/* Over many samples each kind of noise comes, with the deviation that was asked for. */
static void noise_is_drawn(void **state)
{
    (void)state;
    enum { SIDE = 24, SAMPLES = 120 };
    const degradation how = { .kind = DEGRADE_BSR, .noise_least = 5, .noise_most = 9 };
    int grey = 0, own = 0, mixed = 0;
    for (uint32_t sample = 0; sample < SAMPLES; ++sample) {
        const philox d = { 11, 0, sample };
        double square[3] = { 0 }, both = 0, count = SIDE * SIDE;
        field f;
        assert_true(field_create(&f, SIDE, SIDE, NULL));
        for (int i = 0; i < SIDE * SIDE * 3; ++i) f.at[i] = 128;
        degrade_noise(&f, &how, &d);
        for (int i = 0; i < SIDE * SIDE; ++i) {
            double r = (double)f.at[3 * i] - 128, g = (double)f.at[3 * i + 1] - 128,
                   b = (double)f.at[3 * i + 2] - 128;
            square[0] += r * r / count;
            square[1] += g * g / count;
            square[2] += b * b / count;
            both += r * g / count;
        }
        double alike = both / sqrt(square[0] * square[1]);
        for (int c = 0; c < 3; ++c) assert_true(square[c] < 11 * 11);
        bool level = square[0] > 4.5 * 4.5 && square[1] > 4.5 * 4.5 && square[2] > 4.5 * 4.5;
        if (alike > 0.999) {
            assert_true(level);
            ++grey;
        } else if (fabs(alike) < 0.15 && level) {
            ++own;
        } else {
            ++mixed;
        }
        field_free(&f);
    }
    assert_in_range(grey, SAMPLES / 4, SAMPLES * 11 / 20);
    assert_in_range(own, SAMPLES / 4, SAMPLES * 3 / 5); /* some mixtures look so */
    assert_in_range(mixed, SAMPLES / 20, SAMPLES * 2 / 5);
}

/* The better the quality, the nearer. */
static void jpeg_goes_there_and_back(void **state)
{
    (void)state;
    double before = 1e9;
    for (int quality = 10; quality <= 95; quality += 17) {
        field f, in;
        double apart = 0;
        assert_true(field_create(&f, 20, 12, NULL) && field_create(&in, 20, 12, NULL));
        for (int i = 0; i < 720; ++i)
            in.at[i] = f.at[i] = (float)lrint(128 + 90 * sin(i / 3 % 20 * 0.9 + i / 60));
        assert_true(degrade_jpeg(&f, quality, NULL));
        assert_int_equal(f.width, 20);
        assert_int_equal(f.height, 12);
        for (int i = 0; i < 720; ++i) apart += fabs((double)f.at[i] - (double)in.at[i]) / 720;
        assert_true(apart < before && apart < 30);
        before = apart;
        field_free(&f);
        field_free(&in);
    }
    assert_true(before < 3);
}

static void jpeg_is_written(void **state)
{
    (void)state;
    image in = noise(33, 17, 4), out;
    void *bytes, *again;
    size_t size, size_again;
    error err;
    assert_true(image_encode_jpeg(&in, 100, &bytes, &size, &err));
    assert_true(image_encode_jpeg(&in, 100, &again, &size_again, &err));
    assert_int_equal(size, size_again);
    assert_memory_equal(bytes, again, size);
    assert_true(image_decode(bytes, size, "x", &out, &err));
    assert_int_equal(out.width, 33);
    assert_int_equal(out.height, 17);
    free(bytes);
    free(again);
    image_free(&in);
    image_free(&out);
    image wide = { 70000, 1, calloc(70000, 3) };
    assert_false(image_encode_jpeg(&wide, 50, &bytes, &size, &err));
    assert_says(&err, "cannot make a JPEG of 70000 x 1");
    assert_null(bytes);
    free(wide.pixels);
}

/* ---- All of it ---- */

static const degradation bsr = { DEGRADE_BSR, 1, 0.6, 0.6, 1, 2, 25, 30, 95 };

static void draws_by_seed_epoch_and_sample(void **state)
{
    (void)state;
    enum { SIDE = 32, LOW = 8 };
    image in = noise(SIDE, SIDE, 9);
    uint8_t a[LOW * LOW * 3], b[LOW * LOW * 3], area[LOW * LOW * 3];
    const augment_dice dice = { 5, 2, 77, NULL, 0 },
                       others[3] = { { 6, 2, 77, NULL, 0 }, { 5, 3, 77, NULL, 0 }, { 5, 2, 78, NULL, 0 } };
    assert_true(degrade(&in, LOW, &bsr, &dice, a, NULL));
    assert_true(degrade(&in, LOW, &bsr, &dice, b, NULL));
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 3; ++i) {
        assert_true(degrade(&in, LOW, &bsr, &others[i], b, NULL));
        assert_memory_not_equal(a, b, sizeof a);
    }
    image small;
    assert_true(image_resize(&in, IMAGE_AREA, LOW, LOW, &small, NULL));
    degradation spared = bsr;
    spared.share = 0;
    assert_true(degrade(&in, LOW, &spared, &dice, area, NULL));
    assert_memory_equal(area, small.pixels, sizeof area);
    image_free(&small);
    image_free(&in);
}

/* Half of the samples are corrupted where the share is a half; a blur is that of the small picture. */
static void a_share_is_blurred(void **state)
{
    (void)state;
    enum { SIDE = 16, LOW = 8, SAMPLES = 200 };
    const degradation how = { DEGRADE_BLUR, 0.5, 0.6, 0.6, 1, 0, 0, 1, 1 };
    image in = noise(SIDE, SIDE, 3), small;
    assert_true(image_resize(&in, IMAGE_AREA, LOW, LOW, &small, NULL));
    field f;
    field_kernel k;
    uint8_t blurred[LOW * LOW * 3], out[LOW * LOW * 3];
    assert_true(field_read(&f, &small, NULL));
    field_kernel_gaussian(&k, 3, 0, 0, 0.36, 0.36, 0);
    assert_true(field_convolve(&f, &k, NULL));
    field_write(&f, blurred);
    int count = 0;
    for (uint32_t sample = 0; sample < SAMPLES; ++sample) {
        const augment_dice dice = { 5, 0, sample, NULL, 0 };
        assert_true(degrade(&in, LOW, &how, &dice, out, NULL));
        bool is = memcmp(out, blurred, sizeof out) == 0;
        if (!is) assert_memory_equal(out, small.pixels, sizeof out);
        count += is;
    }
    assert_in_range(count, SAMPLES * 2 / 5, SAMPLES * 3 / 5);
    field_free(&f);
    image_free(&small);
    image_free(&in);
}

/* Any scale, also one pixel out of many. */
static void every_scale_comes_out(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 64, 16 }, { 16, 4 }, { 4, 1 },  { 8, 4 },
                                    { 2, 1 },   { 24, 8 }, { 64, 8 }, { 6, 6 } };
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; ++n)
        for (uint32_t sample = 0; sample < 12; ++sample) {
            const augment_dice dice = { 1, 0, sample, NULL, 0 };
            image in = noise(sizes[n][0], sizes[n][0], sample);
            uint8_t *out = malloc((size_t)(sizes[n][1] * sizes[n][1] * 3));
            error err;
            if (!degrade(&in, sizes[n][1], &bsr, &dice, out, &err)) fail_msg("%s", err.message);
            free(out);
            image_free(&in);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blurs_as_a_plain_sum),
        cmocka_unit_test(kernels_are_gaussians),
        cmocka_unit_test(narrow_kernels_are_the_pixel),
        cmocka_unit_test(blur_is_pytorchs),
        cmocka_unit_test(resizes_as_a_plain_sum),
        cmocka_unit_test(thinning_keeps_every_other_pixel),
        cmocka_unit_test(orders_are_drawn),
        cmocka_unit_test(blur_kernels_are_drawn),
        cmocka_unit_test(widths_are_multiplied),
        cmocka_unit_test(shrinking_stays_in_place),
        cmocka_unit_test(noise_is_drawn),
        cmocka_unit_test(jpeg_goes_there_and_back),
        cmocka_unit_test(jpeg_is_written),
        cmocka_unit_test(draws_by_seed_epoch_and_sample),
        cmocka_unit_test(a_share_is_blurred),
        cmocka_unit_test(every_scale_comes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
