/* dry_device.c -- see dry_device.h.
 * SPDX-License-Identifier: MIT */
#include "tests/kernels/dry_device.h"
#include "host/device/backend.h"

#include <stdlib.h>
#include <string.h>

/* Every shape that device_default_shape gives, with widths of vectors that change the choice of tiles.
 * Nothing else of a device decides how kernels are built. */
static const device_info models[] = {
    { .kind = DEVICE_GPU, .name = "gpu32", .lanes = 32, .vec = 4, .vector_width = 1, .compute_units = 132 },
    { .kind = DEVICE_GPU, .name = "gpu64", .lanes = 64, .vec = 4, .vector_width = 1, .compute_units = 104 },
    { .kind = DEVICE_CPU, .name = "cpu16", .lanes = 1, .vec = 16, .vector_width = 16, .compute_units = 2 },
    { .kind = DEVICE_CPU, .name = "cpu8", .lanes = 1, .vec = 16, .vector_width = 8, .compute_units = 64 },
    { .kind = DEVICE_CPU, .name = "cpu4", .lanes = 1, .vec = 16, .vector_width = 4, .compute_units = 8 },
};
#define MODEL_COUNT (sizeof models / sizeof *models)

static FILE *record; /* a test double may have state */

void dry_device_record(FILE *to)
{
    record = to;
}

void dry_device_units(device *d, device_matrix matrix)
{
    d->info.matrix_units = matrix;
    d->info.matrix_copies = matrix == DEVICE_MATRIX_NVIDIA;
}

static const device_backend dry_backend;
const device_backend *const device_backends[] = { &dry_backend, NULL };

/* ---- Devices ---- */

static bool dry_list(device_listing *l, error *err)
{
    for (size_t i = 0; i < MODEL_COUNT; ++i) {
        device_entry *e = device_listing_add(l, &dry_backend, err);
        if (!e) return false;
        device_info *info = &e->info;
        const int index = info->index;
        *info = models[i];
        info->index = index;
        info->memory_bytes = info->max_buffer_bytes = INT64_C(1) << 50;
        info->local_bytes = 32 << 10;
        info->max_group = info->kind == DEVICE_GPU ? 256 : 4096;
        info->usable = info->half_storage = true;
    }
    return true;
}

/* It remembers nothing: what is launched must not depend on what was tuned here. */
static device *dry_open(const device_entry *at, error *err)
{
    device *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a device");
    if (!device_begin(d, at, err)) {
        device_close(d);
        return NULL;
    }
    free(d->cache_folder);
    d->cache_folder = NULL;
    return d;
}

static void dry_close(device *d)
{
    (void)d;
}

/* ---- Buffers and transfers ---- */

static device_buffer *dry_buffer(device *d, int64_t bytes, error *err)
{
    (void)d;
    (void)bytes;
    device_buffer *b = calloc(1, sizeof *b);
    return b ? b : error_null(err, ERROR_MEMORY, "out of memory for a buffer");
}

static void dry_buffer_release(device_buffer *b)
{
    (void)b;
}

static bool dry_write(device *d, device_buffer *to, int64_t offset, const void *from, int64_t bytes,
                      error *err)
{
    (void)d;
    (void)to;
    (void)offset;
    (void)from;
    (void)bytes;
    (void)err;
    return true;
}

static bool dry_read(device *d, const device_buffer *from, int64_t offset, void *to, int64_t bytes,
                     error *err)
{
    (void)d;
    (void)from;
    (void)offset;
    (void)err;
    memset(to, 0, (size_t)bytes);
    return true;
}

static bool dry_fill(device *d, device_buffer *b, int64_t offset, int64_t bytes, uint32_t pattern, error *err)
{
    (void)d;
    (void)b;
    (void)offset;
    (void)bytes;
    (void)pattern;
    (void)err;
    return true;
}

static device_event *dry_event(device *d, device_queue q, device_event *after, error *err)
{
    (void)d;
    (void)q;
    (void)after;
    device_event *e = calloc(1, sizeof *e);
    return e ? e : error_null(err, ERROR_MEMORY, "out of memory for an event");
}

static device_event *dry_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset,
                                     const void *from, int64_t bytes, device_event *after, error *err)
{
    return dry_write(d, to, offset, from, bytes, err) ? dry_event(d, q, after, err) : NULL;
}

