/* check_source.c -- see check_source.h.
 * Where libarchive cannot read on in a plain tar, what follows is passed over up to the next block that is a
 * header, as its checksum tells; where it can, block by block, that is one finding.
 * SPDX-License-Identifier: MIT */
#include "data/check_source.h"
#include "host/base/arena.h"
#include "host/base/file.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512

struct check_source {
    const char *const *paths;
    bool *walks; /* by path */
    int count, at;
    FTS *folder;
    const char *inside; /* a tar in a folder, or the path itself */
    arena *names;       /* of tars in folders */
    struct archive *tar;
    int file;
    int64_t base, size; /* of the tar: where reading began; all */
    int64_t done, all;
    bool lost;   /* behind an overwritten header, until the next */
    bool memory; /* ran out */
};

void check_member_free(check_member *m)
{
    free(m->name);
    free(m->path);
    free(m->bytes);
    free(m->problem);
    *m = (check_member){ 0 };
}

char *check_member_keep(check_member *m, const char *text)
{
    char *copy = strdup(text);
    if (!copy) m->memory = true;
    return copy;
}

static bool is_tar_name(const char *name)
{
    static const char *const endings[] = { ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2" };
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
        size_t own = strlen(endings[i]);
        if (length > own && strcmp(name + length - own, endings[i]) == 0) return true;
    }
    return false;
}

/* ---- Tars ---- */

static struct archive *begin(check_source *s, int file, int64_t from)
{
    struct archive *tar = archive_read_new();
    if (!tar) s->memory = true;
    if (!tar || lseek(file, (off_t)from, SEEK_SET) < 0 ||
        archive_read_support_filter_all(tar) < ARCHIVE_WARN ||
        archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_open_fd(tar, file, 1 << 16) != ARCHIVE_OK) {
        if (tar && archive_errno(tar) == ENOMEM) s->memory = true;
        archive_read_free(tar);
        return NULL;
    }
    return tar;
}

static bool open_tar(check_source *s, const char *path)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    s->size = fstat(file, &about) == 0 ? (int64_t)about.st_size : 0;
    s->tar = begin(s, file, 0);
    if (!s->tar) {
        close(file);
        return false;
    }
    s->file = file;
    s->base = 0;
    s->lost = false;
    s->inside = path;
    return true;
}

static void close_tar(check_source *s)
{
    if (!s->tar) return;
    archive_read_free(s->tar);
    close(s->file);
    s->tar = NULL;
    s->inside = NULL;
    s->done += s->size;
}

/* POSIX 1003.1: the header's bytes add up to what stands at 148, the sum itself counted as spaces. */
static bool is_header(const unsigned char *block)
{
    unsigned sum = 0;
    if (memcmp(block + 257, "ustar", 5) != 0) return false;
    for (int i = 0; i < BLOCK; ++i) sum += i >= 148 && i < 156 ? ' ' : block[i];
    return strtoul((const char *)block + 148, NULL, 8) == sum;
}

/* Goes on at the next header behind byte `from`; false where there is none, or the tar is compressed. */
static bool resume(check_source *s, int64_t from)
{
    unsigned char block[BLOCK];
    if (archive_filter_code(s->tar, 0) != ARCHIVE_FILTER_NONE) return false;
    for (int64_t at = (from / BLOCK + 1) * BLOCK; at + BLOCK <= s->size; at += BLOCK) {
        if (pread(s->file, block, BLOCK, (off_t)at) != BLOCK) return false;
        if (!is_header(block)) continue;
        struct archive *tar = begin(s, s->file, at);
        if (!tar) return false;
        archive_read_free(s->tar);
        s->tar = tar;
        s->base = at;
        return true;
    }
    return false;
}

/* The tar is unreadable here; the walk goes on behind, or with what comes after the tar. */
static bool broken(check_source *s, check_member *m, bool fatal)
{
    char text[400];
    int64_t at = s->base + archive_filter_bytes(s->tar, 0);
    const char *why = archive_error_string(s->tar);
    snprintf(text, sizeof text, "%s, at byte %lld of %lld", why ? why : "the archive cannot be read",
             (long long)at, (long long)s->size);
    m->source = s->inside;
    m->problem = check_member_keep(m, text);
    if (archive_errno(s->tar) == ENOMEM) m->memory = true;
    s->lost = !fatal;
    if (!fatal || resume(s, at)) return true;
    close_tar(s);
    if (!s->folder) ++s->at;
    return true;
}

