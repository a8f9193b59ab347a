/* safetensors_writer.c -- collects tensors and writes them as one safetensors file.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"

#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64 /* of the data within the file */

typedef struct tensor_entry {
    char *name;
    dtype type;
    int rank;
    int64_t dim[SAFETENSORS_MAX_RANK];
    const void *data;
    safetensors_source source; /* where there is no data */
    void *of;
    int64_t bytes;
} tensor_entry;

struct safetensors_writer {
    tensor_entry *tensors;
    int count, capacity;
    json_t *metadata, *names; /* names: a set, to find repetitions */
};

safetensors_writer *safetensors_writer_create(void)
{
    safetensors_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return NULL;
    writer->metadata = json_object();
    writer->names = json_object();
    if (writer->metadata && writer->names) return writer;
    safetensors_writer_destroy(writer);
    return NULL;
}

void safetensors_writer_destroy(safetensors_writer *writer)
{
    if (!writer) return;
    for (int i = 0; i < writer->count; ++i) free(writer->tensors[i].name);
    free(writer->tensors);
    json_decref(writer->metadata);
    json_decref(writer->names);
    free(writer);
}

static bool grow(safetensors_writer *writer)
{
    if (writer->count < writer->capacity) return true;
    int capacity = writer->capacity ? 2 * writer->capacity : 64;
    tensor_entry *larger = realloc(writer->tensors, (size_t)capacity * sizeof *larger);
    if (!larger) return false;
    writer->tensors = larger;
    writer->capacity = capacity;
    return true;
}

bool safetensors_type_key(const char *tensor, char key[SAFETENSORS_TYPE_KEY])
{
    return snprintf(key, SAFETENSORS_TYPE_KEY, SAFETENSORS_TYPE "%s", tensor) < SAFETENSORS_TYPE_KEY;
}

/* Says what the tensor is where its stored type does not. */
static bool add_own_type(safetensors_writer *writer, const char *name, dtype type, error *err)
{
    char key[SAFETENSORS_TYPE_KEY];
    if (strcmp(dtype_name(type), dtype_stored_name(type)) == 0) return true;
    if (!safetensors_type_key(name, key))
        return error_set(err, ERROR_USAGE, "a tensor's name is too long for its type to be stated: '%.100s'",
                         name);
    return safetensors_add_metadata(writer, key, dtype_name(type), err);
}

/* The entry of a new tensor, whose data or source is still to be said; NULL: refused. */
static tensor_entry *add(safetensors_writer *writer, const char *name, dtype type, int rank,
                         const int64_t *dim, error *err)
{
    CHECK(rank >= 0 && rank <= SAFETENSORS_MAX_RANK, "tensor '%s' of rank %d", name, rank);
    int64_t bytes = (int64_t)dtype_bytes(type);
    for (int i = 0; i < rank; ++i) bytes *= dim[i];
    if (json_object_get(writer->names, name) || strcmp(name, "__metadata__") == 0)
        return error_null(err, ERROR_MODEL, "two tensors of one file are named '%s'", name);
    if (utf8_check(name) >= 0)
        return error_null(err, ERROR_USAGE, "a tensor's name is not valid UTF-8: '%s'", name);
    if (!add_own_type(writer, name, type, err)) return NULL;
    tensor_entry p = { .name = strdup(name), .type = type, .rank = rank, .bytes = bytes };
    if (!p.name || !grow(writer) || json_object_set_new(writer->names, name, json_true()) != 0) {
        free(p.name);
        return error_null(err, ERROR_MEMORY, "memory ran out while adding tensor '%s'", name);
    }
    if (rank) memcpy(p.dim, dim, (size_t)rank * sizeof *dim);
    tensor_entry *entry = &writer->tensors[writer->count++];
    *entry = p;
    return entry;
}

bool safetensors_add(safetensors_writer *writer, const char *name, dtype type, int rank, const int64_t *dim,
                     const void *data, int64_t bytes, error *err)
{
    tensor_entry *t = add(writer, name, type, rank, dim, err);
    if (!t) return false;
    CHECK(t->bytes == bytes, "tensor '%s': %lld bytes for a shape of %lld", name, (long long)bytes,
          (long long)t->bytes);
    t->data = data;
    return true;
}

bool safetensors_add_source(safetensors_writer *writer, const char *name, dtype type, int rank,
                            const int64_t *dim, safetensors_source source, void *of, error *err)
{
    tensor_entry *t = add(writer, name, type, rank, dim, err);
    if (!t) return false;
    t->source = source;
    t->of = of;
    return true;
}

bool safetensors_add_metadata(safetensors_writer *writer, const char *key, const char *value, error *err)
{
    if (utf8_check(key) >= 0 || utf8_check(value) >= 0)
        return error_set(err, ERROR_USAGE, "metadata '%s' is not valid UTF-8", key);
    if (json_object_set_new(writer->metadata, key, json_string(value)) == 0) return true;
    return error_set(err, ERROR_MEMORY, "memory ran out while adding metadata '%s'", key);
}

bool safetensors_add_checksum(safetensors_writer *writer, error *err)
{
    return safetensors_add_metadata(writer, SAFETENSORS_SUM, SAFETENSORS_SUM_EMPTY, err);
}

/* One header entry; NULL when memory is out. */
static json_t *describe(const tensor_entry *p, int64_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < p->rank; ++i) json_tree_add(&shape, json_integer(p->dim[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype_stored_name(p->type), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + p->bytes));
}

