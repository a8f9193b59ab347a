/* devices.c -- which devices there are, choosing among them, and opening one.
 * The default is the fastest by a short measured multiply-add rate, because neither the order of backends and
 * platforms nor the device's kind says which driver of the same hardware is the good one.
 * SPDX-License-Identifier: MIT */
#include "host/device/backend.h"
#include "host/base/config.h"
#include "host/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SELECTED_MAX 16

const char *device_unit_name(device_unit unit)
{
    static const char *const names[] = {
#define DEVICE_UNIT_TEXT(name, text) text,
        DEVICE_UNITS(DEVICE_UNIT_TEXT)
#undef DEVICE_UNIT_TEXT
    };
    return names[unit];
}

const char *device_matrix_name(device_matrix matrix)
{
    static const char *const names[] = { "none",     "NVIDIA mma.sync", "AMD WMMA",
                                         "AMD MFMA", "Intel DPAS by 8", "Intel DPAS by 16" };
    return names[matrix];
}

/* One work-item with wide vectors suits a CPU, a wavefront with narrow ones everything else. */
void device_default_shape(device_info *info)
{
    if (info->kind == DEVICE_CPU) {
        info->lanes = 1;
        info->vec = 16;
        return;
    }
    int lanes = 32;
    while (lanes < info->preferred_multiple && lanes < 64) lanes *= 2;
    while (lanes > info->max_group) lanes /= 2;
    info->lanes = lanes < 1 ? 1 : lanes;
    info->vec = 4;
}

/* ---- Listing --------------------------------------------------------------------------------- */

device_entry *device_listing_add(device_listing *l, const device_backend *b, error *err)
{
    device_entry *entries = realloc(l->entries, (size_t)(l->count + 1) * sizeof *entries);
    if (!entries) return error_null(err, ERROR_MEMORY, "out of memory while listing devices");
    int before = 0;
    for (int i = 0; i < l->count; ++i) before += entries[i].backend == b;
    l->entries = entries;
    entries[l->count] = (device_entry){ .backend = b, .info.index = l->count };
    snprintf(entries[l->count].info.word, sizeof entries->info.word, "%.8s:%d", b->name, before);
    return &entries[l->count++];
}

static void listing_free(device_listing *l)
{
    free(l->entries);
    *l = (device_listing){ 0 };
}

static bool listing_fail(device_listing *l, const error *why, error *err)
{
    listing_free(l);
    if (err) *err = *why;
    return false;
}

/* Of all backends.  One without a device is told of where no other has any. */
static bool listing_make(device_listing *l, error *err)
{
    error first = { 0 };
    *l = (device_listing){ 0 };
    for (const device_backend *const *b = device_backends; *b; ++b) {
        error why = { 0 };
        if ((*b)->list(l, &why)) continue;
        if (why.code == ERROR_MEMORY) return listing_fail(l, &why, err);
        log_verbose("%s offers no device: %s", (*b)->name, why.message);
        if (first.code == ERROR_NONE) first = why;
    }
    if (l->count > 0) return true;
    if (first.code == ERROR_NONE) error_set(&first, ERROR_DEVICE, "there is no device");
    return listing_fail(l, &first, err);
}

static void probe(device_entry *e, bool all)
{
    if (e->info.usable && e->backend->probe) e->backend->probe(e, all);
}

int device_list(device_info **infos, bool measure, error *err)
{
    device_listing l;
    *infos = NULL;
    if (!listing_make(&l, err)) return -1;
    const int count = l.count;
    for (int i = 0; measure && i < count; ++i) probe(&l.entries[i], true);
    *infos = malloc((size_t)count * sizeof **infos);
    bool ok = *infos ? true : error_set(err, ERROR_MEMORY, "out of memory while listing devices");
    for (int i = 0; ok && i < count; ++i) {
        (*infos)[i] = l.entries[i].info;
        ok = device_limit_memory(*infos + i, err);
    }
    listing_free(&l);
    if (ok) return count;
    free(*infos);
    *infos = NULL;
    return -1;
}

/* ---- Choosing -------------------------------------------------------------------------------- */

/* Kinds of devices that a program can be built with, and how. */
static const struct {
    const char *name, *option;
} KINDS[] = { { "opencl", "" }, { "cuda", "DALLE_CL_CUDA" } };

/* The place in KINDS that "cuda" or "cuda:1" names, or -1. */
static int kind_named(const char *selector)
{
    const size_t length = strcspn(selector, ":");
    for (int i = 0; i < (int)(sizeof KINDS / sizeof *KINDS); ++i)
        if (strlen(KINDS[i].name) == length && strncasecmp(selector, KINDS[i].name, length) == 0) return i;
    return -1;
}

