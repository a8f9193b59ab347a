/* program.c -- compiled kernels: from memory, from the store on disk, or from source by NVRTC.
 * The text is OpenCL's, made CUDA's by translate.c; one kernel of a file at a time, as for OpenCL.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"
#include "host/device/cuda/translate.h"
#include "host/device/program_store.h"
#include "host/device/source.h"
#include "host/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LINES    8
#define OPTIONS_MOST 64
#define ARCHS_MOST   128

struct cuda_program {
    char *file, *kernel, *options;
    cu_module module;
    cu_function function;
    cuda_program *next;
};

/* ---- For whom is compiled -------------------------------------------------------------------- */

bool cuda_program_target(int capability, char target[CUDA_TARGET_SIZE], error *err)
{
    int archs[ARCHS_MOST], count = 0, newest = 0, oldest = 0;
    const cuda_compiler *api = cuda_compiler_load(err);
    if (!api) return false;
    int status = api->nvrtcGetNumSupportedArchs(&count);
    if (status == 0 && count > 0 && count <= ARCHS_MOST) status = api->nvrtcGetSupportedArchs(archs);
    if (status != 0 || count <= 0 || count > ARCHS_MOST)
        return cuda_status_compiler_error(err, status, "nvrtcGetSupportedArchs(%d)", count);
    for (int i = 0; i < count; ++i) {
        if (archs[i] <= capability && archs[i] > newest) newest = archs[i];
        if (oldest == 0 || archs[i] < oldest) oldest = archs[i];
    }
    if (newest == 0)
        return error_set(err, ERROR_DEVICE,
                         "libnvrtc makes code for compute capability %d.%d and newer, the card has %d.%d: "
                         "name a folder with an older libnvrtc in DALLE_CL_CUDA_LIBRARIES",
                         oldest / 10, oldest % 10, capability / 10, capability % 10);
    snprintf(target, CUDA_TARGET_SIZE, "%s_%d", newest == capability ? "sm" : "compute", newest);
    return true;
}

void cuda_program_versions(char *out, size_t size)
{
    const int driver = cuda_driver_version();
    int major = 0, minor = 0;
    const cuda_compiler *api = cuda_compiler_load(NULL);
    if (api && api->nvrtcVersion(&major, &minor) != 0) major = minor = 0;
    snprintf(out, size, "driver API %d.%d, NVRTC %d.%d", driver / 1000, driver % 1000 / 10, major, minor);
}

/* ---- Compiling ------------------------------------------------------------------------------- */

/* All that the compiler gets. */
typedef struct recipe {
    char *text, *options, target[CUDA_TARGET_SIZE], key[65];
} recipe;

static void recipe_free(recipe *r)
{
    free(r->text);
    free(r->options);
}

static bool recipe_make(device *d, recipe *r, const device_launch *l, error *err)
{
    const char *said = l->options ? l->options : "";
    const size_t size = strlen(said) + 256;
    *r = (recipe){ 0 };
    if (!cuda_program_target(cuda(d)->capability, r->target, err)) return false;
    char *source = source_load(l->file, err);
    if (source) source_keep(source, l->kernel);
    r->text = source ? cuda_translate(source, l->file, err) : NULL;
    r->options = r->text ? malloc(size) : NULL;
    if (r->options)
        snprintf(r->options, size, "--gpu-architecture=%s %s %s", r->target, cuda_translate_options(source),
                 said);
    free(source);
    if (r->text && !r->options) error_set(err, ERROR_MEMORY, "out of memory while building '%s'", l->file);
    if (!r->options) {
        recipe_free(r);
        return false;
    }
    device_key(d, r->text, r->options, r->key);
    return true;
}

/* The compiler's first lines: what comes after them repeats them or is caused by them. */
static void add_log(const cuda_compiler *api, nvrtc_program of, error *err)
{
    size_t size = 0, keep = 0;
    if (!err || api->nvrtcGetProgramLogSize(of, &size) != 0 || size < 2) return;
    char *text = calloc(size + 1, 1);
    if (text && api->nvrtcGetProgramLog(of, text) == 0) {
        const size_t used = strlen(err->message);
        for (int lines = 0; text[keep] && lines < LOG_LINES; ++keep) lines += text[keep] == '\n';
        snprintf(err->message + used, sizeof err->message - used, ":\n%.*s", (int)keep, text);
    }
    free(text);
}

