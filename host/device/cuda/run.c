/* run.c -- running a list: launches between two calls of the host are recorded as one CUDA graph when they
 * run for the second time, because launching it costs about as much as one of them; what runs once is not
 * worth one.  Where the driver refuses a graph they are launched one by one, which gives the same.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/launches.h"
#include "host/base/log.h"

#include <stdlib.h>

#define STRETCHES_MOST 256 /* of a list; a program runs a few spans of it, over and over */
#define STRETCH_LEAST  2

void cuda_run_forget(cuda_launches *list)
{
    const cuda_driver *api = cuda(list->common.owner)->api;
    for (int i = 0; i < list->stretch_count; ++i)
        if (list->stretches[i].replay) api->cuGraphExecDestroy(list->stretches[i].replay);
    free(list->stretches);
    list->stretches = NULL;
    list->stretch_count = 0;
}

/* ---- One by one ---- */

static bool enqueue(device *d, const cuda_item *item, error *err)
{
    const cuda_driver *api = cuda(d)->api;
    cu_stream on = cuda(d)->stream[DEVICE_COMPUTE];
    const unsigned *grid = item->grid, *block = item->block;
    char sizes[160];
    int status = CU_SUCCESS;
    switch (item->kind) {
    case CUDA_KERNEL:
        status = api->cuLaunchKernel(item->function, grid[0], grid[1], grid[2], block[0], block[1], block[2],
                                     0, on, item->arguments, NULL);
        if (status == CU_SUCCESS) return true;
        cuda_launch_sizes(item, sizes, sizeof sizes);
        return cuda_status_error(err, status, "%s: cuLaunchKernel(%s, %s)", item->label, item->name, sizes);
    case CUDA_COPY:
        status = api->cuMemcpyDtoDAsync_v2(item->to, item->from, item->bytes, on);
        if (status == CU_SUCCESS) return true;
        return cuda_status_error(err, status, "%s: cuMemcpyDtoDAsync(%zu bytes)", item->label, item->bytes);
    case CUDA_FILL:
        status = api->cuMemsetD32Async(item->to, item->pattern, item->bytes / 4, on);
        if (status == CU_SUCCESS) return true;
        return cuda_status_error(err, status, "%s: cuMemsetD32Async(%zu bytes)", item->label, item->bytes);
    case CUDA_PRODUCT:
    case CUDA_CALL:
        if (!item->call(d, item->context, err)) return error_prefix(err, "%s", item->label);
        return item->kind == CUDA_PRODUCT || cuda_connect_enter(d, err);
    }
    return true;
}

static bool enqueue_all(const cuda_launches *list, int first, int end, error *err)
{
    for (int i = first; i < end; ++i)
        if (!enqueue(list->common.owner, &list->items[i], err)) return false;
    return true;
}

/* ---- As a graph ---- */

static cuda_stretch *stretch_of(cuda_launches *list, int first, int end)
{
    for (int i = 0; i < list->stretch_count; ++i)
        if (list->stretches[i].first == first && list->stretches[i].end == end) return &list->stretches[i];
    if (list->stretch_count == STRETCHES_MOST) return NULL;
    cuda_stretch *more = realloc(list->stretches, (size_t)(list->stretch_count + 1) * sizeof *more);
    if (!more) return NULL;
    list->stretches = more;
    more[list->stretch_count] = (cuda_stretch){ .first = first, .end = end };
    return &more[list->stretch_count++];
}

/* A graph that could not be made is no error: what was wrong shows when the launches are made one by one. */
static void make_graph(const cuda_launches *list, cuda_stretch *s)
{
    device *d = list->common.owner;
    const cuda_driver *api = cuda(d)->api;
    cu_stream on = cuda(d)->stream[DEVICE_COMPUTE];
    cu_graph graph = NULL;
    s->refused = true;
    if (api->cuStreamBeginCapture_v2(on, CU_CAPTURE_THIS_THREAD) != CU_SUCCESS) return;
    const bool recorded = enqueue_all(list, s->first, s->end, NULL);
    if (api->cuStreamEndCapture(on, &graph) != CU_SUCCESS) graph = NULL;
    if (recorded && graph && api->cuGraphInstantiateWithFlags(&s->replay, graph, 0) == CU_SUCCESS)
        s->refused = false;
    else
        s->replay = NULL;
    if (graph) api->cuGraphDestroy(graph);
    if (s->refused)
        log_verbose("CUDA makes no graph of %d launches from '%s' on: they are launched one by one",
                    s->end - s->first, list->items[s->first].label);
}

