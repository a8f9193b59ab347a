/* launch.c -- recording launches.  Everything that can fail because of shapes, options or limits fails when a
 * launch is added; running a list only enqueues.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/launches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRID_X_MOST  2147483647 /* groups along the axes, on every card */
#define GRID_YZ_MOST 65535

device_launches *cuda_launch_list(device *d, error *err)
{
    cuda_launches *list = calloc(1, sizeof *list);
    (void)d;
    if (!list) return error_null(err, ERROR_MEMORY, "out of memory for a list of launches");
    return &list->common;
}

static void item_clear(device *d, cuda_item *item)
{
    if (item->end) item->end(d, item->context);
    free(item->label);
    free(item->name);
    free(item->values);
    free(item->arguments);
    free(item->context);
}

void cuda_launch_release(device_launches *released)
{
    cuda_launches *list = cuda_launches_of(released);
    cuda_connect_enter(released->owner, NULL);
    cuda_run_forget(list);
    for (int i = 0; i < released->count; ++i) item_clear(released->owner, &list->items[i]);
    free(list->items);
}

bool cuda_launch_append(device_launches *to, cuda_item *item, const char *label, error *err)
{
    cuda_launches *list = cuda_launches_of(to);
    item->label = strdup(label ? label : "unnamed");
    bool ok = item->label != NULL;
    if (ok && to->count == list->capacity) {
        const int capacity = list->capacity ? 2 * list->capacity : 64;
        cuda_item *items = realloc(list->items, (size_t)capacity * sizeof *items);
        if (items) {
            list->items = items;
            list->capacity = capacity;
        }
        ok = items != NULL;
    }
    if (ok) {
        list->items[to->count++] = *item;
        return true;
    }
    item_clear(to->owner, item);
    return error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", label);
}

void cuda_launch_sizes(const cuda_item *item, char *out, size_t size)
{
    snprintf(out, size, "grid %ux%ux%u, block %ux%ux%u", item->grid[0], item->grid[1], item->grid[2],
             item->block[0], item->block[1], item->block[2]);
}

/* ---- Kernels --------------------------------------------------------------------------------- */

/* OpenCL's sizes are work-items in all; CUDA's are groups, and items of a group. */
static bool set_sizes(cuda_item *item, const device *d, const device_launch *l, error *err)
{
    CHECK(l->rank >= 1 && l->rank <= 3, "kernel %s: rank %d", l->kernel, l->rank);
    for (int i = 0; i < 3; ++i) {
        const size_t global = i < l->rank ? l->global[i] : 1, local = i < l->rank ? l->local[i] : 1;
        CHECK(local > 0 && global > 0 && global % local == 0, "kernel %s: global %zu, local %zu", l->kernel,
              global, local);
        const size_t groups = global / local, most = i == 0 ? GRID_X_MOST : GRID_YZ_MOST;
        if (groups > most)
            return error_set(err, ERROR_DEVICE,
                             "kernel %s (%zu work-groups along axis %d): '%s' allows %zu; lower the batch",
                             l->kernel, groups, i, d->info.name, most);
        item->grid[i] = (unsigned)groups;
        item->block[i] = (unsigned)local;
    }
    return true;
}

/* The group's size against what this kernel's registers and local memory allow. */
static bool check_sizes(const cuda_item *item, const device *d, const device_launch *l, error *err)
{
    const int64_t items = (int64_t)item->block[0] * item->block[1] * item->block[2];
    int limit = 0, shared = 0;
    char sizes[160];
    cuda_launch_sizes(item, sizes, sizeof sizes);
    int status = cuda(d)->api->cuFuncGetAttribute(&limit, CU_FUNCTION_MAX_THREADS, item->function);
    if (status == CU_SUCCESS)
        status = cuda(d)->api->cuFuncGetAttribute(&shared, CU_FUNCTION_SHARED_BYTES, item->function);
    if (status != CU_SUCCESS) return cuda_status_error(err, status, "cuFuncGetAttribute(%s)", l->kernel);
    if (limit > d->info.max_group) limit = (int)d->info.max_group;
    if (items > limit)
        return error_set(err, ERROR_DEVICE,
                         "kernel %s (%s): '%s' allows local work-groups of %d for it; use fewer lanes",
                         l->kernel, sizes, d->info.name, limit);
    if (shared > d->info.local_bytes)
        return error_set(err, ERROR_DEVICE, "kernel %s needs %d bytes of local memory, '%s' has %lld",
                         l->kernel, shared, d->info.name, (long long)d->info.local_bytes);
    return true;
}

