/* device.c -- device.h: what is the same for every device, and asking the device's backend for the rest.
 * SPDX-License-Identifier: MIT */
#include "host/device/backend.h"
#include "host/device/gemm_choice.h"
#include "host/base/file.h"
#include "host/base/hash.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define GIB (1024.0 * 1024.0 * 1024.0)

/* ---- Devices --------------------------------------------------------------------------------- */

bool device_begin(device *d, const device_entry *at, error *err)
{
    d->backend = at->backend;
    d->info = at->info;
    d->cache_folder = file_cache_folder();
    d->choices = gemm_choices_create();
    return d->choices ||
           error_set(err, ERROR_MEMORY, "out of memory while opening device '%s'", d->info.name);
}

void device_close(device *d)
{
    if (!d) return;
    d->backend->close(d);
    profile_destroy(d->profile);
    gemm_choices_destroy(d->choices);
    free(d->cache_folder);
    free(d);
}

const device_info *device_get_info(const device *d)
{
    return &d->info;
}

const char *device_choice_reason(const device *d)
{
    return d->choice;
}

bool device_set_shape(device *d, int lanes, int vec)
{
    bool legal_lanes = lanes >= 1 && lanes <= d->info.max_group && (lanes & (lanes - 1)) == 0;
    bool legal_vec = vec == 1 || vec == 2 || vec == 4 || vec == 8 || vec == 16;
    if (!legal_lanes || !legal_vec) return false;
    d->info.lanes = lanes;
    d->info.vec = vec;
    return true;
}

double device_measure_rate(device *d, error *err)
{
    if (d->backend->measure_rate) return d->backend->measure_rate(d, err);
    error_set(err, ERROR_DEVICE, "the rate of device '%s' cannot be measured", d->info.name);
    return 0;
}

/* The first field is the format's version; a change of it, or of the fields, forgets all that is kept on
 * disk. */
void device_key(const device *d, const char *what, const char *how, char hex[65])
{
    hash h;
    hash_start(&h);
    const char *fields[] = { "1",
                             what,
                             how,
                             d->info.name,
                             d->info.vendor,
                             d->info.version,
                             d->info.driver,
                             d->info.runtime,
                             d->info.runtime_version };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i) hash_text(&h, fields[i]);
    hash_finish(&h, hex);
}

bool device_cache_file(const device *d, const char *kind, const char *key, char **path, error *err)
{
    char hex[65], name[96];
    *path = NULL;
    if (!d->cache_folder) return true;
    device_key(d, key, kind, hex);
    snprintf(name, sizeof name, "%s-%.32s.json", kind, hex);
    *path = file_join(d->cache_folder, name);
    return *path || error_set(err, ERROR_MEMORY, "out of memory for a path in the cache folder");
}

/* ---- Buffers and transfers ------------------------------------------------------------------- */

device_buffer *device_buffer_create(device *d, int64_t bytes, error *err)
{
    CHECK(bytes > 0, "a buffer of %lld bytes", (long long)bytes);
    const device_info *info = &d->info;
    d->refused = bytes;
    if (bytes > info->max_buffer_bytes)
        return error_null(err, ERROR_ROOM,
                          "device '%s' allows %.4g GiB in one buffer, asked for %.4g GiB (%lld bytes); lower "
                          "the batch, or choose another --device",
                          info->name, (double)info->max_buffer_bytes / GIB, (double)bytes / GIB,
                          (long long)bytes);
    if (bytes > info->memory_bytes - d->allocated)
        return error_null(err, ERROR_ROOM,
                          "device '%s' has %.4g GiB, %.4g GiB are in use, and %.4g GiB more are needed; "
                          "lower the batch or use f16 storage",
                          info->name, (double)info->memory_bytes / GIB, (double)d->allocated / GIB,
                          (double)bytes / GIB);
    device_buffer *b = d->backend->buffer_create(d, bytes, err);
    if (!b) return NULL;
    b->owner = d;
    b->bytes = bytes;
    d->refused = 0;
    d->allocated += bytes;
    if (d->peak < d->allocated) d->peak = d->allocated;
    return b;
}

void device_buffer_destroy(device_buffer *b)
{
    if (!b) return;
    b->owner->backend->buffer_release(b);
    b->owner->allocated -= b->bytes;
    free(b);
}

int64_t device_buffer_bytes(const device_buffer *b)
{
    return b->bytes;
}

int64_t device_allocated_bytes(const device *d)
{
    return d->allocated;
}

static void check_range(const device_buffer *b, int64_t offset, int64_t bytes, const char *what)
{
    CHECK(offset >= 0 && bytes >= 0 && offset <= b->bytes - bytes,
          "%s: %lld bytes at %lld of a buffer of %lld", what, (long long)bytes, (long long)offset,
          (long long)b->bytes);
}

static void check_fill(const device_buffer *b, int64_t offset, int64_t bytes, const char *what)
{
    check_range(b, offset, bytes, what);
    CHECK(offset % 4 == 0 && bytes % 4 == 0, "%s: a fill of %lld bytes at %lld", what, (long long)bytes,
          (long long)offset);
}

bool device_write(device *d, device_buffer *to, int64_t offset_bytes, const void *from, int64_t bytes,
                  error *err)
{
    check_range(to, offset_bytes, bytes, "write");
    return bytes == 0 || d->backend->write(d, to, offset_bytes, from, bytes, err);
}

