/* status.c -- OpenCL's status codes as text, and what to try for each of them.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdio.h>

/* Each remedy serves a class of statuses.  Drivers use CL_OUT_OF_RESOURCES for nearly everything that goes
 * wrong on the device, a kernel that crashed or took too long included. */
#define REMEDIES(X) \
    X(MEMORY, ERROR_ROOM, \
      "the device or the machine is short of memory: lower the batch, use f16 storage, or " \
      "close other programs") \
    X(RESOURCES, ERROR_ROOM, \
      "the device ran out of memory or stopped a kernel: lower the batch, use f16 storage, close other " \
      "programs that use the device, or update its driver") \
    X(SIZE, ERROR_ROOM, \
      "a single piece of memory or work is larger than the device allows: lower the batch, or " \
      "choose another --device") \
    X(LOST, ERROR_DEVICE, \
      "the device was reset or is held by another program: close other programs that use it, " \
      "look into the system's log, or choose another --device") \
    X(NO_DRIVER, ERROR_DEVICE, \
      "no driver offers a device: install one (package pocl-opencl-icd for CPUs, or the " \
      "GPU vendor's)") \
    X(NO_COMPILER, ERROR_DEVICE, \
      "the driver came without its compiler: install it whole, or choose another " \
      "--device") \
    X(BUILD, ERROR_DEVICE, \
      "the driver's compiler refused a kernel: update the driver, or choose another --device") \
    X(BINARY, ERROR_DEVICE, \
      "a kept kernel does not suit the driver: remove the folder programs in the cache " \
      "folder, or set DALLE_CL_CACHE=off") \
    X(SHAPE, ERROR_DEVICE, \
      "the device allows only smaller work-groups for this kernel: update the driver, or " \
      "choose another --device") \
    X(BUG, ERROR_DEVICE, \
      "this should not happen: update the driver or choose another --device, and report it " \
      "with what `dalle-cl devices` says")

typedef enum remedy {
#define REMEDY_ENUM(name, code, text) REMEDY_##name,
    REMEDIES(REMEDY_ENUM)
#undef REMEDY_ENUM
} remedy;

