/* dry_device.c -- see dry_device.h.  CLBlast's calls are doubled too: its own kernels are not ours.
 * SPDX-License-Identifier: MIT */
#include "tests/kernels/dry_device.h"
#include "host/device/opencl/opencl.h"

#include <clblast_c.h>
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

struct device_event {
    int nothing;
};
struct device_launches {
    device *owner;
    int count;
};

static FILE *record; /* a test double may have state */
static device_event the_event;

void dry_device_record(FILE *to)
{
    record = to;
}

/* ---- Devices ---- */

static device_info info_of(size_t i)
{
    device_info info = models[i];
    info.index = (int)i;
    info.memory_bytes = info.max_buffer_bytes = INT64_C(1) << 50;
    info.local_bytes = 32 << 10;
    info.max_group = info.kind == DEVICE_GPU ? 256 : 4096;
    info.usable = info.half_storage = true;
    return info;
}

int device_list(device_info **infos, bool measure, error *err)
{
    (void)measure;
    *infos = calloc(MODEL_COUNT, sizeof **infos);
    if (!*infos) {
        error_set(err, ERROR_MEMORY, "out of memory for a list of devices");
        return -1;
    }
    for (size_t i = 0; i < MODEL_COUNT; ++i) (*infos)[i] = info_of(i);
    return (int)MODEL_COUNT;
}

device *device_open(const char *selector, error *err)
{
    const char *name = selector && *selector ? selector : getenv("DALLE_CL_DEVICE");
    for (size_t i = 0; name && i < MODEL_COUNT; ++i) {
        if (strcmp(name, models[i].name) != 0) continue;
        device *d = calloc(1, sizeof *d);
        if (!d) return error_null(err, ERROR_MEMORY, "out of memory for a device");
        d->info = info_of(i);
        return d;
    }
    return error_null(err, ERROR_USAGE, "no dry device '%s'; there are gpu32, gpu64, cpu16, cpu8, cpu4",
                      name ? name : "");
}

void device_close(device *d)
{
    if (d) device_buffer_destroy(d->scratch);
    free(d);
}

const device_info *device_get_info(const device *d)
{
    return &d->info;
}

const char *device_choice_reason(const device *d)
{
    (void)d;
    return "asked for";
}

bool device_set_shape(device *d, int lanes, int vec)
{
    (void)d;
    (void)lanes;
    (void)vec;
    return true;
}

/* ---- Buffers and transfers ---- */

device_buffer *device_buffer_create(device *d, int64_t bytes, error *err)
{
    device_buffer *b = calloc(1, sizeof *b);
    if (!b) return error_null(err, ERROR_MEMORY, "out of memory for a buffer");
    b->owner = d;
    b->bytes = bytes;
    d->allocated += bytes;
    return b;
}

void device_buffer_destroy(device_buffer *b)
{
    if (b) b->owner->allocated -= b->bytes;
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

bool device_write(device *d, device_buffer *to, int64_t offset_bytes, const void *from, int64_t bytes,
                  error *err)
{
    (void)d;
    (void)to;
    (void)offset_bytes;
    (void)from;
    (void)bytes;
    (void)err;
    return true;
}

bool device_read(device *d, const device_buffer *from, int64_t offset_bytes, void *to, int64_t bytes,
                 error *err)
{
    (void)d;
    (void)from;
    (void)offset_bytes;
    (void)err;
    memset(to, 0, (size_t)bytes);
    return true;
}

device_event *device_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset_bytes,
                                 const void *from, int64_t bytes, device_event *after, error *err)
{
    (void)q;
    (void)after;
    return device_write(d, to, offset_bytes, from, bytes, err) ? &the_event : NULL;
}

device_event *device_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset_bytes,
                                void *to, int64_t bytes, device_event *after, error *err)
{
    (void)q;
    (void)after;
    return device_read(d, from, offset_bytes, to, bytes, err) ? &the_event : NULL;
}

bool device_fill(device *d, device_buffer *b, int64_t offset_bytes, int64_t bytes, uint32_t pattern,
                 error *err)
{
    (void)d;
    (void)b;
    (void)offset_bytes;
    (void)bytes;
    (void)pattern;
    (void)err;
    return true;
}

device_event *device_event_record(device *d, device_queue q, error *err)
{
    (void)d;
    (void)q;
    (void)err;
    return &the_event;
}

