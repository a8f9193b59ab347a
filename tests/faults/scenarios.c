/* scenarios.c -- the scenarios that are walked, and those about the device alone.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/scenarios.h"

#include "host/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static device *opened; /* of the scenarios that keep one */

static bool open_once(error *err)
{
    return (opened = device_open(NULL, err)) != NULL;
}

static void close_once(void)
{
    device_close(opened);
    opened = NULL;
}

static void remove_all(const char *pattern)
{
    char command[700];
    snprintf(command, sizeof command, "rm -rf %s/%s", getenv("DALLE_CL_CACHE"), pattern);
    if (system(command) != 0) abort();
}

/* ---- Opening a device ---- */

static bool open_and_close(error *err)
{
    device *d = device_open(NULL, err);
    device_close(d);
    return d != NULL;
}

static bool open_unknown(error *err)
{
    remove_all("device-*.json");
    return open_and_close(err);
}

/* What was remembered of a device that failed must not keep it from being used. */
static bool still_opens(bool ran, error *err)
{
    (void)ran;
    return open_and_close(err);
}

static bool list_all(error *err)
{
    device_info *infos = NULL;
    remove_all("device-*.json");
    int count = device_list(&infos, true, err);
    bool ok = count > 0;
    for (int i = 0; ok && i < count; ++i)
        if (!infos[i].usable) ok = error_set(err, ERROR_DEVICE, "%s", infos[i].reason);
    free(infos);
    return ok;
}

/* ---- Building a program ---- */

enum { VALUES = 64 };

static device_launches *probe_launches(device *d, device_buffer *out, device_buffer *in, error *err)
{
    device_launches *list = device_launches_create(d, err);
    device_launch launch = { .file = "device/probe",
                             .kernel = "probe_half_storage",
                             .options = "-DFAULTS",
                             .rank = 1,
                             .global = { VALUES },
                             .local = { 1 },
                             .arg_count = 3,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = out },
                                       { .kind = DEVICE_ARG_BUFFER, .buffer = in },
                                       { .kind = DEVICE_ARG_INT, .integer = VALUES } } };
    if (list && device_launches_add(list, &launch, err)) return list;
    device_launches_destroy(list);
    return NULL;
}

static bool build_from_source(error *err)
{
    remove_all("programs");
    device *d = device_open(NULL, err);
    device_buffer *b = d ? device_buffer_create(d, VALUES * 4, err) : NULL;
    device_launches *list = b ? probe_launches(d, b, b, err) : NULL;
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
    return list != NULL;
}

/* ---- Joining ---- */

/* Joined or, where that fails for another reason than memory, apart: the same sums. */
static bool joined_sums(device *d, device_buffer *b, error *err)
{
    enum { LAUNCHES = 3, TIMES = 5 };
    float host[VALUES];
    device_launches *list = device_launches_create(d, err);
    bool ok = list != NULL;
    if (ok) device_launches_defer(list);
    for (int i = 0; ok && i < LAUNCHES; ++i) {
        device_launch add_one = { .file = "device/selftest",
                                  .kernel = "selftest_affine",
                                  .options = "-DVEC=1",
                                  .rank = 1,
                                  .global = { 4 },
                                  .local = { 1 },
                                  .arg_count = 5,
                                  .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b },
                                            { .kind = DEVICE_ARG_INT, .integer = VALUES },
                                            { .kind = DEVICE_ARG_FLOAT, .real = 1.0f },
                                            { .kind = DEVICE_ARG_INT, .integer = 1 },
                                            { .kind = DEVICE_ARG_LONG, .integer = 0 } } };
        ok = device_launches_add(list, &add_one, err);
    }
    ok = ok && device_launches_join(list, NULL, 0, err) && device_fill(d, b, 0, VALUES * 4, 0, err) &&
         device_launches_repeat(list, 0, LAUNCHES, TIMES, err) &&
         device_read(d, b, 0, host, sizeof host, err);
    device_launches_destroy(list);
    for (int i = 0; ok && i < VALUES; ++i)
        if (host[i] != LAUNCHES * TIMES)
            ok = error_set(err, ERROR_DEVICE, "sum %d is %g", i, (double)host[i]);
    return ok;
}

