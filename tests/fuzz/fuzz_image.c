/* fuzz_image.c -- pictures of any kind.  A PNG's checksums are put right first: with wrong ones hardly
 * anything of it would be looked at.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void put_right(uint8_t *bytes, size_t size)
{
    for (size_t at = 8; at + 12 <= size;) {
        const uint8_t *b = bytes + at;
        size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (length > size - at - 12) return;
        uint32_t sum = fuzz_crc(b + 4, length + 4);
        for (int i = 0; i < 4; ++i) bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error err = { 0 };
    image picture;
    uint8_t *bytes = malloc(size + !size);
    fuzz_must(bytes != NULL, "there is memory for the input");
    if (size) memcpy(bytes, data, size);
    if (size > 8 && memcmp(bytes, "\x89PNG", 4) == 0) put_right(bytes, size);
    if (!image_decode(bytes, size, "input", &picture, &err)) {
        fuzz_refused(&err);
        fuzz_must(!picture.pixels, "a picture that is refused is left empty");
    } else {
        fuzz_must(picture.width > 0 && picture.height > 0 && picture.width <= IMAGE_MAX_SIDE &&
                      picture.height <= IMAGE_MAX_SIDE,
                  "a picture is within the limits");
        image_flip(&picture); /* all of it is there */
    }
    image_free(&picture);
    free(bytes);
    return 0;
}
