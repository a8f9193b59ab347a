/* dataset_stream.c -- see dataset_stream.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_stream.h"
#include "data/dataset_source.h"
#include "data/dataset_tar_name.h"
#include "data/dataset_unpack.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A member that was passed; those of one stream stand in the order of the tar. */
typedef struct passed {
    int64_t head, place, size;
    char *name, *bytes; /* a NUL behind them */
} passed;

typedef struct stream {
    int tar;
    int file;
    struct archive *archive;
    unpack unpack;
    uint64_t used; /* when last; 0: never */
    passed *kept;  /* those from `first` on */
    int64_t first, count, room, bytes;
    int64_t at; /* the header read last begins here */
} stream;

struct streams {
    const char *const *paths;
    int64_t most, held, rewound;
    pthread_mutex_t lock;
    uint64_t now;
    stream open[STREAMS_OPEN];
};

streams *streams_create(const char *const *paths, int64_t kept, error *err)
{
    streams *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return error_null(err, ERROR_MEMORY, "no memory to read compressed tars");
    }
    s->paths = paths;
    s->most = kept;
    return s;
}

static void forget_first(streams *s, stream *t)
{
    passed *p = &t->kept[t->first++];
    s->held -= p->size;
    t->bytes -= p->size;
    free(p->name);
    free(p->bytes);
}

static void end_stream(streams *s, stream *t)
{
    while (t->first < t->count) forget_first(s, t);
    free(t->kept);
    if (t->archive) {
        archive_read_free(t->archive);
        close(t->file);
    }
    memset(t, 0, sizeof *t);
    t->tar = -1;
}

