/* nvrtc_compile.c -- compiles kernel files by NVRTC, which needs no GPU: `nvrtc_compile LIBRARY TARGETS...`
 * reads lines "file options" and prints for each and each target (sm_90) what is said of every kernel:
 *   kernel target registers spilled-bytes stack-bytes shared-bytes file options
 * or "FAIL target file options" and the compiler's words.  Exit status 1 if any failed, 77 without NVRTC.
 * `nvrtc_compile --text FILE` prints what the compiler would get.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/translate.h"
#include "host/device/source.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64

/* NVRTC's interface, as its documentation has it. */
typedef struct nvrtc {
    int (*create)(void **program, const char *text, const char *name, int headers, const char *const *sources,
                  const char *const *names);
    int (*compile)(void *program, int count, const char *const *options);
    int (*log_size)(void *program, size_t *size);
    int (*log)(void *program, char *text);
    int (*destroy)(void **program);
} nvrtc;

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    if (!found) fprintf(stderr, "NVRTC has no '%s'\n", name);
    return found != NULL;
}

static bool load(nvrtc *n, const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror());
    return library && find(library, "nvrtcCreateProgram", &n->create) &&
           find(library, "nvrtcCompileProgram", &n->compile) &&
           find(library, "nvrtcGetProgramLogSize", &n->log_size) &&
           find(library, "nvrtcGetProgramLog", &n->log) && find(library, "nvrtcDestroyProgram", &n->destroy);
}

/* The number that stands before the words, or 0. */
static int number_before(const char *text, const char *words)
{
    const char *at = strstr(text, words);
    if (!at) return 0;
    while (at > text && (at[-1] == ' ' || (at[-1] >= '0' && at[-1] <= '9'))) --at;
    return atoi(at);
}

/* ptxas writes three lines a kernel: its name, its stack and spills, its registers and shared memory. */
static void print_figures(char *log, const char *target, const char *file, const char *options)
{
    char kernel[128] = "";
    int spilled = 0, stack = 0;
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        const char *name = strstr(line, "Compiling entry function '");
        if (name) sscanf(name + strlen("Compiling entry function '"), "%127[^']", kernel);
        if (strstr(line, "bytes stack frame")) {
            spilled = number_before(line, "bytes spill stores");
            stack = number_before(line, "bytes stack frame");
        }
        const char *used = strstr(line, "Used ");
        if (used && *kernel)
            printf("%s %s %d %d %d %d %s %s\n", kernel, target, atoi(used + 5), spilled, stack,
                   number_before(line, "bytes smem"), file, options);
    }
}

static bool compile(const nvrtc *n, const char *target, const char *file, const char *options,
                    const char *text)
{
    char words[4096];
    const char *list[OPTIONS_MAX];
    int count = 0;
    void *program = NULL;
    size_t size = 0;
    snprintf(words, sizeof words, "--gpu-architecture=%s --ptxas-options=-v %s %s", target,
             cuda_translate_options(text), options);
    for (char *word = strtok(words, " "); word && count < OPTIONS_MAX; word = strtok(NULL, " "))
        list[count++] = word;
    bool ok = n->create(&program, text, file, 0, NULL, NULL) == 0 && n->compile(program, count, list) == 0;
    char *log = n->log_size(program, &size) == 0 ? calloc(size + 1, 1) : NULL;
    if (log) n->log(program, log);
    if (ok && log)
        print_figures(log, target, file, options);
    else
        printf("FAIL %s %s %s\n%.3000s\n", target, file, options, log ? log : "");
    free(log);
    n->destroy(&program);
    return ok;
}

static char *text_of(const char *file)
{
    error err = { 0 };
    char *source = source_load(file, &err), *text = source ? cuda_translate(source, file, &err) : NULL;
    if (!text) fprintf(stderr, "%s: %s\n", file, err.message);
    free(source);
    return text;
}

static int print_text(const char *file)
{
    char *text = text_of(file);
    const bool printed = text && fputs(text, stdout) >= 0;
    free(text);
    return printed ? 0 : 1;
}

int main(int argc, char **argv)
{
    nvrtc n;
    char line[4096];
    bool ok = true;
    if (argc < 3) {
        fprintf(stderr, "usage: nvrtc_compile LIBRARY TARGETS... <lines\n"
                        "       nvrtc_compile --text FILE\n");
        return 2;
    }
    if (strcmp(argv[1], "--text") == 0) return print_text(argv[2]);
    if (!load(&n, argv[1])) return 77;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *options = strchr(line, ' ');
        if (options) *options++ = 0;
        char *text = text_of(line);
        ok = ok && text;
        for (int i = 2; i < argc && text; ++i) ok &= compile(&n, argv[i], line, options ? options : "", text);
        fflush(stdout);
        free(text);
    }
    return ok ? 0 : 1;
}