static bool matches_word(const device_info *info, const char *selector)
{
    const size_t length = strlen(selector);
    return strncasecmp(selector, info->word, length) == 0 &&
           (info->word[length] == 0 || (info->word[length] == ':' && length > 0));
}

static bool matches(const device_info *info, const char *selector)
{
    char *end;
    long index = strtol(selector, &end, 10);
    if (end != selector && *end == 0) return index == info->index;
    if (strcasecmp(selector, "cpu") == 0) return info->kind == DEVICE_CPU;
    if (strcasecmp(selector, "gpu") == 0) return info->kind == DEVICE_GPU;
    if (strcasecmp(selector, info->vendor_word) == 0 || matches_word(info, selector)) return true;
    if (kind_named(selector) >= 0) return false;
    static const char *const words[] = { "nvidia", "amd", "intel", "pocl", "mesa", "oclgrind", "other" };
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (strcasecmp(selector, words[i]) == 0) return false;
    return strcasestr(info->name, selector) != NULL;
}

/* Why there is no device of the kind that is named, or false where there are some. */
static bool kind_is_missing(const char *selector, error *err)
{
    const int kind = kind_named(selector);
    if (kind < 0) return false;
    for (const device_backend *const *b = device_backends; *b; ++b) {
        device_listing l = { 0 };
        error why = { 0 };
        if (strcasecmp((*b)->name, KINDS[kind].name) != 0) continue;
        const bool listed = (*b)->list(&l, &why);
        listing_free(&l);
        if (!listed) error_set(err, why.code, "no device '%.40s': %s", selector, why.message);
        return !listed;
    }
    error_set(err, ERROR_USAGE, "no device '%.40s': this program was built without such devices (%s=OFF)",
              selector, KINDS[kind].option);
    return true;
}

static bool unknown_selector(const device_listing *l, const char *selector, error *err)
{
    char text[700] = "";
    size_t used = 0;
    if (kind_is_missing(selector, err)) return false;
    for (int i = 0; i < l->count && used < sizeof text; ++i)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d: %s (%s)", i ? ", " : "", i,
                                 l->entries[i].info.name, l->entries[i].info.vendor_word);
    const char **names = calloc((size_t)l->count * 2 + 2, sizeof *names);
    const char *nearest = NULL;
    if (names) {
        names[0] = "cpu";
        names[1] = "gpu";
        for (int i = 0; i < l->count; ++i) {
            names[2 + 2 * i] = l->entries[i].info.vendor_word;
            names[3 + 2 * i] = l->entries[i].info.name;
        }
        nearest = config_nearest(selector, names, l->count * 2 + 2);
    }
    bool same = nearest && strcasecmp(nearest, selector) == 0;
    if (nearest && !same)
        error_set(err, ERROR_USAGE, "no device '%s'; did you mean '%s'? The devices are %s", selector,
                  nearest, text);
    else
        error_set(err, ERROR_USAGE, "no device '%.100s'; the devices are %s", selector, text);
    free(names);
    return false;
}

/* One card that two kinds of devices list is measured twice, and a difference of a tenth is the
 * measurement's: it is taken by the later kind, whose library multiplies faster. */
static bool faster(const device_entry *e, const device_entry *best)
{
    const bool same = e->backend != best->backend && strcmp(e->info.name, best->info.name) == 0;
    return e->info.probe_gflops > (same ? 0.9 : 1.0) * best->info.probe_gflops;
}

/* Index of the fastest usable device among those that match (all, without a selector), or -1. */
static int choose(device_listing *l, const char *selector, char reason[256], error *err)
{
    int matched = 0, usable = 0, best = -1, last = -1;
    for (int i = 0; i < l->count; ++i) {
        if (selector && !matches(&l->entries[i].info, selector)) continue;
        ++matched;
        last = i;
        probe(&l->entries[i], false);
        if (!l->entries[i].info.usable) continue;
        ++usable;
        if (best < 0 || faster(&l->entries[i], &l->entries[best])) best = i;
    }
    if (matched == 0) return unknown_selector(l, selector, err), -1;
    if (best < 0) {
        error_set(err, ERROR_DEVICE, "device '%s' cannot be used: %s", l->entries[last].info.name,
                  l->entries[last].info.reason);
        if (matched > 1) error_prefix(err, "none of %d devices works; the last", matched);
        return -1;
    }
    if (usable > 1)
        snprintf(reason, 256, "fastest of %d%s by measured multiply-add rate (%.0f GFLOP/s)", usable,
                 selector ? " that match" : "", l->entries[best].info.probe_gflops);
    else if (selector)
        snprintf(reason, 256, "asked for as '%.100s'", selector);
    else
        snprintf(reason, 256, "%s", l->count == 1 ? "the only device" : "the only usable device");
    return best;
}

