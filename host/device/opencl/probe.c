/* probe.c -- what a device can really do, found by compiling and running small kernels
 * (cl/device/probe.cl), because extension strings lie in both directions.  The result is remembered
 * as <cache folder>/device-<key>.json, the key being a hash of device, driver and probe source.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/log.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROBE_VALUES   256
#define PROBE_TARGET_S 0.04 /* length of the measured run */

/* ---- Remembered results ---------------------------------------------------------------------- */

static char *memory_path(const device *d)
{
    char *source = source_load("device/probe", NULL);
    if (!source || !d->cache_folder) {
        free(source);
        return NULL;
    }
    char key[65], name[80];
    program_cache_key(d, source, "probe", key);
    free(source);
    snprintf(name, sizeof name, "device-%.32s.json", key);
    return file_join(d->cache_folder, name);
}

static bool recall(const char *path, device_info *info)
{
    if (!path || !file_exists(path)) return false;
    json_t *root = json_load_file(path, 0, NULL);
    int usable, storage, arithmetic, subgroups, multiple;
    double gflops;
    const char *reason;
    bool ok =
        root && json_unpack(root, "{s:b, s:s, s:b, s:b, s:i, s:i, s:F}", "usable", &usable, "reason", &reason,
                            "half_storage", &storage, "half_arithmetic", &arithmetic, "subgroup_size",
                            &subgroups, "preferred_multiple", &multiple, "gflops", &gflops) == 0;
    if (ok) {
        info->usable = usable;
        snprintf(info->reason, sizeof info->reason, "%s", reason);
        info->half_storage = storage;
        info->half_arithmetic = arithmetic;
        info->subgroup_size = subgroups;
        info->preferred_multiple = multiple;
        info->probe_gflops = gflops;
    }
    json_decref(root);
    return ok;
}

static void remember(const char *path, const device_info *info)
{
    if (!path) return;
    json_t *root = json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:i, s:i, s:f}", "device", info->name, "driver",
                             info->driver, "usable", info->usable, "reason", info->reason, "half_storage",
                             info->half_storage, "half_arithmetic", info->half_arithmetic, "subgroup_size",
                             info->subgroup_size, "preferred_multiple", info->preferred_multiple, "gflops",
                             info->probe_gflops);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (text && !file_write(path, text, strlen(text), NULL)) log_verbose("could not write %s", path);
    free(text);
    json_decref(root);
}

/* ---- Probes ---------------------------------------------------------------------------------- */

/* Records one probe kernel (out, in, number) over `global` items in groups of `local`. */
static device_launches *record_probe(device *d, const char *kernel, const char *options, device_buffer *out,
                                     device_buffer *in, int number, size_t global, size_t local, error *err)
{
    device_launches *list = device_launches_create(d, err);
    device_launch launch = { .file = "device/probe",
                             .kernel = kernel,
                             .options = options,
                             .rank = 1,
                             .global = { global },
                             .local = { local },
                             .arg_count = 3,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = out },
                                       { .kind = DEVICE_ARG_BUFFER, .buffer = in },
                                       { .kind = DEVICE_ARG_INT, .integer = number } } };
    if (list && device_launches_add(list, &launch, err)) return list;
    device_launches_destroy(list);
    return NULL;
}

static bool run_and_wait(device *d, device_launches *list, error *err)
{
    return device_launches_run(list, 0, 1, err) && device_finish(d, err);
}

static bool run_probe(device *d, const char *kernel, const char *options, device_buffer *out,
                      device_buffer *in, int number, size_t global, size_t local, error *err)
{
    device_launches *list = record_probe(d, kernel, options, out, in, number, global, local, err);
    bool ok = list && run_and_wait(d, list, err);
    device_launches_destroy(list);
    return ok;
}

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
        !run_probe(d, "probe_half_storage", "", out, in, PROBE_VALUES, PROBE_VALUES, 1, err) ||
        !device_read(d, out, 0, got, sizeof got, err))
        return false;
    for (int i = 0; i < PROBE_VALUES; ++i)
        if (got[i] != want[i])
            return error_set(err, ERROR_DEVICE, "half storage of %g gives 0x%04x, not 0x%04x",
                             (double)values[i], got[i], want[i]);
    return true;
}

/* a * a + a in half: within two units in the last place of the exact value. */
static bool half_arithmetic(device *d, device_buffer *out, device_buffer *in)
{
    float got[PROBE_VALUES], values[PROBE_VALUES];
    for (int i = 0; i < PROBE_VALUES; ++i) values[i] = (float)(i - 128) / 16.0f;
    if (!device_write(d, in, 0, values, sizeof values, NULL) ||
        !run_probe(d, "probe_half_arithmetic", "-DPROBE_HALF", out, in, PROBE_VALUES, PROBE_VALUES, 1,
                   NULL) ||
        !device_read(d, out, 0, got, sizeof got, NULL))
        return false;
    for (int i = 0; i < PROBE_VALUES; ++i) {
        float exact = values[i] * values[i] + values[i];
        if (!(fabsf(got[i] - exact) <= 2e-3f * (values[i] * values[i] + fabsf(values[i])))) return false;
    }
    return true;
}

