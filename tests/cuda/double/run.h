/* run.h -- CUDA C++ on the host, for tests: put before a kernel that host/device/cuda/translate.c made, with
 * -DDALLE_CL_HOST and the options of compile.c, it makes a library with NAME_launch for each kernel NAME, a
 * cuda_entry.
 *
 * Groups run one after another, the work-items of one in one thread: each is a fiber that runs to its next
 * barrier.  What is shared by a group is static.  All of a group must come to a barrier, or none, or the
 * program aborts.  A barrier that is missing is noticed where an earlier work-item needs what a later one
 * writes.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CUDA_DOUBLE_RUN_H
#define DALLE_CL_CUDA_DOUBLE_RUN_H

/* arguments: where each is, in order, as cuLaunchKernel has them. */
typedef void cuda_entry(const unsigned grid[3], const unsigned block[3], void **arguments);

#ifdef __cplusplus
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <utility>

#define __global__
#define __shared__ static thread_local
#define CUDA_KERNEL(name) \
    extern "C" void name##_launch(const unsigned grid[3], const unsigned block[3], void **arguments) \
    { \
        cuda_host::launch(#name, name, grid, block, arguments); \
    }
#define __syncthreads() cuda_host::wait()

struct cuda_host_place {
    unsigned x, y, z;
};
static thread_local cuda_host_place threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_host
{
enum { STACK = 1 << 18 };

/* A fiber runs work-items until one of them waits; then it is that work-item's. */
struct fiber {
    ucontext_t context;
    char *stack;
    cuda_host_place item;
    bool ended;
};
struct group {
    const char *kernel;
    void (*call)(void *);
    void *arguments;
    ucontext_t scheduler;
    fiber *fibers;
    unsigned room, used; /* fibers */
    unsigned items, begun, ended;
    fiber *current;
};
static thread_local group *running;

static void wait()
{
    fiber *self = running->current;
    swapcontext(&self->context, &running->scheduler);
    threadIdx = self->item;
}

static void run_items()
{
    group *g = running;
    fiber *self = g->current;
    while (g->begun < g->items) {
        const unsigned item = g->begun++;
        self->item = { item % blockDim.x, item / blockDim.x % blockDim.y, item / blockDim.x / blockDim.y };
        threadIdx = self->item;
        g->call(g->arguments);
        ++g->ended;
    }
    self->ended = true;
    swapcontext(&self->context, &g->scheduler);
}

static void resume(group *g, fiber *f)
{
    g->current = f;
    swapcontext(&g->scheduler, &f->context);
}

static void start(group *g)
{
    fiber *f = &g->fibers[g->used++];
    if (!f->stack) f->stack = (char *)malloc(STACK);
    if (!f->stack) abort();
    f->ended = false;
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = NULL;
    makecontext(&f->context, run_items, 0);
    resume(g, f);
}

/* From barrier to barrier. */
static void run_group(group *g)
{
    g->used = g->begun = g->ended = 0;
    while (g->begun < g->items) start(g);
    while (g->ended < g->items) {
        if (g->ended > 0) {
            fprintf(stderr, "%s: %u of %u work-items of a group ended, the others wait at a barrier\n",
                    g->kernel, g->ended, g->items);
            abort();
        }
        for (unsigned i = 0; i < g->used; ++i)
            if (!g->fibers[i].ended) resume(g, &g->fibers[i]);
    }
}

static void run(const char *kernel, void (*call)(void *), void *arguments, const unsigned grid[3],
                const unsigned block[3])
{
    group g = {};
    g.kernel = kernel;
    g.call = call;
    g.arguments = arguments;
    g.items = block[0] * block[1] * block[2];
    g.room = g.items + 1; /* the last may find no item left */
    g.fibers = (fiber *)calloc(g.room, sizeof(fiber));
    if (!g.fibers) abort();
    running = &g;
    gridDim = { grid[0], grid[1], grid[2] };
    blockDim = { block[0], block[1], block[2] };
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x) run_group(&g);
    running = NULL;
    for (unsigned i = 0; i < g.room; ++i) free(g.fibers[i].stack);
    free(g.fibers);
}

/* A kernel with its arguments. */
template <class... Arguments> struct bound {
    void (*kernel)(Arguments...);
    void **arguments;
    template <size_t... at> void call_each(std::index_sequence<at...>)
    {
        kernel(*(Arguments *)arguments[at]...);
    }
    static void call(void *self)
    {
        ((bound *)self)->call_each(std::index_sequence_for<Arguments...>());
    }
};
template <class... Arguments>
static void launch(const char *name, void (*kernel)(Arguments...), const unsigned grid[3],
                   const unsigned block[3], void **arguments)
{
    bound<Arguments...> b = { kernel, arguments };
    run(name, bound<Arguments...>::call, &b, grid, block);
}
} /* namespace cuda_host */

/* ---- What CUDA offers for numbers ---- */

#define CUDA_HOST_FUNCTION(name) \
    static inline float name(float v) \
    { \
        return __builtin_##name##f(v); \
    }
CUDA_HOST_FUNCTION(exp)
CUDA_HOST_FUNCTION(exp2)
CUDA_HOST_FUNCTION(log)
CUDA_HOST_FUNCTION(log1p)
CUDA_HOST_FUNCTION(sqrt)
CUDA_HOST_FUNCTION(fabs)
CUDA_HOST_FUNCTION(rint)
CUDA_HOST_FUNCTION(floor)
CUDA_HOST_FUNCTION(ceil)
CUDA_HOST_FUNCTION(erfc)
CUDA_HOST_FUNCTION(cos)
CUDA_HOST_FUNCTION(sin)
static inline float fmax(float a, float b)
{
    return __builtin_fmaxf(a, b);
}
static inline float fmin(float a, float b)
{
    return __builtin_fminf(a, b);
}
static inline float fma(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
static inline bool isfinite(float v)
{
    return __builtin_isfinite(v);
}
static inline bool isinf(float v)
{
    return __builtin_isinf(v);
}

#define CUDA_HOST_LEAST(type) \
    static inline type min(type a, type b) \
    { \
        return a < b ? a : b; \
    } \
    static inline type max(type a, type b) \
    { \
        return a < b ? b : a; \
    }
CUDA_HOST_LEAST(int)
CUDA_HOST_LEAST(unsigned)
CUDA_HOST_LEAST(long)
CUDA_HOST_LEAST(unsigned long)

static inline float cuda_half_load(unsigned short bits)
{
    const unsigned sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, fraction = bits & 1023u;
    unsigned magnitude = ((exponent + 112u) << 23) | (fraction << 13);
    if (exponent == 31u) magnitude = 0x7f800000u | (fraction << 13);
    float value = (float)fraction * 0x1p-24f;
    if (exponent) memcpy(&value, &magnitude, sizeof value);
    return sign ? -value : value;
}

/* To the nearest, of two as near the even one. */
static inline unsigned short cuda_half_store(float v)
{
    unsigned bits;
    memcpy(&bits, &v, sizeof bits);
    const unsigned sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (unsigned short)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) /* below 2^-14 */
        return (unsigned short)(sign | (unsigned)__builtin_rintf(fabs(v) * 0x1p24f));
    return (unsigned short)(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13));
}
#endif

#endif
