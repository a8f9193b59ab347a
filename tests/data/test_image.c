/* test_image.c -- reading, writing, resizing, sheets, and bytes that are no picture.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/grid.h"
#include "data/label.h"

#include <jpeglib.h>
#include <png.h>

static void png_round_trip(void **state)
{
    (void)state;
    room r = room_create();
    static const int sides[][2] = { { 1, 1 }, { 1, 7 }, { 13, 5 }, { 64, 64 } };
    for (size_t i = 0; i < 4; ++i) {
        image made = noise(sides[i][0], sides[i][1], 3), read;
        error err;
        assert_true(image_write_png(&made, at(&r, "a.png"), &err));
        assert_true(image_read(at(&r, "a.png"), &read, &err));
        assert_same_image(&made, &read);
        image_free(&made);
        image_free(&read);
    }
    room_remove(&r);
}

/* One pixel row in any PNG format, through libpng's simple interface. */
static void read_format(unsigned format, const void *pixels, int width, uint8_t *rgb)
{
    png_image simple = {
        .version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = 1, .format = format
    };
    char bytes[4096];
    png_alloc_size_t size = sizeof bytes;
    assert_true(png_image_write_to_memory(&simple, bytes, &size, 0, pixels, 0, NULL));
    image read;
    assert_true(image_decode(bytes, size, "format", &read, NULL));
    memcpy(rgb, read.pixels, (size_t)width * 3);
    image_free(&read);
}

static void transparent_and_grey_png(void **state)
{
    (void)state;
    uint8_t rgb[9];
    const uint8_t rgba[12] = { 200, 100, 0, 255, 200, 100, 0, 0, 100, 0, 200, 128 };
    read_format(PNG_FORMAT_RGBA, rgba, 3, rgb);
    const uint8_t expected[9] = { 200, 100, 0, 255, 255, 255, 177, 127, 227 };
    assert_memory_equal(rgb, expected, 9);
    const uint8_t grey[3] = { 0, 77, 255 };
    read_format(PNG_FORMAT_GRAY, grey, 3, rgb);
    const uint8_t greys[9] = { 0, 0, 0, 77, 77, 77, 255, 255, 255 };
    assert_memory_equal(rgb, greys, 9);
}

/* A flat JPEG of `channels` bytes a pixel, to be freed. */
static unsigned char *make_jpeg(J_COLOR_SPACE space, int channels, const uint8_t *colour, unsigned long *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned char *bytes = NULL;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, size);
    jpeg.image_width = jpeg.image_height = 24;
    jpeg.input_components = channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t row[24 * 4];
    for (int i = 0; i < 24 * channels; ++i) row[i] = colour[i % channels];
    JSAMPROW rows = row;
    for (int y = 0; y < 24; ++y) jpeg_write_scanlines(&jpeg, &rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return bytes;
}

static void jpeg_colours(void **state)
{
    (void)state;
    static const struct {
        J_COLOR_SPACE space;
        int channels;
        uint8_t colour[4], rgb[3];
    } cases[] = {
        { JCS_RGB, 3, { 180, 90, 30 }, { 180, 90, 30 } },
        { JCS_GRAYSCALE, 1, { 66 }, { 66, 66, 66 } },
        { JCS_CMYK, 4, { 255, 128, 64, 200 }, { 200, 100, 50 } }, /* libjpeg marks it as Adobe's: inverted */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        unsigned long size = 0;
        unsigned char *bytes = make_jpeg(cases[i].space, cases[i].channels, cases[i].colour, &size);
        image read;
        error err;
        assert_true(image_decode(bytes, size, "a.jpg", &read, &err));
        assert_int_equal(read.width, 24);
        for (int c = 0; c < 3; ++c) assert_in_range(read.pixels[c] + 3, cases[i].rgb[c], cases[i].rgb[c] + 6);
        image_free(&read);
        assert_false(image_decode(bytes, size / 2, "cut.jpg", &read, &err));
        assert_says(&err, "cut.jpg");
        assert_null(read.pixels);
        free(bytes);
    }
}

