/* devices.c -- which devices there are, and opening one of them.
 * The default is the fastest by a short measured multiply-add rate (probe.c), because neither the
 * order of platforms nor the device type says which driver of the same hardware is the good one.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/helpers.h"
#include "host/base/config.h"
#include "host/base/file.h"
#include "host/base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PLATFORMS_MAX 32
#define DEVICES_MAX   64 /* per platform */
#define SELECTED_MAX  16

/* Handles beside what the list shows. */
typedef struct found {
    cl_platform_id platform;
    cl_device_id id;
} found;

typedef struct listing {
    device_info *infos;
    found *handles;
    int count;
    error empty; /* why a platform has no device, the last one's */
} listing;

static void listing_free(listing *l)
{
    free(l->infos);
    free(l->handles);
    *l = (listing){ 0 };
}

/* A device being described, and the first of the driver's answers that failed to come. */
typedef struct asked {
    cl_platform_id platform;
    cl_device_id id;
    error err;
} asked;

static void note(asked *a, cl_int status, const char *call, const char *what)
{
    if (status != CL_SUCCESS && a->err.code == ERROR_NONE)
        status_error(&a->err, status, "%s(%s)", call, what);
}

static void ask_device(asked *a, cl_device_info what, const char *name, void *out, size_t size)
{
    note(a, clGetDeviceInfo(a->id, what, size, out, NULL), "clGetDeviceInfo", name);
}

static void device_text(asked *a, cl_device_info what, const char *name, char *out, size_t size)
{
    char text[1024] = "";
    ask_device(a, what, name, text, sizeof text - 1);
    const char *start = text;
    while (isspace((unsigned char)*start)) ++start;
    snprintf(out, size, "%s", start);
    for (size_t n = strlen(out); n > 0 && isspace((unsigned char)out[n - 1]); --n) out[n - 1] = 0;
}

static void platform_text(asked *a, cl_platform_info what, const char *name, char *out, size_t size)
{
    char text[1024] = "";
    note(a, clGetPlatformInfo(a->platform, what, sizeof text - 1, text, NULL), "clGetPlatformInfo", name);
    snprintf(out, size, "%s", text);
}

