/* probe.c -- what a device can really do, found by compiling and running small kernels
 * (cl/device/probe.cl), because extension strings lie in both directions.  The result is remembered
 * as <cache folder>/device-<key>.json, the key being a hash of device, driver and probe source.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/probe.h"
#include "host/device/source.h"
#include "host/base/timing.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/hash.h"
#include "host/base/log.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_TARGET_S 0.04 /* length of the measured run */

/* ---- Remembered results ---------------------------------------------------------------------- */

static char *memory_path(const device *d)
{
    /* What block's kernel gives is remembered, too. */
    char *source = source_load("device/probe", NULL), *product = source_load("gemm/block", NULL);
    char key[65], name[80];
    const bool ok = source && product && d->cache_folder;
    if (ok) device_key(d, source, product, key);
    free(source);
    free(product);
    if (!ok) return NULL;
    snprintf(name, sizeof name, "device-%.32s.json", key);
    return file_join(d->cache_folder, name);
}

static bool recall_measured(const json_t *root, device_info *info)
{
    int sizes, buffers;
    json_int_t buffer_bytes, local_bytes;
    const json_t *units;
    bool ok =
        json_unpack((json_t *)root, "{s:{s:i, s:o, s:i, s:I, s:I, s:F, s:F, s:F}}", "measured",
                    "subgroup_sizes", &sizes, "units", &units, "command_buffers", &buffers, "buffer_bytes",
                    &buffer_bytes, "local_bytes", &local_bytes, "launch_us", &info->launch_us,
                    "round_trip_us", &info->round_trip_us, "copy_gbs", &info->copy_gbs) == 0 &&
        json_array_size(units) == DEVICE_UNIT_COUNT;
    if (!ok) return false;
    info->measured = true;
    info->subgroup_sizes = sizes;
    info->command_buffers = (device_found)buffers;
    info->probed_buffer_bytes = buffer_bytes;
    info->probed_local_bytes = local_bytes;
    for (int i = 0; i < DEVICE_UNIT_COUNT; ++i)
        info->units[i] = (device_found)json_integer_value(json_array_get(units, (size_t)i));
    return true;
}

static bool recall(const char *path, device_info *info)
{
    if (!path || !file_exists(path)) return false;
    json_t *root = json_tree_open(path, NULL);
    int usable, storage, arithmetic, subgroups, multiple, joins, matrix;
    double gflops;
    const char *reason;
    bool ok = root && json_unpack(root, "{s:b, s:s, s:b, s:b, s:i, s:b, s:i, s:i, s:F}", "usable", &usable,
                                  "reason", &reason, "half_storage", &storage, "half_arithmetic", &arithmetic,
                                  "subgroup_size", &subgroups, "joins", &joins, "matrix_units", &matrix,
                                  "preferred_multiple", &multiple, "gflops", &gflops) == 0;
    if (ok && matrix >= 0 && matrix < DEVICE_MATRIX_COUNT) {
        info->matrix_units = (device_matrix)matrix;
        info->usable = usable;
        snprintf(info->reason, sizeof info->reason, "%s", reason);
        info->half_storage = storage;
        info->half_arithmetic = arithmetic;
        info->subgroup_size = subgroups;
        info->joins = joins;
        info->preferred_multiple = multiple;
        info->probe_gflops = gflops;
        recall_measured(root, info);
    }
    json_decref(root);
    return ok;
}

static json_t *measured_json(const device_info *info)
{
    json_t *units = json_array();
    for (int i = 0; i < DEVICE_UNIT_COUNT; ++i) json_tree_add(&units, json_integer(info->units[i]));
    return json_pack("{s:i, s:o, s:i, s:I, s:I, s:f, s:f, s:f}", "subgroup_sizes", info->subgroup_sizes,
                     "units", units, "command_buffers", (int)info->command_buffers, "buffer_bytes",
                     (json_int_t)info->probed_buffer_bytes, "local_bytes",
                     (json_int_t)info->probed_local_bytes, "launch_us", info->launch_us, "round_trip_us",
                     info->round_trip_us, "copy_gbs", info->copy_gbs);
}

