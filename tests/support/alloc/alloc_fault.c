/* alloc_fault.c -- counts allocations, refuses the chosen one, and knows which are still alive.
 * SPDX-License-Identifier: MIT */
#include "tests/support/alloc/alloc_fault.h"

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);

/* A file that the process has loaded, by where its code lies. */
typedef struct loaded {
    uintptr_t from, end;
} loaded;

/* Addresses are kept inverted, so that a leak checker does not find blocks through this table. */
typedef struct live {
    uintptr_t hidden; /* 0: never used; GONE: given back */
    size_t bytes;
    int64_t serial;
    alloc_stack *who; /* when tracing */
} live;

/* ALLOC_SITE: frames that tell a call site from another, the wrappers among them. */
enum { GONE = 1, ALLOC_SITE = 5, LOADED_MAX = 256 };

static struct {
    pthread_mutex_t lock;
    live *table;
    size_t room, used; /* used: not 0 */
    int64_t serial, armed_at;
    int64_t calls, target;
    bool armed, paused, onward, recording, tracing;
    alloc_result result;
    uint64_t *stacks;
    int64_t stack_count, stack_room;
    loaded files[LOADED_MAX];
    int file_count;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uintptr_t hide(const void *block)
{
    return ~(uintptr_t)block;
}

/* The block's slot, or the free one at the end of its chain. */
static live *slot_of(live *table, size_t room, uintptr_t hidden)
{
    size_t at = (size_t)((hidden >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) % room;
    while (table[at].hidden && table[at].hidden != hidden) at = (at + 1) % room;
    return &table[at];
}

static void grow(void)
{
    if (state.used * 2 < state.room) return;
    size_t alive = 0;
    for (size_t i = 0; i < state.room; ++i) alive += state.table[i].hidden > GONE;
    size_t room = alive * 4 > 65536 ? alive * 4 : 65536;
    live *larger = __real_calloc(room, sizeof *larger);
    if (!larger) abort();
    for (size_t i = 0; i < state.room; ++i)
        if (state.table[i].hidden > GONE) *slot_of(larger, room, state.table[i].hidden) = state.table[i];
    __real_free(state.table);
    state.table = larger;
    state.room = room;
    state.used = alive;
}

static void look(alloc_stack *who)
{
    who->count = backtrace(who->frame, ALLOC_FRAMES);
}

void *alloc_fault_keep(void *block, size_t bytes)
{
    if (!block) return NULL;
    pthread_mutex_lock(&state.lock);
    grow();
    live *one = slot_of(state.table, state.room, hide(block));
    if (!one->hidden) ++state.used;
    *one = (live){ hide(block), bytes, ++state.serial, NULL };
    if (state.tracing && (one->who = __real_malloc(sizeof *one->who))) look(one->who);
    pthread_mutex_unlock(&state.lock);
    return block;
}

void alloc_fault_forget(const void *block)
{
    if (!block) return;
    pthread_mutex_lock(&state.lock);
    if (state.room) {
        live *one = slot_of(state.table, state.room, hide(block));
        if (one->hidden) {
            __real_free(one->who);
            one->who = NULL;
            one->hidden = GONE;
        }
    }
    pthread_mutex_unlock(&state.lock);
}

static int note_loaded(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    loaded file = { UINTPTR_MAX, 0 };
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD) continue;
        uintptr_t from = info->dlpi_addr + part->p_vaddr, end = from + part->p_memsz;
        if (from < file.from) file.from = from;
        if (end > file.end) file.end = end;
    }
    if (state.file_count < LOADED_MAX) state.files[state.file_count++] = file;
    return 0;
}

/* An address as every run has it: files are loaded where chance puts them, and which calls are chosen must
 * not depend on that, or a test fails at one run and passes at the next. */
static uintptr_t place_of(const void *address)
{
    for (int i = 0; i < state.file_count; ++i)
        if ((uintptr_t)address >= state.files[i].from && (uintptr_t)address < state.files[i].end)
            return (uintptr_t)address - state.files[i].from;
    return 0; /* compiled while running */
}

static void record(void)
{
    alloc_stack who;
    look(&who);
    uint64_t hash = 1469598103934665603u;
    for (int i = 0; i < who.count && i < ALLOC_SITE; ++i)
        hash = (hash ^ place_of(who.frame[i])) * 1099511628211u;
    if (state.stack_count == state.stack_room) {
        int64_t room = state.stack_room ? 2 * state.stack_room : 4096;
        uint64_t *larger = __real_malloc((size_t)room * sizeof *larger);
        if (!larger) abort();
        if (state.stack_count) memcpy(larger, state.stacks, (size_t)state.stack_count * sizeof *larger);
        __real_free(state.stacks);
        state.stacks = larger;
        state.stack_room = room;
    }
    state.stacks[state.stack_count++] = hash;
}

bool alloc_fault_refuses(void)
{
    bool refused = false;
    pthread_mutex_lock(&state.lock);
    if (state.armed && !state.paused) {
        ++state.calls;
        if (state.recording) record();
        refused = state.calls == state.target || (state.onward && state.target && state.calls > state.target);
        if (refused && !state.result.fired) {
            state.result.fired = true;
            look(&state.result.who);
        }
    }
    pthread_mutex_unlock(&state.lock);
    if (refused) errno = ENOMEM;
    return refused;
}

static void arm(int64_t n, bool onward, bool recording)
{
    pthread_mutex_lock(&state.lock);
    state.calls = 0;
    state.target = n;
    state.onward = onward;
    state.recording = recording;
    state.result = (alloc_result){ 0 };
    state.armed_at = state.serial;
    if (recording) state.stack_count = 0;
    state.armed = true;
    pthread_mutex_unlock(&state.lock);
}

void alloc_fault_arm(int64_t n, bool onward)
{
    arm(n, onward, false);
}

void alloc_fault_record(void)
{
    state.file_count = 0;
    dl_iterate_phdr(note_loaded, NULL);
    arm(0, false, true);
}

alloc_result alloc_fault_disarm(void)
{
    pthread_mutex_lock(&state.lock);
    state.armed = false;
    state.result.calls = state.calls;
    alloc_result result = state.result;
    pthread_mutex_unlock(&state.lock);
    return result;
}

void alloc_fault_pause(bool paused)
{
    pthread_mutex_lock(&state.lock);
    state.paused = paused;
    pthread_mutex_unlock(&state.lock);
}

const uint64_t *alloc_fault_stacks(int64_t *count)
{
    *count = state.stack_count;
    return state.stacks;
}

int64_t alloc_fault_alive(size_t *bytes, alloc_stack *who)
{
    int64_t count = 0, oldest = INT64_MAX;
    *bytes = 0;
    who->count = 0;
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.room; ++i) {
        const live *one = &state.table[i];
        if (one->hidden <= GONE || one->serial <= state.armed_at) continue;
        ++count;
        *bytes += one->bytes;
        if (one->serial > oldest) continue;
        oldest = one->serial;
        if (one->who) *who = *one->who;
    }
    pthread_mutex_unlock(&state.lock);
    return count;
}

void alloc_fault_trace(bool on)
{
    state.tracing = on;
}

void *alloc_fault_malloc(size_t bytes)
{
    return alloc_fault_refuses() ? NULL : alloc_fault_keep(__real_malloc(bytes), bytes);
}

void alloc_fault_free(void *block)
{
    alloc_fault_forget(block);
    __real_free(block);
}
