/* dataset_tar.c -- lists tars through libarchive.
 * In a plain tar a picture is only located; its bytes are later read in place by any thread.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_link.h"
#include "data/dataset_shards.h"
#include "data/dataset_unpack.h"
#include "host/base/log.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512

typedef struct tar_reader {
    member_list *list;
    link_table names;
    struct archive *tar;
    const char *path, *last; /* the tar's; the last member that was read */
    int file, source;
    int64_t bytes, end; /* of the tar; where the last member ends */
    bool damaged;       /* from here on; what stands before is whole */
    error *err;
    unpack unpack;
} tar_reader;

/* Where reading stopped making sense. */
static bool broken(tar_reader *r, const char *what)
{
    if (r->unpack.exceeded) return unpack_refuse(&r->unpack, r->path, r->last, r->err);
    r->damaged = true;
    return error_set(r->err, ERROR_FORMAT, "%s: %s, at byte %lld, %s%s%s; the file has %lld bytes", r->path,
                     what ? what : "the archive cannot be read", (long long)archive_filter_bytes(r->tar, 0),
                     r->last ? "after member '" : "before any member", r->last ? r->last : "",
                     r->last ? "'" : "", (long long)r->bytes);
}

static bool no_memory(const tar_reader *r)
{
    return error_set(r->err, ERROR_MEMORY, "%s: no memory to list it", r->path);
}

static bool is_packed(const tar_reader *r)
{
    return archive_filter_count(r->tar) != 1 || archive_filter_code(r->tar, 0) != ARCHIVE_FILTER_NONE;
}

/* libarchive says so of want of memory, too, which is no damage. */
static bool broken_archive(tar_reader *r)
{
    const char *what = archive_error_string(r->tar);
    return archive_errno(r->tar) == ENOMEM ? no_memory(r) : broken(r, what);
}

static bool read_data(tar_reader *r, member *m, bool text)
{
    bool located = !text && r->list->locate;
    if (!source_hold(r->list, m->size, r->err)) return false;
    /* What sparse files claim has no other limit. */
    if (!(located && is_packed(r)) && !unpack_hold(&r->unpack, m->size)) return broken(r, NULL);
    if (located) return true;
    char *bytes = arena_alloc(r->list->memory, (size_t)m->size + 1);
    if (!bytes) return error_set(r->err, ERROR_MEMORY, "%s: no memory for member '%s'", r->path, m->name);
    for (int64_t got = 0; got < m->size;) {
        la_ssize_t part = archive_read_data(r->tar, bytes + got, (size_t)(m->size - got));
        if (part < 0) return broken_archive(r);
        if (part == 0) return broken(r, "a member is cut short");
        got += part;
    }
    if (text)
        m->text = bytes;
    else
        m->bytes = bytes;
    return true;
}

/* `offset` < 0 where the bytes do not lie in the file as they are. */
static bool add_member(tar_reader *r, member *m, int64_t offset)
{
    m->offset = offset;
    if ((m->kind != MEMBER_PICTURE || offset < 0) && m->size <= source_limit(m->kind))
        if (!read_data(r, m, m->kind != MEMBER_PICTURE)) return false;
    return source_add(r->list, m, r->err);
}

static bool leave_out_large(const tar_reader *r, const member *m)
{
    char why[80];
    snprintf(why, sizeof why, "has %lld bytes; at most %d are read", (long long)m->size, SOURCE_MAX_PICTURE);
    return source_leave_out(r->list, r->source, m->name, why, r->err);
}

static bool read_file(tar_reader *r, struct archive_entry *entry, const char *name)
{
    link_entry file = { .name = name, .item = -1, .offset = -1, .size = archive_entry_size(entry) };
    file.place = archive_filter_bytes(r->tar, 0);
    if (file.size < 0) return broken(r, "a member's size is below 0");
    if (!is_packed(r) && archive_entry_sparse_count(entry) == 0) {
        file.offset = archive_filter_bytes(r->tar, 0);
        r->damaged = file.size > r->bytes - file.offset;
        if (r->damaged)
            return error_set(r->err, ERROR_FORMAT,
                             "%s: cut short: member '%s' needs bytes %lld to %lld, the file has %lld",
                             r->path, name, (long long)file.offset, (long long)(file.offset + file.size),
                             (long long)r->bytes);
    }
    member m = { .name = name, .size = file.size, .place = file.place, .source = r->source };
    m.head = archive_read_header_position(r->tar);
    if (source_kind_in(r->list, name, &m)) {
        if (m.kind == MEMBER_PICTURE && m.size > SOURCE_MAX_PICTURE) return leave_out_large(r, &m);
        if (!add_member(r, &m, file.offset)) return false;
        file.item = r->list->count - 1;
    }
    return link_add(&r->names, &file, r->err);
}

/* What a link leads to may come later, so it stands in the list for now. */
static bool read_link(tar_reader *r, const char *name, const char *target, bool symbolic)
{
    bool memory;
    link_entry link = { .name = name, .item = -1, .link = true };
    link.target = link_name(r->list->memory, symbolic ? name : NULL, target, &memory);
    if (memory) return no_memory(r);
    member m = { .name = name, .head = archive_read_header_position(r->tar), .source = r->source };
    if (source_kind_in(r->list, name, &m)) {
        if (!source_add(r->list, &m, r->err)) return false;
        link.item = r->list->count - 1;
    }
    return link_add(&r->names, &link, r->err);
}

static bool read_other(const tar_reader *r, const char *name, const char *why)
{
    member m;
    return !source_kind_in(r->list, name, &m) || source_leave_out(r->list, r->source, name, why, r->err);
}