static void remember(const char *path, const device_info *info)
{
    if (!path) return;
    json_t *root =
        json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:i, s:b, s:i, s:i, s:f}", "device", info->name, "driver",
                  info->driver, "usable", info->usable, "reason", info->reason, "half_storage",
                  info->half_storage, "half_arithmetic", info->half_arithmetic, "subgroup_size",
                  info->subgroup_size, "joins", info->joins, "matrix_units", (int)info->matrix_units,
                  "preferred_multiple", info->preferred_multiple, "gflops", info->probe_gflops);
    if (info->measured) json_tree_put(&root, "measured", measured_json(info));
    char *text = json_tree_text(root, JSON_INDENT(2), path, NULL);
    if (text && !file_write(path, text, strlen(text), NULL)) log_verbose("could not write %s", path);
    free(text);
}

/* ---- Probes ---------------------------------------------------------------------------------- */

/* A spread of magnitudes, signs, ties and halves' subnormals. */
static float probe_input(int i)
{
    float base = (float)(i % 61 - 30) * 0.37f + 1.0f / 2048.0f;
    return ldexpf(base, i % 13 - 8);
}

static bool half_storage(device *d, device_buffer *out, device_buffer *in, error *err)
{
    uint16_t got[PROBE_VALUES], want[PROBE_VALUES];
    float values[PROBE_VALUES];
    for (int i = 0; i < PROBE_VALUES; ++i) {
        values[i] = probe_input(i);
        dtype_store(DTYPE_F16, want, i, values[i]);
    }
    if (!device_write(d, in, 0, values, sizeof values, err) ||
        !probe_run(d, "device/probe", "probe_half_storage", "", out, in, PROBE_VALUES, PROBE_VALUES, 1,
                   err) ||
        !device_read(d, out, 0, got, sizeof got, err))
        return false;
    for (int i = 0; i < PROBE_VALUES; ++i)
        if (got[i] != want[i])
            return error_set(err, ERROR_DEVICE, "half storage of %g gives 0x%04x, not 0x%04x",
                             (double)values[i], got[i], want[i]);
    return true;
}

/* a * a + a in half: within two units in the last place of the exact value. */
static bool half_arithmetic(device *d, device_buffer *out, device_buffer *in, error *err)
{
    float got[PROBE_VALUES], values[PROBE_VALUES];
    for (int i = 0; i < PROBE_VALUES; ++i) values[i] = (float)(i - 128) / 16.0f;
    if (!device_write(d, in, 0, values, sizeof values, err) ||
        !probe_run(d, "device/probe", "probe_half_arithmetic", "-DPROBE_HALF", out, in, PROBE_VALUES,
                   PROBE_VALUES, 1, err) ||
        !device_read(d, out, 0, got, sizeof got, err))
        return false;
    for (int i = 0; i < PROBE_VALUES; ++i) {
        float exact = values[i] * values[i] + values[i];
        if (!(fabsf(got[i] - exact) <= 2e-3f * (values[i] * values[i] + fabsf(values[i])))) return false;
    }
    return true;
}

/* Seconds of one launch of `rounds`, or 0 with *err if it cannot run.  It runs once before, because drivers
 * compile as late as the first launch of a kernel object; and its result is read, because rusticl 22.3
 * returns from clFinish before the work is done. */
static double time_rate(device *d, device_buffer *out, device_buffer *in, int rounds, size_t groups,
                        size_t local, error *err)
{
    char options[64];
    snprintf(options, sizeof options, "-DVEC=%d", d->info.vec);
    device_launches *list =
        probe_record(d, "device/probe", "probe_rate", options, out, in, rounds, groups * local, local, err);
    float last = 0, each = 6.0f * (float)d->info.vec;
    bool ok = list && probe_wait(d, list, err) && device_read(d, out, 0, &last, sizeof last, err);
    double before = timing_now();
    ok = ok && probe_wait(d, list, err) &&
         device_read(d, out, (int64_t)(groups * local - 1) * 4, &last, sizeof last, err);
    double elapsed = timing_now() - before;
    device_launches_destroy(list);
    if (!ok) return 0;
    if (last > 0.4f * each && last < 1.4f * each) return elapsed + 1e-9;
    error_set(err, ERROR_DEVICE, "the multiply-add probe gives %g instead of about %g", (double)last,
              (double)each);
    return 0;
}

