/* tensorboard.c -- see tensorboard.h.
 * A record: the length of its data (8 bytes, low first), the masked CRC of these 8, the data, its masked CRC.
 * The data is tensorflow's message Event: wall_time = 1 (double), step = 2, file_version = 3 (text),
 * summary = 5, session_log = 7 {status = 1}; a summary's value = 1 has tag = 1 (text) and simple_value = 2
 * (float) or image = 4 {height = 1, width = 2, colorspace = 3, encoded_image_string = 4}.
 * SPDX-License-Identifier: MIT */
#include "host/train/tensorboard.h"

#include "host/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 12, TAIL = 4, START = 1 };

struct tensorboard {
    int file;
    char *path;
};

/* ---- CRC-32C, its polynomial reflected ---- */

static uint32_t crc_of_byte(uint32_t byte)
{
    for (int bit = 0; bit < 8; ++bit) byte = byte >> 1 ^ (byte & 1 ? 0x82f63b78u : 0);
    return byte;
}

uint32_t tensorboard_crc(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t table[256], crc = 0xffffffffu;
    for (uint32_t i = 0; i < 256; ++i) table[i] = crc_of_byte(i);
    for (size_t i = 0; i < size; ++i) crc = crc >> 8 ^ table[(crc ^ at[i]) & 255];
    return ~crc;
}