/* A hard link may carry the file's bytes again; then it is as good as a file. */
static bool read_member(tar_reader *r, struct archive_entry *entry)
{
    const char *given = archive_entry_pathname_utf8(entry);
    if (!given) given = archive_entry_pathname(entry);
    if (!given) return broken(r, "a member's name cannot be read");
    bool memory;
    const char *name = link_name(r->list->memory, NULL, given, &memory);
    bool outside = !name && !memory;
    if (outside) name = arena_strdup(r->list->memory, given);
    if (!(r->last = name)) return no_memory(r);
    if (outside) return read_other(r, name, "its name leads out of the tar");
    const char *hard = archive_entry_hardlink_utf8(entry), *symbolic = archive_entry_symlink_utf8(entry);
    if (!hard) hard = archive_entry_hardlink(entry);
    if (!symbolic) symbolic = archive_entry_symlink(entry);
    if (!unpack_pass(&r->unpack, archive_entry_size(entry))) return broken(r, NULL);
    if (hard && archive_entry_size(entry) == 0) return read_link(r, name, hard, false);
    if (archive_entry_filetype(entry) == AE_IFLNK && symbolic) return read_link(r, name, symbolic, true);
    if (archive_entry_filetype(entry) == AE_IFDIR) return true;
    if (archive_entry_filetype(entry) != AE_IFREG && !hard)
        return read_other(r, name, "neither a file nor a link");
    return read_file(r, entry, name);
}

/* A tar ends with blocks of zeros; without them it was cut between two members. */
static bool check_end(tar_reader *r)
{
    if (is_packed(r)) return true;
    char block[BLOCK];
    bool marked = pread(r->file, block, BLOCK, (off_t)r->end) == BLOCK;
    for (int i = 0; marked && i < BLOCK; ++i) marked = block[i] == 0;
    return marked || broken(r, "the archive's end mark is missing, so it may be cut short");
}

/* Whatever the member's type, skipping its data leads to its end. */
static bool skip_data(tar_reader *r)
{
    if (archive_read_data_skip(r->tar) < ARCHIVE_WARN) return broken_archive(r);
    r->end = archive_filter_bytes(r->tar, 0);
    return true;
}

static bool read_members(tar_reader *r)
{
    for (;;) {
        struct archive_entry *entry;
        int code = archive_read_next_header(r->tar, &entry);
        if (code == ARCHIVE_EOF) return check_end(r);
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return broken_archive(r);
        if (!read_member(r, entry) || !skip_data(r)) return false;
    }
}

/* Of a damaged tar what stands before the damage, where that is allowed; else the error says how.  What has
 * no member at all, nor the name of a tar, is a mistake and not a shard. */
static bool settle(tar_reader *r, bool done)
{
    if (done || !r->damaged) return done;
    error why = *r->err;
    bool none = !r->last, mistaken = none && !shards_is_tar(r->path);
    if (!r->list->lenient && !none)
        return error_set(r->err, why.code, "%s; '%s?cut=use' uses what stands before", why.message, r->path);
    if (!r->list->lenient || mistaken) return false;
    log_warn("%s; %s", why.message, none ? "it is passed over" : "what stands before is used");
    size_t place = strlen(r->path); /* stands before the message, and before every line of what is left out */
    bool placed = strncmp(why.message, r->path, place) == 0 && why.message[place] == ':';
    return source_leave_out(r->list, r->source, none ? "all of it" : "its end",
                            why.message + (placed ? place + 2 : 0), r->err);
}

static bool not_a_tar(const tar_reader *r)
{
    static const unsigned char zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
    unsigned char start[4] = { 0 };
    bool packed = pread(r->file, start, 4, 0) == 4 && memcmp(start, zstd, 4) == 0;
    return error_set(r->err, ERROR_FORMAT, "%s: not a tar: %s%s", r->path, archive_error_string(r->tar),
                     packed ? "; it is packed by zstd, which this libarchive may have been built without: "
                              "unpack it with 'zstd -d'"
                            : "");
}

static bool read_tar(tar_reader *r)
{
    if (r->bytes == 0)
        return r->damaged = true, error_set(r->err, ERROR_FORMAT, "%s: is empty, not a tar", r->path);
    r->tar = archive_read_new();
    if (!r->tar) return error_set(r->err, ERROR_MEMORY, "no memory to read '%s'", r->path);
    archive_read_support_format_tar(r->tar);
    archive_read_set_option(r->tar, "tar", "read_concatenated_archives",
                            "1"); /* as 'cat a.tar b.tar' makes */
    r->names.most = unpack_most(r->bytes);
    if (unpack_open(&r->unpack, r->tar, r->file, r->bytes) != ARCHIVE_OK)
        return r->damaged = archive_errno(r->tar) != ENOMEM, not_a_tar(r);
    return read_members(r);
}

bool source_tar(member_list *list, const char *path, int file, int source, error *err)
{
    struct stat about;
    error why = { 0 };
    if (fstat(file, &about) != 0)
        return error_set(err, ERROR_IO, "cannot look at '%s': %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return error_set(err, ERROR_IO, "'%s' is neither a file nor a folder", path);
    tar_reader r = {
        .list = list, .path = path, .file = file, .source = source, .bytes = about.st_size, .err = &why
    };
    bool done = settle(&r, read_tar(&r)) && link_resolve(&r.names, list, file, &why);
    free(r.names.items);
    archive_read_free(r.tar);
    if (!done && err) *err = why;
    return done;
}