/* Multiply-adds per second, from a run just long enough for the clock; 0 with *err if it cannot run. */
static double measure(device *d, device_buffer *out, device_buffer *in, error *err)
{
    bool cpu = d->info.kind == DEVICE_CPU;
    size_t local = (size_t)(cpu ? 1 : d->info.lanes);
    size_t groups = (size_t)d->info.compute_units * (cpu ? 4 : 32);
    size_t limit = (size_t)(device_buffer_bytes(out) / 4) / local;
    if (groups > limit) groups = limit;
    int rounds = 16;
    double elapsed = time_rate(d, out, in, rounds, groups, local, err);
    for (int more = 0; more < 2 && elapsed > 0 && elapsed < PROBE_TARGET_S / 2; ++more) {
        double factor = PROBE_TARGET_S / (elapsed > 2e-5 ? elapsed : 2e-5);
        rounds = (int)(rounds * factor) + 1;
        elapsed = time_rate(d, out, in, rounds, groups, local, err);
    }
    double flops = 2.0 * 6 * d->info.vec * (double)rounds * (double)(groups * local);
    return elapsed > 0 ? flops / elapsed * 1e-9 : 0;
}

double probe_measure_rate(device *d, error *err)
{
    enum { TRIES = 5 };
    double best = 0, rate = 1;
    device_buffer *out = device_buffer_create(d, PROBE_OUT_BYTES, err),
                  *in = out ? device_buffer_create(d, PROBE_IN_BYTES, err) : NULL;
    if (in && device_fill(d, in, 0, PROBE_IN_BYTES, 0, err))
        for (int i = 0; i < TRIES && rate > 0; ++i) {
            rate = measure(d, out, in, err);
            if (rate > best) best = rate;
        }
    device_buffer_destroy(out);
    device_buffer_destroy(in);
    return rate > 0 ? best : 0;
}

/* Lanes follow from it, and so do sums: it is no guess. */
static bool probe_multiple(device *d, error *err)
{
    size_t multiple = 1;
    cl_int status;
    cl_program built = program_get(d, &PROBE_PLAIN, err);
    if (!built) return false;
    cl_kernel kernel = clCreateKernel(built, "probe_half_storage", &status);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clCreateKernel(probe_half_storage in device/probe.cl)");
    status = clGetKernelWorkGroupInfo(kernel, opencl(d)->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                                      sizeof multiple, &multiple, NULL);
    clReleaseKernel(kernel);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clGetKernelWorkGroupInfo(probe_half_storage)");
    if (multiple >= 1 && multiple <= 1024) d->info.preferred_multiple = (int)multiple;
    return true;
}

/* *passing: something was found absent for want of memory, which may be otherwise the next time. */
static void run_all(device *d, device_buffer *out, device_buffer *in, bool *passing, error *err)
{
    error half = { .code = ERROR_NONE };
    d->info.half_storage = half_storage(d, out, in, err);
    d->info.usable = d->info.half_storage && probe_multiple(d, err);
    if (!d->info.usable) return;
    if (probe_worth_trying(d, "cl_khr_fp16")) d->info.half_arithmetic = half_arithmetic(d, out, in, &half);
    if (probe_worth_trying(d, "subgroups")) d->info.subgroup_size = probe_subgroup_size(d, out, in, 0);
    d->info.joins = probe_joins(d, out, in);
    d->info.probe_gflops = measure(d, out, in, err);
    d->info.usable = d->info.probe_gflops > 0;
    const bool tried = gemm_block_units(d, NULL);
    *passing = half.code == ERROR_MEMORY || !tried;
}

void probe_device(device_entry *at, bool all)
{
    error err = { 0 };
    device_info *info = &at->info;
    device_buffer *out = NULL, *in = NULL;
    char *path = NULL;
    bool known = false, passing = false;
    device *d = connect_device(at, &err);
    if (!d) goto cleanup;
    path = memory_path(d);
    known = recall(path, info);
    if (known && (info->measured || !all || !info->usable)) goto cleanup;
    log_verbose("measuring device '%s'", info->name);
    d->info = *info;
    out = device_buffer_create(d, PROBE_OUT_BYTES, &err);
    in = device_buffer_create(d, PROBE_IN_BYTES, &err);
    if (out && in && !known) run_all(d, out, in, &passing, &err);
    if (out && in && all && d->info.usable) probe_more(d, out, in);
    if (out && in) *info = d->info;
    if (err.code == ERROR_NONE && !passing) remember(path, info);
cleanup:
    if (err.code != ERROR_NONE && (!d || info->probe_gflops <= 0)) {
        info->usable = false;
        snprintf(info->reason, sizeof info->reason, "%.500s", err.message);
    }
    if (info->usable) device_default_shape(info);
    device_buffer_destroy(out);
    device_buffer_destroy(in);
    device_close(d);
    free(path);
}
