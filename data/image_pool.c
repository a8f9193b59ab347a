/* image_pool.c -- see image_pool.h.
 * SPDX-License-Identifier: MIT */
#include "data/image_pool.h"

#include <lcms2_plugin.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 << 20, RESERVE = 96 << 10 }; /* bytes; a context takes some 17 KB */

/* What stands before each piece that the library has. */
struct image_block {
    image_block *before, **place; /* the next of the list, and what points to this one */
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

/* The pool of the calls that this thread makes now; the library's own word for it is not known to the first
 * of them, which makes the context. */
static _Thread_local image_pool *current;

void image_pool_enter(image_pool *p)
{
    current = p;
}

void image_pool_leave(void)
{
    current = NULL;
}

static image_block *from_reserve(image_pool *p, size_t size)
{
    size_t whole = (sizeof(image_block) + size + 15) / 16 * 16;
    if (!p->reserve || p->context || whole > RESERVE - p->reserved) return NULL;
    image_block *b = (void *)(p->reserve + p->reserved);
    p->reserved += whole;
    *b = (image_block){ .size = size };
    return b;
}

static image_block *from_heap(image_pool *p, size_t size)
{
    image_block *b = size <= MOST - p->taken ? malloc(sizeof *b + size) : NULL;
    if (!b) {
        p->memory = size <= MOST - p->taken;
        if (p->context) longjmp(p->full, 1);
        return NULL;
    }
    p->taken += size;
    *b = (image_block){ .before = p->blocks, .place = &p->blocks, .size = size };
    if (b->before) b->before->place = &b->before;
    p->blocks = b;
    return b;
}

static void *get(cmsContext context, cmsUInt32Number size)
{
    (void)context;
    if (!current) return NULL; /* the library takes none while it converts or ends */
    image_block *b = from_reserve(current, size);
    if (!b) b = from_heap(current, size);
    return b ? b->bytes : NULL;
}

static image_block *block_of(void *bytes)
{
    return (void *)((unsigned char *)bytes - offsetof(image_block, bytes));
}

/* Those of the reserve stand in no list. */
static void give(cmsContext context, void *bytes)
{
    (void)context;
    image_block *b = bytes ? block_of(bytes) : NULL;
    if (!b || !b->place) return;
    *b->place = b->before;
    if (b->before) b->before->place = b->place;
    if (current) current->taken -= b->size;
    free(b);
}

static void *enlarge(cmsContext context, void *bytes, cmsUInt32Number size)
{
    void *larger = get(context, size);
    if (!larger || !bytes) return larger;
    size_t before = block_of(bytes)->size;
    memcpy(larger, bytes, before < size ? before : size);
    give(context, bytes);
    return larger;
}

bool image_pool_open(image_pool *p)
{
    cmsPluginMemHandler memory = { .base = { cmsPluginMagicNumber, 2000, cmsPluginMemHandlerSig, NULL },
                                   .MallocPtr = get,
                                   .FreePtr = give,
                                   .ReallocPtr = enlarge };
    *p = (image_pool){ .reserve = malloc(RESERVE), .memory = true };
    if (!p->reserve) return false;
    image_pool_enter(p);
    p->context = cmsCreateContext(&memory, NULL);
    image_pool_leave();
    if (p->context) return !(p->memory = false);
    image_pool_close(p);
    return false;
}

void image_pool_close(image_pool *p)
{
    if (p->context) cmsDeleteContext(p->context);
    for (image_block *b = p->blocks; b;) {
        image_block *before = b->before;
        free(b);
        b = before;
    }
    free(p->reserve);
    p->reserve = NULL;
    p->blocks = NULL;
    p->context = NULL;
}
