/* launch.c -- recorded launches.  Everything that can fail because of shapes, options or limits
 * fails when a launch is added; running a list only enqueues.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/launches.h"
#include "host/base/log.h"
#include "host/base/timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static opencl_launches *launches_of(const device_launches *list)
{
    return (opencl_launches *)list;
}

device_launches *launch_list(device *d, error *err)
{
    opencl_launches *list = calloc(1, sizeof *list);
    (void)d;
    if (!list) return error_null(err, ERROR_MEMORY, "out of memory for a list of launches");
    return &list->common;
}

static void described_free(device_launch *l)
{
    if (!l) return;
    free((char *)l->file);
    free((char *)l->kernel);
    free((char *)l->options);
    free(l);
}

/* A copy whose texts are its own, to be freed. */
static device_launch *describe(const device_launch *l)
{
    device_launch *copy = malloc(sizeof *copy);
    if (!copy) return NULL;
    *copy = *l;
    copy->file = strdup(l->file);
    copy->kernel = strdup(l->kernel);
    copy->options = strdup(l->options ? l->options : "");
    copy->label = NULL;
    if (copy->file && copy->kernel && copy->options) return copy;
    described_free(copy);
    return NULL;
}

static void launch_clear(launch *item)
{
    described_free(item->described);
    if (item->kernel) clReleaseKernel(item->kernel);
    if (item->to) clReleaseMemObject(item->to);
    if (item->from) clReleaseMemObject(item->from);
    free(item->label);
    free(item->name);
    free(item->context);
}

void launch_release(device_launches *released)
{
    opencl_launches *list = launches_of(released);
    for (int i = 0; i < released->count; ++i) launch_clear(&list->items[i]);
    for (int i = 0; i < list->joined_count; ++i) joined_destroy(list->joined[i]);
    free(list->joined);
    free(list->items);
}

/* Moves *item into the list, or clears it. */
static bool append(device_launches *to, launch *item, const char *label, error *err)
{
    opencl_launches *list = launches_of(to);
    item->label = strdup(label ? label : "unnamed");
    bool ok = item->label != NULL;
    if (ok && to->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 64;
        launch *items = realloc(list->items, (size_t)capacity * sizeof *items);
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
    launch_clear(item);
    return error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", label);
}

/* "global 192x4, local 64x1" */
static void sizes_text(cl_uint rank, const size_t *global, const size_t *local, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "global ");
    for (cl_uint i = 0; i < rank; ++i)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i ? "x" : "", global[i]);
    used += (size_t)snprintf(out + used, size - used, ", local ");
    for (cl_uint i = 0; i < rank; ++i)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i ? "x" : "", local[i]);
}

static bool set_arg(cl_kernel kernel, cl_uint *index, size_t size, const void *value, const char *name,
                    error *err)
{
    cl_int status = clSetKernelArg(kernel, *index, size, value);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clSetKernelArg(%s, argument %u, %zu bytes)", name, *index, size);
    ++*index;
    return true;
}

static bool set_args(cl_kernel kernel, const device_launch *l, error *err)
{
    cl_uint expected = 0, given = 0, index = 0;
    cl_int status = clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof expected, &expected, NULL);
    if (status != CL_SUCCESS) return status_error(err, status, "clGetKernelInfo(%s)", l->kernel);
    for (int i = 0; i < l->arg_count; ++i) given += l->args[i].kind == DEVICE_ARG_BUFFER ? 2 : 1;
    CHECK(given == expected, "kernel %s has %u arguments, the launch gives %u (a buffer counts twice)",
          l->kernel, expected, given);
    bool ok = true;
    for (int i = 0; ok && i < l->arg_count; ++i) {
        const device_arg *a = &l->args[i];
        cl_mem memory = a->kind == DEVICE_ARG_BUFFER && a->buffer ? opencl_memory(a->buffer) : NULL;
        cl_long wide = a->integer;
        cl_int narrow = (cl_int)a->integer;
        switch (a->kind) {
        case DEVICE_ARG_BUFFER:
            ok = set_arg(kernel, &index, sizeof memory, &memory, l->kernel, err) &&
                 set_arg(kernel, &index, sizeof wide, &wide, l->kernel, err);
            break;
        case DEVICE_ARG_INT:
            CHECK(a->integer == narrow, "kernel %s, argument %d: %lld is no int", l->kernel, i,
                  (long long)a->integer);
            ok = set_arg(kernel, &index, sizeof narrow, &narrow, l->kernel, err);
            break;
        case DEVICE_ARG_FLOAT:
            ok = set_arg(kernel, &index, sizeof a->real, &a->real, l->kernel, err);
            break;
        case DEVICE_ARG_LONG:
            ok = set_arg(kernel, &index, sizeof wide, &wide, l->kernel, err);
            break;
        }
    }
    return ok;
}

