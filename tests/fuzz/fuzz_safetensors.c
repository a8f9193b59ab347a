/* fuzz_safetensors.c -- a file that is opened can be read in all its parts.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void read_all(const safetensors *file, size_t size)
{
    int64_t total = 0;
    unsigned sum = 0;
    for (int i = 0; i < safetensors_count(file); ++i) {
        const safetensors_tensor *t = safetensors_at(file, i), *found = safetensors_find(file, t->name);
        fuzz_must(found && strcmp(found->name, t->name) == 0, "a tensor is found by its name");
        fuzz_must(t->rank >= 0 && t->rank <= SAFETENSORS_MAX_RANK && t->bytes >= 0, "a tensor has a shape");
        fuzz_must(!t->loadable || (uintptr_t)t->data % dtype_bytes(t->type) == 0, "values are aligned");
        for (int64_t b = 0; b < t->bytes; ++b) sum += ((const unsigned char *)t->data)[b];
        total += t->bytes;
    }
    fuzz_must(total >= 0 && (size_t)total < size, "tensors are no larger than the file");
    safetensors_metadata(file, sum & 1 ? "format" : "step");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error err = { 0 };
    safetensors *file = safetensors_open(fuzz_file(data, size), &err);
    if (file)
        read_all(file, size);
    else
        fuzz_refused(&err);
    safetensors_close(file);
    return 0;
}
