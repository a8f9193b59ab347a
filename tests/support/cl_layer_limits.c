/* cl_layer_limits.c -- see cl_layer.h: the smaller device.  Answers of the driver are lowered, what is over a
 * limit is refused, and sources are changed so that the driver's own preprocessor and compiler decide whether
 * a build uses what the device has not.
 * SPDX-License-Identifier: MIT */
#include "tests/support/cl_layer_internal.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS     1024
#define TEXT_BYTES   16384
#define INJECTED_LOG "error: this build was made to fail by a test"

static unsigned limits;
static struct {
    cl_program program;
    program_mark mark;
} marks[PROGRAMS];

void limits_set(unsigned bits)
{
    limits = bits;
}

static bool is_limited(unsigned bit)
{
    return (limits & bit) != 0;
}

void program_set_mark(cl_program p, program_mark mark)
{
    int at = 0;
    while (at < PROGRAMS && marks[at].program != p) ++at;
    if (at == PROGRAMS && mark == PROGRAM_PLAIN) return;
    for (int i = 0; at == PROGRAMS && i < PROGRAMS; ++i)
        if (marks[i].mark == PROGRAM_PLAIN) at = i;
    if (at == PROGRAMS) {
        fprintf(stderr, "cl_layer: more than %d programs\n", PROGRAMS);
        abort();
    }
    marks[at].program = p;
    marks[at].mark = mark;
}

program_mark program_get_mark(cl_program p)
{
    for (int i = 0; i < PROGRAMS; ++i)
        if (marks[i].program == p) return marks[i].mark;
    return PROGRAM_PLAIN;
}

void program_release(cl_program p)
{
    cl_uint references = 0;
    layer_below.clGetProgramInfo(p, CL_PROGRAM_REFERENCE_COUNT, sizeof references, &references, NULL);
    if (references <= 1) program_set_mark(p, PROGRAM_PLAIN);
}

/* ---- Answers ---- */

static cl_int answer(const void *from, size_t bytes, size_t size, void *out, size_t *used)
{
    if (out && size < bytes) return CL_INVALID_VALUE;
    if (out) memcpy(out, from, bytes);
    if (used) *used = bytes;
    return CL_SUCCESS;
}

static void lower_size(void *out, size_t most)
{
    size_t value;
    memcpy(&value, out, sizeof value);
    if (value > most) memcpy(out, &most, sizeof most);
}

static void lower_ulong(void *out, cl_ulong most)
{
    cl_ulong value;
    memcpy(&value, out, sizeof value);
    if (value > most) memcpy(out, &most, sizeof most);
}

/* Leaves out the words that contain `part`. */
static void drop_words(char *text, const char *part)
{
    char kept[TEXT_BYTES] = "";
    size_t used = 0;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " ");
        char one[256];
        snprintf(one, sizeof one, "%.*s", (int)length, word);
        if (length && !strstr(one, part))
            used += (size_t)snprintf(kept + used, sizeof kept - used, "%s ", one);
        word += length + strspn(word + length, " ");
    }
    memcpy(text, kept, used + 1);
}

static cl_int device_text(cl_device_id d, cl_device_info what, size_t size, void *out, size_t *used)
{
    char text[TEXT_BYTES] = "";
    cl_int status = layer_below.clGetDeviceInfo(d, what, sizeof text - 64, text, NULL);
    if (status != CL_SUCCESS) return status;
    if (what == CL_DRIVER_VERSION && limits) snprintf(text + strlen(text), 64, " limited %#x", limits);
    if (what == CL_DEVICE_EXTENSIONS && is_limited(CL_LAYER_HALF)) drop_words(text, "fp16");
    if (what == CL_DEVICE_EXTENSIONS && is_limited(CL_LAYER_SUBGROUP)) drop_words(text, "subgroup");
    return answer(text, strlen(text) + 1, size, out, used);
}

