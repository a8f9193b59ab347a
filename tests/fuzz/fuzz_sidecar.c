/* fuzz_sidecar.c -- the .json beside a picture.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_folder();
    fuzz_must(fuzz_put("1.png", "", 0) && fuzz_put("1.txt", "a cat", 5), "files can be made");
    fuzz_must(fuzz_put("1.json", data, size), "the input can be written");
    sets_read(path);
    return 0;
}