/* CLBlast's own codes share the number space; gemm_clblast.c reports through here too. */
#define STATUS_CODES(X) \
    X(CL_DEVICE_NOT_FOUND, -1, NO_DRIVER) \
    X(CL_DEVICE_NOT_AVAILABLE, -2, LOST) \
    X(CL_COMPILER_NOT_AVAILABLE, -3, NO_COMPILER) \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE, -4, MEMORY) \
    X(CL_OUT_OF_RESOURCES, -5, RESOURCES) \
    X(CL_OUT_OF_HOST_MEMORY, -6, MEMORY) \
    X(CL_PROFILING_INFO_NOT_AVAILABLE, -7, BUG) \
    X(CL_MEM_COPY_OVERLAP, -8, BUG) \
    X(CL_IMAGE_FORMAT_MISMATCH, -9, BUG) \
    X(CL_IMAGE_FORMAT_NOT_SUPPORTED, -10, BUG) \
    X(CL_BUILD_PROGRAM_FAILURE, -11, BUILD) \
    X(CL_MAP_FAILURE, -12, BUG) \
    X(CL_MISALIGNED_SUB_BUFFER_OFFSET, -13, BUG) \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14, LOST) \
    X(CL_COMPILE_PROGRAM_FAILURE, -15, BUILD) \
    X(CL_LINKER_NOT_AVAILABLE, -16, NO_COMPILER) \
    X(CL_LINK_PROGRAM_FAILURE, -17, BUILD) \
    X(CL_DEVICE_PARTITION_FAILED, -18, BUG) \
    X(CL_KERNEL_ARG_INFO_NOT_AVAILABLE, -19, BUG) \
    X(CL_INVALID_VALUE, -30, BUG) \
    X(CL_INVALID_DEVICE_TYPE, -31, BUG) \
    X(CL_INVALID_PLATFORM, -32, BUG) \
    X(CL_INVALID_DEVICE, -33, BUG) \
    X(CL_INVALID_CONTEXT, -34, BUG) \
    X(CL_INVALID_QUEUE_PROPERTIES, -35, BUG) \
    X(CL_INVALID_COMMAND_QUEUE, -36, BUG) \
    X(CL_INVALID_HOST_PTR, -37, BUG) \
    X(CL_INVALID_MEM_OBJECT, -38, BUG) \
    X(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, -39, BUG) \
    X(CL_INVALID_IMAGE_SIZE, -40, BUG) \
    X(CL_INVALID_SAMPLER, -41, BUG) \
    X(CL_INVALID_BINARY, -42, BINARY) \
    X(CL_INVALID_BUILD_OPTIONS, -43, BUILD) \
    X(CL_INVALID_PROGRAM, -44, BUG) \
    X(CL_INVALID_PROGRAM_EXECUTABLE, -45, BINARY) \
    X(CL_INVALID_KERNEL_NAME, -46, BUG) \
    X(CL_INVALID_KERNEL_DEFINITION, -47, BUG) \
    X(CL_INVALID_KERNEL, -48, BUG) \
    X(CL_INVALID_ARG_INDEX, -49, BUG) \
    X(CL_INVALID_ARG_VALUE, -50, BUG) \
    X(CL_INVALID_ARG_SIZE, -51, BUG) \
    X(CL_INVALID_KERNEL_ARGS, -52, BUG) \
    X(CL_INVALID_WORK_DIMENSION, -53, BUG) \
    X(CL_INVALID_WORK_GROUP_SIZE, -54, SHAPE) \
    X(CL_INVALID_WORK_ITEM_SIZE, -55, SHAPE) \
    X(CL_INVALID_GLOBAL_OFFSET, -56, BUG) \
    X(CL_INVALID_EVENT_WAIT_LIST, -57, BUG) \
    X(CL_INVALID_EVENT, -58, BUG) \
    X(CL_INVALID_OPERATION, -59, BUG) \
    X(CL_INVALID_GL_OBJECT, -60, BUG) \
    X(CL_INVALID_BUFFER_SIZE, -61, SIZE) \
    X(CL_INVALID_MIP_LEVEL, -62, BUG) \
    X(CL_INVALID_GLOBAL_WORK_SIZE, -63, SIZE) \
    X(CL_INVALID_PROPERTY, -64, BUG) \
    X(CL_INVALID_IMAGE_DESCRIPTOR, -65, BUG) \
    X(CL_INVALID_COMPILER_OPTIONS, -66, BUILD) \
    X(CL_INVALID_LINKER_OPTIONS, -67, BUILD) \
    X(CL_INVALID_DEVICE_PARTITION_COUNT, -68, BUG) \
    X(CL_INVALID_PIPE_SIZE, -69, BUG) \
    X(CL_INVALID_DEVICE_QUEUE, -70, BUG) \
    X(CL_INVALID_SPEC_ID, -71, BUG) \
    X(CL_MAX_SIZE_RESTRICTION_EXCEEDED, -72, SIZE) \
    X(CL_PLATFORM_NOT_FOUND_KHR, -1001, NO_DRIVER) \
    X(CLBLAST_INSUFFICIENT_MEMORY_TEMP, -2050, MEMORY) \
    X(CLBLAST_INVALID_BATCH_COUNT, -2049, BUG) \
    X(CLBLAST_INVALID_OVERRIDE_KERNEL, -2048, BUG) \
    X(CLBLAST_MISSING_OVERRIDE_PARAMETER, -2047, BUG) \
    X(CLBLAST_INVALID_LOCAL_MEM_USAGE, -2046, SHAPE) \
    X(CLBLAST_NO_HALF_PRECISION, -2045, BUG) \
    X(CLBLAST_NO_DOUBLE_PRECISION, -2044, BUG) \
    X(CLBLAST_INVALID_VECTOR_SCALAR, -2043, BUG) \
    X(CLBLAST_INSUFFICIENT_MEMORY_SCALAR, -2042, BUG) \
    X(CLBLAST_DATABASE_ERROR, -2041, BUG) \
    X(CLBLAST_UNKNOWN_ERROR, -2040, BUG) \
    X(CLBLAST_UNEXPECTED_ERROR, -2039, BUG) \
    X(CLBLAST_NOT_IMPLEMENTED, -1024, BUG) \
    X(CLBLAST_INVALID_MATRIX_A, -1022, BUG) \
    X(CLBLAST_INVALID_MATRIX_B, -1021, BUG) \
    X(CLBLAST_INVALID_MATRIX_C, -1020, BUG) \
    X(CLBLAST_INVALID_DIMENSION, -1017, BUG) \
    X(CLBLAST_INVALID_LEAD_DIM_A, -1016, BUG) \
    X(CLBLAST_INVALID_LEAD_DIM_B, -1015, BUG) \
    X(CLBLAST_INVALID_LEAD_DIM_C, -1014, BUG) \
    X(CLBLAST_INSUFFICIENT_MEMORY_A, -1011, BUG) \
    X(CLBLAST_INSUFFICIENT_MEMORY_B, -1010, BUG) \
    X(CLBLAST_INSUFFICIENT_MEMORY_C, -1009, BUG)

typedef struct status_row {
    const char *name;
    cl_int code;
    remedy remedy;
} status_row;

static const status_row rows[] = {
#define STATUS_ROW(name, code, remedy) { #name, code, REMEDY_##remedy },
    STATUS_CODES(STATUS_ROW)
#undef STATUS_ROW
};

static const status_row *find(cl_int status)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        if (rows[i].code == status) return &rows[i];
    return NULL;
}

const char *status_name(cl_int status)
{
    const status_row *row = find(status);
    return row ? row->name : "a status that OpenCL does not define";
}

bool status_error(error *err, cl_int status, const char *format, ...)
{
    static const struct {
        error_code code;
        const char *text;
    } remedies[] = {
#define REMEDY_ROW(name, code, text) { code, text },
        REMEDIES(REMEDY_ROW)
#undef REMEDY_ROW
    };
    char call[512];
    va_list args;
    va_start(args, format);
    vsnprintf(call, sizeof call, format, args);
    va_end(args);
    const status_row *row = find(status);
    remedy r = row ? row->remedy : REMEDY_BUG;
    return error_set(err, remedies[r].code, "%s: %s (%d); %s", call, status_name(status), (int)status,
                     remedies[r].text);
}