static bool join_from_source(error *err)
{
    remove_all("programs");
    device *d = device_open(NULL, err);
    device_buffer *b = d ? device_buffer_create(d, VALUES * 4, err) : NULL;
    bool ok = b && joined_sums(d, b, err);
    device_buffer_destroy(b);
    device_close(d);
    return ok;
}

/* ---- Queues, transfers, launches ---- */

static bool transfer(device *d, device_buffer *a, device_buffer *b, error *err)
{
    static uint32_t from[VALUES], to[VALUES];
    for (int i = 0; i < VALUES; ++i) from[i] = (uint32_t)i;
    device_event *written = device_write_begin(d, DEVICE_TRANSFER, a, 0, from, sizeof from, NULL, err);
    bool ok = written && device_queue_wait(d, DEVICE_COMPUTE, written, err);
    device_event *read = ok ? device_read_begin(d, DEVICE_COMPUTE, a, 0, to, sizeof to, written, err) : NULL;
    device_event *mark = read ? device_event_record(d, DEVICE_COMPUTE, err) : NULL;
    device_event *nothing = mark ? device_write_begin(d, DEVICE_TRANSFER, a, 0, from, 0, mark, err) : NULL;
    device_event *again = nothing ? device_read_begin(d, DEVICE_TRANSFER, a, 0, to, 0, NULL, err) : NULL;
    ok = again && device_event_wait(read, err) && device_event_wait(again, err) &&
         device_fill(d, b, 0, sizeof from, 7, err) && device_write(d, b, 0, from, sizeof from / 2, err) &&
         device_read(d, b, 0, to, sizeof to, err);
    device_event_release(written);
    device_event_release(read);
    device_event_release(mark);
    device_event_release(nothing);
    device_event_release(again);
    /* The host's memory may be given back only when nothing is under way, however that went. */
    return device_finish(d, ok ? err : NULL) && ok;
}

static bool launch_all(device *d, device_buffer *a, device_buffer *b, error *err)
{
    device_launches *list = probe_launches(d, a, b, err);
    bool ok = list && device_launches_add_copy(list, "copy", b, 0, a, 0, VALUES * 4, err) &&
              device_launches_add_fill(list, "fill", a, 0, VALUES * 4, 3, err) &&
              device_launches_run(list, 0, 3, err) && device_profile_start(d, err);
    if (ok) {
        ok = device_launches_run(list, 0, 3, err) && device_finish(d, err);
        char *report = device_profile_report(d, ok ? err : NULL);
        ok = ok && report;
        free(report);
    }
    device_launches_destroy(list);
    return device_finish(d, ok ? err : NULL) && ok;
}

static bool use_device(error *err)
{
    device_buffer *a = device_buffer_create(opened, VALUES * 4, err);
    device_buffer *b = a ? device_buffer_create(opened, VALUES * 4, err) : NULL;
    bool ok = b && transfer(opened, a, b, err) && launch_all(opened, a, b, err);
    device_buffer_destroy(a);
    device_buffer_destroy(b);
    return ok;
}

/* ---- CLBlast ---- */

typedef struct gemm_shape {
    int64_t m, n, k, batch;
    dtype type; /* of A and C; what is not f32 is packed, and C gets an epilogue */
} gemm_shape;

/* Small, by its direct kernel; padded copies through the scratch; strided batches. */
static const gemm_shape gemm_shapes[] = {
    { 5, 7, 3, 1, DTYPE_F32 }, { 70, 70, 70, 1, DTYPE_F16 },    { 200, 150, 130, 1, DTYPE_F32 },
    { 9, 8, 7, 3, DTYPE_F32 }, { 130, 140, 150, 2, DTYPE_F32 },
};

static gemm_operand matrix(dtype type, int64_t rows, int64_t columns)
{
    return (gemm_operand){ .type = type, .row = columns, .column = 1, .batch = { rows * columns, 0 } };
}

