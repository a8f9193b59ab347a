/* host_device.c -- see host_device.h.  Everything is done when it is asked for, so that queues and events are
 * nothing.
 * SPDX-License-Identifier: MIT */
#include "tests/device/host_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 16 };

typedef struct host_buffer {
    device_buffer common;
    char *memory;
} host_buffer;

typedef struct host_item {
    char *to;
    const char *from; /* NULL: a fill, or a call */
    size_t bytes;
    uint32_t pattern;
    device_call call;
    void *context;
} host_item;

typedef struct host_launches {
    device_launches common;
    host_item items[ITEMS_MAX];
} host_launches;

static int alive;

int host_device_alive(void)
{
    return alive;
}

static char *at(const device_buffer *b, int64_t offset)
{
    return ((const host_buffer *)b)->memory + offset;
}

/* ---- Devices ---- */

static bool host_list(device_listing *l, error *err)
{
    device_entry *e = device_listing_add(l, &host_backend, err);
    if (!e) return false;
    device_info *info = &e->info;
    snprintf(info->name, sizeof info->name, "host memory");
    snprintf(info->vendor_word, sizeof info->vendor_word, "host");
    info->kind = DEVICE_OTHER;
    info->memory_bytes = HOST_MEMORY_BYTES;
    info->max_buffer_bytes = HOST_BUFFER_BYTES;
    info->max_group = info->preferred_multiple = info->compute_units = 1;
    info->usable = true;
    device_default_shape(info);
    return true;
}

static device *host_open(const device_entry *entry, error *err)
{
    device *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a device");
    ++alive;
    if (device_begin(d, entry, err)) return d;
    device_close(d);
    return NULL;
}

static void host_close(device *d)
{
    (void)d;
    --alive;
}

/* ---- Buffers and transfers ---- */

static device_buffer *host_buffer_create(device *d, int64_t bytes, error *err)
{
    (void)d;
    host_buffer *b = calloc(1, sizeof *b);
    if (b) b->memory = malloc((size_t)bytes);
    if (b && b->memory) {
        ++alive;
        return &b->common;
    }
    free(b);
    return error_null(err, ERROR_MEMORY, "out of memory for a buffer");
}

static void host_buffer_release(device_buffer *b)
{
    free(((host_buffer *)b)->memory);
    --alive;
}

static bool host_write(device *d, device_buffer *to, int64_t offset, const void *from, int64_t bytes,
                       error *err)
{
    (void)d;
    (void)err;
    memcpy(at(to, offset), from, (size_t)bytes);
    return true;
}

static bool host_read(device *d, const device_buffer *from, int64_t offset, void *to, int64_t bytes,
                      error *err)
{
    (void)d;
    (void)err;
    memcpy(to, at(from, offset), (size_t)bytes);
    return true;
}

static void fill(char *to, size_t bytes, uint32_t pattern)
{
    for (size_t i = 0; i < bytes; i += sizeof pattern) memcpy(to + i, &pattern, sizeof pattern);
}

static bool host_fill(device *d, device_buffer *b, int64_t offset, int64_t bytes, uint32_t pattern,
                      error *err)
{
    (void)d;
    (void)err;
    fill(at(b, offset), (size_t)bytes, pattern);
    return true;
}

static device_event *host_record(device *d, device_queue q, device_event *after, error *err)
{
    (void)d;
    (void)q;
    (void)after;
    device_event *e = calloc(1, sizeof *e);
    if (!e) return error_null(err, ERROR_MEMORY, "out of memory for an event");
    ++alive;
    return e;
}

static device_event *host_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset,
                                      const void *from, int64_t bytes, device_event *after, error *err)
{
    return host_write(d, to, offset, from, bytes, err) ? host_record(d, q, after, err) : NULL;
}

static device_event *host_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset,
                                     void *to, int64_t bytes, device_event *after, error *err)
{
    return host_read(d, from, offset, to, bytes, err) ? host_record(d, q, after, err) : NULL;
}

