/* test_image_jpeg.c -- a set of JPEGs of every colour space, sub-sampling, process and restart interval, made
 * here; their cuts and flipped bits, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include <jpeglib.h>
#include <lcms2.h>

typedef struct sample_jpeg {
    int width, height;
    J_COLOR_SPACE from, to; /* what is given, what is stored */
    int across, down;       /* sampling of the first component */
    bool progressive, arithmetic, adobe;
    int restart; /* rows of blocks */
    const void *icc;
    unsigned icc_size;
} sample_jpeg;

typedef struct memory {
    unsigned char *bytes;
    unsigned long size;
} memory;

/* Soft enough that sub-sampled colours are close, too. */
static uint8_t level(const sample_jpeg *s, int x, int y, int c)
{
    (void)s;
    double at = (x * (3.0 + c) + y * (5.0 - c)) / 60;
    return (uint8_t)(128 + 90 * sin(at));
}

static int channels_of(J_COLOR_SPACE space)
{
    return space == JCS_GRAYSCALE ? 1 : space == JCS_CMYK ? 4 : 3;
}

static memory write_jpeg(const sample_jpeg *s)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    memory m = { 0 };
    uint8_t line[64 * 4];
    int channels = channels_of(s->from);
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &m.bytes, &m.size);
    jpeg.image_width = (JDIMENSION)s->width;
    jpeg.image_height = (JDIMENSION)s->height;
    jpeg.input_components = channels;
    jpeg.in_color_space = s->from;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, s->to);
    jpeg_set_quality(&jpeg, 96, TRUE);
    jpeg.comp_info[0].h_samp_factor = s->across;
    jpeg.comp_info[0].v_samp_factor = s->down;
    if (s->to == JCS_YCCK) {
        jpeg.comp_info[3].h_samp_factor = s->across;
        jpeg.comp_info[3].v_samp_factor = s->down;
    }
    if (s->progressive) jpeg_simple_progression(&jpeg);
    jpeg.arith_code = s->arithmetic;
    jpeg.restart_in_rows = s->restart;
    jpeg.write_Adobe_marker = s->adobe;
    jpeg_start_compress(&jpeg, TRUE);
    if (s->icc_size) jpeg_write_icc_profile(&jpeg, s->icc, s->icc_size);
    for (int y = 0; y < s->height; ++y) {
        JSAMPROW row = line;
        for (int i = 0; i < s->width * channels; ++i) line[i] = level(s, i / channels, y, i % channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return m;
}

static double expected(const sample_jpeg *s, int x, int y, int c)
{
    if (s->from == JCS_GRAYSCALE) return level(s, x, y, 0);
    if (s->from == JCS_RGB) return level(s, x, y, c);
    double ink = level(s, x, y, c), black = level(s, x, y, 3);
    return s->adobe ? ink * black / 255 : (255 - ink) * (255 - black) / 255;
}

static image decode(const sample_jpeg *s)
{
    memory m = write_jpeg(s);
    image read;
    error err;
    if (!image_decode(m.bytes, m.size, "set", &read, &err)) fail_msg("%s", err.message);
    free(m.bytes);
    return read;
}

static void check(const sample_jpeg *s, const image *read)
{
    double sum = 0, most = 0;
    assert_true(read->width == s->width && read->height == s->height);
    for (int i = 0; i < s->width * s->height * 3; ++i) {
        int pixel = i / 3;
        double apart = fabs(read->pixels[i] - expected(s, pixel % s->width, pixel / s->width, i % 3));
        sum += apart;
        most = apart > most ? apart : most;
    }
    if (sum / (s->width * s->height * 3) > 4 || most > 40)
        fail_msg("%d x %d, space %d, sampling %d x %d: %.1f levels apart, at most %.0f", s->width, s->height,
                 (int)s->to, s->across, s->down, sum / (s->width * s->height * 3), most);
}

/* The same coefficients, however they are packed, give the same picture. */
static void every_kind(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 7, 5 }, { 16, 16 }, { 33, 17 }, { 1, 40 }, { 41, 1 } };
    static const int samplings[][2] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 1 }, { 1, 2 } };
    static const struct {
        J_COLOR_SPACE from, to;
        bool adobe;
    } spaces[] = { { JCS_RGB, JCS_YCbCr, false },           { JCS_RGB, JCS_RGB, true },
                   { JCS_GRAYSCALE, JCS_GRAYSCALE, false }, { JCS_CMYK, JCS_CMYK, true },
                   { JCS_CMYK, JCS_CMYK, false },           { JCS_CMYK, JCS_YCCK, true } };
    for (size_t i = 0; i < 6; ++i)
        for (size_t k = 0; k < 5; ++k)
            for (size_t z = 0; z < 6; ++z) {
                bool shared =
                    spaces[i].to == JCS_YCbCr || spaces[i].to == JCS_YCCK; /* colours are sub-sampled */
                sample_jpeg s = { sizes[z][0],     sizes[z][1],     spaces[i].from,          spaces[i].to,
                                  samplings[k][0], samplings[k][1], .adobe = spaces[i].adobe };
                if (!shared && k > 0) continue;
                image plain = decode(&s);
                check(&s, &plain);
                for (int packing = 1; packing < 8; ++packing) {
                    s.progressive = packing & 1;
                    s.arithmetic = packing & 2;
                    s.restart = packing & 4 ? 1 : 0;
                    image other = decode(&s);
                    assert_same_image(&plain, &other);
                    image_free(&other);
                }
                image_free(&plain);
            }
}

