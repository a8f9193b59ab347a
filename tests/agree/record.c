/* record.c -- writes what a device computes to a file, for comparison with another device's.
 *     agree_record FOLDER full|least|prior [DEMO]
 * makes FOLDER/<vendor word>-<size>.safetensors with the device of $DALLE_CL_DEVICE, see recording.h.
 * full: the tiny presets, and the likeliest tokens of the model in DEMO.  least: the smallest models that have
 * all parts.  prior: of these the prior alone.
 * SPDX-License-Identifier: MIT */
#include "tests/agree/recording.h"

#include "host/base/file.h"
#include "tests/support/device_or_skip.h"

#include <string.h>

bool recording_add(recording *r, const char *model, const char *name, dtype type, int rank,
                   const int64_t *dim, const void *values, error *err)
{
    int64_t bytes = (int64_t)dtype_bytes(type);
    for (int i = 0; i < rank; ++i) bytes *= dim[i];
    char *full = arena_printf(r->memory, "%s.%s", model, name);
    void *copy = arena_alloc(r->memory, (size_t)bytes);
    if (!full || !copy) return error_set(err, ERROR_MEMORY, "out of memory for '%s.%s'", model, name);
    memcpy(copy, values, (size_t)bytes);
    return safetensors_add(r->writer, full, type, rank, dim, copy, bytes, err);
}

bool recording_add_store(recording *r, const char *model, const char *when, store *s, error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i);
        if (e->kind != STORE_PARAMETER && e->kind != STORE_STATE) continue;
        float *values = arena_alloc(r->memory, (size_t)e->count * sizeof *values);
        char *name = arena_printf(r->memory, "%s.%s", when, e->name);
        if (!values || !name) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
        ok = store_read_f32(s, e, values, err) &&
             recording_add(r, model, name, DTYPE_F32, e->rank, e->dim, values, err);
    }
    return ok;
}

static bool write_file(recording *r, const char *folder, const char *size, error *err)
{
    const device_info *info = device_get_info(r->device);
    char kernels[65];
    device_kernels_hash(kernels);
    char *name = arena_printf(r->memory, "%s-%s.safetensors", info->vendor_word, size);
    char *device_text = arena_printf(r->memory, "%s, %s", info->name, info->driver);
    char *path = name ? file_join(folder, name) : NULL;
    bool ok = path && device_text ? true : error_set(err, ERROR_MEMORY, "out of memory for a path");
    ok = ok && safetensors_add_metadata(r->writer, "device", device_text, err) &&
         safetensors_add_metadata(r->writer, "kernels", kernels, err) &&
         safetensors_add_metadata(r->writer, "size", size, err) && file_make_folders(folder, err) &&
         safetensors_write(r->writer, path, err);
    if (ok) printf("%s\n", path);
    free(path);
    return ok;
}

int main(int argc, char **argv)
{
    error err = { 0 };
    const char *size = argc > 2 ? argv[2] : "";
    bool full = strcmp(size, "full") == 0, alone = strcmp(size, "prior") == 0;
    if (argc < 3 || argc > 4 || !(full || alone || strcmp(size, "least") == 0)) {
        fprintf(stderr, "usage: agree_record FOLDER full|least|prior [DEMO]\n");
        return 2;
    }
    recording r = { .device = device_or_skip(),
                    .least = !full,
                    .demo = argc > 3 ? argv[3] : NULL,
                    .memory = arena_create(),
                    .writer = safetensors_writer_create() };
    bool ok = r.memory && r.writer ? true : error_set(&err, ERROR_MEMORY, "out of memory for a recording");
    ok = ok && (alone || (record_dvae(&r, "gumbel", &err) && record_dvae(&r, "vq", &err))) &&
         record_prior(&r, &err) && (!r.demo || record_demo(&r, &err)) && write_file(&r, argv[1], size, &err);
    if (!ok) fprintf(stderr, "agree_record: %s\n", err.message);
    safetensors_writer_destroy(r.writer);
    arena_destroy(r.memory);
    device_close(r.device);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
