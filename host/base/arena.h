/* arena.h -- memory that is freed all at once.
 * Nodes, shapes and names of a graph live in its arena and die with it.  One thread at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_ARENA_H
#define DALLE_CL_BASE_ARENA_H

#include <stddef.h>

typedef struct arena arena;

arena *arena_create(void); /* NULL when memory is out */
void arena_destroy(arena *a);

/* Zeroed memory aligned for any type, or NULL when memory is out. */
void *arena_alloc(arena *a, size_t bytes);
char *arena_strdup(arena *a, const char *text);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