bool device_read(device *d, const device_buffer *from, int64_t offset_bytes, void *to, int64_t bytes,
                 error *err)
{
    check_range(from, offset_bytes, bytes, "read");
    return bytes == 0 || d->backend->read(d, from, offset_bytes, to, bytes, err);
}

bool device_fill(device *d, device_buffer *b, int64_t offset_bytes, int64_t bytes, uint32_t pattern,
                 error *err)
{
    check_fill(b, offset_bytes, bytes, "fill");
    return bytes == 0 || d->backend->fill(d, b, offset_bytes, bytes, pattern, err);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static device_event *owned(device *d, device_event *e)
{
    if (e) e->owner = d;
    return e;
}

/* Nothing to move still needs an event that comes after `after`. */
device_event *device_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset_bytes,
                                 const void *from, int64_t bytes, device_event *after, error *err)
{
    check_range(to, offset_bytes, bytes, "write");
    return owned(d, bytes == 0 ? d->backend->event_record(d, q, after, err)
                               : d->backend->write_begin(d, q, to, offset_bytes, from, bytes, after, err));
}

device_event *device_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset_bytes,
                                void *to, int64_t bytes, device_event *after, error *err)
{
    check_range(from, offset_bytes, bytes, "read");
    return owned(d, bytes == 0 ? d->backend->event_record(d, q, after, err)
                               : d->backend->read_begin(d, q, from, offset_bytes, to, bytes, after, err));
}

device_event *device_event_record(device *d, device_queue q, error *err)
{
    return owned(d, d->backend->event_record(d, q, NULL, err));
}

bool device_queue_wait(device *d, device_queue q, device_event *e, error *err)
{
    return d->backend->queue_wait(d, q, e, err);
}

bool device_event_wait(device_event *e, error *err)
{
    return e->owner->backend->event_wait(e, err);
}

void device_event_release(device_event *e)
{
    if (!e) return;
    e->owner->backend->event_release(e);
    free(e);
}

bool device_finish(device *d, error *err)
{
    return d->backend->finish(d, err);
}

/* Reachable, so that leaks that are mistakes still show. */
typedef struct kept {
    void *memory;
    struct kept *next;
} kept;
static _Atomic(kept *) all_kept;

void device_free_host(device *d, void *memory)
{
    if (!d->lost) {
        free(memory);
        return;
    }
    kept *k = malloc(sizeof *k);
    if (!k) return;
    *k = (kept){ memory, all_kept };
    while (!atomic_compare_exchange_weak(&all_kept, &k->next, k)) {
    }
}

/* ---- Launches -------------------------------------------------------------------------------- */

device_launches *device_launches_create(device *d, error *err)
{
    device_launches *list = d->backend->launches_create(d, err);
    if (list) list->owner = d;
    return list;
}

void device_launches_destroy(device_launches *list)
{
    if (!list) return;
    list->owner->backend->launches_release(list);
    free(list);
}

int device_launches_count(const device_launches *list)
{
    return list->count;
}

bool device_launches_add(device_launches *list, const device_launch *launch, error *err)
{
    return list->owner->backend->add(list, launch, err);
}

bool device_launches_add_copy(device_launches *list, const char *label, device_buffer *to,
                              int64_t to_offset_bytes, const device_buffer *from, int64_t from_offset_bytes,
                              int64_t bytes, error *err)
{
    CHECK(bytes > 0, "%s: a copy of %lld bytes", label, (long long)bytes);
    check_range(to, to_offset_bytes, bytes, label);
    check_range(from, from_offset_bytes, bytes, label);
    return list->owner->backend->add_copy(list, label, to, to_offset_bytes, from, from_offset_bytes, bytes,
                                          err);
}

bool device_launches_add_fill(device_launches *list, const char *label, device_buffer *to,
                              int64_t offset_bytes, int64_t bytes, uint32_t pattern, error *err)
{
    CHECK(bytes > 0, "%s: a fill of %lld bytes", label, (long long)bytes);
    check_fill(to, offset_bytes, bytes, label);
    return list->owner->backend->add_fill(list, label, to, offset_bytes, bytes, pattern, err);
}

bool device_launches_add_call(device_launches *list, const char *label, device_call call, void *context,
                              error *err)
{
    return list->owner->backend->add_call(list, label, call, context, err);
}

void device_launches_defer(device_launches *list)
{
    const device_backend *b = list->owner->backend;
    if (b->defer) b->defer(list);
}

bool device_launches_join(device_launches *list, const int *ends, int end_count, error *err)
{
    const device_backend *b = list->owner->backend;
    return !b->join || b->join(list, ends, end_count, err);
}

bool device_launches_joined(const device_launches *list)
{
    const device_backend *b = list->owner->backend;
    return b->joined && b->joined(list);
}

bool device_launches_repeat(device_launches *list, int first, int count, int times, error *err)
{
    CHECK(first >= 0 && count >= 0 && first <= list->count - count && times >= 0, "launches %d+%d of %d",
          first, count, list->count);
    return list->owner->backend->repeat(list, first, count, times, err);
}

bool device_launches_run(device_launches *list, int first, int count, error *err)
{
    return device_launches_repeat(list, first, count, 1, err);
}
