/* driver.c -- a driver of one card, whose memory is the host's and whose kernels are shared libraries that
 * compiler.c made.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/double.h"
#include "tests/cuda/double/run.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MOST 80 /* of a kernel; our lists of them end in NULL */

enum { INVALID_VALUE = 1, INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NOT_FOUND = 500, IN_RECORDING = 900 };

struct cu_context {
    int users;
};
struct cu_module {
    void *library;
    struct cu_function *functions;
};
struct cu_function {
    cuda_entry *entry;
    struct cu_function *next;
};

/* In front of what cuMemAlloc gives. */
typedef struct block {
    size_t bytes;
    _Alignas(256) unsigned char data[];
} block;

static struct cu_context context;
static cu_context current;
static size_t in_use;
static bool initialised;

#define NEEDS_CONTEXT() \
    do { \
        if (current != &context || context.users == 0) return INVALID_CONTEXT; \
    } while (0)

/* ---- The card ---- */

DOUBLE_EXPORT int cuInit(unsigned flags)
{
    DOUBLE_MAY_FAIL(cuInit);
    initialised = flags == 0;
    return initialised ? CU_SUCCESS : INVALID_VALUE;
}

DOUBLE_EXPORT int cuDriverGetVersion(int *version)
{
    DOUBLE_MAY_FAIL(cuDriverGetVersion);
    *version = 12040;
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuDeviceGetCount(int *count)
{
    DOUBLE_MAY_FAIL(cuDeviceGetCount);
    *count = double_setting("cards", 1);
    return initialised ? CU_SUCCESS : INVALID_VALUE;
}

DOUBLE_EXPORT int cuDeviceGet(int *id, int ordinal)
{
    DOUBLE_MAY_FAIL(cuDeviceGet);
    *id = 7 + ordinal;
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuDeviceGetName(char *name, int size, int id)
{
    DOUBLE_MAY_FAIL(cuDeviceGetName);
    snprintf(name, (size_t)size, "Stand-in card %d", id - 7);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int id)
{
    DOUBLE_MAY_FAIL(cuDeviceTotalMem_v2);
    *bytes = DOUBLE_MEMORY_BYTES;
    return id >= 7 ? CU_SUCCESS : INVALID_VALUE;
}

DOUBLE_EXPORT int cuDeviceGetAttribute(int *value, int what, int id)
{
    DOUBLE_MAY_FAIL(cuDeviceGetAttribute);
    const int capability = double_setting("capability", 90);
    switch (what) {
    case CU_ATTRIBUTE_MAX_THREADS:
        *value = DOUBLE_MAX_THREADS;
        break;
    case CU_ATTRIBUTE_SHARED_BYTES:
        *value = DOUBLE_SHARED_BYTES;
        break;
    case CU_ATTRIBUTE_WARP:
        *value = 32;
        break;
    case CU_ATTRIBUTE_MULTIPROCESSORS:
        *value = 2;
        break;
    case CU_ATTRIBUTE_COMPUTE_MODE:
        *value = double_setting("mode", 0);
        break;
    case CU_ATTRIBUTE_CAPABILITY_MAJOR:
        *value = capability / 10;
        break;
    case CU_ATTRIBUTE_CAPABILITY_MINOR:
        *value = capability % 10;
        break;
    default:
        return INVALID_VALUE;
    }
    return id >= 7 ? CU_SUCCESS : INVALID_VALUE;
}

DOUBLE_EXPORT int cuDevicePrimaryCtxRetain(cu_context *made, int id)
{
    DOUBLE_MAY_FAIL(cuDevicePrimaryCtxRetain);
    if (id < 7) return INVALID_VALUE;
    ++context.users;
    *made = &context;
    double_made(1);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuDevicePrimaryCtxRelease_v2(int id)
{
    (void)id;
    --context.users;
    double_made(-1);
    return double_status("cuDevicePrimaryCtxRelease_v2");
}

DOUBLE_EXPORT int cuCtxSetCurrent(cu_context of)
{
    DOUBLE_MAY_FAIL(cuCtxSetCurrent);
    current = of;
    return CU_SUCCESS;
}

/* ---- Memory ---- */

/* Fresh memory is no number, so that what nobody wrote shows; a large piece stays untouched. */
DOUBLE_EXPORT int cuMemAlloc_v2(cu_pointer *made, size_t bytes)
{
    DOUBLE_MAY_FAIL(cuMemAlloc_v2);
    NEEDS_CONTEXT();
    if (double_recording()) return IN_RECORDING;
    if (bytes > DOUBLE_MEMORY_BYTES - in_use) return CU_OUT_OF_MEMORY;
    block *b = aligned_alloc(256, (sizeof *b + bytes + 255) / 256 * 256);
    if (!b) return CU_OUT_OF_MEMORY;
    b->bytes = bytes;
    if (bytes <= (size_t)16 << 20) memset(b->data, 0xff, bytes);
    in_use += bytes;
    double_made(1);
    *made = (cu_pointer)(uintptr_t)b->data;
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuMemFree_v2(cu_pointer of)
{
    block *b = (block *)(uintptr_t)(of - offsetof(block, data));
    double_drain_all();
    in_use -= b->bytes;
    free(b);
    double_made(-1);
    return double_status("cuMemFree_v2");
}

typedef struct transfer {
    void *to;
    const void *from;
    size_t bytes;
    unsigned pattern;
} transfer;

static void copy(void *data)
{
    const transfer *t = data;
    memcpy(t->to, t->from, t->bytes);
}

static void fill(void *data)
{
    const transfer *t = data;
    for (size_t i = 0; i < t->bytes; i += 4) memcpy((char *)t->to + i, &t->pattern, 4);
}

static int enqueue_copy(void *to, const void *from, size_t bytes, cu_stream on)
{
    const transfer t = { to, from, bytes, 0 };
    NEEDS_CONTEXT();
    return double_enqueue(on, copy, &t, sizeof t);
}

DOUBLE_EXPORT int cuMemcpyHtoDAsync_v2(cu_pointer to, const void *from, size_t bytes, cu_stream on)
{
    DOUBLE_MAY_FAIL(cuMemcpyHtoDAsync_v2);
    return enqueue_copy((void *)(uintptr_t)to, from, bytes, on);
}

DOUBLE_EXPORT int cuMemcpyDtoHAsync_v2(void *to, cu_pointer from, size_t bytes, cu_stream on)
{
    DOUBLE_MAY_FAIL(cuMemcpyDtoHAsync_v2);
    return enqueue_copy(to, (const void *)(uintptr_t)from, bytes, on);
}

DOUBLE_EXPORT int cuMemcpyDtoDAsync_v2(cu_pointer to, cu_pointer from, size_t bytes, cu_stream on)
{
    DOUBLE_MAY_FAIL(cuMemcpyDtoDAsync_v2);
    return enqueue_copy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, bytes, on);
}

DOUBLE_EXPORT int cuMemsetD32Async(cu_pointer to, unsigned pattern, size_t count, cu_stream on)
{
    DOUBLE_MAY_FAIL(cuMemsetD32Async);
    const transfer t = { (void *)(uintptr_t)to, NULL, 4 * count, pattern };
    NEEDS_CONTEXT();
    return double_enqueue(on, fill, &t, sizeof t);
}

/* ---- Kernels ---- */

/* The table of sections is an ELF file's last part. */
static size_t image_bytes(const void *image)
{
    Elf64_Ehdr head;
    memcpy(&head, image, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return 0;
    return head.e_shoff + (size_t)head.e_shentsize * head.e_shnum;
}

static void *open_image(const void *image, size_t bytes)
{
    char path[] = "/tmp/cuda_double.XXXXXX"; /* the loader takes equal paths for the same library */
    void *library = NULL;
    const int file = mkstemp(path);
    if (file < 0) return NULL;
    if (write(file, image, bytes) == (ssize_t)bytes) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    close(file);
    unlink(path);
    return library;
}

DOUBLE_EXPORT int cuModuleLoadData(cu_module *made, const void *image)
{
    DOUBLE_MAY_FAIL(cuModuleLoadData);
    NEEDS_CONTEXT();
    const size_t bytes = image_bytes(image);
    if (double_recording()) return IN_RECORDING;
    if (bytes == 0) return INVALID_IMAGE;
    *made = calloc(1, sizeof **made);
    if (!*made) return CU_OUT_OF_MEMORY;
    (*made)->library = open_image(image, bytes);
    if (!(*made)->library) {
        fprintf(stderr, "stand-in driver: %s\n", dlerror());
        free(*made);
        return INVALID_IMAGE;
    }
    double_made(1);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuModuleUnload(cu_module of)
{
    double_drain_all();
    while (of->functions) {
        cu_function f = of->functions;
        of->functions = f->next;
        free(f);
    }
    dlclose(of->library);
    free(of);
    double_made(-1);
    return double_status("cuModuleUnload");
}

DOUBLE_EXPORT int cuModuleGetFunction(cu_function *found, cu_module of, const char *name)
{
    DOUBLE_MAY_FAIL(cuModuleGetFunction);
    char symbol[256];
    snprintf(symbol, sizeof symbol, "%s_launch", name);
    void *address = dlsym(of->library, symbol);
    if (!address) return NOT_FOUND;
    *found = calloc(1, sizeof **found);
    if (!*found) return CU_OUT_OF_MEMORY;
    memcpy(&(*found)->entry, &address, sizeof address);
    (*found)->next = of->functions;
    of->functions = *found;
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuFuncGetAttribute(int *value, int what, cu_function of)
{
    DOUBLE_MAY_FAIL(cuFuncGetAttribute);
    *value = what == CU_FUNCTION_MAX_THREADS ? DOUBLE_MAX_THREADS : 0;
    return of ? CU_SUCCESS : INVALID_VALUE;
}

typedef struct launched {
    cuda_entry *entry;
    unsigned grid[3], block[3];
    uint64_t values[ARGUMENTS_MOST];
} launched;

static void run_kernel(void *data)
{
    launched *l = data;
    void *arguments[ARGUMENTS_MOST];
    for (int i = 0; i < ARGUMENTS_MOST; ++i) arguments[i] = &l->values[i];
    l->entry(l->grid, l->block, arguments);
}

DOUBLE_EXPORT int cuLaunchKernel(cu_function of, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                 unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                                 cu_stream on, void **arguments, void **extra)
{
    DOUBLE_MAY_FAIL(cuLaunchKernel);
    launched l = { of->entry, { grid_x, grid_y, grid_z }, { block_x, block_y, block_z }, { 0 } };
    NEEDS_CONTEXT();
    if (shared != 0 || extra || block_x * block_y * block_z > DOUBLE_MAX_THREADS) return INVALID_VALUE;
    for (int i = 0; i < ARGUMENTS_MOST && arguments[i]; ++i) memcpy(&l.values[i], arguments[i], 8);
    return double_enqueue(on, run_kernel, &l, sizeof l);
}
