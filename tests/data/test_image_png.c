/* test_image_png.c -- a set of PNGs of every colour type, depth and interlacing, made here, whose pixels
 * are known; their cuts and flipped bits.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include <png.h>

typedef struct sample_png {
    int width, height, type, depth, interlace;
    bool transparent; /* a tRNS chunk */
} sample_png;

typedef struct memory {
    unsigned char bytes[1 << 17];
    size_t size;
} memory;

static void write_bytes(png_structp png, png_bytep from, size_t count)
{
    memory *m = png_get_io_ptr(png);
    assert_true(m->size + count <= sizeof m->bytes);
    memcpy(m->bytes + m->size, from, count);
    m->size += count;
}

static void flush(png_structp png)
{
    (void)png;
}

static int channels_of(int type)
{
    return type == PNG_COLOR_TYPE_RGB    ? 3
           : type == PNG_COLOR_TYPE_RGBA ? 4
           : type == PNG_COLOR_TYPE_GA   ? 2
                                         : 1;
}

/* A channel of a pixel, 0 to 2^depth - 1. */
static unsigned level(const sample_png *s, int x, int y, int c)
{
    unsigned mixed = (unsigned)(x * 7919 + y * 104729 + c * 1299709 + s->depth) * 2654435761u;
    return mixed >> (32 - s->depth);
}

static png_color colour(unsigned index)
{
    return (png_color){ (png_byte)(index * 37), (png_byte)(255 - index), (png_byte)(index * 101 + 5) };
}

/* Of palettes, what tRNS says of an index. */
static unsigned palette_alpha(unsigned index)
{
    return index < 3 ? index * 100 : 255;
}

static void write_rows(const sample_png *s, png_structp png)
{
    int channels = channels_of(s->type), passes = png_set_interlace_handling(png);
    png_byte row[64 * 8];
    for (int pass = 0; pass < passes; ++pass)
        for (int y = 0; y < s->height; ++y) {
            memset(row, 0, sizeof row);
            for (int i = 0; i < s->width * channels; ++i) {
                unsigned v = level(s, i / channels, y, i % channels);
                if (s->depth == 16) {
                    row[2 * i] = (png_byte)(v >> 8);
                    row[2 * i + 1] = (png_byte)v;
                } else {
                    int bit = i * s->depth;
                    row[bit / 8] |= (png_byte)(v << (8 - s->depth - bit % 8));
                }
            }
            png_write_row(png, row);
        }
}

