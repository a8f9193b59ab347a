/* safetensors_writer.c -- collects tensors and writes them as one safetensors file.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64 /* of the data within the file */

typedef struct piece {
    char *name;
    dtype type;
    int rank;
    int64_t dim[SAFETENSORS_MAX_RANK];
    const void *data;
    int64_t bytes;
} piece;

struct safetensors_writer {
    piece *pieces;
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
    for (int i = 0; i < writer->count; ++i) free(writer->pieces[i].name);
    free(writer->pieces);
    json_decref(writer->metadata);
    json_decref(writer->names);
    free(writer);
}

static bool grow(safetensors_writer *writer)
{
    if (writer->count < writer->capacity) return true;
    int capacity = writer->capacity ? 2 * writer->capacity : 64;
    piece *larger = realloc(writer->pieces, (size_t)capacity * sizeof *larger);
    if (!larger) return false;
    writer->pieces = larger;
    writer->capacity = capacity;
    return true;
}

bool safetensors_add(safetensors_writer *writer, const char *name, dtype type, int rank, const int64_t *dim,
                     const void *data, int64_t bytes, error *err)
{
    CHECK(rank >= 0 && rank <= SAFETENSORS_MAX_RANK, "tensor '%s' of rank %d", name, rank);
    int64_t wanted = (int64_t)dtype_bytes(type);
    for (int i = 0; i < rank; ++i) wanted *= dim[i];
    CHECK(wanted == bytes, "tensor '%s': %lld bytes for a shape of %lld", name, (long long)bytes,
          (long long)wanted);
    if (json_object_get(writer->names, name) || strcmp(name, "__metadata__") == 0)
        return error_set(err, ERROR_MODEL, "two tensors of one file are named '%s'", name);
    if (utf8_check(name) >= 0)
        return error_set(err, ERROR_USAGE, "a tensor's name is not valid UTF-8: '%s'", name);
    piece p = { .name = strdup(name), .type = type, .rank = rank, .data = data, .bytes = bytes };
    if (!p.name || !grow(writer) || json_object_set_new(writer->names, name, json_true()) != 0) {
        free(p.name);
        return error_set(err, ERROR_MEMORY, "memory ran out while adding tensor '%s'", name);
    }
    if (rank) memcpy(p.dim, dim, (size_t)rank * sizeof *dim);
    writer->pieces[writer->count++] = p;
    return true;
}

bool safetensors_add_metadata(safetensors_writer *writer, const char *key, const char *value, error *err)
{
    if (utf8_check(key) >= 0 || utf8_check(value) >= 0)
        return error_set(err, ERROR_USAGE, "metadata '%s' is not valid UTF-8", key);
    if (json_object_set_new(writer->metadata, key, json_string(value)) == 0) return true;
    return error_set(err, ERROR_MEMORY, "memory ran out while adding metadata '%s'", key);
}

/* One header entry; NULL when memory is out. */
static json_t *describe(const piece *p, int64_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < p->rank; ++i) json_tree_add(&shape, json_integer(p->dim[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype_name(p->type), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + p->bytes));
}

/* The pieces in file order: by width of their type, widest first, then as added. */
static const piece **arrange(const safetensors_writer *writer)
{
    const piece **order = malloc(((size_t)writer->count + 1) * sizeof *order);
    int placed = 0;
    for (size_t width = 8; order && width; width /= 2)
        for (int i = 0; i < writer->count; ++i)
            if (dtype_bytes(writer->pieces[i].type) == width) order[placed++] = &writer->pieces[i];
    CHECK(!order || placed == writer->count, "%d of %d tensors", placed, writer->count);
    return order;
}

/* The header's text, to be freed. */
static char *make_header(const safetensors_writer *writer, const piece *const *order, const char *path,
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

static void write_parts(const safetensors_writer *writer, const piece *const *order, const char *header,
                        FILE *out)
{
    size_t length = strlen(header), padded = (length + 8 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - 8;
    for (int i = 0; i < 8; ++i) fputc((int)(padded >> (8 * i) & 255u), out);
    fwrite(header, 1, length, out);
    for (size_t i = length; i < padded; ++i) fputc(' ', out);
    for (int i = 0; i < writer->count && !ferror(out); ++i)
        if (order[i]->bytes) fwrite(order[i]->data, 1, (size_t)order[i]->bytes, out);
}

bool safetensors_write(const safetensors_writer *writer, const char *path, error *err)
{
    const piece **order = arrange(writer);
    if (!order) return error_set(err, ERROR_MEMORY, "memory ran out while writing '%s'", path);
    char *header = make_header(writer, order, path, err);
    file_atomic f;
    bool good = header && file_atomic_open(&f, path, err);
    if (good) {
        write_parts(writer, order, header, f.stream);
        good = file_atomic_commit(&f, err);
    }
    free(header);
    free(order);
    return good;
}