static bool read_bytes(check_source *s, check_member *m)
{
    int64_t got = 0, size = m->about.size;
    m->bytes = calloc((size_t)size + 1, 1);
    la_ssize_t part = 1;
    while (m->bytes && got < size &&
           (part = archive_read_data(s->tar, m->bytes + got, (size_t)(size - got))) > 0)
        got += part;
    if (!m->bytes || (part < 0 && archive_errno(s->tar) == ENOMEM)) return m->memory = true, false;
    if (got == size) return true;
    char text[200];
    snprintf(text, sizeof text, "is cut short: %lld of %lld bytes are there", (long long)got,
             (long long)size);
    m->problem = check_member_keep(m, text);
    return false;
}

static bool too_large(check_member *m)
{
    char text[120];
    if (m->about.size <= source_limit(m->about.kind)) return false;
    snprintf(text, sizeof text, "has %lld bytes; at most %lld are read", (long long)m->about.size,
             (long long)source_limit(m->about.kind));
    m->problem = check_member_keep(m, text);
    return true;
}

/* False: the tar is at its end. */
static bool next_of_tar(check_source *s, check_member *m)
{
    struct archive_entry *entry;
    for (;;) {
        int code = archive_read_next_header(s->tar, &entry);
        if (code == ARCHIVE_EOF) return false;
        if (code == ARCHIVE_RETRY && s->lost) continue;
        if (code < ARCHIVE_WARN || code == ARCHIVE_RETRY) return broken(s, m, code != ARCHIVE_RETRY);
        s->lost = false;
        const char *name = archive_entry_pathname_utf8(entry);
        if (!name) name = archive_entry_pathname(entry);
        if (!name || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) continue;
        while (strncmp(name, "./", 2) == 0) name += 2;
        if (!source_kind(name, &m->about)) continue;
        m->source = s->inside;
        m->name = check_member_keep(m, name);
        m->about.size = archive_entry_size(entry);
        if (!too_large(m)) read_bytes(s, m);
        return true;
    }
}

/* ---- Folders ---- */

static int by_name(const FTSENT **left, const FTSENT **right)
{
    return strcmp((*left)->fts_name, (*right)->fts_name);
}

static FTS *open_folder(const char *path)
{
    char *const roots[] = { (char *)(uintptr_t)path, NULL };
    return fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
}

static bool is_hidden(const FTSENT *e)
{
    return e->fts_level > 0 && (*e->fts_name == '.' || strcmp(e->fts_name, "__MACOSX") == 0);
}

static bool take_entry(check_source *s, check_member *m, const FTSENT *e)
{
    const char *root = s->paths[s->at], *name = e->fts_path + strlen(root), *problem = NULL;
    while (*name == '/') ++name;
    if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
        problem = strerror(e->fts_errno);
    if (e->fts_info == FTS_SLNONE) problem = "a link that leads nowhere";
    if (e->fts_info == FTS_DC) problem = "a link that leads back to a folder it lies in";
    bool known = source_kind(name, &m->about);
    if (e->fts_info == FTS_DEFAULT && known) problem = "neither a file nor a folder";
    bool folder = e->fts_info == FTS_DNR || e->fts_info == FTS_DC;
    if (problem ? !known && !folder : e->fts_info != FTS_F) return false;
    m->source = root;
    if (!problem && is_tar_name(e->fts_name)) {
        const char *path = arena_strdup(s->names, e->fts_path);
        if (path && open_tar(s, path)) return next_of_tar(s, m) || (close_tar(s), false);
        problem = "is no tar, whatever its name says";
        known = true;
    }
    if (!problem && !known) return false;
    m->name = check_member_keep(m, name);
    m->about.size = e->fts_info == FTS_F ? (int64_t)e->fts_statp->st_size : 0;
    s->done += m->about.size;
    if (problem)
        m->problem = check_member_keep(m, problem);
    else if (!too_large(m))
        m->path = check_member_keep(m, e->fts_path);
    return true;
}

