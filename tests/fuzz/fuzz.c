/* fuzz.c -- see fuzz.h.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"
#include "host/base/file.h"
#include "host/base/log.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an input may take: an allocation that is refused is lack of memory, a process that holds more dies.
 * ASan's own limit on the latter is looked at by a thread, which a forked process has not. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=32:quarantine_size_mb=8:handle_abort=1:"
           "detect_stack_use_after_return=0";
}

#define HELD_MOST ((size_t)512 << 20)

size_t __sanitizer_get_current_allocated_bytes(void);
/* ASan calls it after every allocation. */
void __sanitizer_malloc_hook(const volatile void *at, size_t size);
void __sanitizer_malloc_hook(const volatile void *at, size_t size)
{
    static const char text[] = "fuzz: more than 512 MB are held\n";
    static _Atomic unsigned calls; /* asking takes longer than a small allocation */
    (void)at;
    if (size < (size_t)1 << 16 && ++calls % 1024) return;
    if (__sanitizer_get_current_allocated_bytes() <= HELD_MOST) return;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(1);
    abort();
}

static void swallow(void *context, log_level level, const char *line)
{
    (void)context;
    (void)level;
    for (const char *c = line; *c; ++c)
        fuzz_must((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t', "a line of the log is plain");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_set_sink(swallow, NULL);
    log_set_level(LOG_VERBOSE);
    setenv("DALLE_CL_CACHE", "off", 1);
    return 0;
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int file = -1;
    static char path[40];
    if (file < 0) file = memfd_create("input", MFD_CLOEXEC);
    fuzz_must(file >= 0 && ftruncate(file, 0) == 0, "a file in memory can be made");
    fuzz_must(pwrite(file, data, size, 0) == (ssize_t)size, "a file in memory can be written");
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return path;
}

/* ---- The folder ---- */

static char folder[64];

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at)
{
    (void)about;
    (void)kind;
    return at->level == 0 ? 0 : remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (*folder) {
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        return folder;
    }
    snprintf(folder, sizeof folder, "%s/dalle-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    fuzz_must(mkdtemp(folder) != NULL, "a folder can be made");
    atexit(remove_folder);
    return folder;
}

bool fuzz_put(const char *name, const void *data, size_t size)
{
    char *path = file_join(folder, name), *slash = path ? strrchr(path, '/') : NULL;
    bool outside = *name == '/' || strstr(name, "..") != NULL;
    bool done = path && slash && !outside && strlen(path) < 2000;
    if (done) {
        *slash = 0;
        done = file_make_folders(path, NULL);
        *slash = '/';
    }
    FILE *out = done ? fopen(path, "wbe") : NULL;
    done = out && (!size || fwrite(data, 1, size, out) == size);
    if (out) done = fclose(out) == 0 && done;
    free(path);
    return done;
}

/* ---- Inputs and outcomes ---- */

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    fuzz_must(text != NULL, "there is memory for the input");
    if (size) memcpy(text, data, size);
    text[size] = 0;
    return text;
}

const uint8_t *fuzz_part(const uint8_t **data, size_t *size, char mark, size_t *length)
{
    const uint8_t *begin = *data, *end = *size ? memchr(begin, mark, *size) : NULL;
    if (!*size) return NULL;
    *length = end ? (size_t)(end - begin) : *size;
    size_t used = *length + (end != NULL);
    *data += used;
    *size -= used;
    return begin;
}

uint32_t fuzz_crc(const uint8_t *bytes, size_t size)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < size; ++i) {
        c ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

void fuzz_must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz: does not hold: %s\n", what);
    abort();
}

void fuzz_refused(const error *err)
{
    fuzz_must(err->code != ERROR_NONE && err->message[0], "a refusal has a code and a message");
    for (const char *c = err->message; *c; ++c)
        fuzz_must(((unsigned char)*c >= ' ' && *c != 0x7f) || *c == '\n' || *c == '\t', "a message is plain");
}
