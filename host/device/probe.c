/* probe.c -- what every device is asked by running small kernels (cl/device/probe.cl), because what drivers
 * say is wrong in both directions.
 * SPDX-License-Identifier: MIT */
#include "host/device/probe.h"
#include "host/base/log.h"
#include "host/base/timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_TARGET_S 0.04 /* length of the measured run */

device_launch probe_launch(const char *file, const char *kernel, const char *options, device_buffer *out,
                           device_buffer *in, int number, size_t global, size_t local)
{
    return (device_launch){ .file = file,
                            .kernel = kernel,
                            .options = options,
                            .rank = 1,
                            .global = { global },
                            .local = { local },
                            .arg_count = 3,
                            .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = out },
                                      { .kind = DEVICE_ARG_BUFFER, .buffer = in },
                                      { .kind = DEVICE_ARG_INT, .integer = number } } };
}

device_launches *probe_record(device *d, const char *file, const char *kernel, const char *options,
                              device_buffer *out, device_buffer *in, int number, size_t global, size_t local,
                              error *err)
{
    device_launches *list = device_launches_create(d, err);
    device_launch launch = probe_launch(file, kernel, options, out, in, number, global, local);
    if (list && device_launches_add(list, &launch, err)) return list;
    device_launches_destroy(list);
    return NULL;
}

bool probe_wait(device *d, device_launches *list, error *err)
{
    return device_launches_run(list, 0, device_launches_count(list), err) && device_finish(d, err);
}

bool probe_run(device *d, const char *file, const char *kernel, const char *options, device_buffer *out,
               device_buffer *in, int number, size_t global, size_t local, error *err)
{
    device_launches *list = probe_record(d, file, kernel, options, out, in, number, global, local, err);
    bool ok = list && probe_wait(d, list, err);
    device_launches_destroy(list);
    return ok;
}

/* A spread of magnitudes, signs, ties and halves' subnormals. */
static float probe_input(int i)
{
    float base = (float)(i % 61 - 30) * 0.37f + 1.0f / 2048.0f;
    return ldexpf(base, i % 13 - 8);
}

bool probe_half_storage(device *d, device_buffer *out, device_buffer *in, error *err)
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
bool probe_half_arithmetic(device *d, device_buffer *out, device_buffer *in, error *err)
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
double probe_rate(device *d, device_buffer *out, device_buffer *in, error *err)
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
            rate = probe_rate(d, out, in, err);
            if (rate > best) best = rate;
        }
    device_buffer_destroy(out);
    device_buffer_destroy(in);
    return rate > 0 ? best : 0;
}

/* ---- All of a device's ----------------------------------------------------------------------- */

/* A GPU's driver may crash over an instruction that is tried.  So where another process can be asked, that
 * one probes first, and what it kept is taken; if it died, units are not tried here. */
static bool probed_apart(device *d, const char *path, device_info *info)
{
    static const char *const words[] = { "probe", NULL };
    char reason[TRIAL_REASON];
    if (info->kind == DEVICE_CPU || !path || !trial_apart(d, "a probe", words, reason)) return false;
    if (!*reason) return probe_memory_recall(path, info);
    log_warn("%s; its matrix units are not used", reason);
    d->units_barred = true;
    return false;
}

int probe_serve(const device_entry *at, const char *identity)
{
    char own[65] = "";
    device_entry it = *at;
    setenv("DALLE_CL_HELPER", "off", 1);
    device *d = at->backend->open(at, NULL);
    if (d) device_key(d, "", "", own);
    device_close(d);
    if (strcmp(own, identity) != 0 || !at->backend->probe) return 1;
    at->backend->probe(&it, false);
    return 0;
}

void probe_entry(device_entry *at, bool all, const probe_steps *by)
{
    error err = { 0 };
    device_info *info = &at->info;
    device_buffer *out = NULL, *in = NULL;
    char *path = NULL;
    bool known = false, passing = false;
    device *d = by->connect(at, &err);
    if (!d) goto cleanup;
    path = probe_memory_path(d);
    known = probe_memory_recall(path, info) || probed_apart(d, path, info);
    if (known && (info->measured || !all || !info->usable)) goto cleanup;
    log_verbose("measuring device '%s'", info->name);
    d->info = *info;
    out = device_buffer_create(d, PROBE_OUT_BYTES, &err);
    in = device_buffer_create(d, PROBE_IN_BYTES, &err);
    if (out && in && !known) by->choose(d, out, in, &passing, &err);
    if (out && in && all && d->info.usable) by->more(d, out, in);
    if (out && in) *info = d->info;
    if (err.code == ERROR_NONE && !passing) probe_memory_keep(path, info);
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
