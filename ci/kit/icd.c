/* icd.c -- loads one OpenCL driver as the ICD loader would and says what comes of it, on one line.
 *     kit-icd LIBRARY
 * Exit status 0 and "N platforms", or 1 and the reason: what the linker says (a C library that is too old is named
 * with the version that is needed), or that it is no driver. A driver that crashes takes this process alone with it.
 * SPDX-License-Identifier: MIT */
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef void *(CL_API_CALL *address_function)(const char *name);
typedef cl_int(CL_API_CALL *platforms_function)(cl_uint count, cl_platform_id *id, cl_uint *total);

/* Destructors of a driver that found no device of its own may crash; they aren't what is asked. */
static int say(int status, const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
    _exit(status);
}

int main(int count, char **arguments)
{
    char text[64];
    cl_uint platforms = 0;
    if (count != 2) return say(2, "usage: kit-icd LIBRARY");
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return say(1, dlerror());
    platforms_function get = NULL;
    address_function address = NULL;
    *(void **)&address = dlsym(library, "clGetExtensionFunctionAddress");
    if (address) *(void **)&get = address("clIcdGetPlatformIDsKHR");
    if (!get) *(void **)&get = dlsym(library, "clIcdGetPlatformIDsKHR");
    if (!get) return say(1, "it loads, but it is no OpenCL driver: it has no clIcdGetPlatformIDsKHR");
    const cl_int result = get(0, NULL, &platforms);
    if (result != CL_SUCCESS && result != -1001) {
        snprintf(text, sizeof text, "clIcdGetPlatformIDsKHR: error %d", (int)result);
        return say(1, text);
    }
    if (platforms == 0) return say(1, "it loads, but finds no device of its own");
    snprintf(text, sizeof text, "%u platform%s", platforms, platforms == 1 ? "" : "s");
    return say(0, text);
}