static bool run_stretch(cuda_launches *list, int first, int end, error *err)
{
    device *d = list->common.owner;
    cuda_stretch *s = end - first >= STRETCH_LEAST ? stretch_of(list, first, end) : NULL;
    if (s && s->runs++ > 0 && !s->replay && !s->refused) make_graph(list, s);
    if (!s || !s->replay) return enqueue_all(list, first, end, err);
    const int status = cuda(d)->api->cuGraphLaunch(s->replay, cuda(d)->stream[DEVICE_COMPUTE]);
    return status == CU_SUCCESS || cuda_status_error(err, status, "%s: cuGraphLaunch(%d launches)",
                                                     list->items[first].label, end - first);
}

/* ---- Timed ---- */

typedef struct times {
    cu_event from, to;
} times;

static bool times_make(device *d, times *t, error *err)
{
    const cuda_driver *api = cuda(d)->api;
    int status = api->cuEventCreate(&t->from, CU_EVENT_TIMED);
    if (status == CU_SUCCESS) {
        status = api->cuEventCreate(&t->to, CU_EVENT_TIMED);
        if (status == CU_SUCCESS) return true;
        api->cuEventDestroy_v2(t->from);
    }
    return cuda_status_error(err, status, "cuEventCreate");
}

/* A call may wait for what it began, so that the time between the events is the clock's, too. */
static bool run_timed(device *d, const cuda_item *item, const times *t, error *err)
{
    const cuda_driver *api = cuda(d)->api;
    cu_stream on = cuda(d)->stream[DEVICE_COMPUTE];
    float milliseconds = 0;
    int status = api->cuEventRecord(t->from, on);
    if (status != CU_SUCCESS) return cuda_status_error(err, status, "%s: cuEventRecord", item->label);
    if (!enqueue(d, item, err)) return false;
    status = api->cuEventRecord(t->to, on);
    if (status == CU_SUCCESS) status = api->cuEventSynchronize(t->to);
    if (status == CU_SUCCESS) status = api->cuEventElapsedTime(&milliseconds, t->from, t->to);
    if (status != CU_SUCCESS) return cuda_status_error(err, status, "%s: cuEventElapsedTime", item->label);
    profile_add(d->profile, item->label, (double)milliseconds);
    return true;
}

static bool run_profiled(cuda_launches *list, int first, int end, error *err)
{
    device *d = list->common.owner;
    const cuda_driver *api = cuda(d)->api;
    times t;
    if (!times_make(d, &t, err)) return false;
    bool ok = true;
    for (int i = first; ok && i < end; ++i) ok = run_timed(d, &list->items[i], &t, err);
    api->cuEventDestroy_v2(t.from);
    api->cuEventDestroy_v2(t.to);
    return ok;
}

/* ---- The list ---- */

static bool run_once(cuda_launches *list, int first, int end, error *err)
{
    for (int at = first, next; at < end; at = next) {
        for (next = at; next < end && list->items[next].kind != CUDA_CALL; ++next) continue;
        if (next > at && !run_stretch(list, at, next, err)) return false;
        if (next < end && !enqueue(list->common.owner, &list->items[next++], err)) return false;
    }
    return true;
}

bool cuda_run_repeat(device_launches *repeated, int first, int count, int times_asked, error *err)
{
    cuda_launches *list = cuda_launches_of(repeated);
    if (!cuda_connect_enter(repeated->owner, err)) return false;
    for (int i = 0; i < times_asked; ++i)
        if (!(repeated->owner->profile ? run_profiled : run_once)(list, first, first + count, err))
            return false;
    return true;
}
