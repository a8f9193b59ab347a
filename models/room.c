/* room.c -- see room.h.
 * SPDX-License-Identifier: MIT */
#include "models/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t room_without_reserve(int64_t memory)
{
    return memory - memory / 64;
}

/* "1.25 GiB", or a smaller unit. */
static const char *amount(int64_t bytes, char text[32])
{
    const double mib = (double)bytes / (double)(1 << 20);
    snprintf(text, 32, mib < 1000 ? "%.3g MiB" : "%.2f GiB", mib < 1000 ? mib : mib / 1024);
    return text;
}

static int64_t measure(const room_step *s, const void *config)
{
    error why = { 0 };
    workload *w = s->kind->step ? s->kind->step(s->device, config, s->given, &why) : NULL;
    workload_size size;
    const bool ok = w && workload_plan(w, &size, &why);
    workload_destroy(w);
    if (!ok) return -1;
    return size.largest_bytes <= device_get_info(s->device)->max_buffer_bytes ? workload_bytes(&size)
                                                                              : ROOM_NONE;
}

int64_t room_bytes(const room_step *s)
{
    return measure(s, s->config);
}

/* The same with a setting changed. */
static int64_t bytes_with(const room_step *s, const char *key, int64_t value)
{
    const config_table *table = s->kind->settings;
    char text[64];
    error why = { 0 };
    void *config = malloc(table->size);
    if (!config) return -1;
    memcpy(config, s->config, table->size);
    snprintf(text, sizeof text, "%s=%lld", key, (long long)value);
    const int64_t bytes =
        config_assign(table, config, text, "a smaller step", &why) ? measure(s, config) : -1;
    free(config);
    return bytes;
}

static bool fits(const room_step *s, const char *key, int64_t value, int64_t room, int64_t *bytes)
{
    const int64_t needed = bytes_with(s, key, value);
    if (needed < 0 || needed > room) return false;
    *bytes = needed;
    return true;
}

/* Batches are multiples of `unit`: their parts are alike. */
static void find_batch(const room_step *s, int64_t batch, int64_t unit, int64_t room, room_found *out)
{
    int64_t good = 1, bad = (batch + unit - 1) / unit;
    if (bad <= good || !fits(s, "batch", unit, room, &out->batch_bytes)) return;
    while (bad - good > 1) {
        const int64_t middle = good + (bad - good) / 2;
        if (fits(s, "batch", middle * unit, room, &out->batch_bytes))
            good = middle;
        else
            bad = middle;
    }
    out->batch = good * unit;
}

static int64_t ranks_of(const room_step *s)
{
    return s->ranks > 1 ? s->ranks : 1;
}

static void find_parts(const room_step *s, int64_t batch, int64_t parts, int64_t room, room_found *out)
{
    const int64_t most = batch / ranks_of(s);
    int64_t least;
    if (!fits(s, "accumulate", most, room, &least)) return;
    for (int64_t p = parts + 1; p <= most && !out->parts; ++p)
        if (most % p == 0 && fits(s, "accumulate", p, room, &out->parts_bytes)) out->parts = p;
}

room_found room_find(const room_step *s, int64_t bytes)
{
    const int64_t batch = kinds_setting(s->kind, s->config, "batch"),
                  parts = kinds_setting(s->kind, s->config, "accumulate");
    room_found out = { 0 };
    find_batch(s, batch, parts * ranks_of(s), bytes, &out);
    find_parts(s, batch, parts, bytes, &out);
    return out;
}

void room_advise(const room_step *s, int64_t bytes, error *err)
{
    const int64_t batch = kinds_setting(s->kind, s->config, "batch");
    const room_found found = bytes > 0 ? room_find(s, bytes) : (room_found){ 0 };
    char text[300], one[128] = "", parts[128] = "", size[32];
    if (found.batch)
        snprintf(one, sizeof one, "--set batch=%lld fits (%s)", (long long)found.batch,
                 amount(found.batch_bytes, size));
    if (found.parts)
        snprintf(parts, sizeof parts, "--set accumulate=%lld fits with batch %lld (%s)",
                 (long long)found.parts, (long long)batch, amount(found.parts_bytes, size));
    if (found.batch || found.parts)
        snprintf(text, sizeof text, "; %s%s%s", one, found.batch && found.parts ? ", and " : "", parts);
    else
        snprintf(text, sizeof text,
                 "; no smaller batch would fit: --set recompute=yes or precision=mixed takes less, as does a "
                 "smaller model");
    const size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, "%s", text);
}