static void write_png(const sample_png *s, memory *m)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[256];
    png_byte alpha[3] = { 0, 100, 200 };
    png_color_16 clear = { .red = (png_uint_16)level(s, 0, 0, 0),
                           .green = (png_uint_16)level(s, 0, 0, 1),
                           .blue = (png_uint_16)level(s, 0, 0, 2),
                           .gray = (png_uint_16)level(s, 0, 0, 0) };
    m->size = 0;
    png_set_write_fn(png, m, write_bytes, flush);
    png_set_IHDR(png, info, (png_uint_32)s->width, (png_uint_32)s->height, s->depth, s->type, s->interlace,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (unsigned i = 0; i < 256; ++i) palette[i] = colour(i);
    bool paletted = s->type == PNG_COLOR_TYPE_PALETTE;
    if (paletted) png_set_PLTE(png, info, palette, 1 << s->depth);
    if (s->transparent)
        png_set_tRNS(png, info, paletted ? alpha : NULL, paletted ? (s->depth == 1 ? 2 : 3) : 1,
                     paletted ? NULL : &clear);
    png_set_gAMA(png, info, 1.0); /* which changes nothing */
    png_set_cHRM(png, info, 0.31, 0.33, 0.7, 0.29, 0.2, 0.7, 0.14, 0.05);
    png_write_info(png, info);
    write_rows(s, png);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

static unsigned to_8_bits(const sample_png *s, unsigned v)
{
    unsigned most = (1u << s->depth) - 1;
    return (v * 255u + most / 2) / most;
}

/* Red, green, blue and alpha, of 8 bits. */
static void expected(const sample_png *s, int x, int y, unsigned rgba[4])
{
    unsigned v[4], clear = 1;
    for (int c = 0; c < 4; ++c) v[c] = c < channels_of(s->type) ? level(s, x, y, c) : 0;
    for (int c = 0; c < 3; ++c) clear &= c >= channels_of(s->type) || v[c] == level(s, 0, 0, c);
    rgba[3] = s->transparent && clear ? 0 : 255;
    switch (s->type) {
    case PNG_COLOR_TYPE_PALETTE:
        rgba[0] = colour(v[0]).red;
        rgba[1] = colour(v[0]).green;
        rgba[2] = colour(v[0]).blue;
        rgba[3] = s->transparent ? palette_alpha(v[0]) : 255;
        return;
    case PNG_COLOR_TYPE_GRAY:
    case PNG_COLOR_TYPE_GA:
        rgba[0] = rgba[1] = rgba[2] = to_8_bits(s, v[0]);
        if (s->type == PNG_COLOR_TYPE_GA) rgba[3] = to_8_bits(s, v[1]);
        return;
    default:
        for (int c = 0; c < channels_of(s->type); ++c) rgba[c] = to_8_bits(s, v[c]);
    }
}

static void check(const sample_png *s, const image_reading *how, const memory *m)
{
    image read;
    error err;
    if (!image_decode_as(m->bytes, m->size, "set", how, &read, &err)) fail_msg("%s", err.message);
    assert_int_equal(read.width, s->width);
    assert_int_equal(read.height, s->height);
    for (int y = 0; y < s->height; ++y)
        for (int x = 0; x < s->width; ++x) {
            unsigned rgba[4];
            expected(s, x, y, rgba);
            for (int c = 0; c < 3; ++c) {
                unsigned wanted = (rgba[c] * rgba[3] + how->background[c] * (255 - rgba[3]) + 127) / 255;
                unsigned got = read.pixels[(y * s->width + x) * 3 + c];
                if (got != wanted)
                    fail_msg("type %d, %d bits, interlace %d, tRNS %d, %d x %d: at %d, %d: %u, not %u",
                             s->type, s->depth, s->interlace, s->transparent, s->width, s->height, x, y, got,
                             wanted);
            }
        }
    image_free(&read);
}

static const struct {
    int type, depths[5];
    bool transparent; /* may have tRNS */
} types[] = {
    { PNG_COLOR_TYPE_GRAY, { 1, 2, 4, 8, 16 }, true }, { PNG_COLOR_TYPE_RGB, { 8, 16 }, true },
    { PNG_COLOR_TYPE_PALETTE, { 1, 2, 4, 8 }, true },  { PNG_COLOR_TYPE_GA, { 8, 16 }, false },
    { PNG_COLOR_TYPE_RGBA, { 8, 16 }, false },
};
enum { TYPES = sizeof types / sizeof *types };

static memory made;

static void every_type(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 2, 1 }, { 1, 3 },  { 4, 5 }, { 5, 4 },
                                    { 7, 9 }, { 8, 8 }, { 33, 6 }, { 9, 35 } };
    image_reading how = IMAGE_READING_DEFAULT;
    int files = 0;
    for (int t = 0; t < TYPES; ++t)
        for (int d = 0; d < 5 && types[t].depths[d]; ++d)
            for (int variant = 0; variant < 4; ++variant)
                for (size_t z = 0; z < sizeof sizes / sizeof *sizes; ++z) {
                    const sample_png s = { sizes[z][0],
                                           sizes[z][1],
                                           types[t].type,
                                           types[t].depths[d],
                                           variant & 1 ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                                           variant > 1 };
                    if (s.transparent && !types[t].transparent) continue;
                    how.background[1] = (uint8_t)(z * 30); /* stated colours, too */
                    write_png(&s, &made);
                    check(&s, &how, &made);
                    ++files;
                }
    assert_int_equal(files, 11 * 36 + 4 * 18);
}

static void cuts_and_flips(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int t = 0; t < TYPES; ++t) {
        const sample_png s = { 13,   11, types[t].type, 8, t % 2 ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                               false };
        write_png(&s, &made);
        image read;
        error err;
        for (size_t cut = 0; cut < made.size; ++cut) {
            assert_false(image_decode(made.bytes, cut, "cut", &read, &err));
            assert_true(err.code == ERROR_FORMAT && strncmp(err.message, "cut: ", 5) == 0);
        }
        for (int flip = 0; flip < 400; ++flip) {
            seed = seed * 1664525u + 1013904223u;
            size_t at = (seed >> 8) % made.size;
            uint8_t kept = made.bytes[at];
            made.bytes[at] ^= (uint8_t)(1u << (seed & 7));
            bool ok = image_decode(made.bytes, made.size, "flip", &read, &err);
            assert_true(ok ? read.width == 13 && read.height == 11 : strncmp(err.message, "flip: ", 6) == 0);
            image_free(&read);
            made.bytes[at] = kept;
        }
    }
}

static void colours_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t rgb[3];
    } good[] = { { "white", { 255, 255, 255 } },
                 { "black", { 0, 0, 0 } },
                 { "grey", { 128, 128, 128 } },
                 { "ffcc00", { 255, 204, 0 } },
                 { "0A0b0C", { 10, 11, 12 } } };
    static const char *const bad[] = { "", "red", "fff", "fffffff", "0x1234", "gggggg", " ffcc0", "white " };
    uint8_t rgb[3];
    error err;
    for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
        assert_true(image_parse_colour(good[i].text, rgb, &err));
        assert_memory_equal(rgb, good[i].rgb, 3);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        assert_false(image_parse_colour(bad[i], rgb, &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(cuts_and_flips),
        cmocka_unit_test(colours_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
