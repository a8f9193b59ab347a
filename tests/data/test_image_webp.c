/* test_image_webp.c -- WebP: lossless, lossy, with alpha, animated, turned; cuts and flipped bits.  Files
 * beyond what the encoder writes are put together here, chunk by chunk.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include <webp/encode.h>

typedef struct memory {
    uint8_t bytes[1 << 16];
    size_t size;
} memory;

static void put(memory *m, const void *bytes, size_t size)
{
    assert_true(m->size + size <= sizeof m->bytes);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void put_number(memory *m, size_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i) put(m, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

static void put_chunk(memory *m, const char *name, const void *bytes, size_t size)
{
    put(m, name, 4);
    put_number(m, size, 4);
    put(m, bytes, size);
    if (size % 2) put(m, "", 1);
}

/* A file of what `chunks` holds. */
static void wrap(memory *m, const memory *chunks)
{
    m->size = 0;
    put(m, "RIFF", 4);
    put_number(m, chunks->size + 4, 4);
    put(m, "WEBP", 4);
    put(m, chunks->bytes, chunks->size);
}

enum { ANIMATED = 2, EXIF = 8, ALPHA = 16 };

static void put_head(memory *m, int flags, int width, int height)
{
    memory head = { .size = 0 };
    put_number(&head, (size_t)flags, 4);
    put_number(&head, (size_t)width - 1, 3);
    put_number(&head, (size_t)height - 1, 3);
    put_chunk(m, "VP8X", head.bytes, head.size);
}

/* The encoder's file without loss, of pixels of `channels` bytes. */
static void encode(memory *m, const uint8_t *pixels, int width, int height, int channels)
{
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter writer;
    assert_true(WebPConfigInit(&config) && WebPPictureInit(&picture));
    config.lossless = config.exact = 1;
    picture.use_argb = 1;
    picture.width = width;
    picture.height = height;
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    assert_true(channels == 3 ? WebPPictureImportRGB(&picture, pixels, width * 3)
                              : WebPPictureImportRGBA(&picture, pixels, width * 4));
    assert_true(WebPEncode(&config, &picture));
    m->size = 0;
    put(m, writer.mem, writer.size);
    WebPMemoryWriterClear(&writer);
    WebPPictureFree(&picture);
}

static image decode(const memory *m, const image_reading *how)
{
    image read;
    error err;
    if (!image_decode_as(m->bytes, m->size, "set", how, &read, &err)) fail_msg("%s", err.message);
    return read;
}

static memory file, chunks, inner;
enum { WIDTH = 13, HEIGHT = 9 };

static void lossless(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 1, 7 }, { 40, 1 }, { 13, 9 } };
    for (size_t i = 0; i < 4; ++i) {
        image made = noise(sizes[i][0], sizes[i][1], 3);
        encode(&file, made.pixels, made.width, made.height, 3);
        image read = decode(&file, NULL);
        assert_same_image(&made, &read);
        image_free(&made);
        image_free(&read);
    }
}

static void lossy(void **state)
{
    (void)state;
    image soft;
    uint8_t *bytes = NULL;
    int apart = 0;
    assert_true(image_create(&soft, 64, 48, NULL));
    for (int i = 0; i < 64 * 48 * 3; ++i)
        soft.pixels[i] = (uint8_t)(128 + 80 * sin(i / 3 % 64 * 0.05 + i / 192 * 0.04 + i % 3));
    file.size = 0;
    size_t size = WebPEncodeRGB(soft.pixels, 64, 48, 64 * 3, 95, &bytes);
    put(&file, bytes, size);
    WebPFree(bytes);
    image read = decode(&file, NULL);
    for (int i = 0; i < 64 * 48 * 3; ++i) apart += abs(soft.pixels[i] - read.pixels[i]);
    assert_true(apart < 4 * 64 * 48 * 3);
    image_free(&soft);
    image_free(&read);
}

static void make_rgba(uint8_t rgba[WIDTH * HEIGHT * 4])
{
    image noisy = noise(WIDTH * 2, HEIGHT, 9);
    memcpy(rgba, noisy.pixels, WIDTH * HEIGHT * 4);
    image_free(&noisy);
    rgba[3] = 0;
    rgba[7] = 255;
}

static void assert_over(const image *read, int x, int y, const uint8_t *rgba, const uint8_t background[3])
{
    for (int c = 0; c < 3; ++c) {
        int wanted = (rgba[c] * rgba[3] + background[c] * (255 - rgba[3]) + 127) / 255;
        assert_int_equal(read->pixels[(y * read->width + x) * 3 + c], wanted);
    }
}

static void alpha(void **state)
{
    (void)state;
    uint8_t rgba[WIDTH * HEIGHT * 4];
    image_reading how = IMAGE_READING_DEFAULT;
    make_rgba(rgba);
    encode(&file, rgba, WIDTH, HEIGHT, 4);
    for (int round = 0; round < 2; ++round) {
        image read = decode(&file, &how);
        for (int i = 0; i < WIDTH * HEIGHT; ++i)
            assert_over(&read, i % WIDTH, i / WIDTH, rgba + 4 * i, how.background);
        image_free(&read);
        memcpy(how.background, (uint8_t[]){ 10, 200, 90 }, 3);
    }
}

