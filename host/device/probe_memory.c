/* probe_memory.c -- what probes found, remembered as <cache folder>/device-<key>.json, the key being a hash
 * of device, driver and probe source.
 * SPDX-License-Identifier: MIT */
#include "host/device/probe.h"
#include "host/device/source.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *probe_memory_path(const device *d)
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

bool probe_memory_recall(const char *path, device_info *info)
{
    if (!path || !file_exists(path)) return false;
    json_t *root = json_tree_open(path, NULL);
    int usable, storage, arithmetic, subgroups, multiple, joins, matrix, copies;
    double gflops;
    const char *reason;
    bool ok = root &&
              json_unpack(root, "{s:b, s:s, s:b, s:b, s:i, s:b, s:i, s:b, s:i, s:F}", "usable", &usable,
                          "reason", &reason, "half_storage", &storage, "half_arithmetic", &arithmetic,
                          "subgroup_size", &subgroups, "joins", &joins, "matrix_units", &matrix,
                          "matrix_copies", &copies, "preferred_multiple", &multiple, "gflops", &gflops) == 0;
    ok = ok && matrix >= 0 && matrix < DEVICE_MATRIX_COUNT;
    if (ok) {
        info->matrix_units = (device_matrix)matrix;
        info->matrix_copies = copies;
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

void probe_memory_keep(const char *path, const device_info *info)
{
    if (!path) return;
    json_t *root = json_pack(
        "{s:s, s:s, s:b, s:s, s:b, s:b, s:i, s:b, s:i, s:b, s:i, s:f}", "device", info->name, "driver",
        info->driver, "usable", info->usable, "reason", info->reason, "half_storage", info->half_storage,
        "half_arithmetic", info->half_arithmetic, "subgroup_size", info->subgroup_size, "joins", info->joins,
        "matrix_units", (int)info->matrix_units, "matrix_copies", info->matrix_copies, "preferred_multiple",
        info->preferred_multiple, "gflops", info->probe_gflops);
    if (info->measured) json_tree_put(&root, "measured", measured_json(info));
    char *text = json_tree_text(root, JSON_INDENT(2), path, NULL);
    if (text && !file_write(path, text, strlen(text), NULL)) log_verbose("could not write %s", path);
    free(text);
}