static bool next_of_folder(check_source *s, check_member *m)
{
    for (FTSENT *e; (e = fts_read(s->folder));) {
        if (is_hidden(e)) {
            fts_set(s->folder, e, FTS_SKIP);
            continue;
        }
        if (e->fts_info != FTS_D && e->fts_info != FTS_DP && take_entry(s, m, e)) return true;
    }
    return false;
}

/* ---- All ---- */

/* Bytes of what will be read, for the time that is left. */
static int64_t measure(const char *path)
{
    struct stat about;
    int64_t bytes = 0;
    if (!file_is_folder(path)) return stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
    FTS *folder = open_folder(path);
    member m;
    for (FTSENT *e; folder && (e = fts_read(folder));) {
        if (is_hidden(e))
            fts_set(folder, e, FTS_SKIP);
        else if (e->fts_info == FTS_F && (is_tar_name(e->fts_name) || source_kind(e->fts_name, &m)))
            bytes += (int64_t)e->fts_statp->st_size;
    }
    if (folder) fts_close(folder);
    return bytes;
}

/* A file whose first header libarchive takes, or that is called a tar. */
static bool is_tar(check_source *s, const char *path)
{
    struct archive_entry *entry;
    if (!open_tar(s, path)) return false;
    int code = archive_read_next_header(s->tar, &entry);
    bool named = is_tar_name(path);
    close_tar(s);
    return code >= ARCHIVE_WARN || named;
}

check_source *check_source_open(const char *const *paths, int count, error *err)
{
    check_source *s = calloc(1, sizeof *s);
    if (s) s->walks = calloc((size_t)count + 1, sizeof *s->walks);
    if (s) s->names = arena_create();
    if (!s || !s->walks || !s->names) {
        check_source_close(s);
        return error_null(err, ERROR_MEMORY, "out of memory for %d sources", count);
    }
    s->paths = paths;
    s->count = count;
    for (int i = 0; i < count; ++i) {
        s->walks[i] = file_is_folder(paths[i]) || is_tar(s, paths[i]);
        if (s->walks[i]) s->all += measure(paths[i]);
    }
    s->done = 0;
    if (!s->memory) return s;
    check_source_close(s);
    return error_null(err, ERROR_MEMORY, "out of memory for %d sources", count);
}

void check_source_close(check_source *s)
{
    if (!s) return;
    close_tar(s);
    if (s->folder) fts_close(s->folder);
    free(s->walks);
    arena_destroy(s->names);
    free(s);
}

/* Opens path `at`; false: it is not walked through, or cannot be. */
static bool open_path(check_source *s, check_member *m)
{
    const char *path = s->paths[s->at];
    if (!s->walks[s->at]) return false;
    if (!file_is_folder(path)) return open_tar(s, path);
    s->folder = open_folder(path);
    if (s->folder) return true;
    m->source = path;
    m->problem = check_member_keep(m, strerror(errno));
    return false;
}

/* Memory that ran out is a member that is not as it says. */
static bool no_memory(const check_source *s, check_member *m)
{
    m->source = s->paths[s->at];
    return m->memory = true;
}

bool check_source_next(check_source *s, check_member *m)
{
    while (s->at < s->count) {
        if (s->tar) {
            if (next_of_tar(s, m)) return true;
            close_tar(s);
            if (!s->folder) ++s->at;
            continue;
        }
        if (s->folder) {
            errno = 0;
            if (next_of_folder(s, m)) return true;
            if (errno == ENOMEM || s->memory) return s->memory = false, no_memory(s, m);
            fts_close(s->folder);
            s->folder = NULL;
            ++s->at;
            continue;
        }
        if (open_path(s, m)) continue;
        if (s->memory) return s->memory = false, no_memory(s, m);
        ++s->at;
        if (m->problem) return true;
    }
    return false;
}

bool check_source_walks(const check_source *s, int i)
{
    return s->walks[i];
}

void check_source_progress(const check_source *s, int64_t *done, int64_t *all)
{
    *done = s->done + (s->tar ? archive_filter_bytes(s->tar, -1) + s->base : 0);
    *all = s->all;
}