/* The caller's sizes against what the device and this kernel's registers and local memory allow. */
static bool check_sizes(const device *d, cl_kernel kernel, const device_launch *l, error *err)
{
    size_t items = 1, limit = (size_t)d->info.max_group;
    cl_ulong local_bytes = 0;
    char sizes[160];
    CHECK(l->rank >= 1 && l->rank <= 3, "kernel %s: rank %d", l->kernel, l->rank);
    sizes_text((cl_uint)l->rank, l->global, l->local, sizes, sizeof sizes);
    for (int i = 0; i < l->rank; ++i) {
        CHECK(l->local[i] > 0 && l->global[i] > 0 && l->global[i] % l->local[i] == 0, "%s: %s", l->kernel,
              sizes);
        if (opencl(d)->max_items[i] > 0 && l->local[i] > opencl(d)->max_items[i])
            return error_set(err, ERROR_DEVICE, "kernel %s (%s): '%s' allows %zu work-items along axis %d",
                             l->kernel, sizes, d->info.name, opencl(d)->max_items[i], i);
        items *= l->local[i];
    }
    cl_int status = clGetKernelWorkGroupInfo(kernel, opencl(d)->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof limit,
                                             &limit, NULL);
    if (status == CL_SUCCESS)
        status = clGetKernelWorkGroupInfo(kernel, opencl(d)->id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local_bytes,
                                          &local_bytes, NULL);
    if (status != CL_SUCCESS) return status_error(err, status, "clGetKernelWorkGroupInfo(%s)", l->kernel);
    if (items > limit)
        return error_set(err, ERROR_DEVICE,
                         "kernel %s (%s): '%s' allows work-groups of %zu for it; use fewer lanes", l->kernel,
                         sizes, d->info.name, limit);
    if (local_bytes > (cl_ulong)d->info.local_bytes)
        return error_set(err, ERROR_DEVICE, "kernel %s needs %llu bytes of local memory, '%s' has %lld",
                         l->kernel, (unsigned long long)local_bytes, d->info.name,
                         (long long)d->info.local_bytes);
    return true;
}

static bool in_single_items(const device_launch *l)
{
    bool single = true;
    for (int i = 0; i < l->rank; ++i) single = single && l->local[i] == 1;
    return single;
}

static program_name program_of(const device_launch *l)
{
    return (program_name){ l->file, l->kernel, l->options ? l->options : "", in_single_items(l) };
}

/* Program, kernel object, arguments. */
static bool make_kernel(device *d, launch *item, const device_launch *l, error *err)
{
    const program_name name = program_of(l);
    cl_program built = program_get(d, &name, err);
    if (!built) return false;
    cl_int status;
    cl_kernel kernel = clCreateKernel(built, l->kernel, &status);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clCreateKernel(%s in %s.cl)", l->kernel, l->file);
    item->name = strdup(l->kernel);
    if (!item->name) error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", l->kernel);
    if (item->name && check_sizes(d, kernel, l, err) && set_args(kernel, l, err)) {
        item->kernel = kernel;
        return true;
    }
    free(item->name);
    item->name = NULL;
    clReleaseKernel(kernel);
    return false;
}

/* Makes what was only described. */
static bool make_described(device *d, launch *item, error *err)
{
    return item->kind != LAUNCH_KERNEL || item->kernel || make_kernel(d, item, item->described, err);
}