/* Code for the card itself, or what the driver makes such of. */
static void *output_of(const cuda_compiler *api, const recipe *r, nvrtc_program of, size_t *bytes, error *err)
{
    const bool ready = strncmp(r->target, "sm_", 3) == 0;
    int status = ready ? api->nvrtcGetCUBINSize(of, bytes) : api->nvrtcGetPTXSize(of, bytes);
    char *output = status == 0 && *bytes > 0 ? malloc(*bytes) : NULL;
    if (status == 0 && !output)
        return error_null(err, ERROR_MEMORY, "out of memory for a compiled kernel of %zu bytes", *bytes);
    if (status == 0) status = ready ? api->nvrtcGetCUBIN(of, output) : api->nvrtcGetPTX(of, output);
    if (status == 0) return output;
    free(output);
    cuda_status_compiler_error(err, status, "nvrtcGet%s", ready ? "CUBIN" : "PTX");
    return NULL;
}

static void *compile(const recipe *r, const device_launch *l, size_t *bytes, error *err)
{
    const cuda_compiler *api = cuda_compiler_load(err);
    const char *options[OPTIONS_MOST];
    char *words = strdup(r->options), *next = words, name[160];
    int count = 0;
    void *output = NULL;
    nvrtc_program made = NULL;
    if (!words) return error_null(err, ERROR_MEMORY, "out of memory while building '%s'", l->file);
    for (char *word; (word = strsep(&next, " ")) != NULL;) {
        CHECK(count < OPTIONS_MOST, "kernel %s has more than %d options", l->kernel, OPTIONS_MOST);
        if (*word) options[count++] = word;
    }
    snprintf(name, sizeof name, "%s.cl", l->file);
    log_verbose("compiling %s of %s %s", l->kernel, name, r->options);
    int status = api->nvrtcCreateProgram(&made, r->text, name, 0, NULL, NULL);
    if (status != 0) {
        cuda_status_compiler_error(err, status, "nvrtcCreateProgram(%s)", name);
    } else {
        status = api->nvrtcCompileProgram(made, count, options);
        if (status == 0) {
            output = output_of(api, r, made, bytes, err);
        } else {
            cuda_status_compiler_error(err, status, "nvrtcCompileProgram(%s, '%.200s')", name, r->options);
            add_log(api, made, err);
        }
        api->nvrtcDestroyProgram(&made);
    }
    free(words);
    return output;
}

/* ---- Loading --------------------------------------------------------------------------------- */

static bool load(device *d, cuda_program *p, const void *image, error *err)
{
    const cuda_driver *api = cuda(d)->api;
    int status = api->cuModuleLoadData(&p->module, image);
    if (status != CU_SUCCESS) {
        p->module = NULL;
        return cuda_status_error(err, status, "cuModuleLoadData(%s of %s.cl)", p->kernel, p->file);
    }
    status = api->cuModuleGetFunction(&p->function, p->module, p->kernel);
    if (status == CU_SUCCESS) return true;
    api->cuModuleUnload(p->module);
    p->module = NULL;
    return cuda_status_error(err, status, "cuModuleGetFunction(%s of %s.cl)", p->kernel, p->file);
}

/* A kept one that the driver does not take is compiled again. */
static bool build(device *d, cuda_program *p, const device_launch *l, error *err)
{
    recipe r;
    size_t bytes = 0;
    if (!recipe_make(d, &r, l, err)) return false;
    void *image = program_store_load(d, r.key, &bytes);
    bool ok = image && load(d, p, image, NULL);
    if (image && !ok) program_store_drop(d, r.key);
    if (!ok) {
        free(image);
        program_store_announce(d, l->file);
        image = compile(&r, l, &bytes, err);
        ok = image && load(d, p, image, err);
        if (ok) program_store_keep(d, r.key, image, bytes);
    }
    free(image);
    recipe_free(&r);
    return ok;
}

static void program_free(device *d, cuda_program *p)
{
    if (p->module) cuda(d)->api->cuModuleUnload(p->module);
    free(p->file);
    free(p->kernel);
    free(p->options);
    free(p);
}

cu_function cuda_program_get(device *d, const device_launch *l, error *err)
{
    const char *options = l->options ? l->options : "";
    for (const cuda_program *p = cuda(d)->programs; p; p = p->next)
        if (strcmp(p->file, l->file) == 0 && strcmp(p->kernel, l->kernel) == 0 &&
            strcmp(p->options, options) == 0)
            return p->function;
    cuda_program *p = calloc(1, sizeof *p);
    if (p) {
        p->file = strdup(l->file);
        p->kernel = strdup(l->kernel);
        p->options = strdup(options);
    }
    if (!p || !p->file || !p->kernel || !p->options) {
        if (p) program_free(d, p);
        return error_null(err, ERROR_MEMORY, "out of memory while building '%s'", l->file);
    }
    if (!build(d, p, l, err)) {
        program_free(d, p);
        return NULL;
    }
    p->next = cuda(d)->programs;
    cuda(d)->programs = p;
    return p->function;
}

void cuda_program_release_all(device *d)
{
    while (cuda(d)->programs) {
        cuda_program *p = cuda(d)->programs;
        cuda(d)->programs = p->next;
        program_free(d, p);
    }
}