uint32_t tensorboard_masked_crc(const void *bytes, size_t size)
{
    uint32_t crc = tensorboard_crc(bytes, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* ---- Messages ---- */

typedef struct message {
    uint8_t *bytes;
    size_t size, room;
    bool lost; /* memory ran out */
} message;

static void put_bytes(message *m, const void *bytes, size_t size)
{
    if (m->size + size > m->room) {
        size_t room = 2 * (m->size + size) + 64;
        uint8_t *more = m->lost ? NULL : realloc(m->bytes, room);
        if (!more) {
            m->lost = true;
            return;
        }
        m->bytes = more;
        m->room = room;
    }
    if (size) memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

/* The lowest `size` bytes of a number, low first. */
static void put_low(message *m, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; ++i) bytes[i] = (uint8_t)(value >> 8 * i);
    put_bytes(m, bytes, size);
}

static void put_varint(message *m, uint64_t value)
{
    for (; value > 127; value >>= 7) put_low(m, value | 128, 1);
    put_low(m, value, 1);
}

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

static void put_number(message *m, unsigned field, uint64_t value)
{
    put_varint(m, field << 3 | VARINT);
    put_varint(m, value);
}

static void put_double(message *m, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(m, field << 3 | FIXED64);
    put_low(m, bits, sizeof bits);
}

static void put_float(message *m, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(m, field << 3 | FIXED32);
    put_low(m, bits, sizeof bits);
}

static void put_block(message *m, unsigned field, const void *bytes, size_t size)
{
    put_varint(m, field << 3 | LENGTH);
    put_varint(m, size);
    put_bytes(m, bytes, size);
}

static void put_text(message *m, unsigned field, const char *text)
{
    put_block(m, field, text, strlen(text));
}

/* Takes the inner message. */
static void put_message(message *m, unsigned field, message *inner)
{
    put_block(m, field, inner->bytes, inner->lost ? 0 : inner->size);
    m->lost |= inner->lost;
    free(inner->bytes);
    *inner = (message){ 0 };
}

/* ---- Records ---- */

static bool fail(const tensorboard *t, error *err)
{
    return error_set(err, ERROR_IO, "cannot write '%s': %s", t->path, strerror(errno));
}

static bool write_all(tensorboard *t, const message *m, error *err)
{
    for (size_t done = 0; done < m->size;) {
        ssize_t count = write(t->file, m->bytes + done, m->size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(t, err);
        done += (size_t)count;
    }
    return true;
}

static message event_of(int64_t step)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    message event = { 0 };
    put_double(&event, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    put_number(&event, 2, (uint64_t)step);
    return event;
}

/* Takes the event. */
static bool write_record(tensorboard *t, message *event, error *err)
{
    message record = { .lost = event->lost };
    put_low(&record, event->size, 8);
    if (!record.lost) put_low(&record, tensorboard_masked_crc(record.bytes, 8), 4);
    put_bytes(&record, event->bytes, event->size);
    put_low(&record, event->lost ? 0 : tensorboard_masked_crc(event->bytes, event->size), TAIL);
    bool ok = record.lost ? error_set(err, ERROR_MEMORY, "out of memory for a line of '%s'", t->path)
                          : write_all(t, &record, err);
    free(record.bytes);
    free(event->bytes);
    return ok;
}

static bool write_summary(tensorboard *t, int64_t step, message *summary, error *err)
{
    message event = event_of(step);
    put_message(&event, 5, summary);
    return write_record(t, &event, err);
}

static bool write_version(tensorboard *t, error *err)
{
    message event = event_of(0);
    put_text(&event, 3, "brain.Event:2");
    return write_record(t, &event, err);
}

/* TensorBoard then forgets what it has read of later steps. */
static bool write_start(tensorboard *t, int64_t step, error *err)
{
    message event = event_of(step), session = { 0 };
    put_number(&session, 1, START);
    put_message(&event, 7, &session);
    return write_record(t, &event, err);
}

/* ---- Going on with a file ---- */

static uint64_t low_first(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; ++i) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* The step of an event as they are written here: behind the time. */
static bool step_of(const uint8_t *event, size_t size, int64_t *step)
{
    uint64_t value = 0;
    if (size < 11 || event[0] != (1 << 3 | FIXED64) || event[9] != (2 << 3 | VARINT)) return false;
    for (size_t i = 10; i < size && i < 20; ++i) {
        value |= (uint64_t)(event[i] & 127) << 7 * (i - 10);
        if (event[i] & 128) continue;
        *step = (int64_t)value;
        return true;
    }
    return false;
}

/* Bytes of the record at `at`, if it is whole and of the first `step` steps; else 0. */
static off_t keep_record(int file, off_t at, off_t size, int64_t step)
{
    uint8_t head[HEAD + 24];
    ssize_t got = pread(file, head, sizeof head, at);
    if (got < HEAD || low_first(head + 8, 4) != tensorboard_masked_crc(head, 8)) return 0;
    uint64_t length = low_first(head, 8);
    int64_t of = 0;
    if (length > (uint64_t)(size - at) || size - at < (off_t)length + HEAD + TAIL) return 0;
    size_t seen = (size_t)got - HEAD < length ? (size_t)got - HEAD : (size_t)length;
    return step_of(head + HEAD, seen, &of) && of <= step ? (off_t)length + HEAD + TAIL : 0;
}

static bool cut(tensorboard *t, int64_t step, bool *empty, error *err)
{
    off_t size = lseek(t->file, 0, SEEK_END), keep = 0;
    for (off_t more; keep < size && (more = keep_record(t->file, keep, size, step)) > 0;) keep += more;
    *empty = keep == 0;
    return size >= 0 && (keep == size || ftruncate(t->file, keep) == 0) ? true : fail(t, err);
}

static bool open_file(tensorboard *t, const char *folder, int64_t step, error *err)
{
    bool empty, ok = true;
    char *place = file_join(folder, "tensorboard");
    t->path = file_join(folder, TENSORBOARD_FILE);
    if (!place || !t->path) ok = error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    ok = ok && file_make_folders(place, err);
    free(place);
    if (!ok) return false;
    t->file = open(t->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (t->file < 0) return fail(t, err);
    return cut(t, step, &empty, err) && (!empty || write_version(t, err)) && write_start(t, step, err);
}

tensorboard *tensorboard_open(const char *folder, int64_t step, error *err)
{
    tensorboard *t = malloc(sizeof *t);
    if (!t) return error_null(err, ERROR_MEMORY, "out of memory for TensorBoard's file of '%s'", folder);
    *t = (tensorboard){ .file = -1 };
    if (open_file(t, folder, step, err)) return t;
    tensorboard_close(t);
    return NULL;
}

void tensorboard_close(tensorboard *t)
{
    if (!t) return;
    if (t->file >= 0) close(t->file);
    free(t->path);
    free(t);
}

/* ---- What is told ---- */

static void put_scalar(message *summary, const char *tag, double value)
{
    message one = { 0 };
    put_text(&one, 1, tag);
    put_float(&one, 2, (float)value);
    put_message(summary, 1, &one);
}

bool tensorboard_figures(tensorboard *t, int64_t step, const char *kind, const train_metrics *m, error *err)
{
    message summary = { 0 };
    for (int i = 0; i < m->count; ++i) {
        char tag[80];
        snprintf(tag, sizeof tag, "%s/%s", kind ? "validation" : "train", m->at[i].name);
        if (isfinite(m->at[i].value)) put_scalar(&summary, tag, m->at[i].value);
    }
    return write_summary(t, step, &summary, err);
}

bool tensorboard_scalar(tensorboard *t, int64_t step, const char *tag, double value, error *err)
{
    message summary = { 0 };
    put_scalar(&summary, tag, value);
    return write_summary(t, step, &summary, err);
}

/* Width and height stand in the first chunk of every PNG, high byte first. */
static uint64_t high_first(const char *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | (uint8_t)bytes[i];
    return value;
}

bool tensorboard_picture(tensorboard *t, int64_t step, const char *path, error *err)
{
    static const char signature[] = "\x89PNG\r\n\x1a\n";
    size_t size;
    char *bytes = file_read(path, &size, err);
    if (!bytes) return false;
    bool ok = true;
    if (size > 24 && memcmp(bytes, signature, 8) == 0) {
        message summary = { 0 }, value = { 0 }, picture = { 0 };
        put_number(&picture, 1, high_first(bytes + 20));
        put_number(&picture, 2, high_first(bytes + 16));
        put_number(&picture, 3, 3); /* RGB */
        put_block(&picture, 4, bytes, size);
        put_text(&value, 1, "samples");
        put_message(&value, 4, &picture);
        put_message(&summary, 1, &value);
        ok = write_summary(t, step, &summary, err);
    }
    free(bytes);
    return ok;
}