static device_event *dry_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset,
                                    void *to, int64_t bytes, device_event *after, error *err)
{
    return dry_read(d, from, offset, to, bytes, err) ? dry_event(d, q, after, err) : NULL;
}

static bool dry_event_wait(device_event *e, error *err)
{
    (void)e;
    (void)err;
    return true;
}

static void dry_event_release(device_event *e)
{
    (void)e;
}

static bool dry_queue_wait(device *d, device_queue q, device_event *e, error *err)
{
    (void)d;
    (void)q;
    (void)e;
    (void)err;
    return true;
}

static bool dry_finish(device *d, error *err)
{
    (void)d;
    (void)err;
    return true;
}

/* ---- Launches ---- */

static device_launches *dry_launches(device *d, error *err)
{
    (void)d;
    device_launches *list = calloc(1, sizeof *list);
    return list ? list : error_null(err, ERROR_MEMORY, "out of memory for a list of launches");
}

static void dry_launches_release(device_launches *list)
{
    (void)list;
}

static bool dry_add(device_launches *list, const device_launch *l, error *err)
{
    (void)err;
    size_t items = 1;
    for (int i = 0; i < l->rank; ++i) items *= l->local[i];
    ++list->count;
    if (record)
        fprintf(record, "%s %s %s %zu %s\n",
                list->owner->info.kind == DEVICE_CPU ? "cpu" : list->owner->info.name, l->file, l->kernel,
                items, l->options ? l->options : "");
    return true;
}

static bool dry_add_copy(device_launches *list, const char *label, device_buffer *to, int64_t to_offset,
                         const device_buffer *from, int64_t from_offset, int64_t bytes, error *err)
{
    (void)label;
    (void)to;
    (void)to_offset;
    (void)from;
    (void)from_offset;
    (void)bytes;
    (void)err;
    ++list->count;
    return true;
}

static bool dry_add_fill(device_launches *list, const char *label, device_buffer *to, int64_t offset,
                         int64_t bytes, uint32_t pattern, error *err)
{
    (void)label;
    ++list->count;
    return dry_fill(list->owner, to, offset, bytes, pattern, err);
}

static bool dry_add_call(device_launches *list, const char *label, device_call call, void *context,
                         error *err)
{
    (void)label;
    (void)call;
    (void)err;
    free(context);
    ++list->count;
    return true;
}

static bool dry_repeat(device_launches *list, int first, int count, int times, error *err)
{
    (void)list;
    (void)first;
    (void)count;
    (void)times;
    (void)err;
    return true;
}

/* ---- Products: a GPU's by a library, whose own kernels are not ours ---- */

static bool dry_product(device *d, const gemm_sgemm *s, error *err)
{
    (void)d;
    (void)s;
    (void)err;
    return true;
}

static const gemm_library blas = { "library", dry_product, dry_product };
static const gemm_provider by_library = { "library", gemm_library_supports, gemm_library_plan,
                                          gemm_library_record, gemm_library_variant };
static const gemm_provider *const products[] = { &gemm_winograd, &gemm_tile,  &by_library, &gemm_block,
                                                 &gemm_thin,     &gemm_plain, NULL };

static const gemm_provider *product(device *d, const gemm_desc *desc)
{
    if (d->info.kind == DEVICE_CPU) return gemm_usual(d, desc, &gemm_tile);
    return gemm_usual(d, desc, gemm_block_suits(d, desc) ? &gemm_block : &by_library);
}

static const device_backend dry_backend = {
    .name = "dry",
    .list = dry_list,
    .open = dry_open,
    .close = dry_close,
    .buffer_create = dry_buffer,
    .buffer_release = dry_buffer_release,
    .write = dry_write,
    .read = dry_read,
    .fill = dry_fill,
    .write_begin = dry_write_begin,
    .read_begin = dry_read_begin,
    .event_record = dry_event,
    .event_wait = dry_event_wait,
    .event_release = dry_event_release,
    .queue_wait = dry_queue_wait,
    .finish = dry_finish,
    .launches_create = dry_launches,
    .launches_release = dry_launches_release,
    .add = dry_add,
    .add_copy = dry_add_copy,
    .add_fill = dry_add_fill,
    .add_call = dry_add_call,
    .repeat = dry_repeat,
    .products = products,
    .product = product,
    .blas = &blas,
};