/* The size of a subgroup whose sums come out right, or 0. */
static int subgroup_size(device *d, device_buffer *out, device_buffer *in)
{
    int got[2] = { 0 }, items = d->info.max_group < 64 ? (int)d->info.max_group : 64;
    if (!run_probe(d, "probe_subgroups", "-DPROBE_SUBGROUPS", out, in, items, (size_t)items, (size_t)items,
                   NULL) ||
        !device_read(d, out, 0, got, sizeof got, NULL))
        return 0;
    return got[1] == 1 && got[0] > 1 ? got[0] : 0;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds of one launch of `rounds`, or 0 if it cannot run.  It runs once before, because drivers compile
 * as late as the first launch of a kernel object; and its result is read, because rusticl 22.3 returns
 * from clFinish before the work is done. */
static double time_rate(device *d, device_buffer *out, device_buffer *in, int rounds, size_t groups,
                        size_t local)
{
    char options[64];
    snprintf(options, sizeof options, "-DVEC=%d", d->info.vec);
    device_launches *list =
        record_probe(d, "probe_rate", options, out, in, rounds, groups * local, local, NULL);
    float last = 0, each = 6.0f * (float)d->info.vec;
    bool ok = list && run_and_wait(d, list, NULL) && device_read(d, out, 0, &last, sizeof last, NULL);
    double before = seconds();
    ok = ok && run_and_wait(d, list, NULL) &&
         device_read(d, out, (int64_t)(groups * local - 1) * 4, &last, sizeof last, NULL);
    double elapsed = seconds() - before;
    device_launches_destroy(list);
    return ok && last > 0.4f * each && last < 1.4f * each ? elapsed + 1e-9 : 0;
}

/* Multiply-adds per second, from a run just long enough for the clock; 0 if it cannot run. */
static double measure(device *d, device_buffer *out, device_buffer *in)
{
    bool cpu = d->info.kind == DEVICE_CPU;
    size_t local = (size_t)(cpu ? 1 : d->info.lanes);
    size_t groups = (size_t)d->info.compute_units * (cpu ? 4 : 32);
    size_t limit = (size_t)(device_buffer_bytes(out) / 4) / local;
    if (groups > limit) groups = limit;
    int rounds = 16;
    double elapsed = time_rate(d, out, in, rounds, groups, local);
    for (int more = 0; more < 2 && elapsed > 0 && elapsed < PROBE_TARGET_S / 2; ++more) {
        double factor = PROBE_TARGET_S / (elapsed > 2e-5 ? elapsed : 2e-5);
        rounds = (int)(rounds * factor) + 1;
        elapsed = time_rate(d, out, in, rounds, groups, local);
    }
    double flops = 2.0 * 6 * d->info.vec * (double)rounds * (double)(groups * local);
    return elapsed > 0 ? flops / elapsed * 1e-9 : 0;
}

static void probe_multiple(device *d)
{
    size_t multiple = 1;
    cl_int status;
    cl_program built = program_get(d, "device/probe", "", NULL);
    cl_kernel kernel = built ? clCreateKernel(built, "probe_half_storage", &status) : NULL;
    if (!kernel) return;
    clGetKernelWorkGroupInfo(kernel, d->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof multiple,
                             &multiple, NULL);
    if (multiple >= 1 && multiple <= 1024) d->info.preferred_multiple = (int)multiple;
    clReleaseKernel(kernel);
}

/* PoCL and Oclgrind complain on the terminal about what they cannot compile, so there, and only there,
 * an extension that is not listed is not tried. */
static bool worth_trying(const device *d, const char *extension)
{
    char text[8192] = "";
    if (strcmp(d->info.vendor_word, "pocl") != 0 && strcmp(d->info.vendor_word, "oclgrind") != 0) return true;
    return clGetDeviceInfo(d->id, CL_DEVICE_EXTENSIONS, sizeof text - 1, text, NULL) != CL_SUCCESS ||
           strstr(text, extension) != NULL;
}

static void run_all(device *d, device_buffer *out, device_buffer *in, error *err)
{
    d->info.half_storage = half_storage(d, out, in, err);
    d->info.usable = d->info.half_storage;
    if (!d->info.usable) return;
    probe_multiple(d);
    if (worth_trying(d, "cl_khr_fp16")) d->info.half_arithmetic = half_arithmetic(d, out, in);
    if (worth_trying(d, "subgroups")) d->info.subgroup_size = subgroup_size(d, out, in);
    d->info.probe_gflops = measure(d, out, in);
    d->info.usable = d->info.probe_gflops > 0;
    if (!d->info.usable) error_set(err, ERROR_DEVICE, "the multiply-add probe does not run");
}

void probe_device(cl_platform_id platform, cl_device_id id, device_info *info)
{
    error err = { 0 };
    device_buffer *out = NULL, *in = NULL;
    char *path = NULL;
    device *d = device_connect(platform, id, info, &err);
    if (!d) goto cleanup;
    path = memory_path(d);
    if (recall(path, info)) goto cleanup;
    log_verbose("measuring device '%s'", info->name);
    out = device_buffer_create(d, 1 << 20, &err);
    in = device_buffer_create(d, PROBE_VALUES * 4, &err);
    if (out && in) {
        run_all(d, out, in, &err);
        *info = d->info;
    }
    if (err.code == ERROR_NONE || info->usable) remember(path, info);
cleanup:
    if (err.code != ERROR_NONE && (!d || info->probe_gflops <= 0)) {
        info->usable = false;
        snprintf(info->reason, sizeof info->reason, "%.250s", err.message);
    }
    if (info->usable) device_default_shape(info);
    device_buffer_destroy(out);
    device_buffer_destroy(in);
    device_close(d);
    free(path);
}