static bool host_event_wait(device_event *e, error *err)
{
    (void)e;
    (void)err;
    return true;
}

static void host_event_release(device_event *e)
{
    (void)e;
    --alive;
}

static bool host_queue_wait(device *d, device_queue q, device_event *e, error *err)
{
    (void)d;
    (void)q;
    return host_event_wait(e, err);
}

static bool host_finish(device *d, error *err)
{
    (void)d;
    (void)err;
    return true;
}

/* ---- Launches ---- */

static device_launches *host_launches_create(device *d, error *err)
{
    (void)d;
    host_launches *list = calloc(1, sizeof *list);
    if (!list) return error_null(err, ERROR_MEMORY, "out of memory for a list of launches");
    ++alive;
    return &list->common;
}

static void host_launches_release(device_launches *list)
{
    for (int i = 0; i < list->count; ++i) free(((host_launches *)list)->items[i].context);
    --alive;
}

static bool append(device_launches *list, host_item item, error *err)
{
    if (list->count == ITEMS_MAX)
        return error_set(err, ERROR_DEVICE, "'%s' keeps %d launches", list->owner->info.name, ITEMS_MAX);
    ((host_launches *)list)->items[list->count++] = item;
    return true;
}

static bool host_add(device_launches *list, const device_launch *launch, error *err)
{
    return error_set(err, ERROR_DEVICE, "'%s' runs no kernels, so not %s", list->owner->info.name,
                     launch->kernel);
}

static bool host_add_copy(device_launches *list, const char *label, device_buffer *to, int64_t to_offset,
                          const device_buffer *from, int64_t from_offset, int64_t bytes, error *err)
{
    (void)label;
    return append(
        list, (host_item){ .to = at(to, to_offset), .from = at(from, from_offset), .bytes = (size_t)bytes },
        err);
}

static bool host_add_fill(device_launches *list, const char *label, device_buffer *to, int64_t offset,
                          int64_t bytes, uint32_t pattern, error *err)
{
    (void)label;
    return append(list, (host_item){ .to = at(to, offset), .bytes = (size_t)bytes, .pattern = pattern }, err);
}

static bool host_add_call(device_launches *list, const char *label, device_call call, void *context,
                          error *err)
{
    (void)label;
    if (append(list, (host_item){ .call = call, .context = context }, err)) return true;
    free(context);
    return false;
}

static bool run(device *d, const host_item *item, error *err)
{
    if (item->call) return item->call(d, item->context, err);
    if (item->from)
        memmove(item->to, item->from, item->bytes);
    else
        fill(item->to, item->bytes, item->pattern);
    return true;
}

static bool host_repeat(device_launches *list, int first, int count, int times, error *err)
{
    for (; times > 0; --times)
        for (int i = first; i < first + count; ++i)
            if (!run(list->owner, &((host_launches *)list)->items[i], err)) return false;
    return true;
}

/* ---- Products ---- */

static const gemm_provider *const products[] = { &gemm_plain, NULL };

static const gemm_provider *product(device *d, const gemm_desc *desc)
{
    (void)d;
    (void)desc;
    return &gemm_plain;
}

const device_backend host_backend = {
    .name = "host",
    .list = host_list,
    .open = host_open,
    .close = host_close,
    .buffer_create = host_buffer_create,
    .buffer_release = host_buffer_release,
    .write = host_write,
    .read = host_read,
    .fill = host_fill,
    .write_begin = host_write_begin,
    .read_begin = host_read_begin,
    .event_record = host_record,
    .event_wait = host_event_wait,
    .event_release = host_event_release,
    .queue_wait = host_queue_wait,
    .finish = host_finish,
    .launches_create = host_launches_create,
    .launches_release = host_launches_release,
    .add = host_add,
    .add_copy = host_add_copy,
    .add_fill = host_add_fill,
    .add_call = host_add_call,
    .repeat = host_repeat,
    .products = products,
    .product = product,
};
