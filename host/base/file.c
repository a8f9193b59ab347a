/* file.c -- reading, joining and making; and writing by renaming a finished temporary.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_stream(FILE *stream, const char *path, size_t *size, error *err)
{
    size_t capacity = 65536, used = 0;
    struct stat info;
    if (fstat(fileno(stream), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
        capacity = (size_t)info.st_size + 2; /* the NUL, and one more so that the end is met at once */
    char *bytes = malloc(capacity);
    while (bytes) {
        used += fread(bytes + used, 1, capacity - 1 - used, stream);
        if (ferror(stream)) {
            error_set(err, ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
            free(bytes);
            return NULL;
        }
        if (feof(stream)) {
            bytes[used] = '\0';
            if (size) *size = used;
            return bytes;
        }
        if (used < capacity - 1) continue;
        char *larger = capacity > SIZE_MAX / 2 ? NULL : realloc(bytes, capacity *= 2);
        if (!larger) free(bytes);
        bytes = larger;
    }
    return error_null(err, ERROR_MEMORY, "cannot read '%s': %zu bytes do not fit in memory", path, capacity);
}

char *file_read(const char *path, size_t *size, error *err)
{
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return error_null(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot open '%s': %s", path,
                          strerror(errno));
    char *bytes = read_stream(stream, path, size, err);
    fclose(stream);
    return bytes;
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool make_folders(const char *path, mode_t mode, error *err)
{
    char *copy = strdup(path);
    if (!copy) return error_set(err, ERROR_MEMORY, "memory ran out while making folder '%s'", path);
    bool done = false;
    for (char *end = copy; !done; ++end) {
        if (*end != '/' && *end != '\0') continue;
        done = *end == '\0';
        *end = '\0';
        if (*copy && mkdir(copy, mode) != 0 && !file_is_folder(copy)) {
            error_set(err, ERROR_IO, "cannot make folder '%s': %s", copy,
                      errno == EEXIST ? "a file that is not a folder has this name" : strerror(errno));
            free(copy);
            return false;
        }
        if (!done) *end = '/';
    }
    free(copy);
    return true;
}

bool file_make_folders(const char *path, error *err)
{
    return make_folders(path, 0777, err);
}

static void forget(file_atomic *f)
{
    free(f->path);
    free(f->temporary);
    *f = (file_atomic){ 0 };
}

bool file_atomic_open(file_atomic *f, const char *path, error *err)
{
    *f = (file_atomic){ 0 };
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return error_set(err, ERROR_IO, "cannot write '%s': it is a folder", path);
    /* A device or pipe, such as /dev/null, is written directly: renaming would replace it. */
    bool direct = exists && !S_ISREG(info.st_mode);
    size_t room = strlen(path) + 32;
    f->path = strdup(path);
    f->temporary = direct ? NULL : malloc(room);
    if (!f->path || (!direct && !f->temporary)) {
        forget(f);
        return error_set(err, ERROR_MEMORY, "memory ran out while opening '%s'", path);
    }
    if (f->temporary) snprintf(f->temporary, room, "%s.tmp-%ld", path, (long)getpid());
    f->stream = fopen(direct ? path : f->temporary, "wbe");
    if (!f->stream) {
        error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot write '%s': %s", path,
                  strerror(errno));
        forget(f);
        return false;
    }
    return true;
}

/* Makes the rename itself last; a file system that cannot do this for folders is no failure.  The path is
 * cut for it. */
static void sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0'; /* "/name" becomes "/" */
    int descriptor = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    (void)fsync(descriptor);
    close(descriptor);
}

bool file_atomic_commit(file_atomic *f, error *err)
{
    int problem = 0, earlier = errno; /* of the write that failed, if one did */
    if (fflush(f->stream) != 0)
        problem = errno;
    else if (ferror(f->stream))
        problem = earlier ? earlier : EIO;
    if (!problem && f->temporary && fsync(fileno(f->stream)) != 0) problem = errno;
    if (fclose(f->stream) != 0 && !problem) problem = errno;
    f->stream = NULL;
    if (!problem && f->temporary && rename(f->temporary, f->path) != 0) problem = errno;
    if (problem) {
        error_set(err, ERROR_IO, "cannot write '%s': %s", f->path, strerror(problem));
        if (f->temporary) unlink(f->temporary);
    } else if (f->temporary) {
        sync_folder_of(f->path);
    }
    forget(f);
    return problem == 0;
}

void file_atomic_abandon(file_atomic *f)
{
    if (f->stream) fclose(f->stream);
    if (f->stream && f->temporary) unlink(f->temporary);
    forget(f);
}

bool file_write(const char *path, const void *bytes, size_t size, error *err)
{
    file_atomic f;
    if (!file_atomic_open(&f, path, err)) return false;
    if (size) fwrite(bytes, 1, size, f.stream); /* commit sees the stream's error */
    return file_atomic_commit(&f, err);
}

char *file_cache_folder(void)
{
    const char *own = getenv("DALLE_CL_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *folder = NULL;
    if (own && *own) {
        if (strcmp(own, "off") == 0) return NULL;
        folder = strdup(own);
    } else if (xdg && *xdg) {
        folder = file_join(xdg, "dalle-cl");
    } else if (home && *home) {
        folder = file_join(home, ".cache/dalle-cl");
    }
    if (folder && !make_folders(folder, 0700, NULL)) {
        free(folder);
        folder = NULL;
    }
    return folder;
}

char *file_join(const char *folder, const char *name)
{
    size_t length = strlen(folder), room = length + strlen(name) + 2;
    char *path = malloc(room);
    if (!path) return NULL;
    bool slash = length > 0 && folder[length - 1] != '/';
    snprintf(path, room, "%s%s%s", folder, slash ? "/" : "", name);
    return path;
}
