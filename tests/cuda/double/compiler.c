/* compiler.c -- a stand-in for NVRTC: a C++ compiler of the host makes a kernel's text a shared library,
 * which is what driver.c loads.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/compile.h"
#include "tests/cuda/double/double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT_OF_MEMORY = 1, INVALID_OPTION = 5, COMPILATION = 6 };

struct nvrtc_program {
    char *text, *image, log[2000];
    size_t bytes;
};

DOUBLE_EXPORT int nvrtcVersion(int *major, int *minor)
{
    DOUBLE_MAY_FAIL(nvrtcVersion);
    *major = 12;
    *minor = 4;
    return 0;
}

DOUBLE_EXPORT int nvrtcGetNumSupportedArchs(int *count)
{
    DOUBLE_MAY_FAIL(nvrtcGetNumSupportedArchs);
    *count = 3;
    return 0;
}

DOUBLE_EXPORT int nvrtcGetSupportedArchs(int *archs)
{
    DOUBLE_MAY_FAIL(nvrtcGetSupportedArchs);
    static const int all[3] = { 75, 80, 90 };
    memcpy(archs, all, sizeof all);
    return 0;
}

DOUBLE_EXPORT int nvrtcCreateProgram(nvrtc_program *made, const char *text, const char *name, int headers,
                                     const char *const *texts, const char *const *names)
{
    DOUBLE_MAY_FAIL(nvrtcCreateProgram);
    (void)name;
    (void)texts;
    (void)names;
    if (headers != 0) return INVALID_OPTION;
    *made = calloc(1, sizeof **made);
    if (*made) (*made)->text = strdup(text);
    if (!*made || !(*made)->text) {
        free(*made);
        return OUT_OF_MEMORY;
    }
    double_made(1);
    return 0;
}

DOUBLE_EXPORT int nvrtcDestroyProgram(nvrtc_program *of)
{
    free((*of)->text);
    free((*of)->image);
    free(*of);
    *of = NULL;
    double_made(-1);
    return double_status("nvrtcDestroyProgram");
}

static bool read_image(nvrtc_program of, const char *path)
{
    FILE *file = fopen(path, "rb");
    bool ok = file && fseek(file, 0, SEEK_END) == 0;
    of->bytes = ok ? (size_t)ftell(file) : 0;
    of->image = ok ? malloc(of->bytes) : NULL;
    ok = of->image && fseek(file, 0, SEEK_SET) == 0 && fread(of->image, 1, of->bytes, file) == of->bytes;
    if (file) fclose(file);
    return ok;
}

DOUBLE_EXPORT int nvrtcCompileProgram(nvrtc_program of, int count, const char *const *options)
{
    DOUBLE_MAY_FAIL(nvrtcCompileProgram);
    static int made;
    char path[64];
    bool target = false;
    for (int i = 0; i < count; ++i) target = target || strncmp(options[i], "--gpu-architecture=", 19) == 0;
    if (!target) return INVALID_OPTION;
    snprintf(path, sizeof path, "/tmp/cuda_double.%d.%d.so", (int)getpid(), ++made);
    const bool ok =
        double_compile(of->text, count, options, path, of->log, sizeof of->log) && read_image(of, path);
    unlink(path);
    return ok ? 0 : COMPILATION;
}

DOUBLE_EXPORT int nvrtcGetProgramLogSize(nvrtc_program of, size_t *bytes)
{
    DOUBLE_MAY_FAIL(nvrtcGetProgramLogSize);
    *bytes = strlen(of->log) + 1;
    return 0;
}

DOUBLE_EXPORT int nvrtcGetProgramLog(nvrtc_program of, char *text)
{
    DOUBLE_MAY_FAIL(nvrtcGetProgramLog);
    strcpy(text, of->log);
    return 0;
}

DOUBLE_EXPORT int nvrtcGetCUBINSize(nvrtc_program of, size_t *bytes)
{
    DOUBLE_MAY_FAIL(nvrtcGetCUBINSize);
    *bytes = of->bytes;
    return 0;
}

DOUBLE_EXPORT int nvrtcGetCUBIN(nvrtc_program of, char *binary)
{
    DOUBLE_MAY_FAIL(nvrtcGetCUBIN);
    memcpy(binary, of->image, of->bytes);
    return 0;
}

DOUBLE_EXPORT int nvrtcGetPTXSize(nvrtc_program of, size_t *bytes)
{
    DOUBLE_MAY_FAIL(nvrtcGetPTXSize);
    *bytes = of->bytes;
    return 0;
}

DOUBLE_EXPORT int nvrtcGetPTX(nvrtc_program of, char *text)
{
    DOUBLE_MAY_FAIL(nvrtcGetPTX);
    memcpy(text, of->image, of->bytes);
    return 0;
}
