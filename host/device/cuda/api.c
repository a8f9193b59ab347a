/* api.c -- finding NVIDIA's libraries while running; see api.h.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/api.h"
#include "host/base/log.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEWEST_MAJOR 15 /* versions that are looked for; a later one is found by its plain name */
#define OLDEST_MAJOR 11

/* A function to be found, and where its address goes. */
typedef struct wanted {
    const char *name;
    size_t at;
} wanted;

#define WANTED_DRIVER(function, parameters)   { #function, offsetof(cuda_driver, function) },
#define WANTED_COMPILER(function, parameters) { #function, offsetof(cuda_compiler, function) },
#define WANTED_BLAS(function, parameters)     { #function, offsetof(cuda_blas, function) },
static const wanted driver_functions[] = { CUDA_DRIVER(WANTED_DRIVER) };
static const wanted compiler_functions[] = { CUDA_COMPILER(WANTED_COMPILER) };
static const wanted blas_functions[] = { CUDA_BLAS(WANTED_BLAS) };
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cuda_driver driver;
static cuda_compiler compiler;
static cuda_blas blas;
static bool driver_there, compiler_there, blas_there;

/* From the folder that the user names and from nowhere else, or from where libraries are. */
static void *open_library(const char *name, char *why, size_t size)
{
    const char *folder = getenv("DALLE_CL_CUDA_LIBRARIES");
    char path[4096];
    const bool named = folder && *folder;
    snprintf(path, sizeof path, "%s%s%s", named ? folder : "", named ? "/" : "", name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *said = library ? NULL : dlerror();
    if (said && (!*why || !strstr(said, "No such file"))) snprintf(why, size, "%s", said);
    if (library || named) return library;
    snprintf(path, sizeof path, "/usr/local/cuda/lib64/%s", name);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* *table is filled whole or the library is not taken. */
static bool find_functions(void *library, const char *name, const wanted *functions, int count, void *table,
                           error *err)
{
    for (int i = 0; i < count; ++i) {
        void *address = dlsym(library, functions[i].name);
        if (!address)
            return error_set(err, ERROR_DEVICE,
                             "%s has no function %s: it is too old; CUDA 11.4 or newer is needed", name,
                             functions[i].name);
        memcpy((char *)table + functions[i].at, &address, sizeof address);
    }
    return true;
}

static bool load(const char *name, const wanted *functions, int count, void *table, char *why, size_t size,
                 error *err)
{
    void *library = open_library(name, why, size);
    if (!library) return false;
    if (find_functions(library, name, functions, count, table, err)) {
        log_verbose("CUDA: %s is loaded", name);
        return true;
    }
    dlclose(library);
    return false;
}

const cuda_driver *cuda_driver_load(error *err)
{
    char why[512] = "";
    error found = { 0 };
    pthread_mutex_lock(&lock);
    if (!driver_there)
        driver_there =
            load("libcuda.so.1", driver_functions, COUNT(driver_functions), &driver, why, sizeof why, &found);
    pthread_mutex_unlock(&lock);
    if (driver_there) return &driver;
    if (found.code != ERROR_NONE) return error_null(err, found.code, "%s; update the driver", found.message);
    return error_null(err, ERROR_DEVICE,
                      "CUDA's driver is not there (%s); it comes with NVIDIA's driver, package libcuda1 or "
                      "nvidia-driver",
                      why);
}

int cuda_driver_version(void)
{
    int version = 0;
    const cuda_driver *api = cuda_driver_load(NULL);
    return api && api->cuDriverGetVersion(&version) == CU_SUCCESS ? version : 0;
}

/* "libnvrtc" of the driver's major version, else of an older one, which it runs, too; last what has no
 * version in its name, and newer ones, which it runs if they are of its time. */
static bool load_versioned(const char *stem, const wanted *functions, int count, void *table, char *why,
                           size_t size, error *err)
{
    const int own = cuda_driver_version() / 1000;
    char name[64];
    for (int major = own; major >= OLDEST_MAJOR; --major) {
        snprintf(name, sizeof name, major == 11 && strcmp(stem, "libnvrtc") == 0 ? "%s.so.%d.2" : "%s.so.%d",
                 stem, major);
        if (load(name, functions, count, table, why, size, err)) return true;
    }
    snprintf(name, sizeof name, "%s.so", stem);
    if (load(name, functions, count, table, why, size, err)) return true;
    for (int major = own + 1; major <= NEWEST_MAJOR; ++major) {
        snprintf(name, sizeof name, "%s.so.%d", stem, major);
        if (load(name, functions, count, table, why, size, err)) return true;
    }
    return false;
}

static bool load_once(bool *there, const char *stem, const wanted *functions, int count, void *table,
                      error *err)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    char why[512] = "";
    error found = { 0 };
    pthread_mutex_lock(&one_at_a_time);
    if (!*there) *there = load_versioned(stem, functions, count, table, why, sizeof why, &found);
    const bool ok = *there;
    pthread_mutex_unlock(&one_at_a_time);
    if (ok) return true;
    if (found.code != ERROR_NONE) return error_set(err, found.code, "%s", found.message);
    return error_set(err, ERROR_DEVICE,
                     "%s is not there (%s); install it from NVIDIA's CUDA toolkit, or name the folder that "
                     "holds it in DALLE_CL_CUDA_LIBRARIES",
                     stem, why);
}

const cuda_compiler *cuda_compiler_load(error *err)
{
    return load_once(&compiler_there, "libnvrtc", compiler_functions, COUNT(compiler_functions), &compiler,
                     err)
               ? &compiler
               : NULL;
}

const cuda_blas *cuda_blas_load(error *err)
{
    return load_once(&blas_there, "libcublasLt", blas_functions, COUNT(blas_functions), &blas, err) ? &blas
                                                                                                    : NULL;
}