static int64_t device_ulong(asked *a, cl_device_info what, const char *name)
{
    cl_ulong value = 0;
    ask_device(a, what, name, &value, sizeof value);
    return value > (cl_ulong)INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int device_uint(asked *a, cl_device_info what, const char *name)
{
    cl_uint value = 0;
    ask_device(a, what, name, &value, sizeof value);
    return (int)value;
}

/* NVIDIA's driver (580.159) counts the elements of clEnqueueFillBuffer in 32 bits: a fill of the last four bytes of
 * 16 GiB stops the context, one further on lands elsewhere in the buffer, without an error.  2^31 elements are safe. */
#define BUFFER_BYTES_MOST ((int64_t)8 << 30)

#define PLATFORM_TEXT(a, what, out) platform_text(a, what, #what, out, sizeof(out))
#define DEVICE_TEXT(a, what, out)   device_text(a, what, #what, out, sizeof(out))
#define DEVICE_ULONG(a, what)       device_ulong(a, what, #what)
#define DEVICE_UINT(a, what)        device_uint(a, what, #what)
#define DEVICE_VALUE(a, what, out)  ask_device(a, what, #what, out, sizeof *(out))

static bool contains(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

/* PoCL and Oclgrind report the processor's vendor, Mesa the GPU's: the platform says who wrote the driver. */
static const char *vendor_word(const device_info *info)
{
    if (contains(info->platform, "Portable Computing Language") || contains(info->version, "pocl"))
        return "pocl";
    if (contains(info->platform, "Oclgrind")) return "oclgrind";
    if (contains(info->platform, "rusticl") || contains(info->platform, "Clover")) return "mesa";
    if (contains(info->vendor, "NVIDIA")) return "nvidia";
    if (contains(info->vendor, "AMD") || contains(info->vendor, "Advanced Micro")) return "amd";
    if (contains(info->vendor, "Intel")) return "intel";
    if (contains(info->vendor, "Mesa")) return "mesa";
    return "other";
}

/* A CPU device's memory is the machine's.  PoCL 3.1 reports a fraction of it (7.3 of 23.5 GiB) but let us
 * have 12 GiB in six buffers; only its limit on one buffer (2 GiB) is enforced. */
static int64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? (int64_t)pages * (int64_t)page : 0;
}

static device_kind kind_of(asked *a)
{
    cl_device_type type = 0;
    DEVICE_VALUE(a, CL_DEVICE_TYPE, &type);
    bool cpu = (type & CL_DEVICE_TYPE_CPU) != 0, gpu = (type & CL_DEVICE_TYPE_GPU) != 0;
    return cpu == gpu ? DEVICE_OTHER : cpu ? DEVICE_CPU : DEVICE_GPU;
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

/* Nothing is guessed: a device that does not answer is not used, for a wrong kind or limit would choose other
 * kernels and so other sums. */
static void describe(cl_platform_id platform, cl_device_id id, device_info *info)
{
    asked a = { .platform = platform, .id = id };
    size_t group = 1;
    PLATFORM_TEXT(&a, CL_PLATFORM_NAME, info->platform);
    PLATFORM_TEXT(&a, CL_PLATFORM_VERSION, info->platform_version);
    DEVICE_TEXT(&a, CL_DEVICE_NAME, info->name);
    DEVICE_TEXT(&a, CL_DEVICE_VENDOR, info->vendor);
    DEVICE_TEXT(&a, CL_DEVICE_VERSION, info->version);
    DEVICE_TEXT(&a, CL_DRIVER_VERSION, info->driver);
    snprintf(info->vendor_word, sizeof info->vendor_word, "%s", vendor_word(info));
    info->kind = kind_of(&a);
    info->compute_units = DEVICE_UINT(&a, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->memory_bytes = DEVICE_ULONG(&a, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_buffer_bytes = DEVICE_ULONG(&a, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    if (info->max_buffer_bytes > BUFFER_BYTES_MOST) info->max_buffer_bytes = BUFFER_BYTES_MOST;
    info->local_bytes = DEVICE_ULONG(&a, CL_DEVICE_LOCAL_MEM_SIZE);
    DEVICE_VALUE(&a, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group);
    info->max_group = (int64_t)group;
    info->vector_width = DEVICE_UINT(&a, CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT);
    info->preferred_multiple = 1;
    if (info->kind == DEVICE_CPU && machine_memory() > 0) info->memory_bytes = machine_memory();
    info->usable = true;
    int major = 0, minor = 0;
    cl_bool available = CL_TRUE, compiler = CL_TRUE, little = CL_TRUE;
    DEVICE_VALUE(&a, CL_DEVICE_AVAILABLE, &available);
    DEVICE_VALUE(&a, CL_DEVICE_COMPILER_AVAILABLE, &compiler);
    DEVICE_VALUE(&a, CL_DEVICE_ENDIAN_LITTLE, &little);
    const char *fault = NULL;
    if (sscanf(info->version, "OpenCL %d.%d", &major, &minor) == 2 && major * 10 + minor < 12)
        fault = "it is older than OpenCL 1.2";
    if (!available) fault = "the driver says that it is not available";
    if (!compiler) fault = "its driver has no compiler";
    if (!little) fault = "it is big-endian";
    if (a.err.code != ERROR_NONE) fault = a.err.message;
    if (fault) {
        info->usable = false;
        snprintf(info->reason, sizeof info->reason, "%.500s", fault);
    }
    device_default_shape(info);
}

static bool listing_append(listing *l, cl_platform_id platform, cl_device_id id, error *err)
{
    device_info *infos = realloc(l->infos, (size_t)(l->count + 1) * sizeof *infos);
    if (infos) l->infos = infos;
    found *handles = realloc(l->handles, (size_t)(l->count + 1) * sizeof *handles);
    if (handles) l->handles = handles;
    if (!infos || !handles) return error_set(err, ERROR_MEMORY, "out of memory while listing devices");
    l->infos[l->count] = (device_info){ .index = l->count };
    l->handles[l->count] = (found){ platform, id };
    describe(platform, id, &l->infos[l->count++]);
    return true;
}

static bool listing_make(listing *l, error *err)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint platform_count = 0;
    *l = (listing){ 0 };
    driver_home_prepare();
    cl_int status = clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
    if (status != CL_SUCCESS || platform_count == 0)
        return error_set(err, ERROR_DEVICE,
                         "no OpenCL platform is installed (clGetPlatformIDs: %s (%d)); install a driver: "
                         "package pocl-opencl-icd for "
                         "CPUs, or the GPU vendor's (nvidia-opencl-icd, intel-opencl-icd, mesa-opencl-icd)",
                         status == CL_SUCCESS ? "the list is empty" : status_name(status), (int)status);
    if (platform_count > PLATFORMS_MAX) platform_count = PLATFORMS_MAX;
    for (cl_uint i = 0; i < platform_count; ++i) {
        cl_device_id ids[DEVICES_MAX];
        cl_uint count = 0;
        status = clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, DEVICES_MAX, ids, &count);
        if (status != CL_SUCCESS) {
            /* A platform without a device of its kind in this machine is nothing unusual. */
            status_error(&l->empty, status, "clGetDeviceIDs");
            if (status != CL_DEVICE_NOT_FOUND) log_warn("a platform is left out: %s", l->empty.message);
            continue;
        }
        if (count > DEVICES_MAX) count = DEVICES_MAX;
        for (cl_uint j = 0; j < count; ++j)
            if (!listing_append(l, platforms[i], ids[j], err)) {
                listing_free(l);
                return false;
            }
    }
    return true;
}

static bool listing_none(const listing *l, error *err)
{
    if (l->count > 0) return true;
    error_set(err, ERROR_DEVICE,
              "OpenCL is installed but no platform has a device; install pocl-opencl-icd for CPUs or "
              "the GPU vendor's driver, and check that this user may open the device files in /dev/dri");
    return l->empty.code == ERROR_NONE ? false : error_prefix(err, "%s", l->empty.message);
}

int device_list(device_info **infos, bool measure, error *err)
{
    listing l;
    *infos = NULL;
    if (!listing_make(&l, err)) return -1;
    if (l.empty.code != ERROR_NONE && !listing_none(&l, err)) return -1;
    for (int i = 0; measure && i < l.count; ++i)
        if (l.infos[i].usable) probe_device(l.handles[i].platform, l.handles[i].id, true, &l.infos[i]);
    *infos = l.infos;
    l.infos = NULL;
    int count = l.count;
    listing_free(&l);
    return count;
}

/* ---- Choosing -------------------------------------------------------------------------------- */

static bool matches(const device_info *info, const char *selector)
{
    char *end;
    long index = strtol(selector, &end, 10);
    if (end != selector && *end == 0) return index == info->index;
    if (strcasecmp(selector, "cpu") == 0) return info->kind == DEVICE_CPU;
    if (strcasecmp(selector, "gpu") == 0) return info->kind == DEVICE_GPU;
    if (strcasecmp(selector, info->vendor_word) == 0) return true;
    static const char *const words[] = { "nvidia", "amd", "intel", "pocl", "mesa", "oclgrind", "other" };
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (strcasecmp(selector, words[i]) == 0) return false;
    return contains(info->name, selector);
}

static bool unknown_selector(const listing *l, const char *selector, error *err)
{
    char text[700] = "";
    size_t used = 0;
    for (int i = 0; i < l->count && used < sizeof text; ++i)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d: %s (%s)", i ? ", " : "", i,
                                 l->infos[i].name, l->infos[i].vendor_word);
    const char **names = calloc((size_t)l->count * 2 + 2, sizeof *names);
    const char *nearest = NULL;
    if (names) {
        names[0] = "cpu";
        names[1] = "gpu";
        for (int i = 0; i < l->count; ++i) {
            names[2 + 2 * i] = l->infos[i].vendor_word;
            names[3 + 2 * i] = l->infos[i].name;
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

/* Index of the fastest usable device among those that match (all, without a selector), or -1. */
static int choose(listing *l, const char *selector, char reason[256], error *err)
{
    int matched = 0, usable = 0, best = -1, last = -1;
    for (int i = 0; i < l->count; ++i) {
        if (selector && !matches(&l->infos[i], selector)) continue;
        ++matched;
        last = i;
        if (l->infos[i].usable) probe_device(l->handles[i].platform, l->handles[i].id, false, &l->infos[i]);
        if (!l->infos[i].usable) continue;
        ++usable;
        if (best < 0 || l->infos[i].probe_gflops > l->infos[best].probe_gflops) best = i;
    }
    if (matched == 0) return unknown_selector(l, selector, err), -1;
    if (best < 0) {
        error_set(err, ERROR_DEVICE, "device '%s' cannot be used: %s", l->infos[last].name,
                  l->infos[last].reason);
        if (matched > 1) error_prefix(err, "none of %d devices works; the last", matched);
        return -1;
    }
    if (usable > 1)
        snprintf(reason, 256, "fastest of %d%s by measured multiply-add rate (%.0f GFLOP/s)", usable,
                 selector ? " that match" : "", l->infos[best].probe_gflops);
    else if (selector)
        snprintf(reason, 256, "asked for as '%.100s'", selector);
    else
        snprintf(reason, 256, "%s", l->count == 1 ? "the only device" : "the only usable device");
    return best;
}

/* Splits at commas, unless the whole text is a device's name (some have commas), and chooses for each part.
 * Returns how many indices are in `chosen`, or -1; `reason` is the first one's. */
static int select_each(listing *l, const char *selectors, int chosen[SELECTED_MAX], char reason[256],
                       error *err)
{
    char part[256], other[256];
    int count = 0;
    bool named = false;
    for (int i = 0; i < l->count; ++i) named = named || strcasecmp(l->infos[i].name, selectors) == 0;
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
                          l->infos[index].name);
                return -1;
            }
        chosen[count] = index;
        at = comma ? comma + 1 : NULL;
    }
    return count;
}

/* The selection of `selectors`, of $DALLE_CL_DEVICE, or the fastest device. */
static int select_devices(listing *l, const char *selectors, int chosen[SELECTED_MAX], char reason[256],
                          error *err)
{
    if (!selectors || !*selectors) selectors = getenv("DALLE_CL_DEVICE");
    if (!listing_make(l, err) || !listing_none(l, err)) return -1;
    if (selectors && *selectors) return select_each(l, selectors, chosen, reason, err);
    chosen[0] = choose(l, NULL, reason, err);
    return chosen[0] < 0 ? -1 : 1;
}

device *device_open(const char *selectors, error *err)
{
    listing l = { 0 };
    device *d = NULL;
    char reason[256];
    int chosen[SELECTED_MAX], count = select_devices(&l, selectors, chosen, reason, err);
    if (count > 0)
        d = device_connect(l.handles[chosen[0]].platform, l.handles[chosen[0]].id, &l.infos[chosen[0]], err);
    if (d) d->helpers = helpers_create(d);
    if (d && count == 1) snprintf(d->choice, sizeof d->choice, "%s", reason);
    if (d && count > 1)
        snprintf(d->choice, sizeof d->choice, "the first of %d asked for: one process drives one device",
                 count);
    listing_free(&l);
    return d;
}

device *device_connect_listed(int index, error *err)
{
    listing l = { 0 };
    bool ok = listing_make(&l, err) && listing_none(&l, err);
    if (ok && (index < 0 || index >= l.count))
        ok = error_set(err, ERROR_USAGE, "no device %d; there are %d", index, l.count);
    device *d =
        ok ? device_connect(l.handles[index].platform, l.handles[index].id, &l.infos[index], err) : NULL;
    listing_free(&l);
    return d;
}

int device_select(const char *selectors, int **indices, error *err)
{
    listing l = { 0 };
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
