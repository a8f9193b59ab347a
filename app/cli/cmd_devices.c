/* cmd_devices.c -- `dalle-cl devices`: what there is, what it really supports, which is the default and why.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "host/base/json_tree.h"
#include "host/device/device.h"

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

/* The list for people does not tell why a feature is not there. */
static const char *present_or_absent(device_found found)
{
    return found == DEVICE_PRESENT ? "present" : "absent";
}

static const char *found_name(device_found found)
{
    return found == DEVICE_PRESENT ? "present" : found == DEVICE_ABSENT ? "absent" : "not tried";
}

/* Where a device stands in the selection, counted from 1; 0: not in it. */
typedef struct selection {
    int *indices, count;
    const char *reason;
} selection;

static int place_in(const selection *s, int index)
{
    for (int i = 0; i < s->count; ++i)
        if (s->indices[i] == index) return i + 1;
    return 0;
}

static void add_measured(json_t **o, const device_info *d)
{
    json_t *sizes = json_array(), *units = json_object();
    for (int bit = 0; bit < 31; ++bit)
        if (d->subgroup_sizes >> bit & 1) json_tree_add(&sizes, json_integer(1 << bit));
    for (int i = 0; i < DEVICE_UNIT_COUNT; ++i)
        json_tree_put(&units, device_unit_name((device_unit)i), json_string(found_name(d->units[i])));
    json_tree_put(o, "subgroup_sizes", sizes);
    json_tree_put(o, "matrix_units", units);
    json_tree_put(o, "command_buffers", json_string(found_name(d->command_buffers)));
    json_tree_put(o, "probed_buffer_bytes", json_integer(d->probed_buffer_bytes));
    json_tree_put(o, "probed_local_bytes", json_integer(d->probed_local_bytes));
    json_tree_put(o, "launch_us", json_real(d->launch_us));
    json_tree_put(o, "round_trip_us", json_real(d->round_trip_us));
    json_tree_put(o, "copy_gb_per_s", json_real(d->copy_gbs));
}

static json_t *to_json(const device_info *d, const selection *chosen)
{
    json_t *o = json_object();
    int place = place_in(chosen, d->index);
    json_tree_put(&o, "index", json_integer(d->index));
    json_tree_put(&o, "word", json_tree_string(d->word));
    json_tree_put(&o, "kind", json_string(kind_name(d->kind)));
    json_tree_put(&o, "name", json_tree_string(d->name));
    json_tree_put(&o, "vendor", json_tree_string(d->vendor));
    json_tree_put(&o, "vendor_word", json_tree_string(d->vendor_word));
    json_tree_put(&o, "platform", json_tree_string(d->runtime));
    json_tree_put(&o, "version", json_tree_string(d->version));
    json_tree_put(&o, "driver", json_tree_string(d->driver));
    json_tree_put(&o, "compute_units", json_integer(d->compute_units));
    json_tree_put(&o, "memory_bytes", json_integer(d->memory_bytes));
    json_tree_put(&o, "max_buffer_bytes", json_integer(d->max_buffer_bytes));
    json_tree_put(&o, "local_bytes", json_integer(d->local_bytes));
    json_tree_put(&o, "max_group", json_integer(d->max_group));
    json_tree_put(&o, "usable", json_boolean(d->usable));
    if (!d->usable) json_tree_put(&o, "reason", json_tree_string(d->reason));
    json_tree_put(&o, "half_storage", json_boolean(d->half_storage));
    json_tree_put(&o, "half_arithmetic", json_boolean(d->half_arithmetic));
    json_tree_put(&o, "subgroup_size", json_integer(d->subgroup_size));
    json_tree_put(&o, "joins", json_boolean(d->joins));
    json_tree_put(&o, "products_by", json_string(device_matrix_name(d->matrix_units)));
    json_tree_put(&o, "products_copy", json_boolean(d->matrix_copies));
    json_tree_put(&o, "vector_width", json_integer(d->vector_width));
    json_tree_put(&o, "lanes", json_integer(d->lanes));
    json_tree_put(&o, "vec", json_integer(d->vec));
    json_tree_put(&o, "probe_gflops", json_real(d->probe_gflops));
    if (d->measured) add_measured(&o, d);
    json_tree_put(&o, "default", json_boolean(place == 1));
    if (place) json_tree_put(&o, "place", json_integer(place));
    if (place == 1) json_tree_put(&o, "default_because", json_string(chosen->reason));
    return o;
}

