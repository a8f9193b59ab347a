/* status.c -- the statuses of CUDA's libraries as text, and what to try for each of them.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"

#include <stdio.h>

#define REMEDIES(X) \
    X(MEMORY, ERROR_ROOM, \
      "the device or the machine is short of memory: lower the batch, use f16 storage, or close other " \
      "programs that use the card (nvidia-smi lists them)") \
    X(NO_DEVICE, ERROR_DEVICE, \
      "the driver finds no card: look at what nvidia-smi says, and at CUDA_VISIBLE_DEVICES") \
    X(BUSY, ERROR_DEVICE, \
      "another program holds the card, or its compute mode forbids this one: close the program " \
      "(nvidia-smi lists them), set `nvidia-smi -c 0`, or choose another --device") \
    X(DRIVER, ERROR_DEVICE, \
      "the driver is older than the compiler's code, or does not fit the system's: update NVIDIA's driver, " \
      "or name a folder with a libnvrtc of the driver's CUDA version in DALLE_CL_CUDA_LIBRARIES") \
    X(IMAGE, ERROR_DEVICE, \
      "a compiled kernel does not suit the card or its driver: remove the folder programs in the cache " \
      "folder, or set DALLE_CL_CACHE=off") \
    X(CRASHED, ERROR_DEVICE, \
      "a kernel was stopped, and the card takes no more work from this process: start again; if it happens " \
      "again, update the driver or choose another --device, and report it with what `dalle-cl devices` " \
      "says") \
    X(SHAPE, ERROR_DEVICE, \
      "the card allows only smaller work-groups for this kernel: update the driver, or choose another " \
      "--device") \
    X(COMPILER, ERROR_DEVICE, \
      "the compiler refused a kernel: install another version of libnvrtc, or choose another --device") \
    X(INSTALLATION, ERROR_DEVICE, \
      "the library does not work as it is installed: install it again from NVIDIA's CUDA toolkit, in the " \
      "driver's version") \
    X(BUG, ERROR_DEVICE, \
      "this should not happen: update the driver or choose another --device, and report it with what " \
      "`dalle-cl devices` says")

typedef enum remedy {
#define REMEDY_ENUM(name, code, text) REMEDY_##name,
    REMEDIES(REMEDY_ENUM)
#undef REMEDY_ENUM
} remedy;

typedef struct status_row {
    const char *name;
    int code;
    remedy remedy;
} status_row;

#define DRIVER_CODES(X) \
    X(CUDA_ERROR_INVALID_VALUE, 1, BUG) \
    X(CUDA_ERROR_OUT_OF_MEMORY, 2, MEMORY) \
    X(CUDA_ERROR_NOT_INITIALIZED, 3, BUG) \
    X(CUDA_ERROR_DEINITIALIZED, 4, BUG) \
    X(CUDA_ERROR_STUB_LIBRARY, 34, INSTALLATION) \
    X(CUDA_ERROR_DEVICE_UNAVAILABLE, 46, BUSY) \
    X(CUDA_ERROR_NO_DEVICE, 100, NO_DEVICE) \
    X(CUDA_ERROR_INVALID_DEVICE, 101, BUG) \
    X(CUDA_ERROR_DEVICE_NOT_LICENSED, 102, BUSY) \
    X(CUDA_ERROR_INVALID_IMAGE, 200, IMAGE) \
    X(CUDA_ERROR_INVALID_CONTEXT, 201, BUG) \
    X(CUDA_ERROR_NO_BINARY_FOR_GPU, 209, IMAGE) \
    X(CUDA_ERROR_ECC_UNCORRECTABLE, 214, CRASHED) \
    X(CUDA_ERROR_INVALID_PTX, 218, DRIVER) \
    X(CUDA_ERROR_JIT_COMPILER_NOT_FOUND, 221, DRIVER) \
    X(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, 222, DRIVER) \
    X(CUDA_ERROR_JIT_COMPILATION_DISABLED, 223, DRIVER) \
    X(CUDA_ERROR_OPERATING_SYSTEM, 304, INSTALLATION) \
    X(CUDA_ERROR_INVALID_HANDLE, 400, BUG) \
    X(CUDA_ERROR_NOT_FOUND, 500, IMAGE) \
    X(CUDA_ERROR_ILLEGAL_ADDRESS, 700, CRASHED) \
    X(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, 701, SHAPE) \
    X(CUDA_ERROR_LAUNCH_TIMEOUT, 702, CRASHED) \
    X(CUDA_ERROR_CONTEXT_IS_DESTROYED, 709, CRASHED) \
    X(CUDA_ERROR_ASSERT, 710, CRASHED) \
    X(CUDA_ERROR_HARDWARE_STACK_ERROR, 714, CRASHED) \
    X(CUDA_ERROR_ILLEGAL_INSTRUCTION, 715, CRASHED) \
    X(CUDA_ERROR_MISALIGNED_ADDRESS, 716, CRASHED) \
    X(CUDA_ERROR_LAUNCH_FAILED, 719, CRASHED) \
    X(CUDA_ERROR_NOT_PERMITTED, 800, BUSY) \
    X(CUDA_ERROR_NOT_SUPPORTED, 801, BUG) \
    X(CUDA_ERROR_SYSTEM_NOT_READY, 802, INSTALLATION) \
    X(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803, DRIVER) \
    X(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, 804, DRIVER) \
    X(CUDA_ERROR_MPS_CONNECTION_FAILED, 805, BUSY) \
    X(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED, 808, BUSY) \
    X(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, 900, BUG) \
    X(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, 901, BUG) \
    X(CUDA_ERROR_UNKNOWN, 999, INSTALLATION)

#define COMPILER_CODES(X) \
    X(NVRTC_ERROR_OUT_OF_MEMORY, 1, MEMORY) \
    X(NVRTC_ERROR_PROGRAM_CREATION_FAILURE, 2, INSTALLATION) \
    X(NVRTC_ERROR_INVALID_INPUT, 3, BUG) \
    X(NVRTC_ERROR_INVALID_PROGRAM, 4, BUG) \
    X(NVRTC_ERROR_INVALID_OPTION, 5, COMPILER) \
    X(NVRTC_ERROR_COMPILATION, 6, COMPILER) \
    X(NVRTC_ERROR_BUILTIN_OPERATION_FAILURE, 7, INSTALLATION) \
    X(NVRTC_ERROR_INTERNAL_ERROR, 11, COMPILER)

#define PRODUCTS_CODES(X) \
    X(CUBLAS_STATUS_NOT_INITIALIZED, 1, INSTALLATION) \
    X(CUBLAS_STATUS_ALLOC_FAILED, 3, MEMORY) \
    X(CUBLAS_STATUS_INVALID_VALUE, 7, BUG) \
    X(CUBLAS_STATUS_ARCH_MISMATCH, 8, INSTALLATION) \
    X(CUBLAS_STATUS_MAPPING_ERROR, 11, CRASHED) \
    X(CUBLAS_STATUS_EXECUTION_FAILED, 13, CRASHED) \
    X(CUBLAS_STATUS_INTERNAL_ERROR, 14, INSTALLATION) \
    X(CUBLAS_STATUS_NOT_SUPPORTED, 15, BUG) \
    X(CUBLAS_STATUS_LICENSE_ERROR, 16, INSTALLATION)

#define ROW(name, code, remedy) { #name, code, REMEDY_##remedy },
static const status_row driver_rows[] = { DRIVER_CODES(ROW) };
static const status_row compiler_rows[] = { COMPILER_CODES(ROW) };
static const status_row products_rows[] = { PRODUCTS_CODES(ROW) };
#define COUNT(rows) ((int)(sizeof(rows) / sizeof *(rows)))

static bool say(error *err, const status_row *rows, int count, int status, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

static bool say(error *err, const status_row *rows, int count, int status, const char *format, va_list args)
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
    const char *name = "a status without a name here";
    remedy r = REMEDY_BUG;
    vsnprintf(call, sizeof call, format, args);
    for (int i = 0; i < count; ++i)
        if (rows[i].code == status) {
            name = rows[i].name;
            r = rows[i].remedy;
        }
    return error_set(err, remedies[r].code, "%s: %s (%d); %s", call, name, status, remedies[r].text);
}

bool cuda_status_error(error *err, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(err, driver_rows, COUNT(driver_rows), status, format, args);
    va_end(args);
    return false;
}

bool cuda_status_compiler_error(error *err, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(err, compiler_rows, COUNT(compiler_rows), status, format, args);
    va_end(args);
    return false;
}

bool cuda_status_products_error(error *err, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(err, products_rows, COUNT(products_rows), status, format, args);
    va_end(args);
    return false;
}
