/* fuzz_captions.c -- the .txt beside a picture.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_folder();
    fuzz_must(fuzz_put("1.png", "", 0) && fuzz_put("1.txt", data, size), "files can be made");
    sets_read(path);
    return 0;
}