/* Whatever else standard error gets while `work` runs is a fault. */
static void in_silence(void (*work)(void))
{
    char path[] = "dalle-jpeg-XXXXXX";
    int file = mkstemp(path), kept = dup(2);
    assert_true(file >= 0 && kept >= 0);
    fflush(stderr);
    dup2(file, 2);
    work();
    fflush(stderr);
    dup2(kept, 2);
    assert_int_equal(lseek(file, 0, SEEK_END), 0);
    close(kept);
    close(file);
    unlink(path);
}

static const sample_jpeg torn[] = {
    { 37, 29, JCS_RGB, JCS_YCbCr, 2, 2 },
    { 37, 29, JCS_RGB, JCS_YCbCr, 2, 2, .progressive = true, .restart = 1 },
    { 37, 29, JCS_RGB, JCS_YCbCr, 2, 1, .arithmetic = true },
    { 19, 23, JCS_CMYK, JCS_YCCK, 2, 2, .adobe = true, .restart = 1 },
};

/* A picture that ends early is none, however much of it there is. */
static void cut_anywhere(void)
{
    for (size_t i = 0; i < sizeof torn / sizeof *torn; ++i) {
        memory m = write_jpeg(&torn[i]);
        for (size_t cut = 0; cut < m.size; ++cut) {
            image read;
            error err;
            unsigned char *piece = malloc(cut + 1); /* of its own, so that reading on is seen */
            memcpy(piece, m.bytes, cut);
            if (image_decode(piece, cut, "cut", &read, &err)) fail_msg("%zu of %lu bytes", cut, m.size);
            assert_true(err.code == ERROR_FORMAT && strncmp(err.message, "cut: ", 5) == 0);
            free(piece);
        }
        free(m.bytes);
    }
}

static void flip_bits(void)
{
    uint32_t seed = 11;
    for (size_t i = 0; i < sizeof torn / sizeof *torn; ++i) {
        memory m = write_jpeg(&torn[i]);
        for (int flip = 0; flip < 500; ++flip) {
            seed = seed * 1664525u + 1013904223u;
            size_t at = 3 + (seed >> 8) % (m.size - 3);
            uint8_t kept = m.bytes[at];
            m.bytes[at] ^= (uint8_t)(1u << (seed & 7));
            image read;
            error err;
            image_reading how = IMAGE_READING_DEFAULT;
            how.max_pixels = 1 << 20; /* sizes may be flipped, too */
            bool ok = image_decode_as(m.bytes, m.size, "flip", &how, &read, &err);
            assert_true(ok ? read.width > 0 : strncmp(err.message, "flip: ", 6) == 0);
            image_free(&read);
            m.bytes[at] = kept;
        }
        free(m.bytes);
    }
}

static void torture(void **state)
{
    (void)state;
    in_silence(cut_anywhere);
    in_silence(flip_bits);
}

