/* alloc_fault.h -- a test double that makes the N-th host allocation fail.
 * The linker's --wrap (tests/faults/alloc.cmake) sends the allocating calls of our own objects here; what
 * libjansson, libpng, libjpeg, FreeType and Expat allocate for us comes through their own hooks, and the C++
 * shim's operator new too.  What a driver or the C library allocates for itself is left alone.  Any thread
 * may allocate; one thread arms and disarms.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_ALLOC_FAULT_H
#define DALLE_CL_TESTS_SUPPORT_ALLOC_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ALLOC_FRAMES = 24 };

/* Who called: addresses, innermost first. */
typedef struct alloc_stack {
    void *frame[ALLOC_FRAMES];
    int count;
} alloc_stack;

typedef struct alloc_result {
    int64_t calls;   /* allocations that were asked for */
    bool fired;      /* one was refused */
    alloc_stack who; /* asked for the first that was */
} alloc_result;

/* From now on the `n`-th allocation fails, counting from 1, and all after it if `onward`; 0: none fails. */
void alloc_fault_arm(int64_t n, bool onward);
/* Likewise with none failing, while a hash of each call's stack is kept. */
void alloc_fault_record(void);
alloc_result alloc_fault_disarm(void);
/* Nothing is refused or counted until paused no more. */
void alloc_fault_pause(bool paused);
/* The stacks recorded last, one for each call; borrowed. */
const uint64_t *alloc_fault_stacks(int64_t *count);

/* Blocks, streams and folders allocated since the last arming that were not given back; *who = where the
 * oldest came from, if alloc_fault_trace was asked for. */
int64_t alloc_fault_alive(size_t *bytes, alloc_stack *who);
/* Remembers the stack of every allocation: slow. */
void alloc_fault_trace(bool on);

/* ---- For the wrappers -------------------------------------------------------------------------- */

bool alloc_fault_refuses(void); /* counts one allocation; true: it fails, and errno is ENOMEM */
void *alloc_fault_keep(void *block, size_t bytes); /* notes a new block, or a stream; NULL is harmless */
void alloc_fault_forget(const void *block);        /* before it is freed; unknown ones are harmless */
void *alloc_fault_malloc(size_t bytes);            /* refuses or allocates, as our objects' malloc does */
void alloc_fault_free(void *block);
void alloc_fault_hooks(void); /* the libraries' hooks; once */

/* ---- Names of functions ------------------------------------------------------------------------ */

/* The functions of this program on the stack, "inner < outer < ...". */
void alloc_stack_text(const alloc_stack *who, char *text, size_t room);
/* Whether `name` is one of them. */
bool alloc_stack_has(const alloc_stack *who, const char *name);

#ifdef __cplusplus
}
#endif

#endif
