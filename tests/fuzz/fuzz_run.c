/* fuzz_run.c -- what a resumed run finds in its folder: run.json, config.cfg and metrics.jsonl, one after
 * another with lines "%%" between.
 * SPDX-License-Identifier: MIT */
#include "host/train/run.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/small_store.h"

#include <string.h>

static size_t section(const uint8_t *data, size_t size)
{
    const uint8_t *mark = size ? memmem(data, size, "\n%%\n", 4) : NULL;
    return mark ? (size_t)(mark - data) : size;
}

static void put_sections(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "run.json", "config.cfg", "metrics.jsonl" };
    for (int i = 0; i < 3; ++i) {
        size_t length = section(data, size), used = length + 4 < size ? length + 4 : size;
        fuzz_must(fuzz_put(names[i], data, length), "a file can be written");
        data += used;
        size -= used;
    }
}

static void resume(const train_task *task, const train_options *options)
{
    run r;
    error err = { 0 };
    bool ok = run_open(&r, task, options, &err);
    if (ok) ok = run_metrics_open(&r, 3, &err) && run_metrics_write(&r, "{\"step\":4}\n", &err);
    if (!ok) fuzz_refused(&err);
    run_close(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static store *s;
    if (!s) s = small_store();
    const train_task task = { .kind = "dvae", .store = s };
    train_options options = { .folder = fuzz_folder(),
                              .resume = true,
                              .config_text = "layers = 4\nrate = 0.5\n",
                              .config_defaults = "layers = 2\nrate = 0.5\n" };
    put_sections(data, size);
    resume(&task, &options);
    options.force = true;
    resume(&task, &options);
    return 0;
}
