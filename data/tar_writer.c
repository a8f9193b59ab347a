/* tar_writer.c -- through libarchive.
 * SPDX-License-Identifier: MIT */
#include "data/tar_writer.h"
#include "host/base/file.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tar_writer {
    struct archive *tar;
    file_atomic file;
    const char *path; /* the caller's, while the writer is open */
};

bool tar_writer_failed(struct archive *tar, const char *path, error *err)
{
    int code = tar ? archive_errno(tar) : ENOMEM;
    const char *why = code > 0 ? strerror(code) : archive_error_string(tar);
    return error_set(err, ERROR_IO, "cannot write '%s': %s", path, why ? why : "no memory");
}

static bool failed(const tar_writer *w, error *err)
{
    return tar_writer_failed(w->tar, w->path, err);
}

tar_writer *tar_writer_open(const char *path, error *err)
{
    tar_writer *w = calloc(1, sizeof *w);
    if (!w) return error_null(err, ERROR_MEMORY, "no memory to write '%s'", path);
    w->path = path;
    if (!file_atomic_open(&w->file, path, err)) {
        free(w);
        return NULL;
    }
    w->tar = archive_write_new();
    if (w->tar && archive_write_set_format_ustar(w->tar) == ARCHIVE_OK &&
        archive_write_open_FILE(w->tar, w->file.stream) == ARCHIVE_OK)
        return w;
    failed(w, err);
    tar_writer_close(w, false, NULL);
    return NULL;
}

bool tar_writer_add(tar_writer *w, const char *key, const char *extension, const void *bytes, size_t size,
                    error *err)
{
    char name[1024];
    snprintf(name, sizeof name, "%s.%s", key, extension);
    struct archive_entry *entry = archive_entry_new();
    if (!entry) return failed(w, err);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 0, 0); /* the same input, the same bytes */
    bool done = archive_write_header(w->tar, entry) == ARCHIVE_OK &&
                archive_write_data(w->tar, bytes, size) == (la_ssize_t)size;
    archive_entry_free(entry);
    return done || failed(w, err);
}

bool tar_writer_close(tar_writer *w, bool whole, error *err)
{
    if (!w) return false;
    if (whole && archive_write_close(w->tar) != ARCHIVE_OK) whole = failed(w, err);
    archive_write_free(w->tar);
    if (whole)
        whole = file_atomic_commit(&w->file, err);
    else
        file_atomic_abandon(&w->file);
    free(w);
    return whole;
}
