/* program_cache.c -- program binaries on disk, under <cache folder>/programs/<key>.bin.
 * Key: device_key of everything the compiler's output depends on, the driver's version included (drivers
 * accept stale binaries and then compute nonsense).  File: magic, version, length, checksum, binary;
 * written under a temporary name and renamed, so that two processes at once are safe.  Any failure
 * deletes the entry and the program is compiled from source: the cache is never a reason to fail.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_VERSION 1

typedef struct entry_header {
    char magic[8];
    uint32_t version, reserved;
    uint64_t length;
    char checksum[64];
} entry_header;

static const char MAGIC[8] = "DALLECLB";

/* Whether binaries are worth keeping; the one place to exempt a driver.  They are on PoCL 3.1 in spite
 * of its own cache: building five small programs takes 20 ms from these, 540 ms from that alone. */
static bool caches(const device *d)
{
    return d->cache_folder != NULL;
}

static char *entry_path(const device *d, const char key[65])
{
    char name[96];
    snprintf(name, sizeof name, "programs/%s.bin", key);
    return file_join(d->cache_folder, name);
}

static void checksum(const void *bytes, size_t length, char hex[65])
{
    hash h;
    hash_start(&h);
    hash_bytes(&h, bytes, length);
    hash_finish(&h, hex);
}

/* The binary inside a whole, undamaged file, or NULL. */
static const unsigned char *entry_binary(const char *file, size_t size, size_t *length)
{
    entry_header header;
    char sum[65];
    if (size < sizeof header) return NULL;
    memcpy(&header, file, sizeof header);
    if (memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 || header.version != FORMAT_VERSION) return NULL;
    if (header.length != size - sizeof header || header.length == 0) return NULL;
    checksum(file + sizeof header, size - sizeof header, sum);
    if (memcmp(sum, header.checksum, sizeof header.checksum) != 0) return NULL;
    *length = size - sizeof header;
    return (const unsigned char *)file + sizeof header;
}

cl_program program_cache_binary(device *d, const void *bytes, size_t length, const char *options)
{
    const unsigned char *binary = bytes;
    cl_int status, loaded;
    cl_program built =
        clCreateProgramWithBinary(opencl(d)->context, 1, &opencl(d)->id, &length, &binary, &loaded, &status);
    if (status != CL_SUCCESS) return NULL;
    if (loaded == CL_SUCCESS && clBuildProgram(built, 1, &opencl(d)->id, options, NULL, NULL) == CL_SUCCESS)
        return built;
    clReleaseProgram(built);
    return NULL;
}

cl_program program_cache_load(device *d, const char key[65], const char *options)
{
    if (!caches(d)) return NULL;
    char *path = entry_path(d, key);
    if (!path || !file_exists(path)) {
        free(path);
        return NULL;
    }
    size_t size = 0, length = 0;
    char *file = file_read(path, &size, NULL);
    const unsigned char *binary = file ? entry_binary(file, size, &length) : NULL;
    cl_program built = binary ? program_cache_binary(d, binary, length, options) : NULL;
    if (!built) {
        log_verbose("program cache: dropping the unusable entry %s", path);
        unlink(path);
    }
    free(file);
    free(path);
    return built;
}

static bool write_entry(const char *path, const void *binary, size_t length)
{
    entry_header header = { .version = FORMAT_VERSION, .length = length };
    char sum[65];
    checksum(binary, length, sum);
    memcpy(header.magic, MAGIC, sizeof MAGIC);
    memcpy(header.checksum, sum, sizeof header.checksum);
    file_atomic f;
    if (!file_atomic_open(&f, path, NULL)) return false;
    if (fwrite(&header, sizeof header, 1, f.stream) != 1 || fwrite(binary, 1, length, f.stream) != length) {
        file_atomic_abandon(&f);
        return false;
    }
    return file_atomic_commit(&f, NULL);
}

void program_cache_keep(device *d, const char key[65], const void *binary, size_t length)
{
    if (!caches(d)) return;
    char *path = entry_path(d, key), *folder = file_join(d->cache_folder, "programs");
    if (path && folder && file_make_folders(folder, NULL) && !write_entry(path, binary, length))
        log_verbose("program cache: could not write %s", path);
    free(folder);
    free(path);
}

void program_cache_save(device *d, const char key[65], cl_program built)
{
    size_t length = 0;
    if (!caches(d) ||
        clGetProgramInfo(built, CL_PROGRAM_BINARY_SIZES, sizeof length, &length, NULL) != CL_SUCCESS ||
        length == 0)
        return;
    unsigned char *binary = malloc(length);
    if (binary && clGetProgramInfo(built, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        program_cache_keep(d, key, binary, length);
    free(binary);
}