/* Splits at commas, unless the whole text is a device's name (some have commas), and chooses for each part.
 * Returns how many indices are in `chosen`, or -1; `reason` is the first one's. */
static int select_each(device_listing *l, const char *selectors, int chosen[SELECTED_MAX], char reason[256],
                       error *err)
{
    char part[256], other[256];
    int count = 0;
    bool named = false;
    for (int i = 0; i < l->count; ++i) named = named || strcasecmp(l->entries[i].info.name, selectors) == 0;
    for (const char *at = selectors; at; ++count) {
        const char *comma = named ? NULL : strchr(at, ',');
        size_t length = comma ? (size_t)(comma - at) : strlen(at);
        if (count == SELECTED_MAX || length == 0 || length >= sizeof part) {
            error_set(err, ERROR_USAGE,
                      "'%.200s' is no list of devices: give at most %d selectors with a comma between two",
                      selectors, SELECTED_MAX);
            return -1;
        }
        memcpy(part, at, length);
        part[length] = 0;
        int index = choose(l, part, count == 0 ? reason : other, err);
        if (index < 0) return -1;
        for (int i = 0; i < count; ++i)
            if (chosen[i] == index) {
                error_set(err, ERROR_USAGE, "'%.200s' names device %d (%s) twice", selectors, index,
                          l->entries[index].info.name);
                return -1;
            }
        chosen[count] = index;
        at = comma ? comma + 1 : NULL;
    }
    return count;
}

/* The selection of `selectors`, of $DALLE_CL_DEVICE, or the fastest device. */
static int select_devices(device_listing *l, const char *selectors, int chosen[SELECTED_MAX],
                          char reason[256], error *err)
{
    if (!selectors || !*selectors) selectors = getenv("DALLE_CL_DEVICE");
    if (!listing_make(l, err)) {
        if (selectors && *selectors) kind_is_missing(selectors, err);
        return -1;
    }
    if (selectors && *selectors) return select_each(l, selectors, chosen, reason, err);
    chosen[0] = choose(l, NULL, reason, err);
    return chosen[0] < 0 ? -1 : 1;
}

device *device_open(const char *selectors, error *err)
{
    device_listing l = { 0 };
    device *d = NULL;
    char reason[256];
    int chosen[SELECTED_MAX], count = select_devices(&l, selectors, chosen, reason, err);
    if (count > 0) d = l.entries[chosen[0]].backend->open(&l.entries[chosen[0]], err);
    if (d && !device_limit_memory(&d->info, err)) {
        device_close(d);
        d = NULL;
    }
    if (d && count == 1) snprintf(d->choice, sizeof d->choice, "%s", reason);
    if (d && count > 1)
        snprintf(d->choice, sizeof d->choice, "the first of %d asked for: one process drives one device",
                 count);
    listing_free(&l);
    return d;
}

int device_select(const char *selectors, int **indices, error *err)
{
    device_listing l = { 0 };
    char reason[256];
    int chosen[SELECTED_MAX], count = select_devices(&l, selectors, chosen, reason, err);
    *indices = count > 0 ? malloc((size_t)count * sizeof **indices) : NULL;
    if (*indices) memcpy(*indices, chosen, (size_t)count * sizeof **indices);
    listing_free(&l);
    if (count > 0 && !*indices) {
        error_set(err, ERROR_MEMORY, "out of memory for a list of %d devices", count);
        return -1;
    }
    return count;
}

/* ---- The process ----------------------------------------------------------------------------- */

void device_prepare_process(void)
{
    for (const device_backend *const *b = device_backends; *b; ++b)
        if ((*b)->prepare) (*b)->prepare();
}

void device_leave(void)
{
    for (const device_backend *const *b = device_backends; *b; ++b)
        if ((*b)->leave) (*b)->leave();
}

/* DEVICE_HELPER_WORD, the device's index, and what device_key says of the device that is meant; behind
 * these "probe", or the sizes of a transform that is to be tried. */
int device_help(int argc, char **argv)
{
    device_listing l;
    int status = 1;
    if (argc != 4 && argc != 5 && argc != 7) return 2;
    if (!listing_make(&l, NULL)) return 1;
    const int index = atoi(argv[2]);
    if (argc == 7 && index >= 0 && index < l.count)
        status = fft_trial_serve(&l.entries[index], argv[3], (const char *const *)argv + 4);
    else if (argc == 5 && index >= 0 && index < l.count && strcmp(argv[4], "probe") == 0)
        status = probe_serve(&l.entries[index], argv[3]);
    else if (argc == 4 && index >= 0 && index < l.count && l.entries[index].backend->help)
        status = l.entries[index].backend->help(&l.entries[index], argv[3]);
    listing_free(&l);
    return status;
}
