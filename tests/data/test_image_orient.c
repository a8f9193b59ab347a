/* test_image_orient.c -- which way up a picture is: all eight values in JPEG and PNG, both byte orders, and
 * EXIF blocks that make no sense.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include <jpeglib.h>

#define WIDTH  24
#define HEIGHT 16

/* Where the stored picture's first row and first column belong, after the standard's table. */
static const struct {
    char row, column;
} sides[9] = { { 0 },        { 't', 'l' }, { 't', 'r' }, { 'b', 'r' }, { 'b', 'l' },
               { 'l', 't' }, { 'r', 't' }, { 'r', 'b' }, { 'l', 'b' } };

/* The place along the axis of `side` of what is stored at `i`. */
static int place(char side, int i)
{
    return side == 't' || side == 'l' ? i : side == 'b' ? HEIGHT - 1 - i : WIDTH - 1 - i;
}

/* Stores `upright` as a camera held that way would. */
static image store(const image *upright, int orientation)
{
    char row = sides[orientation].row, column = sides[orientation].column;
    bool rows = row == 't' || row == 'b';
    image stored;
    assert_true(image_create(&stored, rows ? WIDTH : HEIGHT, rows ? HEIGHT : WIDTH, NULL));
    for (int r = 0; r < stored.height; ++r)
        for (int c = 0; c < stored.width; ++c) {
            int x = rows ? place(column, c) : place(row, r), y = rows ? place(row, r) : place(column, c);
            memcpy(stored.pixels + (r * stored.width + c) * 3, upright->pixels + (y * WIDTH + x) * 3, 3);
        }
    return stored;
}

/* An EXIF block of one entry; its size. */
static size_t make_exif(bool little, int orientation, uint8_t *block)
{
    static const uint8_t big[32] = { 'E',  'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                                     0x01, 0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0 };
    static const uint8_t small[32] = { 'E',  'x',  'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                       0x12, 0x01, 3,   0,   1, 0, 0,   0,   0,  0, 0, 0, 0, 0, 0, 0 };
    memcpy(block, little ? small : big, 32);
    block[little ? 24 : 25] = (uint8_t)orientation;
    return 32;
}

static void *encode_jpeg(const image *picture, const uint8_t *exif, size_t exif_size, unsigned long *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned char *bytes = NULL;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, size);
    jpeg.image_width = (JDIMENSION)picture->width;
    jpeg.image_height = (JDIMENSION)picture->height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, JCS_RGB);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    if (exif_size) jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, (unsigned)exif_size);
    for (int y = 0; y < picture->height; ++y) {
        JSAMPROW row = picture->pixels + y * picture->width * 3;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return bytes;
}

/* Puts the block, without its mark, into a chunk right behind the PNG's header; by `late`, before its end. */
static void *encode_png(const image *picture, const uint8_t *exif, size_t exif_size, bool late,
                        unsigned long *size)
{
    void *made;
    size_t length, body = exif_size - 6;
    assert_true(image_encode_png(picture, &made, &length, NULL));
    uint8_t *bytes = malloc(length + 12 + body);
    size_t head = late ? length - 12 : 33;
    memcpy(bytes, made, head);
    uint8_t *chunk = bytes + head;
    memcpy(chunk, (uint8_t[]){ 0, 0, 0, (uint8_t)body, 'e', 'X', 'I', 'f' }, 8);
    memcpy(chunk + 8, exif + 6, body);
    uint32_t sum = 0xffffffff; /* CRC-32 of the chunk's type and body */
    for (size_t i = 4; i < 8 + body; ++i) {
        sum ^= chunk[i];
        for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
    }
    for (int i = 0; i < 4; ++i) chunk[8 + body + (size_t)i] = (uint8_t)(~sum >> (24 - 8 * i));
    memcpy(chunk + 12 + body, (uint8_t *)made + head, length - head);
    free(made);
    *size = length + 12 + body;
    return bytes;
}

static void assert_near(const image *a, const image *b, int most)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int i = 0; i < a->width * a->height * 3; ++i) assert_true(abs(a->pixels[i] - b->pixels[i]) <= most);
}

static void all_orientations(void **state)
{
    (void)state;
    image upright = noise(WIDTH, HEIGHT, 4), read;
    for (int orientation = 1; orientation <= 8; ++orientation)
        for (int variant = 0; variant < 6; ++variant) {
            uint8_t block[32];
            size_t length = make_exif(variant & 1, orientation, block);
            image stored = store(&upright, orientation);
            unsigned long size = 0;
            void *bytes = variant < 2 ? encode_jpeg(&stored, block, length, &size)
                                      : encode_png(&stored, block, length, variant > 3, &size);
            error err = { 0 };
            if (!image_decode(bytes, size, "turned", &read, &err)) fail_msg("%s", err.message);
            assert_near(&upright, &read, variant < 2 ? 4 : 0);
            image_free(&read);
            image_free(&stored);
            free(bytes);
        }
    image_free(&upright);
}

/* Cut anywhere, of another type, out of range, or no EXIF at all: the picture stays as it is stored. */
static void nonsense_is_ignored(void **state)
{
    (void)state;
    image stored = noise(WIDTH, HEIGHT, 5), read;
    for (int variant = 0; variant < 32 + 5; ++variant) {
        uint8_t block[32];
        size_t length = make_exif(false, 6, block);
        if (variant == 0) block[25] = 9;
        if (variant == 1) block[25] = 0;
        if (variant == 2) block[19] = 2; /* a text */
        if (variant == 3) block[6] = 'X';
        if (variant == 4) memset(block + 14, 0xff, 4);
        if (variant > 4) length = (size_t)variant - 5;
        if (variant > 4 && length >= 26) continue; /* all of the entry that counts is there */
        unsigned long size = 0;
        void *bytes = encode_jpeg(&stored, block, length, &size);
        error err = { 0 };
        if (!image_decode(bytes, size, "odd", &read, &err)) fail_msg("%d: %s", variant, err.message);
        assert_near(&stored, &read, 4);
        image_free(&read);
        free(bytes);
    }
    image_free(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_orientations),
        cmocka_unit_test(nonsense_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
