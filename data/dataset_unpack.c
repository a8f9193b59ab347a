/* dataset_unpack.c -- see dataset_unpack.h.
 * The limit is looked at whenever libarchive asks for more of the file, so that nothing between two
 * members, such as endless zeros, goes on unseen; and it asks for little at a time, which no packing makes
 * more than half a GB of.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_unpack.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

int64_t unpack_most(int64_t size)
{
    int64_t most;
    if (__builtin_mul_overflow(size, (int64_t)UNPACK_TIMES, &most)) return INT64_MAX;
    return most > INT64_MAX - UNPACK_FREE ? INT64_MAX : most + UNPACK_FREE;
}

/* Of all stages: what is packed twice may be large in between. */
static bool is_within(const unpack *u)
{
    for (int i = 0; i < archive_filter_count(u->tar); ++i)
        if (archive_filter_bytes(u->tar, i) > u->most) return false;
    return true;
}

static la_ssize_t on_read(struct archive *tar, void *of, const void **block)
{
    unpack *u = of;
    if (!is_within(u)) {
        u->exceeded = true;
        archive_set_error(tar, EFBIG, "it unpacks to too much");
        return -1;
    }
    ssize_t got;
    do {
        got = pread(u->file, u->block, UNPACK_BLOCK, (off_t)u->at);
    } while (got < 0 && errno == EINTR);
    if (got < 0) archive_set_error(tar, errno, "cannot be read: %s", strerror(errno));
    if (got > 0) u->at += got;
    *block = u->block;
    return got;
}

static la_int64_t on_skip(struct archive *tar, void *of, la_int64_t wanted)
{
    unpack *u = of;
    (void)tar;
    int64_t left = u->size > u->at ? u->size - u->at : 0, skipped = wanted < left ? wanted : left;
    u->at += skipped;
    return skipped;
}

static void know_filters(struct archive *tar)
{
    archive_read_support_filter_gzip(tar);
    archive_read_support_filter_bzip2(tar);
    archive_read_support_filter_compress(tar);
    archive_read_support_filter_lzip(tar);
    archive_read_support_filter_lzma(tar);
    archive_read_support_filter_xz(tar);
    archive_read_support_filter_lz4(tar);
    archive_read_support_filter_zstd(tar);
}

int unpack_open(unpack *u, struct archive *tar, int file, int64_t size)
{
    u->tar = tar;
    u->file = file;
    u->size = size;
    u->at = u->held = 0;
    u->exceeded = false;
    u->most = unpack_most(size);
    know_filters(tar);
    int code = archive_read_open2(tar, u, NULL, on_read, on_skip, NULL);
    if (code != ARCHIVE_OK || archive_filter_count(tar) <= 2) return code; /* one, and the file itself */
    archive_set_error(tar, EINVAL, "it is packed more than once");
    return ARCHIVE_FATAL;
}

bool unpack_pass(unpack *u, int64_t bytes)
{
    bool packed = archive_filter_code(u->tar, 0) != ARCHIVE_FILTER_NONE;
    if (packed && bytes > u->most - archive_filter_bytes(u->tar, 0)) u->exceeded = true;
    return !u->exceeded;
}

bool unpack_hold(unpack *u, int64_t bytes)
{
    if (bytes > u->most - u->held) return !(u->exceeded = true);
    u->held += bytes;
    return true;
}

bool unpack_refuse(const unpack *u, const char *path, const char *name, error *err)
{
    return error_set(
        err, ERROR_FORMAT,
        "%s: unpacks to more than %lld bytes, %d times its own and %lld, which no data set does%s%s%s", path,
        (long long)u->most, UNPACK_TIMES, (long long)UNPACK_FREE, name ? ": at member '" : "",
        name ? name : "", name ? "'" : "");
}