static void rubbish_is_refused(void **state)
{
    (void)state;
    image made = noise(30, 30, 1), read;
    error err;
    void *png;
    size_t size;
    assert_true(image_encode_png(&made, &png, &size, NULL));
    image_free(&made);
    unsigned char *bytes = png;
    for (size_t length = 0; length < size; length += length < 64 ? 1 : 101) {
        assert_false(image_decode(bytes, length, "cut.png", &read, &err));
        assert_null(read.pixels);
    }
    bytes[size / 2] ^= 0x55;
    assert_false(image_decode(bytes, size, "flipped.png", &read, &err));
    bytes[18] = 0x4e; /* width 20,000 and something: refused by its header */
    bytes[19] = 0x20;
    assert_false(image_decode(bytes, size, "wide.png", &read, &err));
    assert_says(&err, "20000 x 30");
    bytes[16] = 0xff;
    assert_false(image_decode(bytes, size, "wide.png", &read, &err));
    memset(bytes + 16, 0, 8);
    assert_false(image_decode(bytes, size, "flat.png", &read, &err));
    assert_says(&err, "no pixels");
    free(png);
    assert_false(image_decode("some text", 9, "a.png", &read, &err));
    assert_says(&err, "a.png: neither PNG, JPEG nor WebP; it starts with 'some text'");
    assert_false(image_decode("\x00\x01", 2, "b", &read, &err));
    assert_says(&err, "starts with 00 01");
    assert_false(image_read("does/not/exist.png", &read, &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_false(image_create(&read, 16000, 16000, &err));
}

/* The texts of a PNG, "keyword=text|...": plain ones and those in UTF-8, which have four further fields. */
static void texts_of(const unsigned char *png, size_t size, char out[2000])
{
    *out = '\0';
    for (size_t at = 8; at + 12 <= size;) {
        size_t length =
            (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 | (size_t)png[at + 2] << 8 | png[at + 3];
        const char *body = (const char *)png + at + 8;
        bool plain = memcmp(png + at + 4, "tEXt", 4) == 0, wide = memcmp(png + at + 4, "iTXt", 4) == 0;
        size_t key = plain || wide ? strlen(body) + 1 : 0, skip = wide ? key + 4 : key, used = strlen(out);
        assert_true(used + length < 1900);
        if (plain || wide)
            snprintf(out + used, 2000 - used, "%s:%s=%.*s|", plain ? "p" : "w", body, (int)(length - skip),
                     body + skip);
        at += length + 12;
    }
}

static void texts_stand_before_the_pixels(void **state)
{
    (void)state;
    image made = noise(5, 4, 1), read;
    error err;
    void *png, *plain;
    size_t size, plain_size;
    char found[2000], longest[81];
    image_text texts[] = {
        { "Description", "a red square" }, { "lines", "1\n2\n3" }, { "name", "caf\xc3\xa9" }, { "empty", "" }
    };
    assert_true(image_encode_png_texts(&made, texts, 4, &png, &size, &err));
    texts_of(png, size, found);
    assert_string_equal(found, "p:Description=a red square|p:lines=1\n2\n3|w:name=caf\xc3\xa9|p:empty=|");
    assert_true(image_decode(png, size, "texts", &read, &err));
    assert_memory_equal(read.pixels, made.pixels, 5 * 4 * 3);
    image_free(&read);
    free(png);
    assert_true(image_encode_png_texts(&made, NULL, 0, &png, &size, &err));
    assert_true(image_encode_png(&made, &plain, &plain_size, &err));
    assert_int_equal(size, plain_size);
    assert_memory_equal(png, plain, size);
    free(png);
    free(plain);
    memset(longest, 'k', 80);
    longest[80] = '\0';
    const image_text bad[] = { { "", "a" },      { NULL, "a" },   { " a", "a" },
                               { "a ", "a" },    { "a  b", "a" }, { "\xc3\xa9", "a" },
                               { longest, "a" }, { "a", "\xff" }, { "a", NULL } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        assert_false(image_encode_png_texts(&made, &bad[i], 1, &png, &size, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_null(png);
    }
    assert_true(image_encode_png_texts(&made, &(image_text){ longest + 1, "a" }, 1, &png, &size, &err));
    free(png);
    image_free(&made);
}

static void other_content_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *name;
    } cases[] = {
        { "GIF89a......", 12,
          "a GIF picture; PNG, JPEG and WebP are read: convert it, as by 'convert IN OUT.png'" },
        { "BM......\0\0\0\0..\x28\0\0\0......", 24, "a BMP picture" },
        { "II*\0....", 8, "a TIFF picture" },
        { "MM\0*....", 8, "a TIFF picture" },
        { "\0\0\0\x18"
          "ftypheic",
          12, "a HEIC picture; PNG, JPEG and WebP are read: convert it, as by 'heif-convert IN OUT.png'" },
        { "RIFF\x10\0\0\0AVI LIST", 16, "a video" },
        { "qoif....", 8, "a QOI picture" },
        { "\x89PNG\n\x1a\n", 7, "a PNG whose line ends were changed" },
        { "\0\0\0\x18"
          "ftypmif1",
          12, "a HEIF picture" },
        { "\0\0\0\x18"
          "ftypavif",
          12, "an AVIF picture" },
        { "\0\0\0\x18"
          "ftypisom",
          12, "a video" },
        { "\0\0\0\x0cJXL \r\n\x87\n", 12, "a JPEG XL picture" },
        { "\0\0\0\x0cjP  \r\n\x87\n", 12, "a JPEG 2000 picture" },
        { "\n  <!DOCTYPE html><p>404", 25, "HTML, a web page" },
        { "<?xml version='1.0'?><svg>", 26,
          "an SVG drawing; PNG, JPEG and WebP are read: convert it, as by 'rsvg-convert" },
        { "<?xml version='1.0'?><a/>", 25, "XML" },
        { "P6\n1 1\n255\n...", 14, "a Netpbm picture" },
        { "version https://git-lfs.github.com/spec/v1", 42, "a Git LFS pointer" },
        { "\0\0\0\0\0\0\0\0\0\0", 10, "nothing but zeros" },
    };
    image read;
    error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char says[160];
        assert_false(image_decode(cases[i].bytes, cases[i].size, "x.jpg", &read, &err));
        snprintf(says, sizeof says, "x.jpg: is %s", cases[i].name);
        assert_says(&err, says);
        assert_int_equal(err.code, ERROR_FORMAT);
        for (size_t cut = 1; cut < cases[i].size; ++cut) /* never more than there is */
            assert_false(image_decode(cases[i].bytes, cut, "x.jpg", &read, &err));
    }
    assert_false(image_decode("BM is how this text begins, no bitmap", 37, "x.jpg", &read, &err));
    assert_says(&err, "it starts with 'BM is how th'");
}

static void area_means(void **state)
{
    (void)state;
    image in = noise(12, 8, 5), out, back;
    assert_true(image_resize_area(&in, 6, 4, false, &out, NULL));
    for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 6; ++x)
            for (int c = 0; c < 3; ++c) {
                int sum = 0;
                for (int k = 0; k < 4; ++k) sum += in.pixels[((2 * y + k / 2) * 12 + 2 * x + k % 2) * 3 + c];
                assert_true(fabs(out.pixels[(y * 6 + x) * 3 + c] - sum / 4.0) <= 0.501);
            }
    image_free(&out);
    assert_true(image_resize_area(&in, 12, 8, true, &back, NULL));
    assert_same_image(&in, &back);
    image_free(&back);
    assert_true(image_resize_lanczos(&in, 12, 8, &back, NULL));
    assert_same_image(&in, &back);
    image_free(&back);
    image_free(&in);
}

/* The formula of TensorFlow's ResizeArea in double precision, one pixel at a time. */
static double area_reference(const image *in, int side, int x, int y, int c)
{
    double sx = (double)(in->width - 1) / (side - 1), sy = (double)(in->height - 1) / (side - 1), sum = 0;
    for (int j = (int)floor(y * sy); j < (int)ceil((y + 1) * sy); ++j)
        for (int i = (int)floor(x * sx); i < (int)ceil((x + 1) * sx); ++i) {
            double wide = fmin(i + 1, (x + 1) * sx) - fmax(i, x * sx);
            double high = fmin(j + 1, (y + 1) * sy) - fmax(j, y * sy);
            int column = i < in->width ? i : in->width - 1, row = j < in->height ? j : in->height - 1;
            sum += wide * high * in->pixels[(row * in->width + column) * 3 + c];
        }
    return sum / (sx * sy);
}

static void area_with_aligned_corners(void **state)
{
    (void)state;
    static const int sides[] = { 2, 5, 17, 23, 40 };
    image in = noise(23, 31, 6), out;
    for (size_t s = 0; s < 5; ++s) {
        int side = sides[s];
        assert_true(image_resize_area(&in, side, side, true, &out, NULL));
        for (int y = 0; y < side; ++y)
            for (int x = 0; x < side; ++x)
                for (int c = 0; c < 3; ++c)
                    assert_true(fabs(out.pixels[(y * side + x) * 3 + c] -
                                     area_reference(&in, side, x, y, c)) <= 0.51);
        image_free(&out);
    }
    image_free(&in);
}

static void fit_keeps_flat_colours(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 100, 37 }, { 37, 100 }, { 9, 9 }, { 1, 3 } };
    for (size_t i = 0; i < 4; ++i) {
        image in, out;
        assert_true(image_create(&in, sizes[i][0], sizes[i][1], NULL));
        memset(in.pixels, 90, (size_t)in.width * (size_t)in.height * 3);
        assert_true(image_fit(&in, 32, &out, NULL));
        assert_int_equal(out.width, 32);
        assert_int_equal(out.height, 32);
        for (int p = 0; p < 32 * 32 * 3; ++p) assert_int_equal(out.pixels[p], 90);
        image_free(&in);
        image_free(&out);
    }
    image thin, out;
    error err;
    assert_true(image_create(&thin, 1, 5000, NULL));
    assert_false(image_fit(&thin, 256, &out, &err));
    image_free(&thin);
}

