/* disk.c -- see disk.h.
 * SPDX-License-Identifier: MIT */
#include "tests/train/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 256, NAMES = 64, LOG = 20000 };

static struct {
    const char *folder;
    int64_t calls, kill_at, full_from;
    disk_full full;
    bool no_links;
    char *open[FILES]; /* by descriptor: the path, if it is watched */
    struct {
        char *path;
        int64_t file;
    } names[NAMES];
    int named;
    int64_t files;
    disk_call log[LOG];
    int logged;
} disk;

FILE *__real_fopen(const char *path, const char *mode);
int __real_fclose(FILE *stream);
size_t __real_fwrite(const void *bytes, size_t size, size_t count, FILE *stream);
int __real_fflush(FILE *stream);
int __real_open(const char *path, int flags, ...);
int __real_close(int descriptor);
ssize_t __real_write(int descriptor, const void *bytes, size_t count);
int __real_fsync(int descriptor);
int __real_ftruncate(int descriptor, off_t size);
int __real_fallocate(int descriptor, int mode, off_t first, off_t size);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_mkdir(const char *path, mode_t mode);

/* ---- The book ---- */

void disk_watch(const char *folder)
{
    for (int i = 0; i < disk.logged; ++i) {
        free(disk.log[i].path);
        free(disk.log[i].to);
        free(disk.log[i].bytes);
    }
    for (int i = 0; i < disk.named; ++i) free(disk.names[i].path);
    disk.folder = folder;
    disk.calls = disk.kill_at = disk.files = 0;
    disk.full = DISK_HAS_ROOM;
    disk.no_links = false;
    disk.logged = disk.named = 0;
}

void disk_watch_off(void)
{
    disk.folder = NULL;
}

int64_t disk_calls(void)
{
    return disk.calls;
}

void disk_kill_at(int64_t call)
{
    disk.kill_at = call;
}

void disk_fill(disk_full how, int64_t from_call)
{
    disk.full = how;
    disk.full_from = from_call;
}

void disk_refuse_links(void)
{
    disk.no_links = true;
}

const disk_call *disk_log(int *count)
{
    *count = disk.logged;
    return disk.log;
}

static bool is_watched(const char *path)
{
    return disk.folder && path && strncmp(path, disk.folder, strlen(disk.folder)) == 0;
}

static const char *path_of(int descriptor)
{
    return disk.folder && descriptor >= 0 && descriptor < FILES ? disk.open[descriptor] : NULL;
}

static int find(const char *path)
{
    for (int i = 0; i < disk.named; ++i)
        if (strcmp(disk.names[i].path, path) == 0) return i;
    return -1;
}

static int64_t file_of(const char *path)
{
    int at = find(path);
    return at < 0 ? -1 : disk.names[at].file;
}

static void name(const char *path, int64_t file)
{
    int at = find(path);
    if (at < 0 && disk.named == NAMES) abort();
    if (at < 0) disk.names[at = disk.named++].path = strdup(path);
    disk.names[at].file = file;
}

static void unname(const char *path)
{
    int at = find(path);
    if (at < 0) return;
    free(disk.names[at].path);
    disk.names[at] = disk.names[--disk.named];
}

static disk_call *write_down(disk_kind kind, const char *path, const char *to, int64_t file)
{
    if (disk.logged == LOG) abort();
    disk_call *c = &disk.log[disk.logged++];
    *c = (disk_call){
        .kind = kind, .file = file, .path = path ? strdup(path) : NULL, .to = to ? strdup(to) : NULL
    };
    return c;
}

void disk_note(int64_t number)
{
    write_down(DISK_NOTE, NULL, NULL, number);
}

/* What processes now see of the file. */
static void write_down_data(const char *path)
{
    struct stat info;
    int64_t file = file_of(path);
    int descriptor = file < 0 ? -1 : __real_open(path, O_RDONLY);
    if (descriptor < 0) return;
    disk_call *c = write_down(DISK_DATA, path, NULL, file);
    if (fstat(descriptor, &info) == 0 && (c->bytes = malloc((size_t)info.st_size + 1)) != NULL) {
        ssize_t count = read(descriptor, c->bytes, (size_t)info.st_size);
        c->size = count > 0 ? (size_t)count : 0;
    }
    __real_close(descriptor);
}

static void open_as(int descriptor, const char *path)
{
    if (descriptor >= FILES) abort();
    free(disk.open[descriptor]);
    disk.open[descriptor] = path ? strdup(path) : NULL;
}

static void made(const char *path)
{
    if (file_of(path) >= 0) return;
    name(path, disk.files);
    write_down(DISK_MAKE, path, NULL, disk.files++);
}

/* ---- What happens in a call ---- */

/* Whether this call is the one to be killed in. */
static bool counted(void)
{
    return ++disk.calls == disk.kill_at;
}

static void count(void)
{
    if (counted()) raise(SIGKILL);
}

