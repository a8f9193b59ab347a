/* file.c -- reading, joining and making; and writing by renaming a finished temporary.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STREAM_MOST ((size_t)1 << 30) /* of what has no size */

static char *too_large(const char *path, size_t most, error *err)
{
    return error_null(err, ERROR_FORMAT, "'%s' is too large: at most %zu bytes of such a file are read", path,
                      most);
}

static char *read_stream(FILE *stream, const char *path, size_t most, size_t *size, error *err)
{
    size_t capacity = 65536, used = 0;
    struct stat info;
    bool sized = fstat(fileno(stream), &info) == 0 && S_ISREG(info.st_mode);
    if (sized && info.st_size > 0) {
        if ((uint64_t)info.st_size > most) return too_large(path, most, err);
        capacity = (size_t)info.st_size + 2; /* the NUL, and one more so that the end is met at once */
    }
    if (!sized && most > STREAM_MOST) most = STREAM_MOST;
    char *bytes = malloc(capacity);
    while (bytes) {
        used += fread(bytes + used, 1, capacity - 1 - used, stream);
        if (ferror(stream)) {
            error_set(err, ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
            free(bytes);
            return NULL;
        }
        if (used > most) {
            free(bytes);
            return too_large(path, most, err);
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

char *file_read_most(const char *path, size_t most, size_t *size, error *err)
{
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return error_null(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot open '%s': %s", path,
                          strerror(errno));
    char *bytes = read_stream(stream, path, most, size, err);
    fclose(stream);
    return bytes;
}

char *file_read(const char *path, size_t *size, error *err)
{
    return file_read_most(path, SIZE_MAX, size, err);
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

bool file_look(const char *path, file_kind *kind, error *err)
{
    struct stat info;
    *kind = FILE_ABSENT;
    if (stat(path, &info) == 0)
        *kind = S_ISDIR(info.st_mode) ? FILE_FOLDER : S_ISREG(info.st_mode) ? FILE_PLAIN : FILE_OTHER;
    else if (errno != ENOENT && errno != ENOTDIR)
        return error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot look at '%s': %s", path,
                         strerror(errno));
    return true;
}

/* Makes what was done in the folder that `path` lies in last: a name that was made there, or taken.  The path
 * is cut for it and mended.  0, or why not; a file system that cannot do this for folders is no failure. */
static int sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/'), *end = slash == path ? slash + 1 : slash, kept = end ? *end : '\0';
    if (end) *end = '\0'; /* "/name" becomes "/" */
    int descriptor = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), problem = 0;
    if (end) *end = kept;
    if (descriptor < 0) return 0;
    if (fsync(descriptor) != 0) problem = errno;
    close(descriptor);
    return problem == EIO || problem == ENOSPC || problem == EDQUOT ? problem : 0;
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
        bool made = *copy && mkdir(copy, mode) == 0;
        int problem = made ? sync_folder_of(copy) : *copy ? errno : 0; /* before a look at it sets another */
        if (problem && (made || !file_is_folder(copy))) {
            error_set(err, ERROR_IO, "cannot make folder '%s': %s", copy,
                      problem == EEXIST ? "a file that is not a folder has this name" : strerror(problem));
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

void file_atomic_name(const char *path, char *temporary, size_t room)
{
    snprintf(temporary, room, "%s.tmp-%ld", path, (long)getpid());
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
    if (f->temporary) file_atomic_name(path, f->temporary, room);
    f->stream = fopen(direct ? path : f->temporary, "wbe");
    if (!f->stream) {
        error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot write '%s': %s", path,
                  strerror(errno));
        forget(f);
        return false;
    }
    return true;
}

/* What of a full disk can be said in numbers. */
static void size_text(double bytes, char text[32])
{
    if (bytes < 1e5)
        snprintf(text, 32, "%.0f bytes", bytes);
    else
        snprintf(text, 32, "%.1f MB", bytes * 1e-6);
}

/* Bytes that may still be written beside `path`, which is cut for it and mended; below 0: not known. */
static double free_beside(char *path)
{
    struct statvfs space;
    char *slash = strrchr(path, '/'), *end = slash == path ? slash + 1 : slash, kept = end ? *end : '\0';
    if (end) *end = '\0';
    bool known = statvfs(slash ? path : ".", &space) == 0;
    if (end) *end = kept;
    return known ? (double)space.f_bavail * (double)space.f_frsize : -1;
}

static bool cannot_write(file_atomic *f, int problem, error *err)
{
    char needs[32], left[32];
    double room = problem == ENOSPC || problem == EDQUOT ? free_beside(f->path) : -1;
    size_text((double)f->needs, needs);
    size_text(room, left);
    if (f->needs && room >= 0)
        return error_set(err, ERROR_IO, "cannot write '%s': %s; it needs %s, %s are free there", f->path,
                         strerror(problem), needs, left);
    if (f->needs && problem == EFBIG)
        return error_set(err, ERROR_IO, "cannot write '%s': %s; it needs %s", f->path, strerror(problem),
                         needs);
    return error_set(err, ERROR_IO, "cannot write '%s': %s", f->path, strerror(problem));
}

bool file_atomic_reserve(file_atomic *f, int64_t bytes, error *err)
{
    f->needs = bytes;
    if (!f->temporary || bytes <= 0 || fallocate(fileno(f->stream), 0, 0, (off_t)bytes) == 0) return true;
    int problem = errno; /* others: the file system cannot take room beforehand */
    return (problem != ENOSPC && problem != EDQUOT && problem != EFBIG) || cannot_write(f, problem, err);
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
    if (problem && f->temporary) unlink(f->temporary); /* before the free room is looked at */
    if (!problem && f->temporary) problem = sync_folder_of(f->path);
    if (problem) cannot_write(f, problem, err);
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

/* ---- Before the work ---- */

/* The folder that `path` lies in, to be freed. */
static char *folder_of(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') --length;
    while (length > 0 && path[length - 1] != '/') --length;
    while (length > 1 && path[length - 1] == '/') --length;
    return length ? strndup(path, length) : strdup(".");
}

static bool no_memory_for(const char *path, error *err)
{
    return error_set(err, ERROR_MEMORY, "memory ran out while looking at '%s'", path);
}

static bool has_folder(const char *path, error *err)
{
    file_kind kind;
    char *folder = folder_of(path);
    if (!folder) return no_memory_for(path, err);
    bool ok = file_look(folder, &kind, err);
    if (ok && kind == FILE_ABSENT)
        ok = error_set(err, ERROR_IO, "cannot write '%s': there is no folder '%s'; make it first", path,
                       folder);
    else if (ok && kind != FILE_FOLDER)
        ok = error_set(err, ERROR_IO, "cannot write '%s': '%s' is not a folder", path, folder);
    free(folder);
    return ok;
}

bool file_check_writable(const char *path, error *err)
{
    file_kind kind;
    size_t length = strlen(path);
    if (!length) return error_set(err, ERROR_USAGE, "the name of a file to write is empty");
    if (!file_look(path, &kind, err)) return false;
    if (kind == FILE_FOLDER || path[length - 1] == '/')
        return error_set(err, ERROR_IO, "cannot write '%s': it is a folder; name a file in it", path);
    bool there = kind != FILE_ABSENT;
    if (there && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return error_set(err, ERROR_IO, "cannot write '%s': %s", path, strerror(errno));
    if (kind == FILE_OTHER) return true; /* opening a pipe would wait for its reader */
    file_atomic f;
    if (!has_folder(path, err) || !file_atomic_open(&f, path, err)) return false;
    file_atomic_abandon(&f);
    return true;
}

/* Tried, because what root may not do, or a file system does not have, permissions do not say. */
static bool can_make_in(const char *folder, const char *path, error *err)
{
    char name[64];
    snprintf(name, sizeof name, "trial.tmp-%ld", (long)getpid());
    char *trial = file_join(folder, name);
    if (!trial) return no_memory_for(path, err);
    int problem = mkdir(trial, 0700) == 0 ? 0 : errno;
    bool could = problem == 0 || problem == EEXIST; /* another of that number, in another container */
    if (problem == 0) rmdir(trial);
    free(trial);
    return could || error_set(err, ERROR_IO, "cannot write into '%s': folder '%s': %s", path, folder,
                              strerror(problem));
}

bool file_check_folder(const char *path, error *err)
{
    if (!*path) return error_set(err, ERROR_USAGE, "the name of a folder to write into is empty");
    file_kind kind = FILE_ABSENT;
    char *at = strdup(path);
    bool ok = at ? file_look(at, &kind, err) : no_memory_for(path, err);
    while (ok && kind == FILE_ABSENT) {
        char *above = folder_of(at);
        free(at);
        at = above;
        ok = at ? file_look(at, &kind, err) : no_memory_for(path, err);
    }
    if (ok && kind != FILE_FOLDER)
        ok = error_set(err, ERROR_IO, "cannot write into '%s': '%s' is not a folder", path, at);
    else if (ok)
        ok = can_make_in(at, path, err);
    free(at);
    return ok;
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

char *file_stream_text(FILE *stream, char **text)
{
    bool whole = !ferror(stream) && fflush(stream) == 0;
    if (fclose(stream) == 0 && whole) return *text;
    free(*text);
    return NULL;
}
