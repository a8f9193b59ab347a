/* program.c -- compiled programs: from memory, from the disk cache, or from source.
 * Every program is built as OpenCL C 1.2 and without relaxed mathematics, so that devices agree.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/helpers.h"
#include "host/device/program_store.h"
#include "host/device/source.h"
#include "host/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LINES 8

struct program {
    char *file, *kernel, *options;
    bool single;
    cl_program built;
    program *next;
};

cl_program program_find(const device *d, const program_name *n)
{
    for (const program *p = opencl(d)->programs; p; p = p->next)
        if (p->single == n->single && strcmp(p->file, n->file) == 0 && strcmp(p->kernel, n->kernel) == 0 &&
            strcmp(p->options, n->options) == 0)
            return p->built;
    return NULL;
}

/* The compiler's first lines: what comes after them repeats them or is caused by them.  False: no memory. */
static bool build_log(cl_program built, cl_device_id id, char *out, size_t size)
{
    size_t length = 0;
    out[0] = 0;
    if (clGetProgramBuildInfo(built, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &length) != CL_SUCCESS) return true;
    char *text = calloc(length + 1, 1);
    if (!text) return false;
    clGetProgramBuildInfo(built, id, CL_PROGRAM_BUILD_LOG, length, text, NULL);
    const char *start = text + strspn(text, " \t\r\n");
    size_t keep = 0;
    for (int lines = 0; start[keep] && lines < LOG_LINES; ++keep)
        if (start[keep] == '\n') ++lines;
    snprintf(out, size, "%.*s", (int)keep, start);
    for (size_t n = strlen(out); n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' '); --n) out[n - 1] = 0;
    free(text);
    return true;
}

void program_add_log(cl_program failed, cl_device_id id, error *err)
{
    char text[700] = "";
    size_t used = strlen(err ? err->message : "");
    if (err && failed && build_log(failed, id, text, sizeof text) && *text)
        snprintf(err->message + used, sizeof err->message - used, ":\n%s", text);
}

static cl_program build_from_source(device *d, const char *file, const char *options, const char *full,
                                    const char *source, error *err)
{
    cl_int status;
    cl_program built = clCreateProgramWithSource(opencl(d)->context, 1, &source, NULL, &status);
    if (status != CL_SUCCESS) {
        status_error(err, status, "clCreateProgramWithSource(%s)", file);
        return NULL;
    }
    status = clBuildProgram(built, 1, &opencl(d)->id, full, NULL, NULL);
    char text[700];
    if (!build_log(built, opencl(d)->id, text, sizeof text) && status == CL_SUCCESS) {
        error_set(err, ERROR_MEMORY, "out of memory for the compiler's words about '%s'", file);
        clReleaseProgram(built);
        return NULL;
    }
    if (status == CL_SUCCESS) {
        if (*text) log_verbose("%s.cl: %s", file, text);
        return built;
    }
    status_error(err, status, "clBuildProgram(%s.cl, '%.200s') on '%s'", file, options, d->info.name);
    program_add_log(built, opencl(d)->id, err);
    clReleaseProgram(built);
    return NULL;
}

static void program_free(program *p)
{
    if (!p) return;
    free(p->file);
    free(p->kernel);
    free(p->options);
    free(p);
}

cl_program program_remember(device *d, const program_name *n, cl_program built, error *err)
{
    program *p = calloc(1, sizeof *p);
    if (p) {
        p->single = n->single;
        p->file = strdup(n->file);
        p->kernel = strdup(n->kernel);
        p->options = strdup(n->options);
    }
    if (!p || !p->file || !p->kernel || !p->options) {
        program_free(p);
        clReleaseProgram(built);
        error_set(err, ERROR_MEMORY, "out of memory while building '%s'", n->file);
        return NULL;
    }
    p->built = built;
    p->next = opencl(d)->programs;
    opencl(d)->programs = p;
    return built;
}

/* PoCL puts all that a kernel inlines three times into its program, and compiles it as often; a function only
 * once.  As for joined launches, it must be one of single work-items. */
static bool worth_apart(const device *d, const program_name *n)
{
    return n->single && strcmp(d->info.vendor_word, "pocl") == 0 && strncmp(n->file, "device/", 7) != 0;
}

bool program_recipe_make(device *d, program_recipe *r, const program_name *n, error *err)
{
    const size_t size = strlen(n->options) + 32;
    error why = { 0 };
    *r = (program_recipe){ .name = *n };
    r->source = source_load(n->file, err);
    r->full = malloc(size);
    if (!r->source || !r->full) {
        if (r->source) error_set(err, ERROR_MEMORY, "out of memory while building '%s'", n->file);
        program_recipe_free(r);
        return false;
    }
    source_keep(r->source, n->kernel);
    char *apart = worth_apart(d, n) ? source_apart(r->source, n->kernel, &why) : NULL;
    if (why.code != ERROR_NONE) {
        if (err) *err = why;
        program_recipe_free(r);
        return false;
    }
    if (apart) {
        free(r->source);
        r->source = apart;
    }
    snprintf(r->full, size, "-cl-std=CL1.2 %s", n->options);
    device_key(d, r->source, r->full, r->key);
    return true;
}

void program_recipe_free(program_recipe *r)
{
    free(r->source);
    free(r->full);
    r->source = r->full = NULL;
}

cl_program program_build(device *d, const program_recipe *r, error *err)
{
    const program_name *n = &r->name;
    log_verbose("compiling %s of %s.cl %s", n->kernel, n->file, n->options);
    cl_program built = build_from_source(d, n->file, n->options, r->full, r->source, err);
    if (built) program_cache_save(d, r->key, built);
    return built;
}

cl_program program_from_binary(device *d, const program_recipe *r, const void *binary, size_t bytes)
{
    cl_program built = program_cache_binary(d, binary, bytes, r->full);
    if (built) program_store_keep(d, r->key, binary, bytes);
    return built;
}

bool program_later(device *d, const program_name *n)
{
    program_recipe r;
    if (!opencl(d)->helpers || program_find(d, n)) return false;
    if (helpers_know(opencl(d)->helpers, n)) return true;
    if (!program_recipe_make(d, &r, n, NULL)) return false;
    cl_program kept = program_cache_load(d, r.key, r.full);
    if (kept) program_remember(d, n, kept, NULL);
    if (!kept) program_store_announce(d, n->file);
    const bool later = !kept && helpers_ask(opencl(d)->helpers, &r);
    program_recipe_free(&r);
    return later;
}

cl_program program_get(device *d, const program_name *n, error *err)
{
    program_recipe r;
    error why = { 0 };
    cl_program built = program_find(d, n);
    if (built) return built;
    if (!program_recipe_make(d, &r, n, err)) return NULL;
    if (opencl(d)->helpers) built = helpers_take(opencl(d)->helpers, &r, &why);
    if (!built && why.code == ERROR_NONE) {
        built = program_cache_load(d, r.key, r.full);
        if (!built) {
            program_store_announce(d, n->file);
            built = program_build(d, &r, &why);
        }
    }
    if (!built && err) *err = why;
    program_recipe_free(&r);
    return built ? program_remember(d, n, built, err) : NULL;
}

void program_release_all(device *d)
{
    while (opencl(d)->programs) {
        program *p = opencl(d)->programs;
        opencl(d)->programs = p->next;
        clReleaseProgram(p->built);
        program_free(p);
    }
}