bool device_queue_wait(device *d, device_queue q, device_event *e, error *err)
{
    (void)d;
    (void)q;
    (void)e;
    (void)err;
    return true;
}

bool device_event_wait(device_event *e, error *err)
{
    (void)e;
    (void)err;
    return true;
}

void device_event_release(device_event *e)
{
    (void)e;
}

gemm_choices *device_gemm_choices(device *d)
{
    return &d->choices;
}

bool device_cache_file(const device *d, const char *kind, const char *key, char **path, error *err)
{
    (void)d;
    (void)kind;
    (void)key;
    (void)err;
    *path = NULL;
    return true;
}

void device_free_host(device *d, void *memory)
{
    (void)d;
    free(memory);
}

bool device_finish(device *d, error *err)
{
    (void)d;
    (void)err;
    return true;
}

/* ---- Launches ---- */

device_launches *device_launches_create(device *d, error *err)
{
    device_launches *list = calloc(1, sizeof *list);
    if (!list) return error_null(err, ERROR_MEMORY, "out of memory for a list of launches");
    list->owner = d;
    return list;
}

void device_launches_destroy(device_launches *list)
{
    free(list);
}

int device_launches_count(const device_launches *list)
{
    return list->count;
}

bool device_launches_add(device_launches *list, const device_launch *l, error *err)
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

bool device_launches_add_copy(device_launches *list, const char *label, device_buffer *to,
                              int64_t to_offset_bytes, const device_buffer *from, int64_t from_offset_bytes,
                              int64_t bytes, error *err)
{
    (void)label;
    (void)to;
    (void)to_offset_bytes;
    (void)from;
    (void)from_offset_bytes;
    (void)bytes;
    (void)err;
    ++list->count;
    return true;
}

bool device_launches_add_fill(device_launches *list, const char *label, device_buffer *to,
                              int64_t offset_bytes, int64_t bytes, uint32_t pattern, error *err)
{
    (void)label;
    (void)pattern;
    ++list->count;
    return device_fill(list->owner, to, offset_bytes, bytes, pattern, err);
}

bool device_launches_add_call(device_launches *list, const char *label, device_call call, void *context,
                              error *err)
{
    (void)label;
    (void)call;
    (void)err;
    free(context);
    ++list->count;
    return true;
}

bool device_launches_run(device_launches *list, int first, int count, error *err)
{
    (void)first;
    (void)err;
    CHECK(count <= list->count, "%d of %d launches", count, list->count);
    return true;
}

void device_launches_defer(device_launches *list)
{
    (void)list;
}

bool device_launches_join(device_launches *list, const int *ends, int end_count, error *err)
{
    (void)list;
    (void)ends;
    (void)end_count;
    (void)err;
    return true;
}

bool device_launches_joined(const device_launches *list)
{
    (void)list;
    return false;
}

bool device_launches_repeat(device_launches *list, int first, int count, int times, error *err)
{
    (void)times;
    return device_launches_run(list, first, count, err);
}

bool device_profile_start(device *d, error *err)
{
    (void)d;
    (void)err;
    return true;
}

char *device_profile_report(device *d, error *err)
{
    (void)d;
    (void)err;
    return strdup("");
}

/* ---- CLBlast, as far as planning and recording a product ask it ---- */

CLBlastStatusCode CLBlastOverrideParameters(const cl_device_id id, const char *kernel,
                                            const CLBlastPrecision precision, const size_t count,
                                            const char **names, const size_t *values)
{
    (void)id;
    (void)kernel;
    (void)precision;
    (void)count;
    (void)names;
    (void)values;
    return CLBlastSuccess;
}

CLBlastStatusCode CLBlastSGemmTempBufferSize(const CLBlastLayout order, const CLBlastTranspose a_transpose,
                                             const CLBlastTranspose b_transpose, const size_t m,
                                             const size_t n, const size_t k, const size_t a_offset,
                                             const size_t a_ld, const size_t b_offset, const size_t b_ld,
                                             const size_t c_offset, const size_t c_ld,
                                             cl_command_queue *queue, size_t *bytes)
{
    (void)order;
    (void)a_transpose;
    (void)b_transpose;
    (void)m;
    (void)n;
    (void)k;
    (void)a_offset;
    (void)a_ld;
    (void)b_offset;
    (void)b_ld;
    (void)c_offset;
    (void)c_ld;
    (void)queue;
    *bytes = 0;
    return CLBlastSuccess;
}