/* A frame at 4, 2 of a canvas of 40 x 30, and another that does not count. */
static void make_animation(const uint8_t *rgba)
{
    chunks.size = 0;
    put_head(&chunks, ANIMATED | ALPHA, 40, 30);
    put_chunk(&chunks, "ANIM", "\xff\xff\xff\xff\0\0", 6);
    for (int frame = 0; frame < 2; ++frame) {
        encode(&file, rgba, WIDTH, HEIGHT, 4);
        inner.size = 0;
        put_number(&inner, frame ? 0 : 2, 3); /* in pairs of pixels */
        put_number(&inner, frame ? 0 : 1, 3);
        put_number(&inner, WIDTH - 1, 3);
        put_number(&inner, HEIGHT - 1, 3);
        put_number(&inner, 100, 3);
        put_number(&inner, 2, 1);
        put(&inner, file.bytes + 12, file.size - 12);
        put_chunk(&chunks, "ANMF", inner.bytes, inner.size);
    }
    wrap(&file, &chunks);
}

static void animated(void **state)
{
    (void)state;
    uint8_t rgba[WIDTH * HEIGHT * 4], nothing[4] = { 0 };
    image_reading how = IMAGE_READING_DEFAULT;
    make_rgba(rgba);
    make_animation(rgba);
    memcpy(how.background, (uint8_t[]){ 1, 2, 3 }, 3);
    image read = decode(&file, &how);
    assert_true(read.width == 40 && read.height == 30);
    for (int y = 0; y < 30; ++y)
        for (int x = 0; x < 40; ++x) {
            bool inside = x >= 4 && x < 4 + WIDTH && y >= 2 && y < 2 + HEIGHT;
            assert_over(&read, x, y, inside ? rgba + ((y - 2) * WIDTH + x - 4) * 4 : nothing, how.background);
        }
    image_free(&read);
}

/* With the mark before the block and without. */
static void turned(void **state)
{
    (void)state;
    static const uint8_t exif[32] = { 'E',  'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                                      0x01, 0x12, 0,   3,   0, 0, 0,   1,   0, 6,  0, 0, 0, 0, 0, 0 };
    image made = noise(WIDTH, HEIGHT, 5);
    for (int marked = 0; marked < 2; ++marked) {
        encode(&inner, made.pixels, WIDTH, HEIGHT, 3);
        chunks.size = 0;
        put_head(&chunks, EXIF, WIDTH, HEIGHT);
        put(&chunks, inner.bytes + 12, inner.size - 12);
        put_chunk(&chunks, "EXIF", exif + (marked ? 0 : 6), marked ? 32 : 26);
        wrap(&file, &chunks);
        image read = decode(&file, NULL);
        assert_true(read.width == HEIGHT && read.height == WIDTH);
        for (int y = 0; y < WIDTH; ++y)
            for (int x = 0; x < HEIGHT; ++x)
                assert_memory_equal(read.pixels + (y * HEIGHT + x) * 3,
                                    made.pixels + ((HEIGHT - 1 - x) * WIDTH + y) * 3, 3);
        image_free(&read);
    }
    image_free(&made);
}

static void torture(const memory *whole)
{
    static memory torn;
    uint32_t seed = 5;
    image read;
    error err;
    for (size_t cut = 0; cut < whole->size; ++cut) {
        uint8_t *piece = malloc(cut + 1); /* of its own, so that reading on is seen */
        memcpy(piece, whole->bytes, cut);
        assert_false(image_decode(piece, cut, "cut", &read, &err));
        assert_true(err.code == ERROR_FORMAT && strncmp(err.message, "cut: ", 5) == 0);
        free(piece);
    }
    for (int flip = 0; flip < 1000; ++flip) {
        seed = seed * 1664525u + 1013904223u;
        torn = *whole;
        torn.bytes[(seed >> 8) % torn.size] ^= (uint8_t)(1u << (seed & 7));
        image_reading how = IMAGE_READING_DEFAULT;
        how.max_pixels = 1 << 20; /* sizes may be flipped, too */
        bool ok = image_decode_as(torn.bytes, torn.size, "flip", &how, &read, &err);
        assert_true(ok ? read.width > 0 : strncmp(err.message, "flip: ", 6) == 0);
        image_free(&read);
    }
}

static void cuts_and_flips(void **state)
{
    (void)state;
    uint8_t rgba[WIDTH * HEIGHT * 4];
    make_rgba(rgba);
    encode(&file, rgba, WIDTH, HEIGHT, 4);
    torture(&file);
    make_animation(rgba);
    torture(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless), cmocka_unit_test(lossy),  cmocka_unit_test(alpha),
        cmocka_unit_test(animated), cmocka_unit_test(turned), cmocka_unit_test(cuts_and_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
