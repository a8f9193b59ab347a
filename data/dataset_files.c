/* dataset_files.c -- see dataset_files.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_files.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_USERS 128 /* threads that read at once, each one tar: then more than 64 may be open */

typedef struct place {
    int tar, file, users;
    uint64_t used; /* when last */
} place;

struct files {
    const char *const *paths;
    pthread_mutex_t lock;
    place places[MOST_USERS];
    int count;
    uint64_t now;
};

files *files_create(const char *const *paths, int count, error *err)
{
    CHECK(count > 0, "%d tars", count);
    files *f = calloc(1, sizeof *f);
    if (!f || pthread_mutex_init(&f->lock, NULL)) {
        free(f);
        return error_null(err, ERROR_MEMORY, "no memory for a data set's files");
    }
    f->paths = paths;
    return f;
}

void files_destroy(files *f)
{
    if (!f) return;
    for (int i = 0; i < f->count; ++i) close(f->places[i].file);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static place *find(files *f, int tar)
{
    for (int i = 0; i < f->count; ++i)
        if (f->places[i].tar == tar) return &f->places[i];
    return NULL;
}

/* Where another may be opened: behind the others, or in place of the one that was idle longest. */
static place *make_room(files *f)
{
    place *oldest = NULL;
    for (int i = 0; i < f->count; ++i) {
        place *p = &f->places[i];
        if (p->users == 0 && (!oldest || p->used < oldest->used)) oldest = p;
    }
    if (oldest && f->count >= FILES_OPEN) {
        close(oldest->file);
        *oldest = f->places[--f->count];
    }
    CHECK(f->count < MOST_USERS, "%d tars in use", f->count);
    return &f->places[f->count];
}

int files_take(files *f, int i, error *err)
{
    pthread_mutex_lock(&f->lock);
    place *p = find(f, i);
    if (!p) {
        int file = open(f->paths[i], O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            p = make_room(f);
            *p = (place){ .tar = i, .file = file };
            ++f->count;
        } else {
            error_set(err, ERROR_IO, "cannot open '%s': %s", f->paths[i], strerror(errno));
        }
    }
    if (p) ++p->users, p->used = ++f->now;
    int file = p ? p->file : -1;
    pthread_mutex_unlock(&f->lock);
    return file;
}

void files_keep(files *f, int i, int file)
{
    pthread_mutex_lock(&f->lock);
    bool room = f->count < FILES_OPEN && !find(f, i);
    if (room) f->places[f->count++] = (place){ .tar = i, .file = file, .used = ++f->now };
    pthread_mutex_unlock(&f->lock);
    if (!room) close(file);
}

void files_give(files *f, int i)
{
    pthread_mutex_lock(&f->lock);
    --find(f, i)->users;
    pthread_mutex_unlock(&f->lock);
}
