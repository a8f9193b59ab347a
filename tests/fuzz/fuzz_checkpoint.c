/* fuzz_checkpoint.c -- checkpoints, loaded into a small store: one that is refused leaves it as it was.
 * SPDX-License-Identifier: MIT */
#include "host/train/checkpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/small_store.h"

#include <string.h>

static void load(store *s, const char *path)
{
    error err = { 0 };
    checkpoint_metadata metadata;
    float before[SMALL_STORE_VALUES], after[SMALL_STORE_VALUES];
    small_store_fill(s, 0.5f);
    small_store_read(s, before);
    if (checkpoint_load(s, path, &metadata, &err)) {
        checkpoint_metadata_get(&metadata, "step");
        checkpoint_metadata_free(&metadata);
        return;
    }
    fuzz_refused(&err);
    small_store_read(s, after);
    fuzz_must(memcmp(before, after, sizeof before) == 0, "a store is as before a refused checkpoint");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static store *s;
    error err = { 0 };
    if (!s) s = small_store();
    const char *path = fuzz_file(data, size);
    load(s, path);
    for (int surplus = 0; surplus < 2; ++surplus) {
        checkpoint_metadata metadata = { 0 };
        if (!checkpoint_import(s, path, surplus, &metadata, &err)) fuzz_refused(&err);
        checkpoint_metadata_free(&metadata);
    }
    return 0;
}
