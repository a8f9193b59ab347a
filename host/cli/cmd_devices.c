/* cmd_devices.c -- `dalle-cl devices`: what there is, what it really supports, which is the default and why.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

#include "host/device/device.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *kind_name(device_kind kind)
{
    return kind == DEVICE_CPU ? "cpu" : kind == DEVICE_GPU ? "gpu" : "other";
}

static double gib(int64_t bytes)
{
    return (double)bytes / (double)(1 << 30);
}

static json_t *to_json(const device_info *d, bool chosen, const char *reason)
{
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(d->index));
    json_object_set_new(o, "kind", json_string(kind_name(d->kind)));
    json_object_set_new(o, "name", json_string(d->name));
    json_object_set_new(o, "vendor", json_string(d->vendor));
    json_object_set_new(o, "vendor_word", json_string(d->vendor_word));
    json_object_set_new(o, "platform", json_string(d->platform));
    json_object_set_new(o, "version", json_string(d->version));
    json_object_set_new(o, "driver", json_string(d->driver));
    json_object_set_new(o, "compute_units", json_integer(d->compute_units));
    json_object_set_new(o, "memory_bytes", json_integer(d->memory_bytes));
    json_object_set_new(o, "max_buffer_bytes", json_integer(d->max_buffer_bytes));
    json_object_set_new(o, "local_bytes", json_integer(d->local_bytes));
    json_object_set_new(o, "max_group", json_integer(d->max_group));
    json_object_set_new(o, "usable", json_boolean(d->usable));
    if (!d->usable) json_object_set_new(o, "reason", json_string(d->reason));
    json_object_set_new(o, "half_storage", json_boolean(d->half_storage));
    json_object_set_new(o, "half_arithmetic", json_boolean(d->half_arithmetic));
    json_object_set_new(o, "subgroup_size", json_integer(d->subgroup_size));
    json_object_set_new(o, "vector_width", json_integer(d->vector_width));
    json_object_set_new(o, "lanes", json_integer(d->lanes));
    json_object_set_new(o, "vec", json_integer(d->vec));
    json_object_set_new(o, "probe_gflops", json_real(d->probe_gflops));
    json_object_set_new(o, "default", json_boolean(chosen));
    if (chosen) json_object_set_new(o, "default_because", json_string(reason));
    return o;
}

static void print_people(const device_info *d, bool chosen, const char *reason)
{
    printf("%c %d  %s\n", chosen ? '*' : ' ', d->index, d->name);
    printf("     %s, %s, %s, driver %s\n", kind_name(d->kind), d->platform, d->version, d->driver);
    printf(
        "     %d compute units, %.1f GiB memory, buffers up to %.1f GiB, %lld KiB local, groups up to %lld\n",
        d->compute_units, gib(d->memory_bytes), gib(d->max_buffer_bytes), (long long)(d->local_bytes / 1024),
        (long long)d->max_group);
    if (!d->usable) {
        printf("     not usable: %s\n", d->reason);
        return;
    }
    char subgroups[32] = "no subgroups";
    if (d->subgroup_size) snprintf(subgroups, sizeof subgroups, "subgroups of %d", d->subgroup_size);
    printf("     f16 storage %s, f16 arithmetic %s, %s, kernels of %d lanes x %d wide",
           d->half_storage ? "yes" : "no", d->half_arithmetic ? "yes" : "no", subgroups, d->lanes, d->vec);
    if (d->probe_gflops > 0) printf(", %.0f GFLOP/s measured", d->probe_gflops);
    fputc('\n', stdout);
    if (chosen) printf("     default: %s\n", reason);
}

static bool print_json(const device_info *infos, int count, int chosen, const char *reason, error *err)
{
    json_t *all = json_array();
    for (int i = 0; i < count; ++i)
        json_array_append_new(all, to_json(&infos[i], infos[i].index == chosen, reason));
    char *text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for the list of %d devices", count);
    puts(text);
    free(text);
    return true;
}

static bool run_devices(const cli_call *call, error *err)
{
    device_info *infos = NULL;
    int count = device_list(&infos, true, err);
    if (count < 0) return false;
    /* The default is what opening would take; that nothing is usable is told by the list itself. */
    error none = { .code = ERROR_NONE };
    device *d = device_open(cli_text(call, "device"), &none);
    if (!d && cli_given(call, "device")) {
        free(infos);
        if (err) *err = none;
        return false;
    }
    int chosen = d ? device_get_info(d)->index : -1;
    const char *reason = d ? device_choice_reason(d) : "";
    bool ok = true;
    if (cli_flag(call, "json"))
        ok = print_json(infos, count, chosen, reason, err);
    else
        for (int i = 0; i < count; ++i) print_people(&infos[i], infos[i].index == chosen, reason);
    if (ok && !d) ok = error_set(err, none.code, "no device can be used: %s", none.message);
    device_close(d);
    free(infos);
    return ok;
}

const cli_command cmd_devices = {
    .name = "devices",
    .summary = "list every OpenCL device, what it supports, and which is the default",
    .arguments = "",
    .example = "dalle-cl devices",
    .text = "Support is found by compiling and running small programs, not by what drivers say. The default\n"
            "(marked *) is the fastest by a short measurement, which is remembered.",
    .run = run_devices,
};
