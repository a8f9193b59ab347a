/* program_store.c -- see program_store.h.
 * SPDX-License-Identifier: MIT */
#include "host/device/program_store.h"
#include "host/device/backend.h"
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

/* The one place to exempt a driver.  They are kept on PoCL 3.1 in spite of its own cache: building five small
 * programs takes 20 ms from these, 540 ms from that alone. */
bool program_store_keeps(const device *d)
{
    return d->cache_folder != NULL;
}

void program_store_announce(device *d, const char *file)
{
    if (d->building || strncmp(file, "device/", 7) == 0) return;
    d->building = true;
    log_info("building kernels for '%s': %s", d->info.name,
             program_store_keeps(d) ? "once for this device and driver, then they are kept"
                                    : "each time, for there is no folder to keep them in");
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

/* Where the binary begins inside a whole, undamaged file; 0: it is none. */
static size_t binary_begin(const char *file, size_t size)
{
    entry_header header;
    char sum[65];
    if (size < sizeof header) return 0;
    memcpy(&header, file, sizeof header);
    if (memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 || header.version != FORMAT_VERSION) return 0;
    if (header.length != size - sizeof header || header.length == 0) return 0;
    checksum(file + sizeof header, size - sizeof header, sum);
    return memcmp(sum, header.checksum, sizeof header.checksum) == 0 ? sizeof header : 0;
}

void program_store_drop(const device *d, const char key[65])
{
    char *path = program_store_keeps(d) ? entry_path(d, key) : NULL;
    if (path) {
        log_verbose("program cache: dropping the unusable entry %s", path);
        unlink(path);
    }
    free(path);
}

void *program_store_load(const device *d, const char key[65], size_t *bytes)
{
    char *path = program_store_keeps(d) ? entry_path(d, key) : NULL;
    if (!path || !file_exists(path)) {
        free(path);
        return NULL;
    }
    size_t size = 0;
    char *file = file_read(path, &size, NULL);
    free(path);
    const size_t begin = file ? binary_begin(file, size) : 0;
    if (begin == 0) {
        program_store_drop(d, key);
        free(file);
        return NULL;
    }
    *bytes = size - begin;
    memmove(file, file + begin, *bytes);
    return file;
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

void program_store_keep(const device *d, const char key[65], const void *binary, size_t bytes)
{
    if (!program_store_keeps(d)) return;
    char *path = entry_path(d, key), *folder = file_join(d->cache_folder, "programs");
    if (path && folder && file_make_folders(folder, NULL) && !write_entry(path, binary, bytes))
        log_verbose("program cache: could not write %s", path);
    free(folder);
    free(path);
}
