/* status.c -- OpenCL's status codes as text.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdio.h>

/* CLBlast's own codes share the number space; gemm_clblast.c reports through here too. */
#define STATUS_CODES(X) \
    X(CL_DEVICE_NOT_FOUND, -1) \
    X(CL_DEVICE_NOT_AVAILABLE, -2) \
    X(CL_COMPILER_NOT_AVAILABLE, -3) \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE, -4) \
    X(CL_OUT_OF_RESOURCES, -5) \
    X(CL_OUT_OF_HOST_MEMORY, -6) \
    X(CL_PROFILING_INFO_NOT_AVAILABLE, -7) \
    X(CL_MEM_COPY_OVERLAP, -8) \
    X(CL_IMAGE_FORMAT_MISMATCH, -9) \
    X(CL_IMAGE_FORMAT_NOT_SUPPORTED, -10) \
    X(CL_BUILD_PROGRAM_FAILURE, -11) \
    X(CL_MAP_FAILURE, -12) \
    X(CL_MISALIGNED_SUB_BUFFER_OFFSET, -13) \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14) \
    X(CL_COMPILE_PROGRAM_FAILURE, -15) \
    X(CL_LINKER_NOT_AVAILABLE, -16) \
    X(CL_LINK_PROGRAM_FAILURE, -17) \
    X(CL_DEVICE_PARTITION_FAILED, -18) \
    X(CL_KERNEL_ARG_INFO_NOT_AVAILABLE, -19) \
    X(CL_INVALID_VALUE, -30) \
    X(CL_INVALID_DEVICE_TYPE, -31) \
    X(CL_INVALID_PLATFORM, -32) \
    X(CL_INVALID_DEVICE, -33) \
    X(CL_INVALID_CONTEXT, -34) \
    X(CL_INVALID_QUEUE_PROPERTIES, -35) \
    X(CL_INVALID_COMMAND_QUEUE, -36) \
    X(CL_INVALID_HOST_PTR, -37) \
    X(CL_INVALID_MEM_OBJECT, -38) \
    X(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, -39) \
    X(CL_INVALID_IMAGE_SIZE, -40) \
    X(CL_INVALID_SAMPLER, -41) \
    X(CL_INVALID_BINARY, -42) \
    X(CL_INVALID_BUILD_OPTIONS, -43) \
    X(CL_INVALID_PROGRAM, -44) \
    X(CL_INVALID_PROGRAM_EXECUTABLE, -45) \
    X(CL_INVALID_KERNEL_NAME, -46) \
    X(CL_INVALID_KERNEL_DEFINITION, -47) \
    X(CL_INVALID_KERNEL, -48) \
    X(CL_INVALID_ARG_INDEX, -49) \
    X(CL_INVALID_ARG_VALUE, -50) \
    X(CL_INVALID_ARG_SIZE, -51) \
    X(CL_INVALID_KERNEL_ARGS, -52) \
    X(CL_INVALID_WORK_DIMENSION, -53) \
    X(CL_INVALID_WORK_GROUP_SIZE, -54) \
    X(CL_INVALID_WORK_ITEM_SIZE, -55) \
    X(CL_INVALID_GLOBAL_OFFSET, -56) \
    X(CL_INVALID_EVENT_WAIT_LIST, -57) \
    X(CL_INVALID_EVENT, -58) \
    X(CL_INVALID_OPERATION, -59) \
    X(CL_INVALID_GL_OBJECT, -60) \
    X(CL_INVALID_BUFFER_SIZE, -61) \
    X(CL_INVALID_MIP_LEVEL, -62) \
    X(CL_INVALID_GLOBAL_WORK_SIZE, -63) \
    X(CL_INVALID_PROPERTY, -64) \
    X(CL_INVALID_IMAGE_DESCRIPTOR, -65) \
    X(CL_INVALID_COMPILER_OPTIONS, -66) \
    X(CL_INVALID_LINKER_OPTIONS, -67) \
    X(CL_INVALID_DEVICE_PARTITION_COUNT, -68) \
    X(CL_INVALID_PIPE_SIZE, -69) \
    X(CL_INVALID_DEVICE_QUEUE, -70) \
    X(CL_INVALID_SPEC_ID, -71) \
    X(CL_MAX_SIZE_RESTRICTION_EXCEEDED, -72) \
    X(CL_PLATFORM_NOT_FOUND_KHR, -1001) \
    X(CLBLAST_INSUFFICIENT_MEMORY_TEMP, -2050) \
    X(CLBLAST_INVALID_BATCH_COUNT, -2049) \
    X(CLBLAST_INVALID_OVERRIDE_KERNEL, -2048) \
    X(CLBLAST_MISSING_OVERRIDE_PARAMETER, -2047) \
    X(CLBLAST_INVALID_LOCAL_MEM_USAGE, -2046) \
    X(CLBLAST_NO_HALF_PRECISION, -2045) \
    X(CLBLAST_NO_DOUBLE_PRECISION, -2044) \
    X(CLBLAST_INVALID_VECTOR_SCALAR, -2043) \
    X(CLBLAST_INSUFFICIENT_MEMORY_SCALAR, -2042) \
    X(CLBLAST_DATABASE_ERROR, -2041) \
    X(CLBLAST_UNKNOWN_ERROR, -2040) \
    X(CLBLAST_UNEXPECTED_ERROR, -2039) \
    X(CLBLAST_NOT_IMPLEMENTED, -1024) \
    X(CLBLAST_INVALID_MATRIX_A, -1022) \
    X(CLBLAST_INVALID_MATRIX_B, -1021) \
    X(CLBLAST_INVALID_MATRIX_C, -1020) \
    X(CLBLAST_INVALID_DIMENSION, -1017) \
    X(CLBLAST_INVALID_LEAD_DIM_A, -1016) \
    X(CLBLAST_INVALID_LEAD_DIM_B, -1015) \
    X(CLBLAST_INVALID_LEAD_DIM_C, -1014) \
    X(CLBLAST_INSUFFICIENT_MEMORY_A, -1011) \
    X(CLBLAST_INSUFFICIENT_MEMORY_B, -1010) \
    X(CLBLAST_INSUFFICIENT_MEMORY_C, -1009)

const char *status_name(cl_int status)
{
    static const struct {
        const char *name;
        cl_int code;
    } names[] = {
#define STATUS_ROW(name, code) { #name, code },
        STATUS_CODES(STATUS_ROW)
#undef STATUS_ROW
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (names[i].code == status) return names[i].name;
    return "a status that OpenCL does not define";
}

bool status_error(error *err, cl_int status, const char *format, ...)
{
    char call[512];
    va_list args;
    va_start(args, format);
    vsnprintf(call, sizeof call, format, args);
    va_end(args);
    switch (status) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_RESOURCES:
    case CL_OUT_OF_HOST_MEMORY:
        return error_set(err, ERROR_MEMORY,
                         "%s: %s; the device or the machine is short of memory: "
                         "lower the batch, use f16 storage, or close other programs",
                         call, status_name(status));
    default:
        return error_set(err, ERROR_DEVICE, "%s: %s (%d)", call, status_name(status), (int)status);
    }
}