/* The tensors in file order: by width of their type, widest first, then as added. */
static const tensor_entry **arrange(const safetensors_writer *writer)
{
    const tensor_entry **order = malloc(((size_t)writer->count + 1) * sizeof *order);
    int placed = 0;
    for (size_t width = 8; order && width; width /= 2)
        for (int i = 0; i < writer->count; ++i)
            if (dtype_bytes(writer->tensors[i].type) == width) order[placed++] = &writer->tensors[i];
    CHECK(!order || placed == writer->count, "%d of %d tensors", placed, writer->count);
    return order;
}

/* The header's text, to be freed. */
static char *make_header(const safetensors_writer *writer, const tensor_entry *const *order, const char *path,
                         error *err)
{
    json_t *header = json_object();
    int64_t begin = 0;
    if (json_object_size(writer->metadata))
        json_tree_put(&header, "__metadata__", json_incref(writer->metadata));
    for (int i = 0; header && i < writer->count; ++i) {
        json_tree_put(&header, order[i]->name, describe(order[i], begin));
        begin += order[i]->bytes;
    }
    char what[300];
    snprintf(what, sizeof what, "the header of '%s'", path);
    return json_tree_text(header, JSON_COMPACT, what, err);
}

/* Where the bytes go, and what their checksum is so far. */
typedef struct output {
    FILE *stream;
    hash sum;
    bool summed;
} output;

static void put(output *to, const void *bytes, size_t count)
{
    if (to->summed) hash_bytes(&to->sum, bytes, count);
    fwrite(bytes, 1, count, to->stream);
}

static size_t padded_length(const char *header)
{
    return (strlen(header) + 8 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - 8;
}

static void write_header(const char *header, output *to)
{
    static const char spaces[ALIGNMENT + 1] =
        "                                                                ";
    size_t length = strlen(header), padded = padded_length(header);
    unsigned char size[8];
    for (int i = 0; i < 8; ++i) size[i] = (unsigned char)(padded >> (8 * i) & 255u);
    put(to, size, sizeof size);
    put(to, header, length);
    put(to, spaces, padded - length);
}

/* Piece by piece through `room`.  False: the source failed; what could not be written, `to` knows. */
static bool write_from_source(const tensor_entry *t, void *room, output *to, error *err)
{
    int64_t width = (int64_t)dtype_bytes(t->type), count = t->bytes / width;
    for (int64_t first = 0, now; first < count && !ferror(to->stream); first += now) {
        now = count - first < SAFETENSORS_PIECE ? count - first : SAFETENSORS_PIECE;
        if (!t->source(t->of, first, now, room, err)) return false;
        put(to, room, (size_t)(width * now));
    }
    return true;
}

/* The largest piece that a source will be asked for, in bytes. */
static int64_t piece_bytes(const safetensors_writer *writer)
{
    int64_t largest = 1;
    for (int i = 0; i < writer->count; ++i) {
        const tensor_entry *t = &writer->tensors[i];
        int64_t most = SAFETENSORS_PIECE * (int64_t)dtype_bytes(t->type);
        if (t->bytes < most) most = t->bytes;
        if (t->source && most > largest) largest = most;
    }
    return largest;
}

static bool write_tensors(const safetensors_writer *writer, const tensor_entry *const *order, void *room,
                          output *to, error *err)
{
    for (int i = 0; i < writer->count && !ferror(to->stream); ++i)
        if (order[i]->source && !write_from_source(order[i], room, to, err))
            return false;
        else if (!order[i]->source && order[i]->bytes)
            put(to, order[i]->data, (size_t)order[i]->bytes);
    return true;
}

/* Puts the checksum in the place that the header keeps for it; the file is written then. */
static bool write_checksum(const char *header, output *to, const char *path, error *err)
{
    const char *place = strstr(header, SAFETENSORS_SUM_START SAFETENSORS_SUM_EMPTY);
    char hex[65];
    CHECK(place, "'%s' keeps no place for a checksum", path);
    hash_finish(&to->sum, hex);
    if (fseek(to->stream, 8 + (long)(place - header) + (long)strlen(SAFETENSORS_SUM_START), SEEK_SET) != 0)
        return ferror(to->stream) || /* of what came before: said by the commit */
               error_set(err, ERROR_IO, "cannot write '%s': %s", path, strerror(errno));
    fwrite(hex, 1, 64, to->stream);
    return true;
}

static int64_t file_size(const safetensors_writer *writer, const char *header)
{
    int64_t bytes = 8 + (int64_t)padded_length(header);
    for (int i = 0; i < writer->count; ++i) bytes += writer->tensors[i].bytes;
    return bytes;
}

static bool write_file(const safetensors_writer *writer, const tensor_entry *const *order, const char *header,
                       void *room, const char *path, error *err)
{
    file_atomic f;
    if (!file_atomic_open(&f, path, err)) return false;
    output to = { .stream = f.stream, .summed = json_object_get(writer->metadata, SAFETENSORS_SUM) != NULL };
    hash_start(&to.sum);
    bool ok = file_atomic_reserve(&f, file_size(writer, header), err);
    if (ok) write_header(header, &to);
    ok = ok && write_tensors(writer, order, room, &to, err) &&
         (!to.summed || write_checksum(header, &to, path, err));
    if (ok) return file_atomic_commit(&f, err);
    file_atomic_abandon(&f);
    return false;
}

bool safetensors_write(const safetensors_writer *writer, const char *path, error *err)
{
    const tensor_entry **order = arrange(writer);
    void *room = malloc((size_t)piece_bytes(writer));
    if (!order || !room) error_set(err, ERROR_MEMORY, "memory ran out while writing '%s'", path);
    char *header = order && room ? make_header(writer, order, path, err) : NULL;
    bool good = header && write_file(writer, order, header, room, path, err);
    free(header);
    free(room);
    free(order);
    return good;
}
