/* fuzz_exif.c -- EXIF blocks, each in an otherwise good PNG of 2 x 1, which is always read, turned or not.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void put_number(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; ++i) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Between the header and the rest of a PNG. */
static uint8_t *with_block(const uint8_t *png, size_t png_size, const uint8_t *data, size_t size)
{
    enum { HEADER = 33 };
    uint8_t *made = malloc(png_size + size + 12), *chunk = made + HEADER;
    fuzz_must(made != NULL, "there is memory for the input");
    memcpy(made, png, HEADER);
    put_number(chunk, (uint32_t)size);
    memcpy(chunk + 4, "eXIf", 4);
    if (size) memcpy(chunk + 8, data, size);
    put_number(chunk + 8 + size, fuzz_crc(chunk + 4, size + 4));
    memcpy(chunk + 12 + size, png + HEADER, png_size - HEADER);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *png;
    static size_t png_size;
    error err = { 0 };
    image picture;
    if (!png) {
        fuzz_must(image_create(&picture, 2, 1, &err) && image_encode_png(&picture, &png, &png_size, &err),
                  "a PNG can be made");
        image_free(&picture);
    }
    uint8_t *made = with_block(png, png_size, data, size);
    if (image_decode(made, png_size + size + 12, "input", &picture, &err))
        fuzz_must(picture.width * picture.height == 2, "a turned picture has as many pixels");
    else
        fuzz_must(err.code == ERROR_MEMORY, "a strange EXIF block is none");
    image_free(&picture);
    free(made);
    return 0;
}
