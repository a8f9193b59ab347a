/* arena.c -- a list of blocks, filled from the front, freed together.
 * SPDX-License-Identifier: MIT */
#include "host/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK 65536

typedef struct block {
    struct block *next;
    size_t size, used; /* of bytes[] */
    max_align_t bytes[];
} block;

struct arena {
    block *first; /* the one being filled */
};

arena *arena_create(void)
{
    return calloc(1, sizeof(arena));
}

void arena_destroy(arena *a)
{
    if (!a) return;
    for (block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void *arena_alloc(arena *a, size_t bytes)
{
    const size_t align = _Alignof(max_align_t);
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t size = (bytes + align - 1) / align * align;
    if (size == 0) size = align; /* distinct, non-NULL pointers */
    block *b = a->first;
    if (!b || b->size - b->used < size) {
        size_t capacity = size > ARENA_BLOCK / 4 ? size : ARENA_BLOCK;
        block *fresh = calloc(1, sizeof(block) + capacity);
        if (!fresh) return NULL;
        fresh->size = capacity;
        if (b && capacity == size) { /* a large piece has its own block; go on filling the current one */
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->first = fresh;
        }
        b = fresh;
    }
    void *piece = (char *)b->bytes + b->used;
    b->used += size;
    return piece;
}

char *arena_strdup(arena *a, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(a, size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *arena_printf(arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_alloc(a, (size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
