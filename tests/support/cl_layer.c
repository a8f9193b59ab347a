/* cl_layer.c -- see cl_layer.h: counting, failing and the books; the loader's way in.
 * SPDX-License-Identifier: MIT */
#include "tests/support/cl_layer_internal.h"

#include <execinfo.h>
#include <stdbool.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define FRAMES   40
#define CALLERS  3 /* kept of a use: the nearest outside the loader */

cl_icd_dispatch layer_below;
static cl_icd_dispatch table; /* ours */

typedef struct place {
    uint64_t hash[CALLERS]; /* of the nearest caller, of the two nearest, and so on */
} place;

enum {
#define NUMBER_CALL(name, by, parameters, arguments)             CALL_##name,
#define NUMBER_MAKE(kind, type, name, by, parameters, arguments) CALL_##name,
#define NUMBER_REFERENCE(kind, name, type)                       CALL_##name,
    CL_LAYER_CALLS(NUMBER_CALL, NUMBER_MAKE, NUMBER_CALL, NUMBER_REFERENCE, NUMBER_REFERENCE)
        CALL_clBuildProgram,
    CALL_clGetExtensionFunctionAddressForPlatform,
    CALL_binary,
    CALL_COUNT
};

static const char *call_name(int call)
{
    static const char *const names[] = {
#define NAME_CALL(name, by, parameters, arguments)             #name,
#define NAME_MAKE(kind, type, name, by, parameters, arguments) #name,
#define NAME_REFERENCE(kind, name, type)                       #name,
        CL_LAYER_CALLS(NAME_CALL, NAME_MAKE, NAME_CALL, NAME_REFERENCE, NAME_REFERENCE) "clBuildProgram",
        "clGetExtensionFunctionAddressForPlatform", "clBuildProgram(binary)"
    };
    return names[call];
}

/* ---- Counting and failing --------------------------------------------------------------------- */

static struct {
    long uses[CALL_COUNT];
    place *places[CALL_COUNT];
    long kept[CALL_COUNT];
    int call; /* the one to fail */
    long first, times, failed;
    cl_int code;
    bool watching;
    int signal, stall; /* calls, or -1 */
    long signal_use, stall_use;
    int signal_number;
    char callers[1024];
    long alive[CL_LAYER_KINDS];
} state = { .call = -1, .signal = -1, .stall = -1 };

/* Frames are those of the layer and the loader until one lies elsewhere; they are told by the loader's one
 * mapping, found from a function of its own. */
static bool is_loader(const void *address)
{
    static const char *const ours[] = { "libOpenCL", "cl_layer" };
    char **names = backtrace_symbols((void *const[]){ (void *)(uintptr_t)address }, 1);
    bool is = false;
    for (int i = 0; names && i < 2; ++i) is = is || strstr(names[0], ours[i]) != NULL;
    free(names);
    return is;
}

static place caller_place(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES), from = 1;
    place p = { { 0 } };
    uint64_t hash = 1469598103934665603u;
    while (from < count && is_loader(frames[from])) ++from;
    for (int i = 0; i < CALLERS; ++i) {
        if (from + i < count) hash = (hash ^ (uint64_t)(uintptr_t)frames[from + i]) * 1099511628211u;
        p.hash[i] = hash;
    }
    return p;
}

static void keep_place(int call)
{
    long use = state.uses[call];
    if (use > state.kept[call]) {
        long room = use * 2 + 64;
        place *grown = realloc(state.places[call], (size_t)room * sizeof *grown);
        if (!grown) abort();
        memset(grown + state.kept[call], 0, (size_t)(room - state.kept[call]) * sizeof *grown);
        state.places[call] = grown;
        state.kept[call] = room;
    }
    state.places[call][use - 1] = caller_place();
}

/* "library(function+0x12) [0x...]" */
static void name_callers(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    char **names = backtrace_symbols(frames, count);
    size_t used = (size_t)snprintf(state.callers, sizeof state.callers, " ");
    for (int i = 0; names && i < count; ++i) {
        const char *open = strchr(names[i], '(');
        size_t length = open ? strcspn(open + 1, "+)") : 0;
        if (length && used + length + 2 < sizeof state.callers)
            used += (size_t)snprintf(state.callers + used, sizeof state.callers - used, "%.*s ", (int)length,
                                     open + 1);
    }
    free(names);
}