void streams_destroy(streams *s)
{
    if (!s) return;
    for (int i = 0; i < STREAMS_OPEN; ++i) end_stream(s, &s->open[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool broken(const streams *s, const stream *t, error *err)
{
    const char *why = archive_error_string(t->archive);
    if (t->unpack.exceeded) return unpack_refuse(&t->unpack, s->paths[t->tar], NULL, err);
    return error_set(err, archive_errno(t->archive) == ENOMEM ? ERROR_MEMORY : ERROR_FORMAT, "%s: %s",
                     s->paths[t->tar], why ? why : "cannot be unpacked");
}

static bool begin(streams *s, stream *t, int tar, error *err)
{
    struct stat about;
    const char *path = s->paths[tar];
    end_stream(s, t);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return error_set(err, ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    struct archive *archive = fstat(file, &about) == 0 ? archive_read_new() : NULL;
    if (!archive) {
        close(file);
        return error_set(err, ERROR_MEMORY, "no memory to read '%s'", path);
    }
    t->tar = tar;
    t->file = file;
    t->archive = archive;
    t->at = -1;
    archive_read_support_format_tar(archive);
    archive_read_set_option(archive, "tar", "read_concatenated_archives", "1");
    return unpack_open(&t->unpack, archive, file, (int64_t)about.st_size) == ARCHIVE_OK || broken(s, t, err);
}

/* The tar's stream, begun in place of the one that was idle longest where there is none. */
static stream *stream_of(streams *s, int tar, error *err)
{
    stream *oldest = &s->open[0];
    for (int i = 0; i < STREAMS_OPEN; ++i) {
        stream *t = &s->open[i];
        if (t->archive && t->tar == tar) return t;
        if (t->used < oldest->used) oldest = t;
    }
    if (begin(s, oldest, tar, err)) return oldest;
    end_stream(s, oldest);
    return NULL;
}

/* All but the last member of a stream may go. */
static void keep_within(streams *s)
{
    while (s->held > s->most) {
        stream *largest = NULL;
        for (int i = 0; i < STREAMS_OPEN; ++i) {
            stream *t = &s->open[i];
            if (t->count - t->first > 1 && (!largest || t->bytes > largest->bytes)) largest = t;
        }
        if (!largest) return;
        forget_first(s, largest);
    }
}

static bool make_room(stream *t)
{
    if (t->first > t->count / 2) { /* what went leaves room at the front */
        t->count -= t->first;
        memmove(t->kept, t->kept + t->first, (size_t)t->count * sizeof *t->kept);
        t->first = 0;
    }
    if (t->count < t->room) return true;
    int64_t room = t->room ? 2 * t->room : 64;
    passed *larger = realloc(t->kept, (size_t)room * sizeof *larger);
    if (!larger) return false;
    t->kept = larger;
    t->room = room;
    return true;
}

static bool read_bytes(const streams *s, const stream *t, passed *p, error *err)
{
    for (int64_t got = 0; got < p->size;) {
        la_ssize_t part = archive_read_data(t->archive, p->bytes + got, (size_t)(p->size - got));
        if (part < 0) return broken(s, t, err);
        if (part == 0)
            return error_set(err, ERROR_FORMAT, "%s: member '%s' is cut short", s->paths[t->tar], p->name);
        got += part;
    }
    p->bytes[p->size] = 0;
    return true;
}

/* Takes in the member whose header was just read, if it could be a sample's. */
static bool take_member(streams *s, stream *t, struct archive_entry *entry, error *err)
{
    passed p = { .head = t->at, .place = archive_filter_bytes(t->archive, 0) };
    member m = { .size = archive_entry_size(entry) };
    p.name = tar_name(entry);
    bool memory = p.name != NULL;
    if (memory && !source_kind(p.name, &m)) m.kind = MEMBER_CAPTION; /* which options may name */
    if (memory && m.size >= 0 && m.size <= source_limit(m.kind)) {
        p.size = m.size;
        p.bytes = malloc((size_t)p.size + 1);
        memory = p.bytes && make_room(t);
        if (memory && read_bytes(s, t, &p, err)) {
            t->kept[t->count++] = p;
            t->bytes += p.size;
            s->held += p.size;
            return true;
        }
    }
    bool passed_by = memory && !p.bytes;
    free(p.name);
    free(p.bytes);
    return passed_by ||
           (memory ? false : error_set(err, ERROR_MEMORY, "no memory to read '%s'", s->paths[t->tar]));
}

/* Reads one more member; *more is false at the end. */
static bool advance(streams *s, stream *t, bool *more, error *err)
{
    struct archive_entry *entry;
    int code = archive_read_next_header(t->archive, &entry);
    *more = code != ARCHIVE_EOF;
    if (!*more) return true;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return broken(s, t, err);
    if (!unpack_pass(&t->unpack, archive_entry_size(entry))) return broken(s, t, err);
    t->at = archive_read_header_position(t->archive);
    return take_member(s, t, entry, err);
}

/* By the place of its bytes, or of its header. */
static const passed *find(const stream *t, int64_t at, bool by_head)
{
    int64_t low = t->first, high = t->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if ((by_head ? t->kept[middle].head : t->kept[middle].place) < at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == t->count || (by_head ? t->kept[low].head : t->kept[low].place) != at) return NULL;
    return &t->kept[low];
}

/* Goes on until the member is there, from the beginning if it was passed and is not kept. */
static const passed *reach(streams *s, int tar, int64_t at, bool by_head, error *err)
{
    stream *t = stream_of(s, tar, err);
    if (!t) return NULL;
    t->used = ++s->now;
    const passed *p = find(t, at, by_head);
    if (p) return p;
    if (t->at >= at) {
        ++s->rewound;
        if (!begin(s, t, tar, err)) return end_stream(s, t), NULL;
        t->used = s->now;
    }
    bool more = true, good = true;
    while (!p && more && good && t->at < at) {
        good = advance(s, t, &more, err);
        keep_within(s); /* spares the last */
        p = good ? find(t, at, by_head) : NULL;
    }
    if (p) return p;
    if (good)
        error_set(err, ERROR_FORMAT, "%s: has no member at byte %lld any more, as unpacked", s->paths[tar],
                  (long long)at);
    end_stream(s, t);
    return NULL;
}

char *streams_read(streams *s, int i, int64_t place, int64_t size, error *err)
{
    char *copy = NULL;
    pthread_mutex_lock(&s->lock);
    const passed *p = reach(s, i, place, false, err);
    if (p && p->size != size) {
        error_set(err, ERROR_FORMAT, "%s: member '%s' has %lld bytes, not %lld any more", s->paths[i],
                  p->name, (long long)p->size, (long long)size);
    } else if (p) {
        copy = malloc((size_t)size + 1);
        if (copy)
            memcpy(copy, p->bytes, (size_t)size + 1);
        else
            error_set(err, ERROR_MEMORY, "no memory to read '%s'", s->paths[i]);
    }
    pthread_mutex_unlock(&s->lock);
    return copy;
}

char *streams_name(streams *s, int i, int64_t head, error *err)
{
    pthread_mutex_lock(&s->lock);
    const passed *p = reach(s, i, head, true, err);
    char *copy = p ? strdup(p->name) : NULL;
    if (p && !copy) error_set(err, ERROR_MEMORY, "no memory to read '%s'", s->paths[i]);
    pthread_mutex_unlock(&s->lock);
    return copy;
}

int64_t streams_rewound(streams *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t count = s->rewound;
    pthread_mutex_unlock(&s->lock);
    return count;
}
