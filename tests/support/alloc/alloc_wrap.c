/* alloc_wrap.c -- what our objects' allocating calls become; alloc.cmake lists their names for --wrap.
 * SPDX-License-Identifier: MIT */
#include "tests/support/alloc/alloc_fault.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *__real_realloc(void *block, size_t bytes);
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
int __real_posix_memalign(void **block, size_t alignment, size_t bytes);
FILE *__real_fopen(const char *path, const char *mode);
int __real_fclose(FILE *stream);
DIR *__real_opendir(const char *path);
int __real_closedir(DIR *folder);
typedef int dirent_filter(const struct dirent *);
typedef int dirent_order(const struct dirent **, const struct dirent **);
int __real_scandir(const char *path, struct dirent ***list, dirent_filter *filter, dirent_order *order);
char *__real_realpath(const char *path, char *resolved);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user);

/* ---- Blocks ------------------------------------------------------------------------------------ */

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t bytes);
void __wrap_free(void *block);
int __wrap_posix_memalign(void **block, size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
char *__wrap_realpath(const char *path, char *resolved);

void *__wrap_malloc(size_t bytes)
{
    return alloc_fault_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return alloc_fault_refuses() ? NULL : alloc_fault_keep(__real_calloc(count, size), count * size);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    if (alloc_fault_refuses()) return NULL;
    alloc_fault_forget(block);
    return alloc_fault_keep(__real_realloc(block, bytes), bytes);
}

void __wrap_free(void *block)
{
    alloc_fault_free(block);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t bytes)
{
    if (alloc_fault_refuses()) return ENOMEM;
    int code = __real_posix_memalign(block, alignment, bytes);
    if (code == 0) alloc_fault_keep(*block, bytes);
    return code;
}

static char *copy_text(const char *text, size_t length)
{
    char *copy = alloc_fault_malloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return copy_text(text, strlen(text));
}

char *__wrap_strndup(const char *text, size_t most)
{
    return copy_text(text, strnlen(text, most));
}

char *__wrap_realpath(const char *path, char *resolved)
{
    if (resolved) return __real_realpath(path, resolved);
    if (alloc_fault_refuses()) return NULL;
    char *found = __real_realpath(path, NULL);
    return alloc_fault_keep(found, found ? strlen(found) + 1 : 0);
}

/* ---- Streams, folders, maps, threads ----------------------------------------------------------- */

FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_fclose(FILE *stream);
DIR *__wrap_opendir(const char *path);
int __wrap_closedir(DIR *folder);
int __wrap_scandir(const char *path, struct dirent ***list, dirent_filter *filter, dirent_order *order);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user);

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return alloc_fault_refuses() ? NULL : alloc_fault_keep(__real_fopen(path, mode), 0);
}

int __wrap_fclose(FILE *stream)
{
    alloc_fault_forget(stream);
    return __real_fclose(stream);
}

DIR *__wrap_opendir(const char *path)
{
    return alloc_fault_refuses() ? NULL : alloc_fault_keep(__real_opendir(path), 0);
}

int __wrap_closedir(DIR *folder)
{
    alloc_fault_forget(folder);
    return __real_closedir(folder);
}

int __wrap_scandir(const char *path, struct dirent ***list, dirent_filter *filter, dirent_order *order)
{
    if (alloc_fault_refuses()) return -1;
    int count = __real_scandir(path, list, filter, order);
    for (int i = 0; i < count; ++i) alloc_fault_keep((*list)[i], sizeof(struct dirent));
    if (count >= 0) alloc_fault_keep(*list, (size_t)count * sizeof **list);
    return count;
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (alloc_fault_refuses()) return MAP_FAILED;
    void *map = __real_mmap(at, bytes, protection, flags, file, offset);
    if (map != MAP_FAILED) alloc_fault_keep(map, bytes);
    return map;
}

int __wrap_munmap(void *at, size_t bytes)
{
    alloc_fault_forget(at);
    return __real_munmap(at, bytes);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *user)
{
    return alloc_fault_refuses() ? EAGAIN : __real_pthread_create(thread, attributes, run, user);
}

/* ---- open_memstream: both opening it, growing its text and ending it may fail ------------------ */

typedef struct memory_stream {
    char **text, *bytes;
    size_t *size, used, room;
} memory_stream;

static ssize_t stream_write(void *user, const char *bytes, size_t count)
{
    memory_stream *s = user;
    if (count > s->room - s->used) {
        size_t room = 2 * s->room + count;
        char *larger = alloc_fault_refuses() ? NULL : __real_realloc(s->bytes, room + 1);
        if (!larger) return 0;
        s->bytes = larger;
        s->room = room;
    }
    memcpy(s->bytes + s->used, bytes, count);
    s->used += count;
    return (ssize_t)count;
}

/* As glibc's: when the last allocation fails, the text is NULL though fclose succeeds. */
static int stream_close(void *user)
{
    memory_stream *s = user;
    bool refused = alloc_fault_refuses();
    if (refused || !s->bytes) __real_free(s->bytes);
    *s->text = refused ? NULL : s->bytes ? s->bytes : __real_calloc(1, 1);
    *s->size = s->used;
    if (*s->text) (*s->text)[s->used] = '\0';
    alloc_fault_keep(*s->text, s->used + 1);
    __real_free(s);
    return 0;
}

FILE *__wrap_open_memstream(char **text, size_t *size);
FILE *__wrap_open_memstream(char **text, size_t *size)
{
    if (alloc_fault_refuses()) return NULL;
    memory_stream *s = __real_calloc(1, sizeof *s);
    if (!s) return NULL;
    s->text = text;
    s->size = size;
    FILE *stream =
        fopencookie(s, "w", (cookie_io_functions_t){ .write = stream_write, .close = stream_close });
    if (!stream) __real_free(s);
    return alloc_fault_keep(stream, 0);
}