/* Counts one use; true if it is to fail. */
static bool fails(int call)
{
    long use = ++state.uses[call];
    if (state.watching) keep_place(call);
    if (call == state.signal && use == state.signal_use) kill(getpid(), state.signal_number);
    while (call == state.stall && use == state.stall_use) pause();
    bool lasting = state.times == CL_LAYER_LOST, lost = lasting && state.failed > 0;
    long most = lasting ? 1 : state.times;
    bool chosen = call == state.call && use >= state.first && use - state.first < most;
    if (!chosen && !lost) return false;
    if (!state.failed++) name_callers();
    return true;
}

static void layer_reset(void)
{
    for (int i = 0; i < CALL_COUNT; ++i) {
        state.uses[i] = state.kept[i] = 0;
        free(state.places[i]);
        state.places[i] = NULL;
    }
    state.call = -1;
    state.failed = 0;
    state.callers[0] = 0;
}

static void layer_fail(int call, long nth, long times, cl_int code)
{
    state.call = call;
    state.first = nth;
    state.times = times;
    state.code = code;
}

static long layer_uses(int call)
{
    return state.uses[call];
}

static long layer_failed(void)
{
    return state.failed;
}

static const char *layer_failed_in(void)
{
    return state.callers;
}

static void layer_watch(int on)
{
    state.watching = on;
}

static uint64_t layer_place(int call, long nth, int callers)
{
    return nth >= 1 && nth <= state.kept[call] ? state.places[call][nth - 1].hash[callers - 1] : 0;
}

static long layer_alive(cl_layer_kind kind)
{
    return state.alive[kind];
}

static const char *layer_kind_name(cl_layer_kind kind)
{
    static const char *const names[] = { "contexts", "queues", "buffers", "programs", "kernels", "events" };
    return names[kind];
}

EXPORTED extern const cl_layer cl_layer_control;
const cl_layer cl_layer_control = { CALL_COUNT,  call_name,    layer_uses,      layer_reset,
                                    layer_fail,  layer_failed, layer_failed_in, layer_watch,
                                    layer_place, layer_alive,  layer_kind_name, limits_set };

/* ---- The calls -------------------------------------------------------------------------------- */

