/* driver_home.c -- a place for PoCL's files where the home cannot be written, as in containers and services.
 * PoCL 3.1 offers no device, or fails to compile, without a folder to write to.  It reads POCL_CACHE_DIR
 * once, when the loader opens it, so that this comes before; a value that the user has set is left alone. The
 * folder is a part of our own cache if that can be written, else a temporary one that goes with the process;
 * what a killed process left, no longer locked, goes with the next.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "host/base/file.h"
#include "host/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "dalle-cl-pocl-"

static char *temporary; /* the folder, while it is there */
static pid_t owner;     /* a forked child does not remove it */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void driver_home_leave(void)
{
    if (!temporary || owner != getpid()) return;
    remove_tree(temporary);
    free(temporary);
    temporary = NULL;
}

/* The lock is kept to the end of the process; -1: it is another's, or the folder is none of ours. */
static int lock_folder(const char *path)
{
    struct stat info, again;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) return -1;
    if (fstat(descriptor, &info) == 0 && info.st_uid == geteuid() &&
        flock(descriptor, LOCK_EX | LOCK_NB) == 0 && lstat(path, &again) == 0 && again.st_ino == info.st_ino)
        return descriptor;
    close(descriptor);
    return -1;
}

static void remove_stale(const char *place)
{
    DIR *dir = opendir(place);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) != 0) continue;
        char *path = file_join(place, e->d_name);
        int lock = path ? lock_folder(path) : -1;
        if (lock >= 0) remove_tree(path);
        if (lock >= 0) close(lock);
        free(path);
    }
    if (dir) closedir(dir);
}

/* A new folder, to be freed; again if another process took it for a stale one before it was locked. */
static char *make_temporary(const char *place, error *err)
{
    char *path = file_join(place, PREFIX "XXXXXX");
    if (!path) return error_null(err, ERROR_MEMORY, "out of memory for a path in '%s'", place);
    size_t end = strlen(path) - 6;
    for (int tries = 0; tries < 5; ++tries) {
        strcpy(path + end, "XXXXXX");
        if (!mkdtemp(path)) break;
        if (lock_folder(path) >= 0) return path;
    }
    error_set(err, ERROR_IO, "'%s': %s", place, strerror(errno));
    free(path);
    return NULL;
}

/* Where PoCL would write; to be freed, NULL when memory is out. */
static char *usual_folder(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg && *xdg) return file_join(xdg, "pocl/kcache");
    return home && *home ? file_join(home, ".cache/pocl/kcache") : strdup("/tmp/pocl/kcache");
}

static void use_folder(const char *path)
{
    if (setenv("POCL_CACHE_DIR", path, 1) != 0) log_warn("out of memory for POCL_CACHE_DIR");
}

static bool use_cache(void)
{
    char *cache = file_cache_folder(), *path = cache ? file_join(cache, "pocl") : NULL;
    bool ok = path && file_check_folder(path, NULL);
    if (ok) use_folder(path);
    free(cache);
    free(path);
    return ok;
}

static void use_temporary(const error *why)
{
    const char *set = getenv("TMPDIR"), *place = set && *set ? set : "/tmp";
    error problem = { 0 };
    remove_stale(place);
    temporary = make_temporary(place, &problem);
    if (!temporary) {
        log_warn(
            "%s; nor is there a temporary folder, %s: PoCL cannot work without one; set POCL_CACHE_DIR to a "
            "folder that can be written",
            why->message, problem.message);
        return;
    }
    owner = getpid();
    atexit(driver_home_leave);
    use_folder(temporary);
    log_info("%s: compiled kernels are not kept; set DALLE_CL_CACHE to a folder that can be written",
             why->message);
}

static void prepare(void)
{
    const char *set = getenv("POCL_CACHE_DIR");
    error why = { 0 };
    if (set && *set) {
        if (!file_check_folder(set, &why)) log_warn("POCL_CACHE_DIR: %s; PoCL needs it", why.message);
        return;
    }
    char *usual = usual_folder();
    bool fine = !usual || file_check_folder(usual, &why) || why.code == ERROR_MEMORY;
    free(usual);
    if (!fine && !use_cache()) use_temporary(&why);
}

void driver_home_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}