static bool is_full(disk_full how)
{
    if (disk.full != how || disk.calls < disk.full_from) return false;
    disk.full = DISK_HAS_ROOM;
    errno = ENOSPC;
    return true;
}

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    bool watched = is_watched(path) && *mode == 'w';
    if (watched) count();
    FILE *stream = __real_fopen(path, mode);
    if (!watched || !stream) return stream;
    open_as(fileno(stream), path);
    made(path);
    return stream;
}

int __wrap_fclose(FILE *stream);
int __wrap_fclose(FILE *stream)
{
    int descriptor = fileno(stream);
    bool watched = path_of(descriptor) != NULL;
    if (watched) count();
    int result = __real_fclose(stream);
    if (watched) open_as(descriptor, NULL);
    return result;
}

size_t __wrap_fwrite(const void *bytes, size_t size, size_t n, FILE *stream);
size_t __wrap_fwrite(const void *bytes, size_t size, size_t n, FILE *stream)
{
    if (path_of(fileno(stream)) && counted()) {
        __real_fwrite(bytes, size, n / 2, stream);
        __real_fflush(stream);
        raise(SIGKILL);
    }
    return __real_fwrite(bytes, size, n, stream);
}

int __wrap_fflush(FILE *stream);
int __wrap_fflush(FILE *stream)
{
    const char *path = stream ? path_of(fileno(stream)) : NULL;
    if (path) count();
    if (path && is_full(DISK_FULL_LATER)) return EOF;
    int result = __real_fflush(stream);
    if (path) write_down_data(path);
    return result;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    bool watched = is_watched(path) && (flags & (O_CREAT | O_DIRECTORY)),
         makes = watched && (flags & O_CREAT);
    if (makes) count();
    int descriptor = __real_open(path, flags, mode);
    if (!watched || descriptor < 0) return descriptor;
    open_as(descriptor, path);
    if (makes) made(path);
    return descriptor;
}

int __wrap_close(int descriptor);
int __wrap_close(int descriptor)
{
    if (path_of(descriptor)) open_as(descriptor, NULL);
    return __real_close(descriptor);
}

ssize_t __wrap_write(int descriptor, const void *bytes, size_t n);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t n)
{
    const char *path = path_of(descriptor);
    if (path && counted()) {
        if (__real_write(descriptor, bytes, n / 2) >= 0) raise(SIGKILL);
        abort();
    }
    bool full = path && is_full(DISK_FULL_LATER);
    ssize_t result = __real_write(descriptor, bytes, full ? n / 2 : n);
    if (full) {
        errno = ENOSPC;
        return -1;
    }
    if (path) write_down_data(path);
    return result;
}

int __wrap_fsync(int descriptor);
int __wrap_fsync(int descriptor)
{
    const char *path = path_of(descriptor);
    struct stat info;
    if (path) count();
    bool folder = path && fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode);
    if (path && !folder && is_full(DISK_FULL_LAST)) return -1;
    int result = __real_fsync(descriptor);
    if (path) write_down(folder ? DISK_SYNC_NAMES : DISK_SYNC, path, NULL, folder ? -1 : file_of(path));
    return result;
}

int __wrap_ftruncate(int descriptor, off_t size);
int __wrap_ftruncate(int descriptor, off_t size)
{
    const char *path = path_of(descriptor);
    if (path) count();
    int result = __real_ftruncate(descriptor, size);
    if (path) write_down_data(path);
    return result;
}

int __wrap_fallocate(int descriptor, int mode, off_t first, off_t size);
int __wrap_fallocate(int descriptor, int mode, off_t first, off_t size)
{
    const char *path = path_of(descriptor);
    if (path) count();
    if (path && is_full(DISK_FULL_AT_ONCE)) return -1;
    if (path && disk.full != DISK_HAS_ROOM) {
        errno = EOPNOTSUPP;
        return -1;
    }
    int result = __real_fallocate(descriptor, mode, first, size);
    if (path) write_down_data(path);
    return result;
}

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    if (is_watched(to)) count();
    int result = __real_rename(from, to);
    if (result != 0 || !is_watched(to)) return result;
    int64_t file = file_of(from);
    write_down(DISK_RENAME, from, to, file);
    unname(from);
    name(to, file);
    return result;
}

int __wrap_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to)
{
    if (is_watched(to)) count();
    if (is_watched(to) && disk.no_links) {
        errno = EPERM;
        return -1;
    }
    int result = __real_link(from, to);
    if (result != 0 || !is_watched(to)) return result;
    name(to, file_of(from));
    write_down(DISK_LINK, from, to, file_of(from));
    return result;
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    if (is_watched(path)) count();
    int result = __real_unlink(path);
    if (result != 0 || !is_watched(path)) return result;
    unname(path);
    write_down(DISK_UNLINK, path, NULL, -1);
    return result;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    if (is_watched(path)) count();
    int result = __real_mkdir(path, mode);
    if (result == 0 && is_watched(path)) write_down(DISK_FOLDER, path, NULL, -1);
    return result;
}