static void refuses(const memory *m, const char *says)
{
    image read;
    error err;
    assert_false(image_decode(m->bytes, m->size, "odd", &read, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_says(&err, says);
}

static unsigned char *find(const memory *m, int marker)
{
    const unsigned char mark[2] = { 0xff, (unsigned char)marker };
    unsigned char *at = memmem(m->bytes, m->size, mark, 2);
    assert_non_null(at);
    return at;
}

static void other_processes(void **state)
{
    (void)state;
    memory m = write_jpeg(&torn[0]);
    unsigned char *frame = find(&m, 0xc0);
    frame[4] = 12;
    refuses(&m, "precision 12");
    frame[4] = 8;
    frame[1] = 0xc3; /* lossless */
    refuses(&m, "Unsupported JPEG process");
    free(m.bytes);
}

/* The first scan of a progressive picture, again and again. */
static void too_many_scans(void **state)
{
    (void)state;
    enum { TIMES = 600 };
    const sample_jpeg s = { 37, 29, JCS_RGB, JCS_YCbCr, 2, 2, .progressive = true };
    memory m = write_jpeg(&s), bomb;
    unsigned char *scan = find(&m, 0xda);
    unsigned char *next = memmem(scan, (size_t)(m.bytes + m.size - scan), "\xff\xc4", 2);
    assert_non_null(next);
    size_t head = (size_t)(scan - m.bytes), length = (size_t)(next - scan), rest = m.size - head - length;
    bomb.size = head + length * TIMES + rest;
    unsigned char *to = bomb.bytes = malloc(bomb.size);
    memcpy(to, m.bytes, head);
    for (int i = 0; i < TIMES; ++i) memcpy(to + head + (size_t)i * length, scan, length);
    memcpy(to + head + TIMES * length, next, rest);
    refuses(&bomb, "more than 500 scans");
    free(bomb.bytes);
    free(m.bytes);
}

/* A profile of several markers is put together; one that lacks a part is none. */
static void long_profiles(void **state)
{
    (void)state;
    cmsCIExyY white = { 0.3127, 0.329, 1 };
    cmsCIExyYTRIPLE primaries = { { 0.64, 0.33, 1 }, { 0.3, 0.6, 1 }, { 0.15, 0.06, 1 } };
    cmsToneCurve *line = cmsBuildGamma(NULL, 1.0), *lines[3] = { line, line, line };
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, lines);
    static unsigned char icc[150000];
    cmsUInt32Number size = sizeof icc;
    assert_true(cmsSaveProfileToMem(profile, icc, &size));
    cmsCloseProfile(profile);
    cmsFreeToneCurve(line);
    sample_jpeg s = { 20, 20, JCS_RGB, JCS_YCbCr, 1, 1 };
    image plain = decode(&s), converted, lacking;
    s.icc = icc;
    s.icc_size = sizeof icc;
    memory m = write_jpeg(&s);
    assert_true(image_decode(m.bytes, m.size, "linear", &converted, NULL));
    /* Light of a half is level 188. */
    for (int i = 0; i < 20 * 20 * 3; ++i) {
        double light = plain.pixels[i] / 255.0;
        double wanted = 255 * (1.055 * pow(light, 1 / 2.4) - 0.055);
        if (light > 0.1) assert_true(fabs(converted.pixels[i] - wanted) <= 2);
    }
    unsigned char *second = memmem(find(&m, 0xe2) + 2, 80000, "\xff\xe2", 2);
    second[1] = 0xe3;
    assert_true(image_decode(m.bytes, m.size, "lacking", &lacking, NULL));
    assert_same_image(&plain, &lacking);
    image_free(&plain);
    image_free(&converted);
    image_free(&lacking);
    free(m.bytes);
}

/* At a half, a quarter, an eighth where that is enough; close to the whole picture's mean. */
static void shrunk(void **state)
{
    (void)state;
    const sample_jpeg s = { 64, 48, JCS_RGB, JCS_YCbCr, 2, 2 };
    static const int cases[][2] = {
        { 49, 1 }, { 48, 1 }, { 25, 1 }, { 24, 2 }, { 12, 4 }, { 7, 4 }, { 6, 8 }
    };
    memory m = write_jpeg(&s);
    image whole = decode(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        image_reading how = IMAGE_READING_DEFAULT;
        image read, mean;
        int by = cases[i][1], apart = 0;
        how.enough = cases[i][0];
        assert_true(image_decode_as(m.bytes, m.size, "shrunk", &how, &read, NULL));
        assert_int_equal(read.width, 64 / by);
        assert_int_equal(read.height, 48 / by);
        assert_true(image_resize_area(&whole, read.width, read.height, false, &mean, NULL));
        for (int p = 0; p < read.width * read.height * 3; ++p) apart += abs(read.pixels[p] - mean.pixels[p]);
        assert_true(apart <= 4 * read.width * read.height * 3);
        image_free(&read);
        image_free(&mean);
    }
    image_free(&whole);
    free(m.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),     cmocka_unit_test(torture),       cmocka_unit_test(other_processes),
        cmocka_unit_test(too_many_scans), cmocka_unit_test(long_profiles), cmocka_unit_test(shrunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
