/* platforms.c -- which devices OpenCL's platforms have, and what their drivers say of them.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "host/base/log.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLATFORMS_MAX 32
#define DEVICES_MAX   64 /* per platform */

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

/* NVIDIA's driver (580.159) counts the elements of clEnqueueFillBuffer in 32 bits: a fill of the last four
 * bytes of 16 GiB stops the context, one further on lands elsewhere in the buffer, without an error.  2^31
 * elements are safe. */
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
    if (contains(info->runtime, "Portable Computing Language") || contains(info->version, "pocl"))
        return "pocl";
    if (contains(info->runtime, "Oclgrind")) return "oclgrind";
    if (contains(info->runtime, "rusticl") || contains(info->runtime, "Clover")) return "mesa";
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

/* Nothing is guessed: a device that does not answer is not used, for a wrong kind or limit would choose other
 * kernels and so other sums. */
static void describe(cl_platform_id platform, cl_device_id id, device_info *info)
{
    asked a = { .platform = platform, .id = id };
    size_t group = 1;
    PLATFORM_TEXT(&a, CL_PLATFORM_NAME, info->runtime);
    PLATFORM_TEXT(&a, CL_PLATFORM_VERSION, info->runtime_version);
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

static bool append(device_listing *l, cl_platform_id platform, cl_device_id id, error *err)
{
    device_entry *e = device_listing_add(l, &opencl_backend, err);
    if (!e) return false;
    e->handle[0] = platform;
    e->handle[1] = id;
    describe(platform, id, &e->info);
    return true;
}

/* One thread at a time: PoCL 3.1 has no device for one that asks while another is the first to. */
static cl_int find_devices(cl_platform_id platform, cl_device_id ids[DEVICES_MAX], cl_uint *count)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    cl_int status = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, ids, count);
    pthread_mutex_unlock(&lock);
    return status;
}

/* A platform without a device of its kind in this machine is nothing unusual: *empty says so.  False: out of
 * memory. */
static bool list_platform(device_listing *l, cl_platform_id platform, error *empty, error *err)
{
    cl_device_id ids[DEVICES_MAX];
    cl_uint count = 0;
    cl_int status = find_devices(platform, ids, &count);
    if (status != CL_SUCCESS) {
        status_error(empty, status, "clGetDeviceIDs");
        if (status != CL_DEVICE_NOT_FOUND) log_warn("a platform is left out: %s", empty->message);
        return true;
    }
    if (count > DEVICES_MAX) count = DEVICES_MAX;
    for (cl_uint i = 0; i < count; ++i)
        if (!append(l, platform, ids[i], err)) return false;
    return true;
}

bool platforms_list(device_listing *l, error *err)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint platform_count = 0;
    const int before = l->count;
    error empty = { 0 };
    driver_home_prepare();
    cl_int status = clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
    if (status != CL_SUCCESS || platform_count == 0)
        return error_set(err, ERROR_DEVICE,
                         "no OpenCL platform is installed (clGetPlatformIDs: %s (%d)); install a driver: "
                         "package pocl-opencl-icd for "
                         "CPUs, or the GPU vendor's (nvidia-opencl-icd, intel-opencl-icd, mesa-opencl-icd)",
                         status == CL_SUCCESS ? "the list is empty" : status_name(status), (int)status);
    if (platform_count > PLATFORMS_MAX) platform_count = PLATFORMS_MAX;
    for (cl_uint i = 0; i < platform_count; ++i)
        if (!list_platform(l, platforms[i], &empty, err)) return false;
    if (l->count > before) return true;
    error_set(err, ERROR_DEVICE,
              "OpenCL is installed but no platform has a device; install pocl-opencl-icd for CPUs or "
              "the GPU vendor's driver, and check that this user may open the device files in /dev/dri");
    return empty.code == ERROR_NONE ? false : error_prefix(err, "%s", empty.message);
}