/* A buffer is its address and the offset; the driver copies from a slot as many bytes as the kernel's
 * parameter has. */
static bool set_arguments(cuda_item *item, const device_launch *l, error *err)
{
    int count = 0;
    item->values = calloc(2 * DEVICE_ARGS_MAX, sizeof *item->values);
    item->arguments = calloc(2 * DEVICE_ARGS_MAX, sizeof *item->arguments);
    if (!item->values || !item->arguments)
        return error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", l->kernel);
    for (int i = 0; i < l->arg_count; ++i) {
        const device_arg *a = &l->args[i];
        const int32_t narrow = (int32_t)a->integer;
        if (a->kind == DEVICE_ARG_BUFFER) item->values[count++] = a->buffer ? cuda_memory(a->buffer) : 0;
        if (a->kind == DEVICE_ARG_INT) {
            CHECK(a->integer == narrow, "kernel %s, argument %d: %lld is no int", l->kernel, i,
                  (long long)a->integer);
            memcpy(&item->values[count++], &narrow, sizeof narrow);
        } else if (a->kind == DEVICE_ARG_FLOAT) {
            memcpy(&item->values[count++], &a->real, sizeof a->real);
        } else {
            memcpy(&item->values[count++], &a->integer, sizeof a->integer);
        }
    }
    for (int i = 0; i < count; ++i) item->arguments[i] = &item->values[i];
    return true;
}

bool cuda_launch_add(device_launches *list, const device_launch *l, error *err)
{
    device *d = list->owner;
    cuda_item item = { .kind = CUDA_KERNEL, .name = strdup(l->kernel) };
    if (!item.name) return error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", l->kernel);
    if (cuda_connect_enter(d, err) && set_sizes(&item, d, l, err) &&
        (item.function = cuda_program_get(d, l, err)) && check_sizes(&item, d, l, err) &&
        set_arguments(&item, l, err))
        return cuda_launch_append(list, &item, l->label ? l->label : l->kernel, err);
    item_clear(d, &item);
    return false;
}

/* ---- The rest -------------------------------------------------------------------------------- */

bool cuda_launch_add_copy(device_launches *list, const char *label, device_buffer *to, int64_t to_offset,
                          const device_buffer *from, int64_t from_offset, int64_t bytes, error *err)
{
    cuda_item item = { .kind = CUDA_COPY,
                       .to = cuda_memory(to) + (cu_pointer)to_offset,
                       .from = cuda_memory(from) + (cu_pointer)from_offset,
                       .bytes = (size_t)bytes };
    return cuda_launch_append(list, &item, label, err);
}

bool cuda_launch_add_fill(device_launches *list, const char *label, device_buffer *to, int64_t offset,
                          int64_t bytes, uint32_t pattern, error *err)
{
    cuda_item item = { .kind = CUDA_FILL,
                       .to = cuda_memory(to) + (cu_pointer)offset,
                       .bytes = (size_t)bytes,
                       .pattern = pattern };
    return cuda_launch_append(list, &item, label, err);
}

bool cuda_launch_add_call(device_launches *list, const char *label, device_call call, void *context,
                          error *err)
{
    cuda_item item = { .kind = CUDA_CALL, .call = call, .context = context };
    return cuda_launch_append(list, &item, label, err);
}