/* "8, 16, 32" */
static void sizes_text(int bits, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (int bit = 0; bit < 31 && used < size; ++bit)
        if (bits >> bit & 1)
            used += (size_t)snprintf(out + used, size - used, "%s%d", used ? ", " : "", 1 << bit);
}

static void print_measured(const device_info *d)
{
    char sizes[128];
    sizes_text(d->subgroup_sizes, sizes, sizeof sizes);
    printf("     %s%s; command buffers %s\n", sizes[0] ? "subgroups of " : "no subgroups", sizes,
           present_or_absent(d->command_buffers));
    printf("     matrix units:");
    for (int i = 0; i < DEVICE_UNIT_COUNT; ++i)
        printf("%s %s %s", i ? "," : "", device_unit_name((device_unit)i), present_or_absent(d->units[i]));
    printf("\n     tried: one buffer of %.1f GiB, %lld KiB of local memory\n", gib(d->probed_buffer_bytes),
           (long long)(d->probed_local_bytes / 1024));
    printf(
        "     measured: %.*f GFLOP/s multiply-add, copy %.1f GB/s (read + written), launch %.1f us, launch "
        "and wait %.0f us\n",
        d->probe_gflops < 10 ? 2 : 0, d->probe_gflops, d->copy_gbs, d->launch_us, d->round_trip_us);
}

static void print_people(const device_info *d, const selection *chosen)
{
    int place = place_in(chosen, d->index);
    printf("%c %d  %s (%s)\n", place ? '*' : ' ', d->index, d->name, d->word);
    printf("     %s, %s, %s, driver %s\n", kind_name(d->kind), d->runtime, d->version, d->driver);
    printf("     it says: %d compute units, %.1f GiB memory, buffers up to %.1f GiB, %lld KiB local, "
           "groups up to %lld\n",
           d->compute_units, gib(d->memory_bytes), gib(d->max_buffer_bytes),
           (long long)(d->local_bytes / 1024), (long long)d->max_group);
    if (!d->usable) {
        printf("     not usable: %s\n", d->reason);
        return;
    }
    printf("     f16 storage %s, f16 arithmetic %s; kernels of %d lanes x %d wide%s\n",
           d->half_storage ? "yes" : "no", d->half_arithmetic ? "yes" : "no", d->lanes, d->vec,
           d->joins ? "; short ones are joined" : "");
    if (d->matrix_units != DEVICE_MATRIX_NONE)
        printf("     16-bit products by %s%s\n", device_matrix_name(d->matrix_units),
               d->matrix_copies ? ", operands copied asynchronously" : "");
    if (d->measured) print_measured(d);
    if (place == 1)
        printf("     default: %s\n", chosen->reason);
    else if (place)
        printf("     number %d of those asked for\n", place);
}

static bool print_json(const device_info *infos, int count, const selection *chosen, error *err)
{
    json_t *all = json_array();
    for (int i = 0; i < count; ++i) json_tree_add(&all, to_json(&infos[i], chosen));
    char *text = json_tree_text(all, JSON_INDENT(2), "the list of devices", err);
    if (!text) return false;
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
    selection chosen = { .reason = "" };
    device *d = device_open(cli_text(call, "device"), &none);
    if (d) chosen.count = device_select(cli_text(call, "device"), &chosen.indices, &none);
    bool ok = true;
    if (none.code != ERROR_NONE &&
        (cli_given(call, "device") || none.code == ERROR_USAGE || error_of_memory(&none))) {
        ok = false;
        if (err) *err = none;
    } else {
        if (d) chosen.reason = device_choice_reason(d);
        if (cli_flag(call, "json"))
            ok = print_json(infos, count, &chosen, err);
        else
            for (int i = 0; i < count; ++i) print_people(&infos[i], &chosen);
        if (ok && !d) ok = error_set(err, none.code, "no device can be used: %s", none.message);
    }
    device_close(d);
    free(chosen.indices);
    free(infos);
    return ok;
}

const cli_command cmd_devices = {
    .name = "devices",
    .summary = "list every device, what it supports, and which is the default",
    .arguments = "",
    .example = "dalle-cl devices",
    .text = "Support is found by compiling and running small programs, not by what drivers say. The default\n"
            "(marked *) is the fastest by a short measurement, which is remembered. `--device 1,0` names\n"
            "several: each must work, and a command that drives one device takes the first.",
    .run = run_devices,
};
