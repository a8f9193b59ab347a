/* program_cache.c -- a driver's program binaries in and out of the store on disk (program_store.h).
 * Any failure deletes the entry and the program is compiled from source: the cache is never a reason to fail.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "host/device/program_store.h"

#include <stdlib.h>

cl_program program_cache_binary(device *d, const void *bytes, size_t length, const char *options)
{
    const unsigned char *binary = bytes;
    cl_int status, loaded;
    cl_program built =
        clCreateProgramWithBinary(opencl(d)->context, 1, &opencl(d)->id, &length, &binary, &loaded, &status);
    if (status != CL_SUCCESS) return NULL;
    if (loaded == CL_SUCCESS && clBuildProgram(built, 1, &opencl(d)->id, options, NULL, NULL) == CL_SUCCESS)
        return built;
    clReleaseProgram(built);
    return NULL;
}

cl_program program_cache_load(device *d, const char key[65], const char *options)
{
    size_t length = 0;
    void *binary = program_store_load(d, key, &length);
    cl_program built = binary ? program_cache_binary(d, binary, length, options) : NULL;
    if (binary && !built) program_store_drop(d, key);
    free(binary);
    return built;
}

void program_cache_save(device *d, const char key[65], cl_program built)
{
    size_t length = 0;
    if (!program_store_keeps(d) ||
        clGetProgramInfo(built, CL_PROGRAM_BINARY_SIZES, sizeof length, &length, NULL) != CL_SUCCESS ||
        length == 0)
        return;
    unsigned char *binary = malloc(length);
    if (binary && clGetProgramInfo(built, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        program_store_keep(d, key, binary, length);
    free(binary);
}
