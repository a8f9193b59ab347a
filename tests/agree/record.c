/* record.c -- writes what a device computes to a file, for comparison with another device's.
 *     agree_record FOLDER full|least|prior
 *     agree_record FOLDER demo|caption MODEL
 * makes FOLDER/<vendor word>-<what>.safetensors with the device of $DALLE_CL_DEVICE, see recording.h.
 * full: training of the tiny presets.  least: of the smallest models that have all parts.  prior: of these
 * the prior alone.  demo: the likeliest tokens of a trained model for some captions.  caption: for one.
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
        if (e->kind != STORE_PARAMETER && e->kind != STORE_LEARNT && e->kind != STORE_STATE) continue;
        float *values = arena_alloc(r->memory, (size_t)e->count * sizeof *values);
        char *name = arena_printf(r->memory, "%s.%s", when, e->name);
        if (!values || !name) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
        ok = store_read_f32(s, e, values, err) &&
             recording_add(r, model, name, DTYPE_F32, e->rank, e->dim, values, err);
    }
    return ok;
}

static bool write_file(recording *r, const char *folder, const char *what, error *err)
{
    const device_info *info = device_get_info(r->device);
    char kernels[65];
    device_kernels_hash(kernels);
    char *name = arena_printf(r->memory, "%s-%s.safetensors", info->vendor_word, what);
    char *device_text = arena_printf(r->memory, "%s, %s", info->name, info->driver);
    char *path = name ? file_join(folder, name) : NULL;
    bool ok = path && device_text ? true : error_set(err, ERROR_MEMORY, "out of memory for a path");
    ok = ok && safetensors_add_metadata(r->writer, "device", device_text, err) &&
         safetensors_add_metadata(r->writer, "kernels", kernels, err) &&
         safetensors_add_metadata(r->writer, "what", what, err) && file_make_folders(folder, err) &&
         safetensors_write(r->writer, path, err);
    if (ok) printf("%s\n", path);
    free(path);
    return ok;
}

static bool record(recording *r, const char *what, const char *model, error *err)
{
    if (model) return record_demo(r, model, strcmp(what, "caption") == 0, err);
    bool dvae = strcmp(what, "prior") != 0;
    return (!dvae || (record_dvae(r, "gumbel", err) && record_dvae(r, "vq", err))) && record_prior(r, err);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    const char *what = argc > 2 ? argv[2] : "";
    bool demo = strcmp(what, "demo") == 0 || strcmp(what, "caption") == 0, full = strcmp(what, "full") == 0;
    bool known = demo || full || strcmp(what, "least") == 0 || strcmp(what, "prior") == 0;
    if (!known || argc != (demo ? 4 : 3)) {
        fprintf(stderr,
                "usage: agree_record FOLDER full|least|prior, or agree_record FOLDER demo|caption MODEL\n");
        return 2;
    }
    recording r = { .device = device_or_skip(),
                    .least = !full,
                    .memory = arena_create(),
                    .writer = safetensors_writer_create() };
    bool ok = r.memory && r.writer ? true : error_set(&err, ERROR_MEMORY, "out of memory for a recording");
    ok = ok && record(&r, what, demo ? argv[3] : NULL, &err) && write_file(&r, argv[1], what, &err);
    if (!ok) fprintf(stderr, "agree_record: %s\n", err.message);
    safetensors_writer_destroy(r.writer);
    arena_destroy(r.memory);
    device_close(r.device);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