static void cut_flip_paste(void **state)
{
    (void)state;
    image in = noise(9, 6, 2), part, copy;
    assert_true(image_crop(&in, 0, 0, 9, 6, &copy, NULL));
    image_flip(&copy);
    for (int c = 0; c < 3; ++c) assert_int_equal(copy.pixels[c], in.pixels[8 * 3 + c]);
    image_flip(&copy);
    assert_same_image(&in, &copy);
    assert_true(image_crop(&in, 2, 1, 4, 3, &part, NULL));
    assert_memory_equal(part.pixels, in.pixels + (1 * 9 + 2) * 3, 12);
    image_paste(&copy, &part, -2, -1);
    image_paste(&copy, &part, 7, 5);
    image_paste(&copy, &part, 100, 100);
    assert_memory_equal(copy.pixels, in.pixels + (2 * 9 + 4) * 3, 6);
    image_free(&in);
    image_free(&part);
    image_free(&copy);
}

static void sheets(void **state)
{
    (void)state;
    image pictures[5], plain, labelled;
    for (int i = 0; i < 5; ++i) pictures[i] = noise(40, 30, (uint32_t)i);
    error err;
    assert_true(grid_make(pictures, 5, 0, 2, NULL, &plain, &err));
    assert_int_equal(plain.width, 2 + 3 * 42);
    assert_int_equal(plain.height, 2 + 2 * 32);
    const char *captions[5] = { "one", "a rather long caption that wraps", NULL, "",
                                "bad \xff byte \xe2\x82\xac" };
    assert_true(grid_make(pictures, 5, 0, 2, captions, &labelled, &err));
    assert_int_equal(labelled.width, plain.width);
    label_font *font = label_font_open(11);
    if (font) {
        assert_true(labelled.height > plain.height);
        assert_true(label_height(font, "two words", 30) > label_height(font, "two", 30));
        assert_int_equal(label_height(font, "", 30), 0);
        assert_true(label_height(font, "wwwwwwww", 1) >= 8 * 11);
        assert_true(label_height(font, " \n  \n x  ", 20) > 0);
    }
    label_font_close(font);
    image_free(&plain);
    assert_false(grid_make(pictures, 0, 0, 2, NULL, &plain, &err));
    for (int i = 0; i < 5; ++i) image_free(&pictures[i]);
    image_free(&labelled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_round_trip),
        cmocka_unit_test(transparent_and_grey_png),
        cmocka_unit_test(jpeg_colours),
        cmocka_unit_test(rubbish_is_refused),
        cmocka_unit_test(texts_stand_before_the_pixels),
        cmocka_unit_test(other_content_is_named),
        cmocka_unit_test(area_means),
        cmocka_unit_test(area_with_aligned_corners),
        cmocka_unit_test(fit_keeps_flat_colours),
        cmocka_unit_test(cut_flip_paste),
        cmocka_unit_test(sheets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
