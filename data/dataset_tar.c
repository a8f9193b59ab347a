/* dataset_tar.c -- lists tars through libarchive.
 * In a plain tar a picture is only located; its bytes are later read in place by any thread.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_source.h"
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512

typedef struct tar_reader {
    member_list *list;
    struct archive *tar;
    const char *path, *last; /* the tar's; the last member that was read */
    int file, source;
    int64_t bytes, end; /* of the tar; where the last member's data ends */
    error *err;
} tar_reader;

/* Where reading stopped making sense. */
static bool broken(const tar_reader *r, const char *what)
{
    return error_set(r->err, ERROR_FORMAT, "%s: %s, at byte %lld, %s%s%s; the file has %lld bytes", r->path,
                     what ? what : "the archive cannot be read", (long long)archive_filter_bytes(r->tar, 0),
                     r->last ? "after member '" : "before any member", r->last ? r->last : "",
                     r->last ? "'" : "", (long long)r->bytes);
}

static bool is_plain(const tar_reader *r, struct archive_entry *entry)
{
    return archive_filter_count(r->tar) == 1 && archive_filter_code(r->tar, 0) == ARCHIVE_FILTER_NONE &&
           archive_entry_sparse_count(entry) == 0;
}

static bool read_data(const tar_reader *r, member *m, bool text)
{
    char *bytes = arena_alloc(r->list->memory, (size_t)m->size + 1);
    if (!bytes) return error_set(r->err, ERROR_MEMORY, "%s: no memory for member '%s'", r->path, m->key);
    for (int64_t got = 0; got < m->size;) {
        la_ssize_t part = archive_read_data(r->tar, bytes + got, (size_t)(m->size - got));
        if (part < 0) return broken(r, archive_error_string(r->tar));
        if (part == 0) return broken(r, "a member is cut short");
        got += part;
    }
    if (text && strlen(bytes) != (size_t)m->size)
        return error_set(r->err, ERROR_FORMAT, "%s: the text of '%s' holds a zero byte", r->path, m->key);
    if (text)
        m->text = bytes;
    else
        m->bytes = bytes;
    return true;
}

static bool add_member(tar_reader *r, struct archive_entry *entry, const char *name)
{
    member m = { .size = archive_entry_size(entry), .source = r->source };
    size_t length;
    while (strncmp(name, "./", 2) == 0) name += 2;
    if (!source_kind(name, true, &m.kind, &length)) return true;
    char *key = arena_strdup(r->list->memory, name);
    if (!key) return error_set(r->err, ERROR_MEMORY, "%s: no memory to list it", r->path);
    key[length] = 0;
    m.key = key;
    if (m.kind == MEMBER_PICTURE && m.size > SOURCE_MAX_PICTURE)
        return error_set(r->err, ERROR_FORMAT, "%s: picture '%s' has %lld bytes; at most %d are read",
                         r->path, m.key, (long long)m.size, SOURCE_MAX_PICTURE);
    if (m.kind == MEMBER_PICTURE && is_plain(r, entry))
        m.offset = archive_filter_bytes(r->tar, 0);
    else if (m.kind == MEMBER_PICTURE || m.size <= source_text_limit(m.kind))
        if (!read_data(r, &m, m.kind != MEMBER_PICTURE)) return false;
    return source_add(r->list, &m, r->err);
}

static bool read_member(tar_reader *r, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname_utf8(entry);
    if (!name) name = archive_entry_pathname(entry);
    if (!name) return broken(r, "a member's name cannot be read");
    r->last = arena_strdup(r->list->memory, name);
    if (!r->last) return error_set(r->err, ERROR_MEMORY, "%s: no memory to list it", r->path);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) return true;
    if (is_plain(r, entry)) {
        int64_t start = archive_filter_bytes(r->tar, 0), size = archive_entry_size(entry);
        if (size > r->bytes - start)
            return error_set(r->err, ERROR_FORMAT,
                             "%s: cut short: member '%s' needs bytes %lld to %lld, the file has %lld",
                             r->path, name, (long long)start, (long long)(start + size), (long long)r->bytes);
        r->end = (start + size + BLOCK - 1) / BLOCK * BLOCK;
    }
    return add_member(r, entry, name);
}

/* A tar ends with blocks of zeros; without them it was cut between two members. */
static bool check_end(const tar_reader *r)
{
    if (archive_filter_count(r->tar) != 1 || archive_filter_code(r->tar, 0) != ARCHIVE_FILTER_NONE)
        return true;
    char block[BLOCK];
    bool marked = pread(r->file, block, BLOCK, (off_t)r->end) == BLOCK;
    for (int i = 0; marked && i < BLOCK; ++i) marked = block[i] == 0;
    return marked || broken(r, "the archive's end mark is missing, so it may be cut short");
}

static bool read_members(tar_reader *r)
{
    for (;;) {
        struct archive_entry *entry;
        int code = archive_read_next_header(r->tar, &entry);
        if (code == ARCHIVE_EOF) return check_end(r);
        if (code < ARCHIVE_WARN) return broken(r, archive_error_string(r->tar));
        if (!read_member(r, entry)) return false;
    }
}

bool source_tar(member_list *list, const char *path, int file, int source, error *err)
{
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        return error_set(err, ERROR_IO, "'%s' is neither a file nor a folder", path);
    tar_reader r = {
        .list = list, .path = path, .file = file, .source = source, .bytes = about.st_size, .err = err
    };
    if (r.bytes == 0) return error_set(err, ERROR_FORMAT, "%s: is empty, not a tar", path);
    r.tar = archive_read_new();
    if (!r.tar) return error_set(err, ERROR_MEMORY, "no memory to read '%s'", path);
    archive_read_support_filter_all(r.tar);
    archive_read_support_format_tar(r.tar);
    bool done;
    if (archive_read_open_fd(r.tar, file, 1 << 16) != ARCHIVE_OK)
        done = error_set(err, ERROR_FORMAT, "%s: not a tar: %s", path, archive_error_string(r.tar));
    else
        done = read_members(&r);
    archive_read_free(r.tar);
    return done;
}