cl_int small_clGetDeviceInfo(cl_device_id d, cl_device_info what, size_t size, void *out, size_t *used)
{
    if (what == CL_DRIVER_VERSION || what == CL_DEVICE_EXTENSIONS)
        return device_text(d, what, size, out, used);
    cl_int status = layer_below.clGetDeviceInfo(d, what, size, out, used);
    if (status != CL_SUCCESS || !out) return status;
    const cl_uint one = 1;
    const cl_device_type gpu = CL_DEVICE_TYPE_GPU;
    if (what == CL_DEVICE_TYPE && is_limited(CL_LAYER_GPU)) memcpy(out, &gpu, sizeof gpu);
    if (what == CL_DEVICE_MAX_MEM_ALLOC_SIZE && is_limited(CL_LAYER_BUFFER))
        lower_ulong(out, CL_LAYER_MOST_BYTES);
    if (what == CL_DEVICE_LOCAL_MEM_SIZE && is_limited(CL_LAYER_LOCAL)) lower_ulong(out, CL_LAYER_MOST_LOCAL);
    if (what == CL_DEVICE_MAX_WORK_GROUP_SIZE && is_limited(CL_LAYER_GROUP))
        lower_size(out, CL_LAYER_MOST_GROUP);
    if (what == CL_DEVICE_MAX_WORK_ITEM_SIZES && is_limited(CL_LAYER_GROUP))
        for (size_t at = 0; at + sizeof(size_t) <= size && at < 3 * sizeof(size_t); at += sizeof(size_t))
            lower_size((char *)out + at, CL_LAYER_MOST_GROUP);
    if (what == CL_DEVICE_MAX_COMPUTE_UNITS && is_limited(CL_LAYER_UNIT)) memcpy(out, &one, sizeof one);
    if (what == CL_DEVICE_PREFERRED_VECTOR_WIDTH_HALF && is_limited(CL_LAYER_HALF))
        memset(out, 0, sizeof(cl_uint));
    return status;
}

cl_int small_clGetKernelWorkGroupInfo(cl_kernel k, cl_device_id d, cl_kernel_work_group_info what,
                                      size_t size, void *out, size_t *used)
{
    cl_int status = layer_below.clGetKernelWorkGroupInfo(k, d, what, size, out, used);
    if (status == CL_SUCCESS && out && what == CL_KERNEL_WORK_GROUP_SIZE && is_limited(CL_LAYER_GROUP))
        lower_size(out, CL_LAYER_MOST_GROUP);
    return status;
}

cl_int small_clGetProgramBuildInfo(cl_program p, cl_device_id d, cl_program_build_info what, size_t size,
                                   void *out, size_t *used)
{
    const cl_build_status failed = CL_BUILD_ERROR;
    if (program_get_mark(p) == PROGRAM_FAILED && what == CL_PROGRAM_BUILD_STATUS)
        return answer(&failed, sizeof failed, size, out, used);
    if (program_get_mark(p) == PROGRAM_FAILED && what == CL_PROGRAM_BUILD_LOG)
        return answer(INJECTED_LOG, sizeof INJECTED_LOG, size, out, used);
    return layer_below.clGetProgramBuildInfo(p, d, what, size, out, used);
}

/* ---- Refusals ---- */

static long long held, most_held; /* bytes of buffers; 0: any number */

void limits_set_memory(long mib)
{
    most_held = (long long)mib << 20;
}

cl_mem small_clCreateBuffer(cl_context c, cl_mem_flags flags, size_t bytes, void *host, cl_int *status)
{
    const bool large = is_limited(CL_LAYER_BUFFER) && bytes > CL_LAYER_MOST_BYTES,
               full = most_held && held + (long long)bytes > most_held;
    if (large || full) {
        if (status) *status = large ? CL_INVALID_BUFFER_SIZE : CL_MEM_OBJECT_ALLOCATION_FAILURE;
        return NULL;
    }
    cl_mem made = layer_below.clCreateBuffer(c, flags, bytes, host, status);
    if (made) held += (long long)bytes;
    return made;
}

