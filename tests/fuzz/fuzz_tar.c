/* fuzz_tar.c -- tars, plain and compressed, as data sets.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sets_read(fuzz_file(data, size));
    return 0;
}