#define WRAP_CALL(name, by, parameters, arguments) \
    static cl_int CL_API_CALL layer_##name parameters \
    { \
        return fails(CALL_##name) ? state.code : by arguments; \
    }

#define WRAP_MAKE(kind, type, name, by, parameters, arguments) \
    static type CL_API_CALL layer_##name parameters \
    { \
        if (fails(CALL_##name)) { \
            if (status) *status = state.code; \
            return NULL; \
        } \
        type made = by arguments; \
        if (made) ++state.alive[CL_LAYER_##kind]; \
        return made; \
    }

#define WRAP_ENQUEUE(name, by, parameters, arguments) \
    static cl_int CL_API_CALL layer_##name parameters \
    { \
        if (fails(CALL_##name)) return state.code; \
        cl_int given = by arguments; \
        if (given == CL_SUCCESS && event) ++state.alive[CL_LAYER_EVENTS]; \
        return given; \
    }

#define WRAP_RETAIN(kind, name, type) \
    static cl_int CL_API_CALL layer_##name(type object) \
    { \
        if (fails(CALL_##name)) return state.code; \
        cl_int given = layer_below.name(object); \
        if (given == CL_SUCCESS) ++state.alive[CL_LAYER_##kind]; \
        return given; \
    }

#define WRAP_RELEASE(kind, name, type) \
    static cl_int CL_API_CALL layer_##name(type object) \
    { \
        bool failing = fails(CALL_##name); \
        if (CL_LAYER_##kind == CL_LAYER_PROGRAMS) program_release((void *)object); \
        if (CL_LAYER_##kind == CL_LAYER_BUFFERS) buffer_leaves((void *)object); \
        cl_int given = layer_below.name(object); \
        if (given == CL_SUCCESS) --state.alive[CL_LAYER_##kind]; \
        return failing ? state.code : given; \
    }

CL_LAYER_CALLS(WRAP_CALL, WRAP_MAKE, WRAP_ENQUEUE, WRAP_RETAIN, WRAP_RELEASE)

static cl_int CL_API_CALL layer_clBuildProgram(cl_program p, cl_uint n, const cl_device_id *ids,
                                               const char *options,
                                               void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    bool binary = program_get_mark(p) == PROGRAM_BINARY;
    if (!fails(binary ? CALL_binary : CALL_clBuildProgram))
        return layer_below.clBuildProgram(p, n, ids, options, notify, user);
    if (state.code == CL_BUILD_PROGRAM_FAILURE) program_set_mark(p, PROGRAM_FAILED);
    return state.code;
}

static void *CL_API_CALL layer_clGetExtensionFunctionAddressForPlatform(cl_platform_id p, const char *name)
{
    if (fails(CALL_clGetExtensionFunctionAddressForPlatform)) return NULL;
    return layer_below.clGetExtensionFunctionAddressForPlatform(p, name);
}

/* ---- The loader's way in ---------------------------------------------------------------------- */

EXPORTED cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *out, size_t *used)
{
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    static const char name[] = "dalle-cl's test layer";
    const void *from = what == CL_LAYER_API_VERSION ? (const void *)&version : name;
    size_t bytes = what == CL_LAYER_API_VERSION ? sizeof version : sizeof name;
    if (what != CL_LAYER_API_VERSION && what != CL_LAYER_NAME) return CL_INVALID_VALUE;
    if (out && size < bytes) return CL_INVALID_VALUE;
    if (out) memcpy(out, from, bytes);
    if (used) *used = bytes;
    return CL_SUCCESS;
}

static int find_call(const char *name)
{
    for (int i = 0; i < CALL_COUNT; ++i)
        if (strcmp(call_name(i), name) == 0) return i;
    fprintf(stderr, "cl_layer: no call '%s'\n", name);
    abort();
}

static void read_environment(void)
{
    const char *fail = getenv("CL_LAYER_FAIL"), *limits = getenv("CL_LAYER_LIMITS");
    const char *sent = getenv("CL_LAYER_SIGNAL"), *stall = getenv("CL_LAYER_STALL"),
               *memory = getenv("CL_LAYER_MEMORY");
    char name[64];
    long nth;
    int code;
    if (sent && sscanf(sent, "%63[^:]:%ld:%d", name, &state.signal_use, &state.signal_number) == 3)
        state.signal = find_call(name);
    if (stall && sscanf(stall, "%63[^:]:%ld", name, &state.stall_use) == 2) state.stall = find_call(name);
    if (fail && sscanf(fail, "%63[^:]:%ld:%d", name, &nth, &code) == 3)
        layer_fail(find_call(name), nth ? nth : 1, nth ? 1 : LONG_MAX / 2, code);
    if (memory) limits_set_memory(atol(memory));
    if (!limits) return;
    static const char *const words[] = {
#define WORD(bit, word) word,
        CL_LAYER_LIMITS(WORD)
#undef WORD
    };
    unsigned bits = strcmp(limits, "all") == 0 ? CL_LAYER_ALL : 0;
    for (unsigned i = 0; i < CL_LAYER_LIMIT_COUNT; ++i)
        if (strstr(limits, words[i])) bits |= 1u << i;
    limits_set(bits);
}

EXPORTED cl_int CL_API_CALL clInitLayer(cl_uint count, const cl_icd_dispatch *target, cl_uint *used,
                                        const cl_icd_dispatch **ours)
{
    size_t bytes = (size_t)count * sizeof(void *);
    if (!target || !used || !ours) return CL_INVALID_VALUE;
    memcpy(&layer_below, target, bytes < sizeof layer_below ? bytes : sizeof layer_below);
    table = layer_below;
#define SET_CALL(name, by, parameters, arguments)             table.name = layer_##name;
#define SET_MAKE(kind, type, name, by, parameters, arguments) table.name = layer_##name;
#define SET_REFERENCE(kind, name, type)                       table.name = layer_##name;
    CL_LAYER_CALLS(SET_CALL, SET_MAKE, SET_CALL, SET_REFERENCE, SET_REFERENCE)
    table.clBuildProgram = layer_clBuildProgram;
    table.clGetExtensionFunctionAddressForPlatform = layer_clGetExtensionFunctionAddressForPlatform;
    *ours = &table;
    *used = (cl_uint)(sizeof table / sizeof(void *));
    read_environment();
    return CL_SUCCESS;
}