void buffer_leaves(cl_mem b)
{
    cl_uint references = 0;
    size_t bytes = 0;
    layer_below.clGetMemObjectInfo(b, CL_MEM_REFERENCE_COUNT, sizeof references, &references, NULL);
    layer_below.clGetMemObjectInfo(b, CL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    if (references <= 1) held -= (long long)bytes;
}

static cl_device_id device_of(cl_command_queue q)
{
    cl_device_id d = NULL;
    layer_below.clGetCommandQueueInfo(q, CL_QUEUE_DEVICE, sizeof d, &d, NULL);
    return d;
}

cl_int small_clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel k, cl_uint rank, const size_t *offset,
                                    const size_t *global, const size_t *local, cl_uint n,
                                    const cl_event *waits, cl_event *event)
{
    size_t items = 1;
    for (cl_uint i = 0; local && i < rank; ++i) items *= local[i];
    if (is_limited(CL_LAYER_GROUP) && items > CL_LAYER_MOST_GROUP) return CL_INVALID_WORK_GROUP_SIZE;
    cl_ulong bytes = 0;
    if (is_limited(CL_LAYER_LOCAL))
        layer_below.clGetKernelWorkGroupInfo(k, device_of(q), CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes, &bytes,
                                             NULL);
    if (bytes > CL_LAYER_MOST_LOCAL) return CL_OUT_OF_RESOURCES;
    return layer_below.clEnqueueNDRangeKernel(q, k, rank, offset, global, local, n, waits, event);
}

/* ---- Sources ---- */

/* Writes `to` over every `from`; neither is longer than the other, so that the text keeps its length. */
static void overwrite(char *text, const char *from, const char *to)
{
    for (char *at = text; (at = strstr(at, from)) != NULL; at += strlen(to)) memcpy(at, to, strlen(to));
}

/* An "#pragma OPENCL EXTENSION x : enable" line whose x contains `part` becomes an #error. */
static void refuse_extension(char *text, const char *part)
{
    static const char start[] = "#pragma OPENCL EXTENSION ";
    for (char *line = text; (line = strstr(line, start)) != NULL; ++line) {
        size_t length = strcspn(line, "\n");
        char one[256];
        snprintf(one, sizeof one, "%.*s", (int)length, line);
        if (!strstr(one, part) || !strstr(one, "enable")) continue;
        memset(line, ' ', length);
        memcpy(line, "#error not here", 15);
    }
}

cl_program small_clCreateProgramWithSource(cl_context c, cl_uint n, const char **texts, const size_t *lengths,
                                           cl_int *status)
{
    size_t bytes = 0;
    for (cl_uint i = 0; i < n; ++i) bytes += lengths && lengths[i] ? lengths[i] : strlen(texts[i]);
    char *whole = calloc(bytes + 1, 1);
    if (!whole) abort();
    bytes = 0;
    for (cl_uint i = 0; i < n; ++i) {
        size_t length = lengths && lengths[i] ? lengths[i] : strlen(texts[i]);
        memcpy(whole + bytes, texts[i], length);
        bytes += length;
    }
    if (is_limited(CL_LAYER_HALF)) refuse_extension(whole, "fp16");
    if (is_limited(CL_LAYER_SUBGROUP)) {
        refuse_extension(whole, "subgroup");
        overwrite(whole, "sub_group_", "not_here__");
    }
    cl_program made = layer_below.clCreateProgramWithSource(c, 1, (const char **)&whole, NULL, status);
    free(whole);
    if (made) program_set_mark(made, PROGRAM_PLAIN);
    return made;
}

cl_program small_clCreateProgramWithBinary(cl_context c, cl_uint n, const cl_device_id *ids,
                                           const size_t *lengths, const unsigned char **binaries,
                                           cl_int *each, cl_int *status)
{
    cl_program made = layer_below.clCreateProgramWithBinary(c, n, ids, lengths, binaries, each, status);
    if (made) program_set_mark(made, PROGRAM_BINARY);
    return made;
}