bool launch_add(device_launches *list, const device_launch *l, error *err)
{
    launch item = { .kind = LAUNCH_KERNEL, .rank = (cl_uint)l->rank };
    bool ok;
    const program_name name = program_of(l);
    item.joinable = launches_of(list)->joining && name.single;
    if (item.joinable || program_later(list->owner, &name)) {
        item.described = describe(l);
        ok = item.described || error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", l->kernel);
    } else {
        ok = make_kernel(list->owner, &item, l, err);
    }
    if (!ok) return false;
    memcpy(item.global, l->global, sizeof item.global);
    memcpy(item.local, l->local, sizeof item.local);
    return append(list, &item, l->label ? l->label : l->kernel, err);
}

/* ---- Joining --------------------------------------------------------------------------------- */

void launch_defer(device_launches *list)
{
    launches_of(list)->joining = list->owner->info.joins;
}

/* Where the driver cannot join them, the kernels are launched one by one, which gives the same. */
static bool join_span(opencl_launches *list, int first, int count, error *err)
{
    error why = { 0 };
    joined **more = realloc(list->joined, (size_t)(list->joined_count + 1) * sizeof *more);
    if (!more) return error_set(err, ERROR_MEMORY, "out of memory for joining launches");
    list->joined = more;
    joined *j = count > 1 ? joined_create(list, first, count, &why) : NULL;
    if (j) {
        more[list->joined_count++] = j;
        return true;
    }
    if (count > 1 && error_of_memory(&why)) return error_set(err, why.code, "%s", why.message);
    if (count > 1) log_verbose("launches of '%s' stay apart: %s", list->items[first].label, why.message);
    for (int i = first; i < first + count; ++i)
        if (!make_described(list->common.owner, &list->items[i], err)) return false;
    return true;
}

bool launch_join(device_launches *joining, const int *ends, int end_count, error *err)
{
    opencl_launches *list = launches_of(joining);
    const int count = joining->count;
    if (!list->joining) return true;
    list->joining = false;
    for (int first = 0, next; first < count; first = next) {
        int end = count;
        for (int i = 0; i < end_count; ++i)
            if (ends[i] > first && ends[i] < end) end = ends[i];
        for (next = first; next < end && list->items[next].joinable; ++next) continue;
        if (next > first && !join_span(list, first, next - first, err)) return false;
        if (next == first) ++next;
    }
    return true;
}

bool launch_joined(const device_launches *list)
{
    return launches_of(list)->joined_count > 0;
}

/* A reference of the launch's own. */
static bool hold(cl_mem *memory, const device_buffer *b, const char *label, error *err)
{
    cl_int status = clRetainMemObject(opencl_memory(b));
    if (status != CL_SUCCESS) return status_error(err, status, "%s: clRetainMemObject", label);
    *memory = opencl_memory(b);
    return true;
}

bool launch_add_copy(device_launches *list, const char *label, device_buffer *to, int64_t to_offset_bytes,
                     const device_buffer *from, int64_t from_offset_bytes, int64_t bytes, error *err)
{
    launch item = { .kind = LAUNCH_COPY,
                    .to_offset = (size_t)to_offset_bytes,
                    .from_offset = (size_t)from_offset_bytes,
                    .bytes = (size_t)bytes };
    if (!hold(&item.to, to, label, err)) return false;
    if (hold(&item.from, from, label, err)) return append(list, &item, label, err);
    launch_clear(&item);
    return false;
}

bool launch_add_fill(device_launches *list, const char *label, device_buffer *to, int64_t offset_bytes,
                     int64_t bytes, uint32_t pattern, error *err)
{
    launch item = {
        .kind = LAUNCH_FILL, .to_offset = (size_t)offset_bytes, .bytes = (size_t)bytes, .pattern = pattern
    };
    return hold(&item.to, to, label, err) && append(list, &item, label, err);
}

bool launch_add_call(device_launches *list, const char *label, device_call call, void *context, error *err)
{
    launch item = { .kind = LAUNCH_CALL, .call = call, .context = context };
    return append(list, &item, label, err);
}

/* ---- Running --------------------------------------------------------------------------------- */