static bool multiply_with(device *d, gemm_plan *p, const gemm_shape *s, error *err)
{
    gemm_buffers b = { 0 };
    int64_t work = gemm_plan_workspace_bytes(p);
    float first;
    bool ok = (b.a = device_buffer_create(d, s->m * s->k * s->batch * 4, err)) &&
              (b.b = device_buffer_create(d, s->k * s->n * s->batch * 4, err)) &&
              (b.c = device_buffer_create(d, s->m * s->n * s->batch * 4, err)) &&
              (!work || (b.workspace = device_buffer_create(d, work, err))) &&
              device_fill(d, b.a, 0, device_buffer_bytes(b.a), 0, err) &&
              device_fill(d, b.b, 0, device_buffer_bytes(b.b), 0, err);
    device_launches *list = ok ? device_launches_create(d, err) : NULL;
    ok = list && gemm_plan_record(p, list, "product", &b, err) &&
         device_launches_run(list, 0, device_launches_count(list), err) &&
         device_read(d, b.c, 0, &first, sizeof first, err);
    device_launches_destroy(list);
    device_buffer_destroy(b.a);
    device_buffer_destroy(b.b);
    device_buffer_destroy(b.c);
    device_buffer_destroy(b.workspace);
    return ok;
}

static bool multiply(device *d, const gemm_shape *s, error *err)
{
    gemm_desc g = { .m = s->m,
                    .n = s->n,
                    .k = s->k,
                    .batch = { s->batch, 1 },
                    .a = matrix(s->type, s->m, s->k),
                    .b = matrix(DTYPE_F32, s->k, s->n),
                    .c = matrix(s->type, s->m, s->n),
                    .alpha = 1.0f };
    gemm_plan *p = gemm_plan_create_with(d, "clblast", &g, err);
    bool ok = p && multiply_with(d, p, s, err);
    gemm_plan_destroy(p);
    return ok;
}

static bool multiply_all(error *err)
{
    for (size_t i = 0; i < sizeof gemm_shapes / sizeof *gemm_shapes; ++i)
        if (!multiply(opened, &gemm_shapes[i], err)) return false;
    /* Once more with the clock: a library's call has no event. */
    if (!device_profile_start(opened, err)) return false;
    bool ok = multiply(opened, &gemm_shapes[0], err);
    char *report = device_profile_report(opened, ok ? err : NULL);
    free(report);
    return device_finish(opened, ok && report ? err : NULL) && ok && report;
}

/* On a device just opened CLBlast makes everything anew. */
static bool multiply_first(error *err)
{
    device *d = device_open(NULL, err);
    bool ok = d && multiply(d, &gemm_shapes[2], err) && multiply(d, &gemm_shapes[3], err);
    device_close(d);
    return ok;
}

const scenario scenarios[] = {
    { "open", false, 400, NULL, open_and_close, NULL, NULL },
    { "probe", true, 200, NULL, open_unknown, still_opens, NULL },
    { "list", true, 120, NULL, list_all, still_opens, NULL },
    { "build", true, 200, NULL, build_from_source, NULL, NULL },
    { "join", true, 70, NULL, join_from_source, NULL, NULL },
    { "device", false, 4000, open_once, use_device, NULL, close_once },
    { "gemm", false, 2000, open_once, multiply_all, NULL, close_once },
    { "gemm_first", false, 200, NULL, multiply_first, NULL, NULL },
    { "train", false, 1000, scenario_train_prepare, scenario_train, scenario_train_check,
      scenario_train_finish },
    { "dvae", false, 200, scenario_dvae_prepare, scenario_dvae, scenario_dvae_check, NULL },
    { "prior", false, 200, scenario_prior_prepare, scenario_prior, scenario_prior_check, NULL },
    { "generate", false, 200, scenario_generate_prepare, scenario_generate, NULL, NULL },
    { "clip", false, 60, scenario_generate_prepare, scenario_clip, NULL, NULL },
    { "unclip", false, 30, scenario_unclip_prepare, scenario_unclip, NULL, NULL },
};
const int scenario_count = (int)(sizeof scenarios / sizeof *scenarios);
