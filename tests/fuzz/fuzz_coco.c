/* fuzz_coco.c -- COCO's captions, beside two pictures.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sets.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s/set.json", fuzz_folder());
    fuzz_must(fuzz_put("a.png", "", 0) && fuzz_put("in/b.jpg", "", 0), "files can be made");
    fuzz_must(fuzz_put("set.json", data, size), "the input can be written");
    sets_read(path);
    return 0;
}