static bool enqueue(device *d, const launch *item, cl_event *event, error *err)
{
    cl_command_queue queue = opencl(d)->queue[DEVICE_COMPUTE];
    char sizes[160];
    cl_int status = CL_SUCCESS;
    switch (item->kind) {
    case LAUNCH_KERNEL:
        status = clEnqueueNDRangeKernel(queue, item->kernel, item->rank, NULL, item->global, item->local, 0,
                                        NULL, event);
        if (status == CL_SUCCESS) return true;
        sizes_text(item->rank, item->global, item->local, sizes, sizeof sizes);
        return status_error(err, status, "%s: clEnqueueNDRangeKernel(%s, %s)", item->label, item->name,
                            sizes);
    case LAUNCH_COPY:
        status = clEnqueueCopyBuffer(queue, item->from, item->to, item->from_offset, item->to_offset,
                                     item->bytes, 0, NULL, event);
        if (status == CL_SUCCESS) return true;
        return status_error(err, status, "%s: clEnqueueCopyBuffer(%zu bytes)", item->label, item->bytes);
    case LAUNCH_FILL:
        status = clEnqueueFillBuffer(queue, item->to, &item->pattern, sizeof item->pattern, item->to_offset,
                                     item->bytes, 0, NULL, event);
        if (status == CL_SUCCESS) return true;
        return status_error(err, status, "%s: clEnqueueFillBuffer(%zu bytes)", item->label, item->bytes);
    case LAUNCH_CALL:
        if (item->call(d, item->context, err)) return true;
        return error_prefix(err, "%s", item->label);
    }
    return true;
}

/* Waits for each launch.  By the clock are timed: a library's call, which may enqueue several kernels, and
 * everything on drivers whose timestamps stay 0 (rusticl 22.3). */
static bool run_timed(device *d, const launch *item, error *err)
{
    cl_event event = NULL;
    cl_ulong start = 0, end = 0;
    double before = timing_now();
    if (!enqueue(d, item, &event, err)) return false;
    cl_int status = event ? clWaitForEvents(1, &event) : clFinish(opencl(d)->queue[DEVICE_COMPUTE]);
    double milliseconds = 1e3 * (timing_now() - before);
    if (status == CL_SUCCESS && event &&
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) ==
            CL_SUCCESS &&
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) == CL_SUCCESS &&
        end > start)
        milliseconds = (double)(end - start) * 1e-6;
    bool timed = event != NULL;
    if (timed) clReleaseEvent(event);
    if (status != CL_SUCCESS)
        return status_error(err, status, "%s: %s", item->label, timed ? "clWaitForEvents" : "clFinish");
    profile_add(d->profile, item->label, milliseconds);
    return true;
}

/* The joined launches that begin at `first` and end by `end`, or NULL. */
static joined *joined_at(const opencl_launches *list, int first, int end)
{
    for (int i = 0; i < list->joined_count; ++i)
        if (joined_first(list->joined[i]) == first && first + joined_launches(list->joined[i]) <= end)
            return list->joined[i];
    return NULL;
}

static bool run_once(opencl_launches *list, int first, int end, error *err)
{
    device *d = list->common.owner;
    for (int i = first; i < end;) {
        joined *j = d->profile ? NULL : joined_at(list, i, end);
        launch *item = &list->items[i];
        if (j ? !joined_enqueue(j, 1, err)
              : !make_described(d, item, err) ||
                    (d->profile ? !run_timed(d, item, err) : !enqueue(d, item, NULL, err)))
            return false;
        i += j ? joined_launches(j) : 1;
    }
    return true;
}

bool launch_repeat(device_launches *repeated, int first, int count, int times, error *err)
{
    opencl_launches *list = launches_of(repeated);
    device *d = repeated->owner;
    joined *whole = d->profile || !count ? NULL : joined_at(list, first, first + count);
    if (whole && joined_launches(whole) == count) {
        if (!joined_enqueue(whole, times, err)) return false;
    } else {
        for (int i = 0; i < times; ++i)
            if (!run_once(list, first, first + count, err)) return false;
    }
    cl_int status = clFlush(opencl(d)->queue[DEVICE_COMPUTE]);
    return status == CL_SUCCESS || status_error(err, status, "clFlush");
}
