/* fuzz_folder.c -- folders as data sets: which names make a sample, and what their texts say.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sets.h"

#include <stdlib.h>

enum { FILES = 40 };

/* One line for each file: its name, and behind a colon what it holds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_folder();
    for (int i = 0; i < FILES && size; ++i) {
        size_t line_size, name_size;
        const uint8_t *line = fuzz_part(&data, &size, '\n', &line_size);
        const uint8_t *name = fuzz_part(&line, &line_size, ':', &name_size);
        if (!name) continue;
        char *text = fuzz_text(name, name_size);
        if (*text) fuzz_put(text, line, line_size);
        free(text);
    }
    sets_read(path);
    return 0;
}
